//! The parameters that the flags `--set` and `--authorized-network` give. Pure. Whether the steps have such a parameter, and
//! whether its value is valid, is checked with the steps.

use std::collections::BTreeMap;

use serde_json::Value;

use super::given::AUTHORIZED;
use crate::cli::Global;
use crate::error::CommandError;

const WRITE: &str = "write --set NAME=VALUE; `provision steps` lists the names";

/// The parameters that the flags give, by name. `project` is the project of the run.
///
/// # Errors
/// A text that is not `NAME=VALUE`, a name that is given twice, a range that is given twice.
pub fn parameters(global: &Global, project: &str) -> Result<BTreeMap<String, Value>, CommandError> {
    let mut given: BTreeMap<String, Value> = BTreeMap::new();
    for pair in &global.set {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| CommandError::usage(format!("--set {pair}: missing `=`"), WRITE))?;
        if name.trim().is_empty() {
            let error = format!("--set {pair}: missing the parameter's name before `=`");
            return Err(CommandError::usage(error, WRITE));
        }
        if name == "project" && value != project {
            return Err(CommandError::usage(
                format!("--set {pair}: the project is {project}"),
                &format!("write --project {value}: the project decides which journal is used"),
            ));
        }
        if let Some(flag) = of_its_own(name, global) {
            return Err(twice(
                &format!("parameter `{name}`"),
                &format!("with --set and with {flag}"),
            ));
        }
        if let Some(first) = given.insert(name.to_owned(), value.into()) {
            let first = first.as_str().unwrap_or_default();
            return Err(twice(
                &format!("--set {name}"),
                &format!("`{first}` and `{value}`"),
            ));
        }
    }
    let networks = &global.authorized_network;
    for (n, network) in networks.iter().enumerate() {
        if networks[..n].contains(network) {
            return Err(twice("--authorized-network", &format!("with {network}")));
        }
    }
    if !networks.is_empty() {
        given.insert(AUTHORIZED.to_owned(), networks.clone().into());
    }
    Ok(given)
}

/// The flag that gives the same parameter, if the command line has it.
fn of_its_own(name: &str, global: &Global) -> Option<&'static str> {
    match name {
        "region" => global.region.as_ref().map(|_| "--region"),
        "zone" => global.zone.as_ref().map(|_| "--zone"),
        AUTHORIZED => global
            .authorized_network
            .first()
            .map(|_| "--authorized-network"),
        _ => None,
    }
}

fn twice(what: &str, how: &str) -> CommandError {
    CommandError::usage(format!("{what} is given twice: {how}"), "give it once")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::command::Cli;

    #[test]
    fn what_is_given_twice_or_has_no_name_is_refused() {
        for (words, expected) in [
            ("--set a=1 --set b=x=y", Ok(r#"{"a":"1","b":"x=y"}"#)),
            ("--set project=demo", Ok(r#"{"project":"demo"}"#)),
            (
                "--authorized-network 192.0.2.1 --authorized-network 192.0.2.2",
                Ok(r#"{"authorized_networks":["192.0.2.1","192.0.2.2"]}"#),
            ),
            ("--set a", Err("--set a: missing `=`")),
            (
                "--set =1",
                Err("--set =1: missing the parameter's name before `=`"),
            ),
            (
                "--set =",
                Err("--set =: missing the parameter's name before `=`"),
            ),
            (
                "--set a=1 --set a=2",
                Err("--set a is given twice: `1` and `2`"),
            ),
            (
                "--set a=1 --set a=1",
                Err("--set a is given twice: `1` and `1`"),
            ),
            (
                "--set project=other",
                Err("--set project=other: the project is demo"),
            ),
            (
                "--zone us-east1-b --set zone=us-east1-c",
                Err("parameter `zone` is given twice: with --set and with --zone"),
            ),
            (
                "--set authorized_networks=192.0.2.1 --authorized-network 192.0.2.1",
                Err(
                    "parameter `authorized_networks` is given twice: with --set and with --authorized-network",
                ),
            ),
            (
                "--authorized-network 192.0.2.1 --authorized-network 192.0.2.1",
                Err("--authorized-network is given twice: with 192.0.2.1"),
            ),
        ] {
            let cli =
                Cli::try_parse_from(["provision", "plan"].into_iter().chain(words.split(' ')));
            let given = parameters(&cli.unwrap().global, "demo");
            let given = given.map(|given| serde_json::to_string(&given).unwrap());
            let given = given.map_err(|error| error.errors.join(""));
            assert_eq!(
                given,
                expected.map(str::to_owned).map_err(str::to_owned),
                "{words}"
            );
        }
    }
}
