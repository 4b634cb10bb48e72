//! Parses YAML text into a tree with line numbers. Plain YAML only: no anchors, no aliases, no merge keys, no tags.
//!
//! The whole tree is read before its fields are, so that one pass can report every wrong field, each at its own line. The meaning
//! of a field is not known here.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, options::MergeKeyPolicy};

use super::SourceLocation;
use super::diagnostic::Diagnostic;

/// Limits of one file. The tutorial's longest file is far below; a file above them is a mistake or an attack.
const MAX_BYTES: usize = 256 * 1024;
const MAX_DOCUMENTS: usize = 200;
const MAX_NODES: usize = 20_000;
const MAX_DEPTH: usize = 32;

/// A value and its first line, counted from 1.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub line: usize,
    pub tree: Tree,
}

/// A YAML value.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and its line.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub line: usize,
    pub name: String,
}

impl Node {
    /// The value without its lines.
    pub fn value(&self) -> Value {
        match &self.tree {
            Tree::Scalar(value) => value.clone(),
            Tree::List(items) => Value::Array(items.iter().map(Node::value).collect()),
            Tree::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(k, v)| (k.name.clone(), v.value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The line of what a path of names and numbers leads to, or of the last that is there.
    pub fn line_of(&self, path: &[String]) -> usize {
        let Some((first, rest)) = path.split_first() else {
            return self.line;
        };
        match &self.tree {
            Tree::Map(fields) => fields.iter().find(|(key, _)| key.name == *first).map_or(
                self.line,
                |(key, value)| match rest {
                    [] => key.line,
                    rest => value.line_of(rest),
                },
            ),
            Tree::List(items) => {
                let item = first.parse::<usize>().ok().and_then(|at| items.get(at));
                item.map_or(self.line, |item| item.line_of(rest))
            }
            Tree::Scalar(_) => self.line,
        }
    }

    /// The value's type, as messages show it.
    pub fn is_a(&self) -> &'static str {
        match &self.tree {
            Tree::Scalar(Value::Null) => "nothing",
            Tree::Scalar(Value::Bool(_)) => "true or false",
            Tree::Scalar(Value::Number(_)) => "a number",
            Tree::Scalar(_) => "a string",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a mapping",
        }
    }

    /// Calls `seen` with every text in the tree, including keys, and its line.
    pub fn texts(&self, seen: &mut dyn FnMut(usize, &str, Where)) {
        match &self.tree {
            Tree::Scalar(Value::String(text)) => seen(self.line, text, Where::Value),
            Tree::Scalar(_) => {}
            Tree::List(items) => items.iter().for_each(|item| item.texts(seen)),
            Tree::Map(fields) => {
                for (key, value) in fields {
                    seen(key.line, &key.name, Where::Key);
                    value.texts(seen);
                }
            }
        }
    }
}

/// The position of a text in a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Key,
    Value,
}

/// The documents of a Kubernetes manifest, which may be any YAML that kubectl reads.
///
/// # Errors
/// It is not YAML, or it is too large or too deep for any manifest.
pub(crate) fn manifest(text: &str) -> Result<Vec<Node>, serde_saphyr::Error> {
    serde_saphyr::from_multiple(text)
}

/// The documents of one file; empty ones are omitted.
///
/// # Errors
/// One error: after a syntax error nothing that follows is reliable.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Node>, Diagnostic> {
    let place = |line| SourceLocation {
        file: file.to_owned(),
        line,
    };
    if text.len() > MAX_BYTES {
        let text = format!("{} bytes; the limit is {MAX_BYTES}", text.len());
        return Err(Diagnostic::at(&place(1), text));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_anchors: 0,
            max_aliases: 0,
        },
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let found = serde_saphyr::from_multiple_with_options::<Node>(text, options);
    let found = found.map_err(|error| {
        let line = error.location().map_or(1, |at| at.line() as usize).max(1);
        Diagnostic::at(&place(line), format!("unsupported YAML: {}", why(&error)))
    })?;
    let mut odd = None;
    for node in &found {
        node.texts(&mut |line, text, _| {
            odd = odd.or_else(|| Some((line, text.chars().find(|c| is_odd(*c))?)));
        });
    }
    match odd {
        Some((line, c)) => Err(Diagnostic::at(
            &place(line),
            format!("character not allowed: U+{:04X}", c as u32),
        )),
        None => Ok(found),
    }
}

