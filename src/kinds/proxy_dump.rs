//! The configuration of a pod's proxy, read from the proxy's own admin endpoint as the checks read it. Nothing is changed.

use std::time::Duration;

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect};
use crate::cluster::{ClusterClient, ContainerRef};
use crate::google::ApiError;
use egress::config_dump::{ConfigDump, DumpError};

/// The proxy's container.
const PROXY: &str = "istio-proxy";
/// How long the admin endpoint may take: a dump of a large mesh has tens of megabytes.
const WITHIN: Duration = Duration::from_secs(60);

/// Why a proxy's configuration was not read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadDump {
    /// The cluster refused or did not answer.
    #[error("{0}")]
    Cluster(ApiError),
    /// The admin endpoint answered with an error.
    #[error("{0}")]
    Admin(String),
    /// The answer is not JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The answer is not the dump of a proxy of Istio.
    #[error("{0}")]
    Dump(#[from] DumpError),
}

/// The proxies of a cluster.
pub struct Proxies(ClusterClient);

impl Proxies {
    /// Those of the cluster at a path; `None` if there is no such cluster.
    ///
    /// # Errors
    /// Google or the cluster does not answer, or denies access.
    pub async fn open(
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Option<Proxies>, ApiError> {
        Ok(connect(clients, at).await?.map(Proxies))
    }

    /// The configuration of a pod's proxy.
    ///
    /// # Errors
    /// It was not read, or is not understood at all.
    pub async fn read(&self, namespace: &str, pod: &str) -> Result<ConfigDump, UnreadDump> {
        let dump = self
            .admin(namespace, pod, "config_dump?include_eds")
            .await?;
        let clusters = self.admin(namespace, pod, "clusters?format=json").await?;
        let dump = serde_json::from_str(page_in(&dump))?;
        // A proxy without this list is evaluated by its dump alone.
        let clusters = serde_json::from_str(page_in(&clusters)).ok();
        Ok(ConfigDump::read(&dump, clusters.as_ref())?)
    }

    /// A page of the admin endpoint.
    async fn admin(&self, namespace: &str, pod: &str, page: &str) -> Result<String, UnreadDump> {
        let container = ContainerRef {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            name: PROXY.to_owned(),
        };
        let command = ["pilot-agent", "request", "GET", page].map(str::to_owned);
        let ran = self.0.exec(&container, &command, WITHIN).await;
        let ran = ran.map_err(|error| UnreadDump::Cluster(of_cluster(error)))?;
        match ran.code {
            0 => Ok(ran.stdout),
            _ => Err(UnreadDump::Admin(ran.stderr.trim().to_owned())),
        }
    }
}

/// The JSON page in what `pilot-agent request` wrote: the agent logs to the same stream, before the page (seen with the agent of
/// Istio 1.31: `warn OS CA Cert could not be found for agent`). Pure.
fn page_in(stdout: &str) -> &str {
    let mut lines = stdout.split_inclusive('\n');
    let mut start = 0;
    while let Some(line) = lines.next()
        && !line.starts_with('{')
    {
        start += line.len();
    }
    &stdout[start..]
}

/// Whether a pod has a proxy of Istio.
pub fn has_proxy(pod: &Value) -> bool {
    let lists = ["/spec/containers", "/spec/initContainers"];
    lists
        .iter()
        .any(|list| json::list(pod, list).any(|container| container["name"] == PROXY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_logs_before_a_page_is_no_part_of_it() {
        let log = "2026-11-30T23:39:45.460417Z\twarn\tOS CA Cert {could} not be found\n";
        for (stdout, page) in [
            ("{\n}\n".to_owned(), "{\n}\n"),
            (format!("{log}{{\n {{}}\n}}\n"), "{\n {}\n}\n"),
            (format!("{log}{log}{{}}"), "{}"),
            (log.to_owned(), ""),
            (String::new(), ""),
        ] {
            assert_eq!(page_in(&stdout), page, "{stdout:?}");
        }
    }
}
