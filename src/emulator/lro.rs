//! `google.longrunning.Operation` in the two ways that services print it.

use serde_json::{Value, json};

use super::names;
use super::operation::Operation;

/// As serviceusage and Resource Manager print it: nothing but the name until it is done.
///
/// `extra` of the operation holds `metadata` and `response`.
pub fn quiet(operation: &Operation, name: &str) -> Value {
    if !operation.is_done() {
        return json!({"name": name});
    }
    let mut printed = json!({"name": name, "done": true});
    if let Some(metadata) = operation.extra.get("metadata") {
        printed["metadata"] = metadata.clone();
    }
    outcome(operation, &mut printed);
    printed
}

/// Adds `error` or `response`.
pub fn outcome(operation: &Operation, printed: &mut Value) {
    match &operation.failure {
        Some(failure) => {
            // A google.rpc.Code is a number.
            let code: i64 = failure.code.parse().unwrap_or(2);
            printed["error"] = json!({"code": code, "message": failure.message});
        }
        None => printed["response"] = operation.extra["response"].clone(),
    }
}

/// A UUID that depends on `seed` alone.
pub fn uuid(seed: &str) -> String {
    let (a, b) = (names::hex(seed, 16), names::hex(&format!("{seed}/"), 16));
    format!(
        "{}-{}-4{}-a{}-{}",
        &a[..8],
        &a[8..12],
        &a[13..16],
        &b[1..4],
        &b[4..16]
    )
}
