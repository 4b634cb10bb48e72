//! `${step.field.path}` and `${param.name}` in a value: finds them, and fills them with known values. Nothing else is allowed
//! between `${` and `}`: no condition, no default, no function. `$${` is an escape for `${`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// One reference: to a field of another step, or, if `step` is `param`, to a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref {
    /// The id of the step, or `param`.
    pub step: String,
    /// The field of the step's outputs, as a path with dots (`masterAuth.clusterCaCertificate`); the name of a parameter.
    pub field: String,
}

impl Ref {
    /// Whether it refers to a parameter and not to a step.
    pub fn is_param(&self) -> bool {
        self.step == PARAM
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}.{}}}", self.step, self.field)
    }
}

/// The word that no step may use as its id.
pub(super) const PARAM: &str = "param";

/// All references in a value, in reading order, with repetitions. Text that is not a valid reference is skipped;
/// [`super::Tutorial::load`] has reported it.
pub fn find(value: &Value) -> Vec<Ref> {
    let mut found = Vec::new();
    walk(value, &mut |text| {
        found.extend(pieces(text).into_iter().filter_map(|piece| match piece {
            Piece::Ref(reference) => Some(reference),
            _ => None,
        }));
    });
    found
}

/// The value with every reference replaced by what `known` returns. A text that is exactly one reference takes the type of its
/// value; within a longer text only strings, numbers and booleans are allowed.
///
/// # Errors
/// The references that could not be filled: unknown, or a list or an object within a longer text.
pub fn fill(value: &Value, known: &dyn Fn(&Ref) -> Option<Value>) -> Result<Value, Vec<Ref>> {
    let mut missing = Vec::new();
    let filled = map(value, &mut |text| fill_text(text, known, &mut missing));
    if missing.is_empty() {
        Ok(filled)
    } else {
        Err(missing)
    }
}

/// The value with the references that `known` resolves replaced, and the others and `$${` unchanged: the result can be filled
/// again.
pub(super) fn fill_some(value: &Value, known: &dyn Fn(&Ref) -> Option<Value>) -> Value {
    map(value, &mut |text| {
        let pieces = pieces(text);
        if let [Piece::Ref(only)] = pieces.as_slice() {
            return known(only).map_or_else(|| text.into(), |v| escaped(&v));
        }
        let parts = pieces.iter().map(|piece| match piece {
            Piece::Ref(one) => known(one)
                .as_ref()
                .and_then(scalar)
                .map_or_else(|| one.to_string(), |s| escape(&s)),
            Piece::Text(text) | Piece::Broken(text) => (*text).to_owned(),
            Piece::Escape => "$${".to_owned(),
        });
        Value::String(parts.collect())
    })
}

/// The value with references to the keys of `leads_to` changed to references to the corresponding values.
pub(super) fn rename(value: &Value, leads_to: &BTreeMap<String, String>) -> Value {
    map(value, &mut |text| {
        let parts = pieces(text).into_iter().map(|piece| match piece {
            Piece::Ref(Ref { step, field }) => Ref {
                step: leads_to.get(&step).cloned().unwrap_or(step),
                field,
            }
            .to_string(),
            Piece::Text(text) | Piece::Broken(text) => text.to_owned(),
            Piece::Escape => "$${".to_owned(),
        });
        Value::String(parts.collect())
    })
}

/// The first part of `text` that starts like a reference and is not valid.
pub(super) fn broken(text: &str) -> Option<String> {
    pieces(text).into_iter().find_map(|piece| match piece {
        Piece::Broken(text) => Some(text.to_owned()),
        _ => None,
    })
}

#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Escape,
    Ref(Ref),
    Broken(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        // `$${`: the dollar sign before belongs to the escape.
        if rest[..at].ends_with('$') {
            push_text(&mut pieces, &rest[..at - 1]);
            pieces.push(Piece::Escape);
            rest = &rest[at + 2..];
            continue;
        }
        push_text(&mut pieces, &rest[..at]);
        let end = rest[at..]
            .find('}')
            .map_or(rest.len(), |close| at + close + 1);
        let whole = &rest[at..end];
        pieces.push(reference(whole).map_or(Piece::Broken(whole), Piece::Ref));
        rest = &rest[end..];
    }
    push_text(&mut pieces, rest);
    pieces
}

fn push_text<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

