//! Whether the quotas of the region and of the project suffice for what the steps create. Resources that the journal records have
//! their share already.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;

use super::super::ending::running;
use super::inputs::Inputs;
use super::machines;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, segment};
use crate::kinds::{ResourceId, Step};
use crate::ui::doctor::Finding;

/// The type of the disks of nodes for which no step states one: GKE's default. Source: GKE's documentation of boot disks.
const DISK_TYPE: &str = "pd-balanced";

/// The names of quotas, and what is needed of each.
type Needed = BTreeMap<String, f64>;

/// What the steps need, as far as it is known.
#[derive(Debug, Default, PartialEq)]
struct Need {
    /// Of the region.
    regional: Needed,
    /// Of the project.
    global: Needed,
    /// What is needed and not known, in words.
    unknown: Vec<String>,
}

/// Reads the quotas of each project in which a step creates something.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let state = &inputs.session.state;
    let is_new = |step: &Step| {
        let key = ResourceId::new(step.kind, step.at.clone()).key();
        step.lookup.is_none() && state.get(&key).is_none()
    };
    let region = inputs.param("region").unwrap_or_default();
    let own = &inputs.session.project;
    let all = inputs.projects().into_iter().map(|project| {
        let mut steps = inputs.of_project(&project);
        steps.retain(is_new);
        (project, steps)
    });
    let is_asked = |(project, steps): &(String, Vec<Step>)| {
        project == own || needed(steps, &BTreeMap::new()) != Need::default()
    };
    let all: Vec<(String, Vec<Step>)> = all.filter(is_asked).collect();
    let asked = all
        .iter()
        .map(|(project, steps)| of_one(inputs, project, &region, steps));
    let mut findings = join_all(asked).await.concat();
    findings.dedup_by(|one, other| one.says == other.says);
    findings
}

/// Reads the quotas of a project and of its region.
async fn of_one(inputs: &Inputs<'_>, project: &str, region: &str, steps: &[Step]) -> Vec<Finding> {
    let of_project = format!("projects/{}", segment(project));
    let of_region = format!("{of_project}/regions/{}", segment(region));
    let (processors, of_region, of_project) = tokio::join!(
        machines::processors(inputs, project, steps),
        inputs.send(Call::get(Api::Compute, of_region)),
        inputs.send(Call::get(Api::Compute, of_project)),
    );
    let need = needed(steps, &processors);
    let gcloud = format!("--project {project}");
    let mut findings = vec![
        verdict(
            project,
            &format!("region {region}"),
            &need.regional,
            of_region,
            "compute.regions.get",
        )
        .gcloud(format!("gcloud compute regions describe {region} {gcloud}")),
        verdict(
            project,
            &format!("project {project}"),
            &need.global,
            of_project,
            "compute.projects.get",
        )
        .gcloud(format!("gcloud compute project-info describe {gcloud}")),
    ];
    if !need.unknown.is_empty() {
        findings.push(Finding::skip(need.unknown.join("; "), None));
    }
    findings
}

/// What the steps of one project need, with the virtual processors of machine types as far as they were read. Pure.
fn needed(steps: &[Step], processors: &BTreeMap<String, u64>) -> Need {
    let mut need = Need::default();
    let mut unknown = BTreeSet::new();
    let add = |needed: &mut Needed, name: &str, amount: f64| {
        if amount > 0.0 {
            *needed.entry(name.to_owned()).or_default() += amount;
        }
    };
    let pools = steps
        .iter()
        .filter(|step| step.kind.name() == "container.nodePool");
    for pool in pools {
        let disk_type = pool
            .want
            .pointer("/config/diskType")
            .and_then(Value::as_str);
        for (machine, nodes, disk) in running(std::slice::from_ref(pool)).nodes {
            let nodes = exact(nodes);
            let known = processors.get(&machine).copied();
            match known.or_else(|| machines::by_name(&machine)) {
                Some(cpus) => {
                    let cpus = nodes * exact(cpus);
                    add(&mut need.regional, &family(&machine), cpus);
                    add(&mut need.global, "CPUS_ALL_REGIONS", cpus);
                }
                None => {
                    unknown.insert(format!(
                        "how many processors a {machine} has is not known here, so that their quota was not compared"
                    ));
                }
            }
            match of_disks(disk_type.unwrap_or(DISK_TYPE)) {
                Some(metric) => add(&mut need.regional, metric, nodes * exact(disk)),
                None => {
                    unknown.insert(format!(
                        "which quota disks of type {} count against is not known here, so that it was not compared",
                        disk_type.unwrap_or_default()
                    ));
                }
            }
            add(&mut need.regional, "INSTANCES", nodes);
        }
    }
    add(
        &mut need.regional,
        "STATIC_ADDRESSES",
        counted(steps, "compute.address"),
    );
    for (name, kind) in [
        ("NETWORKS", "compute.network"),
        ("SUBNETWORKS", "compute.subnetwork"),
        ("ROUTERS", "compute.router"),
        ("FIREWALLS", "compute.firewall"),
    ] {
        add(&mut need.global, name, counted(steps, kind));
    }
    need.unknown = unknown.into_iter().collect();
    need
}

