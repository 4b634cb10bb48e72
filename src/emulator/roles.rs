//! Predefined roles: the ones that this environment grants, described as IAM describes them.
//!
//! Google has two thousand. A role that is not in the table can be granted, but not read.

use serde_json::{Value, json};

use super::answer::{ErrorResponse, Response};
use super::paging;
use super::request::Request;

/// Name, title, and a few of the permissions: enough to recognise the role by.
const ROLES: &[(&str, &str, &[&str])] = &[
    (
        "anthosservicemesh.serviceAgent",
        "Anthos Service Mesh Service Agent",
        &["container.clusters.get", "gkehub.features.get"],
    ),
    (
        "artifactregistry.reader",
        "Artifact Registry Reader",
        &[
            "artifactregistry.dockerimages.get",
            "artifactregistry.repositories.downloadArtifacts",
        ],
    ),
    (
        "compute.serviceAgent",
        "Compute Engine Service Agent",
        &["compute.networks.get", "compute.subnetworks.use"],
    ),
    (
        "container.admin",
        "Kubernetes Engine Admin",
        &["container.clusters.create", "container.clusters.delete"],
    ),
    (
        "container.defaultNodeServiceAccount",
        "Kubernetes Engine Default Node Service Account",
        &["logging.logEntries.create", "monitoring.timeSeries.create"],
    ),
    (
        "container.serviceAgent",
        "Kubernetes Engine Service Agent",
        &["compute.firewalls.create", "compute.subnetworks.use"],
    ),
    (
        "editor",
        "Editor",
        &["compute.networks.create", "storage.buckets.create"],
    ),
    (
        "gkehub.admin",
        "Fleet Admin (formerly GKE Hub Admin)",
        &["gkehub.features.update", "gkehub.memberships.create"],
    ),
    (
        "iam.serviceAccountTokenCreator",
        "Service Account Token Creator",
        &["iam.serviceAccounts.getAccessToken"],
    ),
    (
        "iam.serviceAccountUser",
        "Service Account User",
        &["iam.serviceAccounts.actAs"],
    ),
    (
        "iam.workloadIdentityUser",
        "Workload Identity User",
        &[
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
        ],
    ),
    (
        "logging.logWriter",
        "Logs Writer",
        &["logging.logEntries.create", "logging.logEntries.route"],
    ),
    (
        "monitoring.metricWriter",
        "Monitoring Metric Writer",
        &["monitoring.timeSeries.create"],
    ),
    (
        "monitoring.viewer",
        "Monitoring Viewer",
        &["monitoring.timeSeries.list"],
    ),
    ("owner", "Owner", &["resourcemanager.projects.setIamPolicy"]),
    (
        "serviceusage.serviceUsageAdmin",
        "Service Usage Admin",
        &["serviceusage.services.enable"],
    ),
    (
        "stackdriver.resourceMetadata.writer",
        "Stackdriver Resource Metadata Writer",
        &["stackdriver.resourceMetadata.write"],
    ),
    (
        "storage.objectViewer",
        "Storage Object Viewer",
        &["storage.objects.get", "storage.objects.list"],
    ),
    (
        "viewer",
        "Viewer",
        &["compute.networks.get", "storage.buckets.list"],
    ),
];

/// Serves `get` and `list`.
///
/// # Errors
/// 404 for a role that is not in the table.
pub fn serve(method: &str, request: &Request) -> Result<Response, ErrorResponse> {
    match method {
        "get" => {
            let name = request.param("name");
            let row = ROLES
                .iter()
                .find(|(id, ..)| name.strip_prefix("roles/") == Some(id));
            row.map(|row| print(row, true).into()).ok_or_else(|| {
                ErrorResponse::not_found(format!("The role named {name} was not found."))
            })
        }
        "list" => {
            let full = request.query("view") == Some("FULL");
            let printed = ROLES.iter().map(|row| print(row, full)).collect();
            let (page, next) = paging::page(printed, request, 300, 1000)?;
            let mut answer = json!({"roles": page});
            if let Some(token) = next {
                answer["nextPageToken"] = json!(token);
            }
            Ok(answer.into())
        }
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}

fn print((id, title, permissions): &(&str, &str, &[&str]), full: bool) -> Value {
    let mut role =
        json!({"name": format!("roles/{id}"), "title": title, "stage": "GA", "etag": "AA=="});
    if full {
        role["includedPermissions"] = json!(permissions);
    }
    role
}

/// Roles that can be bound on a service account: about accounts, or about everything.
pub fn grantable_on_account(role: &str) -> bool {
    let basic = ["roles/owner", "roles/editor", "roles/viewer"].contains(&role);
    let about = role.starts_with("roles/iam.serviceAccount")
        || role.starts_with("roles/iam.workloadIdentity");
    basic || about || !role.starts_with("roles/")
}