fn reference(whole: &str) -> Option<Ref> {
    let inner = whole.strip_prefix("${")?.strip_suffix('}')?;
    let (step, field) = inner.split_once('.')?;
    let word = |w: &str| {
        !w.is_empty()
            && w.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    (word(step) && field.split('.').all(word)).then(|| Ref {
        step: step.to_owned(),
        field: field.to_owned(),
    })
}

fn fill_text(text: &str, known: &dyn Fn(&Ref) -> Option<Value>, missing: &mut Vec<Ref>) -> Value {
    let pieces = pieces(text);
    if let [Piece::Ref(only)] = pieces.as_slice() {
        return known(only).unwrap_or_else(|| {
            missing.push(only.clone());
            Value::Null
        });
    }
    let mut filled = String::with_capacity(text.len());
    for piece in pieces {
        match piece {
            Piece::Text(text) | Piece::Broken(text) => filled.push_str(text),
            Piece::Escape => filled.push_str("${"),
            Piece::Ref(one) => match known(&one).as_ref().and_then(scalar) {
                Some(text) => filled.push_str(&text),
                None => missing.push(one),
            },
        }
    }
    filled.into()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

fn escaped(value: &Value) -> Value {
    map(value, &mut |text| escape(text).into())
}

fn walk(value: &Value, seen: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => seen(text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, seen)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, seen)),
        _ => {}
    }
}

fn map(value: &Value, text: &mut dyn FnMut(&str) -> Value) -> Value {
    match value {
        Value::String(found) => text(found),
        Value::Array(items) => items.iter().map(|item| map(item, text)).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(k, v)| (k.clone(), map(v, text)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known(reference: &Ref) -> Option<Value> {
        match (reference.step.as_str(), reference.field.as_str()) {
            ("vpc", "selfLink") => Some(json!("https://x/vpc")),
            ("param", "nodes") => Some(json!(3)),
            ("param", "odd") => Some(json!("a${b.c}")),
            ("list", "of") => Some(json!(["a", "b"])),
            _ => None,
        }
    }

    #[test]
    fn filled() {
        for (value, expected) in [
            (json!("${vpc.selfLink}"), Ok(json!("https://x/vpc"))),
            (json!({"n": ["${param.nodes}"]}), Ok(json!({"n": [3]}))),
            (
                json!("n=${param.nodes}, ${vpc.selfLink}"),
                Ok(json!("n=3, https://x/vpc")),
            ),
            (json!("${list.of}"), Ok(json!(["a", "b"]))),
            (json!("all ${list.of}"), Err(vec!["${list.of}"])),
            (
                json!(["${no.such}", "x${no.other.field}"]),
                Err(vec!["${no.such}", "${no.other.field}"]),
            ),
            (
                json!("$${vpc.selfLink} costs 5$"),
                Ok(json!("${vpc.selfLink} costs 5$")),
            ),
            (json!("$$${vpc.selfLink}"), Ok(json!("$${vpc.selfLink}"))),
            // A value that was filled in is not parsed again.
            (json!("${param.odd}"), Ok(json!("a${b.c}"))),
            (json!(7), Ok(json!(7))),
        ] {
            let found = fill(&value, &known)
                .map_err(|refs| refs.iter().map(Ref::to_string).collect::<Vec<_>>());
            assert_eq!(
                found,
                expected.map_err(|e| e.into_iter().map(str::to_owned).collect()),
                "{value}"
            );
        }
    }

    #[test]
    fn filling_some_leaves_the_rest_for_later() {
        let some = |v: &Value| fill_some(v, &|r: &Ref| if r.is_param() { known(r) } else { None });
        for (value, expected) in [
            (
                json!("${param.nodes} of ${vpc.selfLink}, $${param.nodes}"),
                json!("3 of ${vpc.selfLink}, $${param.nodes}"),
            ),
            (json!("${param.nodes}"), json!(3)),
            (json!("${vpc.selfLink}"), json!("${vpc.selfLink}")),
            (json!("${param.odd}!"), json!("a$${b.c}!")),
            (json!("${param.odd}"), json!("a$${b.c}")),
        ] {
            assert_eq!(some(&value), expected, "{value}");
        }
    }

    #[test]
    fn broken_references_are_told() {
        for (text, expected) in [
            ("${vpc.selfLink}", None),
            ("$${vpc}", None),
            ("price $5", None),
            ("${vpc}", Some("${vpc}")),
            ("${vpc.}", Some("${vpc.}")),
            ("x ${a b.c} y", Some("${a b.c}")),
            ("${param.x:-default}", Some("${param.x:-default}")),
            ("${open", Some("${open")),
        ] {
            assert_eq!(broken(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn found_in_the_order_of_reading() {
        let value = json!({"b": ["${x.a.b}", {"c": "${param.p}-${y.z}"}], "d": "$${q.r}"});
        let found: Vec<String> = find(&value).iter().map(Ref::to_string).collect();
        assert_eq!(found, ["${x.a.b}", "${param.p}", "${y.z}"]);
    }
}
