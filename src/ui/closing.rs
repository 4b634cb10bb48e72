//! The last lines of a run that changes something: what it did, what to do next, what it costs, and what goes on without it. Pure.

use std::time::Duration;

use super::prices::{self, Running};
use super::time;
use crate::engine::event::{Tally, millis};

/// What a run did. The words of the counts are read by programs, too.
pub fn counts(steps: usize, tally: Tally, took: u64) -> String {
    let counts = [
        (tally.created, "created"),
        (tally.updated, "changed"),
        (tally.deleted, "removed"),
        (tally.adopted, "taken over"),
        (tally.unchanged, "as wanted"),
        (tally.kept, "kept"),
        (tally.failed, "failed"),
        (tally.blocked, "not started"),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let said = match (said.is_empty(), steps) {
        (true, 0) => "nothing to do".to_owned(),
        // The run was stopped.
        (true, _) => "nothing finished".to_owned(),
        (false, _) => said.join(", "),
    };
    format!("{said} in {}", time(took))
}

/// What an environment costs until `down` (the whole command); none if no price is known.
pub fn costs(region: &str, running: &Running, down: &str) -> Option<String> {
    let dollars = prices::an_hour(region, running).filter(|dollars| *dollars >= 0.005)?;
    let mut parts: Vec<String> = Vec::new();
    for (machine, number, _) in &running.nodes {
        let same = parts.iter().position(|part| part.ends_with(machine));
        let before = same.map(|at| parts.remove(at));
        let before = before.and_then(|part| part.split(' ').next()?.parse::<u64>().ok());
        parts.push(format!("{} {machine}", number + before.unwrap_or_default()));
    }
    if !running.nodes.is_empty() {
        parts.push("their disks".to_owned());
    }
    parts.extend((running.clusters > 0).then(|| "the cluster".to_owned()));
    parts.extend((running.gateways > 0).then(|| "NAT".to_owned()));
    Some(format!(
        "Costs about ${dollars:.2} an hour until `{down}`: {} at Google's list prices of {}; traffic and the mesh are not counted",
        parts.join(", "),
        prices::DATE
    ))
}

/// A request that goes on without the run: `creating cluster1`, and its age.
pub struct OpenRequest {
    /// What is done: `creating`.
    pub doing: &'static str,
    /// The resource.
    pub name: String,
    /// The time since it was sent.
    pub age: Option<Duration>,
}

/// What goes on after a run was interrupted; none if nothing does. An emulator of this process ends with it.
pub fn goes_on(open: &[OpenRequest], emulated: bool, down: &str) -> Option<String> {
    if open.is_empty() {
        return None;
    }
    let each = open.iter().map(|open| {
        let age = open.age.map(|age| format!(" (for {})", time(millis(age))));
        format!("{} {}{}", open.doing, open.name, age.unwrap_or_default())
    });
    let each = each.collect::<Vec<_>>().join(", ");
    Some(match emulated {
        true => format!("the emulator has not finished: {each}; the next run waits for it"),
        false => format!(
            "Google goes on without this program: {each}; what exists is billed until `{down}`"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::*;

    #[test]
    fn what_a_run_did_is_one_line() {
        let tally = |created, updated, unchanged, failed| Tally {
            created,
            updated,
            unchanged,
            failed,
            ..Tally::default()
        };
        for (steps, tally, said) in [
            (
                80,
                tally(69, 1, 10, 0),
                "69 created, 1 changed, 10 as wanted in 3.8s",
            ),
            (80, tally(0, 0, 80, 0), "80 as wanted in 3.8s"),
            (80, tally(2, 0, 0, 1), "2 created, 1 failed in 3.8s"),
            (80, Tally::default(), "nothing finished in 3.8s"),
            (0, Tally::default(), "nothing to do in 3.8s"),
        ] {
            assert_eq!(counts(steps, tally, 3_800), said);
        }
    }

    #[test]
    fn a_figure_names_its_parts_and_its_date() {
        let standard = |number| ("e2-standard-4".to_owned(), number, 100);
        let running = Running {
            clusters: 1,
            nodes: vec![standard(3), standard(1)],
            gateways: 1,
            addresses: 1,
        };
        let said = costs("us-central1", &running, "provision down").unwrap();
        assert_eq!(
            said,
            "Costs about $0.70 an hour until `provision down`: 4 e2-standard-4, their disks, the cluster, NAT at Google's list prices of 2025-03-06; traffic and the mesh are not counted"
        );
        assert_eq!(costs("mars-north1", &running, "provision down"), None);
        let nothing = Running::default();
        assert_eq!(costs("us-central1", &nothing, "provision down"), None);
    }

    #[test]
    fn the_closing_lines_on_a_terminal() {
        let running = Running {
            clusters: 1,
            nodes: vec![("e2-standard-4".to_owned(), 4, 100)],
            gateways: 1,
            addresses: 1,
        };
        let said = costs("us-central1", &running, "provision down --env blue").unwrap();
        assert_eq!(
            fold(&said, 80),
            "\
Costs about $0.70 an hour until `provision down --env blue`: 4 e2-standard-4,
  their disks, the cluster, NAT at Google's list prices of 2025-03-06; traffic
  and the mesh are not counted"
        );
        assert_eq!(
            fold(&said, 120),
            "\
Costs about $0.70 an hour until `provision down --env blue`: 4 e2-standard-4, their disks, the cluster, NAT at Google's
  list prices of 2025-03-06; traffic and the mesh are not counted"
        );
        let open = OpenRequest {
            doing: "creating",
            name: "cluster1".to_owned(),
            age: Some(Duration::from_secs(252)),
        };
        let said = goes_on(&[open], false, "provision down").unwrap();
        assert_eq!(
            fold(&said, 80),
            "\
Google goes on without this program: creating cluster1 (for 4m12s); what exists
  is billed until `provision down`"
        );
    }

    #[test]
    fn what_goes_on_is_named() {
        let open = [
            OpenRequest {
                doing: "creating",
                name: "cluster1".to_owned(),
                age: Some(Duration::from_secs(252)),
            },
            OpenRequest {
                doing: "changing",
                name: "nat-router".to_owned(),
                age: None,
            },
        ];
        assert_eq!(
            goes_on(&open, false, "provision down").as_deref(),
            Some(
                "Google goes on without this program: creating cluster1 (for 4m12s), changing nat-router; what exists is billed until `provision down`"
            )
        );
        let emulated = goes_on(&open[..1], true, "provision down --emulate");
        assert_eq!(
            emulated.as_deref(),
            Some(
                "the emulator has not finished: creating cluster1 (for 4m12s); the next run waits for it"
            )
        );
        assert_eq!(goes_on(&[], false, "provision down"), None);
    }
}
