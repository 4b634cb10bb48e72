//! `status`: each step, whether its resource exists, whether it is ours, and since when a request is open. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::json;

use super::execute::{VerbSpec, look};
use super::output::{columns_of_stdout, say};
use super::presenter::RunPresenter;
use super::session::Session;
use crate::cli::Global;
use crate::engine::change::Change;
use crate::engine::event::Event;
use crate::engine::state::State;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::kinds::Step;
use crate::ui::json_line;
use crate::ui::table::{columns, fitted};

const STATUS: VerbSpec = VerbSpec {
    name: "status",
    looks_up: false,
};

/// Show each step: whether it exists, whether provision created it, and since when a request is open
#[derive(Debug, Args)]
pub struct StatusArgs {}

/// Shows the status.
pub async fn status(global: &Global, _args: StatusArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(global)?;
    let ready = session.ready(None, STATUS.looks_up, false).await?;
    let tasks = tasks::present(&ready.steps, &ready.graph)?;
    // The rows are the output, for programs too; the run itself is shown only as text.
    let presenter = RunPresenter::of_looks(&session, false);
    let mut recorded = Vec::new();
    let record = |event: &Event| recorded.push(event.clone());
    let state = &session.state;
    let ended = look(&session, STATUS, &ready, tasks, state, presenter, record).await;
    let width = columns_of_stdout().map(|width| width.saturating_sub(1));
    say(&table(
        &ready.steps,
        &recorded,
        state,
        session.json(),
        width,
    ));
    Ok(ended.how().into())
}

/// Each step: live, ours, open since; then resources of ours that no step declares.
/// On a terminal of `width` columns no line is wrapped.
fn table(
    steps: &[Step],
    recorded: &[Event],
    state: &State,
    as_json: bool,
    width: Option<usize>,
) -> String {
    let mut live: BTreeMap<&str, &str> = BTreeMap::new();
    // A resource that another client recreated under the name of ours is not ours.
    let mut anothers: BTreeSet<&str> = BTreeSet::new();
    for event in recorded {
        match event {
            Event::Looked {
                step, change, ours, ..
            } => {
                if !ours && !matches!(change, Change::Create) {
                    anothers.insert(step);
                }
                live.insert(step, word(change))
            }
            Event::Failed { step, .. } => live.insert(step, "not seen"),
            Event::Blocked { step, .. } => live.insert(step, "not asked"),
            _ => continue,
        };
    }
    let tracked = |step: &Step| {
        state
            .resources
            .iter()
            .rev()
            .find(|tracked| tracked.is_of(step))
    };
    let mut rows = vec![
        ["STEP", "KIND", "LIVE", "OURS", "OPEN SINCE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for step in steps {
        let tracked = tracked(step);
        let open = tracked.and_then(|tracked| tracked.open.as_ref());
        rows.push(vec![
            step.id.clone(),
            step.kind.name().to_owned(),
            live.get(step.id.as_str())
                .copied()
                .unwrap_or("not asked")
                .to_owned(),
            if step.lookup.is_some() {
                "looked up"
            } else if tracked.is_some_and(|tracked| tracked.is_ours())
                && !anothers.contains(step.id.as_str())
            {
                "ours"
            } else {
                "-"
            }
            .to_owned(),
            open.map_or_else(
                || "-".to_owned(),
                |open| format!("{} {}", open.verb.word(), open.since),
            ),
        ]);
    }
    for tracked in state
        .ours()
        .filter(|tracked| !steps.iter().any(|step| tracked.is_of(step)))
    {
        let resource = &tracked.resource;
        rows.push(
            [
                resource.short(),
                resource.kind.clone(),
                "no step".to_owned(),
                "ours".to_owned(),
                "-".to_owned(),
            ]
            .to_vec(),
        );
    }
    if !as_json {
        return match width {
            Some(width) => fitted(&rows, width),
            None => columns(&rows),
        };
    }
    let objects = rows[1..].iter().map(|row| {
        let open = (row[4] != "-").then(|| row[4].clone());
        json!({"step": row[0], "kind": row[1], "live": row[2], "ours": row[3] == "ours", "open": open})
    });
    objects.map(|object| json_line(&object)).collect()
}

fn word(change: &Change) -> &'static str {
    match change {
        Change::None => "as wanted",
        Change::Create => "absent",
        Change::Update(_)
        | Change::Fixed(_)
        | Change::Replace(_)
        | Change::Foreign(_)
        | Change::Adopt(_) => "differs",
        Change::Conflict(_) => "in conflict",
        Change::Unfit(_) => "differs",
        Change::Missing(_) => "missing",
        Change::Delete => "there",
        Change::Waits(_) => "not known",
        Change::Pending(_) => "waits",
    }
}
