//! Steps that only look up a resource that exists already, as a data source of Terraform does. Pure.
//!
//! `lookup` names keys of `at` with the values of the existing resource. If none of these values is empty, they replace those of
//! `at`, and the step reads its resource and never creates, changes, adopts or deletes it. So one step is about the tutorial's own
//! resource, or about one that is there already, and references to it stay the same.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::refs;

/// The values that name an existing resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// The values, which replace those of the step's `at`.
    pub at: Map<String, Value>,
    /// The parameters that they refer to.
    pub params: Vec<String>,
}

impl Lookup {
    /// The same with its references filled; none if one of the values is empty.
    pub(super) fn filled(self, fill: &dyn Fn(&Value) -> Value) -> Option<Lookup> {
        let at = self.at.into_iter();
        let at: Map<String, Value> = at.map(|(key, value)| (key, fill(&value))).collect();
        let is_empty = at.values().any(|value| *value == "");
        (!is_empty).then_some(Lookup {
            at,
            params: self.params,
        })
    }
}

/// The `lookup` of a step.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Lookup> {
    let line = fields.get("lookup")?.line;
    let values = fields.mapping("lookup").iter();
    let at: Map<String, Value> = values
        .map(|(key, node)| (key.name.clone(), node.value()))
        .collect();
    if at.is_empty() {
        fields.complain(line, "`lookup` names no key of `at`");
    }
    let (params, steps): (Vec<_>, Vec<_>) = refs::find(&Value::Object(at.clone()))
        .into_iter()
        .partition(refs::Ref::is_param);
    // Whether the step creates its resource must be known before any step has run.
    for step in steps {
        let text = format!("`lookup` may refer only to parameters, and {step} is not one");
        fields.complain(line, text);
    }
    Some(Lookup {
        at,
        params: params.into_iter().map(|param| param.field).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::testing::of_texts;

    const PARAMS: &str = "param: net\nsays: s\nof: name\noptional: true\n---\n\
        param: host\nsays: s\nof: project-id\ndefault: own-proj\n";
    const STEP: &str = "chapter: first\ntitle: t\nsays: s\n---\n\
        step: net\nsays: s\nkind: k\nat: {project: \"${param.host}\", name: ours}\nlookup: {name: \"${param.net}\"}\nwant: {mode: ours}\n---\n\
        step: user\nsays: s\nkind: k\nat: {name: user}\nwant: {link: \"${net.link}\"}\n---\n\
        patch: theirs\nsteps: [net]\nsays: s\nunless: {net: \"\"}\nwant: {mode: null}\n---\n\
        patch: elsewhere\nsteps: [user]\nsays: s\nunless: {host: own-proj}\nwant: {far: true}\n---\n\
        patch: same\nsteps: [user]\nsays: s\nunless: {net: \"${param.host}\"}\nwhen: {net: \"${param.host}\"}\nwant: {never: true}\n";

    #[test]
    fn a_name_makes_the_step_look_up_what_is_there_already() {
        let files = [("10-first.yaml", STEP), ("params.yaml", PARAMS)];
        let tutorial = of_texts(&files).unwrap_or_else(|told| panic!("{told}"));
        for (given, expected) in [
            (&[][..], "net ours own-proj false {\"mode\":\"ours\"}; user"),
            (
                &[("net", "")],
                "net ours own-proj false {\"mode\":\"ours\"}; user",
            ),
            (&[("net", "prod")], "net-theirs prod own-proj true {}; user"),
            (
                &[("net", "prod"), ("host", "host-proj")],
                "net-theirs prod host-proj true {}; user-elsewhere",
            ),
        ] {
            let given: BTreeMap<String, Value> = given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            let params = tutorial.resolve(&given).unwrap();
            let steps = tutorial.select(&params, None).unwrap().steps;
            let [net, user] = steps.as_slice() else {
                panic!("{steps:?}");
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let shown = format!(
                "{} {} {} {} {}; {}",
                net.id,
                text(&net.at["name"]),
                text(&net.at["project"]),
                net.lookup.is_some(),
                net.want,
                user.id
            );
            assert_eq!(shown, expected, "{given:?}");
            // References lead to the step that is selected.
            assert_eq!(user.want["link"], format!("${{{}.link}}", net.id));
        }
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_line() {
        for (from, to, told) in [
            (
                "lookup: {name: \"${param.net}\"}",
                "lookup: {}",
                "9: `lookup` names no key of `at`",
            ),
            (
                "lookup: {name: \"${param.net}\"}",
                "lookup: prod",
                "9: `lookup` must be a mapping, but this is a string\nsteps/10-first.yaml:9: `lookup` names no key of `at`",
            ),
            (
                "${param.net}",
                "${user.name}",
                "9: `lookup` may refer only to parameters, and ${user.name} is not one",
            ),
            (
                "{name: \"${param.net}\"}",
                "{name: \"${param.nett}\"}",
                "9: unknown parameter `nett`, did you mean `net`?",
            ),
            (
                "unless: {net: \"\"}",
                "unless: {nett: \"\"}",
                "21: unknown parameter `nett`, did you mean `net`?",
            ),
            (
                "unless: {net: \"\"}",
                "unless: {net: A}",
                "21: `net` never has that value: `A` is not a name: a lowercase letter, then lowercase letters, digits and hyphens, at most 63 characters",
            ),
            (
                "unless: {net: \"\"}",
                "unless: {net: [a]}",
                "21: `unless` compares with one value, but this is a list",
            ),
            (
                "unless: {net: \"\"}",
                "unless: {net: \"${user.name}\"}",
                "21: a condition compares parameters, and `user` is a step",
            ),
            ("unless: {net: \"\"}\n", "", "18: missing field `when`"),
        ] {
            assert!(STEP.contains(from), "{from}");
            let text = STEP.replacen(from, to, 1);
            let files = [("10-first.yaml", text.as_str()), ("params.yaml", PARAMS)];
            let found = of_texts(&files).unwrap_err().to_string();
            assert_eq!(found, format!("steps/10-first.yaml:{told}"), "{to}");
        }
    }
}
