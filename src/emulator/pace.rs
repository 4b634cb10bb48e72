//! How long things take: the table of durations, and `--pace`, which scales them.
//!
//! The durations are medians of public logs of real runs, rounded; they make a progress bar honest, they are not a promise.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::clock::Millis;

/// How fast the emulated Google works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// As fast as polling allows: an operation is not done at the first poll and done at the second.
    #[default]
    Zero,
    /// Real durations divided by this number; `Real(1)` is Google's own pace.
    Real(u32),
}

/// What is wrong with a `--pace`.
#[derive(Debug, thiserror::Error)]
#[error("invalid pace: {0} (0, real, or real/N with N above 0)")]
pub struct BadPace(String);

impl FromStr for Pace {
    type Err = BadPace;

    fn from_str(text: &str) -> Result<Self, BadPace> {
        let divisor = match text.split_once('/') {
            None if text == "0" => return Ok(Pace::Zero),
            None if text == "real" => Some(1),
            Some(("real", number)) => number.parse().ok().filter(|divisor| *divisor > 0),
            _ => None,
        };
        divisor
            .map(Pace::Real)
            .ok_or_else(|| BadPace(text.to_owned()))
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pace::Zero => f.write_str("0"),
            Pace::Real(1) => f.write_str("real"),
            Pace::Real(divisor) => write!(f, "real/{divisor}"),
        }
    }
}

/// How long an operation that is not polled lasts at pace 0: after a kill, a client finds no operation in progress.
const UNATTENDED: Millis = 1_000;

/// What takes time, in real milliseconds and at pace 0. Method ids are the discovery documents' own, with the newest name of
/// the collection (`locations`); the others are the emulator's names for what Google does on the side.
const DURATIONS: &[(&str, Millis, Millis)] = &[
    ("compute.networks.insert", 15_000, UNATTENDED),
    ("compute.networks.delete", 11_000, UNATTENDED),
    ("compute.subnetworks.insert", 12_000, UNATTENDED),
    ("compute.subnetworks.delete", 12_000, UNATTENDED),
    ("compute.routers.insert", 10_000, UNATTENDED),
    ("compute.routers.patch", 10_000, UNATTENDED),
    ("compute.addresses.insert", 3_000, UNATTENDED),
    ("compute.firewalls.insert", 8_000, UNATTENDED),
    ("compute.firewalls.delete", 8_000, UNATTENDED),
    (
        "container.projects.locations.clusters.create",
        215_000,
        UNATTENDED,
    ),
    (
        "container.projects.locations.clusters.update",
        30_000,
        UNATTENDED,
    ),
    (
        "container.projects.locations.clusters.delete",
        190_000,
        UNATTENDED,
    ),
    (
        "container.projects.locations.clusters.nodePools.create",
        96_000,
        UNATTENDED,
    ),
    (
        "container.projects.locations.clusters.nodePools.delete",
        90_000,
        UNATTENDED,
    ),
    (
        "gkehub.projects.locations.memberships.create",
        2_500,
        UNATTENDED,
    ),
    ("serviceusage.services.enable", 30_000, UNATTENDED),
    // A change to a zone is `pending` until Google's name servers have it.
    ("dns.changes.create", 8_000, 50),
    // An API that was just enabled goes on refusing for a while.
    ("services.propagation", 30_000, 100),
    // A service account is not visible everywhere at once.
    ("iam.visibility", 15_000, 250),
    // What GKE leaves in the network when a cluster goes, until it collects it.
    ("gke.leftovers", 600_000, 5_000),
    // An image is pulled, containers start, probes succeed.
    ("kubernetes.pod.start", 8_000, 40),
    ("kubernetes.pod.stop", 2_000, 20),
    ("kubernetes.namespace.delete", 6_000, 20),
    // A proxy gathers lines of its log and writes them all this while: Envoy under Istio's agent.
    ("proxy.log.flush", 1_000, 50),
    // Traffic Director makes what a Service of a mesh needs, withdraws its backend service, then what that used. No record.
    ("traffic_director.appear", 60_000, 20),
    ("traffic_director.withdraw", 60_000, 150),
    ("traffic_director.release", 30_000, 50),
    // A managed control plane is ACTIVE long after the operation that asked for it.
    ("mesh.control_plane", 420_000, 300),
];

/// For what the table does not name.
const OTHERWISE: (Millis, Millis) = (5_000, UNATTENDED);

impl Pace {
    /// How long a wait of this length is here: at pace 0 none.
    pub fn scaled(self, time: Duration) -> Duration {
        match self {
            Pace::Zero => Duration::ZERO,
            Pace::Real(divisor) => time / divisor.max(1),
        }
    }

    /// How long `what` takes: a method id or one of the emulator's own names, see the table.
    pub fn duration(self, what: &str) -> Millis {
        let row = DURATIONS.iter().find(|(name, ..)| *name == what);
        let (real, zero) = row.map_or(OTHERWISE, |(_, real, zero)| (*real, *zero));
        match self {
            Pace::Zero => zero,
            Pace::Real(divisor) => real / Millis::from(divisor.max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_reads_as_it_prints() {
        for text in ["0", "real", "real/60"] {
            assert_eq!(text.parse::<Pace>().unwrap().to_string(), text);
        }
        for text in ["", "1", "real/", "real/0", "real/-1", "fast", "0/2"] {
            assert!(text.parse::<Pace>().is_err(), "{text}");
        }
    }

    #[test]
    fn real_durations_are_divided_and_pace_zero_has_its_own() {
        assert_eq!(Pace::Real(1).duration("compute.networks.insert"), 15_000);
        assert_eq!(Pace::Real(60).duration("compute.networks.insert"), 250);
        assert_eq!(Pace::Zero.duration("iam.visibility"), 250);
        assert_eq!(Pace::Real(1).duration("unheard.of"), OTHERWISE.0);
        let wait = Duration::from_secs(30);
        assert_eq!(Pace::Real(60).scaled(wait), Duration::from_millis(500));
        assert_eq!(Pace::Zero.scaled(wait), Duration::ZERO);
    }
}
