//! The APIs of a project: read and enabled in one batch each. They are never disabled, because other resources may rely on them.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::clusters::Clients;
use super::path_template;
use super::permissions::{self, Permissions};
use super::spec::{Effect, KindSpec, MutationResult, Observed, observed_set};
use crate::google::{Api, ApiError, Call, Dialect, Operation};

/// The path of the project.
const PATH: &str = "v1/projects/{project}";

/// APIs of a project.
#[derive(Debug)]
pub struct Services;

#[async_trait]
impl KindSpec for Services {
    fn name(&self) -> &'static str {
        "services"
    }

    fn api(&self) -> Api {
        Api::ServiceUsage
    }

    fn template(&self) -> &'static str {
        PATH
    }

    fn effect(&self) -> Effect {
        Effect::Action
    }

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        permissions::SERVICES
    }

    fn is_project_wide(&self) -> bool {
        true
    }

    fn enables(&self, want: &Value) -> Vec<String> {
        named(want)
    }

    fn parts(&self, want: &Value) -> Vec<String> {
        named(want)
    }

    fn live_parts(&self, live: &Value) -> Vec<String> {
        enabled(live)
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        let live = states(clients, at, parts).await?;
        Ok(observed_set(self, Some(live), parts))
    }

    /// Enables the disabled APIs. Safe to repeat: an enabled API stays enabled.
    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        let wanted = named(want);
        let on = enabled(&states(clients, at, &wanted).await?);
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
}

/// The APIs of a step's `want`.
fn named(want: &Value) -> Vec<String> {
    let names = want
        .get("services")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The enabled APIs in the answer of `batchGet`, which names them by project number.
fn enabled(live: &Value) -> Vec<String> {
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

/// The state of the named APIs.
async fn states(
    clients: &Clients,
    at: &Map<String, Value>,
    names: &[String],
) -> Result<Value, ApiError> {
    let parent = path_template::path(PATH, at)?;
    let project = parent.trim_start_matches("v1/").to_owned();
    let mut call = Call::get(Api::ServiceUsage, format!("{parent}/services:batchGet"));
    for name in names {
        call = call.query("names", format!("{project}/services/{name}"));
    }
    clients.client.send(&call, &*clients.watch).await
}
