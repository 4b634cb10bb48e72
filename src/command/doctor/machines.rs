//! Whether the zone of the nodes exists, is in the region, and has their machine types.

use std::collections::BTreeSet;

use serde_json::Value;

use super::inputs::Inputs;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::kinds::Step;
use crate::steps::is_region;
use crate::ui::doctor::Finding;

/// A zone, and a machine type that its nodes have.
type Wanted = (String, String);

/// Reads the zone and each machine type.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let zone = inputs.param("zone").unwrap_or_default();
    let region = inputs.param("region").unwrap_or_default();
    let wanted = wanted(&inputs.ready.steps, &zone);
    if wanted.is_empty() {
        return vec![Finding::pass("no step makes machines")];
    }
    if let Some(finding) = apart(&zone, &region) {
        return vec![finding];
    }
    let project = segment(&inputs.session.project);
    let path = format!("projects/{project}/zones/{}", segment(&zone));
    let read = inputs.send(Call::get(Api::Compute, path)).await;
    let command = format!(
        "gcloud compute zones describe {zone} --project {}",
        inputs.session.project
    );
    let mut findings = vec![of_zone(&zone, read).gcloud(command)];
    for (zone, machine) in wanted {
        let path = format!(
            "projects/{project}/zones/{}/machineTypes/{}",
            segment(&zone),
            segment(&machine)
        );
        let read = inputs.send(Call::get(Api::Compute, path)).await;
        let command = format!(
            "gcloud compute machine-types describe {machine} --zone {zone} --project {}",
            inputs.session.project
        );
        findings.push(of_machine(&zone, &machine, read).gcloud(command));
    }
    // An API that is off is said once.
    findings.dedup_by(|one, other| one.says == other.says);
    findings
}

/// The machine types of the node pools, each with its zone. The nodes of a region are in several zones, of which one is read. Pure.
fn wanted(steps: &[Step], zone: &str) -> BTreeSet<Wanted> {
    let pools = steps
        .iter()
        .filter(|step| step.kind.name() == "container.nodePool" && step.lookup.is_none());
    let found = pools.filter_map(|pool| {
        let machine = pool.want.pointer("/config/machineType")?.as_str()?;
        let location = pool.at.get("location")?.as_str()?;
        let place = if is_region(location) { zone } else { location };
        Some((place.to_owned(), machine.to_owned()))
    });
    found.collect()
}

/// A zone that is not in the region. Pure.
fn apart(zone: &str, region: &str) -> Option<Finding> {
    let of_zone = zone.rsplit_once('-').map_or(zone, |(region, _)| region);
    (of_zone != region).then(|| {
        Finding::fail(
            format!("zone {zone} is not in region {region}"),
            "set both with --zone and --region",
        )
    })
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

    use super::super::testing::{refused, step};
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
        assert!(apart("us-central1-a", "us-central1").is_none());
        let apart = apart("us-east1-b", "us-central1").unwrap();
        assert_eq!(apart.verdict, Fail);
    }

    #[test]
    fn the_machines_are_those_of_the_node_pools() {
        let pool = |location: &str| {
            step(
                "container.nodePool",
                json!({"project": "p", "location": location}),
                json!({"config": {"machineType": "e2-standard-4"}}),
            )
        };
        let want = |zone: &str| BTreeSet::from([(zone.to_owned(), "e2-standard-4".to_owned())]);
        assert_eq!(wanted(&[pool("us-central1-b")], "z"), want("us-central1-b"));
        assert_eq!(wanted(&[pool("us-central1")], "z"), want("z"));
        assert!(wanted(&[], "z").is_empty());
    }
}
