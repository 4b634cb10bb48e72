//! The outbound clusters of a pod's proxy, read from the proxy's own admin endpoint, as `istioctl proxy-config clusters` lists
//! them.
//!
//! They are compared by host and port, and by subset where the proxy states it, not by Envoy's names for them: Google's managed
//! data plane may name them otherwise than istiod does.

use serde_json::Value;

use super::check::{Check, CheckTarget, WITHIN, in_cluster};
use super::outbound::{Outbound, OutboundClusters, read};
use super::pods;
use super::result::CheckResult;
use crate::google::ApiError;
use crate::kinds::cluster_error::of_cluster;

/// The proxy's container.
const PROXY: &str = "istio-proxy";
/// The command that reaches the admin endpoint from inside: the container has a client for it, but no curl.
const ASK: [&str; 4] = ["pilot-agent", "request", "GET", "clusters"];
/// How many names of unidentified clusters are printed.
const SHOWN: usize = 3;

/// The outbound clusters of a pod's proxy.
pub static CHECK: Check = Check {
    kind: "check.clusters",
    path: in_cluster!("namespaces/{namespace}/pods/{pods}/outbound"),
    optional: &[],
    fields: &["names", "includes", "count"],
    look: |target, want| Box::pin(look(target, want)),
    hint: None,
};

/// Lists the clusters and compares them with `names` (these and no others), `includes` or `count`. An entry is
/// `outbound|PORT|SUBSET|HOST`, or `HOST:PORT` for a host with any subset.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let expected = expectation(want);
    let (namespace, selector) = (place.text("namespace"), place.text("pods"));
    let proxies = match pods::containers(place, namespace, selector, PROXY).await? {
        Ok(proxies) => proxies,
        Err(error) => return Ok(CheckResult::not(expected, error.to_string())),
    };
    let command = ASK.map(str::to_owned);
    let mut unidentified = String::new();
    for proxy in &proxies {
        let ran = place.cluster.exec(proxy, &command, WITHIN).await;
        let ran = ran.map_err(of_cluster)?;
        if ran.code != 0 {
            return Ok(CheckResult::not(expected, ran.stderr.trim()));
        }
        let there = read(&ran.stdout);
        if let Some(seen) = differs(want, &there) {
            return Ok(CheckResult::not(expected, seen));
        }
        unidentified = not_identified(&there).unwrap_or(unidentified);
    }
    // What could not be compared is said, although the check holds.
    let seen = [expected.clone(), unidentified];
    let seen: Vec<String> = seen.into_iter().filter(|text| !text.is_empty()).collect();
    Ok(CheckResult {
        holds: true,
        expected,
        seen: seen.join("; "),
    })
}

/// The entries in a field of `want`.
fn entries<'a>(want: &'a Value, field: &str) -> Option<Vec<&'a str>> {
    let entries = want.get(field)?.as_array()?;
    Some(entries.iter().filter_map(Value::as_str).collect())
}

fn expectation(want: &Value) -> String {
    match (
        entries(want, "names"),
        entries(want, "includes"),
        want.get("count"),
    ) {
        (Some(names), ..) => format!("these {} clusters", names.len()),
        (None, Some(names), _) => format!("{} clusters among others", names.len()),
        (None, None, Some(count)) => format!("{count} clusters"),
        (None, None, None) => "clusters".to_owned(),
    }
}

