//! Checks what the steps refer to: parameters, other steps and conditions exist, and there is no cycle. Pure.
//!
//! Whether a step has the field in a reference is not known here: that belongs to its kind.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnostic::{Diagnostics, unknown};
use super::graph::Graph;
use super::params::Param;
use super::step_fields::Condition;
use super::tutorial::Template;
use super::{SourceLocation, Step, Tutorial, manifest, refs};

/// Reports every reference, dependency and condition that is unknown, forward, or circular.
pub(super) fn check(tutorial: &Tutorial, diagnostics: &mut Diagnostics) {
    let chapters: BTreeMap<&str, usize> = tutorial
        .chapters
        .iter()
        .enumerate()
        .map(|(n, chapter)| (chapter.name.as_str(), n))
        .collect();
    let known = ReferenceTargets {
        params: tutorial
            .params
            .iter()
            .map(|param| (param.name.as_str(), param))
            .collect(),
        steps: tutorial
            .templates
            .iter()
            .map(|template| (template.step.id.as_str(), template))
            .collect(),
        chapters,
    };
    for template in &tutorial.templates {
        for (place, text) in &template.texts {
            known.check_text(template, place, text, diagnostics);
        }
        for (place, need) in template
            .needs_at
            .iter()
            .filter(|(_, need)| !need.contains("${"))
        {
            known.check_step(template, place, need, diagnostics);
        }
        for condition in &template.conditions {
            known.check_condition(condition, diagnostics);
        }
    }
    for template in &tutorial.outputs {
        for (place, text) in &template.texts {
            known.check_output(&template.output.chapter, place, text, diagnostics);
        }
    }
    manifest::one_version(tutorial.steps(), diagnostics);
    if diagnostics.0.is_empty() {
        let mut steps: Vec<Step> = tutorial.steps().cloned().collect();
        // Such a dependency is known only when the parameters have their values.
        steps
            .iter_mut()
            .for_each(|step| step.needs.retain(|need| !need.contains("${")));
        if let Err(found) = Graph::new(&steps) {
            diagnostics.0.extend(found.0);
        }
    }
}

/// The possible targets of references.
struct ReferenceTargets<'a> {
    params: BTreeMap<&'a str, &'a Param>,
    steps: BTreeMap<&'a str, &'a Template>,
    chapters: BTreeMap<&'a str, usize>,
}

