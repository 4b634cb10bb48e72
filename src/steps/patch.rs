//! A patch: steps of the same chapter again, with some fields changed, for certain values of parameters.
//!
//! A patch is only a short form. It expands to one step, `STEP-PATCH`, for each step that it names, with the same kind, location
//! and dependencies. A later step for the same resource replaces the earlier one, so the patched step replaces the named one
//! wherever its `when` holds. A patch cannot change which resource the step declares.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::SourceLocation;
use super::diagnostic::{Diagnostics, unknown};
use super::fields::Fields;
use super::manifest;
use super::step_fields::{Condition, conditions, is_id, references, texts};
use super::tutorial::Template;
use super::yaml::{Node, Tree};

/// The field that identifies a patch.
const PATCH: &str = "patch";
const FIELDS: &[&str] = &[PATCH, "steps", "says", "when", "unless", "want", "needs"];

/// A patch as it is written.
#[derive(Debug)]
pub(super) struct Patch {
    name: String,
    says: String,
    /// The steps that it names, each with its location.
    steps: Vec<(SourceLocation, String)>,
    conditions: Vec<Condition>,
    want: Value,
    texts: Vec<(SourceLocation, String)>,
    /// Further steps that must come first, each with its location.
    needs: Vec<(SourceLocation, String)>,
    source: SourceLocation,
}

/// Whether a document is a patch.
pub(super) fn is_patch(document: &Node) -> bool {
    matches!(&document.tree, Tree::Map(fields) if fields.iter().any(|(key, _)| key.name == PATCH))
}

/// The patch of a document.
pub(super) fn read(file: &str, document: &Node, diagnostics: &mut Diagnostics) -> Patch {
    let mut fields = Fields::of(file, document, FIELDS, diagnostics);
    let source = fields.place();
    let name = fields.text(PATCH);
    if !name.is_empty() && !is_id(&name) {
        fields.complain(
            source.line,
            format!("`{name}` is not a valid patch name: use lowercase letters, digits and `-`"),
        );
    }
    let says = fields.prose("says");
    for required in ["steps", "when", "want"] {
        let instead = required == "when" && fields.get("unless").is_some();
        if fields.get(required).is_none() && !instead {
            fields.complain(source.line, format!("missing field `{required}`"));
        }
    }
    fields.mapping("want");
    let want = fields.get("want").map(Node::value);
    let steps = fields.texts("steps");
    let needs = fields.texts("needs");
    Patch {
        name,
        says,
        steps: steps
            .into_iter()
            .map(|(line, step)| (fields.place_at(line), step))
            .collect(),
        conditions: conditions(&mut fields),
        want: want.unwrap_or_else(|| Value::Object(Map::new())),
        needs: needs
            .into_iter()
            .map(|(line, need)| (fields.place_at(line), need))
            .collect(),
        texts: texts(&mut fields),
        source,
    }
}

/// The steps of a chapter, each followed by its patched forms in the order of the patches.
pub(super) fn expand(
    steps: Vec<Template>,
    patches: &[Patch],
    diagnostics: &mut Diagnostics,
) -> Vec<Template> {
    let ids: BTreeSet<String> = steps.iter().map(|one| one.step.id.clone()).collect();
    for (place, id) in patches.iter().flat_map(|patch| &patch.steps) {
        if !ids.contains(id) {
            let text = unknown("step", id, ids.iter().map(String::as_str));
            diagnostics.add(
                place,
                format!("{text} (a patch names steps of its own chapter)"),
            );
        }
    }
    let mut expanded = Vec::new();
    for template in steps {
        let named = patches.iter().filter_map(|patch| {
            let found = patch.steps.iter().find(|(_, id)| *id == template.step.id);
            found.map(|(place, _)| (patch, place))
        });
        let patched: Vec<Template> = named
            .map(|(patch, place)| patched(&template, patch, place, diagnostics))
            .collect();
        expanded.push(template);
        expanded.extend(patched);
    }
    expanded
}

