//! What the emulator says: an answer, or a refusal in the words and the envelope of the API that refuses.

use serde_json::{Map, Value, json};

use super::clock::Millis;

/// A successful answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub http: u16,
    /// The content type of the body.
    pub body: Body,
    /// Headers beside the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// A long poll: the server asks again at this instant before it answers.
    pub hold: Option<Millis>,
}

/// A body.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// JSON.
    Json(Value),
    /// Nothing, as storage and DNS answer a DELETE.
    Empty,
    /// Media.
    Media {
        /// Its type.
        content_type: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

impl Response {
    /// 200 with JSON.
    pub fn json(body: Value) -> Response {
        Response {
            http: 200,
            body: Body::Json(body),
            headers: Vec::new(),
            hold: None,
        }
    }

    /// 204 without a body.
    pub fn no_content() -> Response {
        Response {
            http: 204,
            body: Body::Empty,
            headers: Vec::new(),
            hold: None,
        }
    }
}

impl From<Value> for Response {
    fn from(body: Value) -> Response {
        Response::json(body)
    }
}

/// An error of Google's. One refusal serves every API; [`ErrorResponse::envelope`] prints the parts that the API prints.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub http: u16,
    /// `errors[].reason`, such as `notFound`.
    pub reason: &'static str,
    /// `status`, such as `NOT_FOUND`.
    pub status: &'static str,
    /// `errors[].domain`.
    pub domain: &'static str,
    /// The message, word for word.
    pub message: String,
    /// `details[]`.
    pub details: Vec<Value>,
}

impl ErrorResponse {
    fn new(
        http: u16,
        reason: &'static str,
        status: &'static str,
        message: impl Into<String>,
    ) -> ErrorResponse {
        ErrorResponse {
            http,
            reason,
            status,
            domain: "global",
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(404, "notFound", "NOT_FOUND", message)
    }

    /// 409: it exists.
    pub fn already_exists(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(409, "alreadyExists", "ALREADY_EXISTS", message)
    }

    /// 409 as storage says it of bucket names.
    pub fn conflict(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(409, "conflict", "ALREADY_EXISTS", message)
    }

    /// 409: a stale etag on a policy; read again, modify again.
    pub fn aborted(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(409, "aborted", "ABORTED", message)
    }

    /// 400: a value that cannot be (`reason` `invalid`).
    pub fn invalid(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(400, "invalid", "INVALID_ARGUMENT", message)
    }

    /// 413: a list that is longer than compute takes.
    pub fn too_many(field: &str, most: usize, length: usize) -> ErrorResponse {
        let message = format!(
            "Value for field '{field}' is too large: maximum size {most} element(s); actual size {length}."
        );
        ErrorResponse::new(413, "fieldSizeTooLarge", "INVALID_ARGUMENT", message)
    }

    /// 400 with the reason that iam, container and others give (`badRequest`).
    pub fn bad_request(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(400, "badRequest", "INVALID_ARGUMENT", message)
    }

    /// 400: a field or parameter is missing.
    pub fn required(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(400, "required", "INVALID_ARGUMENT", message)
    }

    /// 400: the state of things forbids it.
    pub fn failed_precondition(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(400, "failedPrecondition", "FAILED_PRECONDITION", message)
    }

    /// 400: compute's resource in the middle of a change.
    pub fn not_ready(path: &str) -> ErrorResponse {
        let message = format!("The resource '{path}' is not ready");
        ErrorResponse::new(400, "resourceNotReady", "FAILED_PRECONDITION", message)
    }

    /// 400: compute's resource that another one uses.
    pub fn in_use(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(
            400,
            "resourceInUseByAnotherResource",
            "FAILED_PRECONDITION",
            message,
        )
    }

    /// 400: a DNS zone or a bucket that is not empty. The HTTP status differs: 400 for DNS, 409 for storage.
    pub fn not_empty(http: u16, reason: &'static str, message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(http, reason, "FAILED_PRECONDITION", message)
    }

    /// 412: an etag, a generation or an exact match does not hold.
    pub fn condition_not_met(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(412, "conditionNotMet", "FAILED_PRECONDITION", message)
    }

    /// 403, also for projects that do not exist: Google does not tell those apart.
    pub fn forbidden(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(403, "forbidden", "PERMISSION_DENIED", message)
    }

    /// 403, the answer for a project that is missing or owned by another.
    pub fn no_project() -> ErrorResponse {
        ErrorResponse::forbidden("The caller does not have permission")
    }

    /// 501: a method of the discovery documents that the emulator does not serve.
    pub fn not_served(method_id: &str) -> ErrorResponse {
        let message = format!("{method_id} is not served by this emulator");
        ErrorResponse::new(501, "notImplemented", "UNIMPLEMENTED", message)
    }

    /// 507: what changed could not be written down. Google never says this, and it does not pass by itself.
    pub fn not_kept(message: impl Into<String>) -> ErrorResponse {
        ErrorResponse::new(507, "insufficientStorage", "INTERNAL", message)
    }

    /// 403: `service` (`dns.googleapis.com`, entitled `Cloud DNS API`) is not enabled in `project`.
    pub fn service_disabled(
        project: &str,
        number: u64,
        service: &str,
        title: &str,
    ) -> ErrorResponse {
        let url = format!(
            "https://console.developers.google.com/apis/api/{service}/overview?project={project}"
        );
        let message = format!(
            "{title} has not been used in project {project} before or it is disabled. Enable it by visiting {url} then retry. \
             If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
        );
        let details = vec![
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
                "metadata": {"activationUrl": url, "consumer": format!("projects/{number}"), "containerInfo": project,
                    "service": service, "serviceTitle": title}}),
            json!({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}),
            json!({"@type": "type.googleapis.com/google.rpc.Help",
                "links": [{"description": "Google developers console API activation", "url": url}]}),
        ];
        let plain = ErrorResponse::new(403, "accessNotConfigured", "PERMISSION_DENIED", message);
        ErrorResponse {
            domain: "usageLimits",
            details,
            ..plain
        }
    }

    /// The same refusal with one more detail.
    #[must_use]
    pub fn with_detail(mut self, detail: Value) -> ErrorResponse {
        self.details.push(detail);
        self
    }

    /// The error as `api` prints it: which of `errors[]`, `status` and `details` there are differs by API.
    pub fn envelope(&self, api: &str) -> Value {
        let parts = EnvelopeParts::of(api);
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.http));
        error.insert("message".to_owned(), json!(self.message));
        if parts.errors {
            let one =
                json!({"message": self.message, "domain": self.domain, "reason": self.reason});
            error.insert("errors".to_owned(), json!([one]));
        }
        if parts.status {
            error.insert("status".to_owned(), json!(self.status));
        }
        // A disabled API is refused by the front end, in front of all services, and always with details.
        if !self.details.is_empty() && (parts.details || self.domain == "usageLimits") {
            error.insert("details".to_owned(), json!(self.details));
            error.insert("status".to_owned(), json!(self.status));
        }
        json!({ "error": error })
    }
}

