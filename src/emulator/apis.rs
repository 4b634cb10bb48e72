//! The APIs that are served: one row each.

use super::answer::{Answer, Refusal};
use super::request::Request;
use super::world::World;
use super::{billing, compute, container, dns, hub, iam, projects, services, storage};

/// How an API answers.
pub type Serve = fn(&mut World, &Request) -> Result<Answer, Refusal>;

/// One API.
pub struct Api {
    /// Its name in the discovery documents: `compute`.
    pub name: &'static str,
    /// Its title in the message that it is not enabled.
    pub title: &'static str,
    /// Whether a project must have enabled it. gcloud pays for the others with a project of its own.
    pub gated: bool,
    /// Whether that message names the project by number.
    pub by_number: bool,
    /// Who answers.
    pub serve: Serve,
}

/// An API that answers without having been enabled.
const fn open(name: &'static str, title: &'static str, serve: Serve) -> Api {
    Api {
        name,
        title,
        gated: false,
        by_number: false,
        serve,
    }
}

/// An API that must be enabled first.
const fn gated(name: &'static str, title: &'static str, by_number: bool, serve: Serve) -> Api {
    Api {
        name,
        title,
        gated: true,
        by_number,
        serve,
    }
}

/// All of them.
pub const APIS: &[Api] = &[
    open("cloudbilling", "Cloud Billing API", billing::serve),
    open(
        "cloudresourcemanager",
        "Cloud Resource Manager API",
        projects::serve,
    ),
    gated("compute", "Compute Engine API", true, compute::serve),
    gated("container", "Kubernetes Engine API", true, container::serve),
    gated("dns", "Cloud DNS API", false, dns::serve),
    gated("gkehub", "GKE Hub API", false, hub::serve),
    open(
        "iam",
        "Identity and Access Management (IAM) API",
        iam::serve,
    ),
    open("serviceusage", "Service Usage API", services::serve),
    open("storage", "Cloud Storage API", storage::serve),
];

/// Methods of the discovery documents that are not served, and why. A test holds the list against the services.
pub const NOT_SERVED: &[(&str, &str)] = &[
    (
        "cloudbilling.services.list",
        "prices change by the month, and made-up ones would mislead",
    ),
    (
        "cloudbilling.services.skus.list",
        "prices change by the month, and made-up ones would mislead",
    ),
    (
        "container.projects.locations.operations.cancel",
        "no record says what a cancelled operation leaves behind",
    ),
];

/// The row of an API.
pub fn find(name: &str) -> Option<&'static Api> {
    APIS.iter().find(|api| api.name == name)
}
