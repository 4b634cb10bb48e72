//! The headers of a request as a proxy has them, with its pseudo-headers, and the changes that a route makes to them.

use serde_json::Value;

/// The headers in order, by names in lower case; `:authority`, `:method`, `:path` and `:scheme` among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeaders(Vec<(String, String)>);

impl RequestHeaders {
    /// A request without other headers. The path contains its query.
    pub fn new(method: &str, scheme: &str, authority: &str, path: &str) -> RequestHeaders {
        let pairs = [
            (":authority", authority),
            (":method", method),
            (":path", path),
            (":scheme", scheme),
        ];
        let own = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        RequestHeaders(own.to_vec())
    }

    /// The values of a header, joined by commas; `None` if it is absent. `host` is the authority.
    pub fn get(&self, name: &str) -> Option<String> {
        let name = own_name(name);
        let values = self.0.iter().filter(|(own, _)| *own == name);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(","))
    }

    /// Adds a value.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((own_name(name), value.to_owned()));
    }

    /// Replaces all values.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes all values.
    pub fn remove(&mut self, name: &str) {
        let name = own_name(name);
        self.0.retain(|(own, _)| *own != name);
    }

    /// The method.
    pub fn method(&self) -> String {
        self.get(":method").unwrap_or_default()
    }

    /// The authority, with its port if it has one.
    pub fn authority(&self) -> String {
        self.get(":authority").unwrap_or_default()
    }

    /// The path with its query.
    pub fn path(&self) -> String {
        self.get(":path").unwrap_or_default()
    }

    /// The path without query and fragment.
    pub fn bare_path(&self) -> String {
        let path = self.path();
        path.split(['?', '#']).next().unwrap_or_default().to_owned()
    }

    /// Applies `request_headers_to_add` and `request_headers_to_remove` of a route, a virtual host or a route configuration
    /// (`config/core/v3/base.proto`, HeaderValueOption). A value with a command (`%...%`) depends on more than the request: its
    /// name is returned.
    pub fn change(&mut self, owner: &Value) -> Vec<String> {
        for name in json::list(owner, "/request_headers_to_remove").filter_map(Value::as_str) {
            self.remove(name);
        }
        let mut unknown = Vec::new();
        for option in json::list(owner, "/request_headers_to_add") {
            let (name, value) = (
                json::text(option, "/header/key"),
                json::text(option, "/header/value"),
            );
            let there = self.get(name).is_some();
            // `append: true` is the default, and was the field before `append_action`.
            let usual = match option["append"] == false {
                true => "OVERWRITE_IF_EXISTS_OR_ADD",
                false => "APPEND_IF_EXISTS_OR_ADD",
            };
            let action = option["append_action"].as_str().unwrap_or(usual);
            let plain = value.replace("%%", "");
            if plain.contains('%') {
                unknown.push(format!("header {name}: {value}"));
            }
            match (action, there) {
                ("ADD_IF_ABSENT", true) | ("OVERWRITE_IF_EXISTS", false) => {}
                ("OVERWRITE_IF_EXISTS_OR_ADD" | "OVERWRITE_IF_EXISTS", _) => self.set(name, value),
                _ => self.add(name, value),
            }
        }
        unknown
    }
}

/// The name of a header as it is kept.
fn own_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "host" => ":authority".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn headers_change_as_a_route_says() {
        let mut headers = RequestHeaders::new("GET", "http", "a", "/x?y#z");
        headers.add("one", "1");
        headers.add("gone", "1");
        let unknown = headers.change(&json!({
            "request_headers_to_remove": ["Gone"],
            "request_headers_to_add": [
                {"header": {"key": "one", "value": "2"}},
                {"header": {"key": "two", "value": "2"}, "append_action": "ADD_IF_ABSENT"},
                {"header": {"key": "two", "value": "3"}, "append_action": "ADD_IF_ABSENT"},
                {"header": {"key": "host", "value": "b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
                {"header": {"key": "x", "value": "%DOWNSTREAM_REMOTE_ADDRESS%"}},
            ],
        }));
        assert_eq!(unknown, ["header x: %DOWNSTREAM_REMOTE_ADDRESS%"]);
        let seen = ["one", "two", "gone", ":authority"].map(|name| headers.get(name));
        let expected = [Some("1,2"), Some("2"), None, Some("b")];
        assert_eq!(seen, expected.map(|value| value.map(str::to_owned)));
        assert_eq!(headers.bare_path(), "/x");
    }
}
