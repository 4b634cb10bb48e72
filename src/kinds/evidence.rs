//! Evidence that a Kubernetes object is ours when the journal does not know it: our mark, which is our field manager. Pure.
//!
//! An object lists the field managers that applied it, and ours is one of them. Google's resources have no such field that all
//! APIs share (some have labels, which would differ from the tutorial's commands). For them, the name and the fields that the
//! step states are the only evidence.

use serde_json::Value;

use crate::cluster::MANAGER;

/// Whether a live object has our mark. A cluster forgets a manager that owns no field, so an object of which a step states only
/// the name cannot have a mark: the result is then `None`.
pub fn has_our_mark(want: &Value, live: &Value) -> Option<bool> {
    if !states_more_than_a_name(want) {
        return None;
    }
    let managers = live.pointer("/live/metadata/managedFields");
    let managers = managers.and_then(Value::as_array).into_iter().flatten();
    let ours = |entry: &Value| entry["manager"] == MANAGER && entry["operation"] == "Apply";
    Some(managers.into_iter().any(ours))
}

/// Whether an object states a field that a manager could own.
fn states_more_than_a_name(want: &Value) -> bool {
    let fields = |value: &Value, but: &[&str]| {
        let fields = value.as_object().into_iter().flatten();
        fields
            .filter(|(name, _)| !but.contains(&name.as_str()))
            .count()
    };
    fields(want, &["apiVersion", "kind", "metadata"]) > 0
        || fields(&want["metadata"], &["name", "namespace"]) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_that_we_applied_says_so() {
        let want = json!({"spec": {}});
        let object = |manager: &str, operation: &str| {
            let entry = json!({"manager": manager, "operation": operation});
            json!({"live": {"metadata": {"managedFields": [{"manager": "x"}, entry]}}})
        };
        assert_eq!(
            has_our_mark(&want, &object("provision", "Apply")),
            Some(true)
        );
        let bare = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "b"}});
        assert_eq!(has_our_mark(&bare, &object("x", "Apply")), None);
        let labelled = json!({"metadata": {"name": "a", "labels": {"x": "y"}}});
        assert!(states_more_than_a_name(&labelled));
        for live in [
            object("provision", "Update"),
            object("kubectl", "Apply"),
            json!({"live": {}}),
        ] {
            assert_eq!(has_our_mark(&want, &live), Some(false), "{live}");
        }
    }
}
