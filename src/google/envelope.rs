//! Reads Google's errors from response bodies.
//!
//! The envelope differs between APIs: compute, dns and storage send no `status`, gkehub sends no `errors`, newer APIs
//! put the reason into `details`, and a front end may answer with HTML. Everything except the HTTP code is optional
//! here, and no answer can make the parsing fail.

use std::time::Duration;

use serde_json::Value;

use super::details::{self, Details};
use crate::text::beginning;

/// A rejected request, as far as the answer describes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Refusal {
    /// The HTTP code; for an operation, the code that its error corresponds to, if there is one.
    pub http: Option<u16>,
    /// `errors[0].reason`, the reason of an `ErrorInfo`, or an operation's error code.
    pub reason: Option<String>,
    /// The canonical status: `PERMISSION_DENIED`.
    pub status: Option<String>,
    /// The message for people.
    pub message: String,
    /// Whether the body was JSON.
    pub json: bool,
    /// Whether it is the result of an operation, not the answer to a call.
    pub operation: bool,
    /// Every name that Google gives it: reasons, codes, conditions, types of violations.
    pub names: Vec<String>,
    /// What `details` say beside the message; see [`Details`].
    pub told: Vec<String>,
    /// The pause that `details` request.
    pub retry_after: Option<Duration>,
    /// The project that the request is charged to, if `details` or the message name it: `projects/NUMBER` or `projects/ID`.
    pub consumer: Option<String>,
    /// The API that the refusal is about, if it is named.
    pub service: Option<String>,
}

/// The length of the excerpt of an HTML or text body.
const EXCERPT: usize = 160;

impl Refusal {
    /// Reads the body of an answer that is not a success.
    pub fn of_answer(http: u16, body: &[u8]) -> Refusal {
        match serde_json::from_slice::<Value>(body) {
            Ok(answer) if answer.is_object() => {
                // The token endpoint sends `{"error": "invalid_grant"}`; all others send an object.
                let error = &answer["error"];
                let said = text(&error["message"]).or_else(|| text(error));
                let refusal = Refusal {
                    http: Some(http),
                    reason: text(&error["errors"][0]["reason"]),
                    status: text(&error["status"]),
                    message: said.unwrap_or_else(|| format!("HTTP {http} without a message")),
                    json: true,
                    ..Refusal::default()
                };
                refusal.detailed(error)
            }
            _ => Refusal {
                http: Some(http),
                message: excerpt(http, body),
                ..Refusal::default()
            },
        }
    }

    /// Reads a failed operation in any dialect: compute's `error.errors[{code, message}]` with the HTTP code beside
    /// it; `error{code, message, details}` of all others; GKE's older `statusMessage`, and the conditions that name
    /// the cause.
    pub fn of_operation(answer: &Value) -> Refusal {
        let error = &answer["error"];
        let numbered = error["code"].as_u64();
        let canonical = numbered.and_then(|code| CODES.iter().find(|row| row.0 == code));
        let said = answer["httpErrorStatusCode"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok());
        let listed = list(&error["errors"]);
        let all = || {
            let messages: Vec<_> = listed
                .iter()
                .filter_map(|one| text(&one["message"]))
                .collect();
            Some(beginning(&messages.join("; "))).filter(|all| !all.is_empty())
        };
        let conditions = [&answer["clusterConditions"], &answer["nodepoolConditions"]];
        let conditions: Vec<String> = conditions
            .into_iter()
            .flat_map(list)
            .flat_map(|one| [text(&one["code"]), text(&one["canonicalCode"])])
            .flatten()
            .collect();
        let codes: Vec<String> = listed.iter().filter_map(|one| text(&one["code"])).collect();
        let refusal = Refusal {
            http: said.or(canonical.map(|row| row.2)),
            reason: codes
                .first()
                .cloned()
                .or_else(|| text(&error["errors"][0]["reason"])),
            status: canonical.map(|row| row.1.to_owned()),
            message: text(&error["message"])
                .or_else(all)
                .or_else(|| text(&answer["statusMessage"]))
                .unwrap_or_else(|| "the operation failed without a message".to_owned()),
            json: true,
            operation: true,
            names: [codes, conditions.clone()].concat(),
            ..Refusal::default()
        };
        let refusal = refusal.detailed(error);
        Refusal {
            reason: refusal.reason.or_else(|| conditions.first().cloned()),
            ..refusal
        }
    }

    /// The same with what the error's details add. If both exist, the reason of an `ErrorInfo` is the more precise one:
    /// `errors[0]` then contains only `forbidden`. A compute operation's own code is more precise than its details.
    fn detailed(mut self, error: &Value) -> Refusal {
        let details = Details::of(error);
        self.reason = match self.operation {
            true => self.reason.or(details.reason),
            false => details.reason.or(self.reason),
        };
        self.names.extend(details.names);
        self.told = details.told;
        self.retry_after = details.retry_after;
        let (consumer, service) = details::disabled_in(&self.message);
        self.consumer = details.consumer.or(consumer);
        self.service = details.service.or(service);
        self
    }
}

