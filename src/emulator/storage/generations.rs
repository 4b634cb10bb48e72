//! Generations and metagenerations: preconditions on them, their increments, and the etags made of them.

use serde_json::{Value, json};

use super::checksums;
use crate::answer::ErrorResponse;
use crate::request::Request;

/// Checks the request's `if…Match` parameters; an object that does not exist has generation 0.
///
/// # Errors
/// 412.
pub fn preconditions(request: &Request, there: Option<&Value>) -> Result<(), ErrorResponse> {
    let at = |field: &str| there.map_or("0", |value| value[field].as_str().unwrap_or_default());
    let holds = [
        ("ifGenerationMatch", "generation", true),
        ("ifGenerationNotMatch", "generation", false),
        ("ifMetagenerationMatch", "metageneration", true),
        ("ifMetagenerationNotMatch", "metageneration", false),
    ]
    .into_iter()
    .all(|(name, field, equal)| {
        request
            .query(name)
            .is_none_or(|wanted| (at(field) == wanted) == equal)
    });
    if holds {
        Ok(())
    } else {
        Err(ErrorResponse::condition_not_met(
            "At least one of the pre-conditions you specified did not hold.",
        ))
    }
}

/// `value` with the next metageneration, and the etag that goes with it.
pub fn touched(mut value: Value, now: String) -> Value {
    let last: u64 = value["metageneration"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    value["metageneration"] = json!((last + 1).to_string());
    value["updated"] = json!(now);
    value["etag"] = json!(etag(&value));
    value
}

/// The etag of a bucket (`CAE=`: its metageneration) or of an object (its generation too), a small message in base64.
pub fn etag(value: &Value) -> String {
    let number = |field: &str| {
        value[field]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let metageneration = number("metageneration").unwrap_or(1);
    match value["kind"].as_str() {
        Some("storage#object") => {
            checksums::etag(&[(1, number("generation").unwrap_or(0)), (2, metageneration)])
        }
        _ => checksums::etag(&[(1, metageneration)]),
    }
}
