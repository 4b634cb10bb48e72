//! GKE's operations: how they begin, print and are polled, and that a cluster has one at a time.

use serde_json::{Value, json};

use super::location::Location;
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::lro;
use crate::names;
use crate::operation::{Dialect, Effect, Operation, Start};
use crate::request::Request;
use crate::world::World;

/// Begins `verb` on `target` (`clusters/c/nodePools/n`) and answers with it.
pub fn begin(
    world: &mut World,
    request: &Request,
    place: &Location,
    verb: &str,
    target: &str,
    effects: Vec<Effect>,
) -> Response {
    let serial = world.count("container.operation").to_string();
    let name = format!(
        "operation-{}-{}",
        world.now(),
        lro::uuid(&format!("gke {serial}"))
    );
    let operation = world.begin(Start {
        key: place.key(&format!("operations/{name}")),
        dialect: Dialect::Container,
        verb: verb.to_owned(),
        target: place.key(target),
        duration: world.duration(&request.method_id),
        effects,
        failure: None,
        extra: Value::Null,
    });
    let mut printed = print(place, &operation);
    // What is done to a pool queues first; what is done to the cluster runs at once.
    if is_pool(&operation.target) {
        printed["status"] = json!("PENDING");
    }
    printed.into()
}

fn is_pool(target: &str) -> bool {
    target.contains("/nodePools/")
}

/// Refuses a change to a cluster to which another one is being made.
///
/// # Errors
/// 400; the client is to wait for the operation that the message names.
pub fn idle(world: &World, place: &Location, cluster: &str) -> Result<(), ErrorResponse> {
    let key = place.key(&format!("clusters/{cluster}"));
    let of_cluster = |operation: &&Operation| {
        operation.target == key || operation.target.starts_with(&format!("{key}/"))
    };
    let here = world.operations(&place.key("operations/"));
    let Some(busy) = here
        .into_iter()
        .filter(|one| !one.is_done())
        .find(of_cluster)
    else {
        return Ok(());
    };
    let message = format!("Cluster is running incompatible operation {}.", busy.name());
    Err(
        ErrorResponse::failed_precondition(message).with_detail(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "CLUSTER_ALREADY_HAS_OPERATION",
            "domain": "container.googleapis.com",
        })),
    )
}

/// GET.
pub fn get(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let name = names::leaf(request.param("name"));
    let operation = world.poll(&place.key(&format!("operations/{name}")));
    operation
        .map(|found| print(place, &found).into())
        .ok_or_else(|| {
            ErrorResponse::not_found(format!(
                "Not found: {}.",
                place.legacy_path(&format!("operations/{name}"))
            ))
        })
}

/// The operations of a location, or of all.
pub fn list(world: &World, place: &Location) -> Result<Response, ErrorResponse> {
    let prefix = names::key(
        "container",
        &format!("projects/{}/locations/", place.project.id),
    );
    let mut found = Vec::new();
    for operation in world.operations(&prefix) {
        let location = names::segment(&operation.key, "locations").unwrap_or_default();
        if place.location == "-" || place.location == location {
            let own = Location {
                location: location.to_owned(),
                ..place.clone()
            };
            found.push((names::hash(&operation.key), print(&own, operation)));
        }
    }
    found.sort_by_key(|(hash, _)| *hash);
    let printed: Vec<Value> = found.into_iter().map(|(_, printed)| printed).collect();
    Ok(if printed.is_empty() {
        json!({})
    } else {
        json!({"operations": printed})
    }
    .into())
}

fn print(place: &Location, operation: &Operation) -> Value {
    let below = |key: &str| {
        let location = format!("/locations/{}/", place.location);
        key.split_once(&location)
            .map_or(String::new(), |(_, rest)| rest.to_owned())
    };
    let mut printed = json!({
        "name": operation.name(),
        "zone": place.location,
        "operationType": operation.verb,
        "status": if operation.is_done() { "DONE" } else { "RUNNING" },
        "selfLink": place.numbered_link(&below(&operation.key)),
        "targetLink": place.numbered_link(&below(&operation.target)),
        "startTime": clock::utc(operation.began),
    });
    if let Some(ended) = operation.ended {
        printed["endTime"] = json!(clock::utc(ended));
        if let Some(progress) = progress(&operation.verb, &operation.target) {
            printed["progress"] = progress;
        }
    }
    printed
}

/// What an operation that is over says of its progress: recorded, and not always complete.
fn progress(verb: &str, target: &str) -> Option<Value> {
    let rows: &[(&str, &str)] = match verb {
        "CREATE_CLUSTER" => &[
            ("CLUSTER_CONFIGURING", "9"),
            ("CLUSTER_CONFIGURING_TOTAL", "9"),
            ("CLUSTER_DEPLOYING", "12"),
            ("CLUSTER_DEPLOYING_TOTAL", "12"),
            ("CLUSTER_HEALTHCHECKING", "1"),
            ("CLUSTER_HEALTHCHECKING_TOTAL", "2"),
        ],
        "UPGRADE_NODES" | "UPDATE_CLUSTER" if is_pool(target) => &[("NODES_TOTAL", "0")],
        _ => return None,
    };
    let metrics: Vec<Value> = rows
        .iter()
        .map(|(name, value)| json!({"name": name, "intValue": value}))
        .collect();
    Some(json!({ "metrics": metrics }))
}
