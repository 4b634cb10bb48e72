//! What is known of a run's steps before the run: their chapters, their order, and how long each usually takes. Data, and the time
//! that is left, computed from it. It does not know what runs.

use std::collections::{BTreeMap, BTreeSet};

use super::duration::Usual;

/// The steps of a run.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// By the step's id; see also [`deletion_of`].
    pub steps: BTreeMap<String, OutlineStep>,
    /// Whether the durations say something about the time that is left: nothing is known of an emulator that takes no time.
    pub estimates: bool,
}

/// What is known of one step.
#[derive(Debug, Clone, Default)]
pub struct OutlineStep {
    /// The name of its chapter.
    pub chapter: String,
    /// The steps that must end before it.
    pub after: BTreeSet<String>,
    /// How long it is expected to take.
    pub expected: Usual,
    /// How long it takes if a request is sent that creates or deletes its resource.
    pub if_sent: Usual,
    /// What is deleted with it: `2 pools and 48 objects`.
    pub inside: Option<String>,
}

/// The key in [`Outline::steps`] of the deletion of a step's resource which the same run creates again. Such a step is there twice.
pub fn deletion_of(step: &str) -> String {
    format!("deletion of {step}")
}

impl Outline {
    /// The time until every step has ended. `ended` steps take no more time; `at_work` says what is left of a step at work.
    pub fn left(
        &self,
        ended: &BTreeSet<String>,
        at_work: &BTreeMap<String, Usual>,
    ) -> Option<Usual> {
        if !self.estimates {
            return None;
        }
        let mut known = BTreeMap::new();
        let ids = self.steps.keys();
        Some(ids.fold(Usual::default(), |longest, id| {
            longest.beside(self.until(id, ended, at_work, &mut known))
        }))
    }

    /// The time until this step has ended. `known` has the results so far; a step that is being computed counts as zero there, so
    /// that a cycle ends.
    fn until<'a>(
        &'a self,
        id: &'a str,
        ended: &BTreeSet<String>,
        at_work: &BTreeMap<String, Usual>,
        known: &mut BTreeMap<&'a str, Usual>,
    ) -> Usual {
        if ended.contains(id) {
            return Usual::default();
        }
        if let Some(left) = at_work.get(id) {
            return *left;
        }
        if let Some(until) = known.get(id) {
            return *until;
        }
        known.insert(id, Usual::default());
        let Some(step) = self.steps.get(id) else {
            return Usual::default();
        };
        let before = step.after.iter().fold(Usual::default(), |longest, before| {
            longest.beside(self.until(before, ended, at_work, known))
        });
        let until = before.then(step.expected);
        known.insert(id, until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(after: &[&str], low: u64, high: u64) -> OutlineStep {
        OutlineStep {
            after: after.iter().map(|id| (*id).to_owned()).collect(),
            expected: Usual::seconds(low, high),
            ..OutlineStep::default()
        }
    }

    fn outline() -> Outline {
        let steps = [
            ("network", step(&[], 10, 20)),
            ("subnet", step(&["network"], 5, 20)),
            ("firewall", step(&["network"], 5, 30)),
            ("cluster", step(&["subnet", "firewall"], 240, 600)),
            ("alone", step(&[], 1, 2)),
        ];
        Outline {
            steps: steps.map(|(id, step)| (id.to_owned(), step)).into(),
            estimates: true,
        }
    }

    #[test]
    fn the_longest_way_to_the_end_is_left() {
        // (ended, at work with what is left of them, low, high)
        type Row<'a> = (&'a [&'a str], &'a [(&'a str, u64, u64)], u64, u64);
        let rows: [Row<'_>; 5] = [
            (&[], &[], 255, 650),
            (&["network"], &[], 245, 630),
            (
                &["network"],
                &[("subnet", 1, 2), ("firewall", 0, 60)],
                241,
                660,
            ),
            (
                &["network", "subnet", "firewall", "alone"],
                &[("cluster", 0, 90)],
                0,
                90,
            ),
            (
                &["network", "subnet", "firewall", "alone", "cluster"],
                &[],
                0,
                0,
            ),
        ];
        for (ended, at_work, low, high) in rows {
            let ended = ended.iter().map(|id| (*id).to_owned()).collect();
            let at_work = at_work
                .iter()
                .map(|(id, low, high)| ((*id).to_owned(), Usual::seconds(*low, *high)))
                .collect();
            let left = outline().left(&ended, &at_work);
            assert_eq!(
                left,
                Some(Usual::seconds(low, high)),
                "{ended:?} {at_work:?}"
            );
        }
    }

    #[test]
    fn a_cycle_and_a_step_that_is_not_there_end() {
        let mut outline = outline();
        outline
            .steps
            .insert("network".to_owned(), step(&["cluster", "gone"], 10, 20));
        assert!(outline.left(&BTreeSet::new(), &BTreeMap::new()).is_some());
        outline.estimates = false;
        assert_eq!(outline.left(&BTreeSet::new(), &BTreeMap::new()), None);
    }
}
