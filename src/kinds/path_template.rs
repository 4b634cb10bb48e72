//! Paths from templates: `{x}` is filled from a step's `at`, percent-encoded as one segment. Nothing else.

use serde_json::{Map, Value};

use crate::google::{ApiError, segment};

/// The path to call; what `at` lacks becomes an error that was never sent.
pub fn path(template: &str, at: &Map<String, Value>) -> Result<String, ApiError> {
    fill(template, at).map_err(|key| ApiError::unsent(template, format!("`at` has no `{key}`")))
}

/// The template with its keys replaced; an error names a key that `at` lacks.
pub fn fill(template: &str, at: &Map<String, Value>) -> Result<String, String> {
    let mut path = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, tail) = after
            .split_once('}')
            .ok_or_else(|| format!("unclosed brace in {template}"))?;
        let value = match at.get(key) {
            Some(Value::String(s)) if !s.is_empty() => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            _ => return Err(key.to_owned()),
        };
        path.push_str(before);
        path.push_str(&segment(&value));
        rest = tail;
    }
    path.push_str(rest);
    Ok(path)
}

/// The keys of a template, each once, in order.
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
            ("{missing}", Err("missing")),
            ("{e}", Err("e")),
        ] {
            assert_eq!(
                fill(template, at).as_deref().map_err(String::as_str),
                expected,
                "{template}"
            );
        }
        assert_eq!(keys("{a}/{b}@{a}"), ["a", "b"]);
    }
}
