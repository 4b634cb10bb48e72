//! A user's own cluster, which replaces Google's: its identity, and what it must have before anything is created in it.
//!
//! Nothing is changed here. Only the connection to the Kubernetes API is different; the Google part of every step is the same.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster_error::{of_cluster, of_own};
use super::nodes;
pub use crate::cluster::NoEntry;
use crate::cluster::{ClusterClient, KubeconfigEntry, ObjectRef};
use crate::google::{ApiError, Class};
use crate::recording::Recorder;

/// The time limit of the first request: a user waits for the answer.
const FIRST_ANSWER: Duration = Duration::from_secs(9);

/// The identity of a cluster, as the journal keeps it: how to reach it, and what distinguishes it from every other cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// The path of the kubeconfig.
    pub file: String,
    /// The context in the kubeconfig.
    pub context: String,
    /// The API server, for readers.
    pub server: String,
    /// The UID of the namespace `kube-system`, which exists as long as its cluster.
    pub uid: String,
}

impl ClusterIdentity {
    /// The description of the cluster for readers.
    pub fn words(&self) -> String {
        format!("context {} at {}", self.context, self.server)
    }
}

/// A user's own cluster that has answered.
#[derive(Clone)]
pub struct OwnCluster {
    /// The identity of the cluster.
    pub identity: ClusterIdentity,
    /// The user of the connection, if the kubeconfig names one.
    pub user: Option<String>,
    pub(super) cluster: ClusterClient,
}

/// Why the cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OwnClusterError {
    /// The kubeconfig leads to no cluster.
    #[error(transparent)]
    NoEntry(#[from] NoEntry),
    /// The cluster does not answer, or does not admit the caller.
    #[error("{at}: {source}")]
    Refused {
        /// The address to which the kubeconfig leads.
        at: String,
        /// The underlying error.
        source: Box<ApiError>,
    },
}

impl OwnCluster {
    /// Follows an entry of a kubeconfig to its cluster and reads the cluster's identity.
    ///
    /// # Errors
    /// The entry leads to no cluster; its plugin fails; the cluster does not answer within some seconds, or rejects the request.
    pub async fn open(
        file: &Path,
        context: Option<&str>,
        recorder: Option<&Recorder>,
    ) -> Result<OwnCluster, OwnClusterError> {
        let entry = KubeconfigEntry::read(file, context).await?;
        let at = format!("context {} at {}", entry.context, entry.server);
        let refused = |error: ApiError| OwnClusterError::Refused {
            at: at.clone(),
            source: Box::new(of_own(error)),
        };
        let cluster = entry.connect().await;
        let cluster = cluster.map_err(|error| refused(of_cluster(error)))?;
        let cluster = cluster.recorded(recorder);
        let system = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: "kube-system".to_owned(),
        };
        let unsent = |why: &str| refused(ApiError::unsent(system.to_string(), why));
        let found = tokio::time::timeout(FIRST_ANSWER, cluster.get(&system)).await;
        let found = found.map_err(|_| {
            let seconds = FIRST_ANSWER.as_secs();
            refused(ApiError {
                class: Class::LostConnection,
                ..ApiError::unsent(system.to_string(), format!("no answer within {seconds} s"))
            })
        })?;
        let found = found.map_err(|error| refused(of_cluster(error)))?;
        let uid = found
            .as_ref()
            .and_then(|live| live.pointer("/metadata/uid"));
        let uid = uid.and_then(Value::as_str).ok_or_else(|| {
            unsent("namespace not found, although every Kubernetes cluster has it")
        })?;
        Ok(OwnCluster {
            identity: ClusterIdentity {
                file: entry.file.display().to_string(),
                context: entry.context,
                server: entry.server,
                uid: uid.to_owned(),
            },
            user: entry.user,
            cluster,
        })
    }

    /// What the cluster's nodes lack of these pools; see [`nodes::MissingNodes`].
    ///
    /// # Errors
    /// The error of the cluster.
    pub async fn lacks(
        &self,
        pools: &[nodes::RequiredPool],
    ) -> Result<Option<nodes::MissingNodes>, ApiError> {
        let nodes = self.cluster.list(&nodes::any(), "").await;
        let nodes = nodes.map_err(|error| of_own(of_cluster(error)))?;
        Ok(nodes::lack(&nodes, pools))
    }
}
