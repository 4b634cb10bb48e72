//! What the router does with a request: forward it, redirect it, or answer it; and how a route changes it.
//!
//! Source: Envoy's API reference, `config/route/v3/route_components.proto` (RouteAction, RedirectAction, DirectResponseAction) and
//! `configuration/http/http_filters/router_filter`.

use regex_lite::Regex;
use serde_json::Value;

use super::downstream::Downstream;
use super::http::Routed;
use super::request_headers::RequestHeaders;
use super::virtual_host;
use super::walk::{End, Place, Walk};
use crate::dataplane::local_reply::LocalReply;
use crate::object::Object;

/// Rewrites that are not evaluated here.
const REWRITES: [&str; 3] = [
    "auto_host_rewrite",
    "host_rewrite_path_regex",
    "path_rewrite_policy",
];

impl<'d> Walk<'d> {
    /// The router gets a request.
    pub(super) fn routes(
        &mut self,
        at: Place<'d>,
        routed: Option<Routed<'d>>,
        mut connection: Downstream,
    ) -> End {
        let Some(Routed {
            config,
            host,
            route,
        }) = routed
        else {
            return self.replies(&connection, &LocalReply::no_route());
        };
        let own = virtual_host::name(route);
        let by = super::istio_metadata::object(route, "route", &own);
        let demands_tls = host["require_tls"]
            .as_str()
            .is_some_and(|word| word != "NONE");
        if demands_tls && connection.peer.is_none() {
            let by = Object::new("virtual host", "", json::text(host, "/name"));
            self.hop(at, false, &by, "demands TLS, and redirects to https");
            return self.replies(&connection, &LocalReply::direct(301, ""));
        }
        if let Some(direct) = route.get("direct_response") {
            let status = direct["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok());
            let status = status.unwrap_or(200);
            self.hop(
                at,
                false,
                &by,
                &format!("route {own} answers {status} itself"),
            );
            let body = json::text(direct, "/body/inline_string");
            return self.replies(&connection, &LocalReply::direct(status, body));
        }
        if let Some(redirect) = route.get("redirect") {
            let status = match redirect["response_code"].as_str() {
                None | Some("MOVED_PERMANENTLY") => 301,
                Some("FOUND") => 302,
                Some("SEE_OTHER") => 303,
                Some("TEMPORARY_REDIRECT") => 307,
                Some("PERMANENT_REDIRECT") => 308,
                Some(other) => {
                    self.unknown(at, format!("redirect.response_code {other}"));
                    return End::NotKnown;
                }
            };
            self.hop(
                at,
                false,
                &by,
                &format!("route {own} redirects with {status}"),
            );
            return self.replies(&connection, &LocalReply::direct(status, ""));
        }
        let Some(action) = route.get("route") else {
            self.unknown(at, format!("action of the route {own}"));
            return End::NotKnown;
        };
        for name in REWRITES
            .iter()
            .filter(|name| action.get(**name).is_some_and(|value| *value != false))
        {
            self.unknown(at, format!("route {own}: {name}"));
        }
        for owner in [route, host, config] {
            for what in connection.headers.change(owner) {
                self.unknown(at, what);
            }
        }
        if let Err(what) = rewrite(&route["match"], action, &mut connection.headers) {
            self.unknown(at, what);
        }
        let method = connection.headers.method();
        let end = match action.get("cluster_header") {
            Some(name) => {
                self.unknown(at, format!("cluster_header {name}"));
                End::NotKnown
            }
            None => self.forwards_to_one_of(at, action, connection),
        };
        self.forwarded(&method, end)
    }
}

/// Rewrites host and path.
///
/// # Errors
/// What is not understood.
fn rewrite(rule: &Value, action: &Value, headers: &mut RequestHeaders) -> Result<(), String> {
    let text = |name: &str| action[name].as_str().filter(|text| !text.is_empty());
    if let Some(host) = text("host_rewrite_literal") {
        headers.set(":authority", host);
    }
    if let Some(host) = text("host_rewrite_header").and_then(|name| headers.get(name)) {
        headers.set(":authority", &host);
    }
    let path = headers.path();
    if let Some(new) = text("prefix_rewrite") {
        let query = path.find('?').map_or("", |at| &path[at..]);
        let matched = ["prefix", "path_separated_prefix"]
            .iter()
            .find_map(|name| rule[*name].as_str());
        let rewritten = match matched {
            Some(prefix) => format!("{new}{}", path.get(prefix.len()..).unwrap_or_default()),
            None => format!("{new}{query}"),
        };
        headers.set(":path", &rewritten);
    }
    if let Some(regex) = action.get("regex_rewrite") {
        let pattern = json::text(regex, "/pattern/regex");
        let compiled = Regex::new(pattern).map_err(|_| format!("regular expression {pattern}"))?;
        let bare = headers.bare_path();
        let rest = path.get(bare.len()..).unwrap_or_default().to_owned();
        // RE2 writes groups as `\1`.
        let substitution = json::text(regex, "/substitution").replace('$', "$$");
        let groups = Regex::new(r"\\([0-9])").map_err(|error| error.to_string())?;
        let substitution = groups.replace_all(&substitution, "$${$1}").into_owned();
        let rewritten = compiled
            .replace_all(&bare, substitution.as_str())
            .into_owned();
        headers.set(":path", &format!("{rewritten}{rest}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn host_and_path_are_rewritten_as_a_route_says() {
        // (match, action, path, path after, host after)
        let cases = [
            (
                json!({"prefix": "/a"}),
                json!({"prefix_rewrite": "/b"}),
                "/a/c?x=1",
                "/b/c?x=1",
                "h",
            ),
            (
                json!({"path": "/a"}),
                json!({"prefix_rewrite": "/b"}),
                "/a?x=1",
                "/b?x=1",
                "h",
            ),
            (
                json!({"prefix": "/"}),
                json!({"regex_rewrite": {"pattern": {"regex": "^/old/([^/]+)"}, "substitution": "/new/\\1$"}}),
                "/old/x/y?z",
                "/new/x$/y?z",
                "h",
            ),
            (
                json!({"prefix": "/"}),
                json!({"host_rewrite_literal": "other"}),
                "/",
                "/",
                "other",
            ),
            (json!({"prefix": "/"}), json!({}), "/?a", "/?a", "h"),
        ];
        for (rule, action, path, after, host) in cases {
            let mut headers = RequestHeaders::new("GET", "http", "h", path);
            rewrite(&rule, &action, &mut headers).unwrap();
            assert_eq!(
                (headers.path().as_str(), headers.authority().as_str()),
                (after, host),
                "{action}"
            );
        }
    }
}
