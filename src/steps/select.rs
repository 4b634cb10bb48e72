//! Selects the steps that exist for these parameters, through this chapter, one for each resource.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnostic::{Diagnostic, Diagnostics, unknown};
use super::graph::Graph;
use super::output::Output;
use super::tutorial::Template;
use super::{Params, Step, Tutorial, refs};

/// The selected steps, and the dependencies between them.
#[derive(Debug, Clone)]
pub struct Selection<K = String> {
    /// The steps, in the tutorial's order.
    pub steps: Vec<Step<K>>,
    /// Their dependencies.
    pub graph: Graph,
    /// The outputs whose steps exist, in the tutorial's order.
    pub outputs: Vec<Output>,
}

impl Tutorial {
    /// The steps in the tutorial's order, through chapter `through` (all chapters without it): those whose `when` holds, with the
    /// parameters' values in `at`, `want` and `needs`. If a later step has the same resource as an earlier one (same kind and
    /// same `at`), only the later exists, in its own position, and references to the earlier resolve to it.
    ///
    /// # Errors
    /// An unknown chapter, with the nearest names; dependencies that are unknown or circular for these parameters.
    pub fn select(&self, params: &Params, through: Option<&str>) -> Result<Selection, Diagnostics> {
        let chapters = self.through(through)?;
        let mut steps: Vec<Step> = self
            .templates
            .iter()
            .filter(|template| {
                chapters.contains(&template.step.chapter.as_str()) && holds(template, params)
            })
            .map(|template| filled(template, params))
            .collect();
        let mut outputs = self.selected_outputs(params, &chapters);
        supersede(&mut steps, &mut outputs);
        let is_there = |id: &str| steps.iter().any(|step| step.id == id);
        outputs.retain(|output| {
            let found = refs::find(&output.value).into_iter();
            let mut steps = found.filter(|reference| !reference.is_param());
            steps.all(|reference| is_there(&reference.step))
        });
        let graph = Graph::new(&steps)?;
        Ok(Selection {
            steps,
            graph,
            outputs,
        })
    }

    /// The outputs of these chapters. A later one replaces an earlier one with its name, in the earlier one's place.
    fn selected_outputs(&self, params: &Params, chapters: &[&str]) -> Vec<Output> {
        let mut outputs: Vec<Output> = Vec::new();
        for template in &self.outputs {
            if !chapters.contains(&template.output.chapter.as_str()) {
                continue;
            }
            let output = filled_output(&template.output, params);
            match outputs.iter_mut().find(|one| one.name == output.name) {
                Some(earlier) => *earlier = output,
                None => outputs.push(output),
            }
        }
        outputs
    }

    fn through(&self, last: Option<&str>) -> Result<Vec<&str>, Diagnostic> {
        let names: Vec<&str> = self
            .chapters
            .iter()
            .map(|chapter| chapter.name.as_str())
            .collect();
        let Some(last) = last else { return Ok(names) };
        match names.iter().position(|name| *name == last) {
            Some(n) => Ok(names[..=n].to_vec()),
            None => Err(Diagnostic::nowhere(unknown("chapter", last, names))),
        }
    }
}

