//! APIs of a project: looked up and switched on in one batch each. Never switched off: other things may rely on them.

use serde_json::{Map, Value, json};

use super::{Clients, MutationResult, path_template};
use crate::google::{Api, ApiError, Call, Dialect, Operation};

/// The name that steps use.
pub const KIND: &str = "services";
/// The project.
pub const PATH: &str = "v1/projects/{project}";

/// The APIs of a step's `want`.
pub fn parts(want: &Value) -> Vec<String> {
    let names = want
        .get("services")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Those that are on, of what `batchGet` answered; it names them by project number.
pub fn enabled(live: &Value) -> Vec<String> {
    let services = live
        .get("services")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let on =
        services.filter(|service| service.get("state").and_then(Value::as_str) == Some("ENABLED"));
    on.filter_map(|service| {
        service
            .get("name")?
            .as_str()?
            .rsplit('/')
            .next()
            .map(str::to_owned)
    })
    .collect()
}

/// Asks for the state of the named APIs.
pub async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    names: &[String],
) -> Result<Option<Value>, ApiError> {
    let parent = path_template::path(PATH, at)?;
    let project = parent.trim_start_matches("v1/").to_owned();
    let mut call = Call::get(Api::ServiceUsage, format!("{parent}/services:batchGet"));
    for name in names {
        call = call.query("names", format!("{project}/services/{name}"));
    }
    clients.client.send(&call, &*clients.watch).await.map(Some)
}

/// Switches on those that are off. Safe to repeat: an API that is on stays on.
pub async fn enable(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<MutationResult, ApiError> {
    let wanted = parts(want);
    let live = look(clients, at, &wanted).await?.unwrap_or_default();
    let on = enabled(&live);
    let off: Vec<String> = wanted
        .into_iter()
        .filter(|name| !on.contains(name))
        .collect();
    if off.is_empty() {
        return Ok(MutationResult::Now);
    }
    let call = Call::post(
        Api::ServiceUsage,
        format!("{}/services:batchEnable", path_template::path(PATH, at)?),
    )
    .json(json!({ "serviceIds": off }))
    .repeatable();
    let answer = clients.client.send(&call, &*clients.watch).await?;
    Ok(Operation::of(Dialect::LongRunning, &call, &answer)?
        .map_or(MutationResult::Now, MutationResult::Wait))
}
