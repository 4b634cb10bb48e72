//! Whether a JSON value fits a schema of a discovery document, for requests and for answers.
//!
//! Requests are read as Google's parser reads proto3's JSON: a field by its JSON name or by its proto name (`start_time`), a number
//! also as a string or with a zero fraction. The services see one form: JSON names, 32-bit integers as numbers, 64-bit ones as
//! strings. Google also takes a boolean as a string and an enumeration by number; both are refused here. Defaults are not filled
//! in, and values that depend on other values are not checked: the services do both.

use serde_json::{Map, Value};

use super::document::{Document, Schema};

/// One thing that is wrong with a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, in Google's notation: `cluster.node_pools[0].config`; empty for the whole.
    pub field: String,
    /// Google's message.
    pub message: String,
    /// `errors[].reason`: `invalid`, `required`, `badRequest`.
    pub reason: &'static str,
}

/// Which way the value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction<'a> {
    /// To the service, for this method: output-only fields are ignored, required ones must be there.
    Request {
        /// `compute.networks.insert`.
        method: &'a str,
        /// Whether the method makes something, so that what a field's text calls required is required.
        creates: bool,
    },
    /// From the service: every field must be known, every type right.
    Answer,
}

/// Checks `value` against the schema `name`. For a request the answer is the value without output-only fields.
pub fn fit(
    document: &Document,
    name: &str,
    value: &Value,
    direction: Direction<'_>,
) -> Result<Value, Vec<Violation>> {
    let mut walk = Walk {
        document,
        direction,
        violations: Vec::new(),
    };
    let kept = walk.reference(name, value, "");
    if walk.violations.is_empty() {
        Ok(kept)
    } else {
        Err(walk.violations)
    }
}

struct Walk<'a> {
    document: &'a Document,
    direction: Direction<'a>,
    violations: Vec<Violation>,
}

