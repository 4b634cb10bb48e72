//! Fields of a Kubernetes object that another manager owns and an apply would change: from the API server's conflicts to their
//! values.
//!
//! Paths are those of `managedFields` (`structured-merge-diff`): `.spec.ports[port=80,protocol="TCP"].name`. A name that contains
//! dots is not quoted, so its meaning is resolved in the object itself.

use serde_json::Value;

use super::difference::FieldDiff;
use crate::cluster::Conflict;

/// The fields of these conflicts, with the live values and the values after an apply; and `applied` with the live values in their
/// place, which shows what else differs.
pub fn contested(live: &Value, applied: &Value, conflicts: &[Conflict]) -> (Vec<FieldDiff>, Value) {
    let mut rest = applied.clone();
    let mut fields: Vec<FieldDiff> = Vec::new();
    for Conflict { field, owner } in conflicts {
        let path = field.trim_start_matches('.');
        // Two managers may own the same field.
        if let Some(known) = fields.iter_mut().find(|known| known.path == path) {
            known.owner = known.owner.take().map(|first| format!("{first}, {owner}"));
            continue;
        }
        let value = |of: &Value| of.pointer(&pointer(of, field)?).cloned();
        let (have, want) = (value(live), value(applied));
        let place = pointer(&rest, field);
        if let Some(there) = place.and_then(|place| rest.pointer_mut(&place)) {
            *there = have.clone().unwrap_or_default();
        }
        fields.push(FieldDiff {
            path: path.to_owned(),
            have: have.unwrap_or_default(),
            want: want.unwrap_or_default(),
            fixed: false,
            owner: Some(owner.clone()),
        });
    }
    (fields, rest)
}

/// The JSON pointer of a path in an object; `None` if the path leads nowhere.
fn pointer(value: &Value, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(String::new());
    }
    if let Some(path) = path.strip_prefix('.') {
        let found = value.as_object()?.iter().find_map(|(name, below)| {
            let rest = path.strip_prefix(name.as_str())?;
            let ends = rest.is_empty() || rest.starts_with(['.', '[']);
            let below = pointer(below, rest).filter(|_| ends)?;
            let name = name.replace('~', "~0").replace('/', "~1");
            Some(format!("/{name}{below}"))
        });
        return found;
    }
    let (selector, rest) = selector(path)?;
    let mut items = value.as_array()?.iter().enumerate();
    let (index, item) = items.find(|(index, item)| selects(selector, *index, item))?;
    Some(format!("/{index}{}", pointer(item, rest)?))
}

/// The text between the brackets that a path begins with, and the rest after them.
fn selector(path: &str) -> Option<(&str, &str)> {
    let inner = path.strip_prefix('[')?;
    let end = unquoted(inner, ']').next()?;
    Some((&inner[..end], &inner[end + 1..]))
}

/// The positions of a character outside quotes.
fn unquoted(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter_map(move |(at, letter)| {
        let inside = quoted;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        (letter == wanted && !inside).then_some(at)
    })
}

/// Whether a selector selects an item of a list: by its value, its keys or its index.
fn selects(selector: &str, index: usize, item: &Value) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let Some(value) = selector.strip_prefix('=') {
        return read(value).as_ref() == Some(item);
    }
    if let Ok(number) = selector.parse::<usize>() {
        return number == index;
    }
    let ends = unquoted(selector, ',').chain([selector.len()]);
    let mut begin = 0;
    let mut keys = ends.map(|end| &selector[std::mem::replace(&mut begin, end + 1)..end]);
    keys.all(|key| {
        let value = key.split_once('=');
        value.is_some_and(|(name, value)| read(value).as_ref() == item.get(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_found_in_the_object_that_it_is_of() {
        let object = json!({
            "metadata": {"annotations": {"a.b/c": "1", "a": "2"}, "finalizers": ["x", "y"]},
            "spec": {"replicas": 1, "ports": [{"port": 80, "protocol": "UDP"}, {"port": 80, "protocol": "TCP", "name": "a]\"b,c"}]},
        });
        for (path, expected) in [
            (".spec.replicas", Some("/spec/replicas")),
            (
                ".metadata.annotations.a.b/c",
                Some("/metadata/annotations/a.b~1c"),
            ),
            (".metadata.annotations.a", Some("/metadata/annotations/a")),
            (".metadata.annotations.a.b", None),
            (
                ".metadata.finalizers[=\"y\"]",
                Some("/metadata/finalizers/1"),
            ),
            (
                ".spec.ports[port=80,protocol=\"TCP\"].name",
                Some("/spec/ports/1/name"),
            ),
            (".spec.ports[name=\"a]\\\"b,c\"]", Some("/spec/ports/1")),
            (".spec.ports[0].port", Some("/spec/ports/0/port")),
            (".spec.ports[2]", None),
            (".spec.ports[port=80", None),
            (".spec.ports[]", None),
            ("[", None),
            ("spec", None),
        ] {
            assert_eq!(pointer(&object, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn each_contested_field_has_its_owner_and_both_values() {
        let container =
            |image: &str, args: &str| json!({"name": "c", "image": image, "args": [args]});
        let live = json!({"spec": {"replicas": 3, "containers": [container("old", "a")]}});
        let applied = json!({"spec": {"replicas": 1, "containers": [container("new", "b")]}});
        let conflict = |field: &str, owner: &str| Conflict {
            field: field.to_owned(),
            owner: owner.to_owned(),
        };
        let conflicts = [
            conflict(".spec.replicas", "kubectl (scale)"),
            conflict(".spec.replicas", "hpa"),
            conflict(".spec.containers[name=\"c\"].image", "kubectl-edit"),
        ];
        let (fields, rest) = contested(&live, &applied, &conflicts);
        let told: Vec<_> = fields
            .iter()
            .map(|f| (f.path.as_str(), &f.have, &f.want, f.owner.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "spec.replicas",
                    &json!(3),
                    &json!(1),
                    Some("kubectl (scale), hpa")
                ),
                (
                    "spec.containers[name=\"c\"].image",
                    &json!("old"),
                    &json!("new"),
                    Some("kubectl-edit")
                ),
            ]
        );
        assert_eq!(
            rest,
            json!({"spec": {"replicas": 3, "containers": [container("old", "b")]}})
        );
    }

    proptest::proptest! {
        #[test]
        fn no_path_is_too_strange(path in "(\\PC|[.\\[\\]=,\"\\\\]){0,30}") {
            let _ = pointer(&json!({"a": [{"b": "c"}], "": 1}), &path);
        }
    }
}
