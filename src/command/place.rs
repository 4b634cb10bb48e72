//! Where a run acts: the environment, its project and zone, and the cloud. What exists stays where it is: a journal is carried out
//! only on the cloud that it was written for, and no flag moves what lives. It sends nothing.

use std::path::Path;

use serde_json::Value;

use super::given::{Given, GivenValue, ValueSource};
use super::known_environments::{DEFAULT, name_prefix};
use crate::engine::state::State;
use crate::error::CommandError;
use crate::google::Cloud;

/// The parameter that begins the name of every resource in the project.
pub const NAME_PREFIX: &str = "name_prefix";
/// Parameters that say where an environment is.
const PLACES: &[&str] = &[
    "location",
    "zone",
    "region",
    "network",
    "network_project",
    NAME_PREFIX,
];

/// Whether a parameter says where an environment is.
pub fn is_place(name: &str) -> bool {
    PLACES.contains(&name)
}

/// Checks that a journal of resources that may exist was written with `--emulate` if this run uses it, and the other way round.
///
/// # Errors
/// The journal belongs to the other one.
pub fn check_journal(state: &State, emulate: bool, project: &str) -> Result<(), CommandError> {
    let last = state.last_run.as_ref().filter(|_| state.stands());
    match last {
        Some(last) if last.emulated != emulate => {
            let (was, now) = if last.emulated {
                ("the emulator", "Google Cloud")
            } else {
                ("Google Cloud", "the emulator")
            };
            let was = match &last.cloud {
                Some(cloud) => cloud.words(),
                None => was.to_owned(),
            };
            Err(CommandError::usage(
                format!("the journal of {project} belongs to {was}, but this run would use {now}"),
                "add or remove --emulate, or name another folder with --state-dir",
            ))
        }
        _ => Ok(()),
    }
}

/// Checks that a journal of resources that may exist belongs to the cloud of this run. A journal that does not name its cloud was
/// written by a version that did not record it.
///
/// # Errors
/// It belongs to another cloud.
pub fn check_cloud(
    state: &State,
    now: &Cloud,
    project: &str,
    journal: &Path,
) -> Result<(), CommandError> {
    let last = state.last_run.as_ref().filter(|_| state.stands());
    match last.and_then(|last| last.cloud.as_ref()) {
        Some(was) if was != now => {
            let hint = format!(
                "use {} again, or name another folder with --state-dir; if it no longer exists, remove {}: nothing else remains of it",
                was.words(),
                journal.display()
            );
            let error = format!(
                "the journal of {project} belongs to {}, but this run would use {}",
                was.words(),
                now.words()
            );
            Err(CommandError::usage(error, &hint))
        }
        _ => Ok(()),
    }
}

/// The identity of the emulator that a journal belongs to.
pub fn emulator_of(state: &State) -> Option<String> {
    match state.last_run.as_ref()?.cloud.as_ref()? {
        Cloud::Emulator(identity) => Some(identity.clone()),
        Cloud::Google | Cloud::Server(_) => None,
    }
}

/// Gives the parameter of the names' beginning its value; it follows from the environment's name alone.
///
/// # Errors
/// The user gave it a value, or the steps have no such parameter and another environment is named.
pub fn set_prefix(
    given: &mut Given,
    environment: &str,
    is_param: bool,
) -> Result<(), CommandError> {
    let by_flag = given
        .get(NAME_PREFIX)
        .is_some_and(|given| given.source == ValueSource::Flag("--set"));
    if by_flag {
        return Err(CommandError::usage(
            format!("--set {NAME_PREFIX}: it follows from the environment's name"),
            "name an environment with --env NAME: its resources begin with `NAME-`",
        ));
    }
    if environment != DEFAULT && !is_param {
        return Err(CommandError::usage(
            format!(
                "--env {environment}: these steps have no parameter `{NAME_PREFIX}`, so that its resources would have the names of the default environment"
            ),
            "put `${param.name_prefix}` before every name in the steps, or leave out --env",
        ));
    }
    given.remove(NAME_PREFIX);
    if environment != DEFAULT {
        let value = GivenValue::new(name_prefix(environment), ValueSource::Flag("--env"));
        given.insert(NAME_PREFIX.to_owned(), value);
    }
    Ok(())
}

/// Refuses a flag that would move what lives. `lives` has the values of the environment that exists, defaults included; none if
/// there is no such environment.
///
/// # Errors
/// A flag names another region, zone or network than that of the environment that exists.
pub fn reject_move(
    lives: &dyn Fn(&str) -> Option<Value>,
    given: &Given,
    environment: &str,
    project: &str,
) -> Result<(), CommandError> {
    for name in PLACES {
        let (Some(was), Some(now)) = (lives(name), given.get(*name)) else {
            continue;
        };
        if was == now.value {
            continue;
        }
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let source = match &now.source {
            ValueSource::Flag("--set") => format!("--set {name}="),
            ValueSource::Flag(flag) => format!("{flag} "),
            _ => format!("{name} "),
        };
        let place = match text(&was) {
            own if own.is_empty() => format!("a {name} of its own"),
            was => format!("{name} {was}"),
        };
        let error = format!(
            "{source}{}: environment {environment} of project {project} exists in {place}",
            text(&now.value),
        );
        return Err(CommandError::usage(
            error,
            "leave the flag out; or run `provision down` first; or create another environment with --env NAME",
        ));
    }
    Ok(())
}

/// The first line of every screen: the environment, its project and zone, and the cloud.
pub fn line(
    environment: &str,
    project: &str,
    given: &Given,
    cloud: &Cloud,
    emulate: bool,
) -> String {
    let value = |name: &str| given.get(name)?.value.as_str();
    let place = match (value("location"), value("zone"), value("region")) {
        (Some(location), ..) => format!(", location {location}"),
        (None, Some(zone), _) => format!(", zone {zone}"),
        (None, None, Some(region)) => format!(", region {region}"),
        (None, None, None) => String::new(),
    };
    let cloud = match cloud {
        Cloud::Google => "Google Cloud".to_owned(),
        Cloud::Emulator(_) if emulate => "EMULATOR".to_owned(),
        Cloud::Emulator(identity) => format!("EMULATOR {identity}"),
        Cloud::Server(address) => format!("the server at {address}"),
    };
    format!("environment {environment}, project {project}{place}, {cloud}")
}
