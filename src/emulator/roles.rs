//! Predefined roles: the ones that this environment grants, described as IAM describes them.
//!
//! Google has two thousand. A role of a service that is named here can be granted although it is not in the table, if its name has
//! one of the usual forms; it cannot be read.

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

/// Services whose predefined roles can be bound on a project. Source: IAM's reference of predefined roles.
const SERVICES: &[&str] = &[
    "accesscontextmanager",
    "aiplatform",
    "anthos",
    "anthosservicemesh",
    "apigateway",
    "appengine",
    "apphub",
    "artifactregistry",
    "autoscaling",
    "bigquery",
    "bigtable",
    "binaryauthorization",
    "certificatemanager",
    "cloudasset",
    "cloudbuild",
    "cloudfunctions",
    "cloudkms",
    "cloudscheduler",
    "cloudsql",
    "cloudsupport",
    "cloudtasks",
    "cloudtrace",
    "composer",
    "compute",
    "config",
    "connectgateway",
    "container",
    "containeranalysis",
    "containerregistry",
    "containersecurity",
    "containerthreatdetection",
    "dataflow",
    "dataproc",
    "datastore",
    "deploymentmanager",
    "dns",
    "editor",
    "errorreporting",
    "eventarc",
    "file",
    "firebase",
    "gkebackup",
    "gkehub",
    "gkeonprem",
    "iam",
    "iap",
    "identitytoolkit",
    "logging",
    "managedidentities",
    "memcache",
    "mesh",
    "meshconfig",
    "meshcontrolplane",
    "meshdataplane",
    "meshtelemetry",
    "metastore",
    "monitoring",
    "multiclusteringress",
    "multiclustermetering",
    "multiclusterservicediscovery",
    "networkconnectivity",
    "networkmanagement",
    "networksecurity",
    "networkservices",
    "opsconfigmonitoring",
    "osconfig",
    "policysimulator",
    "privateca",
    "pubsub",
    "recaptchaenterprise",
    "recommender",
    "redis",
    "remotebuildexecution",
    "run",
    "runtimeconfig",
    "secretmanager",
    "securitycenter",
    "servicedirectory",
    "servicemanagement",
    "servicenetworking",
    "serviceusage",
    "source",
    "spanner",
    "stackdriver",
    "storage",
    "storagetransfer",
    "trafficdirector",
    "vpcaccess",
    "websecurityscanner",
    "workflows",
    "workloadmanager",
];

/// Roles without a service.
const PLAIN: &[&str] = &["browser", "editor", "owner", "reader", "viewer", "writer"];

/// What the last word of a role's name ends with: Google forms them from a few words (`objectViewer`, `networkUser`).
const ENDINGS: &[&str] = &[
    "accessor",
    "admin",
    "agent",
    "agentuser",
    "analyst",
    "approver",
    "attestor",
    "auditor",
    "builder",
    "caller",
    "client",
    "connector",
    "consumer",
    "controller",
    "creator",
    "deleter",
    "deployer",
    "developer",
    "editor",
    "encrypter",
    "decrypter",
    "encrypterdecrypter",
    "executor",
    "gatewayadmin",
    "importer",
    "installer",
    "invoker",
    "keyuser",
    "limited",
    "loadbalanceruser",
    "login",
    "manager",
    "mirroruser",
    "modifier",
    "nodeserviceaccount",
    "operator",
    "oslogin",
    "osadminlogin",
    "owner",
    "osloginexternaluser",
    "publisher",
    "puller",
    "pusher",
    "reader",
    "reporter",
    "requester",
    "reviewer",
    "runner",
    "scheduler",
    "securityadmin",
    "securityreviewer",
    "serviceagent",
    "signer",
    "subscriber",
    "tagger",
    "tokencreator",
    "updater",
    "uploader",
    "user",
    "viewer",
    "worker",
    "writer",
    "osadminloginuser",
];

/// Roles that exist and can be bound on a billing account, an organization or a folder only.
const ELSEWHERE: &[&str] = &[
    "billing.",
    "resourcemanager.organization",
    "orgpolicy.",
    "axt.",
    "assuredworkloads.",
];

/// Whether a predefined role exists, as far as its name tells; a custom role always does.
pub fn exists(role: &str) -> bool {
    let Some(id) = role.strip_prefix("roles/") else {
        return true;
    };
    if ROLES.iter().any(|(known, ..)| *known == id) || PLAIN.contains(&id) {
        return true;
    }
    let Some((service, rest)) = id.split_once('.') else {
        return false;
    };
    let last = rest.rsplit('.').next().unwrap_or_default();
    let camel = last.starts_with(|c: char| c.is_ascii_lowercase())
        && last.chars().all(|c| c.is_ascii_alphanumeric());
    let last = last.to_ascii_lowercase();
    let known = SERVICES.contains(&service) || service == "resourcemanager";
    known && camel && ENDINGS.iter().any(|ending| last.ends_with(ending))
}

/// Whether a role can be bound on a project. A custom role can, if it is the project's or an organization's.
pub fn grantable_on_project(role: &str) -> bool {
    let id = role.strip_prefix("roles/").unwrap_or(role);
    exists(role) && !ELSEWHERE.iter().any(|service| id.starts_with(service))
}

/// Roles that can be bound on a service account: about accounts, or about everything.
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
    fn a_role_is_judged_by_its_name() {
        for role in [
            "roles/owner",
            "roles/viewer",
            "roles/browser",
            "roles/storage.objectViewer",
            "roles/storage.legacyBucketReader",
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
            "roles/admin",
            "roles/storage.objectVeiwer",
            "roles/myCustomRole",
            "roles/",
            "roles/compute.Admin",
            "roles/billing.admin",
            "roles/billing.user",
            "roles/resourcemanager.organizationAdmin",
            "roles/orgpolicy.policyAdmin",
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
}
