//! The fields that steps and patches share: conditions, texts with references, names.

use serde_json::Value;

use super::fields::Fields;
use super::yaml::{Tree, Where};
use super::{SourceLocation, refs};

/// The steps that a value refers to.
pub(super) fn references(value: &Value) -> Vec<String> {
    let found = refs::find(value).into_iter();
    found
        .filter(|reference| !reference.is_param())
        .map(|reference| reference.step)
        .collect()
}

/// The parameters' values in `when`.
pub(super) fn condition(fields: &mut Fields<'_>) -> Vec<(String, Value, SourceLocation)> {
    let mut when = Vec::new();
    for (key, node) in fields.mapping("when") {
        match &node.tree {
            Tree::Scalar(value) if !value.is_null() => {
                when.push((key.name.clone(), value.clone(), fields.place_at(node.line)));
            }
            _ => fields.complain(
                node.line,
                format!(
                    "`when` compares with one value, but this is {}",
                    node.is_a()
                ),
            ),
        }
    }
    when
}

/// Every text in the step's data, with its location. Reports references in field names.
pub(super) fn texts(fields: &mut Fields<'_>) -> Vec<(SourceLocation, String)> {
    let mut texts = Vec::new();
    let mut found = Vec::new();
    for name in ["at", "want", "needs"] {
        if let Some(node) = fields.get(name) {
            node.texts(&mut |line, text, place| found.push((line, text.to_owned(), place)));
        }
    }
    for (line, text, place) in found {
        if place == Where::Value {
            texts.push((fields.place_at(line), text));
        } else if text.contains("${") {
            fields.complain(
                line,
                format!("a field name cannot contain references: `{text}`"),
            );
        }
    }
    texts
}

/// Whether a text can be the name of a step.
pub(super) fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