/// Whether a character would affect the terminal, or the order in which a text is read.
fn is_odd(c: char) -> bool {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    reorders || (c.is_control() && !matches!(c, '\n' | '\t'))
}

fn why(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::{Error, budget::BudgetBreach};
    if let Error::Budget { breach, .. } = error.without_snippet() {
        match breach {
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => {
                return "anchors (`&`) and aliases (`*`) are not supported".to_owned();
            }
            BudgetBreach::Depth { .. } => return format!("more than {MAX_DEPTH} levels deep"),
            BudgetBreach::Documents { .. } => {
                return format!("more than {MAX_DOCUMENTS} documents");
            }
            BudgetBreach::Nodes { .. } => return format!("more than {MAX_NODES} values"),
            _ => {}
        }
    }
    let text = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    // The library ends its text with the location; ours is at the start.
    let line = text.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Spanned::<Tree>::deserialize(deserializer)?;
        Ok(Node {
            line: found.referenced.line() as usize,
            tree: found.value,
        })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, found: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(found.into()))
    }

    fn visit_i64<E>(self, found: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(found.into()))
    }

    fn visit_u64<E>(self, found: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(found.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, found: f64) -> Result<Tree, E> {
        let number = Number::from_f64(found)
            .ok_or_else(|| E::custom("a number that is infinite or not a number"))?;
        Ok(Tree::Scalar(number.into()))
    }

    fn visit_str<E>(self, found: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(found.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut found: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = found.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut found: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = found.next_key::<Spanned<String>>()? {
            let key = Key {
                line: key.referenced.line() as usize,
                name: key.value,
            };
            fields.push((key, found.next_value()?));
        }
        Ok(Tree::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_line() {
        let text = "a: 1\n---\n# a word\nb:\n  c: [x,\n    y]\n  d: |\n    long\n    text\n";
        let found = documents("f.yaml", text).unwrap();
        let mut seen = Vec::new();
        found[1].texts(&mut |line, text, _| seen.push((line, text.to_owned())));
        let expected = [
            (4, "b"),
            (5, "c"),
            (5, "x"),
            (6, "y"),
            (7, "d"),
            (8, "long\ntext\n"),
        ];
        assert_eq!(seen, expected.map(|(l, t)| (l, t.to_owned())));
        assert_eq!(
            found[1].value(),
            serde_json::json!({"b": {"c": ["x", "y"], "d": "long\ntext\n"}})
        );
    }

    #[test]
    fn what_is_not_plain_is_refused_at_its_line() {
        let deep: String = (0..40).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        for (text, line, words) in [
            ("a: 1\na: 2\n", 2, "duplicate mapping key `a`"),
            ("a: 1\nb: [1, 2\n", 2, "unclosed bracket '['"),
            ("a: &x 1\nb: *x\n", 1, "anchors"),
            ("a: 1\n<<: {b: 2}\n", 2, "merge"),
            ("a: 1\n  b: 2\n", 2, ""),
            ("a: !secret b\n", 1, "tag"),
            ("a: .inf\n", 1, ""),
            ("? [a]\n: b\n", 1, ""),
            ("a: \"\u{7}\"\n", 1, ""),
            ("a: 1\nb: [\"\\e[2J\"]\n", 2, "not allowed: u+001b"),
            ("a: 1\n\"\\x9b\": b\n", 2, "not allowed: u+009b"),
            ("a: \"\\u202e\"\n", 1, "not allowed: u+202e"),
            (&"[".repeat(60), 1, ""),
            (&deep, 33, "more than 32 levels deep"),
            (&"a: 1\n---\n".repeat(250), 400, "more than 200 documents"),
            (
                &"a: 1\n".repeat(60_000),
                1,
                "300000 bytes; the limit is 262144",
            ),
            (
                &format!("a: [{}]\n", "1,".repeat(30_000)),
                1,
                "more than 20000 values",
            ),
        ] {
            let diagnostic = documents("f.yaml", text).unwrap_err();
            assert_eq!(
                diagnostic.place.as_ref().unwrap().line,
                line,
                "{diagnostic}"
            );
            assert!(
                diagnostic.text.to_lowercase().contains(words),
                "{diagnostic}"
            );
        }
    }
}
