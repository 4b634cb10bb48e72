//! Explains why a request has its result, from all live objects: the hint beside a check that failed.

use serde_json::{Map, Value};

use crate::kinds::{Clients, live_snapshot};
use egress::log::AccessLogLine;
use egress::object::Object;
use egress::request::Request;
use egress::snapshot::Snapshot;
use egress::trace::{CallerOutcome, Hop, HopLocation, Trace};

/// What decides the request of `at`, whose expected result is `want`; `None` if it cannot be read, or if `at` names no request.
pub async fn why(clients: &Clients, at: &Map<String, Value>, want: &Value) -> Option<String> {
    let text = |key: &str| at.get(key).and_then(Value::as_str);
    let (method, url) = text("request")?.split_once(' ')?;
    let mut request = Request::get(text("namespace")?, url).ok()?.by_curl();
    request.method = method.to_owned();
    // The check has failed already. An error while reading is reported by the next call that needs the same resource.
    let sources = live_snapshot::read(clients, at, false).await.ok()??;
    let account = Snapshot::read(&sources).trace(&request);
    // The check is about a log line: a request that passes does not imply that a proxy logs it.
    Some(match (text("log_namespace"), account.stopped_at()) {
        (Some(_), None) => logged(&account, &sources.kubernetes),
        _ => words(&account, want),
    })
}

/// The proxies that have to log the request, and the objects that configure their logs. Pure.
fn logged(account: &Trace, objects: &[Value]) -> String {
    let line = |line: &AccessLogLine| {
        format!(
            "{} should log status {} for cluster {}",
            line.pod, line.status, line.cluster
        )
    };
    let lines: Vec<String> = account.lines.iter().map(line).collect();
    let telemetry: Vec<String> = objects
        .iter()
        .filter(|object| object["kind"] == "Telemetry")
        .map(|object| Object::of(object).to_string())
        .collect();
    let telemetry = match telemetry.is_empty() {
        true => "no Telemetry object enables access logs".to_owned(),
        false => format!("{} decides whether it does", telemetry.join(", ")),
    };
    format!(
        "according to the live objects, {}; {telemetry}",
        lines.join(", ")
    )
}

/// The deciding hop, in a sentence; if no hop stops the request, the hops that let it pass. Pure.
fn words(account: &Trace, want: &Value) -> String {
    let got = match &account.got {
        CallerOutcome::Answer(answer) => format!("the answer is {}", answer.status),
        CallerOutcome::Failure(failure) => format!("curl exits with {}", failure.exit()),
    };
    if is_wanted(&account.got, want) {
        return format!(
            "according to the live objects, {got}, as expected: the last change may not have reached the proxies yet"
        );
    }
    match account.stopped_at() {
        Some(hop) => {
            let by = hop.ruling.by.as_ref().map(|by| format!(" ({by})"));
            let because = &hop.ruling.because;
            format!(
                "according to the live objects, {got}: at {}, {because}{}",
                hop.name,
                by.unwrap_or_default()
            )
        }
        None => {
            let ways: Vec<String> = account.hops.iter().filter_map(let_pass).collect();
            format!(
                "according to the live objects, {got}; it is allowed by {}",
                ways.join(", ")
            )
        }
    }
}

/// Whether a request has the expected result. Pure.
fn is_wanted(got: &CallerOutcome, want: &Value) -> bool {
    let number = |field: &str| want.get(field).and_then(Value::as_u64);
    match got {
        CallerOutcome::Answer(answer) => number("status") == Some(answer.status.into()),
        CallerOutcome::Failure(failure) => number("exit") == Some(failure.exit().into()),
    }
}

/// What lets a request pass at a hop: the object, or why none is needed. `None` for the client, DNS and the server, which are not
/// listed. Pure.
fn let_pass(hop: &Hop) -> Option<String> {
    let ruling = &hop.ruling;
    let by = ruling.by.as_ref().map(ToString::to_string);
    match hop.place {
        HopLocation::Client | HopLocation::Dns | HopLocation::Server => None,
        HopLocation::Firewall => {
            Some(by.unwrap_or_else(|| format!("the firewall ({})", ruling.because)))
        }
        HopLocation::Sidecar
        | HopLocation::NetworkPolicy
        | HopLocation::Gateway
        | HopLocation::ServerSidecar => by,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use egress::trace::{Decision, Failure, HttpAnswer};

    fn account(hops: Vec<Hop>, got: CallerOutcome) -> Trace {
        Trace {
            hops,
            got,
            waits: Duration::ZERO,
            connected: None,
            received: Vec::new(),
            lines: Vec::new(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn the_object_that_decides_is_named() {
        let object = |kind: &str| Object::new(kind, "istio-egress", "one");
        let hop = |place: HopLocation, passes: bool, by: Option<&Object>, because: &str| Hop {
            place,
            name: "Pod a/b".to_owned(),
            ruling: Decision {
                passes,
                by: by.cloned(),
                because: because.to_owned(),
                others: Vec::new(),
                together: None,
            },
        };
        let answer = |status: u16| {
            CallerOutcome::Answer(HttpAnswer {
                status,
                headers: Vec::new(),
                body: String::new(),
            })
        };
        let way = || {
            vec![
                hop(
                    HopLocation::Dns,
                    true,
                    Some(&object("managedZone")),
                    "is known",
                ),
                hop(
                    HopLocation::Sidecar,
                    true,
                    Some(&object("VirtualService")),
                    "routes it",
                ),
                hop(HopLocation::Firewall, true, None, "no rule denies it"),
            ]
        };
        let policy = object("AuthorizationPolicy");
        let denied = hop(HopLocation::Gateway, false, Some(&policy), "denies it");
        let by_default = hop(HopLocation::Gateway, false, None, "none allows it");
        let then = |hop: Hop| way().into_iter().chain([hop]).collect::<Vec<_>>();
        let refused = CallerOutcome::Failure(Failure::TlsReset);
        for (hops, got, want, said) in [
            (
                then(denied.clone()),
                answer(403),
                json!({"status": 200}),
                "according to the live objects, the answer is 403: at Pod a/b, denies it (AuthorizationPolicy istio-egress/one)",
            ),
            (
                then(by_default),
                refused.clone(),
                json!({"status": 200}),
                "according to the live objects, curl exits with 35: at Pod a/b, none allows it",
            ),
            (
                way(),
                answer(200),
                json!({"status": 403}),
                "according to the live objects, the answer is 200; it is allowed by VirtualService istio-egress/one, the firewall (no rule denies it)",
            ),
            (
                way(),
                answer(200),
                json!({"status": 200}),
                "according to the live objects, the answer is 200, as expected: the last change may not have reached the proxies yet",
            ),
            (
                then(denied),
                refused,
                json!({"exit": 35}),
                "according to the live objects, curl exits with 35, as expected: the last change may not have reached the proxies yet",
            ),
        ] {
            assert_eq!(words(&account(hops, got), &want), said);
        }
    }
}
