//! The rules of a definition (`x-kubernetes-validations`) over an object, evaluated by the `cel` crate.
//!
//! Kubernetes' own functions that the rules use are here: `url`, `isURL` and `getScheme`; of the standard ones `duration` and
//! `matches`, so that no database of time zones and no second engine of regular expressions is built in. A rule about an update
//! (`oldSelf`) and a rule that cannot be compiled or evaluated here are left out: they refuse nothing.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, Env, ExecutionError, Program};
use serde_json::Value;

use crate::at::Path;
use crate::fault::{Fault, Reason};
use crate::kind::Kind;
use crate::schema;

/// Collects the rules that the object breaks.
pub fn judge(kind: &Kind<'_>, object: &Value, found: &mut Vec<Fault>) {
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status")
            && let Some(below) = schema::field(kind.schema, name)
        {
            walk(below, value, &Path::default().field(name), found);
        }
    }
}

fn walk(schema: &Value, value: &Value, path: &Path, found: &mut Vec<Fault>) {
    if value.is_null() {
        return;
    }
    let schema = schema::resolved(schema);
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = rule["rule"].as_str().unwrap_or_default();
        let Some(mut why) = broken(text, value) else {
            continue;
        };
        if let Some(told) = rule["message"].as_str() {
            why = match why.as_str() {
                "" => told.to_owned(),
                error => format!("{error} evaluating rule: {told}"),
            };
        } else if why.is_empty() {
            why = format!("failed rule: {text}");
        }
        let is = schema["type"].as_str().unwrap_or("object");
        let message = format!("Invalid value: {is:?}: {why}");
        found.push(Fault::new(path, Reason::Invalid, message));
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(below) = schema["properties"].get(name) {
                    walk(below, value, &path.field(name), found);
                } else if let Some(below) = schema::field(schema, name) {
                    walk(below, value, &path.key(name), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&schema["items"], item, &path.item(index), found);
            }
        }
        _ => {}
    }
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    // It fails only where a function is declared twice, and then the rules that use it are left out.
    let _ = cel::extensions::strings(&mut environment);
    Arc::new(environment)
});

static PROGRAMS: LazyLock<Mutex<HashMap<String, Option<Arc<Program>>>>> =
    LazyLock::new(Mutex::default);

fn program(rule: &str) -> Option<Arc<Program>> {
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = programs
        .entry(rule.to_owned())
        .or_insert_with(|| ENVIRONMENT.compile(rule).ok().map(Arc::new));
    known.clone()
}

/// Why a text is not an expression of CEL.
pub(crate) fn unreadable(expression: &str) -> Option<String> {
    ENVIRONMENT
        .compile(expression)
        .err()
        .map(|error| error.to_string())
}

/// Why the value breaks the rule: empty if it is false, otherwise the error. None if it does not break it.
fn broken(rule: &str, value: &Value) -> Option<String> {
    if rule.contains("oldSelf") {
        return None;
    }
    let program = program(rule)?;
    let mut context = Context::with_env(ENVIRONMENT.clone());
    let fail = |function: &str, message: String| ExecutionError::function_error(function, message);
    context
        .add_function("duration", move |text: Arc<String>| {
            nanoseconds(&text).ok_or_else(|| {
                fail(
                    "duration",
                    "type conversion error from 'string' to 'google.protobuf.Duration'".to_owned(),
                )
            })
        })
        .ok()?;
    context
        .add_function(
            "matches",
            move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                regex_lite::Regex::new(&pattern)
                    .map(|pattern| pattern.is_match(&text))
                    .map_err(|error| fail("matches", error.to_string()))
            },
        )
        .ok()?;
    context
        .add_function("isURL", |text: Arc<String>| scheme(&text).is_some())
        .ok()?;
    context
        .add_function("url", move |text: Arc<String>| {
            match scheme(&text) {
                Some(_) => Ok(text),
                None => Err(fail(
                    "url",
                    format!("URL parse error during conversion from string: parse {text:?}: invalid URI for request"),
                )),
            }
        })
        .ok()?;
    context
        .add_function("getScheme", |This(text): This<Arc<String>>| {
            scheme(&text).unwrap_or_default().to_owned()
        })
        .ok()?;
    context.add_variable_from_value("self", converted(value));
    match program.execute(&context) {
        Ok(cel::Value::Bool(false)) => Some(String::new()),
        Err(ExecutionError::FunctionError { message, .. }) => Some(message),
        _ => None,
    }
}

/// The value as CEL knows it: whole numbers are signed, whatever their size.
fn converted(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(truth) => cel::Value::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(converted).collect())),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (Key::String(Arc::new(name.clone())), converted(value)));
            cel::Value::Map(Map {
                map: Arc::new(fields.collect()),
            })
        }
    }
}

