//! `adopt`: rebuilds a journal that was lost or damaged from the live resources. Nothing in the cloud is changed: it shows the
//! evidence that a resource is ours, the user confirms, and from then on the journal records it.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::execute::{VerbSpec, look};
use super::output::{note, say};
use super::presenter::RunPresenter;
use super::session::Session;
use super::{confirm, run_lock};
use crate::cli::Global;
use crate::engine::entry::{Entry, now};
use crate::engine::event::{Event, RunOutcome};
use crate::engine::evidence::Evidence;
use crate::engine::journal::LockedJournal;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::kinds::{FieldDiff, ResourceId};
use crate::ui::table::columns;
use crate::ui::{json_line, plain, stamped};

const ADOPT: VerbSpec = VerbSpec {
    name: "adopt",
    looks_up: false,
};

/// Rebuild a lost or damaged journal from the live resources
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

/// One resource that was looked for.
struct Candidate {
    step: String,
    resource: ResourceId,
    evidence: Evidence,
    parts: Vec<String>,
    fields: Vec<FieldDiff>,
}

/// Rebuilds the journal.
pub async fn adopt(global: &Global, args: AdoptArgs) -> Result<Exit, CommandError> {
    let yes = args.yes;
    confirm::require_confirmation(ADOPT.name, yes)?;
    let mut session = Session::open_anyway(global)?;
    session.steps(None)?;
    session.open_own_cluster().await?;
    let held = LockedJournal::open(&session.journal_path())?;
    let mut run = run_lock::run(&session, ADOPT.name, Vec::new());
    let mut log = run_lock::begin(&session, &run);
    let ready = session.ready(None, ADOPT.looks_up, true).await?;
    let mut found = Vec::new();
    let tasks = tasks::found(&ready.steps, &ready.graph);
    let presenter = RunPresenter::of_looks(&session, session.json());
    let record = |event: &Event| {
        log.append(event);
        found.extend(recorded(event));
    };
    let state = &held.read.state;
    let ended = look(&session, ADOPT, &ready, tasks, state, presenter, record).await;
    let unseen = ended.tally.failed + ended.tally.blocked;
    if ended.how() == RunOutcome::Interrupted {
        return Ok(Exit::Interrupted);
    }
    if found.is_empty() && unseen > 0 {
        return Err(CommandError::failed(
            "the current state could not be read",
            "fix the errors above first",
        ));
    }
    let new: Vec<&Candidate> = found.iter().filter(|f| f.evidence.suffices()).collect();
    let damaged = !held.read.damaged.is_empty();
    if !session.json() {
        say(&text(&found, unseen));
    }
    if new.is_empty() && !damaged {
        return Ok(ended.how().into());
    }
    let question = match (new.len(), damaged) {
        (0, _) => "Replace the damaged journal with its intact records?".to_owned(),
        (n, true) => {
            format!("Record these {n} as created by provision, and replace the damaged journal?")
        }
        (n, false) => format!("Record these {n} as created by provision?"),
    };
    if !yes {
        confirm::require_yes(&question).await?;
    }
    run.given = session.given_values();
    run.cloud = session.cloud.clone();
    run.kept = run_lock::kept(&ready.steps);
    let (mut journal, kept) = held.rebuilt(&Entry::Run(Box::new(run)))?;
    for found in &new {
        journal.write(&Entry::Adopted {
            at: now(),
            step: found.step.clone(),
            resource: found.resource.clone(),
            parts: found.parts.clone(),
            why: why(found),
        })?;
    }
    let (at, how) = (now(), ended.how().word().to_owned());
    journal.write(&Entry::End { at, how })?;
    let kept = kept.map(|path| path.display().to_string());
    if session.json() {
        let steps: Vec<&str> = new.iter().map(|found| found.step.as_str()).collect();
        let event = json!({"event": "adopted", "steps": steps, "damaged": kept});
        say(&json_line(&stamped(&event, Timestamp::now())));
    } else {
        say(&format!(
            "{} adopted: `provision up` continues from here, and `provision down` removes them\n",
            new.len()
        ));
        if let Some(path) = kept {
            say(&format!("the damaged journal is kept as {path}\n"));
        }
    }
    if unseen > 0 {
        note(
            "fix this, then run `provision adopt` again: resources that could not be read are not adopted",
        );
    }
    Ok(ended.how().into())
}

fn recorded(event: &Event) -> Option<Candidate> {
    match event.clone() {
        Event::Found {
            step,
            resource,
            evidence,
            parts,
            fields,
        } => Some(Candidate {
            step,
            resource,
            evidence,
            parts,
            fields,
        }),
        _ => None,
    }
}

/// The evidence for or against it, in words.
fn why(found: &Candidate) -> String {
    let differing = || {
        let each = found
            .fields
            .iter()
            .map(|field| format!("{} is {}, wanted {}", field.path, field.have, field.want));
        plain(&each.collect::<Vec<_>>().join("; "))
    };
    match &found.evidence {
        Evidence::Absent => "not found".to_owned(),
        Evidence::Journal => "in the journal".to_owned(),
        Evidence::Equal if found.parts.is_empty() => "exists, as wanted".to_owned(),
        Evidence::Equal => format!("exists, as wanted: {}", found.parts.join(", ")),
        Evidence::Mark if found.fields.is_empty() => {
            "exists, applied by the field manager provision".to_owned()
        }
        Evidence::Mark => format!(
            "exists, applied by the field manager provision; {}",
            differing()
        ),
        Evidence::Differs => format!("exists, differs: {}", differing()),
        Evidence::Unmarked if found.fields.is_empty() => {
            "exists, as wanted, but was not applied by the field manager provision".to_owned()
        }
        Evidence::Unmarked => format!(
            "exists, but was not applied by the field manager provision; {}",
            differing()
        ),
        Evidence::Unknown(steps) => {
            format!("exists, cannot be compared without {}", steps.join(", "))
        }
    }
}

/// What would be adopted, what would not, and why; then the counts.
fn text(found: &[Candidate], unseen: usize) -> String {
    let row = |mark: &str, found: &Candidate| {
        let kind = found.resource.kind.clone();
        vec![format!("  {mark} {}", found.step), kind, why(found)]
    };
    let strangers = |found: &&Candidate| {
        matches!(
            found.evidence,
            Evidence::Differs | Evidence::Unmarked | Evidence::Unknown(_)
        )
    };
    let adopted = found.iter().filter(|found| found.evidence.suffices());
    let mut rows: Vec<Vec<String>> = adopted.map(|found| row("+", found)).collect();
    rows.extend(found.iter().filter(strangers).map(|found| row("!", found)));
    let count =
        |holds: &dyn Fn(&Candidate) -> bool| found.iter().filter(|found| holds(found)).count();
    let counts = [
        (count(&|f| f.evidence.suffices()), "to adopt"),
        (count(&|f| strangers(&f)), "not created by provision"),
        (
            count(&|f| f.evidence == Evidence::Journal),
            "in the journal",
        ),
        (count(&|f| f.evidence == Evidence::Absent), "not found"),
        (unseen, "could not be read"),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    format!("{}{}\n", columns(&rows), said.join(", "))
}
