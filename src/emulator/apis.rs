//! The APIs that are served: one row each.

use super::answer::{Answer, Refusal};
use super::compute;
use super::request::Request;
use super::world::World;
use super::{billing, container, hub, iam, projects, services};

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

/// All of them.
pub const APIS: &[Api] = &[
    Api {
        name: "cloudbilling",
        title: "Cloud Billing API",
        gated: false,
        by_number: false,
        serve: billing::serve,
    },
    Api {
        name: "cloudresourcemanager",
        title: "Cloud Resource Manager API",
        gated: false,
        by_number: false,
        serve: projects::serve,
    },
    Api {
        name: "compute",
        title: "Compute Engine API",
        gated: true,
        by_number: true,
        serve: compute::serve,
    },
    Api {
        name: "container",
        title: "Kubernetes Engine API",
        gated: true,
        by_number: true,
        serve: container::serve,
    },
    Api {
        name: "gkehub",
        title: "GKE Hub API",
        gated: true,
        by_number: false,
        serve: hub::serve,
    },
    Api {
        name: "iam",
        title: "Identity and Access Management (IAM) API",
        gated: false,
        by_number: false,
        serve: iam::serve,
    },
    Api {
        name: "serviceusage",
        title: "Service Usage API",
        gated: false,
        by_number: false,
        serve: services::serve,
    },
];

/// The row of an API.
pub fn find(name: &str) -> Option<&'static Api> {
    APIS.iter().find(|api| api.name == name)
}
