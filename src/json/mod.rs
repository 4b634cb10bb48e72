//! Typed access to JSON values, and merges that keep the order of fields.
//!
//! Pure, and without a schema: the caller knows the meaning and the default of a field.

use serde_json::{Map, Value};

/// The text at a JSON pointer (RFC 6901); empty if there is none.
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The items of the list at a JSON pointer; none if there is no list.
pub fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Applies a JSON merge patch (RFC 7396): fields replace fields, objects merge field by field, null removes a field.
/// An existing field keeps its position; a new one comes last.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            fields.shift_remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Replaces whole fields: an existing object is not merged but replaced. Null removes a field.
pub fn replace_fields(target: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (name, value) in fields {
        if value.is_null() {
            target.shift_remove(name);
        } else {
            target.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_is_applied_as_rfc_7396_says() {
        // (target, patch, result): the RFC's own examples, and the order of fields.
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c", "d": "e"}),
                json!({"a": null}),
                json!({"b": "c", "d": "e"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ];
        for (target, patch, expected) in cases {
            let mut result = target.clone();
            merge(&mut result, &patch);
            assert_eq!(result.to_string(), expected.to_string(), "{target} {patch}");
        }
    }

    #[test]
    fn fields_are_replaced_whole() {
        let mut target = json!({"a": {"b": 1}, "c": 2, "d": 3});
        let fields = json!({"a": {"e": 4}, "c": null});
        replace_fields(target.as_object_mut().unwrap(), fields.as_object().unwrap());
        assert_eq!(target.to_string(), r#"{"a":{"e":4},"d":3}"#);
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let value = json!({"a": {"b": "c", "d": ["e"]}});
        assert_eq!(text(&value, "/a/b"), "c");
        assert_eq!(text(&value, "/a/d"), "");
        assert_eq!(list(&value, "/a/d").count(), 1);
        assert_eq!(list(&value, "/x").count(), 0);
    }
}
