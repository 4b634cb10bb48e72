//! Where things are: folders, namespaces, addresses. Every laboratory has the same addresses, each in namespaces of its own, so that
//! several stand side by side.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::Result;

/// The address of the API server, and of no node.
pub const API_SERVER: &str = "10.0.0.10";
/// Its port.
pub const API_PORT: u16 = 6443;
/// The range of the cluster's services, as the tutorial has it.
pub const SERVICES: &str = "10.2.0.0/20";
/// The address of the service `kubernetes`, the first of that range.
pub const KUBERNETES_SERVICE: &str = "10.2.0.1";
/// The address of the service `kube-dns`.
pub const DNS_SERVICE: &str = "10.2.0.10";
/// The nodes' end of the link to the outside.
pub const LINK_INSIDE: &str = "192.0.2.1";
/// The other end of it, where Cloud DNS answers.
pub const LINK_OUTSIDE: &str = "192.0.2.2";
/// Google's metadata server.
pub const METADATA_SERVER: &str = "169.254.169.254";
/// The administrator's bearer token.
pub const ADMIN_TOKEN: &str = "lab-admin";
/// The variable by which every process of a laboratory is known: it holds the laboratory's run folder.
pub const MARK: &str = "PROVISION_LAB_RUN";

/// A node of the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Its name.
    pub name: &'static str,
    /// The node pool that it is of.
    pub pool: &'static str,
    /// What its addresses are numbered by.
    pub number: u8,
}

impl Node {
    /// The node's own address, in the range of the tutorial's subnet.
    pub fn address(&self) -> String {
        format!("10.0.0.1{}", self.number)
    }

    /// The range of its pods.
    pub fn pods(&self) -> String {
        format!("10.1.{}.0/24", self.number)
    }
}

/// The nodes: the tutorial's two pools.
pub const NODES: [Node; 4] = [
    Node {
        name: "default-pool-1",
        pool: "default-pool",
        number: 1,
    },
    Node {
        name: "default-pool-2",
        pool: "default-pool",
        number: 2,
    },
    Node {
        name: "default-pool-3",
        pool: "default-pool",
        number: 3,
    },
    Node {
        name: "gateway-1",
        pool: "gateway",
        number: 4,
    },
];

/// A laboratory, by its name and the folder of its programs.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Its name, which is also the name of its nodes' network namespace.
    pub name: String,
    /// The folder of what `build` made.
    pub home: PathBuf,
}

impl Lab {
    /// The laboratory of a name.
    ///
    /// # Errors
    /// A name that cannot be a part of an interface's name: more than eight characters, or other than letters and digits.
    pub fn new(name: &str, home: PathBuf) -> Result<Lab> {
        if name.is_empty() || name.len() > 8 || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!(
                "`{name}` is no name for a laboratory: up to eight letters and digits"
            )
            .into());
        }
        Ok(Lab {
            name: name.to_owned(),
            home,
        })
    }

    /// The folder of programs.
    pub fn bin(&self) -> PathBuf {
        self.home.join("bin")
    }

    /// The folder of what is running.
    pub fn run(&self) -> PathBuf {
        self.home.join("run").join(&self.name)
    }

    /// The laboratory's own program, as it was when `up` began: another may have been built in its place since.
    pub fn program(&self) -> PathBuf {
        self.run().join("lab")
    }

    /// The keys and certificates.
    pub fn pki(&self) -> PathBuf {
        self.run().join("pki")
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.run().join("admin.conf")
    }

    /// The network namespace of the nodes.
    pub fn nodes(&self) -> String {
        self.name.clone()
    }

    /// The network namespace of the world outside.
    pub fn outside(&self) -> String {
        format!("{}-outside", self.name)
    }

    /// What the network namespaces of pods begin with.
    pub fn pod_prefix(&self) -> String {
        format!("{}-pod-", self.name)
    }

    /// The network namespace of the pod with this address (`10.1.NODE.NUMBER`).
    pub fn pod(&self, address: &str) -> String {
        let mut name = self.pod_prefix();
        let mut parts = address.split('.').skip(2);
        let _ = write!(
            name,
            "{}-{}",
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default()
        );
        name
    }

    /// What a program has to be begun with so that it runs in a network namespace.
    pub fn entering(&self, namespace: &str) -> [String; 2] {
        [
            "nsenter".to_owned(),
            format!("--net=/run/netns/{namespace}"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_namespace_follows_from_its_address() {
        let lab = Lab::new("one", "/nowhere".into()).unwrap();
        assert_eq!(lab.pod("10.1.4.17"), "one-pod-4-17");
    }

    #[test]
    fn a_name_fits_into_an_interfaces_name() {
        for (name, fits) in [
            ("lab", true),
            ("", false),
            ("ninechars", false),
            ("a-b", false),
            ("../x", false),
        ] {
            assert_eq!(Lab::new(name, "/nowhere".into()).is_ok(), fits, "{name}");
        }
    }
}
