//! The address ranges of an environment in its network: they may not overlap those of another environment or of a subnetwork that is
//! there already. It reads the journals of the project's environments and, if the network exists already, lists its subnetworks once.
//! Ranges that Google has accepted already, of resources that the journal records, are not compared again.

use std::path::Path;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::given;
use super::known_environments;
use super::output::note;
use super::session::{Prepared, Session};
use super::target;
use crate::engine::state::State;
use crate::error::CommandError;
use crate::google::{Api, ApiError, Call, NoWatch, process_env};
use crate::kinds::{self, ResourceId, Step, same_name};
use crate::steps::{ParamType, Params, Tutorial};

/// A range and its name: of ours the parameter, of others what has it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRange {
    /// Its name.
    pub name: String,
    /// The range.
    pub range: Ipv4Net,
}

/// Checks that the ranges of this environment's new resources are free in their network. Subnetworks that cannot be listed are a
/// note: Google refuses an overlap itself, but later.
///
/// # Errors
/// Two ranges overlap: both are named, with who has the other one.
pub async fn check(session: &Session, ready: &Prepared) -> Result<(), CommandError> {
    let Some(error) = compare(session, ready).await? else {
        return Ok(());
    };
    let name = network(&ready.steps).map(|network| network.short());
    note(&format!(
        "note: the ranges in network {} could not be compared: {}",
        name.unwrap_or_default(),
        error.message
    ));
    Ok(())
}

/// The same; what the subnetworks' list was answered with, if it could not be read.
///
/// # Errors
/// Two ranges overlap: both are named, with who has the other one.
pub async fn compare(
    session: &Session,
    ready: &Prepared,
) -> Result<Option<ApiError>, CommandError> {
    let Some(network) = network(&ready.steps) else {
        return Ok(None);
    };
    let ours = new_ranges(
        &session.tutorial,
        &session.resolved()?,
        &ready.steps,
        &session.state,
    );
    if ours.is_empty() {
        return Ok(None);
    }
    let state_dir = target::state_dir(session.global.state_dir.as_deref(), &process_env)?;
    let mut taken = of_environments(session, &state_dir, &network.key());
    let mut unread = None;
    if is_there(&ready.steps) {
        match living(ready, &network).await {
            Ok(ranges) => taken.extend(ranges),
            Err(error) => unread = Some(error),
        }
    }
    match overlap(&ours, &taken) {
        None => Ok(unread),
        Some((own, other)) => {
            let error = format!(
                "{} {} overlaps {} {} in network {}",
                own.name,
                own.range,
                other.name,
                other.range,
                network.short()
            );
            let hint = format!(
                "choose a free range with --set {}=RANGE; `provision config` lists the ranges of this environment",
                own.name
            );
            Err(CommandError::failed(error, &hint))
        }
    }
}

fn is_network(step: &Step) -> bool {
    step.kind.name() == "compute.network"
}

/// Whether the network exists already, as the steps say. Pure.
pub fn is_there(steps: &[Step]) -> bool {
    steps
        .iter()
        .any(|step| is_network(step) && step.lookup.is_some())
}

/// The network of the steps.
fn network(steps: &[Step]) -> Option<ResourceId> {
    let step = steps.iter().find(|step| is_network(step))?;
    Some(ResourceId::new(step.kind, step.at.clone()))
}

/// The ranges of this environment's new resources, and their network; none if the steps have no network.
///
/// # Errors
/// The parameters have no value.
pub fn of_new(
    session: &Session,
    ready: &Prepared,
) -> Result<Option<(Vec<NamedRange>, ResourceId)>, CommandError> {
    let Some(network) = network(&ready.steps) else {
        return Ok(None);
    };
    let params = session.resolved()?;
    let ranges = new_ranges(&session.tutorial, &params, &ready.steps, &session.state);
    Ok(Some((ranges, network)))
}

/// The ranges of the parameters that a step states whose resource is neither recorded nor only looked up. Pure.
fn new_ranges(
    tutorial: &Tutorial,
    params: &Params,
    steps: &[Step],
    state: &State,
) -> Vec<NamedRange> {
    let is_new = |step: &&Step| {
        let key = ResourceId::new(step.kind, step.at.clone()).key();
        let has_ranges = ["compute.subnetwork", "container.cluster"].contains(&step.kind.name());
        has_ranges && step.lookup.is_none() && state.get(&key).is_none()
    };
    let stated: Vec<String> = steps
        .iter()
        .filter(is_new)
        .map(|step| step.want.to_string())
        .collect();
    let mut ranges = all_ranges(tutorial, params);
    ranges.retain(|one| {
        let text = Value::from(one.range.to_string()).to_string();
        stated.iter().any(|want| want.contains(&text))
    });
    ranges
}

/// The values of all parameters that are ranges. Pure.
fn all_ranges(tutorial: &Tutorial, params: &Params) -> Vec<NamedRange> {
    let is_range = |of: &ParamType| matches!(of, ParamType::Cidr { .. });
    let those = tutorial.params.iter().filter(|param| is_range(&param.of));
    let found = those.filter_map(|param| {
        let range = params.get(&param.name)?.as_str()?.parse().ok()?;
        Some(NamedRange {
            name: param.name.clone(),
            range,
        })
    });
    found.collect()
}

