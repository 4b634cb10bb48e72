//! Organization Policy, v2: the effective policy of a project. No organization stands above a project here, so that each constraint
//! has the default that Google gives it. Policies cannot be set.

use serde_json::json;

use super::answer::{ErrorResponse, Response};
use super::names;
use super::project_lookup;
use super::request::Request;
use super::world::World;

/// The constraints that are known here, and whether the policy is a list; the others are switches, and off. Which
/// are lists and what their defaults are: own knowledge, no record.
const CONSTRAINTS: &[(&str, bool)] = &[
    ("compute.disableInternetNetworkEndpointGroup", false),
    ("compute.requireShieldedVm", false),
    ("compute.requireVpcFlowLogs", true),
    ("compute.restrictCloudNATUsage", true),
    ("compute.vmExternalIpAccess", true),
    ("container.managed.disableRBACSystemBindings", false),
    ("gcp.resourceLocations", true),
    ("iam.allowedPolicyMemberDomains", true),
    ("iam.disableServiceAccountCreation", false),
    ("storage.uniformBucketLevelAccess", false),
];

/// Serves one call.
///
/// # Errors
/// 404 for a constraint that is not known here; what Google would refuse.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    match request.method_id.as_str() {
        "orgpolicy.projects.policies.getEffectivePolicy" => {
            let name = request.param("name");
            let project = project_lookup::named(world, name)?;
            let constraint = names::segment(name, "policies").unwrap_or_default();
            let known = CONSTRAINTS.iter().find(|(known, _)| *known == constraint);
            let Some((_, is_list)) = known else {
                return Err(ErrorResponse::not_found("Requested entity was not found."));
            };
            let rule = match is_list {
                true => json!({"allowAll": true}),
                false => json!({"enforce": false}),
            };
            Ok(json!({
                "name": format!("projects/{}/policies/{constraint}", project.number),
                "spec": {"rules": [rule]},
            })
            .into())
        }
        other => Err(ErrorResponse::not_served(other)),
    }
}
