//! Steps and what they need, in an order. Pure: the same steps give the same order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::Step;
use super::diagnostic::{Diagnostic, Diagnostics, unknown};

static NOTHING: BTreeSet<String> = BTreeSet::new();

/// Which step needs which. Every need is a step of the graph, and there is no circle.
#[derive(Debug, Clone)]
pub struct Graph {
    ids: Vec<String>,
    needs: BTreeMap<String, BTreeSet<String>>,
    dependents: BTreeMap<String, BTreeSet<String>>,
    order: Vec<usize>,
}

impl Graph {
    /// The graph of `steps`, which stand in the tutorial's order, with edges that the data does not have: `extra` holds
    /// pairs of a step and one that it needs.
    ///
    /// # Errors
    /// Two steps of one name, a need that is no step, a circle (named in full).
    pub fn new<K>(steps: &[Step<K>], extra: &[(String, String)]) -> Result<Graph, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let ids: Vec<String> = steps.iter().map(|step| step.id.clone()).collect();
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for step in steps {
            if needs.insert(step.id.clone(), step.needs.clone()).is_some() {
                diagnostics.add(&step.source, format!("step `{}` is defined twice", step.id));
            }
        }
        for (step, need) in extra {
            match needs.get_mut(step) {
                Some(of_step) => {
                    of_step.insert(need.clone());
                }
                None => diagnostics.0.push(Diagnostic::nowhere(unknown(
                    "step",
                    step,
                    ids.iter().map(String::as_str),
                ))),
            }
        }
        for step in steps {
            for need in needs.get(&step.id).unwrap_or(&NOTHING) {
                if !needs.contains_key(need) {
                    let text = unknown("step", need, ids.iter().map(String::as_str));
                    diagnostics.add(&step.source, format!("step `{}` needs an {text}", step.id));
                }
            }
        }
        diagnostics.or(())?;
        let mut dependents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, of_step) in &needs {
            for need in of_step {
                dependents
                    .entry(need.clone())
                    .or_default()
                    .insert(id.clone());
            }
        }
        let order = sort(&ids, &needs, &dependents);
        if order.len() < ids.len() {
            return Err(circle(steps, &needs, &order).into());
        }
        Ok(Graph {
            ids,
            needs,
            dependents,
            order,
        })
    }

    /// What `id` needs directly; nothing for a step that is not in the graph.
    pub fn needs(&self, id: &str) -> &BTreeSet<String> {
        self.needs.get(id).unwrap_or(&NOTHING)
    }

    /// The steps that need `id` directly.
    pub fn dependents(&self, id: &str) -> &BTreeSet<String> {
        self.dependents.get(id).unwrap_or(&NOTHING)
    }

    /// All steps, each after what it needs; among those that could come next, the first of the tutorial comes first.
    pub fn order(&self) -> Vec<&str> {
        self.order.iter().map(|&n| self.ids[n].as_str()).collect()
    }

    /// All that must be done before `id`, directly or through others; without `id` itself.
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
}

/// Positions in `ids`, needs first; what stands in a circle or behind one is missing.
fn sort(
    ids: &[String],
    needs: &BTreeMap<String, BTreeSet<String>>,
    dependents: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<usize> {
    let position: BTreeMap<&str, usize> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| (id.as_str(), n))
        .collect();
    let mut open: BTreeMap<&str, usize> = needs
        .iter()
        .map(|(id, of_step)| (id.as_str(), of_step.len()))
        .collect();
    let mut ready: BinaryHeap<Reverse<usize>> = open
        .iter()
        .filter(|(_, left)| **left == 0)
        .map(|(id, _)| Reverse(position[id]))
        .collect();
    let mut order = Vec::with_capacity(ids.len());
    while let Some(Reverse(next)) = ready.pop() {
        order.push(next);
        for dependent in dependents.get(&ids[next]).unwrap_or(&NOTHING) {
            if let Some(left) = open.get_mut(dependent.as_str()) {
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse(position[dependent.as_str()]));
                }
            }
        }
    }
    order
}

/// Follows needs among the steps that found no place until one comes up again.
fn circle<K>(
    steps: &[Step<K>],
    needs: &BTreeMap<String, BTreeSet<String>>,
    placed: &[usize],
) -> Diagnostic {
    let placed: BTreeSet<&str> = placed.iter().map(|&n| steps[n].id.as_str()).collect();
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
        // Every unplaced step needs an unplaced step, else it would have been placed.
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
                source: SourceLocation {
                    file: "steps/c.yaml".into(),
                    line: n + 1,
                },
            }
        };
        lines.iter().enumerate().map(step).collect()
    }

    #[test]
    fn needs_come_first_and_else_the_tutorial_leads() {
        for (lines, order) in [
            (&["a", "b", "c"][..], "a b c"),
            (&["a c", "b", "c"], "b c a"),
            (&["z", "y z", "x z", "w y"], "z y x w"),
            (&[], ""),
        ] {
            assert_eq!(
                Graph::new(&steps(lines), &[]).unwrap().order().join(" "),
                order,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn edges_both_ways_and_all_the_way() {
        let edge = ("d".to_owned(), "a".to_owned());
        let graph = Graph::new(&steps(&["a", "b a", "c b", "d"]), &[edge]).unwrap();
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(graph.needs("c")), "b");
        assert_eq!(names(graph.dependents("a")), "b d");
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
            (
                &["net"],
                Some(("nte", "net")),
                "unknown step `nte`, did you mean `net`?",
            ),
        ] {
            let extra: Vec<_> = extra
                .iter()
                .map(|(a, b): &(&str, &str)| (a.to_string(), b.to_string()))
                .collect();
            assert_eq!(
                Graph::new(&steps(lines), &extra).unwrap_err().to_string(),
                told,
                "{lines:?}"
            );
        }
    }
}
