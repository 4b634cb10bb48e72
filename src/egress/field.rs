//! Fields in the notation of Istio's objects: durations, string matches, `exportTo`, and which fields are not covered.

use std::time::Duration;

use serde_json::Value;

use super::object::{Object, Unknown, texts};

/// The fields of `value` that `known` does not contain, each as `Unknown` at `path`. A field without content has no effect.
pub fn strange(object: &Object, value: &Value, path: &str, known: &[&str]) -> Vec<Unknown> {
    let fields = value.as_object().into_iter().flatten();
    let strange = fields.filter(|(name, value)| !known.contains(&name.as_str()) && !empty(value));
    let unknown = strange.map(|(name, _)| Unknown {
        object: object.clone(),
        field: format!("{path}.{name}"),
    });
    unknown.collect()
}

/// Whether a field has no content.
pub fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The port number at `pointer`.
pub fn port(value: &Value, pointer: &str) -> Option<u16> {
    let number = value.pointer(pointer)?.as_u64()?;
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// A duration in the notation of protobuf's JSON or Go: `10s`, `1.5s`, `1m30s`, `250ms`.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, after) = rest.split_at(number);
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        seconds += value.parse::<f64>().ok()? * scale;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Whether a fault applies to every request: its `percentage`, which is 100 if it is not given.
pub fn always(value: &Value) -> bool {
    let share = value.pointer("/percentage/value").and_then(Value::as_f64);
    let share = share.or_else(|| value.get("percent").and_then(Value::as_f64));
    share.is_none_or(|share| share >= 100.0)
}

/// The namespaces that an object is exported to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportTo(Vec<String>);

impl ExportTo {
    /// Parses `spec.exportTo`; if it is missing, every namespace.
    pub fn read(object: &Value) -> ExportTo {
        ExportTo(texts(object, "/spec/exportTo"))
    }

    /// Parses the annotation that a Service has instead of a field.
    pub fn of_service(service: &Value) -> ExportTo {
        let annotations = service.pointer("/metadata/annotations");
        let names = annotations.and_then(|all| all.get("networking.istio.io/exportTo"));
        let names = names.and_then(Value::as_str).unwrap_or_default();
        let names = names.split(',').map(str::trim);
        ExportTo(
            names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether an object of the namespace `own` is visible in `namespace`.
    pub fn reaches(&self, own: &str, namespace: &str) -> bool {
        let one = |name: &String| match name.as_str() {
            "*" => true,
            "." => own == namespace,
            name => name == namespace,
        };
        self.0.is_empty() || self.0.iter().any(one)
    }

    /// Whether both state the same namespaces.
    pub fn same(&self, other: &ExportTo) -> bool {
        let all =
            |one: &ExportTo, other: &ExportTo| one.0.iter().all(|name| other.0.contains(name));
        all(self, other) && all(other, self)
    }

    /// Whether every namespace sees the object, because it names none or `*`.
    pub fn is_public(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name == "*")
    }

    /// Whether it names the object's own namespace alone.
    pub fn is_private(&self, own: &str) -> bool {
        matches!(&self.0[..], [one] if one == "." || one == own)
    }

    /// Whether it names namespaces, and all of those that the other names.
    pub fn covers(&self, other: &ExportTo) -> bool {
        !other.0.is_empty() && other.0.iter().all(|name| self.0.contains(name))
    }

    /// The namespaces; `None` for every namespace.
    pub fn only(&self, own: &str) -> Option<Vec<String>> {
        if self.0.is_empty() || self.0.iter().any(|name| name == "*") {
            return None;
        }
        let named = self.0.iter().filter(|name| *name != "~");
        let named = named.map(|name| match name.as_str() {
            "." => own.to_owned(),
            name => name.to_owned(),
        });
        Some(named.collect())
    }
}

/// A string match: exact, prefix or regular expression.
#[derive(Debug, Clone)]
pub enum StringMatch {
    /// Exactly this text.
    Exact(String),
    /// Any text with this prefix.
    Prefix(String),
    /// A regular expression that matches the whole text.
    Regex(regex_lite::Regex),
    /// Any text, if it is present.
    Present,
    /// An invalid expression; matches nothing.
    Broken,
}

impl StringMatch {
    /// Parses a `StringMatch`.
    pub fn read(value: &Value) -> StringMatch {
        let field = |name: &str| value.get(name).and_then(Value::as_str);
        if let Some(text) = field("exact") {
            StringMatch::Exact(text.to_owned())
        } else if let Some(text) = field("prefix") {
            StringMatch::Prefix(text.to_owned())
        } else if let Some(text) = field("regex") {
            regex_lite::Regex::new(&format!("^(?:{text})$"))
                .map_or(StringMatch::Broken, StringMatch::Regex)
        } else {
            StringMatch::Present
        }
    }

    /// Whether it matches `text`.
    pub fn matches(&self, text: &str, ignore_case: bool) -> bool {
        match self {
            StringMatch::Exact(wanted) if ignore_case => wanted.eq_ignore_ascii_case(text),
            StringMatch::Exact(wanted) => wanted == text,
            StringMatch::Prefix(wanted) if ignore_case => text
                .to_ascii_lowercase()
                .starts_with(&wanted.to_ascii_lowercase()),
            StringMatch::Prefix(wanted) => text.starts_with(wanted.as_str()),
            StringMatch::Regex(expression) => expression.is_match(text),
            StringMatch::Present => true,
            StringMatch::Broken => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("10s", Some(10_000)),
            ("0s", Some(0)),
            ("1.5s", Some(1_500)),
            ("1m30s", Some(90_000)),
            ("250ms", Some(250)),
            ("", None),
            ("10", None),
            ("ten", None),
            ("1w", None),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn an_object_is_seen_where_it_is_exported_to() {
        // (exportTo, visible in its own namespace, visible in another)
        let cases = [
            (json!([]), true, true),
            (json!(["*"]), true, true),
            (json!(["."]), true, false),
            (json!(["~"]), false, false),
            (json!(["b"]), false, true),
            (json!(["a", "c"]), true, false),
        ];
        for (names, own, other) in cases {
            let export = ExportTo::read(&json!({"spec": {"exportTo": names}}));
            assert_eq!(
                (export.reaches("a", "a"), export.reaches("a", "b")),
                (own, other),
                "{names}"
            );
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_unknown() {
        let object = Object::new("VirtualService", "a", "b");
        let value = json!({"route": [], "mirror": {"host": "x"}, "corsPolicy": {}});
        let unknown = strange(&object, &value, "spec.http[0]", &["route"]);
        let fields: Vec<&str> = unknown.iter().map(|u| u.field.as_str()).collect();
        assert_eq!(fields, ["spec.http[0].mirror"]);
    }
}
