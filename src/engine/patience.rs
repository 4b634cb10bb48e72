//! How long a deletion is repeated that something prevents, and how long something is awaited that Google removes by itself: as long
//! as anything changes, and then for some rounds more. Pure: the caller provides the clock.
//!
//! What counts is progress, as for the deletion of a cluster with kops: it gives up when nothing has changed for some rounds. A
//! holder that the user's own work has put there does not go by itself, so that the patience for it is short.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::google::holder;
use crate::kinds::is_of_google;

/// How long it is tried at least, by default, if Google holds the resource or nobody knows who does.
pub const DEFAULT: Duration = Duration::from_secs(600);
/// The same for a holder that is named and does not have a name that Google gives.
const SHORT: Duration = Duration::from_secs(40);
/// The first and the longest pause between two rounds.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));
/// For how many rounds nothing must have changed before it gives up.
const ROUNDS: u32 = 5;
/// For how long, unless the patience is shorter: as many rounds with the longest pause.
const QUIET: Duration = Duration::from_secs(75);

/// The patience with a refusal: short if it names a holder that is not Google's by its name, or if a cluster that is not deleted
/// lives in the resource (`lived_in`).
pub fn limit(message: &str, lived_in: bool, long: Duration) -> Duration {
    let by_user = holder(message).is_some_and(|path| !is_of_google(path));
    match by_user || lived_in {
        true => SHORT.min(long),
        false => long,
    }
}

/// What one round has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Why the deletion was refused; empty if nothing was refused.
    pub refusal: String,
    /// What is still there.
    pub left: Vec<String>,
    /// How many steps of the run have ended so far.
    pub ended: usize,
}

/// The rounds so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Every refusal. Google may name another holder each time: only one that was never named is a change.
    refusals: BTreeSet<String>,
    /// Every list of what was left.
    lists: BTreeSet<Vec<String>>,
    ended: usize,
    /// How many rounds in a row have brought nothing new.
    unchanged: u32,
    /// When the last round brought something new.
    changed: Duration,
}

impl Progress {
    /// The pause before the next round; `None` to give up. `elapsed` is the time since the first round, `limit` the patience.
    pub fn next(&mut self, round: Round, elapsed: Duration, limit: Duration) -> Option<Duration> {
        let is_new = [
            self.refusals.insert(round.refusal),
            self.lists.insert(round.left),
            round.ended > self.ended,
        ];
        self.ended = round.ended;
        if is_new.contains(&true) {
            (self.unchanged, self.changed) = (0, elapsed);
        } else {
            self.unchanged = self.unchanged.saturating_add(1);
        }
        let quiet = elapsed.saturating_sub(self.changed);
        if elapsed >= limit && self.unchanged >= ROUNDS && quiet >= QUIET.min(limit) {
            return None;
        }
        let doubled = PAUSES.0.saturating_mul(1 << self.unchanged.min(10));
        let pause = doubled.min(PAUSES.1);
        // The last round comes when the patience ends, and not long after it.
        let left = limit.saturating_sub(elapsed);
        Some(match left.is_zero() {
            true => pause,
            false => pause.min(left.max(PAUSES.0)),
        })
    }
}

