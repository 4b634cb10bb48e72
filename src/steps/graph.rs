//! The dependencies between steps, without a cycle. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Step;
use super::diagnostic::{Diagnostic, Diagnostics, unknown};

static NOTHING: BTreeSet<String> = BTreeSet::new();

/// The dependencies between steps. Every dependency is a step of the graph, and there is no cycle.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The graph of `steps`, which are in the tutorial's order.
    ///
    /// # Errors
    /// Two steps with one id, an unknown dependency, a cycle (printed in full).
    pub fn new<K>(steps: &[Step<K>]) -> Result<Graph, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for step in steps {
            if needs.insert(step.id.clone(), step.needs.clone()).is_some() {
                diagnostics.add(&step.source, format!("step `{}` is defined twice", step.id));
            }
        }
        for step in steps {
            for need in &step.needs {
                if !needs.contains_key(need) {
                    let ids = steps.iter().map(|step| step.id.as_str());
                    let text = unknown("step", need, ids);
                    diagnostics.add(&step.source, format!("step `{}` needs an {text}", step.id));
                }
            }
        }
        diagnostics.or(())?;
        Graph { needs }.without_cycle(steps)
    }

    /// The graph with dependencies that the steps do not declare: pairs of a step and one that it needs.
    ///
    /// # Errors
    /// A cycle.
    pub fn with<K>(
        &self,
        steps: &[Step<K>],
        extra: &[(String, String)],
    ) -> Result<Graph, Diagnostics> {
        let mut graph = self.clone();
        for (step, need) in extra {
            graph
                .needs
                .entry(step.clone())
                .or_default()
                .insert(need.clone());
        }
        graph.without_cycle(steps)
    }

    /// What `id` needs directly; nothing for a step that is not in the graph.
    pub fn needs(&self, id: &str) -> &BTreeSet<String> {
        self.needs.get(id).unwrap_or(&NOTHING)
    }

    /// All steps that must be done before `id`, directly or indirectly; without `id` itself.
    pub fn transitive_needs(&self, id: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut open: Vec<&String> = self.needs(id).iter().collect();
        while let Some(need) = open.pop() {
            if all.insert(need.clone()) {
                open.extend(self.needs(need));
            }
        }
        all
    }

    fn without_cycle<K>(self, steps: &[Step<K>]) -> Result<Graph, Diagnostics> {
        let placed = placeable(&self.needs);
        if placed.len() < self.needs.len() {
            return Err(cycle(steps, &self.needs, &placed).into());
        }
        Ok(self)
    }
}

/// The steps that can be ordered; a step in a cycle, or one that needs such a step, is missing.
fn placeable(needs: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&str> {
    let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, of_step) in needs {
        for need in of_step {
            dependents.entry(need).or_default().push(id);
        }
    }
    let mut open: BTreeMap<&str, usize> = needs
        .iter()
        .map(|(id, of_step)| (id.as_str(), of_step.len()))
        .collect();
    let mut ready: Vec<&str> = open
        .iter()
        .filter(|(_, left)| **left == 0)
        .map(|(id, _)| *id)
        .collect();
    let mut placed = BTreeSet::new();
    while let Some(next) = ready.pop() {
        placed.insert(next);
        for dependent in dependents.get(next).into_iter().flatten() {
            if let Some(left) = open.get_mut(dependent) {
                *left -= 1;
                if *left == 0 {
                    ready.push(dependent);
                }
            }
        }
    }
    placed
}

/// Follows the dependencies among the steps that cannot be ordered until one repeats.
fn cycle<K>(
    steps: &[Step<K>],
    needs: &BTreeMap<String, BTreeSet<String>>,
    placed: &BTreeSet<&str>,
) -> Diagnostic {
    let mut path: Vec<&str> = Vec::new();
    let mut next = steps
        .iter()
        .map(|step| step.id.as_str())
        .find(|id| !placed.contains(id));
    while let Some(id) = next {
        if let Some(start) = path.iter().position(|seen| *seen == id) {
            path.drain(..start);
            path.push(id);
            break;
        }
        path.push(id);
        // Every step that cannot be ordered needs another such step; otherwise it could be ordered.
        next = needs.get(id).and_then(|n| {
            n.iter()
                .map(String::as_str)
                .find(|need| !placed.contains(need))
        });
    }
    let text = format!("dependency cycle: {}", path.join(" needs "));
    match path
        .first()
        .and_then(|id| steps.iter().find(|step| step.id == *id))
    {
        Some(step) => Diagnostic::at(&step.source, text),
        None => Diagnostic::nowhere(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::SourceLocation;
    use std::time::Duration;

    /// `a b c` is step `a`, which needs `b` and `c`.
    fn steps(lines: &[&str]) -> Vec<Step> {
        let step = |(n, line): (usize, &&str)| {
            let mut words = line.split_whitespace().map(str::to_owned);
            Step {
                id: words.next().unwrap_or_default(),
                chapter: "c".into(),
                says: String::new(),
                kind: "k".into(),
                at: serde_json::Map::new(),
                want: serde_json::Value::Null,
                needs: words.collect(),
                within: Duration::from_secs(1),
                keep: false,
                lookup: None,
                source: SourceLocation {
                    file: "steps/c.yaml".into(),
                    line: n + 1,
                },
            }
        };
        lines.iter().enumerate().map(step).collect()
    }

    #[test]
    fn needs_are_told_directly_and_all_the_way() {
        let edge = ("d".to_owned(), "a".to_owned());
        let steps = steps(&["a", "b a", "c b", "d"]);
        let graph = Graph::new(&steps).unwrap().with(&steps, &[edge]).unwrap();
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(graph.needs("c")), "b");
        assert_eq!(names(graph.needs("d")), "a");
        assert_eq!(names(&graph.transitive_needs("c")), "a b");
        assert_eq!(names(graph.needs("no-such")), "");
    }

    #[test]
    fn what_makes_no_graph_is_told() {
        for (lines, extra, told) in [
            (
                &["a b", "b c", "c a", "d c"][..],
                None,
                "steps/c.yaml:1: dependency cycle: a needs b needs c needs a",
            ),
            (
                &["x b", "b c", "c b"],
                None,
                "steps/c.yaml:2: dependency cycle: b needs c needs b",
            ),
            (
                &["a a"],
                None,
                "steps/c.yaml:1: dependency cycle: a needs a",
            ),
            (
                &["net", "b nte"],
                None,
                "steps/c.yaml:2: step `b` needs an unknown step `nte`, did you mean `net`?",
            ),
            (
                &["a", "a"],
                None,
                "steps/c.yaml:2: step `a` is defined twice",
            ),
            (
                &["a", "b a"],
                Some(("a", "b")),
                "steps/c.yaml:1: dependency cycle: a needs b needs a",
            ),
        ] {
            let extra: Vec<_> = extra
                .iter()
                .map(|(a, b): &(&str, &str)| (a.to_string(), b.to_string()))
                .collect();
            let steps = steps(lines);
            let graph = Graph::new(&steps).and_then(|graph| graph.with(&steps, &extra));
            assert_eq!(graph.unwrap_err().to_string(), told, "{lines:?}");
        }
    }
}
