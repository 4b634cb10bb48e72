//! What a proxy logs of a request: the request is made under a name of its own, and the line that bears it is looked for.
//!
//! A connection that stays encrypted has no such name in its line; there the server name and the time have to do.

use serde_json::{Map, Value};

use super::{Place, Seen, pods, request};
use crate::egress::log;
use crate::google::ApiError;
use crate::kinds::clusters::of_cluster;

/// The proxy's container, in sidecars and gateways alike.
const PROXY: &str = "istio-proxy";
/// How many of the last lines of a log are looked through.
const LINES: i64 = 200;

/// Makes the request and looks for its line in the logs of the proxies that `log_pods` selects.
pub async fn look(place: &Place<'_>, want: &Value) -> Result<Seen, ApiError> {
    let fields = want.as_object().cloned().unwrap_or_default();
    let expected = words(&fields, |_, value| plain(value));
    let container = match pods::container(place).await? {
        Ok(container) => container,
        Err(why) => return Ok(Seen::not(expected, why)),
    };
    let (namespace, selector) = (place.text("log_namespace"), place.text("log_pods"));
    let proxies = match pods::containers(place, namespace, selector, PROXY).await? {
        Ok(proxies) => proxies,
        Err(why) => return Ok(Seen::not(expected, why)),
    };
    let mut before = Vec::new();
    for proxy in &proxies {
        before.push(place.cluster.logs(proxy, LINES).await.map_err(of_cluster)?);
    }
    let agent = format!("provision/{}", uuid::Uuid::new_v4());
    request::send(place, &container, &agent).await?;
    let mut new = Vec::new();
    for (proxy, before) in proxies.iter().zip(&before) {
        let now = place.cluster.logs(proxy, LINES).await.map_err(of_cluster)?;
        let known: Vec<&str> = before.lines().collect();
        let lines = now.lines().filter(|line| !known.contains(line));
        new.extend(lines.filter_map(log::read));
    }
    let (_, url) = place.text("request").rsplit_once(' ').unwrap_or_default();
    let host = url.split('/').nth(2).unwrap_or_default();
    let of_request = |line: &&std::collections::BTreeMap<String, String>| {
        let has = |field: &str, value: &str| line.get(field).is_some_and(|text| text == value);
        has("user_agent", &agent)
            || (url.starts_with("https:") && has("requested_server_name", host))
    };
    let lines: Vec<_> = new.iter().filter(of_request).collect();
    let seen = |line: &std::collections::BTreeMap<String, String>| {
        words(&fields, |field, _| {
            line.get(field).cloned().unwrap_or_else(|| "-".to_owned())
        })
    };
    let met = |line: &&&std::collections::BTreeMap<String, String>| {
        let of = |field: &str| line.get(field).map_or("-", String::as_str);
        fields
            .iter()
            .all(|(field, value)| matches(&plain(value), of(field)))
    };
    Ok(match (lines.iter().find(met), lines.first()) {
        (Some(line), _) => Seen {
            holds: true,
            expected,
            seen: seen(line),
        },
        (None, Some(line)) => Seen::not(expected, seen(line)),
        (None, None) => Seen::not(
            expected,
            format!("no line of it in the logs of {selector} in {namespace}"),
        ),
    })
}

/// `field value, field value`.
fn words(fields: &Map<String, Value>, value: impl Fn(&str, &Value) -> String) -> String {
    let words = fields
        .iter()
        .map(|(field, wanted)| format!("{field} {}", value(field, wanted)));
    words.collect::<Vec<_>>().join(", ")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a text is as wanted; a `*` at the beginning stands for anything. Pure.
fn matches(wanted: &str, text: &str) -> bool {
    match wanted.strip_prefix('*') {
        Some(end) => text.ends_with(end),
        None => wanted == text,
    }
}
