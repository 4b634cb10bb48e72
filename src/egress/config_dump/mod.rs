//! What the proxies really have: a request through the configuration dumps of Envoys, from proxy to proxy.
//!
//! This is the control plane's own decision, whatever version, mesh configuration or EnvoyFilter made it: it is read from each
//! proxy's `config_dump?include_eds` and `clusters?format=json`, and evaluated by the rules of Envoy's documentation. It shares
//! nothing with the model of istiod in `dataplane` but the texts of Envoy's local replies, so that the two can be compared.
//!
//! It deliberately does not know what lies between the proxies (name resolution, NetworkPolicies, firewalls), what a server
//! outside of the dumps answers, which of several healthy endpoints is chosen, how often a request is retried, and how long it
//! takes. A filter, a matcher or a cluster that is not understood makes the result unknown, by name.

mod cluster;
mod compare;
mod config_dumps;
mod downstream;
mod downstream_tls;
mod dump;
mod filter_chain;
mod filters;
mod follow;
mod forward;
mod http;
mod istio_metadata;
mod listener;
mod matches;
mod node;
mod rbac;
#[cfg(test)]
mod recorded_tests;
mod request_headers;
mod route_action;
mod string_matcher;
mod trace;
mod upstream_session;
mod virtual_host;
mod walk;

pub use compare::{Difference, differences};
pub use config_dumps::ConfigDumps;
pub use dump::{ConfigDump, DumpError};
pub use node::{Node, NodeType};
pub use trace::{ProxyPassage, ProxyTrace};
