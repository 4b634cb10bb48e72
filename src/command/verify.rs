//! `verify`: the tutorial's checks, carried out on the live resources. Nothing is created, changed or deleted.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use serde_json::json;

use super::execute::{VerbSpec, look};
use super::output::say;
use super::presenter::RunPresenter;
use super::session::{Prepared, Session};
use crate::cli::Global;
use crate::engine::absence::proves_absence_of;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::google::{Api, NoWatch};
use crate::kinds::Clients;
use crate::kinds::Step;
use crate::kinds::checks::{answers, only_gke};
use crate::ui::checks::CheckReport;
use crate::ui::{json_line, stamped};

const VERIFY: VerbSpec = VerbSpec {
    name: "verify",
    looks_up: false,
};

/// Run the tutorial's checks in the pods; exit 3 if one fails
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Run the checks of the state after this chapter
    #[arg(long, value_name = "CHAPTER", value_parser = NonEmptyStringValueParser::new())]
    through: Option<String>,
    /// How long to wait for a check to hold, because policies take effect with a delay [default: 120; 0 in an emulated cluster]
    #[arg(long, value_name = "SECONDS")]
    settle: Option<u64>,
}

/// The time limit for a check on Google Cloud: a managed control plane takes up to minutes to apply a policy.
const SETTLE: Duration = Duration::from_secs(120);

/// Runs the checks through a chapter.
pub async fn verify(global: &Global, args: VerifyArgs) -> Result<Exit, CommandError> {
    let session = &mut Session::open(global)?;
    let through = args.through.as_deref();
    let ready = session.ready(through, VERIFY.looks_up, false).await?;
    somebody_answers(session, &ready).await?;
    // The emulated data plane answers from the objects that exist: nothing takes effect with a delay.
    let emulated = ready.client.endpoints().is_loopback(Api::Container);
    let usual = match emulated && session.own.is_none() {
        true => Duration::ZERO,
        false => SETTLE,
    };
    let settle = args.settle.map_or(usual, Duration::from_secs);
    let here = |check: &Step| session.own.is_none() || only_gke(&check.want).is_none();
    let (here, elsewhere): (Vec<Step>, Vec<Step>) =
        ready.checks.iter().cloned().partition(|check| here(check));
    let tasks = tasks::checks(&here, settle);
    let mut checks = CheckReport::default();
    for check in &elsewhere {
        let why = only_gke(&check.want).unwrap_or_default();
        if session.json() {
            let told = json!({"event": "not-checked", "step": check.id, "only_gke": why});
            say(&json_line(&stamped(&told, Timestamp::now())));
        }
        checks.not_here(&check.id, why);
    }
    let presenter = RunPresenter::of_looks(session, session.json());
    let record = |event: &_| checks.record(event);
    let state = &session.state;
    let ended = look(session, VERIFY, &ready, tasks, state, presenter, record).await;
    if !session.json() {
        say(&checks.text(&session.tutorial.chapters, &ready.checks, session.paint.0));
    }
    Ok(match Exit::from(ended.how()) {
        Exit::Done if ended.tally.unmet > 0 => Exit::Different,
        exit => exit,
    })
}

/// Checks whether the cluster answers at all: if not, this is reported once, and not by every check.
async fn somebody_answers(session: &Session, ready: &Prepared) -> Result<(), CommandError> {
    let Some(check) = ready.checks.first() else {
        return Ok(());
    };
    let clients = Clients {
        client: ready.client.clone(),
        watch: Arc::new(NoWatch),
        clusters: ready.clusters(false),
    };
    let text = |key: &str| check.at.get(key).and_then(|value| value.as_str());
    let [cluster, location, project] =
        ["cluster", "location", "project"].map(|key| text(key).unwrap_or_default());
    let is_cluster = |step: &&Step| step.kind.name() == "container.cluster";
    let step = ready.steps.iter().find(is_cluster);
    let absent =
        |error: &_| step.is_some_and(|step| proves_absence_of(error, &session.state, step));
    let found = match answers(&clients, &check.at).await {
        Err(error) if absent(&error) => Ok(false),
        found => found,
    };
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::failed(
            format!(
                "nothing to check: cluster {cluster} not found in {location} of project {project}"
            ),
            "`provision up` creates it; `provision explain` predicts the result of a request without it",
        )),
        Err(error) => Err(CommandError {
            exit: Exit::Failed,
            errors: vec![format!("cannot reach cluster {cluster}: {error}")],
            hint: error.hint(),
        }),
    }
}
