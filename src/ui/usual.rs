//! The table of usual durations, for a first run: what others measured of Google's services. A run that was made before knows
//! better, from its journal.
//!
//! Source: public logs of Terraform runs (network 10-20 s, firewall rule 3-15 s, separate node pool 60-116 s, zonal cluster without
//! pools 204-224 s, regional cluster 320-562 s, deletion of a cluster 164-220 s), read in August 2026; Google's and others' reports
//! of a managed mesh that was not ready after 5 min 43 s and of waits of 10 min that timed out. Everything else is an estimate: the
//! steps take seconds, and no log names them.

use super::duration::Usual;

/// By kind: to create it, in seconds. For a wait: until it ends.
const CREATE: &[(&str, u64, u64)] = &[
    ("services", 20, 60),
    ("compute.network", 10, 20),
    ("compute.subnetwork", 5, 20),
    ("compute.router", 5, 20),
    ("compute.address", 2, 10),
    ("compute.firewall", 5, 15),
    ("iam.serviceAccount", 2, 15),
    ("iam.projectMembers", 1, 10),
    ("dns.records", 2, 15),
    ("container.cluster", 240, 600),
    ("container.nodePool", 60, 120),
    ("gkehub.feature", 5, 20),
    ("gkehub.membership", 5, 30),
    ("gkehub.membershipFeature", 5, 30),
    ("mesh.ready", 300, 600),
    ("mesh.revision", 0, 30),
    ("kubernetes.definitions", 0, 60),
    ("kubernetes.nodes", 0, 60),
    ("kubernetes.pods", 10, 60),
    ("kubernetes.ready", 10, 60),
    ("kubernetes.restart", 10, 60),
];

/// By kind: to delete it, in seconds.
const DELETE: &[(&str, u64, u64)] = &[
    // GKE may still have firewall rules or endpoint groups in it.
    ("compute.network", 5, 60),
    ("compute.subnetwork", 5, 20),
    ("compute.router", 3, 20),
    ("compute.firewall", 3, 15),
    ("container.cluster", 150, 260),
    ("container.nodePool", 60, 120),
    ("gkehub.feature", 5, 30),
    ("gkehub.membership", 5, 30),
    ("dns.records", 2, 15),
];

/// For what neither table names.
const OTHERWISE: (u64, u64) = (0, 5);

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// It is created, or awaited.
    Create,
    /// It is deleted.
    Delete,
}

/// How long it usually takes with a resource of this kind.
pub fn usual(kind: &str, goal: Goal) -> Usual {
    let table = match goal {
        Goal::Create => CREATE,
        Goal::Delete => DELETE,
    };
    let row = table.iter().find(|(name, ..)| *name == kind);
    let (low, high) = row.map_or(OTHERWISE, |(_, low, high)| (*low, *high));
    Usual::seconds(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_created_and_deleted_has_its_range() {
        for (kind, goal, said) in [
            ("container.cluster", Goal::Create, Some("4-10 min")),
            ("container.cluster", Goal::Delete, Some("3-5 min")),
            ("services", Goal::Create, Some("20-60 s")),
            ("kubernetes.object", Goal::Create, None),
            ("compute.teapot", Goal::Delete, None),
        ] {
            assert_eq!(usual(kind, goal).text().as_deref(), said, "{kind} {goal:?}");
        }
    }

    #[test]
    fn a_range_is_one() {
        for (kind, low, high) in CREATE.iter().chain(DELETE) {
            assert!(low <= high, "{kind}");
        }
    }
}
