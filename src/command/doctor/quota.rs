//! Whether the quotas of the region and of the project suffice for what the steps create. Resources that the journal records have
//! their share already.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::ending::running;
use super::inputs::Inputs;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, segment};
use crate::kinds::{ResourceId, Step};
use crate::ui::doctor::Finding;

/// The names of quotas, and what is needed of each.
type Needed = BTreeMap<String, f64>;

/// Reads the quotas.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let state = &inputs.session.state;
    let is_new = |step: &&Step| {
        let key = ResourceId::new(step.kind, step.at.clone()).key();
        step.lookup.is_none() && state.get(&key).is_none()
    };
    let steps: Vec<Step> = inputs.ready.steps.iter().filter(is_new).cloned().collect();
    let project = &inputs.session.project;
    let region = inputs.param("region").unwrap_or_default();
    let of_project = format!("projects/{}", segment(project));
    let of_region = format!("{of_project}/regions/{}", segment(&region));
    let mut findings = Vec::new();
    for (path, needed, what, permission, command) in [
        (
            of_region,
            regional(&steps),
            format!("region {region}"),
            "compute.regions.get",
            format!("gcloud compute regions describe {region} --project {project}"),
        ),
        (
            of_project,
            global(&steps, project),
            format!("project {project}"),
            "compute.projects.get",
            format!("gcloud compute project-info describe --project {project}"),
        ),
    ] {
        let read = inputs.send(Call::get(Api::Compute, path)).await;
        findings.push(verdict(project, &what, &needed, read, permission).gcloud(command));
    }
    findings.dedup_by(|one, other| one.says == other.says);
    findings
}

/// What the nodes and the addresses need in their region. Pure.
fn regional(steps: &[Step]) -> Needed {
    let mut needed = Needed::new();
    let mut add = |name: &str, amount: f64| *needed.entry(name.to_owned()).or_default() += amount;
    for (machine, nodes, disk) in running(steps).nodes {
        let nodes = exact(nodes);
        add(&family(&machine), nodes * cpus(&machine));
        // GKE's default disk is a balanced one, which counts as a solid-state disk.
        add("SSD_TOTAL_GB", nodes * exact(disk));
        add("INSTANCES", nodes);
    }
    add("STATIC_ADDRESSES", counted(steps, "compute.address", None));
    needed.retain(|_, amount| *amount > 0.0);
    needed
}

/// What the steps need in their project. Pure.
fn global(steps: &[Step], project: &str) -> Needed {
    let names = [
        ("NETWORKS", "compute.network"),
        ("SUBNETWORKS", "compute.subnetwork"),
        ("ROUTERS", "compute.router"),
        ("FIREWALLS", "compute.firewall"),
    ];
    let mut needed: Needed = names
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), counted(steps, kind, Some(project))))
        .collect();
    let nodes = running(steps).nodes.into_iter();
    let all = nodes.map(|(machine, nodes, _)| exact(nodes) * cpus(&machine));
    needed.insert("CPUS_ALL_REGIONS".to_owned(), all.sum());
    needed.retain(|_, amount| *amount > 0.0);
    needed
}

fn counted(steps: &[Step], kind: &str, project: Option<&str>) -> f64 {
    let is_it = |step: &&Step| {
        let own = step.at.get("project").and_then(Value::as_str);
        step.kind.name() == kind && project.is_none_or(|project| own == Some(project))
    };
    exact(u64::try_from(steps.iter().filter(is_it).count()).unwrap_or(u64::MAX))
}

