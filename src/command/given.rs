//! The values that a run is given, each with its source. It reads no file and sends nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::state::State;
use crate::error::CommandError;
use crate::google::properties::{Property, PropertySource};
use crate::steps::Tutorial;

/// The parameter with the networks on the cluster's allow list.
pub const AUTHORIZED: &str = "authorized_networks";

/// The parameter with the endpoint by which the cluster is reached.
const ENDPOINT: &str = "endpoint";
/// Its value for the DNS endpoint.
const BY_NAME: &str = "dns";

/// The values by the parameter's name.
pub type Given = BTreeMap<String, GivenValue>;

/// A value, and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenValue {
    /// The value.
    pub value: Value,
    /// Its source.
    pub source: ValueSource,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// A flag of this command.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A file: gcloud's active configuration.
    File(String),
    /// The run that started at this time; its environment still exists.
    Remembered(String),
    /// The default of `--emulate`.
    Emulate,
    /// The default for a cluster of the user's own.
    OwnCluster,
    /// The only environment that exists in the state folder.
    OnlyEnvironment,
    /// It follows from the region or the zone.
    Derived,
    /// This machine's address, which was looked up.
    ThisMachine,
    /// The default in the steps.
    Default,
}

impl GivenValue {
    /// A value with its source.
    pub fn new(value: impl Into<Value>, source: ValueSource) -> GivenValue {
        GivenValue {
            value: value.into(),
            source,
        }
    }
}

impl From<Property> for GivenValue {
    fn from(property: Property) -> GivenValue {
        let source = match property.source {
            PropertySource::Variable(name) => ValueSource::Variable(name),
            PropertySource::File(path) => ValueSource::File(path.display().to_string()),
        };
        GivenValue::new(property.value, source)
    }
}

impl ValueSource {
    /// The name before an error about the value: the flag, the variable or the file as such, everything else as [`Self::words`].
    pub fn name(&self) -> String {
        match self {
            ValueSource::Flag(name) | ValueSource::Variable(name) => (*name).to_owned(),
            ValueSource::File(path) => path.clone(),
            other => other.words(),
        }
    }

    /// The source, as `provision config` shows it.
    pub fn words(&self) -> String {
        match self {
            ValueSource::Flag(flag) => format!("flag {flag}"),
            ValueSource::Variable(name) => format!("environment {name}"),
            ValueSource::File(path) => format!("file {path}"),
            ValueSource::Remembered(at) => format!("remembered from the run of {at}"),
            ValueSource::Emulate => "default of --emulate".to_owned(),
            ValueSource::OwnCluster => "default for a cluster of your own".to_owned(),
            ValueSource::OnlyEnvironment => "the only environment that exists".to_owned(),
            ValueSource::Derived => "follows from the region or the zone".to_owned(),
            ValueSource::ThisMachine => "this machine's public address".to_owned(),
            ValueSource::Default => "default".to_owned(),
        }
    }
}

/// The values of the last run, as long as anything that it created may exist: a resume wants the same environment. Pure.
pub fn remembered(state: &State) -> Given {
    let last = state.last_run.as_ref().filter(|_| state.stands());
    let values = last.into_iter().flat_map(|last| {
        let source = ValueSource::Remembered(last.at.clone());
        let values = last.given.iter();
        values.map(move |(name, value)| {
            (name.clone(), GivenValue::new(value.clone(), source.clone()))
        })
    });
    values.collect()
}

/// Whether the cluster is reached by its DNS endpoint, so that its list of authorized networks is empty. Pure.
pub fn is_by_name(given: &Given, tutorial: &Tutorial) -> bool {
    let param = tutorial.params.iter().find(|param| param.name == ENDPOINT);
    let given = given.get(ENDPOINT).map(|given| &given.value);
    let value = given.or(param.and_then(|param| param.default.as_ref()));
    param.is_some() && value.is_some_and(|value| value == BY_NAME)
}

/// Refuses networks for a list that stays empty. Pure.
///
/// # Errors
/// Networks are given, and the cluster is reached by its DNS endpoint.
pub fn reject_networks(given: &Given, tutorial: &Tutorial) -> Result<(), CommandError> {
    let Some(networks) = given.get(AUTHORIZED) else {
        return Ok(());
    };
    match is_by_name(given, tutorial) {
        true => Err(CommandError::usage(
            format!(
                "{} has no effect with endpoint=dns: the cluster is reached by its DNS endpoint, and its list of authorized networks is empty",
                networks.source.words()
            ),
            "leave the networks out, or use the cluster's IP address with `--set endpoint=ip`",
        )),
        false => Ok(()),
    }
}
