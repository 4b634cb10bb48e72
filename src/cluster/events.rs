//! What a cluster reports about an object in addition to its status.

use kube::api::ListParams;
use serde_json::Value;

use super::{ClusterClient, ClusterError, ObjectRef, plain};

impl ClusterClient {
    /// The events of an object with this reason; Kubernetes keeps events for an hour.
    ///
    /// # Errors
    /// See [`super::ClusterErrorKind`].
    pub async fn events(
        &self,
        namespace: &str,
        uid: &str,
        reason: &str,
    ) -> Result<Vec<Value>, ClusterError> {
        let like = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Event".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: String::new(),
        };
        let fields = format!("involvedObject.uid={uid},reason={reason}");
        let params = ListParams::default().fields(&fields);
        let found = self.api(&like)?.list(&params).await;
        let found = found.map_err(|error| self.failed(format!("events of {namespace}"), error))?;
        found.items.iter().map(|item| plain(&like, item)).collect()
    }
}
