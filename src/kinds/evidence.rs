//! What speaks for a thing being ours when the journal does not: our mark, where its API keeps one.
//!
//! A Kubernetes object names the field managers that applied it, and ours is one of them. Google's resources have no such
//! place that every API shares (labels are on some, and would differ from the tutorial's commands): there the name and every
//! field that the step states are all there is.

use serde_json::{Map, Value};

use super::{Door, Kind, fill};
use crate::cluster::MANAGER;
use crate::google::{ApiError, Call, Class};

impl Kind {
    /// Whether what a look found carries our mark; none where its API keeps none.
    pub fn marked(&self, live: &Value) -> Option<bool> {
        let Kind::Kubernetes = self else { return None };
        let managers = live.pointer("/live/metadata/managedFields");
        let managers = managers.and_then(Value::as_array).into_iter().flatten();
        let ours = |entry: &Value| entry["manager"] == MANAGER && entry["operation"] == "Apply";
        Some(managers.into_iter().any(ours))
    }

    /// What is there of a plain resource, whether it is at rest or not.
    pub async fn read(
        &self,
        door: &Door,
        at: &Map<String, Value>,
    ) -> Result<Option<Value>, ApiError> {
        let Some(row) = self.row() else {
            return Ok(None);
        };
        let call = Call::get(row.api, fill::path(row.path, at)?);
        match door.client.send(&call, &*door.watch).await {
            Ok(live) => Ok(Some(live)),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_that_we_applied_says_so() {
        let object = |manager: &str, operation: &str| {
            let entry = json!({"manager": manager, "operation": operation});
            json!({"live": {"metadata": {"managedFields": [{"manager": "x"}, entry]}}})
        };
        assert_eq!(
            Kind::Kubernetes.marked(&object("provision", "Apply")),
            Some(true)
        );
        for live in [
            object("provision", "Update"),
            object("kubectl", "Apply"),
            json!({"live": {}}),
        ] {
            assert_eq!(Kind::Kubernetes.marked(&live), Some(false), "{live}");
        }
        assert_eq!(Kind::Records.marked(&Value::Null), None);
    }
}
