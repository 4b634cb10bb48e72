//! A request after routing: which method of which API, its parameters, its body.

use std::collections::BTreeMap;

use serde_json::Value;

/// One call of a method of Google's, checked against the discovery document.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The API's name in its discovery document: `compute`.
    pub api: String,
    /// The method's id: `compute.networks.insert`.
    pub method_id: String,
    /// The path's parameters, decoded.
    pub params: BTreeMap<String, String>,
    /// The query, decoded; a name may repeat.
    pub query: BTreeMap<String, Vec<String>>,
    /// The JSON body; null when there is none.
    pub body: Value,
    /// What an upload carries beside its metadata (which is in `body`).
    pub upload: Option<Upload>,
    /// Where this emulator listens, `http://127.0.0.1:4010`: for links that a client follows.
    pub base: String,
}

/// The media half of an upload to storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upload {
    /// The media's type as the client gave it.
    pub content_type: Option<String>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Request {
    /// A parameter of the path; empty when the method has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query: the last one given of that name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name)?.last().map(String::as_str)
    }

    /// Whether a parameter of the query is true. Google's Python clients write `True`.
    pub fn flag(&self, name: &str) -> bool {
        self.query(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A text field of the body.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }
}
