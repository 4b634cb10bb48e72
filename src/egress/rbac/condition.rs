//! One condition of a rule: an attribute of the request, its allowed values and its excluded values.

use std::collections::HashSet;

use ipnet::IpNet;

use super::{AuthorizationQuery, Peer};

/// The attributes that conditions can test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `source.principal`.
    Principal,
    /// `source.namespace`.
    Namespace,
    /// A service account, as `NAMESPACE/NAME`.
    ServiceAccount,
    /// `source.ip`, the peer address of the connection.
    SourceAddress,
    /// `remote.ip`, the original client address.
    RemoteAddress,
    /// `destination.port`.
    Port,
    /// `connection.sni`.
    ServerName,
    /// A claim of a token: always absent.
    Token,
    /// A header; its name is in lower case.
    Header(String),
    /// The authority.
    Host,
    /// The method.
    Method,
    /// The path.
    Path,
    /// An attribute that is not covered: its value is never known.
    NotCovered,
}

impl Attribute {
    /// The attribute of a `when` key.
    pub fn of_key(key: &str) -> Attribute {
        let header = key
            .strip_prefix("request.headers[")
            .and_then(|rest| rest.strip_suffix(']'));
        match (key, header) {
            (_, Some(header)) => Attribute::Header(header.to_ascii_lowercase()),
            ("source.principal", _) => Attribute::Principal,
            ("source.namespace", _) => Attribute::Namespace,
            ("source.serviceAccount", _) => Attribute::ServiceAccount,
            ("source.ip", _) => Attribute::SourceAddress,
            ("remote.ip", _) => Attribute::RemoteAddress,
            ("destination.port", _) => Attribute::Port,
            ("connection.sni", _) => Attribute::ServerName,
            (key, _) if key.starts_with("request.auth.") => Attribute::Token,
            _ => Attribute::NotCovered,
        }
    }

    /// Whether only HTTP requests have it.
    pub fn needs_http(&self) -> bool {
        matches!(
            self,
            Attribute::Token
                | Attribute::Header(_)
                | Attribute::Host
                | Attribute::Method
                | Attribute::Path
        )
    }

    /// Whether it depends on the caller's identity.
    pub fn is_identity(&self) -> bool {
        matches!(
            self,
            Attribute::Principal | Attribute::Namespace | Attribute::ServiceAccount
        )
    }

    /// The name of the attribute in a sentence.
    fn name(&self) -> &str {
        match self {
            Attribute::Principal => "principal",
            Attribute::Namespace => "namespace",
            Attribute::ServiceAccount => "service account",
            Attribute::SourceAddress => "source address",
            Attribute::RemoteAddress => "remote address",
            Attribute::Port => "port",
            Attribute::ServerName => "SNI",
            Attribute::Token => "token",
            Attribute::Header(name) => name,
            Attribute::Host => "host",
            Attribute::Method => "method",
            Attribute::Path => "path",
            Attribute::NotCovered => "an attribute that is not covered",
        }
    }
}

/// A set of values with Istio's patterns: `*` (any present value), `prefix*`, `*suffix`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Values {
    /// The values as written.
    written: Vec<String>,
    /// The values without a wildcard, for a fast lookup.
    exact: HashSet<String>,
    wild: Vec<String>,
    ranges: Vec<IpNet>,
}

impl Values {
    fn read(attribute: &Attribute, written: Vec<String>) -> Values {
        let mut values = Values::default();
        for text in &written {
            match attribute {
                Attribute::SourceAddress | Attribute::RemoteAddress => {
                    let range = text
                        .parse()
                        .ok()
                        .or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)));
                    values.ranges.extend(range);
                }
                Attribute::Host => values.put(text.to_ascii_lowercase()),
                _ => values.put(text.clone()),
            }
        }
        values.written = written;
        values
    }

    fn put(&mut self, text: String) {
        match text.contains('*') {
            true => self.wild.push(text),
            false => {
                self.exact.insert(text);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether a text is in the set. Only a star at either end is a wildcard.
    fn hold(&self, text: &str) -> bool {
        let wild = |pattern: &String| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(""), _) => !text.is_empty(),
            (Some(suffix), _) => text.ends_with(suffix),
            (None, Some(prefix)) => text.starts_with(prefix),
            (None, None) => text == pattern,
        };
        self.exact.contains(text) || self.wild.iter().any(wild)
    }

    /// Whether a principal is in the set. `cluster.local` is an alias of the mesh's trust domain; every peer belongs to the
    /// mesh.
    fn hold_principal(&self, peer: &Peer) -> bool {
        let principal = peer.to_string();
        let local = principal
            .strip_prefix(peer.trust_domain.as_str())
            .map(|rest| format!("cluster.local{rest}"));
        self.hold(&principal) || local.is_some_and(|local| self.hold(&local))
    }

    /// Whether a namespace is in the set. A star may occur anywhere: Istio builds a regular expression over the whole
    /// identity.
    fn hold_namespace(&self, peer: &Peer) -> bool {
        let identity = || format!("spiffe://{peer}");
        self.exact.contains(&peer.namespace)
            || self
                .wild
                .iter()
                .any(|pattern| glob(&format!("*/ns/{pattern}/*"), &identity()))
    }

    fn text(&self) -> String {
        let few: Vec<&str> = self.written.iter().take(3).map(String::as_str).collect();
        match self.written.len() - few.len() {
            0 => few.join(" or "),
            more => format!("{} or {more} more", few.join(" or ")),
        }
    }
}

