//! What Go's decoder of a built-in kind does not read although its type is right: fractions and numbers that are too large, bytes
//! that are not base64, quantities, times.

use base64::Engine as _;
use serde_json::Value;

use crate::at::Path;
use crate::fault::{Fault, Reason};
use crate::kind::Kind;
use crate::names;
use crate::refusal::Refusal;
use crate::schema;

const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// What the API server answers if the object cannot be decoded.
pub fn refusal(kind: &Kind<'_>, object: &Value) -> Option<Refusal> {
    let mut found = None;
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "apiVersion" | "kind")
            && let Some(below) = schema::top(kind.schema, name)
        {
            found = found.or_else(|| unread(below, value, &Path::default().field(name)));
        }
    }
    found.map(|fault| Refusal::unconverted(kind, object, fault))
}

/// The first value below that is not read.
fn unread(schema: &Value, value: &Value, path: &Path) -> Option<Fault> {
    let fault = |message: String| Some(Fault::new(path, Reason::Invalid, message));
    match schema["$ref"].as_str() {
        Some(QUANTITY) => {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            return match names::quantity(&text) {
                Some(_) => None,
                None => fault(format!(
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$': {text:?}"
                )),
            };
        }
        Some(INT_OR_STRING) => {
            return match value {
                Value::Number(number) if !fits(number, i32::MIN.into(), i32::MAX.into()) => {
                    fault(unmarshal(number, "int32"))
                }
                _ => None,
            };
        }
        _ => {}
    }
    let schema = schema::resolved(schema);
    match value {
        Value::Number(number) if schema["type"] == "integer" => {
            let wide = schema["format"] != "int32";
            let (least, most) = if wide {
                (i64::MIN, i64::MAX)
            } else {
                (i32::MIN.into(), i32::MAX.into())
            };
            let wanted = if wide { "int64" } else { "int32" };
            (!fits(number, least, most))
                .then(|| fault(unmarshal(number, wanted)))
                .flatten()
        }
        Value::String(text) if schema["format"] == "byte" => {
            let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            let standard = base64::engine::general_purpose::STANDARD;
            match standard.decode(&text) {
                Ok(_) => None,
                Err(_) => fault("error decoding from json: illegal base64 data".to_owned()),
            }
        }
        Value::String(text) if schema["format"] == "date-time" && !names::is_time(text) => {
            fault(format!("parsing time {text:?} as RFC 3339"))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let below = schema::field(schema, name)?;
            let path = match schema["properties"].get(name) {
                Some(_) => path.field(name),
                None => path.key(name),
            };
            unread(below, value, &path)
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| unread(&schema["items"], item, &path.item(index))),
        _ => None,
    }
}

fn fits(number: &serde_json::Number, least: i64, most: i64) -> bool {
    let whole = |number: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "compared with what it came from"
        )]
        let cut = number as i64;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a fraction is what is looked for"
        )]
        (cut as f64 == number).then_some(cut)
    };
    // The server reads 3.0 as 3.
    let number = number.as_i64().or_else(|| number.as_f64().and_then(whole));
    number.is_some_and(|number| (least..=most).contains(&number))
}

fn unmarshal(number: &serde_json::Number, wanted: &str) -> String {
    format!("json: cannot unmarshal number {number} into Go value of type {wanted}")
}
