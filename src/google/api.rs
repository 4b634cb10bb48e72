//! The APIs that the program calls, in one table. A new API needs only a new row.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An API of Google Cloud. It is serialized as [`Api::name`], in files too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Networks, subnetworks, firewall rules, routers.
    Compute,
    /// Managed zones and record sets.
    Dns,
    /// Service accounts and their policies.
    Iam,
    /// Projects and their policies.
    CloudResourceManager,
    /// GKE clusters and node pools.
    Container,
    /// Which APIs are enabled.
    ServiceUsage,
    /// Fleet memberships and features.
    GkeHub,
    /// Buckets and objects.
    Storage,
    /// Whether a project is billed.
    CloudBilling,
    /// What the policies of an organization allow in a project.
    OrgPolicy,
}

struct ApiSpec {
    api: Api,
    name: &'static str,
    host: &'static str,
    base: &'static str,
    variable: &'static str,
}

const fn row(
    api: Api,
    name: &'static str,
    host: &'static str,
    base: &'static str,
    variable: &'static str,
) -> ApiSpec {
    ApiSpec {
        api,
        name,
        host,
        base,
        variable,
    }
}

/// The rows are in the order of the enum; a test checks this. The bases are those of gcloud's own registry: three
/// APIs have their version in the base, the others in the path, because gkehub is called in two versions.
#[rustfmt::skip]
const TABLE: [ApiSpec; 10] = [
    row(Api::Compute, "compute", "compute.googleapis.com", "compute/v1/", "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"),
    row(Api::Dns, "dns", "dns.googleapis.com", "dns/v1/", "CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS"),
    row(Api::Iam, "iam", "iam.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM"),
    row(Api::CloudResourceManager, "cloudresourcemanager", "cloudresourcemanager.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER"),
    row(Api::Container, "container", "container.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER"),
    row(Api::ServiceUsage, "serviceusage", "serviceusage.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE"),
    row(Api::GkeHub, "gkehub", "gkehub.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_GKEHUB"),
    row(Api::Storage, "storage", "storage.googleapis.com", "storage/v1/", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"),
    row(Api::CloudBilling, "cloudbilling", "cloudbilling.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBILLING"),
    row(Api::OrgPolicy, "orgpolicy", "orgpolicy.googleapis.com", "", "CLOUDSDK_API_ENDPOINT_OVERRIDES_ORGPOLICY"),
];

impl Api {
    /// Every API, in the table's order.
    pub const ALL: [Api; TABLE.len()] = {
        let mut all = [Api::Compute; TABLE.len()];
        let mut i = 0;
        while i < TABLE.len() {
            all[i] = TABLE[i].api;
            i += 1;
        }
        all
    };

    fn row(self) -> &'static ApiSpec {
        &TABLE[self.index()]
    }

    /// The index in [`Api::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The short name: `compute`. It is also the part of the host name before `.googleapis.com`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Google's host for the API: `compute.googleapis.com`. It is also the API's name in Service Usage.
    pub fn host(self) -> &'static str {
        self.row().host
    }

    /// The part between the host and a call's path: `compute/v1/`, or nothing.
    pub fn base(self) -> &'static str {
        self.row().base
    }

    /// The environment variable that redirects gcloud, and this program, to another endpoint.
    pub fn variable(self) -> &'static str {
        self.row().variable
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_consistent() {
        for (i, api) in Api::ALL.into_iter().enumerate() {
            assert_eq!(api.index(), i, "{api}");
            assert_eq!(api.host(), format!("{api}.googleapis.com"));
            assert_eq!(
                api.variable(),
                format!(
                    "CLOUDSDK_API_ENDPOINT_OVERRIDES_{}",
                    api.name().to_uppercase()
                )
            );
            assert_eq!(serde_json::to_value(api).unwrap(), api.name());
        }
    }
}