/// Which parts of the envelope an API prints.
struct EnvelopeParts {
    errors: bool,
    status: bool,
    details: bool,
}

impl EnvelopeParts {
    fn of(api: &str) -> EnvelopeParts {
        let (errors, status, details) = match api {
            "compute" | "dns" | "storage" => (true, false, false),
            "gkehub" => (false, true, true),
            _ => (true, true, true),
        };
        EnvelopeParts {
            errors,
            status,
            details,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_prints_its_own_parts_of_an_error() {
        let refusal = ErrorResponse::not_found("gone").with_detail(json!({"x": 1}));
        let cases = [
            ("compute", true, false, false),
            ("dns", true, false, false),
            ("storage", true, false, false),
            ("gkehub", false, true, true),
            ("container", true, true, true),
            ("iam", true, true, true),
        ];
        for (api, errors, status, details) in cases {
            let error = &refusal.envelope(api)["error"];
            assert_eq!(error["code"], 404, "{api}");
            assert_eq!(error.get("errors").is_some(), errors, "{api}");
            assert_eq!(error.get("status").is_some(), status, "{api}");
            assert_eq!(error.get("details").is_some(), details, "{api}");
        }
    }

    #[test]
    fn a_disabled_api_names_itself_in_message_and_details() {
        let refusal =
            ErrorResponse::service_disabled("demo-proj", 7, "dns.googleapis.com", "Cloud DNS API");
        let error = &refusal.envelope("dns")["error"];
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .starts_with("Cloud DNS API has not been used in project demo-proj before")
        );
        assert_eq!(error["details"][0]["reason"], "SERVICE_DISABLED");
        assert_eq!(error["status"], "PERMISSION_DENIED");
    }
}
