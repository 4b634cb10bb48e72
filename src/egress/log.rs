//! Access log lines of proxies, in Istio's default text format since 1.9.
//!
//! The operators and their order are those of Istio's `telemetry_logging.go`; the sample lines of the tutorial have an older
//! format without the two DETAILS fields. Values that differ from run to run (time, ids, ephemeral ports) come from the
//! caller that formats the line, as an [`AccessLogStamp`].

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use super::object::Object;

/// The access log line of a request or connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessLogLine {
    /// The pod of the proxy.
    pub pod: Object,
    /// The time between the start of the caller's request and its arrival at the proxy.
    pub after: Duration,
    /// Method, path and protocol (`HTTP/1.1`, `HTTP/2`); `None` for a connection without HTTP.
    pub http: Option<(String, String, &'static str)>,
    /// The status; 0 for a connection.
    pub status: u16,
    /// The response flags, such as `URX,UF`; empty for none.
    pub flags: &'static str,
    /// The response code details: `via_upstream`, `rbac_access_denied_matched_policy[none]`; empty for none.
    pub details: String,
    /// The connection termination details; empty for none.
    pub termination: String,
    /// The transport failure reason of the upstream; empty for none.
    pub transport_failure: String,
    /// The received bytes of the body.
    pub received: u64,
    /// The sent bytes of the body.
    pub sent: u64,
    /// The duration.
    pub duration: Duration,
    /// `x-envoy-upstream-service-time` of the answer, in milliseconds.
    pub service_time: Option<u64>,
    /// `x-forwarded-for`, as received by the proxy.
    pub forwarded_for: Option<IpAddr>,
    /// `user-agent`.
    pub agent: String,
    /// The authority.
    pub authority: String,
    /// The address of the upstream.
    pub upstream: Option<SocketAddr>,
    /// The cluster's name; empty for none.
    pub cluster: String,
    /// The proxy's own address on its connection to the upstream; `None` without a connection.
    pub upstream_local: Option<IpAddr>,
    /// The address that the caller connected to, as the proxy sees it.
    pub local: SocketAddr,
    /// The caller's address.
    pub remote: IpAddr,
    /// The SNI of the TLS handshake; empty for none.
    pub server_name: String,
    /// The name of the route; empty for none.
    pub route: String,
}

/// The values that differ from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogStamp {
    /// The time at which the request reached the proxy: RFC 3339 with milliseconds, UTC.
    pub time: String,
    /// `x-request-id`.
    pub request_id: String,
    /// The proxy's port on the upstream connection.
    pub upstream_port: u16,
    /// The caller's port.
    pub remote_port: u16,
}

/// The fields of a line in order, by their names in Istio's JSON encoding.
pub const FIELDS: [&str; 25] = [
    "start_time",
    "method",
    "path",
    "protocol",
    "response_code",
    "response_flags",
    "response_code_details",
    "connection_termination_details",
    "upstream_transport_failure_reason",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
    // Operators that a user added to the format come last.
    "rest",
];

/// Parses a line in the text format or in the JSON encoding; `None` for any other text. The value of an absent field is `-`.
pub fn read(line: &str) -> Option<BTreeMap<String, String>> {
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) {
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        return Some(
            fields
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect(),
        );
    }
    let rest = line.trim().strip_prefix('[')?;
    let (time, rest) = rest.split_once(']')?;
    let words = words(rest);
    let (request, others) = words.split_first()?;
    // A path contains no blank, but a missing method or protocol is `-`.
    let request: Vec<&str> = request.splitn(3, ' ').collect();
    let values = std::iter::once(time)
        .chain(request)
        .chain(others.iter().map(String::as_str));
    let fields: BTreeMap<String, String> = FIELDS
        .iter()
        .zip(values)
        .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
        .collect();
    (fields.len() >= FIELDS.len() - 1).then_some(fields)
}