impl Walk<'_> {
    fn refuse(&mut self, field: &str, reason: &'static str, message: String) {
        self.violations.push(Violation {
            field: field.to_owned(),
            message,
            reason,
        });
    }

    fn reference(&mut self, name: &str, value: &Value, at: &str) -> Value {
        match self.document.schemas.get(name) {
            Some(schema) => self.value(schema, name, value, at),
            // A document names a schema that it lacks only when it was trimmed wrongly; say so instead of accepting all.
            None => {
                self.refuse(
                    at,
                    "invalid",
                    format!("schema {name} is missing from the discovery document"),
                );
                value.clone()
            }
        }
    }

    /// Checks one value. `kind_name` names its type as Google's messages do: the schema, and the property in it.
    fn value(&mut self, schema: &Schema, kind_name: &str, value: &Value, at: &str) -> Value {
        if let Some(name) = &schema.reference {
            return self.reference(name, value, at);
        }
        match (schema.kind.as_deref(), value) {
            (Some("any") | None, _) => value.clone(),
            (Some("object"), Value::Object(map)) => self.object(schema, kind_name, map, at),
            (Some("array"), Value::Array(list)) => {
                let Some(items) = &schema.items else {
                    return value.clone();
                };
                let kept = list.iter().enumerate().map(|(index, item)| {
                    self.value(items, kind_name, item, &format!("{at}[{index}]"))
                });
                Value::Array(kept.collect())
            }
            (_, Value::Array(_)) => {
                let (parent, leaf) = split(at);
                let said = format!(
                    "Invalid JSON payload received. Unknown name \"{leaf}\"{}: Proto field is not repeating, cannot start list.",
                    place(parent)
                );
                self.refuse(at, "invalid", said);
                value.clone()
            }
            (Some(kind), _) => {
                if let Some(type_name) = self.mismatch(schema, kind, kind_name, value) {
                    self.refuse(
                        at,
                        "invalid",
                        format!("Invalid value at '{at}' ({type_name}), {value}"),
                    );
                } else if let (Some(pattern), Value::String(text), Direction::Request { .. }) =
                    (&schema.pattern, value, self.direction)
                    && !super::pattern::fits_pattern(pattern, text)
                {
                    let said = format!(
                        "Invalid value for field 'resource.{at}': '{text}'. Must be a match of regex '{pattern}'"
                    );
                    self.refuse(at, "invalid", said);
                }
                match self.direction {
                    Direction::Request { .. } => canonical(kind, schema.format.as_deref(), value),
                    Direction::Answer => value.clone(),
                }
            }
        }
    }

    fn object(
        &mut self,
        schema: &Schema,
        kind_name: &str,
        map: &Map<String, Value>,
        at: &str,
    ) -> Value {
        let mut kept = Map::new();
        for (sent, value) in map {
            let name = self.json_name(schema, sent);
            if kept.contains_key(name) {
                // What Google says of a field that comes under both of its names is not recorded.
                let said = format!(
                    "Invalid JSON payload received. Unknown name \"{sent}\"{}: Proto field is not repeating, cannot start list.",
                    place(at)
                );
                self.refuse(&join(at, name), "invalid", said);
                continue;
            }
            let inner = join(at, name);
            let property = schema
                .properties
                .get(name)
                .or(schema.additional_properties.as_deref());
            match property {
                // google.protobuf.Any carries its type; the rest of it belongs to another schema.
                None if schema.format.as_deref() == Some("google.protobuf.Any") => {
                    kept.insert(name.to_owned(), value.clone());
                }
                None => {
                    let said = format!(
                        "Invalid JSON payload received. Unknown name \"{name}\"{}: Cannot find field.",
                        place(at)
                    );
                    self.refuse(&inner, "invalid", said);
                }
                Some(property) if property.read_only && self.direction != Direction::Answer => {}
                // Absent and null are the same in proto3's JSON.
                Some(_) if value.is_null() => {}
                Some(property) => {
                    let key = if schema.properties.contains_key(name) {
                        format!("{kind_name}.{}", capital(name))
                    } else {
                        kind_name.to_owned()
                    };
                    let value = self.value(property, &key, value, &inner);
                    kept.insert(name.to_owned(), value);
                }
            }
        }
        self.required(schema, &kept, at);
        Value::Object(kept)
    }

    /// The JSON name of a field that a request names by its proto name; any other name as it is.
    fn json_name<'n>(&self, schema: &'n Schema, sent: &'n str) -> &'n str {
        let as_sent = self.direction == Direction::Answer || schema.has(sent);
        if as_sent || !sent.contains('_') {
            return sent;
        }
        let mut names = schema.properties.keys();
        names
            .find(|name| snake(name) == sent)
            .map_or(sent, |name| name)
    }

    fn required(&mut self, schema: &Schema, kept: &Map<String, Value>, at: &str) {
        let Direction::Request { method, creates } = self.direction else {
            return;
        };
        for (name, property) in &schema.properties {
            let by_method = property.annotations.required.iter().any(|id| id == method);
            if (by_method || (creates && property.stated_required && !property.read_only))
                && !kept.contains_key(name)
            {
                let field = join(at, name);
                // compute and storage name the field so; the texts of the other services are not recorded.
                self.refuse(
                    &field,
                    "required",
                    format!("Required field '{field}' not specified"),
                );
            }
        }
    }

    /// The type that was expected, if a scalar (or what stands for one) is not of it.
    fn mismatch(
        &self,
        schema: &Schema,
        kind: &str,
        kind_name: &str,
        value: &Value,
    ) -> Option<String> {
        let answer = self.direction == Direction::Answer;
        let format = schema.format.as_deref();
        let number = |ok: bool, name: &str| (!ok).then(|| name.to_owned());
        match (kind, format) {
            ("boolean", _) => number(value.is_boolean(), "TYPE_BOOL"),
            ("integer", Some("uint32")) => number(
                integer(value, !answer).is_some_and(|n| u32::try_from(n).is_ok()),
                "TYPE_UINT32",
            ),
            ("integer", _) => number(
                integer(value, !answer).is_some_and(|n| i32::try_from(n).is_ok()),
                "TYPE_INT32",
            ),
            ("number", _) => number(double(value, !answer).is_some(), "TYPE_DOUBLE"),
            ("string", Some("int64")) => number(
                long(value, answer).is_some_and(|n| i64::try_from(n).is_ok()),
                "TYPE_INT64",
            ),
            ("string", Some("uint64")) => number(
                long(value, answer).is_some_and(|n| u64::try_from(n).is_ok()),
                "TYPE_UINT64",
            ),
            ("string", Some("byte")) => number(value.as_str().is_some_and(base64), "TYPE_BYTES"),
            ("string", _) if !schema.values.is_empty() => {
                let known = value
                    .as_str()
                    .is_some_and(|text| schema.values.iter().any(|one| one == text));
                (!known).then(|| {
                    format!(
                        "type.googleapis.com/google.{}.{}.{kind_name}",
                        self.document.api, self.document.version
                    )
                })
            }
            ("string", _) => number(value.is_string(), "TYPE_STRING"),
            _ => Some(format!(
                "type.googleapis.com/google.{}.{}.{kind_name}",
                self.document.api, self.document.version
            )),
        }
    }
}

/// A 32-bit integer; in requests also as a string, and with a fraction of zero (`300.0`, `3e2`).
fn integer(value: &Value, lenient: bool) -> Option<i64> {
    match value {
        Value::Number(_) if !lenient => value.as_i64(),
        Value::Number(_) | Value::String(_) if lenient => {
            whole(value).and_then(|n| i64::try_from(n).ok())
        }
        _ => None,
    }
}

/// A 64-bit integer: always a string in answers, either in requests.
fn long(value: &Value, strict: bool) -> Option<i128> {
    match value {
        Value::String(text) if strict => text.parse().ok(),
        Value::Number(_) if strict => None,
        _ => whole(value),
    }
}

/// A number, in requests also as a string.
fn double(value: &Value, lenient: bool) -> Option<f64> {
    let text = value.as_str().filter(|_| lenient);
    value.as_f64().or_else(|| text?.parse().ok())
}

/// The whole number that a JSON number or a string stands for. Google's parser takes a fraction of zero and an exponent in both;
/// a string has no spaces.
fn whole(value: &Value) -> Option<i128> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    // Beyond 2^53 a fraction cannot be told from none.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i128)
}

