//! The access log line that a proxy writes for a request. The check sends the request with a user agent of its own and waits for
//! the line that contains it.
//!
//! Logs are followed from before the request on, so that neither a large number of later lines nor a rotation of the file hides
//! the line. The line of a connection that stays encrypted has no user agent. For such a connection, a new line with the server
//! name has to be enough; the line of an identical request that another client made just before may be mistaken for it.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use super::check::{Check, CheckTarget, in_cluster};
use super::result::CheckResult;
use super::{diagnose, flush, pods, request};
use crate::cluster::ContainerRef;
use crate::google::{ApiError, retry};
use crate::kinds::cluster_error::of_cluster;
use egress::log;

/// The proxy's container, in sidecars and gateways alike.
const PROXY: &str = "istio-proxy";
/// How far before the request a log is read: the node's clock is read in whole seconds.
const BEFORE: Duration = Duration::from_secs(2);
/// How far back lines count as known before the request.
const KNOWN: Duration = Duration::from_secs(30);
/// How much later than the proxy's flush a line may arrive through the kubelet and the API server.
const MARGIN: Duration = Duration::from_secs(2);
/// The first and the longest pause before a log that has ended is followed again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// The fields of a line.
type LogFields = BTreeMap<String, String>;

/// A line in the access logs of proxies.
pub static CHECK: Check = Check {
    kind: "check.log",
    path: in_cluster!(
        "namespaces/{namespace}/pods/{pods}/{container}/{request}/logs/{log_namespace}/{log_pods}"
    ),
    optional: &[],
    fields: egress::log::FIELDS.as_slice(),
    look: |target, want| Box::pin(look(target, want)),
    hint: Some(|clients, at, want| Box::pin(diagnose::why(clients, at, want))),
};

/// Makes the request and waits for its line in the logs of the proxies that `log_pods` selects.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let fields = want.as_object().cloned().unwrap_or_default();
    let expected = words(&fields, |_, value| plain(value));
    let container = match pods::container(place).await? {
        Ok(container) => container,
        Err(error) => return Ok(CheckResult::not(expected, error.to_string())),
    };
    let (namespace, selector) = (place.text("log_namespace"), place.text("log_pods"));
    let proxies = match pods::containers(place, namespace, selector, PROXY).await? {
        Ok(proxies) => proxies,
        Err(error) => return Ok(CheckResult::not(expected, error.to_string())),
    };
    let of_request = RequestMatch::new(place, &proxies).await?;
    let begun = Instant::now();
    let (tell, mut heard) = unbounded_channel();
    let listen = listen(place, &proxies, &of_request, &tell);
    let ask = async {
        let send = request::send(place, &container, &of_request.agent);
        let (sent, late) = tokio::join!(send, flush::interval(place, &proxies));
        sent?;
        let met = |line: &LogFields| {
            let of = |field: &str| line.get(field).map_or("-", String::as_str);
            let mut each = fields.iter();
            each.all(|(field, value)| matches(&plain(value), of(field)))
        };
        let found = match first(&mut heard, late, MARGIN, met).await {
            LogSearch::Met(line) => LogSearch::Met(line),
            // A followed log may be slow to arrive. What the log contains by now decides.
            _ => in_logs(
                &read(place, &proxies, begun.elapsed() + BEFORE).await?,
                &of_request,
                met,
            ),
        };
        Ok((found, late))
    };
    let (found, late) = tokio::select! {
        found = ask => found?,
        // A log that cannot be read is no evidence of its content.
        failed = listen => match failed? {},
    };
    let seen = |line: &LogFields| {
        words(&fields, |field, _| {
            line.get(field).cloned().unwrap_or_else(|| "-".to_owned())
        })
    };
    Ok(match found {
        LogSearch::Met(line) => CheckResult {
            holds: true,
            expected,
            seen: seen(&line),
        },
        LogSearch::Other(line) => CheckResult::not(expected, seen(&line)),
        LogSearch::None => CheckResult::not(
            expected,
            format!(
                "no log line for the request in {selector} in {namespace} within {:.1} s; the proxies write their lines after at most {:.1} s",
                (late + MARGIN).as_secs_f64(),
                late.as_secs_f64()
            ),
        ),
    })
}