/// A duration as Go writes it (`1h30m`, `-1.5s`, `0`), in nanoseconds.
pub(crate) fn nanoseconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("μs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 6e10),
        ("h", 3.6e12),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum = 0.0;
    while !rest.is_empty() || sum == 0.0 {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(end);
        if !number.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let number: f64 = number.parse().ok()?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum += number * factor;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let sum = sign * sum;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within")]
    (sum.abs() < 9.2e18).then_some(sum as i64)
}

/// The scheme of an absolute URL, or the empty one of an absolute path; none if Go's `url.ParseRequestURI` refuses it.
fn scheme(text: &str) -> Option<&str> {
    if text.starts_with('/') {
        return Some("");
    }
    let (scheme, rest) = text.split_once(':')?;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let holds = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(letter);
    let host = rest.strip_prefix("//").map(|rest| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        &rest[..end]
    });
    let bad_host =
        host.is_some_and(|host| host.contains([' ', '<', '>', '"', '{', '}', '\\', '^']));
    // Without a slash after it the rest would be opaque, which a request cannot be of.
    (holds && !bad_host && rest.starts_with('/') && !text.chars().any(char::is_control))
        .then_some(scheme)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_rule_of_istios_definitions_is_evaluated() {
        fn rules(schema: &Value, found: &mut Vec<String>) {
            match schema {
                Value::Object(fields) => {
                    let own = schema["x-kubernetes-validations"].as_array();
                    let own = own.into_iter().flatten();
                    found.extend(own.filter_map(|rule| Some(rule["rule"].as_str()?.to_owned())));
                    fields.values().for_each(|below| rules(below, found));
                }
                Value::Array(items) => items.iter().for_each(|item| rules(item, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        for row in schema::istio().values() {
            rules(&row["schema"], &mut found);
        }
        assert!(found.len() > 100, "{}", found.len());
        for rule in found {
            assert!(program(&rule).is_some(), "{rule}");
        }
    }

    #[test]
    fn rules_are_kept_and_broken() {
        // (rule, value, why it is broken)
        let cases = [
            ("duration(self) >= duration('1ms')", json!("1s"), None),
            ("duration(self) >= duration('1ms')", json!("1us"), Some("")),
            (
                "duration(self) >= duration('1ms')",
                json!("5sec"),
                Some("type conversion error from 'string' to 'google.protobuf.Duration'"),
            ),
            (
                "self.all(key, 0 < int(key) && int(key) <= 65535)",
                json!({"80": {}}),
                None,
            ),
            (
                "self.all(key, 0 < int(key) && int(key) <= 65535)",
                json!({"0": {}}),
                Some(""),
            ),
            ("0 < self && self <= 65535", json!(80), None),
            ("0 < self && self <= 65535", json!(70000), Some("")),
            (
                "self.all(l1, self.exists_one(l2, l1.number == l2.number))",
                json!([{"number": 1}, {"number": 2}]),
                None,
            ),
            (
                "self.all(l1, self.exists_one(l2, l1.number == l2.number))",
                json!([{"number": 1}, {"number": 1}]),
                Some(""),
            ),
            ("has(self.a) || has(self.b)", json!({"b": 1}), None),
            ("has(self.a) || has(self.b)", json!({}), Some("")),
            (
                "self.startsWith(\"unix://\") ? (self.substring(7, 8) == \"/\") : true",
                json!("unix:///a"),
                None,
            ),
            (
                "self.startsWith(\"unix://\") ? (self.substring(7, 8) == \"/\") : true",
                json!("unix://a"),
                Some(""),
            ),
            (
                "self.all(key, size(key) < 63 && key.matches(\"^[a-z]+$\"))",
                json!({"a1": 1}),
                Some(""),
            ),
            (
                "url(self).getScheme() in [\"http\", \"https\"]",
                json!("https://a/b"),
                None,
            ),
            (
                "url(self).getScheme() in [\"http\", \"https\"]",
                json!("ftp://a/b"),
                Some(""),
            ),
            (
                "isURL(self) ? true : isURL(\"http://\" + self)",
                json!("a/b"),
                None,
            ),
            ("self == oldSelf", json!(1), None),
        ];
        for (rule, value, why) in cases {
            assert_eq!(broken(rule, &value).as_deref(), why, "{rule} {value}");
        }
        let bad = broken("url(self).getScheme() in [\"http\"]", &json!("a.example/b"));
        assert!(bad.is_some_and(|why| why.starts_with("URL parse error")));
        let bad = broken("self.all(key, 0 < int(key))", &json!({"http": {}}));
        assert!(bad.is_some_and(|why| !why.is_empty()));
    }
}