/// Whether a text matches a pattern in which every star stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((last, inner)) = parts.split_last() else {
        return true;
    };
    for part in inner {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// A path as policies see it: without query and fragment. The proxy has normalized it before.
fn plain_path(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

/// A condition: one of the values, if there are any, and none of the excluded values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The attribute that it tests.
    pub attribute: Attribute,
    values: Values,
    not_values: Values,
}

impl Condition {
    /// Parses a condition; `None` if it states no value, because then it tests nothing.
    pub fn read(
        attribute: Attribute,
        values: Vec<String>,
        not_values: Vec<String>,
    ) -> Option<Condition> {
        let condition = Condition {
            values: Values::read(&attribute, values),
            not_values: Values::read(&attribute, not_values),
            attribute,
        };
        (!condition.values.is_empty() || !condition.not_values.is_empty()).then_some(condition)
    }

    /// Whether a request meets it. An attribute that is absent or not covered matches no value.
    pub fn holds(&self, asked: &AuthorizationQuery<'_>) -> bool {
        if self.attribute == Attribute::NotCovered {
            return false;
        }
        let wanted = self.values.is_empty() || self.among(&self.values, asked);
        wanted && (self.not_values.is_empty() || !self.among(&self.not_values, asked))
    }

    fn among(&self, values: &Values, asked: &AuthorizationQuery<'_>) -> bool {
        let peer =
            |among: fn(&Values, &Peer) -> bool| asked.peer.is_some_and(|peer| among(values, peer));
        let http = asked.http.as_ref();
        match &self.attribute {
            Attribute::Principal => peer(Values::hold_principal),
            Attribute::Namespace => peer(Values::hold_namespace),
            Attribute::ServiceAccount => peer(|values, peer| {
                values.hold(&format!("{}/{}", peer.namespace, peer.service_account))
            }),
            Attribute::SourceAddress => values
                .ranges
                .iter()
                .any(|range| range.contains(&asked.source)),
            Attribute::RemoteAddress => values
                .ranges
                .iter()
                .any(|range| range.contains(&asked.remote)),
            Attribute::Port => values.hold(&asked.port.to_string()),
            Attribute::ServerName => values.hold(asked.server_name),
            Attribute::Host => {
                http.is_some_and(|http| values.hold(&http.host.to_ascii_lowercase()))
            }
            Attribute::Method => http.is_some_and(|http| values.hold(http.method)),
            Attribute::Path => http.is_some_and(|http| values.hold(plain_path(http.path))),
            Attribute::Header(name) => http.is_some_and(|http| {
                let mut sent = http
                    .headers
                    .iter()
                    .filter(|(own, _)| own.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.as_str())
                    .peekable();
                // The proxy joins the values of a repeated header into one.
                sent.peek().is_some() && values.hold(&sent.collect::<Vec<_>>().join(","))
            }),
            Attribute::Token | Attribute::NotCovered => false,
        }
    }

    /// The condition as text: `namespace team-x`, `host not httpbin.org`.
    pub fn text(&self) -> String {
        let name = self.attribute.name();
        let text = |word: &str, values: &Values| {
            (!values.is_empty()).then(|| format!("{name} {word}{}", values.text()))
        };
        let both = [text("", &self.values), text("not ", &self.not_values)];
        both.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// The actual value in the notation of [`Condition::text`]: `namespace team-y`.
    pub fn found(&self, asked: &AuthorizationQuery<'_>) -> String {
        let none = || "none".to_owned();
        let peer = |text: fn(&Peer) -> String| asked.peer.map_or_else(none, text);
        let http = asked.http.as_ref();
        match &self.attribute {
            Attribute::Principal => peer(Peer::to_string),
            Attribute::Namespace => peer(|peer| peer.namespace.clone()),
            Attribute::ServiceAccount => {
                peer(|peer| format!("{}/{}", peer.namespace, peer.service_account))
            }
            Attribute::SourceAddress => asked.source.to_string(),
            Attribute::RemoteAddress => asked.remote.to_string(),
            Attribute::Port => asked.port.to_string(),
            Attribute::ServerName if asked.server_name.is_empty() => none(),
            Attribute::ServerName => asked.server_name.to_owned(),
            Attribute::Host => http.map_or_else(none, |http| http.host.to_owned()),
            Attribute::Method => http.map_or_else(none, |http| http.method.to_owned()),
            Attribute::Path => http.map_or_else(none, |http| plain_path(http.path).to_owned()),
            Attribute::Header(_) => "another value or none".to_owned(),
            Attribute::Token | Attribute::NotCovered => none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_their_star_at_an_end() {
        // (pattern, text, whether it matches)
        let cases = [
            ("*", "x", true),
            ("*", "", false),
            ("/status/*", "/status/418", true),
            ("/status/*", "/Status/418", false),
            ("*.com", "example.com", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*b", "axb", false),
            ("", "", true),
        ];
        for (pattern, text, expected) in cases {
            let values = Values::read(&Attribute::Method, vec![pattern.to_owned()]);
            assert_eq!(values.hold(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn stars_of_namespaces_stand_anywhere() {
        let cases = [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("*", "", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("ab*bc", "abc", false),
            ("abc", "abc", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn paths_are_compared_plain() {
        for (path, expected) in [("/status/418?x=1", "/status/418"), ("/a#b", "/a"), ("", "")] {
            assert_eq!(plain_path(path), expected);
        }
    }
}