/// The ranges of the other environments that may exist and are in this network. What their parameters mean is known by these steps
/// alone: an environment of other steps is left to the list of subnetworks.
fn of_environments(session: &Session, state_dir: &Path, network_key: &str) -> Vec<NamedRange> {
    let mut found = Vec::new();
    for (known, state) in known_environments::found(state_dir) {
        let is_other = known.project != session.project || known.name != session.environment;
        let Some(state) = state.filter(|state| is_other && state.stands()) else {
            continue;
        };
        let same_cloud = state
            .last_run
            .as_ref()
            .is_some_and(|last| last.cloud == session.cloud);
        let values = given::remembered(&state).into_iter();
        let values = values.map(|(name, given)| (name, given.value)).collect();
        let Ok(params) = session.tutorial.resolve(&values) else {
            continue;
        };
        let selected = session.tutorial.select(&params, None).map(kinds::bind);
        let Ok(Ok(selected)) = selected else {
            continue;
        };
        let is_here = network(&selected.steps).is_some_and(|other| other.key() == network_key);
        if !same_cloud || !is_here {
            continue;
        }
        let whose = match known.project == session.project {
            true => format!("of environment {}", known.name),
            false => format!("of environment {} of project {}", known.name, known.project),
        };
        let ranges = all_ranges(&session.tutorial, &params).into_iter();
        found.extend(ranges.map(|one| NamedRange {
            name: format!("{} {whose}", one.name),
            ..one
        }));
    }
    found
}

/// The ranges of the subnetworks in an existing network, but for those of this environment's own names.
async fn living(ready: &Prepared, network: &ResourceId) -> Result<Vec<NamedRange>, ApiError> {
    let project = network.at.get("project").and_then(Value::as_str);
    let path = format!(
        "projects/{}/aggregated/subnetworks",
        project.unwrap_or_default()
    );
    let call = Call::get(Api::Compute, path);
    let listed = ready.client.list_aggregated(&call, "subnetworks", &NoWatch);
    let link = network.kind().and_then(|kind| kind.path(&network.at).ok());
    let link = link.unwrap_or_default();
    Ok(subnetwork_ranges(&listed.await?, &link, &ready.steps))
}

/// The ranges of those subnetworks that are in the network and have none of the steps' names. GKE's subnetwork for a control plane
/// has the name of its cluster. Pure.
fn subnetwork_ranges(all: &[Value], network: &str, steps: &[Step]) -> Vec<NamedRange> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_own = |name: &str| {
        steps.iter().any(|step| {
            let own = ResourceId::new(step.kind, step.at.clone()).short();
            match step.kind.name() {
                "compute.subnetwork" => own == name,
                "container.cluster" => {
                    name.starts_with(&format!("gke-{own}-")) && name.ends_with("-pe-subnet")
                }
                _ => false,
            }
        })
    };
    let mut found = Vec::new();
    for one in all {
        let name = text(&one["name"]);
        if !same_name(&text(&one["network"]), network) || is_own(&name) {
            continue;
        }
        let secondary = one["secondaryIpRanges"].as_array().into_iter().flatten();
        for range in std::iter::once(one).chain(secondary) {
            if let Ok(parsed) = text(&range["ipCidrRange"]).parse() {
                let which = match range["rangeName"].as_str() {
                    Some(which) => format!("range {which} of subnetwork {name}"),
                    None => format!("subnetwork {name}"),
                };
                found.push(NamedRange {
                    name: which,
                    range: parsed,
                });
            }
        }
    }
    found
}

/// The first pair that shares an address. Pure.
pub fn overlap<'a>(
    ours: &'a [NamedRange],
    taken: &'a [NamedRange],
) -> Option<(&'a NamedRange, &'a NamedRange)> {
    ours.iter().find_map(|own| {
        let meets = |other: &&NamedRange| {
            own.range.contains(&other.range) || other.range.contains(&own.range)
        };
        Some((own, taken.iter().find(meets)?))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str, range: &str) -> NamedRange {
        NamedRange {
            name: name.to_owned(),
            range: range.parse().unwrap(),
        }
    }

    fn step(kind: &str, at: Value) -> Step {
        Step::sample(kind, &at, Value::Null)
    }

    #[test]
    fn ranges_that_share_an_address_overlap() {
        let taken = [named("a", "10.0.0.0/24"), named("b", "10.8.0.0/16")];
        for (own, expected) in [
            ("10.0.0.0/24", Some("a")),
            ("10.0.0.128/25", Some("a")),
            ("10.0.0.0/8", Some("a")),
            ("10.8.3.0/28", Some("b")),
            ("10.0.1.0/24", None),
        ] {
            let ours = [named("free", "192.168.0.0/24"), named("own", own)];
            let found = overlap(&ours, &taken);
            assert_eq!(found.map(|(_, other)| other.name.as_str()), expected);
            assert!(found.is_none_or(|(own, _)| own.name == "own"));
        }
    }

    #[test]
    fn a_subnetwork_of_another_network_or_of_our_name_is_not_counted() {
        let steps = [
            step(
                "compute.subnetwork",
                json!({"project": "p", "region": "r", "subnetwork": "ours"}),
            ),
            step(
                "container.cluster",
                json!({"project": "p", "location": "z", "cluster": "c"}),
            ),
        ];
        let subnetwork = |name: &str, network: &str| {
            json!({"name": name, "network": format!("https://x/projects/p/global/networks/{network}"),
                "ipCidrRange": "10.0.0.0/24", "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.1.0.0/16"}]})
        };
        let all = [
            subnetwork("theirs", "n"),
            subnetwork("ours", "n"),
            subnetwork("elsewhere", "m"),
            subnetwork("gke-c-0a1b2c3d-pe-subnet", "n"),
        ];
        let found = subnetwork_ranges(&all, "projects/p/global/networks/n", &steps);
        assert_eq!(
            found,
            [
                named("subnetwork theirs", "10.0.0.0/24"),
                named("range pods of subnetwork theirs", "10.1.0.0/16")
            ]
        );
    }
}
