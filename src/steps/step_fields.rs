//! The fields that steps and patches share: conditions, texts with references, names.
//!
//! A condition compares a parameter with one value: `when` asks for equality, `unless` for the opposite. There is no other
//! comparison, and no `or`.

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

/// A comparison of a parameter with a value, in `when` or `unless`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    /// The parameter.
    pub param: String,
    /// The value; a text may refer to other parameters.
    pub value: Value,
    /// Whether the parameter must have the value (`when`), or must not have it (`unless`).
    pub equal: bool,
    /// Its location.
    pub source: SourceLocation,
}

impl Condition {
    /// Whether it is the same comparison, wherever it is written.
    pub fn is_same(&self, other: &Condition) -> bool {
        (&self.param, &self.value, self.equal) == (&other.param, &other.value, other.equal)
    }

    /// The comparison in words.
    pub fn words(&self) -> String {
        let is = if self.equal { "is" } else { "is not" };
        format!("{} {is} {}", self.param, self.value)
    }
}

/// The comparisons in `when` and `unless`; all of them must hold.
pub(super) fn conditions(fields: &mut Fields<'_>) -> Vec<Condition> {
    let mut found = Vec::new();
    for (field, equal) in [("when", true), ("unless", false)] {
        for (key, node) in fields.mapping(field) {
            match &node.tree {
                Tree::Scalar(value) if !value.is_null() => found.push(Condition {
                    param: key.name.clone(),
                    value: value.clone(),
                    equal,
                    source: fields.place_at(node.line),
                }),
                _ => fields.complain(
                    node.line,
                    format!(
                        "`{field}` compares with one value, but this is {}",
                        node.is_a()
                    ),
                ),
            }
        }
    }
    found
}

/// Every text in the step's data, with its location. Reports references in field names.
pub(super) fn texts(fields: &mut Fields<'_>) -> Vec<(SourceLocation, String)> {
    let mut texts = Vec::new();
    let mut found = Vec::new();
    for name in ["at", "want", "needs", "lookup"] {
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
