//! The features of a fleet: which there are, and which specs belong to each.
//!
//! Ids are those that gcloud 528 knows (`command_lib/container/fleet/features/info.py`), and `workloadcertificate`, which v2's
//! document has; the specs are the fields of the discovery documents. A feature that Google has added since is refused here.

use serde_json::Value;

use crate::answer::ErrorResponse;
use crate::labels;

/// A feature's id.
const FEATURES: &[&str] = &[
    "anthosobservability",
    "appdevexperience",
    "authorizer",
    "cloudbuild",
    "clouddeploy",
    "clusterupgrade",
    "configdeliveryargocd",
    "configmanagement",
    "dataplanev2",
    "fleetobservability",
    "identityservice",
    "metering",
    "multiclusteringress",
    "multiclusterservicediscovery",
    "namespaceactuation",
    "policycontroller",
    "rbacrolebindingactuation",
    "servicedirectory",
    "servicemesh",
    "workloadcertificate",
    "workloadidentity",
    "workloadmigration",
];

/// Checks the id of a feature that is to be created.
///
/// # Errors
/// A refusal with 400. That a feature's id is that of a known feature is documented; the words follow those of other fields
/// (terraform-provider-google, issue 16795), without a record.
pub fn check_id(id: &str) -> Result<(), ErrorResponse> {
    if FEATURES.contains(&id) {
        return Ok(());
    }
    Err(ErrorResponse::bad_request(format!(
        "InvalidValueError for field feature_id: \"{id}\" is not a valid feature."
    )))
}

/// The name of a feature's field in a spec: the mesh has another one in v1.
fn field_of(feature: &str) -> &str {
    if feature == "servicemesh" {
        "mesh"
    } else {
        feature
    }
}

/// Checks that a spec is the feature's own. `field` is where it is: `spec`, `membership_specs["…"]`.
///
/// # Errors
/// 400. The words follow those of other fields (terraform-provider-google, issue 19080), without a record.
pub fn check_spec(feature: &str, field: &str, spec: &Value) -> Result<(), ErrorResponse> {
    let own = [feature, field_of(feature), "origin"];
    let mut others = spec
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    match others.find(|name| !own.contains(&name.as_str())) {
        None => Ok(()),
        Some(other) => Err(ErrorResponse::bad_request(format!(
            "InvalidFieldError for field {field}.{other}: the field belongs to feature {other} and cannot be set for feature {feature}."
        ))),
    }
}

/// Checks all specs, defaults and labels in the body of a request for a feature of v1.
///
/// # Errors
/// 400.
pub fn check_body(feature: &str, body: &Value) -> Result<(), ErrorResponse> {
    check_spec(feature, "spec", &body["spec"])?;
    check_spec(
        feature,
        "fleet_default_member_config",
        &body["fleetDefaultMemberConfig"],
    )?;
    for (name, spec) in body["membershipSpecs"].as_object().into_iter().flatten() {
        check_spec(feature, &format!("membership_specs[\"{name}\"]"), spec)?;
    }
    labels::check(&body["labels"], ErrorResponse::bad_request)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_spec_belongs_to_its_feature() {
        let mesh = json!({"management": "MANAGEMENT_AUTOMATIC"});
        for (feature, body, fine) in [
            ("servicemesh", json!({}), true),
            ("servicemesh", json!({"spec": {"mesh": {}}}), true),
            (
                "servicemesh",
                json!({"spec": {"multiclusteringress": {}}}),
                false,
            ),
            (
                "servicemesh",
                json!({"fleetDefaultMemberConfig": {"mesh": mesh}}),
                true,
            ),
            (
                "servicemesh",
                json!({"fleetDefaultMemberConfig": {"configmanagement": {}}}),
                false,
            ),
            (
                "servicemesh",
                json!({"membershipSpecs": {"m": {"mesh": mesh, "origin": {}}}}),
                true,
            ),
            (
                "servicemesh",
                json!({"membershipSpecs": {"m": {"configmanagement": {}}}}),
                false,
            ),
            (
                "configmanagement",
                json!({"membershipSpecs": {"m": {"mesh": mesh}}}),
                false,
            ),
            (
                "multiclusteringress",
                json!({"spec": {"multiclusteringress": {}}}),
                true,
            ),
            ("servicemesh", json!({"labels": {"Team": "x"}}), false),
        ] {
            assert_eq!(check_body(feature, &body).is_ok(), fine, "{feature} {body}");
        }
    }

    #[test]
    fn features_are_known_by_id() {
        assert!(check_id("servicemesh").is_ok());
        for id in ["mesh", "serviceMesh", "", "nothing"] {
            assert_eq!(check_id(id).unwrap_err().http, 400, "{id}");
        }
    }
}
