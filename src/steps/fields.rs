//! The fields of one document, read by name; a missing or unknown field, or one of the wrong type, is reported at its line.

use serde_json::Value;

use super::SourceLocation;
use super::diagnostic::{Diagnostics, unknown};
use super::yaml::{Key, Node, Tree};

/// One document's fields, and the list of its errors.
pub(super) struct Fields<'a> {
    file: &'a str,
    line: usize,
    fields: &'a [(Key, Node)],
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Fields<'a> {
    /// The fields of `node`; none, and an error, if it is not a mapping or has a field that is not `known`.
    pub fn of(
        file: &'a str,
        node: &'a Node,
        known: &[&str],
        diagnostics: &'a mut Diagnostics,
    ) -> Fields<'a> {
        let empty: &[(Key, Node)] = &[];
        let mut read = Fields {
            file,
            line: node.line,
            fields: empty,
            diagnostics,
        };
        let Tree::Map(fields) = &node.tree else {
            read.complain(
                node.line,
                format!(
                    "a document must be a mapping of fields, but this is {}",
                    node.is_a()
                ),
            );
            return read;
        };
        read.fields = fields;
        // The document is identified by the first of the `known` fields, wherever it is written.
        if let Some((key, _)) = fields
            .iter()
            .find(|(key, _)| known.first() == Some(&key.name.as_str()))
        {
            read.line = key.line;
        }
        for (key, _) in fields {
            if !known.contains(&key.name.as_str()) {
                read.complain(key.line, unknown("field", &key.name, known.iter().copied()));
            }
        }
        read
    }

    /// The line of the field that identifies the document (`step:`), or the document's first line.
    pub fn place(&self) -> SourceLocation {
        self.place_at(self.line)
    }

    pub fn place_at(&self, line: usize) -> SourceLocation {
        SourceLocation {
            file: self.file.to_owned(),
            line,
        }
    }

    pub fn complain(&mut self, line: usize, text: impl Into<String>) {
        let place = self.place_at(line);
        self.diagnostics.add(&place, text);
    }

    /// The field, with its location.
    pub fn get(&self, name: &str) -> Option<&'a Node> {
        self.fields
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }

    /// A text that is required and must not be empty.
    pub fn text(&mut self, name: &str) -> String {
        match self.get(name) {
            None => self.complain(self.line, format!("missing field `{name}`")),
            Some(node) => match &node.tree {
                Tree::Scalar(Value::String(text)) if !text.trim().is_empty() => {
                    return text.clone();
                }
                Tree::Scalar(Value::String(_) | Value::Null) => {
                    self.complain(node.line, format!("`{name}` is empty"));
                }
                _ => self.wrong(name, node, "a string"),
            },
        }
        String::new()
    }

    /// A text as prose: line breaks become spaces.
    pub fn prose(&mut self, name: &str) -> String {
        self.text(name)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// `true` or `false`; `false` if it is missing.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(node) => match &node.tree {
                Tree::Scalar(Value::Bool(flag)) => *flag,
                _ => {
                    self.wrong(name, node, "true or false");
                    false
                }
            },
        }
    }

    /// A whole number.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let node = self.get(name)?;
        let found = node.value().as_i64();
        if found.is_none() {
            self.wrong(name, node, "a whole number");
        }
        found
    }

    /// A list of texts with their lines; empty if it is missing.
    pub fn texts(&mut self, name: &str) -> Vec<(usize, String)> {
        let Some(node) = self.get(name) else {
            return Vec::new();
        };
        let Tree::List(items) = &node.tree else {
            self.wrong(name, node, "a list");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.tree {
                Tree::Scalar(Value::String(text)) => texts.push((item.line, text.clone())),
                _ => self.wrong(&format!("an item of {name}"), item, "a string"),
            }
        }
        texts
    }

    /// A mapping's fields; empty if it is missing.
    pub fn mapping(&mut self, name: &str) -> &'a [(Key, Node)] {
        match self.get(name) {
            Some(Node {
                tree: Tree::Map(fields),
                ..
            }) => return fields,
            Some(node) => self.wrong(name, node, "a mapping"),
            None => {}
        }
        &[]
    }

    fn wrong(&mut self, name: &str, node: &Node, expected: &str) {
        self.complain(
            node.line,
            format!("`{name}` must be {expected}, but this is {}", node.is_a()),
        );
    }
}
