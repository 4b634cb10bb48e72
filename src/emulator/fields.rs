//! The `fields` query parameter: which parts of an answer the caller wants (`services/name,nextPageToken`).
//!
//! Paths are separated by commas, steps by `/` or `.`, `a(b,c)` names several below one, `*` is every field.
//! Whether a field exists at all is not asked; an unknown one selects nothing.

use std::{iter::Peekable, str::Chars};

use serde_json::{Map, Value};

/// What is wanted below a field; nothing means all of it.
#[derive(Debug, Default, Clone, PartialEq)]
struct Tree(Vec<(String, Tree)>);

/// The parts of `answer` that `mask` names. An empty mask is the whole answer.
pub fn select(answer: Value, mask: &str) -> Value {
    if mask.is_empty() {
        answer
    } else {
        keep(answer, &list(&mut mask.chars().peekable()))
    }
}

/// `list := path (',' path)*`
fn list(text: &mut Peekable<Chars<'_>>) -> Tree {
    let mut tree = Tree(vec![path(text)]);
    while text.next_if_eq(&',').is_some() {
        tree.0.push(path(text));
    }
    tree
}

/// `path := name (('/' | '.') path | '(' list ')')?`
fn path(text: &mut Peekable<Chars<'_>>) -> (String, Tree) {
    let mut name = String::new();
    while let Some(c) = text.next_if(|c| !",/.()".contains(*c)) {
        name.push(c);
    }
    let below = match text.peek() {
        Some('/' | '.') => {
            text.next();
            Tree(vec![path(text)])
        }
        Some('(') => {
            text.next();
            let inner = list(text);
            text.next_if_eq(&')');
            inner
        }
        _ => Tree::default(),
    };
    (name.trim().to_owned(), below)
}

fn keep(value: Value, wanted: &Tree) -> Value {
    if wanted.0.is_empty() {
        return value;
    }
    match value {
        // A list is not a step of a path: what is said of it holds for each of its items.
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| keep(item, wanted)).collect())
        }
        Value::Object(map) => {
            let mut kept = Map::new();
            for (key, value) in map {
                let below: Vec<&Tree> = wanted
                    .0
                    .iter()
                    .filter(|(name, _)| *name == key || name == "*")
                    .map(|(_, tree)| tree)
                    .collect();
                if below.is_empty() {
                    continue;
                }
                // `a/b,a/c` names a twice; `a` alone among them means all of it.
                let all = below.iter().any(|tree| tree.0.is_empty());
                let merged = Tree(below.iter().flat_map(|tree| tree.0.clone()).collect());
                kept.insert(key, if all { value } else { keep(value, &merged) });
            }
            Value::Object(kept)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn masks_select() {
        let answer = json!({"services": [{"name": "a", "state": "ENABLED", "config": {"title": "t", "name": "n"}}], "nextPageToken": "x"});
        let cases = [
            ("", answer.clone()),
            ("*", answer.clone()),
            ("nextPageToken", json!({"nextPageToken": "x"})),
            (
                "services/name,nextPageToken",
                json!({"services": [{"name": "a"}], "nextPageToken": "x"}),
            ),
            (
                "services(name,config/title)",
                json!({"services": [{"name": "a", "config": {"title": "t"}}]}),
            ),
            (
                "services.config.title,services.state",
                json!({"services": [{"state": "ENABLED", "config": {"title": "t"}}]}),
            ),
            (
                "services/*/title",
                json!({"services": [{"name": "a", "state": "ENABLED", "config": {"title": "t"}}]}),
            ),
            ("nothing", json!({})),
        ];
        for (mask, want) in cases {
            assert_eq!(select(answer.clone(), mask), want, "{mask}");
        }
    }
}
