//! What is waited for: things of others that a later step cannot do without. A row each; nothing is changed.

use serde_json::{Map, Value};

use super::{Clients, Observed, definitions, mesh, nodes, pods, ready, revision};
use crate::google::{Api, ApiError};

/// One kind of waiting.
#[derive(Debug)]
pub struct Wait {
    /// The name that steps use.
    pub kind: &'static str,
    /// Its path below the API's base. Two waits at the same path are one, so it names what is waited for.
    pub path: &'static str,
    /// The API that serves it, or that serves the cluster that does.
    pub api: Api,
    /// Keys that `at` may have beside those of the path.
    pub optional: &'static [&'static str],
    /// What other steps may refer to.
    pub outputs: &'static [&'static str],
    what: WaitSubject,
}

#[derive(Debug)]
enum WaitSubject {
    Mesh,
    Revision,
    Definitions,
    Nodes,
    Pods,
    Object,
}

/// Every kind of waiting.
#[rustfmt::skip]
pub static WAITS: &[Wait] = &[
    Wait { kind: "mesh.ready", path: mesh::PATH, api: Api::GkeHub, optional: &[], outputs: &[], what: WaitSubject::Mesh },
    Wait { outputs: &["revision"], ..in_cluster("mesh.revision", revision::PATH, WaitSubject::Revision) },
    in_cluster("kubernetes.definitions", definitions::PATH, WaitSubject::Definitions),
    in_cluster("kubernetes.nodes", nodes::PATH, WaitSubject::Nodes),
    in_cluster("kubernetes.pods", pods::PATH, WaitSubject::Pods),
    Wait { optional: &["namespace"], ..in_cluster("kubernetes.ready", ready::PATH, WaitSubject::Object) },
];

const fn in_cluster(kind: &'static str, path: &'static str, what: WaitSubject) -> Wait {
    Wait {
        kind,
        path,
        api: Api::Container,
        optional: &[],
        outputs: &[],
        what,
    }
}

impl Wait {
    /// Whether it is asked of a cluster.
    pub fn is_in_cluster(&self) -> bool {
        matches!(self.api, Api::Container)
    }

    /// Whether it is so; why not yet, or why never.
    ///
    /// # Errors
    /// What Google or the cluster refuses.
    pub async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Result<Observed, ApiError> {
        match self.what {
            WaitSubject::Mesh => mesh::look(clients, at).await,
            WaitSubject::Revision => revision::look(clients, at, want).await,
            WaitSubject::Definitions => definitions::look(clients, at, want).await,
            WaitSubject::Nodes => nodes::look(clients, at, want).await,
            WaitSubject::Pods => pods::look(clients, at, want).await,
            WaitSubject::Object => ready::look(clients, at).await,
        }
    }
}
