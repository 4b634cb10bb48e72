//! The input of a snapshot.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::object::{Object, Unknown};
use super::path::PathNormalization;
use super::sidecar::OutboundPolicy;
use super::vpc::WayOut;

/// The installation of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshInstall {
    /// The namespace whose policies apply to the whole mesh.
    pub root_namespace: String,
    /// The trust domain of its identities: `PROJECT.svc.id.goog` with Cloud Service Mesh.
    pub trust_domain: String,
    /// Istio's version: major and minor.
    pub version: (u32, u32),
    /// `meshConfig.outboundTrafficPolicy`.
    pub outbound: OutboundPolicy,
    /// `meshConfig.connectTimeout`.
    pub connect_timeout: Duration,
    /// `meshConfig.pathNormalization`.
    pub paths: PathNormalization,
    /// The ConfigMap that says so; `None` for defaults.
    pub config: Option<Object>,
}

impl Default for MeshInstall {
    /// A managed mesh of today (asmcli's version of 2026-04); timeouts and policies are Istio's defaults.
    fn default() -> MeshInstall {
        MeshInstall {
            root_namespace: "istio-system".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            version: (1, 28),
            outbound: OutboundPolicy::AllowAny,
            connect_timeout: Duration::from_secs(10),
            paths: PathNormalization::Base,
            config: None,
        }
    }
}

impl MeshInstall {
    /// Whether proxies retry a request that was answered with 503: up to 1.23 (`EXCLUDE_UNSAFE_503_FROM_DEFAULT_RETRY`).
    pub fn retries_unavailable(&self) -> bool {
        self.version < (1, 24)
    }

    /// Whether a server's certificate is verified, and SNI sent, if a rule states neither: since 1.21
    /// (`VERIFY_CERTIFICATE_AT_CLIENT`, `ENABLE_AUTO_SNI`).
    pub fn verifies_servers(&self) -> bool {
        self.version >= (1, 21)
    }
}

/// The address ranges of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRanges {
    /// The range of nodes.
    pub nodes: Ipv4Net,
    /// The range of pods.
    pub pods: Ipv4Net,
    /// The range of Services.
    pub services: Ipv4Net,
    /// The range of the control plane.
    pub control_plane: Ipv4Net,
}

impl Default for ClusterRanges {
    /// The tutorial's ranges.
    fn default() -> ClusterRanges {
        let range = |octets: [u8; 4], length| Ipv4Net::new_assert(Ipv4Addr::from(octets), length);
        ClusterRanges {
            nodes: range([10, 0, 0, 0], 24),
            pods: range([10, 1, 0, 0], 16),
            services: range([10, 2, 0, 0], 20),
            control_plane: range([10, 5, 0, 0], 28),
        }
    }
}

/// The input of a snapshot: objects as manifests or as live answers, in any order.
#[derive(Debug, Clone, Default)]
pub struct SnapshotInput {
    /// Objects of the cluster: those of Kubernetes and of the mesh. Kinds that affect no decision are ignored.
    pub kubernetes: Vec<Value>,
    /// Firewall rules of compute v1.
    pub firewalls: Vec<Value>,
    /// Managed zones of DNS v1, each with its record sets.
    pub zones: Vec<(Value, Vec<Value>)>,
    /// Node pools of container v1.
    pub pools: Vec<Value>,
    /// Whether the machines are outside Google's networks: then no firewall rule applies to their packets.
    pub outside_vpc: bool,
    /// The cluster's VPC network, as a URL or a name: rules and zones of other networks do not apply. `None` if all of them are of
    /// the cluster's network.
    pub network: Option<String>,
    /// Whether the nodes have no way to the internet: they are private, and no Cloud NAT serves them.
    pub no_internet: bool,
    /// The address ranges of the cluster.
    pub ranges: ClusterRanges,
    /// The mesh.
    pub mesh: MeshInstall,
    /// Firewall policies of the network and above it, in the form of `networks.getEffectiveFirewalls`.
    pub firewall_policies: Vec<Value>,
    /// How packets leave the network; `None` if it was not read, as for resources that do not exist yet.
    pub way_out: Option<WayOut>,
    /// What may decide and could not be read: every answer is unknown because of it.
    pub unread: Vec<Unknown>,
}
