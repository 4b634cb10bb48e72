//! The environments that have a journal in the state folder, and the names that an environment may have. It sends nothing.

use std::path::{Path, PathBuf};

use crate::cli::Global;
use crate::engine::journal::Journal;
use crate::engine::state::State;
use crate::error::CommandError;
use crate::google::process_env;

/// The name of the environment without `--env`: its resources have the tutorial's names.
pub const DEFAULT: &str = "default";
/// The folder of a project's other environments.
const FOLDER: &str = "environments";
/// The longest name. The steps limit it further: Google accepts 30 characters for a service account.
const LONGEST: usize = 20;

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
    let of_process = || process_env("PROVISION_ENV").filter(|name| !name.is_empty());
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

/// The same with their journals; none for a journal that cannot be read.
pub fn found(state_dir: &Path) -> Vec<(KnownEnvironment, Option<State>)> {
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
