//! What speaks for a thing being ours when the journal does not: our mark, where its API keeps one.
//!
//! A Kubernetes object names the field managers that applied it, and ours is one of them. Google's resources have no such
//! place that every API shares (labels are on some, and would differ from the tutorial's commands): there the name and every
//! field that the step states are all there is.

use serde_json::{Map, Value};

use super::{Clients, Kind, path_template};
use crate::cluster::MANAGER;
use crate::google::{ApiError, Call, Class};

impl Kind {
    /// Whether what a look found carries our mark; none where its API keeps none. A cluster forgets a manager that owns no
    /// field, so an object of which nothing is wanted but its name has none either.
    pub fn marked(&self, want: &Value, live: &Value) -> Option<bool> {
        let Kind::Kubernetes = self else { return None };
        if !states_more_than_a_name(want) {
            return None;
        }
        let managers = live.pointer("/live/metadata/managedFields");
        let managers = managers.and_then(Value::as_array).into_iter().flatten();
        let ours = |entry: &Value| entry["manager"] == MANAGER && entry["operation"] == "Apply";
        Some(managers.into_iter().any(ours))
    }

    /// Whether what a look found is another than the one that we made: younger than `made`, which is when its creation was seen
    /// to be over, and without our mark. The mark alone does not say so: it goes when somebody writes over every field of ours.
    /// Kubernetes counts in whole seconds, and one made anew within the second counts as the first.
    pub fn is_anothers(&self, want: &Value, live: &Value, made: &str) -> bool {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let created = live.pointer("/live/metadata/creationTimestamp");
        let created = created.and_then(Value::as_str).and_then(time);
        let is_younger = time(made).is_some_and(|made| created > Some(made));
        is_younger && self.marked(want, live) == Some(false)
    }

    /// What is there of a plain resource, whether it is at rest or not.
    pub async fn read(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Option<Value>, ApiError> {
        let Some(row) = self.resource_spec() else {
            return Ok(None);
        };
        let call = Call::get(row.api, path_template::path(row.path, at)?);
        match clients.client.send(&call, &*clients.watch).await {
            Ok(live) => Ok(Some(live)),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether an object has a field that somebody could own.
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
    fn an_object_that_was_made_anew_by_somebody_else_is_theirs() {
        let want = json!({"metadata": {"name": "a"}, "spec": {}});
        let object = |created: &str, manager: &str| {
            let managed = json!([{"manager": manager, "operation": "Apply"}]);
            json!({"live": {"metadata": {"creationTimestamp": created, "managedFields": managed}}})
        };
        let made = "2026-11-29T19:00:00.500Z";
        for (created, manager, expected) in [
            ("2026-11-29T19:00:01Z", "kubectl", true),
            ("2026-11-29T19:00:01Z", "provision", false),
            // Somebody wrote over all that we had stated: it is still the same object.
            ("2026-11-29T19:00:00Z", "kubectl", false),
            ("2026-11-29T18:59:59Z", "kubectl", false),
            ("no time", "kubectl", false),
        ] {
            let live = object(created, manager);
            let said = Kind::Kubernetes.is_anothers(&want, &live, made);
            assert_eq!(said, expected, "{live}");
        }
        let theirs = object("2026-11-29T19:00:01Z", "kubectl");
        assert!(!Kind::Kubernetes.is_anothers(&want, &theirs, "no time"));
        // Of nothing but a name nobody owns anything.
        assert!(!Kind::Kubernetes.is_anothers(&json!({}), &theirs, made));
        assert!(!Kind::Records.is_anothers(&want, &theirs, made));
    }

    #[test]
    fn an_object_that_we_applied_says_so() {
        let want = json!({"spec": {}});
        let object = |manager: &str, operation: &str| {
            let entry = json!({"manager": manager, "operation": operation});
            json!({"live": {"metadata": {"managedFields": [{"manager": "x"}, entry]}}})
        };
        assert_eq!(
            Kind::Kubernetes.marked(&want, &object("provision", "Apply")),
            Some(true)
        );
        let bare = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "b"}});
        assert_eq!(Kind::Kubernetes.marked(&bare, &object("x", "Apply")), None);
        let labelled = json!({"metadata": {"name": "a", "labels": {"x": "y"}}});
        assert!(states_more_than_a_name(&labelled));
        for live in [
            object("provision", "Update"),
            object("kubectl", "Apply"),
            json!({"live": {}}),
        ] {
            assert_eq!(Kind::Kubernetes.marked(&want, &live), Some(false), "{live}");
        }
        assert_eq!(Kind::Records.marked(&want, &Value::Null), None);
    }
}