fn counted(steps: &[Step], kind: &str) -> f64 {
    let count = steps.iter().filter(|step| step.kind.name() == kind).count();
    exact(u64::try_from(count).unwrap_or(u64::MAX))
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

/// The quota that a type of disks counts against. Source: Google's documentation of allocation quotas. Pure.
fn of_disks(disk_type: &str) -> Option<&'static str> {
    match disk_type {
        "pd-standard" => Some("DISKS_TOTAL_GB"),
        "pd-ssd" | "pd-balanced" => Some("SSD_TOTAL_GB"),
        _ => None,
    }
}

/// What helps if a quota is too small, beside asking for more. Pure.
fn instead(metric: &str) -> Option<&'static str> {
    match metric {
        "NETWORKS" => Some("use an existing network (--set network=NAME)"),
        "SUBNETWORKS" => Some("use an existing subnet (--set subnet=NAME)"),
        "ROUTERS" => Some("use an existing router (--set nat_router=NAME)"),
        "STATIC_ADDRESSES" => Some("choose another region (--region)"),
        "SSD_TOTAL_GB" | "DISKS_TOTAL_GB" => {
            Some("choose another region (--region), or use fewer machines (--set nodes=N)")
        }
        "CPUS_ALL_REGIONS" => {
            Some("use fewer or smaller machines (--set nodes=N, --set machine_type=TYPE)")
        }
        _ if metric == "INSTANCES" || metric.ends_with("CPUS") => Some(
            "choose another region (--region), or use fewer or smaller machines (--set nodes=N, --set machine_type=TYPE)",
        ),
        _ => None,
    }
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
    let Some(quotas) = read["quotas"].as_array() else {
        return Finding::skip(format!("the answer about {what} names no quotas"), None);
    };
    let (mut enough, mut short) = (Vec::new(), Vec::new());
    let (mut unlisted, mut others) = (Vec::new(), BTreeSet::new());
    for (name, amount) in needed {
        let Some(quota) = quotas.iter().find(|quota| quota["metric"] == **name) else {
            unlisted.push(name.as_str());
            continue;
        };
        let number = |key: &str| quota[key].as_f64().unwrap_or_default();
        let (limit, usage) = (number("limit"), number("usage"));
        let text = format!("{name} {amount} of {} free", (limit - usage).max(0.0));
        match *amount <= limit - usage {
            true => enough.push(text),
            false => {
                short.push(format!("{text} (limit {limit})"));
                others.extend(instead(name));
            }
        }
    }
    let unlisted = match unlisted.is_empty() {
        true => String::new(),
        false => format!(
            "; not listed there, and not compared: {}",
            unlisted.join(", ")
        ),
    };
    if !short.is_empty() {
        let ask = format!(
            "ask for more at https://console.cloud.google.com/iam-admin/quotas?project={project}"
        );
        let advice: Vec<&str> = std::iter::once(ask.as_str()).chain(others).collect();
        return Finding::fail(
            format!("too little in {what}: {}{unlisted}", short.join(", ")),
            advice.join(", or "),
        );
    }
    match (enough.is_empty(), unlisted.is_empty()) {
        (false, _) => Finding::pass(format!("enough in {what}: {}{unlisted}", enough.join(", "))),
        (true, true) => Finding::pass(format!(
            "the steps create nothing more that has a quota in {what}"
        )),
        (true, false) => Finding::skip(format!("nothing was compared in {what}{unlisted}"), None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::refused;
    use super::*;
    use crate::google::Class;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip};

    #[test]
    fn what_the_steps_need_follows_from_them() {
        let at = json!({"project": "p", "location": "us-central1-a"});
        let pool = |machine: &str, nodes: u64| {
            let want = json!({"initialNodeCount": nodes, "config": {"machineType": machine}});
            Step::sample("container.nodePool", &at.clone(), want)
        };
        let steps = [
            pool("e2-standard-4", 3),
            pool("e2-standard-4", 1),
            pool("n2-standard-8", 1),
            Step::sample("compute.address", &json!({"project": "p"}), json!({})),
            Step::sample("compute.firewall", &json!({"project": "p"}), json!({})),
        ];
        let needed = |pairs: &[(&str, f64)]| -> Needed {
            pairs
                .iter()
                .map(|(name, amount)| ((*name).to_owned(), *amount))
                .collect()
        };
        let processors = BTreeMap::new();
        assert_eq!(
            super::needed(&steps, &processors).regional,
            needed(&[
                ("CPUS", 16.0),
                ("N2_CPUS", 8.0),
                ("INSTANCES", 5.0),
                ("SSD_TOTAL_GB", 500.0),
                ("STATIC_ADDRESSES", 1.0),
            ])
        );
        assert_eq!(
            super::needed(&steps, &processors).global,
            needed(&[("FIREWALLS", 1.0), ("CPUS_ALL_REGIONS", 24.0)])
        );
        // What Google says of a machine type comes before what its name says.
        let read = BTreeMap::from([("a2-highgpu-1g".to_owned(), 12)]);
        let found = super::needed(&[pool("a2-highgpu-1g", 2)], &read);
        assert_eq!(found.regional["A2_CPUS"], 24.0);
        let found = super::needed(&[pool("a2-highgpu-1g", 2)], &processors);
        assert!(found.unknown[0].contains("a2-highgpu-1g"), "{found:?}");
        assert!(!found.regional.contains_key("A2_CPUS"));
    }

    #[test]
    fn the_type_of_the_disks_decides_about_their_quota() {
        let pool = |disk_type: &str| {
            let want = json!({"initialNodeCount": 1, "config": {"machineType": "e2-medium", "diskType": disk_type}});
            Step::sample(
                "container.nodePool",
                &json!({"project": "p", "location": "us-central1-a"}),
                want,
            )
        };
        for (disk_type, metric) in [
            ("pd-standard", "DISKS_TOTAL_GB"),
            ("pd-ssd", "SSD_TOTAL_GB"),
            ("pd-balanced", "SSD_TOTAL_GB"),
        ] {
            let found = needed(&[pool(disk_type)], &BTreeMap::new());
            assert_eq!(found.regional.get(metric), Some(&100.0), "{disk_type}");
        }
        let found = needed(&[pool("hyperdisk-balanced")], &BTreeMap::new());
        assert!(found.unknown[0].contains("hyperdisk-balanced"), "{found:?}");
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
            (Ok(json!({})), Skip, "names no quotas"),
            (quotas(8.0), Pass, "not compared: X"),
            (Ok(json!({"quotas": []})), Skip, "not compared: CPUS, X"),
            (
                Err(refused(Class::PermissionDenied)),
                Skip,
                "could not be read: it is refused",
            ),
        ] {
            let finding = verdict("p", "region r", &needed, read, "compute.regions.get");
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
        let none = verdict("p", "region r", &Needed::new(), quotas(0.0), "");
        assert_eq!(none.verdict, Pass);
    }

    #[test]
    fn what_helps_follows_from_the_quota() {
        let advice = |metric: &str| {
            let needed = Needed::from([(metric.to_owned(), 1.0)]);
            let full = json!({"quotas": [{"metric": metric, "limit": 1.0, "usage": 1.0}]});
            let finding = verdict("p", "project p", &needed, Ok(full), "");
            assert_eq!(finding.verdict, Fail);
            finding.advice.unwrap_or_default()
        };
        assert!(advice("NETWORKS").contains("--set network=NAME"));
        assert!(!advice("NETWORKS").contains("machines"));
        assert!(advice("N2_CPUS").contains("--set machine_type=TYPE"));
        assert!(!advice("FIREWALLS").contains("--set"));
    }
}
