//! What a snapshot is read from.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::sidecar::OutboundPolicy;

/// The mesh as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshInstall {
    /// The namespace whose policies hold for all.
    pub root_namespace: String,
    /// The domain of its identities: `PROJECT.svc.id.goog` with Cloud Service Mesh.
    pub trust_domain: String,
    /// Istio's version: major and minor.
    pub version: (u32, u32),
    /// `meshConfig.outboundTrafficPolicy`.
    pub outbound: OutboundPolicy,
    /// `meshConfig.connectTimeout`.
    pub connect_timeout: Duration,
}

impl Default for MeshInstall {
    /// A managed mesh of today (asmcli's version of 2026-04); time-outs and policies are Istio's defaults.
    fn default() -> MeshInstall {
        MeshInstall {
            root_namespace: "istio-system".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            version: (1, 28),
            outbound: OutboundPolicy::AllowAny,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl MeshInstall {
    /// Whether proxies try a request again that was answered with 503: up to 1.23 (`EXCLUDE_UNSAFE_503_FROM_DEFAULT_RETRY`).
    pub fn retries_unavailable(&self) -> bool {
        self.version < (1, 24)
    }

    /// Whether a server's certificate is verified, and its name sent, where a rule names neither: since 1.21
    /// (`VERIFY_CERTIFICATE_AT_CLIENT`, `ENABLE_AUTO_SNI`).
    pub fn verifies_servers(&self) -> bool {
        self.version >= (1, 21)
    }
}

/// Addresses of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRanges {
    /// Of nodes.
    pub nodes: Ipv4Net,
    /// Of pods.
    pub pods: Ipv4Net,
    /// Of services.
    pub services: Ipv4Net,
    /// Of the control plane.
    pub control_plane: Ipv4Net,
}

impl Default for ClusterRanges {
    /// The tutorial's.
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

/// What a snapshot is read from: objects as manifests or as live answers, in any order.
#[derive(Debug, Clone, Default)]
pub struct SnapshotInput {
    /// Objects of the cluster: Kubernetes' own and the mesh's. Kinds that decide nothing are passed over.
    pub kubernetes: Vec<Value>,
    /// Firewall rules of compute v1, of the cluster's network only.
    pub firewalls: Vec<Value>,
    /// Managed zones of DNS v1 that the cluster's network sees, each with its record sets.
    pub zones: Vec<(Value, Vec<Value>)>,
    /// Node pools of container v1.
    pub pools: Vec<Value>,
    /// Whether the machines stand in no network of Google's: no firewall rule is asked about their packets.
    pub outside_vpc: bool,
    /// Addresses of the cluster.
    pub ranges: ClusterRanges,
    /// The mesh.
    pub mesh: MeshInstall,
}
