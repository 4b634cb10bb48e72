//! An object of a defined kind against its definition's OpenAPI schema, in the API server's words, and then against its rules.
//!
//! The metadata of such an object is judged by the server's own code (`builtin::metadata`). A status is the server's own and not
//! judged.

use serde_json::Value;

use crate::at::{At, Path};
use crate::builtin::metadata;
use crate::fault::{Fault, Faults, Reason, not_supported};
use crate::kind::Kind;
use crate::refusal::{Layer, Refusal};
use crate::{rules, schema};

/// What the API server answers if the object does not satisfy its definition.
pub fn refusal(kind: &Kind<'_>, object: &Value) -> Option<Refusal> {
    let root = At::root(object);
    let mut faults = Faults::default();
    metadata::check(&root, &metadata::Names::custom(), &mut faults);
    let whole = schema::resolved(kind.schema);
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status")
            && let Some(below) = schema::field(kind.schema, name)
        {
            judge(below, value, &Path::default().field(name), &mut faults.0);
        }
    }
    missing(whole, object, &Path::default(), &mut faults.0);
    let unclear = |fault: &Fault| {
        matches!(
            fault.reason,
            Reason::Required
                | Reason::NotSupported
                | Reason::TypeInvalid
                | Reason::TooLong
                | Reason::TooMany
        )
    };
    let mut layer = Layer::Schema;
    if faults.0.iter().any(unclear) {
        let message = "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        let fault = Fault::new(&Path::default(), Reason::Invalid, message.to_owned());
        faults.0.push(fault.unnamed());
    } else {
        if faults.0.is_empty() {
            layer = Layer::Rules;
        }
        rules::judge(kind, object, &mut faults.0);
    }
    let name = root.at("metadata.name").text();
    (!faults.0.is_empty()).then(|| Refusal::invalid(layer, kind, name, faults.0))
}

/// The required fields that are not there.
fn missing(schema: &Value, value: &Value, path: &Path, found: &mut Vec<Fault>) {
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        // A field that is null is dropped before.
        if value.get(name).is_none_or(Value::is_null) {
            let message = "Required value".to_owned();
            found.push(Fault::new(&path.field(name), Reason::Required, message));
        }
    }
}

/// Collects what is wrong with the value and what is below it.
fn judge(schema: &Value, value: &Value, path: &Path, found: &mut Vec<Fault>) {
    let schema = schema::resolved(schema);
    if value.is_null() {
        return;
    }
    own(schema, value, path, found);
    match value {
        Value::Object(fields) => {
            missing(schema, value, path, found);
            for (name, value) in fields {
                if let Some(below) = schema["properties"].get(name) {
                    judge(below, value, &path.field(name), found);
                } else if let Some(below) = schema::field(schema, name) {
                    judge(below, value, &path.field(name), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                judge(&schema["items"], item, &path.item(index), found);
            }
        }
        _ => {}
    }
}

/// What is wrong with the value itself.
fn own(schema: &Value, value: &Value, path: &Path, found: &mut Vec<Fault>) {
    let mut add = |reason, message| found.push(Fault::new(path, reason, message));
    if let Some(wanted) = schema["type"].as_str()
        && !is_a(wanted, value)
    {
        let is = type_of(value);
        let message =
            format!("Invalid value: {is:?}: {path} in body must be of type {wanted}: {is:?}");
        return add(Reason::TypeInvalid, message);
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let fault = Fault::new(path, Reason::NotSupported, not_supported(value, &words));
        return found.push(fault.meant(value.as_str().unwrap_or_default(), words));
    }
    for (reason, why) in limits(schema, value) {
        add(
            reason,
            format!("Invalid value: {value}: {path} in body {why}"),
        );
    }
    let mut whole = |why: String| {
        let message = format!("Invalid value: \"\": \"{path}\" {why}");
        found.push(Fault::new(path, Reason::Invalid, message).unnamed());
    };
    if let Some(why) = alternatives(schema, value) {
        whole(why);
    }
    let all = schema["allOf"].as_array().into_iter().flatten();
    let broken: Vec<String> = all.filter_map(|part| alternatives(part, value)).collect();
    if !broken.is_empty() {
        broken.into_iter().for_each(&mut whole);
        whole("must validate all the schemas (allOf)".to_owned());
    }
}

/// Which alternative of `oneOf`, `anyOf` and `not` the value breaks.
fn alternatives(schema: &Value, value: &Value) -> Option<String> {
    if let Some(ways) = schema["oneOf"].as_array() {
        match ways.iter().filter(|way| fits(way, value)).count() {
            1 => {}
            0 => {
                return Some(
                    "must validate one and only one schema (oneOf). Found none valid".to_owned(),
                );
            }
            many => {
                return Some(format!(
                    "must validate one and only one schema (oneOf). Found {many} valid alternatives"
                ));
            }
        }
    }
    let ways = schema["anyOf"].as_array();
    if ways.is_some_and(|ways| !ways.iter().any(|way| fits(way, value))) {
        return Some("must validate at least one schema (anyOf)".to_owned());
    }
    let not = schema.get("not");
    not.is_some_and(|not| fits(not, value))
        .then(|| "must not validate the schema (not)".to_owned())
}

/// Whether the value satisfies the schema, all of it.
fn fits(schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    judge(schema, value, &Path::default(), &mut found);
    found.is_empty()
}

/// The limits that the value breaks.
fn limits(schema: &Value, value: &Value) -> Vec<(Reason, String)> {
    let mut broken = Vec::new();
    let number = |name: &str| schema[name].as_f64();
    let size = |name: &str| {
        schema[name]
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
    };
    if let Some(given) = value.as_f64() {
        if let Some(least) = number("minimum").filter(|least| given < *least) {
            broken.push((
                Reason::Invalid,
                format!("should be greater than or equal to {least}"),
            ));
        }
        if let Some(most) = number("maximum").filter(|most| given > *most) {
            broken.push((
                Reason::Invalid,
                format!("should be less than or equal to {most}"),
            ));
        }
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count();
        if let Some(least) = size("minLength").filter(|least| length < *least) {
            broken.push((
                Reason::Invalid,
                format!("should be at least {least} chars long"),
            ));
        }
        if let Some(most) = size("maxLength").filter(|most| length > *most) {
            broken.push((
                Reason::TooLong,
                format!("should be at most {most} chars long"),
            ));
        }
        if let Some(pattern) = schema["pattern"].as_str()
            && let Ok(form) = regex_lite::Regex::new(pattern)
            && !form.is_match(text)
        {
            broken.push((Reason::Invalid, format!("should match '{pattern}'")));
        }
    }
    if let Some(items) = value.as_array() {
        if let Some(least) = size("minItems").filter(|least| items.len() < *least) {
            broken.push((
                Reason::Invalid,
                format!("should have at least {least} items"),
            ));
        }
        if let Some(most) = size("maxItems").filter(|most| items.len() > *most) {
            broken.push((Reason::TooMany, format!("should have at most {most} items")));
        }
    }
    if let Some(fields) = value.as_object() {
        if let Some(least) = size("minProperties").filter(|least| fields.len() < *least) {
            broken.push((
                Reason::Invalid,
                format!("should have at least {least} properties"),
            ));
        }
        if let Some(most) = size("maxProperties").filter(|most| fields.len() > *most) {
            broken.push((
                Reason::TooMany,
                format!("should have at most {most} properties"),
            ));
        }
    }
    broken
}

fn is_a(wanted: &str, value: &Value) -> bool {
    match wanted {
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|v| v.fract() == 0.0)
        }
        "number" => value.is_number(),
        wanted => wanted == type_of(value),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
