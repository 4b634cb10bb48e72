//! Paths from templates: `{x}` is replaced with a value of a step's `at`, percent-encoded as one segment. Nothing else is
//! supported.

use serde_json::{Map, Value};

use crate::google::{ApiError, segment};

/// Why a template gives no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A key of the template is missing or empty.
    #[error("`at` has no `{0}`")]
    MissingKey(String),
    /// A brace of the template is not closed.
    #[error("unclosed brace in {0}")]
    UnclosedBrace(String),
}

/// The path to call. A missing key of `at` becomes an error of a request that was never sent.
pub fn path(template: &str, at: &Map<String, Value>) -> Result<String, ApiError> {
    fill(template, at).map_err(|error| ApiError::unsent(template, &error).caused_by(error))
}

/// The template with its keys replaced.
pub fn fill(template: &str, at: &Map<String, Value>) -> Result<String, PathError> {
    let mut path = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, tail) = after
            .split_once('}')
            .ok_or_else(|| PathError::UnclosedBrace(template.to_owned()))?;
        let value = match at.get(key) {
            Some(Value::String(s)) if !s.is_empty() => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            _ => return Err(PathError::MissingKey(key.to_owned())),
        };
        path.push_str(before);
        path.push_str(&segment(&value));
        rest = tail;
    }
    path.push_str(rest);
    Ok(path)
}

/// The template of a Kubernetes object with its keys replaced. The API version of an object contains a slash, and its namespace,
/// if it has one, precedes its name.
pub fn of_object(template: &str, at: &Map<String, Value>) -> Result<String, PathError> {
    let path = fill(template, at)?;
    let namespace = at.get("namespace").and_then(Value::as_str);
    let path = match (namespace, path.rsplit_once('/')) {
        (Some(namespace), Some((kind, name))) => format!("{kind}/{namespace}/{name}"),
        _ => path,
    };
    Ok(path.replace("%2F", "/"))
}

/// The keys of a template, in order and without duplicates.
pub fn keys(template: &'static str) -> Vec<&'static str> {
    let mut keys: Vec<&str> = Vec::new();
    for key in template
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}').map(|(key, _)| key))
    {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fills_encodes_and_names_what_is_missing() {
        let at = json!({"a": "x", "o": "dir/my file", "n": 7, "e": ""});
        let at = at.as_object().unwrap();
        for (template, expected) in [
            ("v1/{a}/y", Ok("v1/x/y")),
            ("b/{a}/o/{o}", Ok("b/x/o/dir%2Fmy%20file")),
            ("{n}/{a}@{a}", Ok("7/x@x")),
            (
                "{missing}",
                Err(PathError::MissingKey("missing".to_owned())),
            ),
            ("{e}", Err(PathError::MissingKey("e".to_owned()))),
            ("{a", Err(PathError::UnclosedBrace("{a".to_owned()))),
        ] {
            assert_eq!(
                fill(template, at),
                expected.map(str::to_owned),
                "{template}"
            );
        }
        assert_eq!(keys("{a}/{b}@{a}"), ["a", "b"]);
    }
}
