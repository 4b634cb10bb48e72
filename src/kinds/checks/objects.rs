//! Kubernetes objects that a selector finds: their number, and what each of them must have.

use serde_json::Value;

use super::check::{Check, CheckTarget, in_cluster};
use super::result::CheckResult;
use crate::cluster::ObjectRef;
use crate::google::ApiError;
use crate::kinds::cluster_error::of_cluster;

/// Kubernetes objects that a selector finds.
pub static CHECK: Check = Check {
    kind: "check.objects",
    path: in_cluster!("{apiVersion}/{kind}/{selector}"),
    optional: &["namespace"],
    fields: &["count", "each"],
    look: |target, want| Box::pin(look(target, want)),
    hint: None,
};

/// Counts the objects and compares each of them.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let like = ObjectRef {
        api_version: place.text("apiVersion").to_owned(),
        kind: place.text("kind").to_owned(),
        namespace: place
            .at
            .get("namespace")
            .and_then(Value::as_str)
            .map(str::to_owned),
        name: String::new(),
    };
    let found = place.cluster.list(&like, place.text("selector")).await;
    Ok(judge(&like.kind, want, &found.map_err(of_cluster)?))
}

/// Compares the objects that were found with `want`. Pure.
fn judge(kind: &str, want: &Value, found: &[Value]) -> CheckResult {
    let each = want.get("each").unwrap_or(&Value::Null);
    let count = want.get("count").and_then(Value::as_u64);
    let count = count.map_or("some".to_owned(), |count| count.to_string());
    let expected = match each {
        Value::Null => format!("{count} {kind}"),
        _ => format!("{count} {kind}, each as the step states"),
    };
    if found.is_empty() || count.parse().is_ok_and(|count: usize| count != found.len()) {
        return CheckResult::not(expected, format!("{} {kind}", found.len()));
    }
    let short = |object: &Value| {
        object["metadata"]["name"]
            .as_str()
            .unwrap_or("?")
            .to_owned()
    };
    let lacking = found
        .iter()
        .find_map(|object| Some((object, lacks("", each, object)?)));
    match lacking {
        None => CheckResult::same(expected.clone(), expected),
        Some((object, why)) => {
            CheckResult::not(expected, format!("{kind} {}: {why}", short(object)))
        }
    }
}

/// What an object lacks of `want`: fields as stated; of a list, each stated entry anywhere in it. `None` if it lacks nothing.
fn lacks(path: &str, want: &Value, have: &Value) -> Option<String> {
    match (want, have) {
        (Value::Null, _) => None,
        (Value::Object(fields), Value::Object(_)) => fields.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match have.get(name) {
                Some(have) => lacks(&path, value, have),
                None => Some(format!("no {}", path.trim_start_matches('.'))),
            }
        }),
        (Value::Array(wanted), Value::Array(there)) => {
            let missing = wanted
                .iter()
                .find(|want| !there.iter().any(|have| lacks("", want, have).is_none()))?;
            let path = path.trim_start_matches('.');
            Some(format!("no {missing} in {path}"))
        }
        (want, have) if want == have => None,
        (want, have) => Some(format!(
            "{} is {have}, not {want}",
            path.trim_start_matches('.')
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_counted_and_each_is_looked_at() {
        let taint = json!({"key": "dedicated", "value": "gateway", "effect": "NoSchedule"});
        let node = |taints: Value| json!({"metadata": {"name": "n"}, "spec": {"taints": taints}});
        let want = json!({"count": 1, "each": {"spec": {"taints": [taint]}}});
        let more = json!({"key": "dedicated", "value": "gateway", "effect": "NoSchedule", "timeAdded": "t"});
        for (want, found, seen) in [
            (want.clone(), vec![node(json!([more]))], None),
            (want.clone(), vec![], Some("0 Node")),
            (
                want.clone(),
                vec![node(json!([])), node(json!([]))],
                Some("2 Node"),
            ),
            (
                want,
                vec![node(json!([]))],
                Some(
                    "Node n: no {\"key\":\"dedicated\",\"value\":\"gateway\",\"effect\":\"NoSchedule\"} in spec.taints",
                ),
            ),
            (
                json!({"each": {"spec": {"a": 1}}}),
                vec![node(json!([]))],
                Some("Node n: no spec.a"),
            ),
            (
                json!({"each": {"metadata": {"name": "m"}}}),
                vec![node(json!([]))],
                Some("Node n: metadata.name is \"n\", not \"m\""),
            ),
        ] {
            let judged = judge("Node", &want, &found);
            assert_eq!(judged.holds, seen.is_none(), "{judged:?}");
            if let Some(seen) = seen {
                assert_eq!(judged.seen, seen);
            }
        }
    }
}
