//! Which TCP ports of its nodes a private cluster's control plane reaches.
//!
//! The control plane of a private cluster calls webhooks over the network's peering, which needs an ingress rule. Only this way
//! is considered; traffic of pods and nodes is not.

use serde::{Deserialize, Serialize};

/// An ingress rule for traffic from the control plane.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// Whether it allows; it denies otherwise.
    pub allows: bool,
    /// Ranges of ports: the first and the last.
    pub ports: Vec<(u16, u16)>,
    /// Service accounts or network tags of the machines that it applies to; empty for all machines.
    pub targets: Vec<String>,
}

/// Whether `port` is open on a machine with these service accounts and tags. The first rule that applies decides; without one,
/// the port is closed.
pub fn is_open(rules: &[Inbound], machine: &[String], port: u16) -> bool {
    let about = |rule: &&Inbound| {
        let target = rule.targets.is_empty() || rule.targets.iter().any(|t| machine.contains(t));
        target
            && rule
                .ports
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&port))
    };
    rules.iter().find(about).is_some_and(|rule| rule.allows)
}