/// A count as Google's quotas write it.
fn exact(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// The quota of a machine type: older and small types share one, the others have one for each family. Source: Google's
/// documentation of allocation quotas.
fn family(machine: &str) -> String {
    match machine.split('-').next().unwrap_or_default() {
        "e2" | "n1" | "f1" | "g1" | "" => "CPUS".to_owned(),
        family => format!("{}_CPUS", family.to_uppercase()),
    }
}

/// The virtual processors of a machine type, by its name. A shared-core type counts as one with two.
fn cpus(machine: &str) -> f64 {
    let mut parts = machine.split('-').skip(2);
    let number = parts.find_map(|part| part.parse().ok());
    exact(number.unwrap_or(2))
}

/// Pure.
fn verdict(
    project: &str,
    what: &str,
    needed: &Needed,
    read: Result<Value, ApiError>,
    permission: &str,
) -> Finding {
    let read = match read {
        Ok(read) => read,
        Err(error) => return unread("the quotas", &error, permission),
    };
    let quotas = read["quotas"].as_array().cloned().unwrap_or_default();
    let (mut enough, mut short) = (Vec::new(), Vec::new());
    for (name, amount) in needed {
        let Some(quota) = quotas.iter().find(|quota| quota["metric"] == **name) else {
            continue;
        };
        let number = |key: &str| quota[key].as_f64().unwrap_or_default();
        let (limit, usage) = (number("limit"), number("usage"));
        let text = format!("{name} {amount} of {} free", (limit - usage).max(0.0));
        match *amount <= limit - usage {
            true => enough.push(text),
            false => short.push(format!("{text} (limit {limit})")),
        }
    }
    match (short.is_empty(), enough.is_empty()) {
        (true, true) => Finding::pass(format!(
            "the steps create nothing more that has a quota in {what}"
        )),
        (true, false) => Finding::pass(format!("enough in {what}: {}", enough.join(", "))),
        _ => Finding::fail(
            format!("too little in {what}: {}", short.join(", ")),
            format!(
                "ask for more at https://console.cloud.google.com/iam-admin/quotas?project={project}, choose another region, or use fewer or smaller machines (--set nodes=N, --set machine_type=TYPE)"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{refused, step};
    use super::*;
    use crate::google::Class;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip};

    #[test]
    fn what_the_steps_need_follows_from_them() {
        let at = json!({"project": "p", "location": "us-central1-a"});
        let pool = |machine: &str, nodes: u64| {
            let want = json!({"initialNodeCount": nodes, "config": {"machineType": machine}});
            step("container.nodePool", at.clone(), want)
        };
        let steps = [
            pool("e2-standard-4", 3),
            pool("e2-standard-4", 1),
            pool("n2-standard-8", 1),
            step("compute.address", json!({"project": "p"}), json!({})),
            step("compute.firewall", json!({"project": "p"}), json!({})),
            step("compute.firewall", json!({"project": "host"}), json!({})),
        ];
        let needed = |pairs: &[(&str, f64)]| -> Needed {
            pairs
                .iter()
                .map(|(name, amount)| ((*name).to_owned(), *amount))
                .collect()
        };
        assert_eq!(
            regional(&steps),
            needed(&[
                ("CPUS", 16.0),
                ("N2_CPUS", 8.0),
                ("INSTANCES", 5.0),
                ("SSD_TOTAL_GB", 500.0),
                ("STATIC_ADDRESSES", 1.0),
            ])
        );
        assert_eq!(
            global(&steps, "p"),
            needed(&[("FIREWALLS", 1.0), ("CPUS_ALL_REGIONS", 24.0)])
        );
        for (machine, expected) in [("e2-medium", 2.0), ("n2-custom-6-8192", 6.0)] {
            assert_eq!(cpus(machine), expected, "{machine}");
        }
    }

    #[test]
    fn too_little_is_named() {
        let needed = Needed::from([("CPUS".to_owned(), 16.0), ("X".to_owned(), 1.0)]);
        let quotas =
            |usage: f64| Ok(json!({"quotas": [{"metric": "CPUS", "limit": 24.0, "usage": usage}]}));
        for (read, expected, words) in [
            (quotas(8.0), Pass, "CPUS 16 of 16 free"),
            (quotas(9.0), Fail, "CPUS 16 of 15 free (limit 24)"),
            (quotas(30.0), Fail, "CPUS 16 of 0 free"),
            (Ok(json!({})), Pass, "nothing more"),
            (
                Err(refused(Class::PermissionDenied)),
                Skip,
                "compute.regions.get",
            ),
        ] {
            let finding = verdict("p", "region r", &needed, read, "compute.regions.get");
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
    }
}