fn holds(template: &Template, params: &Params) -> bool {
    // Compared as texts: `3` and `"3"` mean the same to an author of YAML.
    template.conditions.iter().all(|condition| {
        let value = refs::fill_some(&condition.value, &|reference| params.of(reference));
        params
            .get(&condition.param)
            .is_some_and(|settled| (text(settled) == text(&value)) == condition.equal)
    })
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// An output with the values of the parameters.
fn filled_output(output: &Output, params: &Params) -> Output {
    Output {
        value: refs::fill_some(&output.value, &|reference| params.of(reference)),
        ..output.clone()
    }
}

fn filled(template: &Template, params: &Params) -> Step {
    let mut step = template.step.clone();
    let fill = |value: &Value| refs::fill_some(value, &|reference| params.of(reference));
    step.at = step
        .at
        .iter()
        .map(|(key, value)| (key.clone(), fill(value)))
        .collect();
    step.lookup = step.lookup.and_then(|lookup| lookup.filled(&fill));
    if let Some(lookup) = &step.lookup {
        step.at.extend(lookup.at.clone());
    }
    step.want = fill(&params.without_omitted(&step.want));
    let needs: Vec<String> = step
        .needs
        .iter()
        .map(|need| text(&fill(&Value::String(need.clone()))))
        .collect();
    step.needs = needs.into_iter().collect();
    step
}

fn supersede(steps: &mut Vec<Step>, outputs: &mut [Output]) {
    let mut leads_to: BTreeMap<String, String> = BTreeMap::new();
    for (n, step) in steps.iter().enumerate() {
        // The last step for a resource replaces all others.
        let last = steps[n + 1..]
            .iter()
            .rev()
            .find(|later| later.kind == step.kind && later.at == step.at);
        if let Some(last) = last {
            leads_to.insert(step.id.clone(), last.id.clone());
        }
    }
    if leads_to.is_empty() {
        return;
    }
    steps.retain(|step| !leads_to.contains_key(&step.id));
    for output in outputs {
        output.value = refs::rename(&output.value, &leads_to);
    }
    for step in steps {
        let lead = |value: &Value| refs::rename(value, &leads_to);
        step.at = step
            .at
            .iter()
            .map(|(key, value)| (key.clone(), lead(value)))
            .collect();
        step.want = lead(&step.want);
        let needs = std::mem::take(&mut step.needs);
        step.needs = needs
            .into_iter()
            .map(|need| leads_to.get(&need).cloned().unwrap_or(need))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::of_texts;
    use super::*;

    const PARAMS: &str = "param: mode\nsays: s\nof: choice\nchoices: [one, two]\ndefault: one\n---\n\
        param: n\nsays: s\nof: integer\ndefault: 3\n";
    const FIRST: &str = "chapter: first\ntitle: t\nsays: s\n---\n\
        step: gate\nsays: s\nkind: k\nat: {name: \"x-${param.mode}\"}\nwant: {n: \"${param.n}\"}\n---\n\
        step: only-two\nsays: s\nkind: k\nat: {name: two}\nwhen: {mode: two}\n---\n\
        step: user\nsays: s\nkind: k\nat: {name: user}\nwant: {link: \"${gate.self}\", note: \"$${gate.self}\"}\n";
    const SECOND: &str = "chapter: second\ntitle: t\nsays: s\n---\n\
        step: gate-again\nsays: s\nkind: k\nat: {name: x-one}\nwant: {n: 4}\n---\n\
        step: late\nsays: s\nkind: k\nat: {name: late}\nneeds: [gate]\n";

    fn select(mode: &str, through: Option<&str>) -> Result<Vec<Step>, String> {
        let files = [
            ("10-first.yaml", FIRST),
            ("20-second.yaml", SECOND),
            ("params.yaml", PARAMS),
        ];
        let tutorial = of_texts(&files).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let params = tutorial
            .resolve(&BTreeMap::from([("mode".to_owned(), Value::from(mode))]))
            .unwrap();
        tutorial
            .select(&params, through)
            .map(|selection| selection.steps)
            .map_err(|diagnostics| diagnostics.to_string())
    }

    /// `id<-need,need`.
    fn shape(steps: &[Step]) -> String {
        let one = |step: &Step| {
            let needs: Vec<&str> = step.needs.iter().map(String::as_str).collect();
            format!("{}<-{}", step.id, needs.join(","))
        };
        steps.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn chapters_conditions_and_what_supersedes() {
        for (mode, through, expected) in [
            ("one", Some("first"), "gate<- user<-gate"),
            ("two", Some("first"), "gate<- only-two<- user<-gate"),
            (
                "one",
                None,
                "user<-gate-again gate-again<- late<-gate-again",
            ),
            // At another location it is another resource.
            (
                "two",
                Some("second"),
                "gate<- only-two<- user<-gate gate-again<- late<-gate",
            ),
        ] {
            assert_eq!(
                shape(&select(mode, through).unwrap()),
                expected,
                "{mode} {through:?}"
            );
        }
        assert_eq!(
            select("one", Some("frist")).unwrap_err(),
            "unknown chapter `frist`, did you mean `first`?"
        );
    }

    #[test]
    fn parameters_are_filled_and_references_stay_for_later() {
        let steps = select("one", Some("first")).unwrap();
        assert_eq!(
            (&steps[0].at["name"], &steps[0].want["n"]),
            (&Value::from("x-one"), &Value::from(3))
        );
        assert_eq!(
            steps[1].want,
            serde_json::json!({"link": "${gate.self}", "note": "$${gate.self}"})
        );
        let superseded = select("one", None).unwrap();
        assert_eq!(superseded[0].want["link"], "${gate-again.self}");
    }

    #[test]
    fn a_need_may_name_a_parameter() {
        let second = "chapter: second\ntitle: t\nsays: s\n---\n\
            step: late\nsays: s\nkind: k\nat: {name: late}\nneeds: [\"only-${param.mode}\"]\nwhen: {n: \"3\"}\n";
        let files = [
            ("10-first.yaml", FIRST),
            ("20-second.yaml", second),
            ("params.yaml", PARAMS),
        ];
        let tutorial = of_texts(&files).unwrap();
        let select = |mode: &str| {
            let params = tutorial
                .resolve(&BTreeMap::from([("mode".to_owned(), Value::from(mode))]))
                .unwrap();
            tutorial
                .select(&params, None)
                .map(|selection| shape(&selection.steps[3..]))
                .map_err(|told| told.to_string())
        };
        assert_eq!(select("two").unwrap(), "late<-only-two");
        let told = "steps/20-second.yaml:5: step `late` needs an unknown step `only-one`, known are `gate`, `user` or `late`";
        // The step that was probably meant does not exist in this mode, so it is not suggested.
        assert_eq!(select("one").unwrap_err(), told);
    }

    #[test]
    fn a_circle_that_only_superseding_makes_is_told() {
        let second = "chapter: second\ntitle: t\nsays: s\n---\n\
            step: gate-again\nsays: s\nkind: k\nat: {name: x-one}\nneeds: [user]\n";
        let files = [
            ("10-first.yaml", FIRST),
            ("20-second.yaml", second),
            ("params.yaml", PARAMS),
        ];
        let tutorial = of_texts(&files).unwrap();
        let params = tutorial.resolve(&BTreeMap::new()).unwrap();
        let told = tutorial.select(&params, None).unwrap_err().to_string();
        assert!(
            told.ends_with("dependency cycle: user needs gate-again needs user"),
            "{told}"
        );
    }
}
