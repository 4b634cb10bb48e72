//! `environments`: the environments that have a journal in the state folder. It reads journals and sends nothing.

use clap::Args;
use serde_json::json;

use super::known_environments::{KnownEnvironment, found};
use super::output::{columns_of_stdout, note, say};
use super::target;
use crate::cli::{Global, Output};
use crate::engine::state::State;
use crate::error::{CommandError, Exit};
use crate::google::{Cloud, process_env};
use crate::ui::fold::fold;
use crate::ui::json_line;
use crate::ui::table::columns;

/// List the environments that have a journal; --project and --emulate limit the list
#[derive(Debug, Args)]
pub struct EnvironmentsArgs {}

/// Lists the environments.
pub fn environments(global: &Global, _args: EnvironmentsArgs) -> Result<Exit, CommandError> {
    let state_dir = target::state_dir(global.state_dir.as_deref(), &process_env)?;
    let mut found = found(&state_dir);
    found.retain(|(known, _)| {
        let project = global.project.as_ref();
        project.is_none_or(|project| *project == known.project)
            && (!global.emulate || known.emulated)
    });
    if global.output == Output::Json {
        for (known, state) in &found {
            say(&json_line(&object(known, state.as_ref())));
        }
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        note(&format!(
            "no environment has a journal in {}; `provision up` creates one",
            state_dir.display()
        ));
        return Ok(Exit::Done);
    }
    let whole = rows(&found, minute);
    say(&match columns_of_stdout() {
        None => columns(&whole),
        Some(width) => {
            let short = rows(&found, day);
            let is_narrow = |line: &str| line.chars().count() <= width;
            let tables = [&whole, &short].map(|rows| columns(rows));
            let fits = |table: &String| table.lines().all(is_narrow);
            let table = tables.into_iter().find(fits);
            table.unwrap_or_else(|| stacked(&whole, width))
        }
    });
    Ok(Exit::Done)
}

/// The rows of a table that is wider than the terminal, each in two lines: names are typed again, so none is cut.
fn stacked(rows: &[Vec<String>], width: usize) -> String {
    let mut text = String::new();
    for row in rows.iter().skip(1) {
        let [environment, project, zone, resources, last, cloud] = row.as_slice() else {
            continue;
        };
        let more = format!("  zone {zone}, {resources} resources, {last}, {cloud}");
        text += &fold(&format!("{environment}  {project}\n{more}\n"), width);
    }
    text
}

/// The day and the minute of a time of the journal.
fn minute(at: &str) -> String {
    at.get(..16).unwrap_or(at).replace('T', " ")
}

/// The day of a time of the journal.
fn day(at: &str) -> String {
    at.get(..10).unwrap_or(at).to_owned()
}

/// The table; `time` is how the time of a run is written.
fn rows(
    found: &[(KnownEnvironment, Option<State>)],
    time: impl Fn(&str) -> String,
) -> Vec<Vec<String>> {
    let mut rows = vec![
        [
            "ENVIRONMENT",
            "PROJECT",
            "ZONE",
            "RESOURCES",
            "LAST RUN",
            "CLOUD",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (known, state) in found {
        let object = object(known, state.as_ref());
        let text = |key: &str| match &object[key] {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => "unknown".to_owned(),
            other => other.to_string(),
        };
        let keys = ["environment", "project", "zone", "resources"];
        let mut row: Vec<String> = keys.map(text).to_vec();
        row.push(match state {
            None => "its journal is damaged".to_owned(),
            Some(_) => format!("{} {}", text("verb"), time(&text("at"))),
        });
        row.push(text("cloud"));
        rows.push(row);
    }
    rows
}

fn object(known: &KnownEnvironment, state: Option<&State>) -> serde_json::Value {
    let last = state.and_then(|state| state.last_run.as_ref());
    let cloud = last.map(|last| match (&last.cloud, last.emulated) {
        (Some(Cloud::Google) | None, false) => "Google Cloud".to_owned(),
        (Some(cloud), false) => cloud.words(),
        (_, true) => "EMULATOR".to_owned(),
    });
    json!({
        "environment": known.name, "project": known.project, "folder": known.folder.display().to_string(),
        "zone": last.and_then(|last| last.given.get("zone")),
        "resources": state.map(|state| state.ours().count()), "cloud": cloud,
        "verb": last.map(|last| &last.verb), "at": last.map(|last| &last.at),
        "ended": state.map(|state| state.ended),
    })
}
