//! HTTP requests as rules match and change them.

use json::text;
use serde_json::Value;

use crate::field::StringMatch;
use crate::object::{labels, texts};

/// A request on its path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The path of the caller's request, if a rule has changed it.
    pub original_path: Option<String>,
    /// The authority.
    pub authority: String,
    /// All other headers.
    pub headers: Vec<(String, String)>,
    /// The length of its body in bytes.
    pub body: u64,
}

impl HttpRequest {
    /// The path without its query.
    pub fn bare_path(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }

    /// The value of a header, by a case-insensitive name; `:authority`, `:method` and `:path` are headers too.
    pub fn header(&self, name: &str) -> Option<&str> {
        match name.to_ascii_lowercase().as_str() {
            ":authority" | "host" => return Some(&self.authority),
            ":method" => return Some(&self.method),
            ":path" => return Some(&self.path),
            _ => {}
        }
        let mut all = self.headers.iter();
        all.find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Sets a header to a single value.
    pub fn set(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("host") || name == ":authority" {
            self.authority = value.to_owned();
            return;
        }
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    /// The value of a query parameter.
    fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        let pairs = query.split('#').next()?.split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Changes to headers by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    set: Vec<(String, String)>,
    add: Vec<(String, String)>,
    remove: Vec<String>,
}

impl Headers {
    /// Parses `set`, `add` and `remove`.
    pub fn read(value: &Value) -> Headers {
        Headers {
            set: labels(value, "/set").into_iter().collect(),
            add: labels(value, "/add").into_iter().collect(),
            remove: texts(value, "/remove"),
        }
    }

    /// Applies the changes to a request: first the removals, then the additions (Envoy's `HeaderParser`).
    pub fn apply(&self, message: &mut HttpRequest) {
        for name in &self.remove {
            message.remove(name);
        }
        for (name, value) in &self.set {
            message.set(name, value);
        }
        message.headers.extend(self.add.iter().cloned());
    }

    /// Applies the changes to the headers of an answer.
    pub fn apply_to(&self, headers: &mut Vec<(String, String)>) {
        let gone = |name: &String| {
            let set = self.set.iter().map(|(name, _)| name);
            self.remove
                .iter()
                .chain(set)
                .any(|other| other.eq_ignore_ascii_case(name))
        };
        headers.retain(|(name, _)| !gone(name));
        headers.extend(self.set.iter().chain(&self.add).cloned());
    }
}

/// The conditions of a match on the request itself.
#[derive(Debug, Clone)]
pub struct HttpMatch {
    /// The name; empty for none.
    pub name: String,
    uri: Option<StringMatch>,
    ignore_uri_case: bool,
    scheme: Option<StringMatch>,
    method: Option<StringMatch>,
    authority: Option<StringMatch>,
    headers: Vec<(String, StringMatch)>,
    without_headers: Vec<(String, StringMatch)>,
    query: Vec<(String, StringMatch)>,
}

/// The match of a rule without matches: every request matches it.
pub static EVERY: HttpMatch = HttpMatch {
    name: String::new(),
    uri: None,
    ignore_uri_case: false,
    scheme: None,
    method: None,
    authority: None,
    headers: Vec::new(),
    without_headers: Vec::new(),
    query: Vec::new(),
};

impl HttpMatch {
    /// Parses a match block.
    pub fn read(value: &Value) -> HttpMatch {
        let one = |name: &str| value.get(name).map(StringMatch::read);
        let many = |name: &str| {
            let fields = value.get(name).and_then(Value::as_object);
            let fields = fields.into_iter().flatten();
            fields
                .map(|(name, value)| (name.clone(), StringMatch::read(value)))
                .collect()
        };
        HttpMatch {
            name: text(value, "/name").to_owned(),
            uri: one("uri"),
            ignore_uri_case: value.get("ignoreUriCase") == Some(&Value::Bool(true)),
            scheme: one("scheme"),
            method: one("method"),
            authority: one("authority"),
            headers: many("headers"),
            without_headers: many("withoutHeaders"),
            query: many("queryParams"),
        }
    }

    /// Whether a request matches. `scheme` is `http` or `https`, as the proxy sees it.
    pub fn matches(&self, message: &HttpRequest, scheme: &str) -> bool {
        let one = |wanted: &Option<StringMatch>, text: &str, ignore_case| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.matches(text, ignore_case))
        };
        let there = |(name, wanted): &(String, StringMatch)| {
            message
                .header(name)
                .is_some_and(|value| wanted.matches(value, false))
        };
        let asked = |(name, wanted): &(String, StringMatch)| {
            message
                .parameter(name)
                .is_some_and(|value| wanted.matches(value, false))
        };
        one(&self.uri, message.bare_path(), self.ignore_uri_case)
            && one(&self.scheme, scheme, false)
            && one(&self.method, &message.method, false)
            && one(&self.authority, &message.authority, false)
            && self.headers.iter().all(there)
            && !self.without_headers.iter().any(there)
            && self.query.iter().all(asked)
    }

