//! The APIs that are served: one row each.

use super::answer::{ErrorResponse, Response};
use super::request::Request;
use super::world::World;
use super::{
    billing, catalogue, compute, container, dns, hub, iam, org_policy, projects, services, storage,
};

/// How an API answers.
pub type Serve = fn(&mut World, &Request) -> Result<Response, ErrorResponse>;

/// One API.
pub struct Api {
    /// Its name in the discovery documents: `compute`.
    pub name: &'static str,
    /// Whether a project must have enabled it. Google asks for the others, too, in the project that a request counts against: gcloud
    /// often names one of its own, other clients name the caller's. That is not modelled.
    pub gated: bool,
    /// Whether that message names the project by number.
    pub by_number: bool,
    /// Who answers.
    pub serve: Serve,
}

impl Api {
    /// Its title in the message that it is not enabled.
    pub fn title(&self) -> &'static str {
        catalogue::find(self.name).map_or(self.name, |service| service.title)
    }
}

/// An API that answers without having been enabled.
const fn open(name: &'static str, serve: Serve) -> Api {
    Api {
        name,
        gated: false,
        by_number: false,
        serve,
    }
}

/// An API that must be enabled first.
const fn gated(name: &'static str, by_number: bool, serve: Serve) -> Api {
    Api {
        name,
        gated: true,
        by_number,
        serve,
    }
}

/// All of them.
pub const APIS: &[Api] = &[
    open("cloudbilling", billing::serve),
    open("cloudresourcemanager", projects::serve),
    gated("compute", true, compute::serve),
    gated("container", true, container::serve),
    gated("dns", false, dns::serve),
    gated("gkehub", false, hub::serve),
    open("iam", iam::serve),
    open("orgpolicy", org_policy::serve),
    open("serviceusage", services::serve),
    open("storage", storage::serve),
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
    ("compute.addresses.setLabels", "no step labels an address"),
    (
        "compute.securityPolicies.get",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.list",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.aggregatedList",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.insert",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.patch",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.delete",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.addRule",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.getRule",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.patchRule",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.removeRule",
        "no step makes a Cloud Armor policy",
    ),
    (
        "compute.securityPolicies.setLabels",
        "no step makes a Cloud Armor policy",
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
