//! `environments`: the environments that have a journal in the state folder. It reads journals and sends nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::output::{note, say};
use super::session::env;
use super::target;
use crate::cli::{Global, Output};
use crate::engine::journal::Journal;
use crate::engine::state::State;
use crate::error::{CommandError, Exit};
use crate::google::Cloud;
use crate::ui::json_line;
use crate::ui::table::columns;

/// The name of the environment without `--env`: its resources have the tutorial's names.
pub const DEFAULT: &str = "default";
/// The folder of a project's other environments.
const FOLDER: &str = "environments";
/// The longest name. The steps limit it further: Google accepts 30 characters for a service account.
const LONGEST: usize = 20;

/// List the environments that have a journal; --project and --emulate limit the list
#[derive(Debug, Args)]
pub struct EnvironmentsArgs {}

/// An environment that has a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownEnvironment {
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// The folder of its journal.
    pub folder: PathBuf,
    /// Whether its last run used `--emulate`.
    pub emulated: bool,
    /// Whether a resource of it may exist.
    pub stands: bool,
}

/// The environment that the command line or the process's environment names.
pub fn requested(global: &Global) -> String {
    let of_process = || env("PROVISION_ENV").filter(|name| !name.is_empty());
    let name = global.env.clone().or_else(of_process);
    name.unwrap_or_else(|| DEFAULT.to_owned())
}

/// Checks a name of an environment.
///
/// # Errors
/// It cannot begin the names of Google's resources.
pub fn check_name(name: &str) -> Result<(), CommandError> {
    let fits = name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits {
        return Ok(());
    }
    Err(CommandError::usage(
        format!("--env: `{name}` is not a name of an environment"),
        &format!(
            "use at most {LONGEST} lowercase letters, digits and hyphens, a letter first: it begins the names of the environment's resources"
        ),
    ))
}

/// What the names of an environment's resources begin with: nothing for the default environment.
pub fn name_prefix(environment: &str) -> String {
    match environment {
        DEFAULT => String::new(),
        name => format!("{name}-"),
    }
}

/// The folder of an environment's journal.
pub fn folder(state_dir: &Path, project: &str, environment: &str) -> PathBuf {
    let project = state_dir.join(project);
    match environment {
        DEFAULT => project,
        name => project.join(FOLDER).join(name),
    }
}

/// The environments that have a journal in the state folder. A journal that cannot be read counts as one of resources that exist.
pub fn known(state_dir: &Path) -> Vec<KnownEnvironment> {
    found(state_dir)
        .into_iter()
        .map(|(known, _)| known)
        .collect()
}

fn found(state_dir: &Path) -> Vec<(KnownEnvironment, Option<State>)> {
    let mut found = Vec::new();
    for project in names(state_dir) {
        let mut all = vec![DEFAULT.to_owned()];
        all.extend(names(&state_dir.join(&project).join(FOLDER)));
        for name in all {
            let folder = folder(state_dir, &project, &name);
            let journal = folder.join("journal.jsonl");
            if !journal.is_file() {
                continue;
            }
            let state = Journal::read(&journal).ok();
            let last = state.as_ref().and_then(|state| state.last_run.as_ref());
            let known = KnownEnvironment {
                emulated: last.is_some_and(|last| last.emulated),
                stands: state.as_ref().is_none_or(State::stands),
                project: project.clone(),
                name,
                folder,
            };
            found.push((known, state));
        }
    }
    found
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Lists the environments.
pub fn environments(global: &Global, _args: EnvironmentsArgs) -> Result<Exit, CommandError> {
    let state_dir = target::state_dir(global.state_dir.as_deref(), &env)?;
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
    let mut rows = vec![
        [
            "ENVIRONMENT",
            "PROJECT",
            "ZONE",
            "RESOURCES",
            "CLOUD",
            "LAST RUN",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (known, state) in &found {
        let object = object(known, state.as_ref());
        let text = |key: &str| match &object[key] {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => "unknown".to_owned(),
            other => other.to_string(),
        };
        let keys = ["environment", "project", "zone", "resources", "cloud"];
        let mut row: Vec<String> = keys.map(text).to_vec();
        row.push(match state {
            None => "its journal is damaged".to_owned(),
            Some(_) => format!("{} {}", text("verb"), text("at")),
        });
        rows.push(row);
    }
    say(&columns(&rows));
    Ok(Exit::Done)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_the_names_of_resources() {
        for name in ["default", "b", "blue", "team-7"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "Blue",
            "7",
            "-a",
            "a-",
            "a_b",
            "a/b",
            "..",
            "a.b",
            "abcdefghijklmnopqrstu",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(name_prefix("default"), "");
        assert_eq!(name_prefix("blue"), "blue-");
    }
}