/// What is left of the patience, in words. It changes once a minute, so that a log gets one line a minute.
pub fn remaining(elapsed: Duration, limit: Duration) -> String {
    let left = limit.saturating_sub(elapsed).as_secs();
    match left {
        0 => "until nothing changes any more".to_owned(),
        1..60 => "for less than 1 min more".to_owned(),
        _ => format!("for {} min more", left.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs rounds until it gives up: how long that took, and the number of rounds. `seen` is what round `n` sees after `elapsed`.
    fn run(limit: Duration, seen: impl Fn(u32, Duration) -> Round) -> (Duration, u32) {
        let (mut progress, mut elapsed, mut rounds) = (Progress::default(), Duration::ZERO, 0);
        while let Some(pause) = progress.next(seen(rounds, elapsed), elapsed, limit) {
            assert!(pause >= PAUSES.0 && pause <= PAUSES.1, "{pause:?}");
            elapsed += pause;
            rounds += 1;
            assert!(rounds < 10_000);
        }
        (elapsed, rounds)
    }

    fn round(refusal: &str, left: usize, ended: usize) -> Round {
        Round {
            refusal: refusal.to_owned(),
            left: (0..left).map(|n| n.to_string()).collect(),
            ended,
        }
    }

    #[test]
    fn it_gives_up_when_the_patience_is_over_and_nothing_changes() {
        // (patience in seconds, what a round sees, from and to which second it gives up)
        type Seen = fn(u32, Duration) -> Round;
        let still: Seen = |_, _| round("in use", 3, 0);
        let cases: [(u64, Seen, u64, u64); 7] = [
            (600, still, 600, 615),
            (40, still, 40, 45),
            // A short patience still sees some rounds.
            (0, still, 3, 4),
            (1, still, 2, 5),
            // One of twelve goes each minute: it goes on for as long as that takes.
            (
                600,
                |_, elapsed| {
                    round(
                        "in use",
                        12usize.saturating_sub(elapsed.as_secs() as usize / 60),
                        0,
                    )
                },
                720 + 75,
                720 + 100,
            ),
            // Another deletion of the run ends shortly before the patience does.
            (
                600,
                |_, elapsed| round("in use", 0, usize::from(elapsed.as_secs() > 570)),
                570 + 75,
                570 + 105,
            ),
            // Google names one of two holders at random: that is no change.
            (
                600,
                |n, _| round(["one", "other"][n as usize % 2], 3, 0),
                600,
                615,
            ),
        ];
        for (index, (limit, seen, from, to)) in cases.into_iter().enumerate() {
            let (elapsed, rounds) = run(Duration::from_secs(limit), seen);
            let seconds = elapsed.as_secs();
            assert!((from..=to).contains(&seconds), "{index}: {elapsed:?}");
            assert!(rounds >= ROUNDS, "{index}: {rounds}");
        }
    }

    #[test]
    fn the_patience_with_a_holder_of_googles_is_long() {
        let used =
            |path: &str| format!("The network resource 'n' is already being used by '{path}'");
        for (message, expected) in [
            (used("projects/p/global/firewalls/allow-office"), SHORT),
            (used("projects/p/zones/z/instances/my-machine"), SHORT),
            (used("projects/p/regions/r/routers/my-router"), SHORT),
            (
                used("projects/p/global/firewalls/gke-csm-thc-0a1b2c3d"),
                DEFAULT,
            ),
            (
                used("projects/p/zones/z/networkEndpointGroups/gsmrsvd-abc-80"),
                DEFAULT,
            ),
            (
                used("projects/p/zones/z/instances/gke-cluster1-default-pool-0a1b2c3d-x1y2"),
                DEFAULT,
            ),
            ("it is in use".to_owned(), DEFAULT),
            (String::new(), DEFAULT),
        ] {
            assert_eq!(limit(&message, false, DEFAULT), expected, "{message}");
            // What a living cluster holds does not go by itself.
            assert_eq!(limit(&message, true, DEFAULT), SHORT, "{message}");
            // Who asks for less gets less.
            let second = Duration::from_secs(1);
            assert_eq!(limit(&message, false, second), second, "{message}");
        }
    }

    #[test]
    fn what_is_left_is_said_in_minutes() {
        for (elapsed, expected) in [
            (0, "for 10 min more"),
            (1, "for 10 min more"),
            (61, "for 9 min more"),
            (541, "for less than 1 min more"),
            (600, "until nothing changes any more"),
            (900, "until nothing changes any more"),
        ] {
            let elapsed = Duration::from_secs(elapsed);
            assert_eq!(remaining(elapsed, DEFAULT), expected, "{elapsed:?}");
        }
    }
}