/// A value that fits its type, in the one form that the services read.
fn canonical(kind: &str, format: Option<&str>, value: &Value) -> Value {
    let canonical = match (kind, format) {
        ("integer", _) => whole(value)
            .and_then(|n| i64::try_from(n).ok())
            .map(Value::from),
        ("string", Some("int64" | "uint64")) => whole(value).map(|n| Value::from(n.to_string())),
        ("number", _) => double(value, true).map(Value::from),
        _ => None,
    };
    canonical.unwrap_or_else(|| value.clone())
}

/// Both alphabets, padded or not: Google takes all of them.
fn base64(text: &str) -> bool {
    text.trim_end_matches('=')
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+/-_".contains(c))
}

fn place(at: &str) -> String {
    if at.is_empty() {
        String::new()
    } else {
        format!(" at '{at}'")
    }
}

fn join(at: &str, name: &str) -> String {
    let name = snake(name);
    if at.is_empty() {
        name
    } else {
        format!("{at}.{name}")
    }
}

fn split(at: &str) -> (&str, &str) {
    at.rsplit_once('.').unwrap_or(("", at))
}

/// `nodePools` as the messages have it: `node_pools`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        // `IPProtocol` stays as it is: Google's own name begins with capitals.
        if c.is_ascii_uppercase()
            && at > 0
            && !name.starts_with(|first: char| first.is_ascii_uppercase())
        {
            out.push('_');
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::discovery::method;

    fn answers(name: &str, value: Value) -> Vec<String> {
        let (document, _) = method("compute.networks.get").unwrap();
        let found = fit(document, name, &value, Direction::Answer)
            .err()
            .unwrap_or_default();
        found
            .into_iter()
            .map(|one| format!("{}: {}", one.field, one.message))
            .collect()
    }

    #[test]
    fn answers_are_held_to_the_schema_both_ways() {
        assert_eq!(
            answers(
                "Network",
                json!({"id": "1", "name": "n", "mtu": 1460, "selfLink": "x"})
            ),
            [""; 0]
        );
        // In an answer a 64-bit integer is a string and a 32-bit one a number, always.
        assert_eq!(
            answers("Network", json!({"id": 1})),
            ["id: Invalid value at 'id' (TYPE_UINT64), 1"]
        );
        assert_eq!(
            answers("Network", json!({"mtu": "1460"})),
            ["mtu: Invalid value at 'mtu' (TYPE_INT32), \"1460\""]
        );
        assert_eq!(answers("Network", json!({"made": "up"})).len(), 1);
        assert_eq!(answers("NoSuchSchema", json!({})).len(), 1);
    }

    #[test]
    fn a_request_is_read_into_one_form() {
        let (document, _) = method("container.projects.locations.clusters.create").unwrap();
        let direction = Direction::Request {
            method: "container.projects.locations.clusters.create",
            creates: true,
        };
        let read = |sent: Value| fit(document, "NodePool", &sent, direction);
        // Sent; as the services see it, or none if it is refused.
        let cases = [
            (
                json!({"initialNodeCount": "3"}),
                Some(json!({"initialNodeCount": 3})),
            ),
            (
                json!({"initialNodeCount": 3.0}),
                Some(json!({"initialNodeCount": 3})),
            ),
            (
                json!({"initialNodeCount": "3e0"}),
                Some(json!({"initialNodeCount": 3})),
            ),
            (
                json!({"initial_node_count": 3}),
                Some(json!({"initialNodeCount": 3})),
            ),
            (json!({"initialNodeCount": "3.5"}), None),
            (json!({"initialNodeCount": " 3"}), None),
            (json!({"initialNodeCount": 3_000_000_000_u64}), None),
            (json!({"initialNodeCount": true}), None),
            (
                json!({"initialNodeCount": 1, "initial_node_count": 2}),
                None,
            ),
            (json!({"initial_node_counts": 3}), None),
            (
                json!({"maxPodsConstraint": {"maxPodsPerNode": 32}}),
                Some(json!({"maxPodsConstraint": {"maxPodsPerNode": "32"}})),
            ),
            (
                json!({"max_pods_constraint": {"max_pods_per_node": "32"}}),
                Some(json!({"maxPodsConstraint": {"maxPodsPerNode": "32"}})),
            ),
            (json!({"maxPodsConstraint": {"maxPodsPerNode": "x"}}), None),
            // The keys of a map are not names of fields.
            (
                json!({"config": {"labels": {"a_b": "1"}}}),
                Some(json!({"config": {"labels": {"a_b": "1"}}})),
            ),
        ];
        for (sent, want) in cases {
            assert_eq!(read(sent.clone()).ok(), want, "{sent}");
        }
    }

    #[test]
    fn names_are_told_as_google_tells_them() {
        for (name, want) in [
            ("nodePools", "node_pools"),
            ("IPProtocol", "IPProtocol"),
            ("mtu", "mtu"),
        ] {
            assert_eq!(snake(name), want);
        }
    }
}
