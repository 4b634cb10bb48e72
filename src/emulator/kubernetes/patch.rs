//! Patches: JSON merge patch (RFC 7396), JSON patch (RFC 6902), and Kubernetes' strategic merge patch.

use serde_json::{Map, Value};

use super::schema;
use super::status::Status;

/// Applies a JSON patch.
///
/// # Errors
/// 422 for an operation that does not fit the object.
pub fn json(target: &mut Value, patch: &Value) -> Result<(), Status> {
    for step in patch.as_array().into_iter().flatten() {
        operate(target, step).ok_or_else(|| {
            let mut status = Status::bad_request(format!(
                "the server rejected our request due to an error in our request: {step}"
            ));
            (status.code, status.reason) = (422, "Invalid");
            status
        })?;
    }
    Ok(())
}

fn operate(target: &mut Value, step: &Value) -> Option<()> {
    let path = step["path"].as_str()?;
    match step["op"].as_str()? {
        "add" => add(target, path, step.get("value")?.clone()),
        "remove" => take(target, path).map(drop),
        "replace" => {
            let at = target.pointer_mut(path)?;
            *at = step.get("value")?.clone();
            Some(())
        }
        "test" => (target.pointer(path) == step.get("value")).then_some(()),
        "move" => {
            let value = take(target, step["from"].as_str()?)?;
            add(target, path, value)
        }
        "copy" => {
            let value = target.pointer(step["from"].as_str()?)?.clone();
            add(target, path, value)
        }
        _ => None,
    }
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(fields) => {
            fields.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn take(target: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(fields) => fields.shift_remove(&last),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

/// Applies a strategic merge patch to a whole object.
pub fn strategic(target: &mut Value, patch: &Value, kind: &Value) {
    let Some(patch) = patch.as_object() else {
        return;
    };
    for (name, value) in patch {
        combine_field(target, name, value, schema::top(kind, name));
    }
}

/// What a patch says beside values.
fn is_directive(name: &str) -> bool {
    name == "$patch"
        || name == "$retainKeys"
        || name.starts_with("$setElementOrder/")
        || name.starts_with("$deleteFromPrimitiveList/")
}

fn combine_field(target: &mut Value, name: &str, value: &Value, schema: Option<&Value>) {
    let Some(fields) = target.as_object_mut() else {
        return;
    };
    match value {
        _ if is_directive(name) => {}
        Value::Null => {
            fields.shift_remove(name);
        }
        _ => combine(fields.entry(name).or_insert(Value::Null), value, schema),
    }
}

fn combine(target: &mut Value, patch: &Value, schema: Option<&Value>) {
    match patch {
        Value::Object(patch) => combine_object(target, patch, schema),
        Value::Array(items) => combine_list(target, items, schema),
        _ => *target = patch.clone(),
    }
}

fn combine_object(target: &mut Value, patch: &Map<String, Value>, schema: Option<&Value>) {
    let below = |name: &str| schema.and_then(|schema| schema::field(schema, name));
    let replaces = patch.get("$patch").is_some_and(|what| what == "replace");
    if replaces || !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if patch.get("$patch").is_some_and(|what| what == "delete") {
        return;
    }
    let retained = patch.get("$retainKeys").and_then(Value::as_array);
    if let (Some(retained), Some(fields)) = (retained, target.as_object_mut()) {
        fields.retain(|name, _| retained.iter().any(|kept| kept == name));
    }
    for (name, value) in patch {
        combine_field(target, name, value, below(name));
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/")
            && let Some(items) = target[list].as_array_mut()
        {
            items.retain(|item| !value.as_array().is_some_and(|gone| gone.contains(item)));
        }
    }
    for (name, order) in patch {
        if let (Some(list), Some(order)) =
            (name.strip_prefix("$setElementOrder/"), order.as_array())
        {
            let key = below(list).and_then(merge_key);
            if let Some(items) = target.get_mut(list).and_then(Value::as_array_mut) {
                reorder(items, order, key);
            }
        }
    }
}

fn merge_key(schema: &Value) -> Option<&str> {
    schema::resolved(schema)["x-kubernetes-patch-merge-key"].as_str()
}

fn combine_list(target: &mut Value, patch: &[Value], schema: Option<&Value>) {
    let schema = schema.map_or(&Value::Null, schema::resolved);
    let merges = schema["x-kubernetes-patch-strategy"]
        .as_str()
        .is_some_and(|how| how.contains("merge"));
    let replaces = patch.iter().any(|item| item["$patch"] == "replace");
    let plain = |item: &&Value| item.get("$patch").is_none();
    if !merges || replaces || !target.is_array() {
        *target = Value::Array(patch.iter().filter(plain).cloned().collect());
        return;
    }
    let Some(items) = target.as_array_mut() else {
        return;
    };
    let below = schema.get("items");
    for item in patch {
        let Some(key) = merge_key(schema) else {
            if !items.contains(item) {
                items.push(item.clone());
            }
            continue;
        };
        let same = |one: &Value| one.get(key) == item.get(key);
        if item["$patch"] == "delete" {
            items.retain(|one| !same(one));
        } else if let Some(there) = items.iter_mut().find(|one| same(one)) {
            combine(there, item, below);
        } else {
            items.push(item.clone());
        }
    }
}

/// Puts the items into the order that the patch wants; those it does not speak of stay behind.
fn reorder(items: &mut [Value], order: &[Value], key: Option<&str>) {
    let place = |item: &Value| {
        order
            .iter()
            .position(|wanted| match key {
                Some(key) => wanted.get(key) == item.get(key),
                None => wanted == item,
            })
            .unwrap_or(order.len())
    };
    items.sort_by_key(place);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_json_patch_does_what_it_says_or_nothing() {
        let mut object = json!({"a": {"b/c": 1}, "list": [1, 3]});
        let steps = json!([{"op": "test", "path": "/a/b~1c", "value": 1}, {"op": "add", "path": "/list/1", "value": 2},
            {"op": "remove", "path": "/a/b~1c"}, {"op": "copy", "from": "/list", "path": "/again"}]);
        json(&mut object, &steps).unwrap();
        assert_eq!(
            object,
            json!({"a": {}, "list": [1, 2, 3], "again": [1, 2, 3]})
        );
        let refused = json(&mut object, &json!([{"op": "remove", "path": "/none"}])).unwrap_err();
        assert_eq!(refused.code, 422);
    }

    #[test]
    fn a_strategic_patch_merges_lists_by_their_key() {
        let kind = json!({"$ref": "io.k8s.api.apps.v1.Deployment"});
        let containers =
            |list: Value| json!({"spec": {"template": {"spec": {"containers": list}}}});
        let mut object = containers(
            json!([{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]),
        );
        strategic(
            &mut object,
            &containers(json!([{"name": "a", "image": "2", "args": ["y"]}, {"name": "c"}])),
            &kind,
        );
        assert_eq!(
            object,
            containers(
                json!([{"name": "a", "image": "2", "args": ["y"]}, {"name": "b", "image": "1"}, {"name": "c"}])
            )
        );
        strategic(
            &mut object,
            &containers(json!([{"name": "b", "$patch": "delete"}])),
            &kind,
        );
        let patch = json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}}}});
        strategic(&mut object, &patch, &kind);
        assert_eq!(
            object,
            containers(json!([{"name": "c"}, {"name": "a", "image": "2", "args": ["y"]}]))
        );
    }

    #[test]
    fn keys_that_are_not_retained_go() {
        let kind = json!({"$ref": "io.k8s.api.apps.v1.Deployment"});
        let mut object = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        strategic(
            &mut object,
            &json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            &kind,
        );
        assert_eq!(object, json!({"spec": {"strategy": {"type": "Recreate"}}}));
        json::merge(
            &mut object,
            &json!({"spec": {"strategy": null, "paused": true}}),
        );
        assert_eq!(object, json!({"spec": {"paused": true}}));
    }
}
