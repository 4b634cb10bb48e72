//! The faults, and how each API says them. The sentences are those of `fixtures/errors.json` and of Kubernetes' API server.

use serde_json::{Value, json};

use super::super::middle::request::Asked;

/// What can happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// 503, nothing done.
    Unavailable,
    /// 429 with a `Retry-After` of a second.
    TooMany,
    /// 500, nothing done.
    Internal,
    /// 403 `rateLimitExceeded`.
    RateLimited,
    /// 409: it is there already, or somebody else wrote in between; nothing done.
    Conflict,
    /// The connection ends before the request arrives.
    ResetBefore,
    /// It takes effect, and the connection ends before the answer.
    AnswerLost,
    /// It takes effect, and the answer ends in its middle.
    CutOff,
    /// The answer takes a while.
    Slow,
    /// An operation is begun that ends in error.
    OperationFails,
    /// An operation is begun that ends for want of quota.
    OperationQuota,
    /// 403 for want of quota.
    Quota,
    /// 403, a permission is missing; from now on, for the whole API.
    PermissionLost,
    /// 401; from now on, for the whole API.
    TokenExpired,
    /// 403 `SERVICE_DISABLED`.
    ApiDisabled,
    /// 404 with a page of HTML: a front end that has not heard of the API yet.
    NotJson,
    /// 400: the policy names an account that is not known everywhere yet.
    MemberTooEarly,
    /// 400: the policy names an identity pool that is not known everywhere yet.
    PoolTooEarly,
    /// 400: another operation is at work on it.
    Busy,
    /// 404: the replica asked has not heard of the account yet, or no longer.
    Unseen,
}