/// The words of a text, separated by blanks; a quoted text is one word.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for letter in text.chars() {
        match letter {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            letter => {
                word.push(letter);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// `-` for an empty text.
fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// `-` for an absent value.
fn some_or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

impl AccessLogLine {
    /// The line, without a line break.
    pub fn text(&self, stamp: &AccessLogStamp) -> String {
        let start = match &self.http {
            Some((method, path, protocol)) => format!("{method} {path} {protocol}"),
            None => "- - -".to_owned(),
        };
        let id = match self.http {
            Some(_) => stamp.request_id.as_str(),
            None => "-",
        };
        let local = self
            .upstream_local
            .map(|address| SocketAddr::new(address, stamp.upstream_port));
        format!(
            "[{time}] \"{start}\" {status} {flags} {details} {termination} \"{transport}\" {received} {sent} {duration} {service} \
             \"{forwarded}\" \"{agent}\" \"{id}\" \"{authority}\" \"{upstream}\" {cluster} {local} {there} {remote} {sni} {route}",
            time = stamp.time,
            status = self.status,
            flags = or_dash(self.flags),
            details = or_dash(&self.details),
            termination = or_dash(&self.termination),
            transport = or_dash(&self.transport_failure),
            received = self.received,
            sent = self.sent,
            duration = self.duration.as_millis(),
            service = some_or_dash(self.service_time),
            forwarded = some_or_dash(self.forwarded_for),
            agent = or_dash(&self.agent),
            authority = or_dash(&self.authority),
            upstream = some_or_dash(self.upstream),
            cluster = or_dash(&self.cluster),
            local = some_or_dash(local),
            there = self.local,
            remote = SocketAddr::new(self.remote, stamp.remote_port),
            sni = or_dash(&self.server_name),
            route = or_dash(&self.route),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_a_real_proxy_writes_it() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let stamp = AccessLogStamp {
            time: "2026-11-23T03:02:16.690Z".to_owned(),
            request_id: "3a02fe77".to_owned(),
            upstream_port: 48634,
            remote_port: 44218,
        };
        let line = AccessLogLine {
            pod: Object::new("Pod", "istio-egress", "gateway"),
            after: Duration::ZERO,
            http: Some(("GET".to_owned(), "/".to_owned(), "HTTP/2")),
            status: 200,
            flags: "",
            details: "via_upstream".to_owned(),
            termination: String::new(),
            transport_failure: String::new(),
            received: 0,
            sent: 32,
            duration: Duration::from_millis(4),
            service_time: Some(2),
            forwarded_for: Some("192.0.2.2".parse().unwrap()),
            agent: "curl/7.88.1".to_owned(),
            authority: "example.com".to_owned(),
            upstream: Some(address("127.0.2.1:80")),
            cluster: "outbound|80||example.com".to_owned(),
            upstream_local: Some("127.0.0.1".parse().unwrap()),
            local: address("127.0.3.1:8080"),
            remote: "127.0.0.1".parse().unwrap(),
            server_name: "outbound_.80_.x_.gateway".to_owned(),
            route: String::new(),
        };
        // The shape of a line from a real Envoy; the server name is shortened.
        assert_eq!(
            line.text(&stamp),
            "[2026-11-23T03:02:16.690Z] \"GET / HTTP/2\" 200 - via_upstream - \"-\" 0 32 4 2 \"192.0.2.2\" \"curl/7.88.1\" \
             \"3a02fe77\" \"example.com\" \"127.0.2.1:80\" outbound|80||example.com 127.0.0.1:48634 127.0.3.1:8080 \
             127.0.0.1:44218 outbound_.80_.x_.gateway -"
        );
        let read_back = read(&line.text(&stamp)).unwrap();
        let seen = [
            "method",
            "path",
            "response_code",
            "response_flags",
            "upstream_cluster",
            "route_name",
        ];
        assert_eq!(
            seen.map(|name| read_back[name].as_str()),
            ["GET", "/", "200", "-", "outbound|80||example.com", "-"]
        );
        let connection = AccessLogLine {
            http: None,
            status: 0,
            flags: "UH",
            details: String::new(),
            upstream: None,
            cluster: "BlackHoleCluster".to_owned(),
            upstream_local: None,
            service_time: None,
            forwarded_for: None,
            agent: String::new(),
            authority: String::new(),
            sent: 0,
            duration: Duration::from_millis(1),
            server_name: "unknown.test".to_owned(),
            ..line
        };
        assert_eq!(
            connection.text(&stamp),
            "[2026-11-23T03:02:16.690Z] \"- - -\" 0 UH - - \"-\" 0 0 1 - \"-\" \"-\" \"-\" \"-\" \"-\" BlackHoleCluster - \
             127.0.3.1:8080 127.0.0.1:44218 unknown.test -"
        );
        let read_back = read(&connection.text(&stamp)).unwrap();
        let seen = [
            "method",
            "protocol",
            "response_flags",
            "requested_server_name",
        ];
        assert_eq!(
            seen.map(|name| read_back[name].as_str()),
            ["-", "-", "UH", "unknown.test"]
        );
    }

    #[test]
    fn what_is_no_line_of_a_proxy_is_not_read_as_one() {
        let json = r#"{"response_code":200,"upstream_cluster":"outbound|80||example.com","route_name":null}"#;
        let fields = read(json).unwrap();
        let seen = ["response_code", "upstream_cluster", "route_name"];
        assert_eq!(
            seen.map(|name| fields[name].as_str()),
            ["200", "outbound|80||example.com", "-"]
        );
        for other in [
            "",
            "[",
            "2026-11-23T03:02:16Z\tinfo\tReadiness succeeded",
            "[t] \"GET / HTTP/1.1\" 200",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
