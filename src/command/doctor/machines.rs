//! Whether the zones of the nodes exist and have their machine types, and how many processors a machine type has.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;

use super::inputs::Inputs;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::kinds::Step;
use crate::steps::is_region;
use crate::ui::doctor::Finding;

/// A zone, and a machine type that its nodes have.
type Wanted = (String, String);

/// Reads each zone and each machine type.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let zone = inputs.param("zone").unwrap_or_default();
    let wanted = wanted(&inputs.ready.steps, &zone);
    if wanted.is_empty() {
        return vec![Finding::pass("no step makes machines")];
    }
    let project = &inputs.session.project;
    let zones: BTreeSet<&String> = wanted.iter().map(|(zone, _)| zone).collect();
    let zones = zones.into_iter().map(|zone| async move {
        let path = format!("projects/{}/zones/{}", segment(project), segment(zone));
        let read = inputs.send(Call::get(Api::Compute, path)).await;
        let command = format!("gcloud compute zones describe {zone} --project {project}");
        of_zone(zone, read).gcloud(command)
    });
    let machines = wanted.iter().map(|(zone, machine)| async move {
        let read = machine_type(inputs, project, zone, machine).await;
        let command = format!(
            "gcloud compute machine-types describe {machine} --zone {zone} --project {project}"
        );
        of_machine(zone, machine, read).gcloud(command)
    });
    let (zones, machines) = tokio::join!(join_all(zones), join_all(machines));
    let mut findings = [zones, machines].concat();
    // An API that is off is said once.
    findings.dedup_by(|one, other| one.says == other.says);
    findings
}

async fn machine_type(
    inputs: &Inputs<'_>,
    project: &str,
    zone: &str,
    machine: &str,
) -> Result<Value, ApiError> {
    let path = format!(
        "projects/{}/zones/{}/machineTypes/{}",
        segment(project),
        segment(zone),
        segment(machine)
    );
    inputs.send(Call::get(Api::Compute, path)).await
}

/// The virtual processors of the steps' machine types, as far as they can be read.
pub async fn processors(
    inputs: &Inputs<'_>,
    project: &str,
    steps: &[Step],
) -> BTreeMap<String, u64> {
    let zone = inputs.param("zone").unwrap_or_default();
    let reads = wanted(steps, &zone)
        .into_iter()
        .map(|(zone, machine)| async move {
            let read = machine_type(inputs, project, &zone, &machine).await.ok()?;
            Some((machine, read["guestCpus"].as_u64()?))
        });
    join_all(reads).await.into_iter().flatten().collect()
}

/// The virtual processors of a machine type, as far as its name says it: `e2-standard-4` has four. The number of a type with
/// accelerators (`a2-highgpu-1g`) is that of the accelerators. Source: Google's documentation of machine families. Pure.
pub fn by_name(machine: &str) -> Option<u64> {
    match machine {
        "f1-micro" | "g1-small" => return Some(1),
        "e2-micro" | "e2-small" | "e2-medium" | "" => return Some(2),
        _ => {}
    }
    let mut parts = machine.split('-').skip(2);
    parts.find_map(|part| part.parse().ok())
}

/// The machine types of the node pools, each with its zones. The nodes of a region are in the zones that
/// the pool names, or in several, of which the zone of the parameters is read. Pure.
fn wanted(steps: &[Step], zone: &str) -> BTreeSet<Wanted> {
    let pools = steps
        .iter()
        .filter(|step| step.kind.name() == "container.nodePool" && step.lookup.is_none());
    let found = pools.flat_map(|pool| {
        let machine = pool.want.pointer("/config/machineType");
        let machine = machine.and_then(Value::as_str);
        let location = pool.at.get("location").and_then(Value::as_str);
        let location = location.unwrap_or_default();
        let named = pool.want.get("locations").and_then(Value::as_array);
        let named = named.into_iter().flatten().filter_map(Value::as_str);
        let mut places: Vec<&str> = named.collect();
        if places.is_empty() {
            places.push(if is_region(location) { zone } else { location });
        }
        let places = places.into_iter().map(str::to_owned);
        let pairs = machine.map(|machine| places.map(move |place| (place, machine.to_owned())));
        pairs.into_iter().flatten().collect::<Vec<Wanted>>()
    });
    found.collect()
}

/// Pure.
fn of_zone(zone: &str, read: Result<Value, ApiError>) -> Finding {
    match read {
        Ok(read) if read["status"] == "DOWN" => Finding::fail(
            format!("zone {zone} is down"),
            "choose another one with --zone",
        ),
        Ok(_) => Finding::pass(format!("zone {zone} exists")),
        Err(error) if error.class == Class::NotFound => Finding::fail(
            format!("there is no zone {zone}"),
            "choose one with --zone; `gcloud compute zones list` lists them",
        ),
        Err(error) => unread("the zone", &error, "compute.zones.get"),
    }
}

/// Pure.
fn of_machine(zone: &str, machine: &str, read: Result<Value, ApiError>) -> Finding {
    match read {
        Ok(_) => Finding::pass(format!("{zone} has machines of type {machine}")),
        Err(error) if error.class == Class::NotFound => Finding::fail(
            format!("there is no machine type {machine} in {zone}"),
            format!(
                "choose one with --set machine_type=TYPE, or another zone with --zone; `gcloud compute machine-types list --zones {zone}` lists them"
            ),
        ),
        Err(error) => unread("the zone", &error, "compute.machineTypes.get"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::refused;
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip};

    #[test]
    fn the_zone_and_the_machine_type_must_exist() {
        let up = || Ok(json!({"status": "UP"}));
        let down = Ok(json!({"status": "DOWN"}));
        let gone = || Err(refused(Class::NotFound));
        let off = || Err(refused(Class::ApiDisabled));
        for (finding, expected) in [
            (of_zone("z", up()), Pass),
            (of_zone("z", down), Fail),
            (of_zone("z", gone()), Fail),
            (of_zone("z", off()), Skip),
            (of_machine("z", "m", up()), Pass),
            (of_machine("z", "m", gone()), Fail),
            (of_machine("z", "m", off()), Skip),
        ] {
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }

    #[test]
    fn the_machines_are_those_of_the_node_pools() {
        let pool = |location: &str| {
            Step::sample(
                "container.nodePool",
                &json!({"project": "p", "location": location}),
                json!({"config": {"machineType": "e2-standard-4"}}),
            )
        };
        let want = |zone: &str| BTreeSet::from([(zone.to_owned(), "e2-standard-4".to_owned())]);
        assert_eq!(wanted(&[pool("us-central1-b")], "z"), want("us-central1-b"));
        assert_eq!(wanted(&[pool("us-central1")], "z"), want("z"));
        assert!(wanted(&[], "z").is_empty());
        // The zones that a pool names are those of its nodes.
        let mut regional = pool("us-central1");
        regional.want["locations"] = json!(["us-central1-c"]);
        assert_eq!(wanted(&[regional], "z"), want("us-central1-c"));
    }

    #[test]
    fn a_name_says_how_many_processors_unless_it_counts_accelerators() {
        for (machine, expected) in [
            ("e2-standard-4", Some(4)),
            ("n2-custom-6-8192", Some(6)),
            ("f1-micro", Some(1)),
            ("e2-micro", Some(2)),
            ("e2-medium", Some(2)),
            ("a2-highgpu-1g", None),
        ] {
            assert_eq!(by_name(machine), expected, "{machine}");
        }
    }
}