impl ReferenceTargets<'_> {
    fn check_text(
        &self,
        template: &Template,
        place: &SourceLocation,
        text: &str,
        diagnostics: &mut Diagnostics,
    ) {
        for id in self.steps_in(place, text, diagnostics) {
            self.check_step(template, place, &id, diagnostics);
        }
    }

    /// Checks the value of an output. If one of its steps does not exist for some parameters, neither does the output.
    fn check_output(
        &self,
        chapter: &str,
        place: &SourceLocation,
        text: &str,
        diagnostics: &mut Diagnostics,
    ) {
        for id in self.steps_in(place, text, diagnostics) {
            self.not_later(chapter, place, &id, diagnostics);
        }
    }

    /// The steps that a text refers to; its other references are checked here.
    fn steps_in(
        &self,
        place: &SourceLocation,
        text: &str,
        diagnostics: &mut Diagnostics,
    ) -> Vec<String> {
        let mut steps = Vec::new();
        if let Some(broken) = refs::broken(text) {
            let told = format!(
                "`{broken}` is neither ${{STEP.FIELD}} nor ${{param.NAME}}; write `$${{` for a literal `${{`"
            );
            diagnostics.add(place, told);
        }
        for reference in refs::find(&Value::String(text.to_owned())) {
            if !reference.is_param() {
                steps.push(reference.step);
                continue;
            }
            match self.params.get(reference.field.as_str()) {
                None => diagnostics.add(
                    place,
                    unknown("parameter", &reference.field, self.params.keys().copied()),
                ),
                Some(param) if param.is_structure() && reference.to_string() != text => {
                    let what = match param.of.is_list() {
                        true => "a list",
                        false => "more than a word",
                    };
                    diagnostics.add(
                        place,
                        format!("{reference} is {what}, so it cannot be part of a string"),
                    );
                }
                Some(_) => {}
            }
        }
        steps
    }

    fn check_step(
        &self,
        from: &Template,
        place: &SourceLocation,
        id: &str,
        diagnostics: &mut Diagnostics,
    ) {
        let Some(target) = self.not_later(&from.step.chapter, place, id, diagnostics) else {
            return;
        };
        for condition in &target.conditions {
            if !from.conditions.iter().any(|own| own.is_same(condition)) {
                let field = if condition.equal { "when" } else { "unless" };
                let text = format!(
                    "step `{id}` exists only when {}, but `{}` has no such `{field}`",
                    condition.words(),
                    from.step.id
                );
                diagnostics.add(place, text);
            }
        }
    }

    /// The step of a reference from a chapter, which must not be in a later one.
    fn not_later(
        &self,
        from: &str,
        place: &SourceLocation,
        id: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<&Template> {
        let Some(target) = self.steps.get(id) else {
            diagnostics.add(place, unknown("step", id, self.steps.keys().copied()));
            return None;
        };
        // With `--through` the earlier chapter, the reference would have no step.
        if self.chapters.get(target.step.chapter.as_str()) > self.chapters.get(from) {
            let text = format!(
                "step `{id}` is in a later chapter, `{}`",
                target.step.chapter
            );
            diagnostics.add(place, text);
        }
        Some(target)
    }

    fn check_condition(&self, condition: &Condition, diagnostics: &mut Diagnostics) {
        let Condition {
            param: name,
            value,
            source: place,
            ..
        } = condition;
        let Some(param) = self.params.get(name.as_str()) else {
            diagnostics.add(
                place,
                unknown("parameter", name, self.params.keys().copied()),
            );
            return;
        };
        let text = value.as_str().unwrap_or_default();
        for step in self.steps_in(place, text, diagnostics) {
            let told = format!("a condition compares parameters, and `{step}` is a step");
            diagnostics.add(place, told);
        }
        // Which value a reference stands for is known later.
        if refs::find(value).is_empty()
            && refs::broken(text).is_none()
            && let Err(why) = param.take(value)
        {
            diagnostics.add(place, format!("`{name}` never has that value: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST, PARAMS, STEP, of_texts, with};

    #[test]
    fn references_that_lead_nowhere_are_told_with_their_line() {
        for (lines, told) in [
            ("needs: [aa]", "2:9: unknown step `aa`, did you mean `a`?"),
            (
                "needs: [sometimes]",
                "2:9: step `sometimes` exists only when mode is \"two\", but `b` has no such `when`",
            ),
            ("needs: [b]", "2:5: dependency cycle: b needs b"),
            (
                "want:\n  x:\n    - ${aa.name}",
                "2:11: unknown step `aa`, did you mean `a`?",
            ),
            (
                "want: {x: \"${b.name}\"}",
                "2:5: dependency cycle: b needs b",
            ),
            (
                "want: {x: \"${param.projekt}\"}",
                "2:9: unknown parameter `projekt`, did you mean `project`?",
            ),
            (
                "want: {x: \"n: ${param.nets}\"}",
                "2:9: ${param.nets} is a list, so it cannot be part of a string",
            ),
            (
                "want: {x: \"${a}\"}",
                "2:9: `${a}` is neither ${STEP.FIELD} nor ${param.NAME}; write `$${` for a literal `${`",
            ),
            (
                "want: {\"${a.b}\": x}",
                "2:9: a field name cannot contain references: `${a.b}`",
            ),
            (
                "when: {mod: two}",
                "2:9: unknown parameter `mod`, did you mean `mode`?",
            ),
            (
                "when: {mode: tow}",
                "2:9: `mode` never has that value: unknown value `tow`, did you mean `two`?",
            ),
            (
                "when: {mode: [two]}",
                "2:9: `when` compares with one value, but this is a list",
            ),
        ] {
            let found = with(&format!("{STEP}{lines}\n")).unwrap_err();
            assert_eq!(found, told, "{lines}");
        }
    }

    #[test]
    fn a_reference_does_not_lead_forward() {
        let first = format!("{FIRST}---\nstep: early\nsays: s\nkind: k\nat: {{}}\nneeds: [b]\n");
        let second = format!("chapter: second\ntitle: t\nsays: s\n---\n{STEP}");
        let files = [
            ("10-first.yaml", first.as_str()),
            ("20-second.yaml", &second),
            ("params.yaml", PARAMS),
        ];
        let found = of_texts(&files).unwrap_err().to_string();
        assert_eq!(
            found,
            "steps/10-first.yaml:20: step `b` is in a later chapter, `second`"
        );
    }
}
