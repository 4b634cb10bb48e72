//! A cluster in the network of another project, the host project of a Shared VPC: the roles that agents of the cluster's project
//! need there. Whether the project is attached to the host project is not modelled.

use super::location::Location;
use crate::answer::ErrorResponse;
use crate::names;
use crate::policy::{self, Resource};
use crate::project_lookup;
use crate::world::World;

/// The role by which GKE may use the host project's own agent.
const HOST_AGENT: &str = "roles/container.hostServiceAgentUser";
/// The role by which an agent may use a subnetwork; Google's documentation grants it on the subnetwork.
const NETWORK_USER: &str = "roles/compute.networkUser";

/// Checks that the agents of the cluster's project have their roles, if the network is another project's.
///
/// # Errors
/// 403, in the words that users quote (terraform-google-kubernetes-engine, issues 616 and 302).
pub fn check(
    world: &mut World,
    place: &Location,
    network: &str,
    subnetwork: &str,
) -> Result<(), ErrorResponse> {
    let host = names::segment(network, "projects").unwrap_or_default();
    if host == place.project.id {
        return Ok(());
    }
    let host = project_lookup::named(world, host)?;
    let number = place.project.number;
    let gke =
        format!("serviceAccount:service-{number}@container-engine-robot.iam.gserviceaccount.com");
    let apis = format!("serviceAccount:{number}@cloudservices.gserviceaccount.com");
    let project = Resource::project(&host);
    if !policy::grants(world, &project, HOST_AGENT, &gke) {
        return Err(ErrorResponse::forbidden(format!(
            "Kubernetes Engine Service Agent is missing required permissions on this project. See \
             https://cloud.google.com/kubernetes-engine/docs/troubleshooting#gke_service_account_deleted for more info: required \
             \"container.hostServiceAgent.use\" permission(s) for \"projects/{}\".",
            host.id
        )));
    }
    let own = Resource::subnetwork(subnetwork);
    for agent in [gke, apis] {
        let is_user = [&own, &project]
            .into_iter()
            .any(|resource| policy::grants(world, resource, NETWORK_USER, &agent));
        if !is_user {
            return Err(ErrorResponse::forbidden(format!(
                "Google Compute Engine: Required 'compute.subnetworks.get' permission for '{subnetwork}'"
            )));
        }
    }
    Ok(())
}
