//! `doctor`: whether a run can succeed, checked before it. Nothing is created, changed or deleted; `up` runs the quick checks itself.
//!
//! A check is a row of [`CHECKS`]: it reads what it needs, and a pure function decides. A check that may not read says which
//! permission is missing, and the others go on.

mod address;
mod apis;
mod billing;
mod clock;
mod credentials;
mod free_ranges;
mod inputs;
mod leftovers;
mod locations;
mod machines;
mod name_service;
mod permissions;
mod policies;
mod policy;
mod project;
mod proxy;
mod quota;
mod roles;
#[cfg(test)]
mod testing;
mod unread;

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use jiff::Timestamp;
use tokio::time::timeout;

use super::output::{note, say, show};
use super::session::{Prepared, Session};
use crate::cli::Global;
use crate::error::{CommandError, Exit};
use crate::ui::doctor::{Finding, Verdict, counts, event, line, words};
use crate::ui::{json_line, stamped};
use inputs::Inputs;

/// Check whether a run can succeed, and change nothing; exit 1 if something would make it fail
///
/// Each line is PASS, WARN, FAIL or SKIP, with what to do. SKIP: it could not be checked, and the line says what is missing.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// A check.
struct Check {
    /// Its name in the output.
    name: &'static str,
    /// Whether `up` runs it before its first change: it costs at most two short requests.
    is_quick: bool,
    /// What it does.
    run: for<'a> fn(&'a Inputs<'a>) -> BoxFuture<'a, Vec<Finding>>,
}

const fn quick(
    name: &'static str,
    run: for<'a> fn(&'a Inputs<'a>) -> BoxFuture<'a, Vec<Finding>>,
) -> Check {
    Check {
        name,
        is_quick: true,
        run,
    }
}

const fn thorough(
    name: &'static str,
    run: for<'a> fn(&'a Inputs<'a>) -> BoxFuture<'a, Vec<Finding>>,
) -> Check {
    Check {
        name,
        is_quick: false,
        run,
    }
}

/// Every check, in the order of the output.
const CHECKS: &[Check] = &[
    quick("credentials", |inputs| Box::pin(credentials::check(inputs))),
    quick("project", |inputs| Box::pin(project::check(inputs))),
    quick("billing", |inputs| Box::pin(billing::check(inputs))),
    quick("permissions", |inputs| Box::pin(permissions::check(inputs))),
    thorough("apis", |inputs| Box::pin(apis::check(inputs))),
    thorough("quota", |inputs| Box::pin(quota::check(inputs))),
    thorough("machines", |inputs| Box::pin(machines::check(inputs))),
    thorough("ranges", |inputs| Box::pin(free_ranges::check(inputs))),
    thorough("policies", |inputs| Box::pin(policies::check(inputs))),
    thorough("address", |inputs| Box::pin(address::check(inputs))),
    thorough("clock", |inputs| Box::pin(clock::check(inputs))),
    thorough("dns", |inputs| Box::pin(name_service::check(inputs))),
    thorough("proxy", |inputs| Box::pin(proxy::check(inputs))),
    thorough("leftovers", |inputs| Box::pin(leftovers::check(inputs))),
];

/// The limit of a check before a run. What Google does not answer so soon is left to the run, which has more patience.
const BRIEF: Duration = Duration::from_secs(6);
/// The limit of a check of `doctor`: longer than the client repeats a request.
const LONG: Duration = Duration::from_secs(300);

/// Runs every check.
pub async fn doctor(global: &Global, _args: DoctorArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(global)?;
    session.checks_credentials = true;
    let ready = session.ready(None, false, false).await?;
    let mut verdicts = Vec::new();
    run(&session, &ready, CHECKS.iter(), LONG, |name, finding| {
        verdicts.push(finding.verdict);
        match session.json() {
            true => say(&json_line(&stamped(
                &event(name, &finding),
                Timestamp::now(),
            ))),
            false => show(&line(name, &finding, global.verbose, session.paint.0)),
        }
    })
    .await;
    if !session.json() {
        show(&counts(&verdicts));
    }
    Ok(match verdicts.contains(&Verdict::Fail) {
        true => Exit::Failed,
        false => Exit::Done,
    })
}

/// Runs the quick checks before a run that changes something. What would make it fail is told as `doctor` tells it; without
/// `goes_on`, it also ends the command.
///
/// # Errors
/// A check failed.
pub async fn before(
    session: &Session,
    ready: &Prepared,
    goes_on: bool,
) -> Result<(), CommandError> {
    // The emulator of this process has no account, no bill and no permission that could be missing.
    if session.global.emulate {
        return Ok(());
    }
    let quick = CHECKS.iter().filter(|check| check.is_quick);
    let mut failed: Vec<(&str, Finding)> = Vec::new();
    run(session, ready, quick, BRIEF, |name, finding| {
        if finding.verdict == Verdict::Fail {
            failed.push((name, finding));
        }
    })
    .await;
    if failed.is_empty() {
        return Ok(());
    }
    let is_verbose = session.global.verbose;
    let lines: Vec<String> = failed
        .iter()
        .map(|(name, finding)| words(name, finding, is_verbose))
        .collect();
    if goes_on {
        lines
            .iter()
            .for_each(|line| note(&format!("warning: {line}")));
        return Ok(());
    }
    let more = "nothing was changed; `provision doctor` checks this and more; `provision up --keep-going` begins anyway";
    let (errors, hint) = match failed.as_slice() {
        // What to do about one failure is the hint.
        [(name, finding)] => {
            let advice = finding.advice.clone().unwrap_or_default();
            let error = format!("{name}: {}", finding.says);
            (vec![error], format!("{advice}; {more}"))
        }
        _ => (lines, more.to_owned()),
    };
    Err(CommandError {
        exit: Exit::Failed,
        errors,
        hint: Some(hint),
    })
}

/// Runs checks side by side, and tells what they find in their order: as soon as a check and those before it are done. One that takes
/// longer than `within` was not checked.
async fn run(
    session: &Session,
    ready: &Prepared,
    checks: impl Iterator<Item = &'static Check>,
    within: Duration,
    mut tell: impl FnMut(&'static str, Finding),
) {
    let inputs = &Inputs::new(session, ready);
    let all = checks.map(|check| async move {
        let findings = timeout(within, (check.run)(inputs)).await;
        let findings = findings.unwrap_or_else(|_| {
            let words = format!("no answer within {} s", within.as_secs());
            vec![Finding::skip(words, None)]
        });
        (check.name, findings)
    });
    in_order(all, |(name, findings)| {
        findings.into_iter().for_each(|finding| tell(name, finding));
    })
    .await;
}

/// Runs futures side by side, and takes each result as soon as it and those before it are there.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>, mut take: impl FnMut(F::Output)) {
    let mut running: FuturesOrdered<F> = futures.collect();
    while let Some(result) = running.next().await {
        take(result);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_result_is_not_held_back_by_those_after_it() {
        let (first_is_told, first_was_told) = oneshot::channel();
        let mut first_is_told = Some(first_is_told);
        let futures: [BoxFuture<'_, u8>; 3] = [
            Box::pin(async { 1 }),
            // Ends only after the first was told.
            Box::pin(async {
                first_was_told.await.unwrap();
                2
            }),
            Box::pin(async { 3 }),
        ];
        let mut told = Vec::new();
        let all = in_order(futures.into_iter(), |number| {
            told.push(number);
            if let Some(tell) = first_is_told.take() {
                tell.send(()).unwrap();
            }
        });
        timeout(Duration::from_secs(60), all).await.unwrap();
        assert_eq!(told, [1, 2, 3]);
    }
}
