//! Rules of a VirtualService.

use std::fmt;
use std::time::Duration;

use json::{list, text};
use serde_json::Value;

use super::http::{self, Headers, HttpMatch};
use crate::field::{always, duration, port, strange};
use crate::host::qualified;
use crate::object::{Labels, Object, Unknown, labels, texts};
use crate::selector::Selector;

/// The conditions of a match that do not depend on the request: the location of the proxy, and the port of the request.
#[derive(Debug, Clone, Default)]
pub struct MatchScope {
    port: Option<u16>,
    gateways: Vec<String>,
    source: Selector,
    namespace: String,
}

impl MatchScope {
    fn read(value: &Value, own: &str) -> MatchScope {
        MatchScope {
            port: port(value, "/port"),
            gateways: super::gateways(value, own),
            source: Selector::exact(labels(value, "/sourceLabels")),
            namespace: text(value, "/sourceNamespace").to_owned(),
        }
    }

    /// Whether it holds at `gateway` on `port` for a proxy with these labels in this namespace. A match that names gateways
    /// has no other condition on the proxy (Istio's `sourceMatchHTTP`).
    pub fn holds(&self, gateway: &str, port: u16, namespace: &str, labels: &Labels) -> bool {
        let proxy = match self.gateways.is_empty() {
            false => self.gateways.iter().any(|name| name == gateway),
            true => {
                self.source.matches(labels)
                    && (self.namespace.is_empty() || self.namespace == namespace)
            }
        };
        proxy && self.port.is_none_or(|own| own == port)
    }

    /// Whether it holds for TCP or TLS at a sidecar with these labels in this namespace: all conditions count (Istio's `matchTLS`
    /// and `matchTCP`).
    pub fn holds_for_connections(
        &self,
        gateway: &str,
        port: u16,
        namespace: &str,
        labels: &Labels,
    ) -> bool {
        self.holds_for_bytes(gateway, port)
            && self.source.matches(labels)
            && (self.namespace.is_empty() || self.namespace == namespace)
    }

    /// Whether it holds at a gateway for TCP or TLS: there, no other condition on the proxy is evaluated (Istio's
    /// `l4SingleMatch`).
    pub fn holds_for_bytes(&self, gateway: &str, port: u16) -> bool {
        let here = self.gateways.is_empty() || self.gateways.iter().any(|name| name == gateway);
        here && self.port.is_none_or(|own| own == port)
    }
}

/// The destination of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The host, in lower case, qualified as a name of the mesh.
    pub host: String,
    /// The subset; empty for none.
    pub subset: String,
    /// The port; `None` if the host has only one.
    pub port: Option<u16>,
    /// The weight, if there are several destinations.
    pub weight: u64,
    /// Its changes to the request's headers.
    pub request: Headers,
    /// Its changes to the answer's headers.
    pub response: Headers,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.subset.as_str() {
            "" => Ok(()),
            subset => write!(f, ", subset {subset}"),
        }
    }
}

/// Parses the destinations of a rule, the one with the largest weight first.
fn route(
    object: &Object,
    rule: &Value,
    path: &str,
    unknown: &mut Vec<Unknown>,
) -> Vec<Destination> {
    let known = ["destination", "weight", "headers"];
    let mut all = Vec::new();
    for (index, each) in list(rule, "/route").enumerate() {
        let path = format!("{path}.route[{index}]");
        unknown.extend(strange(object, each, &path, &known));
        let host = text(each, "/destination/host");
        let headers = |of: &str| each.pointer(&format!("/headers/{of}")).map(Headers::read);
        all.push(Destination {
            host: qualified(host, &object.namespace).to_ascii_lowercase(),
            subset: text(each, "/destination/subset").to_owned(),
            port: port(each, "/destination/port/number"),
            weight: each.get("weight").and_then(Value::as_u64).unwrap_or(0),
            request: headers("request").unwrap_or_default(),
            response: headers("response").unwrap_or_default(),
        });
    }
    all.sort_by_key(|destination| std::cmp::Reverse(destination.weight));
    all
}

/// The action of a rule for HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpAction {
    /// Forwards the request, usually to the first destination; the others receive their shares.
    Route(Vec<Destination>),
    /// Redirects the caller.
    Redirect {
        /// The status.
        status: u16,
        /// The new scheme; empty if unchanged.
        scheme: String,
        /// The new authority; empty if unchanged.
        authority: String,
        /// The new port; `None` if unchanged.
        port: Option<u16>,
        /// The new path; empty if unchanged.
        uri: String,
    },
    /// Sends a direct response.
    Respond {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
}

