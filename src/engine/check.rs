//! One check: repeated until it holds, or until its time limit. It sends nothing that changes anything.

use std::time::Duration;

use serde_json::Map;
use tokio::time::Instant;

use super::desired::{Converged, DesiredResource};
use super::event::{Event, StepOutcome};
use super::failure::Failure;
use super::worker::Worker;
use crate::google::retry;

/// First and longest pause between two checks: a policy takes seconds to reach the proxies.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Checks until the check holds, at most for `settle`.
pub async fn check(
    worker: &Worker,
    wanted: &DesiredResource,
    settle: Duration,
) -> Result<Converged, Failure> {
    let DesiredResource {
        resource,
        kind,
        want,
        ..
    } = wanted;
    let what = format!("check {}", resource.short());
    let deadline = Instant::now() + settle;
    let settled = |outcome| Converged {
        outcome,
        differs: outcome == StepOutcome::Unmet,
        outputs: Map::new(),
    };
    for pause in retry::delays(PAUSES.0, PAUSES.1) {
        let look = kind.check(&worker.clients, &resource.at, want);
        let Some(seen) = worker.unless_stopped(look).await? else {
            break;
        };
        let seen = seen.map_err(|error| Failure::of(&what, &error))?;
        if seen.holds || Instant::now() >= deadline {
            let hint = match seen.holds {
                true => None,
                false => {
                    let hint = kind.hint(&worker.clients, &resource.at, want);
                    worker.unless_stopped(hint).await?
                }
            };
            let outcome = if seen.holds {
                StepOutcome::Holds
            } else {
                StepOutcome::Unmet
            };
            worker.emit(Event::Claimed {
                step: worker.step.clone(),
                holds: seen.holds,
                expected: seen.expected,
                seen: seen.seen,
                hint,
            });
            return Ok(settled(outcome));
        }
        worker.waiting(format!("{}, now {}", seen.expected, seen.seen));
        worker.pause(pause).await?;
    }
    // A kind that is not a check has no check.
    Ok(settled(StepOutcome::Looked))
}
