//! Outputs: values of the finished environment that people and other programs ask for, such as addresses and names. A chapter
//! declares them beside its steps. What a value is made of is read from the live resources; this module only says where it is.

use serde_json::Value;

use super::SourceLocation;
use super::diagnostic::Diagnostics;
use super::fields::Fields;
use super::step_fields::is_id;
use super::yaml::{Node, Tree};

/// The field by which a document is an output.
const OUTPUT: &str = "output";
const FIELDS: &[&str] = &[OUTPUT, "says", "value", "none"];

/// A value of the environment, and where it comes from.
#[derive(Debug, Clone)]
pub struct Output {
    /// The name, as in `provision output NAME`.
    pub name: String,
    /// What the value is, and what it is for.
    pub says: String,
    /// The value, with references to fields of steps' live resources.
    pub value: Value,
    /// What it means if the value is empty; none if it never is.
    pub none: Option<String>,
    /// The name of its chapter.
    pub chapter: String,
    /// The location of the output.
    pub source: SourceLocation,
}

/// An output as it is written.
#[derive(Debug, Clone)]
pub(super) struct OutputTemplate {
    /// The output, with unresolved references.
    pub output: Output,
    /// Every text in its value, with its location.
    pub texts: Vec<(SourceLocation, String)>,
}

/// Whether a document is an output.
pub(super) fn is_output(document: &Node) -> bool {
    matches!(&document.tree, Tree::Map(fields) if fields.iter().any(|(key, _)| key.name == OUTPUT))
}

/// The output of a document.
pub(super) fn read(
    file: &str,
    chapter: &str,
    document: &Node,
    diagnostics: &mut Diagnostics,
) -> OutputTemplate {
    let mut fields = Fields::of(file, document, FIELDS, diagnostics);
    let source = fields.place();
    let name = fields.text(OUTPUT);
    if !name.is_empty() && !is_id(&name) {
        fields.complain(
            source.line,
            format!("`{name}` is not a valid output name: use lowercase letters, digits and `-`"),
        );
    }
    let says = fields.prose("says");
    let none = fields.get("none").is_some().then(|| fields.prose("none"));
    let value = fields.text("value");
    let mut texts = Vec::new();
    if let Some(node) = fields.get("value") {
        texts.push((fields.place_at(node.line), value.clone()));
    }
    OutputTemplate {
        output: Output {
            name,
            says,
            value: value.into(),
            none,
            chapter: chapter.to_owned(),
            source,
        },
        texts,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testing::{PARAMS, STEP, of_texts, with};
    use super::*;

    const OUT: &str = "output: address\nsays: s\nvalue: ${param.project}-${b.field}\n";

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, told) in [
            (
                "output: a.b\nsays: s\nvalue: x\n",
                "2:10: `a.b` is not a valid output name: use lowercase letters, digits and `-`",
            ),
            (
                "output: address\nsays: s\nvalue: x\nwhen: {mode: two}\n",
                "2:13: unknown field `when`, did you mean `none`?",
            ),
            (
                "output: address\nsays: s\nvalue: ${bb.field}\n",
                "2:12: unknown step `bb`, did you mean `b`?",
            ),
            (
                "output: address\nsays: s\nvalue: ${param.projekt}\n",
                "2:12: unknown parameter `projekt`, did you mean `project`?",
            ),
            ("output: address\nsays: s\n", "2:10: missing field `value`"),
            (
                "output: address\nsays: s\nvalue: x\n---\noutput: address\nsays: s\nvalue: y\n",
                "2:14: output `address` is defined twice, first at 2:10",
            ),
        ] {
            let found = with(&format!("{STEP}---\n{text}")).unwrap_err();
            let told_first = found.lines().next().unwrap_or_default();
            assert!(
                told_first.starts_with(told.split(',').next().unwrap()),
                "{found}"
            );
        }
    }

    #[test]
    fn an_output_follows_what_supersedes_its_step_and_a_later_one_replaces_it() {
        let first = format!("chapter: first\ntitle: t\nsays: s\n---\n{STEP}---\n{OUT}");
        let outputs = |second: &str, through| {
            let second = format!("chapter: second\ntitle: t\nsays: s\n{second}");
            let files = [
                ("10-first.yaml", first.as_str()),
                ("20-second.yaml", &second),
                ("params.yaml", PARAMS),
            ];
            let tutorial = of_texts(&files).unwrap_or_else(|told| panic!("{told}"));
            let given = BTreeMap::from([("project".to_owned(), "demo-proj".into())]);
            let params = tutorial.resolve(&given).unwrap();
            let outputs = tutorial.select(&params, through).unwrap().outputs;
            let text = |output: &Output| format!("{}={}", output.name, output.value);
            outputs.iter().map(text).collect::<Vec<_>>()
        };
        let again = "---\nstep: again\nsays: s\nkind: k\nat: {z: z}\n";
        let other = "---\noutput: address\nsays: s\nvalue: other\n";
        for (second, through, expected) in [
            ("", None, r#"address="demo-proj-${b.field}""#),
            (again, None, r#"address="demo-proj-${again.field}""#),
            (again, Some("first"), r#"address="demo-proj-${b.field}""#),
            (other, None, r#"address="other""#),
            (other, Some("first"), r#"address="demo-proj-${b.field}""#),
        ] {
            assert_eq!(outputs(second, through), [expected], "{second}");
        }
    }

    #[test]
    fn an_output_of_a_step_that_does_not_exist_is_left_out() {
        let second = "output: address\nsays: s\nvalue: ${sometimes.field}\n";
        let tutorial = with(&format!("{STEP}---\n{second}")).unwrap();
        for (mode, expected) in [("one", 0), ("two", 1)] {
            let given = BTreeMap::from([
                ("project".to_owned(), "demo-proj".into()),
                ("mode".to_owned(), mode.into()),
            ]);
            let params = tutorial.resolve(&given).unwrap();
            assert_eq!(
                tutorial.select(&params, None).unwrap().outputs.len(),
                expected
            );
        }
    }
}
