//! Waits for the managed control plane of one membership, and reports Google's own messages. Nothing is changed.
//!
//! The fleet feature's state covers every membership; ours is found by the end of its key, because Google writes the key with the
//! project's number. The state ACTIVE is what counts: the operation that requested it was done in seconds (reported: five to
//! fourteen minutes earlier).

use serde_json::{Map, Value};

use super::clusters::Clients;
use super::path_template;
use super::permissions;
use super::spec::Observed;
use super::wait::Wait;
use crate::google::{Api, ApiError, Call, Class};

/// Waits for the managed control plane of a membership.
pub static WAIT: Wait = Wait {
    kind: "mesh.ready",
    path: "projects/{project}/locations/{location}/memberships/{membership}/features/{feature}",
    api: Api::GkeHub,
    optional: &[],
    outputs: &[],
    look: |clients, at, _| Box::pin(look(clients, at)),
    permissions: permissions::reads(&["gkehub.features.get"]),
    hint: "run again to continue waiting; if it stays at `pending enablement`, switch the feature off and on: `gcloud container fleet mesh disable --project={project}`, which does it for all clusters of the fleet, then run again; Google's page on a managed mesh that is not ready: https://cloud.google.com/service-mesh/docs/troubleshooting/troubleshoot-managed-service-mesh",
};

/// What to do about a managed mesh that is not ready.
pub const NOT_READY: &str = "run again to continue waiting; Google's page on a managed mesh that is not ready: https://cloud.google.com/service-mesh/docs/troubleshooting/troubleshoot-managed-service-mesh";

/// Reads the state of our membership.
async fn look(clients: &Clients, at: &Map<String, Value>) -> Result<Observed, ApiError> {
    let path = path_template::path(
        "v1/projects/{project}/locations/global/features/{feature}",
        at,
    )?;
    let ours = path_template::path("/locations/{location}/memberships/{membership}", at)?;
    match clients
        .client
        .send(&Call::get(Api::GkeHub, path), &*clients.watch)
        .await
    {
        Ok(feature) => Ok(state(&feature, &ours)),
        Err(error) if error.class == Class::NotFound => Ok(Observed::Absent),
        Err(error) => Err(error),
    }
}

/// What a feature reports for the membership whose key ends with `ours`. Pure.
fn state(feature: &Value, ours: &str) -> Observed {
    let states = feature
        .get("membershipStates")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let Some((_, state)) = states.into_iter().find(|(key, _)| key.ends_with(ours)) else {
        let says = ["/resourceState/state", "/state/state/description"];
        let says = says
            .iter()
            .filter_map(|pointer| feature.pointer(pointer)?.as_str())
            .filter(|said| !said.is_empty() && *said != "ACTIVE");
        let said = ["the fleet has not reported a state yet"]
            .into_iter()
            .chain(says);
        return Observed::Settling(said.collect::<Vec<_>>().join(": "));
    };
    let plane = state.pointer("/servicemesh/controlPlaneManagement");
    let word = plane
        .and_then(|plane| plane.get("state"))
        .and_then(Value::as_str)
        .unwrap_or("without a state");
    if word == "ACTIVE" {
        return Observed::Here(state.clone());
    }
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let coded = |item: &Value| {
        let text = |key| item.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{}: {}", text("code"), text("details"))
    };
    let conditions = list(state.pointer("/servicemesh/conditions"));
    let errors: Vec<String> = conditions
        .iter()
        .filter(|c| c["severity"] == "ERROR")
        .map(coded)
        .collect();
    let details: Vec<String> = list(plane.and_then(|plane| plane.get("details")))
        .iter()
        .map(coded)
        .collect();
    let said = [vec![word.to_owned()], details, errors.clone()]
        .concat()
        .join("; ");
    // A condition of this severity needs a person to fix it; Google itself keeps retrying everything else.
    if errors.is_empty() {
        Observed::Settling(said)
    } else {
        Observed::Broken(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn readiness_is_that_of_our_membership() {
        let ours = "/locations/us-central1/memberships/cluster1";
        let feature = |state: Value| {
            json!({"membershipStates": {
                "projects/1/locations/us-central1/memberships/other": {"servicemesh": {"controlPlaneManagement": {"state": "ACTIVE"}}},
                "projects/1/locations/us-central1/memberships/cluster1": state,
            }})
        };
        let plane =
            |plane: Value| feature(json!({"servicemesh": {"controlPlaneManagement": plane}}));
        let failed = feature(json!({"servicemesh": {
            "controlPlaneManagement": {"state": "FAILED_PRECONDITION"},
            "conditions": [{"code": "NODEPOOL_WORKLOAD_IDENTITY_FEDERATION_REQUIRED", "severity": "ERROR", "details": "x"}]}}));
        for (feature, expected) in [
            (json!({}), "settling the fleet has not reported a state yet"),
            (
                json!({"resourceState": {"state": "ENABLING"}, "state": {"state": {"description": "Pending enablement"}}}),
                "settling the fleet has not reported a state yet: ENABLING: Pending enablement",
            ),
            (plane(json!({"state": "ACTIVE"})), "here"),
            (
                plane(
                    json!({"state": "PROVISIONING", "details": [{"code": "REVISION_PROVISIONING", "details": "Provisioning: asm-managed"}]}),
                ),
                "settling PROVISIONING; REVISION_PROVISIONING: Provisioning: asm-managed",
            ),
            (plane(json!({"state": "STALLED"})), "settling STALLED"),
            (
                failed,
                "broken FAILED_PRECONDITION; NODEPOOL_WORKLOAD_IDENTITY_FEDERATION_REQUIRED: x",
            ),
        ] {
            let said = match state(&feature, ours) {
                Observed::Here(_) => "here".to_owned(),
                Observed::Absent => "absent".to_owned(),
                Observed::Settling(why) => format!("settling {why}"),
                Observed::Broken(why) => format!("broken {why}"),
            };
            assert_eq!(said, expected);
        }
    }
}