/// A rule's changes to a request's URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRewrite {
    /// The replacement for the matched part of the path; empty for no change.
    pub uri: String,
    /// The new authority; empty for no change.
    pub authority: String,
}

/// The retries of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRetry {
    /// The number of retries.
    pub attempts: u32,
    /// The retry conditions, in Envoy's notation; empty for the default.
    pub on: String,
}

/// The injected faults of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultInjection {
    /// The delay of a request.
    pub delay: Option<Duration>,
    /// The status of an aborted request.
    pub abort: Option<u16>,
}

/// A rule for HTTP requests.
#[derive(Debug, Clone)]
pub struct HttpRoute {
    /// The name; empty for none.
    pub name: String,
    /// The matches, one of which must hold; without any, every request matches.
    pub matches: Vec<(MatchScope, HttpMatch)>,
    /// The action.
    pub action: HttpAction,
    /// The changes to the URL.
    pub rewrite: HttpRewrite,
    /// The time limit for the answer, including retries.
    pub timeout: Option<Duration>,
    /// The retries; `None` if the rule does not state any.
    pub retries: Option<HttpRetry>,
    /// The injected faults.
    pub fault: FaultInjection,
    /// The changes to the request's headers.
    pub request: Headers,
    /// The changes to the answer's headers.
    pub response: Headers,
}

/// Fields of a rule that are covered. `corsPolicy` concerns browsers only.
const KNOWN: &[&str] = &[
    "name",
    "match",
    "route",
    "redirect",
    "directResponse",
    "rewrite",
    "timeout",
    "retries",
    "fault",
    "headers",
    "corsPolicy",
    // Copies of a request change nothing for its caller.
    "mirror",
    "mirrors",
    "mirrorPercent",
    "mirrorPercentage",
];

impl HttpRoute {
    pub(super) fn read(
        object: &Object,
        rule: &Value,
        path: &str,
        unknown: &mut Vec<Unknown>,
    ) -> HttpRoute {
        unknown.extend(strange(object, rule, path, KNOWN));
        for (index, block) in list(rule, "/match").enumerate() {
            let path = format!("{path}.match[{index}]");
            unknown.extend(strange(object, block, &path, http::KNOWN));
        }
        let matches = list(rule, "/match").map(|block| {
            (
                MatchScope::read(block, &object.namespace),
                HttpMatch::read(block),
            )
        });
        let headers = |of: &str| rule.pointer(&format!("/headers/{of}")).map(Headers::read);
        let rewrite = rule.get("rewrite").unwrap_or(&Value::Null);
        unknown.extend(strange(
            object,
            rewrite,
            &format!("{path}.rewrite"),
            &["uri", "authority"],
        ));
        HttpRoute {
            name: text(rule, "/name").to_owned(),
            matches: matches.collect(),
            action: action(object, rule, path, unknown),
            rewrite: HttpRewrite {
                uri: text(rewrite, "/uri").to_owned(),
                authority: text(rewrite, "/authority").to_owned(),
            },
            timeout: duration(text(rule, "/timeout")).filter(|time| !time.is_zero()),
            retries: rule
                .get("retries")
                .map(|retries| retry(object, retries, path, unknown)),
            fault: fault(object, rule, path, unknown),
            request: headers("request").unwrap_or_default(),
            response: headers("response").unwrap_or_default(),
        }
    }

    /// The matches that hold at this place, whatever the request is; `None` if the rule does not apply there at all.
    pub fn here(&self, holds: impl Fn(&MatchScope) -> bool) -> Option<Vec<&HttpMatch>> {
        if self.matches.is_empty() {
            return Some(vec![&http::EVERY]);
        }
        let here = self.matches.iter().filter(|(when, _)| holds(when));
        let here: Vec<&HttpMatch> = here.map(|(_, block)| block).collect();
        (!here.is_empty()).then_some(here)
    }
}

fn action(object: &Object, rule: &Value, path: &str, unknown: &mut Vec<Unknown>) -> HttpAction {
    let status = |value: &Value, field: &str, otherwise| port(value, field).unwrap_or(otherwise);
    if let Some(redirect) = rule.get("redirect") {
        let known = ["uri", "authority", "port", "scheme", "redirectCode"];
        unknown.extend(strange(
            object,
            redirect,
            &format!("{path}.redirect"),
            &known,
        ));
        let field = |pointer| text(redirect, pointer).to_owned();
        return HttpAction::Redirect {
            status: status(redirect, "/redirectCode", 301),
            scheme: field("/scheme"),
            authority: field("/authority"),
            port: port(redirect, "/port"),
            uri: field("/uri"),
        };
    }
    if let Some(response) = rule.get("directResponse") {
        let body = response.get("body").unwrap_or(&Value::Null);
        unknown.extend(strange(
            object,
            body,
            &format!("{path}.directResponse.body"),
            &["string"],
        ));
        return HttpAction::Respond {
            status: status(response, "/status", 200),
            body: text(body, "/string").to_owned(),
        };
    }
    HttpAction::Route(route(object, rule, path, unknown))
}

