//! The bindings of a policy as IAM keeps and shows them. Pure functions.

use serde_json::{Map, Value, json};

use super::names;

/// Members once each, bindings without members dropped, equal roles and conditions joined, sorted by role.
pub fn normal(bindings: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for binding in bindings {
        let at = joined.iter().position(|one| {
            one["role"] == binding["role"] && one.get("condition") == binding.get("condition")
        });
        let target = match at {
            Some(at) => &mut joined[at],
            None => {
                let mut empty = Map::new();
                empty.insert("role".to_owned(), binding["role"].clone());
                empty.insert("members".to_owned(), json!([]));
                if let Some(condition) = binding.get("condition") {
                    empty.insert("condition".to_owned(), condition.clone());
                }
                joined.push(Value::Object(empty));
                let last = joined.len() - 1;
                &mut joined[last]
            }
        };
        if let Some(members) = target["members"].as_array_mut() {
            for member in binding["members"].as_array().into_iter().flatten() {
                if !members.contains(member) {
                    members.push(member.clone());
                }
            }
        }
    }
    joined.retain(|one| {
        one["members"]
            .as_array()
            .is_some_and(|members| !members.is_empty())
    });
    joined.sort_by(|a, b| a["role"].as_str().cmp(&b["role"].as_str()));
    joined
}

/// `roles/x` under a condition is `roles/x_withcond_…` to a caller who does not know of conditions.
pub fn hide_condition(binding: &mut Value) {
    let Some(condition) = binding
        .as_object_mut()
        .and_then(|fields| fields.remove("condition"))
    else {
        return;
    };
    let role = binding["role"].as_str().unwrap_or_default();
    binding["role"] = json!(format!(
        "{role}_withcond_{}",
        names::hex(&condition.to_string(), 16)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_joined_sorted_and_emptied_ones_dropped() {
        let condition = json!({"title": "t"});
        let sent = vec![
            json!({"role": "roles/z", "members": ["user:b", "user:a", "user:b"]}),
            json!({"role": "roles/a", "members": []}),
            json!({"role": "roles/z", "members": ["user:c"]}),
            json!({"role": "roles/b", "members": ["user:a"], "condition": condition}),
            json!({"role": "roles/b", "members": ["user:a"]}),
        ];
        let want = json!([
            {"role": "roles/b", "members": ["user:a"], "condition": condition},
            {"role": "roles/b", "members": ["user:a"]},
            {"role": "roles/z", "members": ["user:b", "user:a", "user:c"]},
        ]);
        assert_eq!(json!(normal(sent)), want);
    }
}
