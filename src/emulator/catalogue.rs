//! The services that can be enabled: their titles, what they need, which every project has at first.
//!
//! Far from all of Google's; one that is missing here is refused as Google refuses one that does not exist.

use std::collections::BTreeSet;

/// One service.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    /// The first part of its host: `compute`.
    pub name: &'static str,
    /// `Compute Engine API`.
    pub title: &'static str,
    /// The services that are enabled with it.
    pub needs: &'static [&'static str],
    /// Whether enabling it needs a billing account.
    pub billed: bool,
    /// Whether a new project has it.
    pub at_first: bool,
}

impl Api {
    /// `compute.googleapis.com`.
    pub fn host(&self) -> String {
        format!("{}.googleapis.com", self.name)
    }

    /// Itself and all it needs, and what those need.
    pub fn with_needs(&self) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::from([self.name]);
        let mut open = vec![self];
        while let Some(api) = open.pop() {
            for need in api.needs {
                if found.insert(need) {
                    open.extend(find(need));
                }
            }
        }
        found
    }
}

/// Enabled on demand, and billed.
const fn paid(name: &'static str, title: &'static str, needs: &'static [&'static str]) -> Api {
    Api {
        name,
        title,
        needs,
        billed: true,
        at_first: false,
    }
}

/// Enabled on demand, without an account that pays.
const fn free(name: &'static str, title: &'static str, needs: &'static [&'static str]) -> Api {
    Api {
        name,
        title,
        needs,
        billed: false,
        at_first: false,
    }
}

/// There from the start.
const fn given(name: &'static str, title: &'static str) -> Api {
    Api {
        name,
        title,
        needs: &[],
        billed: false,
        at_first: true,
    }
}

/// `mesh` brings a dozen others: Google's provisioning guide of managed Cloud Service Mesh lists them.
const APIS: &[Api] = &[
    free("anthos", "Anthos API", &["gkehub"]),
    paid("artifactregistry", "Artifact Registry API", &[]),
    paid("autoscaling", "Cloud Autoscaling API", &[]),
    given("bigquery", "BigQuery API"),
    given("bigquerystorage", "BigQuery Storage API"),
    paid("certificatemanager", "Certificate Manager API", &[]),
    given("cloudapis", "Google Cloud APIs"),
    free("cloudbilling", "Cloud Billing API", &[]),
    paid("cloudbuild", "Cloud Build API", &["artifactregistry"]),
    paid("cloudkms", "Cloud Key Management Service (KMS) API", &[]),
    free("cloudresourcemanager", "Cloud Resource Manager API", &[]),
    given("cloudtrace", "Cloud Trace API"),
    paid("compute", "Compute Engine API", &["oslogin"]),
    free("connectgateway", "Connect Gateway API", &["gkehub"]),
    paid(
        "container",
        "Kubernetes Engine API",
        &[
            "artifactregistry",
            "autoscaling",
            "compute",
            "containerfilesystem",
            "containerregistry",
            "dns",
            "gkebackup",
            "iam",
            "iamcredentials",
            "networkconnectivity",
            "oslogin",
            "pubsub",
        ],
    ),
    free("containerfilesystem", "Container File System API", &[]),
    paid("containerregistry", "Container Registry API", &[]),
    given("datastore", "Cloud Datastore API"),
    paid("dns", "Cloud DNS API", &[]),
    paid("file", "Cloud Filestore API", &[]),
    paid("gkebackup", "Backup for GKE API", &[]),
    free("gkeconnect", "GKE Connect API", &[]),
    free("gkehub", "GKE Hub API", &["gkeconnect"]),
    free(
        "iam",
        "Identity and Access Management (IAM) API",
        &["iamcredentials"],
    ),
    free("iamcredentials", "IAM Service Account Credentials API", &[]),
    free("iap", "Cloud Identity-Aware Proxy API", &[]),
    given("logging", "Cloud Logging API"),
    paid(
        "mesh",
        "Mesh API",
        &[
            "compute",
            "connectgateway",
            "container",
            "gkehub",
            "logging",
            "meshca",
            "meshconfig",
            "monitoring",
            "networksecurity",
            "networkservices",
            "opsconfigmonitoring",
            "stackdriver",
            "trafficdirector",
        ],
    ),
    free(
        "meshca",
        "Cloud Service Mesh Certificate Authority API",
        &[],
    ),
    free("meshconfig", "Mesh Configuration API", &[]),
    given("monitoring", "Cloud Monitoring API"),
    free(
        "multiclusteringress",
        "Multi Cluster Ingress API",
        &["gkehub"],
    ),
    free(
        "multiclusterservicediscovery",
        "Multi-cluster Service Discovery API",
        &["gkehub"],
    ),
    free("networkconnectivity", "Network Connectivity API", &[]),
    free("networkmanagement", "Network Management API", &[]),
    free("networksecurity", "Network Security API", &[]),
    free("networkservices", "Network Services API", &[]),
    free("opsconfigmonitoring", "Config Monitoring for Ops API", &[]),
    free("orgpolicy", "Organization Policy API", &[]),
    paid("oslogin", "Cloud OS Login API", &[]),
    free("privateca", "Certificate Authority API", &[]),
    free("pubsub", "Cloud Pub/Sub API", &[]),
    paid("run", "Cloud Run Admin API", &["artifactregistry"]),
    paid("secretmanager", "Secret Manager API", &[]),
    given("servicemanagement", "Service Management API"),
    free("servicenetworking", "Service Networking API", &[]),
    given("serviceusage", "Service Usage API"),
    given("sql-component", "Cloud SQL"),
    free("stackdriver", "Stackdriver API", &[]),
    given("storage", "Cloud Storage API"),
    given("storage-api", "Google Cloud Storage JSON API"),
    given("storage-component", "Cloud Storage"),
    free("sts", "Security Token Service API", &[]),
    free("trafficdirector", "Traffic Director API", &[]),
    paid("vpcaccess", "Serverless VPC Access API", &[]),
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Api> {
    APIS.iter()
}

/// The service of this name, with or without `.googleapis.com`.
pub fn find(service: &str) -> Option<&'static Api> {
    let name = service.strip_suffix(".googleapis.com").unwrap_or(service);
    all().find(|api| api.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_needs_is_in_the_table_too() {
        for api in all() {
            for need in api.needs {
                assert!(find(need).is_some(), "{} needs {need}", api.name);
            }
        }
    }

    #[test]
    fn the_mesh_brings_what_it_needs() {
        let needs = find("mesh.googleapis.com").unwrap().with_needs();
        for name in [
            "mesh",
            "compute",
            "container",
            "gkehub",
            "meshconfig",
            "trafficdirector",
            "oslogin",
        ] {
            assert!(needs.contains(name), "{name}");
        }
    }
}