fn patched(
    base: &Template,
    patch: &Patch,
    place: &SourceLocation,
    diagnostics: &mut Diagnostics,
) -> Template {
    let mut step = base.step.clone();
    json::merge(&mut step.want, &patch.want);
    if let Some(field) = manifest::moved(&base.step.want, &step.want) {
        let text = format!(
            "a patch cannot change `{field}`: step `{}` would be about another object",
            base.step.id
        );
        diagnostics.add(place, text);
    }
    step.id = format!("{}-{}", base.step.id, patch.name);
    step.says.clone_from(&patch.says);
    step.source = patch.source.clone();
    step.needs.extend(references(&patch.want));
    step.needs
        .extend(patch.needs.iter().map(|(_, need)| need.clone()));
    Template {
        step,
        conditions: base
            .conditions
            .iter()
            .chain(&patch.conditions)
            .cloned()
            .collect(),
        // Errors in the other fields are reported for the step itself.
        texts: patch.texts.clone(),
        needs_at: patch.needs.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::testing::with;

    const STEPS: &str = "step: b\nsays: s\nkind: k\nat: {z: z}\nwant: {l: {x: 1, y: 2}}\nneeds: [a]\nwithin: 90s\nkeep: true\n---\n\
        step: c\nsays: s\nkind: k\nat: {}\nwant: {apiVersion: v1, kind: Pod, metadata: {name: n}}\nneeds: [b]\n---\n\
        step: d\nsays: s\nkind: k\nat: {d: d}\nwhen: {mode: two}\n---\n";
    const PATCH: &str = "patch: more\nsteps: [b, c]\nsays: other\nwhen: {mode: two}\nwant: {l: {x: null, z: \"${d.id}\"}}\n";

    #[test]
    fn a_patch_is_a_step_for_each_step_that_it_names() {
        let tutorial = with(&format!("{STEPS}{PATCH}")).unwrap();
        let ids: Vec<&str> = tutorial.steps().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["a", "sometimes", "b", "b-more", "c", "c-more", "d"]);
        let step = |id: &str| tutorial.steps().find(|step| step.id == id).unwrap().clone();
        let (base, patched) = (step("b"), step("b-more"));
        assert_eq!(patched.want, json!({"l": {"y": 2, "z": "${d.id}"}}));
        assert_eq!(patched.says, "other");
        assert_eq!(
            (patched.kind, patched.at, patched.within, patched.keep),
            (base.kind, base.at, base.within, base.keep)
        );
        let needs: Vec<&str> = patched.needs.iter().map(String::as_str).collect();
        assert_eq!(
            needs,
            ["a", "d"],
            "those of the step and the references of the patch"
        );
        assert_eq!(patched.source.to_string(), "steps/20-second.yaml:27");
        let when: Vec<(&str, &Value)> = tutorial.when("b-more").collect();
        assert_eq!(when, [("mode", &json!("two"))]);

        // It replaces the step if its `when` holds.
        let select = |mode: &str| -> Vec<String> {
            let params = BTreeMap::from([("mode".to_owned(), mode.into())]);
            let params = params
                .into_iter()
                .chain([("project".to_owned(), Value::from("project-1"))])
                .collect();
            let params = tutorial.resolve(&params).unwrap();
            let steps = tutorial.select(&params, None).unwrap().steps;
            let shown = steps.iter().map(|step| {
                let needs: Vec<&str> = step.needs.iter().map(String::as_str).collect();
                format!("{}<-{}", step.id, needs.join(","))
            });
            shown.collect()
        };
        assert_eq!(select("one"), ["a<-", "b<-a", "c<-b"]);
        assert_eq!(
            select("two"),
            [
                "a<-",
                "sometimes<-",
                "b-more<-a,d",
                "c-more<-b-more,d",
                "d<-"
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_patch_is_reported_with_its_line() {
        for (from, to, told) in [
            (
                "[b, c]",
                "[b, cc]",
                "2:28: unknown step `cc`, did you mean `c`? (a patch names steps of its own chapter)",
            ),
            (
                "[b, c]",
                "[a]",
                "2:28: unknown step `a`, did you mean `b`, `c` or `d`? (a patch names steps of its own chapter)",
            ),
            ("steps: [b, c]\n", "", "2:27: missing field `steps`"),
            ("when: {mode: two}\n", "", "2:27: missing field `when`"),
            (
                "want:",
                "wants:",
                "2:27: missing field `want`\n2:31: unknown field `wants`, did you mean `want`?",
            ),
            ("says: other", "says: ''", "2:29: `says` is empty"),
            (
                "more",
                "M",
                "2:27: `M` is not a valid patch name: use lowercase letters, digits and `-`",
            ),
            (
                "mode: two",
                "mod: two",
                "2:30: unknown parameter `mod`, did you mean `mode`?",
            ),
            ("${d.id}", "${e.id}", "2:31: unknown step `e`"),
            (
                "{l: {",
                "{metadata: {name: m}, l: {",
                "2:28: a patch cannot change `metadata.name`: step `c` would be about another object",
            ),
            (
                "{l: {",
                "{kind: null, l: {",
                "2:28: a patch cannot change `kind`: step `c` would be about another object",
            ),
        ] {
            let text = format!("{STEPS}{PATCH}");
            assert!(text.contains(from), "{from}");
            let patch = PATCH.replace(from, to);
            let found = with(&format!("{STEPS}{patch}")).unwrap_err();
            assert!(found.contains(told), "{to}: {found}");
        }
        // Two patches with one name cannot apply to one step.
        let found = with(&format!("{STEPS}{PATCH}---\n{PATCH}")).unwrap_err();
        assert!(found.contains("step `b-more` is defined twice"), "{found}");
    }
}