/// The codes of `google.rpc.Code`, their names, and the HTTP codes in their definition.
#[rustfmt::skip]
const CODES: [(u64, &str, u16); 16] = [
    (1, "CANCELLED", 499), (2, "UNKNOWN", 500), (3, "INVALID_ARGUMENT", 400), (4, "DEADLINE_EXCEEDED", 504),
    (5, "NOT_FOUND", 404), (6, "ALREADY_EXISTS", 409), (7, "PERMISSION_DENIED", 403), (8, "RESOURCE_EXHAUSTED", 429),
    (9, "FAILED_PRECONDITION", 400), (10, "ABORTED", 409), (11, "OUT_OF_RANGE", 400), (12, "UNIMPLEMENTED", 501),
    (13, "INTERNAL", 500), (14, "UNAVAILABLE", 503), (15, "DATA_LOSS", 500), (16, "UNAUTHENTICATED", 401),
];

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(beginning)
}

/// The text of a body that is not JSON, without its tags.
fn excerpt(http: u16, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let mut words = String::new();
    let mut tag = false;
    for c in body.chars() {
        match c {
            '<' => tag = true,
            '>' if tag => {
                tag = false;
                words.push(' ');
            }
            _ if tag => {}
            c if c.is_control() => words.push(' '),
            c => words.push(c),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return format!("HTTP {http} with an empty answer");
    }
    let shown: String = words.chars().take(EXCERPT).collect();
    format!("HTTP {http} with an answer that is not JSON: {shown}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_body_is_read_without_complaint() {
        #[rustfmt::skip]
        let cases: [(&[u8], &str); 6] = [
            (b"", "HTTP 404 with an empty answer"),
            (b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>\n<p>gone", "HTTP 404 with an answer that is not JSON: Error 404 (Not Found)!!1 gone"),
            (b"\xff\xfe", "HTTP 404 with an answer that is not JSON: \u{fffd}\u{fffd}"),
            (b"[1]", "HTTP 404 with an answer that is not JSON: [1]"),
            (b"{}", "HTTP 404 without a message"),
            (br#"{"error":"invalid_grant"}"#, "invalid_grant"),
        ];
        for (body, want) in cases {
            assert_eq!(Refusal::of_answer(404, body).message, want);
        }
    }

    #[test]
    fn words_without_end_are_cut() {
        let body = json!({"error": {"message": "é".repeat(100_000)}}).to_string();
        let words = Refusal::of_answer(400, body.as_bytes()).message;
        assert_eq!(words.chars().count(), 2_000 + 2);
        let page = "é ".repeat(100_000);
        let words = Refusal::of_answer(502, page.as_bytes()).message;
        assert!(words.chars().count() < 2 * EXCERPT, "{words}");
        // Many messages, each of which may be short.
        let many = vec![json!({"message": "é".repeat(100)}); 1_000];
        let words = Refusal::of_operation(&json!({"error": {"errors": many}})).message;
        assert_eq!(words.chars().count(), 2_000 + 2);
    }

    #[test]
    fn the_more_precise_reason_wins() {
        let body = json!({"error": {"code": 403, "message": "m", "errors": [{"reason": "forbidden"}], "details": [
            {"@type": "type.googleapis.com/google.rpc.Help"},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}]}});
        let refusal = Refusal::of_answer(403, body.to_string().as_bytes());
        assert_eq!(refusal.reason.as_deref(), Some("SERVICE_DISABLED"));
    }

    #[test]
    fn an_operation_is_read_in_every_dialect() {
        let cases = [
            (
                json!({"httpErrorStatusCode": 400, "error": {"errors": [
                    {"code": "A", "message": "one"}, {"code": "B", "message": "two"}]}}),
                (Some(400), Some("A"), None, "one; two"),
            ),
            (
                json!({"error": {"code": 7, "message": "no"}}),
                (Some(403), None, Some("PERMISSION_DENIED"), "no"),
            ),
            (
                json!({"statusMessage": "no room", "nodepoolConditions": [{"code": "GCE_STOCKOUT"}]}),
                (None, Some("GCE_STOCKOUT"), None, "no room"),
            ),
            (
                json!({"error": {}}),
                (None, None, None, "the operation failed without a message"),
            ),
        ];
        for (answer, want) in cases {
            let r = Refusal::of_operation(&answer);
            let got = (
                r.http,
                r.reason.as_deref(),
                r.status.as_deref(),
                r.message.as_str(),
            );
            assert_eq!(got, want);
        }
    }
}