/// Distinguishes a request's lines from other lines.
struct RequestMatch {
    agent: String,
    /// The server name of an encrypted request; empty for a request in plain text.
    server_name: String,
    /// The lines that existed before the request.
    known: HashSet<String>,
}

impl RequestMatch {
    async fn new(
        place: &CheckTarget<'_>,
        proxies: &[ContainerRef],
    ) -> Result<RequestMatch, ApiError> {
        let (_, url) = place.text("request").rsplit_once(' ').unwrap_or_default();
        let host = url.strip_prefix("https://").unwrap_or_default();
        let host = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
        let known = match host.is_empty() {
            true => String::new(),
            false => read(place, proxies, KNOWN).await?,
        };
        let known = known.lines().map(str::to_owned).collect();
        Ok(RequestMatch {
            agent: format!("provision/{}", uuid::Uuid::new_v4()),
            server_name: host.to_owned(),
            known,
        })
    }

    /// The fields of a line, if the line belongs to the request.
    fn read(&self, line: &str) -> Option<LogFields> {
        let fields = log::read(line)?;
        let has = |field: &str, value: &str| fields.get(field).is_some_and(|text| text == value);
        let by_name = !self.server_name.is_empty()
            && has("requested_server_name", &self.server_name)
            && !self.known.contains(line);
        (has("user_agent", &self.agent) || by_name).then_some(fields)
    }
}

/// The lines of all these logs since a duration ago.
async fn read(
    place: &CheckTarget<'_>,
    proxies: &[ContainerRef],
    since: Duration,
) -> Result<String, ApiError> {
    let mut all = String::new();
    for proxy in proxies {
        all += &place.cluster.logs(proxy, since).await.map_err(of_cluster)?;
        all.push('\n');
    }
    Ok(all)
}

/// Sends the request's lines of all these logs as they arrive. Returns only if a log cannot be read.
async fn listen(
    place: &CheckTarget<'_>,
    proxies: &[ContainerRef],
    of_request: &RequestMatch,
    tell: &UnboundedSender<LogFields>,
) -> Result<Infallible, ApiError> {
    let begun = Instant::now();
    let on_line = |line: &str| {
        if let Some(line) = of_request.read(line) {
            // The receiver is closed once it has seen enough.
            let _ = tell.send(line);
        }
    };
    let each = proxies.iter().map(|proxy| async move {
        // A server may end a followed log at any time. Reading a line twice does no harm.
        for pause in retry::delays(PAUSES.0, PAUSES.1) {
            let since = begun.elapsed() + BEFORE;
            let followed = place.cluster.follow(proxy, since, &on_line).await;
            followed.map_err(of_cluster)?;
            tokio::time::sleep(pause).await;
        }
        std::future::pending::<Result<Infallible, ApiError>>().await
    });
    let mut none = futures_util::future::try_join_all(each).await?;
    match none.pop() {
        Some(never) => match never {},
        // Without a proxy there is nothing to wait for.
        None => std::future::pending().await,
    }
}

/// What was found of a request.
#[derive(Debug, Clone, PartialEq)]
enum LogSearch {
    /// A line that matches.
    Met(LogFields),
    /// The first line of the request, if none of its lines matches.
    Other(LogFields),
    /// No line.
    None,
}

/// Waits for a line that `met` accepts. A proxy writes a line at most `late` after the event, and the line arrives at most
/// `margin` later. After a line that does not match, a later write may contain another line of the same request: a proxy in front
/// of this one retries.
async fn first(
    heard: &mut UnboundedReceiver<LogFields>,
    late: Duration,
    margin: Duration,
    met: impl Fn(&LogFields) -> bool,
) -> LogSearch {
    let mut until = Instant::now() + late + margin;
    let mut other = None;
    while let Ok(Some(line)) = timeout_at(until, heard.recv()).await {
        if met(&line) {
            return LogSearch::Met(line);
        }
        if other.is_none() {
            until = until.min(Instant::now() + late);
            other = Some(line);
        }
    }
    other.map_or(LogSearch::None, LogSearch::Other)
}

