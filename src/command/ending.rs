//! What is said after a run that changes something: the next commands, what the environment costs, and what goes on after an
//! interrupt. All of it goes to stderr, for people; the counts before it are the run's output.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;

use super::outline::is_emulated;
use super::output::note;
use super::own_cluster::quoted;
use super::session::Session;
use crate::engine::state::{State, TrackedResource};
use crate::error::Exit;
use crate::google::process_env;
use crate::kinds::Step;
use crate::steps::is_region;
use crate::ui::closing::{self, OpenRequest};
use crate::ui::prices::Running;
use crate::ui::words;

/// The disk of a node for which no step states a size, in GB: GKE's default.
const DISK: u64 = 100;
/// The zones in which a regional cluster has its nodes, where no step states them: GKE's default.
const ZONES: u64 = 3;

/// A command for the same environment: `provision verify --emulate`.
pub fn command(session: &Session, verb: &str) -> String {
    let global = &session.global;
    let mut words = vec!["provision".to_owned(), verb.to_owned()];
    words.extend(global.emulate.then(|| "--emulate".to_owned()));
    words.extend(global.project.iter().map(|id| format!("--project {id}")));
    words.extend(global.env.iter().map(|name| format!("--env {name}")));
    // The folder of steps is remembered, and a variable stays set.
    let by_variable = process_env("PROVISION_STATE_DIR").map(PathBuf::from);
    let folder = global.state_dir.iter();
    let by_flag = folder.filter(|folder| by_variable.as_ref() != Some(*folder));
    words.extend(
        by_flag.map(|folder| format!("--state-dir {}", quoted(&folder.display().to_string()))),
    );
    words.join(" ")
}

/// What to do after an `up` that did all it should, and what its result costs.
pub fn after_up(session: &Session, steps: &[Step], exit: Exit) {
    if exit != Exit::Done || session.json() {
        return;
    }
    let mut next = Vec::new();
    let has_cluster = steps
        .iter()
        .any(|step| step.kind.name() == "container.cluster");
    // The cluster of an emulator of this process ends with it.
    if has_cluster && !session.global.emulate {
        next.push(command(session, "kubeconfig --write ~/.kube/config"));
    }
    next.push(command(
        session,
        if has_cluster { "verify" } else { "status" },
    ));
    note(&format!("Next: {}", next.join(", ")));
    if is_emulated(session) {
        return;
    }
    let region = session
        .given()
        .get("region")
        .and_then(|given| given.value.as_str())
        .map(str::to_owned);
    let down = command(session, "down");
    let costs = closing::costs(&region.unwrap_or_default(), &running(steps), &down);
    if let Some(text) = costs {
        note(&text);
    }
}

/// What goes on after a run was interrupted.
pub fn after_interrupt(session: &Session, state: &State) {
    let open: Vec<OpenRequest> = state.resources.iter().filter_map(open_request).collect();
    let down = command(session, "down");
    if let Some(text) = closing::goes_on(&open, session.global.emulate, &down) {
        note(&text);
    }
}

fn open_request(tracked: &TrackedResource) -> Option<OpenRequest> {
    let open = tracked.open.as_ref()?;
    let since: Option<Timestamp> = open.since.parse().ok();
    let age = since.map(|since| Timestamp::now().duration_since(since).unsigned_abs());
    Some(OpenRequest {
        doing: words::doing(open.verb.word()),
        name: words::name(&tracked.resource.kind, &tracked.resource.short()).to_owned(),
        age,
    })
}

/// What these steps let run by the hour. Pure.
pub fn running(steps: &[Step]) -> Running {
    let of_kind = |kind: &'static str| steps.iter().filter(move |step| step.kind.name() == kind);
    let nodes = of_kind("container.nodePool").map(|pool| {
        let number = |path: &str| pool.want.pointer(path).and_then(Value::as_u64);
        let machine = pool
            .want
            .pointer("/config/machineType")
            .and_then(Value::as_str);
        let nodes = number("/initialNodeCount").unwrap_or(1) * zones(pool);
        let disk = number("/config/diskSizeGb").unwrap_or(DISK);
        (machine.unwrap_or_default().to_owned(), nodes, disk)
    });
    let gateways = of_kind("compute.router").flat_map(|router| {
        let gateways = router.want.get("nats").and_then(Value::as_array);
        gateways.into_iter().flatten()
    });
    // One address is enough for so few nodes, if Google chooses.
    let addresses = gateways.clone().map(|gateway| {
        let named = gateway
            .get("natIps")
            .and_then(Value::as_array)
            .map_or(1, Vec::len);
        count(named)
    });
    Running {
        clusters: count(of_kind("container.cluster").count()),
        nodes: nodes.collect(),
        addresses: addresses.sum(),
        gateways: count(gateways.count()),
    }
}

/// The number of zones in which a pool has its nodes.
fn zones(pool: &Step) -> u64 {
    let stated = pool.want.get("locations").and_then(Value::as_array);
    let location = pool
        .at
        .get("location")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (stated, is_region(location)) {
        (Some(zones), _) => count(zones.len()),
        (None, true) => ZONES,
        (None, false) => 1,
    }
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    fn step(kind: &str, location: &str, want: Value) -> Step {
        Step::sample(kind, &json!({"location": location}), want)
    }

    #[test]
    fn what_is_paid_for_follows_from_the_steps() {
        let pool = |location: &str, nodes: u64| {
            let want =
                json!({"initialNodeCount": nodes, "config": {"machineType": "e2-standard-4"}});
            step("container.nodePool", location, want)
        };
        let nats = |nats: Value| step("compute.router", "us-central1", json!({ "nats": nats }));
        let small = step(
            "container.nodePool",
            "us-central1-a",
            json!({"config": {"machineType": "e2-highmem-2", "diskSizeGb": 30}, "locations": ["a", "b"]}),
        );
        let cluster = step("container.cluster", "us-central1-a", json!({}));
        let standard = |nodes| ("e2-standard-4".to_owned(), nodes, DISK);
        for (steps, expected) in [
            (vec![], Running::default()),
            (
                vec![cluster, pool("us-central1-a", 3), pool("us-central1", 1)],
                Running {
                    clusters: 1,
                    nodes: vec![standard(3), standard(3)],
                    ..Running::default()
                },
            ),
            (
                vec![
                    small,
                    nats(json!([{"name": "n"}])),
                    nats(json!([{"natIps": ["a", "b"]}])),
                ],
                Running {
                    nodes: vec![("e2-highmem-2".to_owned(), 2, 30)],
                    gateways: 2,
                    addresses: 3,
                    ..Running::default()
                },
            ),
        ] {
            assert_eq!(running(&steps), expected);
        }
    }
}
