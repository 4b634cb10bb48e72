//! Predefined roles: the ones that this environment grants, described as IAM describes them.
//!
//! Google has more than two thousand. One that is not in the table can be granted, if it is in the list of their names; it cannot be
//! read.

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
        &[
            "autoscaling.sites.writeMetrics",
            "logging.logEntries.create",
            "monitoring.metricDescriptors.create",
            "monitoring.metricDescriptors.list",
            "monitoring.timeSeries.create",
            "monitoring.timeSeries.list",
        ],
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

/// The names of all predefined roles, by service: `compute admin imageUser …`; those without a service begin with a dash. Source: the
/// dataset of which `fixtures/README.md` names the origin, of August 2026.
const NAMES: &str = include_str!("../../fixtures/iam-role-names.txt");

/// The month of the list, for people who read a refusal.
const LIST: &str = "August 2026";

/// Roles that cannot be bound on a project, as the beginnings of their names. What has no comment is placed elsewhere by IAM's reference
/// of roles ("Lowest-level resources where you can grant this role"). What nothing places is not in this table, and is accepted.
const ELSEWHERE: &[&str] = &[
    // On organizations and access policies, in Access Context Manager's page about access control. That a project refuses them: unknown.
    "accesscontextmanager.",
    "billing.admin",
    "billing.costsManager",
    "billing.creator",
    "billing.user",
    "billing.viewer",
    "iam.organizationRole",
    // Reported by users, too (terraform-google-org-policy, issue 101).
    "orgpolicy.policyAdmin",
    "resourcemanager.folder",
    // Own knowledge, no record.
    "resourcemanager.organizationAdmin",
    "resourcemanager.organizationViewer",
    "resourcemanager.projectCreator",
    // On buckets: "you can grant legacy roles only to individual buckets" (Cloud Storage's page about its roles).
    "storage.legacy",
];

/// Whether a role exists; a custom role always does. A predefined role that Google has added since is refused.
pub fn exists(role: &str) -> bool {
    let Some(id) = role.strip_prefix("roles/") else {
        return true;
    };
    let (service, rest) = match id.split_once('.') {
        Some(("-", _)) => return false,
        Some(parts) => parts,
        None => ("-", id),
    };
    let mut lines = NAMES.lines().filter_map(|line| line.split_once(' '));
    lines.any(|(known, names)| known == service && names.split(' ').any(|name| name == rest))
}

/// Whether a role can be bound on a project. A custom role can, if it is the project's or an organization's.
pub fn grantable_on_project(role: &str) -> bool {
    let elsewhere = |id: &str| ELSEWHERE.iter().any(|start| id.starts_with(start));
    exists(role) && !role.strip_prefix("roles/").is_some_and(elsewhere)
}

/// A refusal of a role, in the words given, which are Google's. If the list lacks the role, a detail says of when the list is, and that
/// Google may have the role by now.
pub fn refused(role: &str, refusal: ErrorResponse) -> ErrorResponse {
    if exists(role) {
        return refusal;
    }
    refusal.with_detail(json!({
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US",
        "message": format!("The emulator knows the predefined roles of {LIST}; Google may have added {role} since."),
    }))
}

/// Roles that can be bound on a service account: about accounts, or about everything. That a role about something else is refused is
/// quoted by users (alphagov/govuk-infrastructure, pull request 3662); which roles are about accounts: own knowledge, no record.
pub fn grantable_on_account(role: &str) -> bool {
    let basic = ["roles/owner", "roles/editor", "roles/viewer"].contains(&role);
    let about = role.starts_with("roles/iam.serviceAccount")
        || role.starts_with("roles/iam.workloadIdentity");
    basic || (about && exists(role)) || !role.starts_with("roles/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_by_its_name() {
        for role in [
            "roles/owner",
            "roles/viewer",
            "roles/browser",
            "roles/storage.objectViewer",
            "roles/container.admin",
            "roles/container.defaultNodeServiceAccount",
            "roles/container.hostServiceAgentUser",
            "roles/compute.networkAdmin",
            "roles/compute.securityAdmin",
            "roles/compute.networkUser",
            "roles/artifactregistry.reader",
            "roles/logging.logWriter",
            "roles/monitoring.metricWriter",
            "roles/stackdriver.resourceMetadata.writer",
            "roles/iam.serviceAccountUser",
            "roles/cloudkms.cryptoKeyEncrypterDecrypter",
            "roles/composer.worker",
            "roles/compute.instanceAdmin.v1",
            "roles/dns.peer",
            "roles/gkehub.connect",
            "roles/iam.siteReliabilityEngineer",
            "roles/secretmanager.secretVersionAdder",
            "roles/telemetry.tracesWriter",
            "roles/orgpolicy.policyViewer",
            "roles/billing.projectManager",
            "roles/admin",
            "roles/dataproc.worker",
            "roles/gkehub.serviceAgent",
            "roles/container.defaultNodeServiceAgent",
            "roles/resourcemanager.projectIamAdmin",
            "roles/meshconfig.admin",
            "projects/p/roles/mine",
            "organizations/1/roles/ours",
        ] {
            assert!(grantable_on_project(role), "{role}");
        }
        for role in [
            "roles/no.such",
            "roles/compute.browser2",
            "roles/superuser",
            "roles/-",
            "roles/-.admin",
            "roles/compute",
            "roles/compute.",
            "roles/compute.admin imageUser",
            "roles/compute.networkReader",
            "roles/compute.networkEditor",
            "roles/compute.admin.admin",
            "roles/container.nodeAdmin",
            "roles/storage.objectReader",
            "roles/storage.objectVeiwer",
            "roles/myCustomRole",
            "roles/",
            "roles/compute.Admin",
            "roles/billing.admin",
            "roles/billing.user",
            "roles/resourcemanager.organizationAdmin",
            "roles/orgpolicy.policyAdmin",
            "roles/accesscontextmanager.policyAdmin",
            "roles/iam.organizationRoleAdmin",
            "roles/resourcemanager.folderAdmin",
            "roles/resourcemanager.projectCreator",
            "roles/storage.legacyBucketReader",
            "roles/storage.legacyObjectOwner",
        ] {
            assert!(!grantable_on_project(role), "{role}");
        }
        for (role, want) in [
            ("roles/iam.workloadIdentityUser", true),
            ("roles/iam.serviceAccountTokenCreator", true),
            ("roles/iam.serviceAccountUsr", false),
            ("roles/storage.admin", false),
        ] {
            assert_eq!(grantable_on_account(role), want, "{role}");
        }
    }

    #[test]
    fn every_beginning_is_that_of_a_role_and_the_list_is_whole() {
        let all: Vec<String> = NAMES
            .lines()
            .filter_map(|line| line.split_once(' '))
            .flat_map(|(service, names)| {
                names
                    .split(' ')
                    .map(move |name| format!("{service}.{name}"))
            })
            .collect();
        assert_eq!(all.len(), 2_390);
        for start in ELSEWHERE {
            assert!(all.iter().any(|name| name.starts_with(start)), "{start}");
        }
    }

    #[test]
    fn a_refusal_says_of_when_the_list_is_if_it_lacks_the_role() {
        for (role, dated) in [("roles/no.such", true), ("roles/billing.admin", false)] {
            let refusal = refused(role, ErrorResponse::bad_request("no"));
            let told = refusal.envelope("iam").to_string();
            assert_eq!(told.contains("August 2026"), dated, "{told}");
        }
    }
}