fn retry(object: &Object, retries: &Value, path: &str, unknown: &mut Vec<Unknown>) -> HttpRetry {
    // The per-try timeout starts when the connection is established, so it ends none of the attempts that matter here.
    let known = [
        "attempts",
        "perTryTimeout",
        "retryOn",
        "retryRemoteLocalities",
        "backoff",
    ];
    unknown.extend(strange(object, retries, &format!("{path}.retries"), &known));
    let attempts = retries.get("attempts").and_then(Value::as_u64).unwrap_or(0);
    HttpRetry {
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX).min(100),
        on: text(retries, "/retryOn").to_owned(),
    }
}

fn fault(object: &Object, rule: &Value, path: &str, unknown: &mut Vec<Unknown>) -> FaultInjection {
    let mut of = |kind: &str, known: &[&str]| {
        let value = rule.pointer(&format!("/fault/{kind}"))?;
        let path = format!("{path}.fault.{kind}");
        unknown.extend(strange(object, value, &path, known));
        if !always(value) {
            // A fault that affects only some requests is not applied to a single one.
            let field = format!("{path}.percentage");
            unknown.push(Unknown {
                object: object.clone(),
                field,
            });
            return None;
        }
        Some(value)
    };
    let delay = of("delay", &["fixedDelay", "percentage", "percent"]);
    let delay = delay.and_then(|delay| duration(text(delay, "/fixedDelay")));
    let abort = of("abort", &["httpStatus", "percentage", "percent"]);
    FaultInjection {
        delay,
        abort: abort.and_then(|abort| port(abort, "/httpStatus")),
    }
}

/// A rule for TLS connections that are not terminated, by SNI.
#[derive(Debug, Clone)]
pub struct TlsRoute {
    /// The matches: the scope, and the SNI hosts.
    pub matches: Vec<(MatchScope, Vec<String>)>,
    /// The destinations, the one with the largest weight first.
    pub route: Vec<Destination>,
}

impl TlsRoute {
    pub(super) fn read(
        object: &Object,
        rule: &Value,
        path: &str,
        unknown: &mut Vec<Unknown>,
    ) -> TlsRoute {
        unknown.extend(strange(object, rule, path, &["match", "route"]));
        let known = [
            "sniHosts",
            "port",
            "sourceLabels",
            "gateways",
            "sourceNamespace",
        ];
        let mut matches = Vec::new();
        for (index, block) in list(rule, "/match").enumerate() {
            unknown.extend(strange(
                object,
                block,
                &format!("{path}.match[{index}]"),
                &known,
            ));
            let names = texts(block, "/sniHosts");
            let names = names.iter().map(|name| name.to_ascii_lowercase());
            matches.push((MatchScope::read(block, &object.namespace), names.collect()));
        }
        TlsRoute {
            matches,
            route: route(object, rule, path, unknown),
        }
    }

    /// The SNI hosts that it applies to at a place.
    pub fn names(&self, holds: impl Fn(&MatchScope) -> bool) -> Vec<&str> {
        let here = self.matches.iter().filter(|(when, _)| holds(when));
        here.flat_map(|(_, names)| names.iter().map(String::as_str))
            .collect()
    }
}

/// A rule for TCP connections.
#[derive(Debug, Clone)]
pub struct TcpRoute {
    /// The matches; without any, every connection matches.
    pub matches: Vec<MatchScope>,
    /// The destinations, the one with the largest weight first.
    pub route: Vec<Destination>,
}

impl TcpRoute {
    pub(super) fn read(
        object: &Object,
        rule: &Value,
        path: &str,
        unknown: &mut Vec<Unknown>,
    ) -> TcpRoute {
        unknown.extend(strange(object, rule, path, &["match", "route"]));
        let known = ["port", "sourceLabels", "gateways", "sourceNamespace"];
        let mut matches = Vec::new();
        for (index, block) in list(rule, "/match").enumerate() {
            unknown.extend(strange(
                object,
                block,
                &format!("{path}.match[{index}]"),
                &known,
            ));
            matches.push(MatchScope::read(block, &object.namespace));
        }
        TcpRoute {
            matches,
            route: route(object, rule, path, unknown),
        }
    }

    /// Whether it applies to connections at a place.
    pub fn here(&self, holds: impl Fn(&MatchScope) -> bool) -> bool {
        self.matches.is_empty() || self.matches.iter().any(holds)
    }
}
