//! A cluster of somebody's own, which stands in for Google's: who it is, and what it has to have before anything goes into it.
//!
//! Nothing is changed here. Only the connection to the Kubernetes API is another one; Google's half of every step stays where
//! it was.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster_error::{of_cluster, of_own};
use super::nodes;
pub use crate::cluster::NoEntry;
use crate::cluster::{ClusterClient, KubeconfigEntry, ObjectRef};
use crate::google::{ApiError, Class};

/// How long the first question may take: somebody waits for the answer.
const FIRST_ANSWER: Duration = Duration::from_secs(9);

/// Which cluster, as the journal remembers it: the way to it, and what tells it from every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// The kubeconfig.
    pub file: String,
    /// The context in it.
    pub context: String,
    /// The API server, for readers.
    pub server: String,
    /// The UID of the namespace `kube-system`, which a cluster has from its first moment to its last.
    pub uid: String,
}

impl ClusterIdentity {
    /// How a reader is told which cluster it is.
    pub fn words(&self) -> String {
        format!("context {} at {}", self.context, self.server)
    }
}

/// A cluster of somebody's own that has answered.
#[derive(Clone)]
pub struct OwnCluster {
    /// Which one.
    pub identity: ClusterIdentity,
    /// As whom it is spoken to, where the kubeconfig says so.
    pub user: Option<String>,
    pub(super) cluster: ClusterClient,
}

/// Why it cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum OwnClusterError {
    /// The kubeconfig leads nowhere.
    #[error(transparent)]
    NoEntry(#[from] NoEntry),
    /// The cluster does not answer, or does not let the caller in.
    #[error("{at}: {source}")]
    Refused {
        /// Where the kubeconfig leads.
        at: String,
        /// What happened.
        source: Box<ApiError>,
    },
}

impl OwnCluster {
    /// Follows an entry of a kubeconfig to its cluster and asks who that is.
    ///
    /// # Errors
    /// The entry leads nowhere; its plugin fails; the cluster does not answer within some seconds, or refuses.
    pub async fn open(file: &Path, context: Option<&str>) -> Result<OwnCluster, OwnClusterError> {
        let entry = KubeconfigEntry::read(file, context).await?;
        let at = format!("context {} at {}", entry.context, entry.server);
        let refused = |error: ApiError| OwnClusterError::Refused {
            at: at.clone(),
            source: Box::new(of_own(error)),
        };
        let cluster = entry.connect().await;
        let cluster = cluster.map_err(|error| refused(of_cluster(error)))?;
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

    /// What its nodes lack of these pools; see [`nodes::MissingNodes`].
    ///
    /// # Errors
    /// The cluster refuses.
    pub async fn lacks(
        &self,
        pools: &[nodes::RequiredPool],
    ) -> Result<Option<nodes::MissingNodes>, ApiError> {
        let nodes = self.cluster.list(&nodes::any(), "").await;
        let nodes = nodes.map_err(|error| of_own(of_cluster(error)))?;
        Ok(nodes::lack(&nodes, pools))
    }
}
