//! Waits for the managed control plane of one membership, and reports Google's own messages. Nothing is changed.
//!
//! The fleet feature's state covers every membership; ours is found by the end of its key, because Google writes the key with the
//! project's number. The state ACTIVE is what counts: the operation that requested it was done in seconds (reported: five to
//! fourteen minutes earlier).
//!
//! Google chooses the implementation, for each fleet: TRAFFIC_DIRECTOR for new fleets, ISTIOD where the fleet has had it. The second
//! is deprecated, and a reader is told so ("Managed control plane" and "Supported features using Istio APIs (managed control
//! plane)" in Google's documentation, November 2026).

use serde_json::{Map, Value};

use super::clusters::Clients;
use super::path_template;
use super::permissions;
use super::resource_id::ResourceId;
use super::resource_table;
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
    warning: Some(deprecated),
    permissions: permissions::reads(&["gkehub.features.get"]),
    is_of_object: false,
    hint: "run again to continue waiting; if it stays at `pending enablement`, switch the feature off and on: `gcloud container fleet mesh disable --project={project}`, which does it for all clusters of the fleet, then run again; Google's page on a managed mesh that is not ready: https://cloud.google.com/service-mesh/docs/troubleshooting/troubleshoot-managed-service-mesh",
};

/// What to do about a managed mesh that is not ready.
pub const NOT_READY: &str = "run again to continue waiting; Google's page on a managed mesh that is not ready: https://cloud.google.com/service-mesh/docs/troubleshooting/troubleshoot-managed-service-mesh";

/// The implementation that new fleets get.
pub const TRAFFIC_DIRECTOR: &str = "TRAFFIC_DIRECTOR";
/// The implementation that is deprecated.
const ISTIOD: &str = "ISTIOD";
/// Where a membership's state has the implementation.
const IMPLEMENTATION: &str = "/servicemesh/controlPlaneManagement/implementation";

/// The feature whose settings make a membership's cluster a part of the mesh.
const FEATURE: &str = "servicemesh";

/// Whether a resource is the mesh's settings of a membership. Pure.
pub fn is_of_mesh(resource: &ResourceId) -> bool {
    resource.kind == resource_table::MEMBERSHIP_FEATURE.kind && is_mesh(&resource.at)
}

/// Whether the settings of `at` are those of the mesh. Pure.
pub fn is_mesh(at: &Map<String, Value>) -> bool {
    at.get("feature").and_then(Value::as_str) == Some(FEATURE)
}

/// The implementation of the control plane of a membership, in Google's words; `None` if the fleet reports none.
///
/// # Errors
/// Google does not answer, or denies access.
pub async fn implementation(
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<Option<String>, ApiError> {
    let Some(feature) = feature(clients, at).await? else {
        return Ok(None);
    };
    let ours = path_template::path(OURS, at)?;
    let word = of_ours(&feature, &ours).and_then(|state| state.pointer(IMPLEMENTATION));
    Ok(word.and_then(Value::as_str).map(str::to_owned))
}

/// What to say of a membership whose control plane is deprecated. Pure.
fn deprecated(state: &Value) -> Option<String> {
    (state.pointer(IMPLEMENTATION)? == ISTIOD).then(|| {
        format!("the implementation of the control plane is {ISTIOD}, which Google has deprecated; how a fleet moves to {TRAFFIC_DIRECTOR}: https://docs.cloud.google.com/service-mesh/docs/modernization")
    })
}

/// The end of our membership's key.
const OURS: &str = "/locations/{location}/memberships/{membership}";

/// Reads the fleet's feature; `None` if the fleet does not have it.
async fn feature(clients: &Clients, at: &Map<String, Value>) -> Result<Option<Value>, ApiError> {
    let path = path_template::path(
        "v1/projects/{project}/locations/global/features/{feature}",
        at,
    )?;
    match clients
        .client
        .send(&Call::get(Api::GkeHub, path), &*clients.watch)
        .await
    {
        Ok(feature) => Ok(Some(feature)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the state of our membership.
async fn look(clients: &Clients, at: &Map<String, Value>) -> Result<Observed, ApiError> {
    let ours = path_template::path(OURS, at)?;
    let feature = feature(clients, at).await?;
    Ok(feature.map_or(Observed::Absent, |feature| state(&feature, &ours)))
}

/// What a feature reports for the membership whose key ends with `ours`. Pure.
fn of_ours<'a>(feature: &'a Value, ours: &str) -> Option<&'a Value> {
    let states = feature.get("membershipStates")?.as_object()?;
    let mut states = states.iter();
    states
        .find(|(key, _)| key.ends_with(ours))
        .map(|(_, state)| state)
}

/// Whether the membership whose key ends with `ours` is ready. Pure.
fn state(feature: &Value, ours: &str) -> Observed {
    let Some(state) = of_ours(feature, ours) else {
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
    fn a_control_plane_that_is_istiod_is_deprecated() {
        let state = |word: &str| json!({"servicemesh": {"controlPlaneManagement": {"state": "ACTIVE", "implementation": word}}});
        let said = deprecated(&state("ISTIOD")).unwrap();
        assert!(
            said.contains("ISTIOD, which Google has deprecated"),
            "{said}"
        );
        assert!(!said.contains('\n'), "{said}");
        for other in [state("TRAFFIC_DIRECTOR"), state("UPDATING"), json!({})] {
            assert_eq!(deprecated(&other), None, "{other}");
        }
    }

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
