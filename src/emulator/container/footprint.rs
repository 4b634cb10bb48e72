//! A cluster as its network sees it: where it lies, and the names of what GKE adds there.
//!
//! What is added and removed under these names is [`super::gke_side_effects`].

use ipnet::Ipv4Net;

use crate::names;

/// A cluster as its network sees it.
#[derive(Debug, Clone)]
pub struct NetworkFootprint {
    /// `projects/p/global/networks/n`.
    pub network: String,
    /// `projects/p/regions/r/subnetworks/s`.
    pub subnetwork: String,
    /// The cluster's name.
    pub cluster: String,
    /// The first eight digits of its id.
    pub hash: String,
    /// The control plane's range, if the cluster is private.
    pub master: Option<Ipv4Net>,
}

impl NetworkFootprint {
    /// The name of the subnetwork that holds the control plane's range.
    pub fn master_subnetwork(&self) -> String {
        let hash = names::hex(&format!("{} {}", self.cluster, self.hash), 8);
        format!("gke-{}-{hash}-pe-subnet", self.cluster)
    }

    /// The project of the network: with a Shared VPC, the host project.
    pub fn project(&self) -> &str {
        names::segment(&self.network, "projects").unwrap_or_default()
    }

    /// The name of a firewall rule.
    pub fn rule(&self, end: &str) -> String {
        format!("gke-{}-{}-{end}", self.cluster, self.hash)
    }

    /// The endpoint group's name.
    pub fn group(&self) -> String {
        let end = names::hex(&format!("{} default-http-backend", self.hash), 8);
        format!(
            "k8s1-{}-kube-system-default-http-backend-80-{end}",
            self.hash
        )
    }
}
