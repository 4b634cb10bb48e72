//! The outbound clusters of a pod's proxy, read from the proxy's own admin endpoint, as `istioctl proxy-config clusters` lists
//! them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::{Check, CheckTarget, WITHIN, in_cluster};
use super::pods;
use super::result::CheckResult;
use crate::google::ApiError;
use crate::kinds::cluster_error::of_cluster;

/// The proxy's container.
const PROXY: &str = "istio-proxy";
/// The command that reaches the admin endpoint from inside: the container has a client for it, but no curl.
const ASK: [&str; 4] = ["pilot-agent", "request", "GET", "clusters"];

/// The outbound clusters of a pod's proxy.
pub static CHECK: Check = Check {
    kind: "check.clusters",
    path: in_cluster!("namespaces/{namespace}/pods/{pods}/outbound"),
    optional: &[],
    fields: &["names", "includes", "count"],
    look: |target, want| Box::pin(look(target, want)),
    hint: None,
};

/// Lists the clusters and compares them with `names` (exactly these), `includes` or `count`.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let expected = expectation(want);
    let (namespace, selector) = (place.text("namespace"), place.text("pods"));
    let proxies = match pods::containers(place, namespace, selector, PROXY).await? {
        Ok(proxies) => proxies,
        Err(error) => return Ok(CheckResult::not(expected, error.to_string())),
    };
    let command = ASK.map(str::to_owned);
    for proxy in &proxies {
        let ran = place.cluster.exec(proxy, &command, WITHIN).await;
        let ran = ran.map_err(of_cluster)?;
        if ran.code != 0 {
            return Ok(CheckResult::not(expected, ran.stderr.trim()));
        }
        if let Some(seen) = differs(want, &outbound(&ran.stdout)) {
            return Ok(CheckResult::not(expected, seen));
        }
    }
    Ok(CheckResult::same(expected.clone(), expected))
}

/// The outbound clusters in the admin endpoint's text, without duplicates. Pure.
fn outbound(text: &str) -> BTreeSet<&str> {
    let names = text.lines().filter_map(|line| line.split("::").next());
    names.filter(|name| name.starts_with("outbound|")).collect()
}

/// The names in a field of `want`.
fn names<'a>(want: &'a Value, field: &str) -> Option<BTreeSet<&'a str>> {
    let names = want.get(field)?.as_array()?;
    Some(names.iter().filter_map(Value::as_str).collect())
}

fn expectation(want: &Value) -> String {
    match (
        names(want, "names"),
        names(want, "includes"),
        want.get("count"),
    ) {
        (Some(names), ..) => format!("these {} clusters", names.len()),
        (None, Some(names), _) => format!("{} clusters among others", names.len()),
        (None, None, Some(count)) => format!("{count} clusters"),
        (None, None, None) => "clusters".to_owned(),
    }
}

/// The difference from what `want` states; `None` if there is none. Pure.
fn differs(want: &Value, there: &BTreeSet<&str>) -> Option<String> {
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    let (exactly, at_least) = (names(want, "names"), names(want, "includes"));
    if let Some(wanted) = exactly.as_ref().or(at_least.as_ref()) {
        let missing = list(wanted - there);
        let more = exactly
            .as_ref()
            .map_or_else(String::new, |wanted| list(there - wanted));
        let told = [("missing", missing), ("also", more)];
        let told = told.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<String> = told
            .map(|(word, names)| format!("{word}: {names}"))
            .collect();
        return (!told.is_empty()).then(|| told.join("; "));
    }
    let count = want.get("count").and_then(Value::as_u64)?;
    (there.len() as u64 != count)
        .then(|| format!("{} clusters: {}", there.len(), list(there.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn clusters_are_told_by_name_or_counted() {
        let text = "BlackHoleCluster::default_priority::max_connections::1024\n\
            outbound|80||a::observability_name::outbound|80||a;\noutbound|80||a::added_via_api::true\n\
            outbound|443||b::added_via_api::true\ninbound|80||::x\n";
        let there = outbound(text);
        assert_eq!(there.len(), 2);
        for (want, expected) in [
            (json!({"count": 2}), None),
            (
                json!({"count": 3}),
                Some("2 clusters: outbound|443||b, outbound|80||a"),
            ),
            (
                json!({"names": ["outbound|443||b", "outbound|80||a"]}),
                None,
            ),
            (
                json!({"names": ["outbound|80||a", "outbound|80||c"]}),
                Some("missing: outbound|80||c; also: outbound|443||b"),
            ),
            (
                json!({"names": ["outbound|80||a"]}),
                Some("also: outbound|443||b"),
            ),
        ] {
            assert_eq!(differs(&want, &there).as_deref(), expected, "{want}");
        }
    }
}