    /// Applies a rewrite to the path: it replaces the matched prefix, otherwise the whole path.
    pub fn rewritten(&self, path: &str, to: &str) -> String {
        let (bare, query) = match path.split_once('?') {
            Some((bare, query)) => (bare, format!("?{query}")),
            None => (path, String::new()),
        };
        match &self.uri {
            Some(StringMatch::Prefix(prefix)) => {
                let rest = bare.get(prefix.len()..).unwrap_or_default();
                format!("{to}{rest}{query}")
            }
            _ => format!("{to}{query}"),
        }
    }
}

/// Fields of a match block that are covered; those that do not concern the request are in [`super::MatchScope`].
pub const KNOWN: &[&str] = &[
    "name",
    "uri",
    "scheme",
    "method",
    "authority",
    "headers",
    "port",
    "sourceLabels",
    "gateways",
    "queryParams",
    "ignoreUriCase",
    "withoutHeaders",
    "sourceNamespace",
    "statPrefix",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(path: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            original_path: None,
            authority: "example.com".to_owned(),
            headers: vec![("X-Team".to_owned(), "x".to_owned())],
            body: 0,
        }
    }

    #[test]
    fn conditions_of_a_match() {
        // (match, path, whether it matches)
        let cases = [
            (json!({}), "/", true),
            (json!({"uri": {"exact": "/a"}}), "/a?x=1", true),
            (json!({"uri": {"exact": "/a"}}), "/a/b", false),
            (json!({"uri": {"prefix": "/a"}}), "/a/b", true),
            (
                json!({"uri": {"prefix": "/A"}, "ignoreUriCase": true}),
                "/a/b",
                true,
            ),
            (json!({"uri": {"regex": "/[a-z]+"}}), "/abc", true),
            (json!({"uri": {"regex": "/[a-z]+"}}), "/abc/1", false),
            (json!({"uri": {"regex": "("}}), "/", false),
            (json!({"method": {"exact": "GET"}}), "/", true),
            (json!({"method": {"exact": "HEAD"}}), "/", false),
            (json!({"authority": {"prefix": "example"}}), "/", true),
            (json!({"scheme": {"exact": "https"}}), "/", false),
            (json!({"headers": {"x-team": {"exact": "x"}}}), "/", true),
            (json!({"headers": {"x-team": {}}}), "/", true),
            (json!({"headers": {"x-other": {}}}), "/", false),
            (json!({"withoutHeaders": {"x-team": {}}}), "/", false),
            (
                json!({"queryParams": {"a": {"exact": "1"}}}),
                "/?b=2&a=1",
                true,
            ),
            (
                json!({"queryParams": {"a": {"exact": "1"}}}),
                "/?a=2",
                false,
            ),
        ];
        for (value, path, meant) in cases {
            let found = HttpMatch::read(&value).matches(&message(path), "http");
            assert_eq!(found, meant, "{value} {path}");
        }
    }

    #[test]
    fn headers_are_removed_set_and_added() {
        let mut message = message("/");
        let change = json!({"set": {"a": "1"}, "add": {"b": "2"}, "remove": ["x-team"]});
        Headers::read(&change).apply(&mut message);
        let headers: Vec<(&str, &str)> = message
            .headers
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(headers, [("a", "1"), ("b", "2")]);
    }

    #[test]
    fn a_rewrite_replaces_what_matched() {
        // (match, path, replacement, resulting path)
        let cases = [
            (json!({"uri": {"prefix": "/a/"}}), "/a/b?c=1", "/", "/b?c=1"),
            (json!({"uri": {"exact": "/a"}}), "/a?c=1", "/x", "/x?c=1"),
            (json!({}), "/a", "/x", "/x"),
        ];
        for (value, path, to, expected) in cases {
            assert_eq!(
                HttpMatch::read(&value).rewritten(path, to),
                expected,
                "{value} {path}"
            );
        }
    }
}