/// The clusters in a list, as `HOST:PORT`.
fn listed<'a>(clusters: impl Iterator<Item = &'a Outbound>) -> String {
    clusters
        .map(Outbound::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The clusters whose host and port are unknown; `None` if there is none. Pure.
fn not_identified(there: &OutboundClusters) -> Option<String> {
    let names = &there.unidentified;
    if names.is_empty() {
        return None;
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "without a host and port that the proxy states: {}{more}",
        shown.join(", ")
    ))
}

/// The difference from what `want` states; `None` if there is none. Pure.
fn differs(want: &Value, there: &OutboundClusters) -> Option<String> {
    let (exactly, at_least) = (entries(want, "names"), entries(want, "includes"));
    let mut told = Vec::new();
    if let Some(wanted) = exactly.as_ref().or(at_least.as_ref()) {
        let mut clusters = Vec::new();
        for entry in wanted {
            let Some(cluster) = Outbound::named(entry) else {
                return Some(format!(
                    "the check names `{entry}`, which is neither HOST:PORT nor outbound|PORT|SUBSET|HOST"
                ));
            };
            clusters.push(cluster);
        }
        let missing = clusters
            .iter()
            .filter(|wanted| !there.known.iter().any(|cluster| cluster.is(wanted)));
        let more = there.known.iter().filter(|cluster| {
            exactly.is_some() && !clusters.iter().any(|wanted| cluster.is(wanted))
        });
        let lists = [("missing", listed(missing)), ("also", listed(more))];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
        told.extend(lists.map(|(word, names)| format!("{word}: {names}")));
    } else if let Some(count) = want.get("count").and_then(Value::as_u64)
        && there.known.len() as u64 != count
    {
        told.push(format!(
            "{} clusters: {}",
            there.known.len(),
            listed(there.known.iter())
        ));
    }
    if told.is_empty() {
        return None;
    }
    told.extend(not_identified(there));
    Some(told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn clusters_are_compared_by_host_and_port_or_counted() {
        let there = read(
            "BlackHoleCluster::default_priority::max_connections::1024\n\
            outbound|80||a::observability_name::outbound|80||a;\noutbound|80||a::added_via_api::true\n\
            outbound|443|s|b::added_via_api::true\ninbound|80||::x\n",
        );
        for (want, expected) in [
            (json!({"count": 2}), None),
            (
                json!({"count": 3}),
                Some("2 clusters: a:80, b:443 (subset s)"),
            ),
            (
                json!({"names": ["outbound|443|s|b", "outbound|80||a"]}),
                None,
            ),
            (json!({"names": ["b:443", "a:80"]}), None),
            (json!({"includes": ["b:443"]}), None),
            (
                json!({"names": ["outbound|80||a", "outbound|80||c"]}),
                Some("missing: c:80; also: b:443 (subset s)"),
            ),
            // The same host and port with another subset is another cluster.
            (
                json!({"includes": ["outbound|443||b", "a:443"]}),
                Some("missing: b:443, a:443"),
            ),
            (
                json!({"includes": ["outbound|80|t|a"]}),
                Some("missing: a:80 (subset t)"),
            ),
            (
                json!({"includes": ["a"]}),
                Some(
                    "the check names `a`, which is neither HOST:PORT nor outbound|PORT|SUBSET|HOST",
                ),
            ),
        ] {
            assert_eq!(differs(&want, &there).as_deref(), expected, "{want}");
        }
    }

    /// As Traffic Director names clusters in a mesh of its own APIs, and may name those of Istio's objects.
    #[test]
    fn other_names_count_by_what_the_proxy_states_of_host_and_port() {
        let line =
            |name: &str, rest: &str| format!("cloud-internal-istio:cloud_mp_1_{name}::{rest}\n");
        let mut text = String::new();
        for (name, address) in [("1", "192.0.2.1:80"), ("2", "192.0.2.1:443")] {
            text += &line(name, "added_via_api::true");
            text += &line(name, &format!("{address}::hostname::example.com"));
        }
        let whole = json!({"names": ["outbound|80||example.com", "outbound|443|tls|example.com"]});
        assert_eq!(differs(&whole, &read(&text)), None);
        // One of which nothing is known is never one that is missing, and is said.
        for name in 3..8 {
            text += &line(&name.to_string(), "added_via_api::true");
        }
        assert_eq!(differs(&whole, &read(&text)), None);
        let unknown = "without a host and port that the proxy states: cloud-internal-istio:cloud_mp_1_3, \
            cloud-internal-istio:cloud_mp_1_4, cloud-internal-istio:cloud_mp_1_5 and 2 more";
        assert_eq!(not_identified(&read(&text)).as_deref(), Some(unknown));
        let more = json!({"includes": ["httpbin.org:80"]});
        let expected = format!("missing: httpbin.org:80; {unknown}");
        assert_eq!(differs(&more, &read(&text)), Some(expected));
    }
}
