//! A Kubernetes cluster with a mesh, of the real programs, on one Linux machine: kube-apiserver, its controllers, scheduler and
//! kube-proxy, etcd, CoreDNS, an implementation of NetworkPolicy, istiod, and an Envoy beside each pod.
//!
//! A pod is a network namespace with Istio's own injection, redirection rules and agent. All nodes share one namespace. Another
//! namespace is the world outside: it answers HTTP and TLS on every address, and it is Google's metadata server, Cloud DNS
//! and Cloud Storage for the pods, as the project's emulator has them. Nothing leaves the machine, no image is pulled.
//!
//! It deliberately has no container runtime, no cloud and no second kernel: what depends on those is listed in the README.

pub mod answer;
pub mod api;
pub mod certificates;
pub mod control_plane;
pub mod front;
pub mod google;
pub mod kubelet;
pub mod layout;
pub mod mesh;
pub mod network;
pub mod process;
pub mod programs;
pub mod record;
pub mod relay;
pub mod request;
pub mod requirements;
pub mod settle;
pub mod vpc;

pub use layout::{Lab, NODES, Node};

/// What went wrong, in words for the person at the terminal.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// A result with such words.
pub type Result<T, E = Error> = std::result::Result<T, E>;
