//! Waits until a system of Google's has removed what it holds because of a resource that is deleted, as long as anything changes.
//!
//! It deletes nothing and fails nothing: what is still there when the patience ends is named in a warning, and is deleted as a
//! leftover of the network when the cluster is gone. It can be repeated, because it only reads.

use tokio::time::Instant;

use super::event::Event;
use super::failure::Failure;
use super::patience::{Progress, Round, remaining};
use super::worker::Worker;
use crate::kinds::{Kind, ResourceId};

/// How many names a warning lists.
const NAMED: usize = 3;

/// Waits until nothing is held because of the resource any more, or until nothing changes.
pub async fn withdrawn(worker: &Worker, kind: Kind, resource: &ResourceId) -> Result<(), Failure> {
    let since = Instant::now();
    let limit = worker.deletion_patience;
    let mut progress = Progress::default();
    let mut most = 0;
    loop {
        let read = kind.withdrawal(&worker.clients, &resource.at);
        let held = match worker.unless_stopped(read).await? {
            Ok(held) => held,
            Err(error) => {
                let text = format!("it is unknown what Google still holds for it: {error}");
                warn(worker, text);
                return Ok(());
            }
        };
        if held.left.is_empty() {
            return Ok(());
        }
        most = most.max(held.left.len());
        let count = format!("{} of {most} {}", held.left.len(), held.what);
        if let Some(why) = held.unknown {
            warn(worker, format!("{count} are not waited for: {why}"));
            return Ok(());
        }
        let names = listed(&held.left);
        let round = Round {
            refusal: String::new(),
            left: held.left,
            ended: 0,
        };
        let elapsed = since.elapsed();
        let Some(pause) = progress.next(round, elapsed, limit) else {
            let text = format!(
                "{count} are still there after {} s: {names}; they are deleted after the cluster",
                elapsed.as_secs()
            );
            warn(worker, text);
            return Ok(());
        };
        worker.waiting(format!(
            "{count} are left, which Google removes while the cluster exists; waiting {}",
            remaining(elapsed, limit)
        ));
        worker.pause(pause).await?;
    }
}

fn warn(worker: &Worker, text: String) {
    let step = worker.step.clone();
    worker.emit(Event::Warned { step, text });
}

/// The first names, and how many more there are. Pure.
fn listed(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_names_some() {
        let names =
            |count: usize| -> Vec<String> { (1..=count).map(|n| format!("g{n}")).collect() };
        for (count, expected) in [(1, "g1"), (3, "g1, g2, g3"), (30, "g1, g2, g3 and 27 more")] {
            assert_eq!(listed(&names(count)), expected);
        }
    }
}
