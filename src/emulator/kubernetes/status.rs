//! Refusals with Kubernetes' texts: the `Status` object.

use serde_json::{Value, json};

use super::resource::Resource;

/// A refusal: an HTTP code and the body that goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The HTTP code.
    pub code: u16,
    /// The one-word reason, `NotFound`; empty where Kubernetes gives none.
    pub reason: &'static str,
    /// What went wrong.
    pub message: String,
    /// What it went wrong with; null if nothing particular.
    pub details: Value,
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
        }
    }

    fn about(mut self, resource: &Resource, name: &str) -> Status {
        self.details = json!({"name": name, "group": resource.group, "kind": resource.plural});
        if let Some(details) = self.details.as_object_mut() {
            details.retain(|_, told| told != "");
        }
        self
    }

    /// 404 for an object.
    pub fn not_found(resource: &Resource, name: &str) -> Status {
        Status::new(
            404,
            "NotFound",
            format!("{} {name:?} not found", resource.full()),
        )
        .about(resource, name)
    }

    /// 404 for a path.
    pub fn no_such_path() -> Status {
        let mut status = Status::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
        status.details = json!({});
        status
    }

    /// 409 for a name that is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Status {
        let message = format!("{} {name:?} already exists", resource.full());
        Status::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// 409: `why` it cannot be done to the object as it is now.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Status {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            resource.full()
        );
        Status::new(409, "Conflict", message).about(resource, name)
    }

    /// 409 for an object that was changed since it was read.
    pub fn outdated(resource: &Resource, name: &str) -> Status {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Status::conflict(resource, name, why)
    }

    /// 409: fields have other owners. `causes` are (manager as printed, path).
    pub fn apply_conflict(causes: &[(String, String)]) -> Status {
        let message = match causes {
            [(manager, path)] => {
                format!("Apply failed with 1 conflict: conflict with {manager}: {path}")
            }
            _ => {
                let mut lines = Vec::new();
                let mut managers: Vec<&String> =
                    causes.iter().map(|(manager, _)| manager).collect();
                managers.sort();
                managers.dedup();
                for manager in managers {
                    lines.push(format!("conflicts with {manager}:"));
                    let paths = causes.iter().filter(|(other, _)| other == manager);
                    lines.extend(paths.map(|(_, path)| format!("- {path}")));
                }
                format!(
                    "Apply failed with {} conflicts: {}",
                    causes.len(),
                    lines.join("\n")
                )
            }
        };
        let mut status = Status::new(409, "Conflict", message);
        let causes: Vec<Value> = causes
            .iter()
            .map(|(manager, path)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path})
            })
            .collect();
        status.details = json!({"causes": causes});
        status
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(400, "BadRequest", message)
    }

    /// 401: no token, or an expired one.
    pub fn unauthorized() -> Status {
        Status::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: `why` this cannot be done to the object.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Status {
        Status::new(
            403,
            "Forbidden",
            format!("{} {name:?} is forbidden: {why}", resource.full()),
        )
        .about(resource, name)
    }

    /// 405.
    pub fn method_not_allowed() -> Status {
        let message = "the server does not allow this method on the requested resource";
        let mut status = Status::new(405, "MethodNotAllowed", message);
        status.details = json!({});
        status
    }

    /// 410: the revision asked for is forgotten.
    pub fn expired(asked: u64, oldest: u64) -> Status {
        Status::new(
            410,
            "Expired",
            format!("too old resource version: {asked} ({oldest})"),
        )
    }

    /// 410 for a `continue` that means nothing here.
    pub fn stale_continue() -> Status {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";
        Status::new(410, "Expired", message)
    }

    /// 415, with the types that would do.
    pub fn unsupported(content_type: &str, accepted: &[&str]) -> Status {
        let message = format!(
            "the body of the request was in an unknown format ({content_type:?}) - accepted media types include: {}",
            accepted.join(", ")
        );
        Status::new(415, "UnsupportedMediaType", message)
    }

    /// 415 for a type that no object takes in this way.
    pub fn unknown_type() -> Status {
        let mut status = Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
        status.details = json!({});
        status
    }

    /// 422: the object is invalid.
    pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Status {
        let told: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        let told = match told.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} {name:?} is invalid: {told}", resource.kind_full());
        let mut status = Status::new(422, "Invalid", message).about(resource, name);
        status.details["kind"] = json!(resource.kind);
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        status.details["causes"] = json!(causes);
        status
    }

    /// 500: something that the server needs fails.
    pub fn internal(why: impl std::fmt::Display) -> Status {
        Status::new(
            500,
            "InternalError",
            format!("Internal error occurred: {why}"),
        )
    }

    /// 500 without a reason, as the real server answers what it cannot go on with.
    pub fn untyped(message: impl Into<String>) -> Status {
        Status::new(500, "", message)
    }

    /// The validator's refusal of an object.
    pub fn refused(resource: &Resource, object: &Value, refusal: validation::Refusal) -> Status {
        let causes: Vec<Value> = refusal
            .causes()
            .iter()
            .map(|fault| {
                json!({"reason": fault.reason.word(), "message": fault.message, "field": fault.field})
            })
            .collect();
        let mut status = Status::new(refusal.status, refusal.reason, refusal.message);
        if !causes.is_empty() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            status = status.about(resource, name);
            status.details["kind"] = json!(resource.kind);
            status.details["causes"] = json!(causes);
        }
        status
    }

    /// The object that is sent.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            body["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            body["details"] = self.details.clone();
        }
        body["code"] = json!(self.code);
        body
    }
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Where: `spec.ports[0].port`.
    pub field: String,
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    pub reason: &'static str,
    /// Kubernetes' message.
    pub message: String,
}

impl Cause {
    /// An invalid value.
    pub fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Cause {
        Cause {
            field: field.into(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {why}"),
        }
    }

    /// A value that is missing.
    pub fn required(field: impl Into<String>, why: &str) -> Cause {
        let message = if why.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {why}")
        };
        Cause {
            field: field.into(),
            reason: "FieldValueRequired",
            message,
        }
    }
}