/// The request's line in the text of logs: the first that `met` accepts, otherwise the first. Pure.
fn in_logs(text: &str, of_request: &RequestMatch, met: impl Fn(&LogFields) -> bool) -> LogSearch {
    let lines: Vec<LogFields> = text
        .lines()
        .filter_map(|line| of_request.read(line))
        .collect();
    match (lines.iter().find(|line| met(line)), lines.first()) {
        (Some(line), _) => LogSearch::Met(line.clone()),
        (None, Some(line)) => LogSearch::Other(line.clone()),
        (None, None) => LogSearch::None,
    }
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

/// Whether a text matches; a leading `*` stands for anything. Pure.
fn matches(wanted: &str, text: &str) -> bool {
    match wanted.strip_prefix('*') {
        Some(end) => text.ends_with(end),
        None => wanted == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(code: &str) -> LogFields {
        LogFields::from([("response_code".to_owned(), code.to_owned())])
    }

    #[tokio::test]
    async fn a_line_is_waited_for_as_long_as_a_proxy_may_be_late() {
        let milliseconds = Duration::from_millis;
        let margin = milliseconds(300);
        let found = |code: &str| LogSearch::Met(line(code));
        // (lines with their arrival times, the proxy's delay, what is found, the least time that it takes); in milliseconds
        for (lines, late, expected, least) in [
            (vec![(0, "200")], 300, found("200"), 0),
            (vec![(350, "200")], 300, found("200"), 350),
            (vec![], 300, LogSearch::None, 600),
            (vec![(2_000, "200")], 300, LogSearch::None, 600),
            (vec![(0, "503"), (100, "200")], 600, found("200"), 100),
            (
                vec![(0, "503"), (2_000, "200")],
                300,
                LogSearch::Other(line("503")),
                300,
            ),
            (
                vec![(0, "503"), (0, "504")],
                0,
                LogSearch::Other(line("503")),
                0,
            ),
        ] {
            let (tell, mut heard) = unbounded_channel();
            let begun = Instant::now();
            let come = async {
                for (after, code) in &lines {
                    tokio::time::sleep_until(begun + milliseconds(*after)).await;
                    tell.send(line(code)).unwrap();
                }
                std::future::pending::<()>().await;
            };
            let met = |line: &LogFields| line["response_code"] == "200";
            let wait = first(&mut heard, milliseconds(late), margin, met);
            let got = tokio::select! { got = wait => got, () = come => unreachable!() };
            assert_eq!(got, expected, "{lines:?} {late}");
            assert!(begun.elapsed() >= milliseconds(least), "{lines:?} {late}");
        }
    }

    #[test]
    fn what_a_followed_log_did_not_bring_in_time_is_read_once_more() {
        let line = |agent: &str, code: u32| {
            serde_json::json!({"user_agent": agent, "response_code": code}).to_string() + "\n"
        };
        let of_request = RequestMatch {
            agent: "provision/1".to_owned(),
            server_name: String::new(),
            known: HashSet::new(),
        };
        let met = |line: &LogFields| line["response_code"] == "200";
        let (others, refused, ours) = (
            line("provision/2", 200),
            line("provision/1", 503),
            line("provision/1", 200),
        );
        for (text, expected) in [
            (String::new(), "none"),
            (others.clone(), "none"),
            (format!("{others}no line\n{refused}"), "503"),
            (format!("{refused}{others}{ours}"), "200"),
        ] {
            let found = match in_logs(&text, &of_request, met) {
                LogSearch::Met(line) | LogSearch::Other(line) => line["response_code"].clone(),
                LogSearch::None => "none".to_owned(),
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_line_is_the_requests_by_its_agent_or_else_by_a_new_one_with_its_name() {
        let json = |agent: Value, name: &str, id: u32| {
            serde_json::json!({"user_agent": agent, "requested_server_name": name, "id": id})
                .to_string()
        };
        let old = json(Value::Null, "example.com", 1);
        let of = |server_name: &str| RequestMatch {
            agent: "provision/1".to_owned(),
            server_name: server_name.to_owned(),
            known: HashSet::from([old.clone()]),
        };
        for (server_name, line, is) in [
            ("", json("provision/1".into(), "outbound", 1), true),
            ("", json("provision/2".into(), "outbound", 1), false),
            ("", json(Value::Null, "", 1), false),
            ("example.com", json(Value::Null, "example.com", 2), true),
            ("example.com", json(Value::Null, "httpbin.org", 2), false),
            ("example.com", old.clone(), false),
        ] {
            assert_eq!(of(server_name).read(&line).is_some(), is, "{line}");
        }
    }
}