use Fault::*;

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 20] = [
        Unavailable,
        TooMany,
        Internal,
        RateLimited,
        Conflict,
        ResetBefore,
        AnswerLost,
        CutOff,
        Slow,
        OperationFails,
        OperationQuota,
        Quota,
        PermissionLost,
        TokenExpired,
        ApiDisabled,
        NotJson,
        MemberTooEarly,
        PoolTooEarly,
        Busy,
        Unseen,
    ];

    /// Whether it can happen to this request.
    pub fn befalls(self, asked: &Asked) -> bool {
        match self {
            Conflict => asked.changes() && asked.method != "DELETE",
            OperationFails | OperationQuota => asked.begins_operation(),
            Quota => asked.changes() && asked.method == "POST" && !asked.sets_policy(),
            RateLimited => !asked.cluster,
            // The API that switches others on is never off where it was used a moment ago.
            ApiDisabled | NotJson => !asked.cluster && asked.api() != "serviceusage",
            MemberTooEarly => asked.sets_policy(),
            PoolTooEarly => asked.sets_policy() && asked.api() == "iam",
            Busy => {
                let cluster = asked.api() == "container" && asked.method != "POST";
                asked.changes() && (cluster || asked.api() == "compute" && asked.method == "DELETE")
            }
            Unseen => asked.kind() == "GET iam v1/projects/*/serviceAccounts/*",
            _ => true,
        }
    }

    /// Whether it is somebody's decision and holds from now on, for every request to the API.
    pub fn lasts(self) -> bool {
        matches!(self, PermissionLost | TokenExpired)
    }

    /// Whether it passes by itself, so that a run need not stop for it.
    pub fn passes(self) -> bool {
        !self.lasts() && !matches!(self, OperationFails | OperationQuota | Quota)
    }

    /// Whether it is what an API does that was switched on a moment ago: a run that did not switch it on takes it for a decision.
    pub fn is_of_youth(self) -> bool {
        matches!(self, ApiDisabled | NotJson)
    }

    /// Words that a reader must see of it.
    pub fn words(self) -> Option<&'static str> {
        Some(match self {
            Quota | OperationQuota => "uota",
            TokenExpired => "401",
            _ => return None,
        })
    }

    /// The answer, where it is one that comes instead of the cloud's.
    pub fn answer(self, asked: &Asked) -> Option<(u16, Value)> {
        if asked.cluster {
            return self.of_kubernetes(asked);
        }
        if self == NotJson {
            let page = "<!DOCTYPE html>\n<title>Error 404 (Not Found)!!1</title>\n<p>The requested URL was not found on this server.";
            return Some((404, json!(page)));
        }
        let (http, reason, status, message) = match self {
            Unavailable => (503, "backendError", "UNAVAILABLE", "The service is currently unavailable.".to_owned()),
            TooMany => (429, "rateLimitExceeded", "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'.".to_owned()),
            Internal => (500, "backendError", "INTERNAL", "Internal error encountered.".to_owned()),
            RateLimited => (403, "rateLimitExceeded", "", "Rate Limit Exceeded".to_owned()),
            Conflict if asked.sets_policy() => (
                if asked.api() == "storage" { 412 } else { 409 },
                if asked.api() == "storage" { "conditionNotMet" } else { "aborted" },
                "ABORTED",
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.".to_owned(),
            ),
            Conflict if asked.method == "PATCH" && asked.api() == "compute" => {
                (412, "conditionNotMet", "", "Invalid fingerprint.".to_owned())
            }
            Conflict => (409, "alreadyExists", "ALREADY_EXISTS", format!("The resource '{}' already exists", asked.path)),
            Quota => (403, "quotaExceeded", "", "Quota 'NETWORKS' exceeded.  Limit: 5.0 globally.".to_owned()),
            PermissionLost => (403, "forbidden", "PERMISSION_DENIED", "The caller does not have permission".to_owned()),
            TokenExpired => (401, "authError", "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.".to_owned()),
            ApiDisabled => (403, "SERVICE_DISABLED", "PERMISSION_DENIED", format!("This API has not been used in project {} before or it is disabled. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.", project(asked))),
            MemberTooEarly => (400, "badRequest", "INVALID_ARGUMENT", "Service account sa-test-app-team-x@p.iam.gserviceaccount.com does not exist.".to_owned()),
            PoolTooEarly => (400, "badRequest", "INVALID_ARGUMENT", "Identity Pool does not exist (p.svc.id.goog). Please check that you specified a valid resource name as returned in the `name` attribute in the configuration API.".to_owned()),
            Busy if asked.api() == "container" => (400, "failedPrecondition", "FAILED_PRECONDITION", "Cluster is running incompatible operation operation-1.".to_owned()),
            Busy => (400, "resourceNotReady", "", format!("The resource '{}' is not ready", asked.path)),
            Unseen => (404, "notFound", "NOT_FOUND", "Service account projects/p/serviceAccounts/x does not exist.".to_owned()),
            NotJson | ResetBefore | AnswerLost | CutOff | Slow | OperationFails | OperationQuota => return None,
        };
        Some((http, envelope(asked.api(), http, reason, status, &message)))
    }

    fn of_kubernetes(self, asked: &Asked) -> Option<(u16, Value)> {
        let (code, reason, message) = match self {
            Unavailable => (
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            TooMany => (
                429,
                "TooManyRequests",
                "too many requests, please try again later",
            ),
            Internal => (
                500,
                "InternalError",
                "Internal error occurred: etcdserver: leader changed",
            ),
            Conflict if asked.changes() => (
                409,
                "Conflict",
                "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
            ),
            PermissionLost => (
                403,
                "Forbidden",
                "it is forbidden: User \"u\" cannot do this at the cluster scope",
            ),
            TokenExpired => (401, "Unauthorized", "Unauthorized"),
            Quota => (
                403,
                "Forbidden",
                "it is forbidden: exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9",
            ),
            _ => return None,
        };
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
        Some((code, status))
    }

    /// How an operation ends that was begun only to fail: the fields beside its name.
    pub fn end_of_operation(self, api: &str) -> Value {
        let quota = self == OperationQuota;
        match (api, quota) {
            ("compute", true) => {
                json!({"status": "DONE", "progress": 100, "httpErrorStatusCode": 403, "httpErrorMessage": "FORBIDDEN",
                "error": {"errors": [{"code": "QUOTA_EXCEEDED", "message": "Quota 'FIREWALLS' exceeded.  Limit: 100.0 globally."}]}})
            }
            ("compute", false) => {
                json!({"status": "DONE", "progress": 100, "httpErrorStatusCode": 400, "httpErrorMessage": "BAD REQUEST",
                "error": {"errors": [{"code": "INVALID_USAGE", "message": "Another change has made this one impossible."}]}})
            }
            ("container", true) => {
                json!({"status": "DONE", "error": {"code": 8, "message": "Insufficient regional quota to satisfy request: resource \"CPUS\": request requires '8.0' and is short '2.0'."}})
            }
            ("container", false) => {
                json!({"status": "DONE", "error": {"code": 13, "message": "Internal error."}})
            }
            (_, true) => {
                json!({"done": true, "error": {"code": 8, "message": "Quota exceeded for quota metric 'Memberships'."}})
            }
            (_, false) => {
                json!({"done": true, "error": {"code": 13, "message": "an internal error has occurred"}})
            }
        }
    }
}

/// The error as the API wraps it: compute, dns and storage send no status, the fleet sends no list of errors, and newer ones put
/// the reason into the details.
fn envelope(api: &str, http: u16, reason: &str, status: &str, message: &str) -> Value {
    let mut error = json!({"code": http, "message": message});
    if api != "gkehub" {
        error["errors"] = json!([{"message": message, "domain": "global", "reason": reason}]);
    }
    if !["compute", "dns", "storage"].contains(&api) && !status.is_empty() {
        error["status"] = json!(status);
    }
    if reason == "SERVICE_DISABLED" || (api == "gkehub" && reason.ends_with("xceeded")) {
        error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}]);
    }
    json!({ "error": error })
}

/// The project of a request, which Google names in a refusal of an API that is off.
fn project(asked: &Asked) -> &str {
    let mut segments = asked
        .path
        .split('/')
        .skip_while(|segment| *segment != "projects");
    let project = segments
        .nth(1)
        .and_then(|segment| segment.split(':').next());
    project.unwrap_or("egress-demo")
}
