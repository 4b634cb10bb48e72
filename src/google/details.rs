//! Reads the `details` of an error: names, what a person needs beside the message, and a requested pause. Pure.
//!
//! Source of the types: `google/rpc/error_details.proto`. Compute's operations have the same messages without `@type`, each in a
//! field of its own (`errorInfo`, `help`, `localizedMessage`). Every field is optional here, and unknown types are ignored.

use std::time::Duration;

use serde_json::Value;

use crate::text::beginning;

/// The most entries that are told to a person: a policy may be violated by hundreds of members.
const MOST: usize = 8;

/// What the details of an error say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Details {
    /// The reason of an `ErrorInfo`.
    pub reason: Option<String>,
    /// Names by which the error can be recognized: reasons, and types of violations such as `constraints/compute.x`.
    pub names: Vec<String>,
    /// What a person needs beside the message: violations, fields, quotas, links.
    pub told: Vec<String>,
    /// The pause that a `RetryInfo` requests.
    pub retry_after: Option<Duration>,
    /// The project to which an `ErrorInfo` charges the request: `projects/NUMBER` or `projects/ID`.
    pub consumer: Option<String>,
    /// The API that an `ErrorInfo` is about: `dns.googleapis.com`.
    pub service: Option<String>,
}

/// The project and the API of the older form of a refusal because an API is off, which has no details: `… has not been used in project
/// PROJECT before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/SERVICE/overview…`
pub(super) fn disabled_in(message: &str) -> (Option<String>, Option<String>) {
    let after = |words: &str, end: &[char]| {
        let (_, rest) = message.split_once(words)?;
        let name = rest.split(end).next()?;
        (!name.is_empty()).then(|| name.to_owned())
    };
    let project = after("has not been used in project ", &[' ', '.', ',']);
    let service = after("/apis/api/", &['/', ' ', '?']);
    (
        project.map(|project| format!("projects/{project}")),
        service,
    )
}

/// The name that stands for a `QuotaFailure`, which has none of its own.
pub(super) const QUOTA_FAILURE: &str = "QuotaFailure";

impl Details {
    /// Reads the details of an error in an answer or an operation.
    pub fn of(error: &Value) -> Details {
        let mut found = Details::default();
        for detail in list(&error["details"]) {
            let kind = detail["@type"].as_str().unwrap_or_default();
            let kind = kind.rsplit(['.', '/']).next().unwrap_or_default();
            found.read(kind, detail);
        }
        let listed = list(&error["errors"]).iter();
        for detail in listed.flat_map(|one| list(&one["errorDetails"])) {
            for (field, kind) in [
                ("errorInfo", "ErrorInfo"),
                ("localizedMessage", "LocalizedMessage"),
                ("help", "Help"),
            ] {
                found.read(kind, &detail[field]);
            }
        }
        found.told.truncate(MOST);
        found
    }

    fn read(&mut self, kind: &str, detail: &Value) {
        match kind {
            "ErrorInfo" => {
                let reason = text(&detail["reason"]);
                self.names.extend(reason.clone());
                self.reason = self.reason.take().or(reason);
                let consumer = text(&detail["metadata"]["consumer"]);
                self.consumer = self.consumer.take().or(consumer);
                let service = text(&detail["metadata"]["service"]);
                self.service = self.service.take().or(service);
            }
            "PreconditionFailure" => {
                let types = list(&detail["violations"]).iter();
                self.names
                    .extend(types.filter_map(|one| text(&one["type"])));
                self.told
                    .extend(list(&detail["violations"]).iter().map(violation));
            }
            "QuotaFailure" => {
                self.names.push(QUOTA_FAILURE.to_owned());
                let quotas = list(&detail["violations"]).iter();
                self.told
                    .extend(quotas.map(|one| joined(one, &["subject", "description"])));
            }
            "BadRequest" => {
                let fields = list(&detail["fieldViolations"]).iter();
                let told = fields.map(|one| joined(one, &["field", "description"]));
                self.told.extend(told);
            }
            "LocalizedMessage" => self.told.extend(text(&detail["message"])),
            "Help" => {
                let links = list(&detail["links"]).iter();
                self.told
                    .extend(links.map(|one| joined(one, &["description", "url"])));
            }
            "RetryInfo" => self.retry_after = detail["retryDelay"].as_str().and_then(duration),
            _ => {}
        }
    }

    /// A message with what the details add to it. What the message contains already is not repeated.
    pub fn after(message: &str, told: &[String]) -> String {
        let mut all = message.to_owned();
        for one in told {
            let parts = one.split(SEPARATOR);
            let new: Vec<&str> = parts.filter(|part| !all.contains(part)).collect();
            // The description of a link that the message has already says nothing by itself.
            let is_known_link = one.contains("://") && !new.iter().any(|part| part.contains("://"));
            if new.is_empty() || is_known_link {
                continue;
            }
            all += if all.ends_with(['.', '!', '?']) {
                " "
            } else {
                "; "
            };
            all += &new.join(": ");
        }
        beginning(&all)
    }
}

/// Separates the parts of an entry until it is told: no text of Google's contains it.
const SEPARATOR: char = '\u{1f}';

/// The values of some fields. A subject writes an address with `%40`.
fn joined(value: &Value, fields: &[&str]) -> String {
    let said = fields.iter().filter_map(|field| text(&value[*field]));
    let said: Vec<String> = said.map(|text| text.replace("%40", "@")).collect();
    said.join(&SEPARATOR.to_string())
}

/// A violation of a precondition: its type, whom or what it is about, and its description. The subject of an organization policy
/// has the refused value at its end (`orgpolicy:projects/p?configvalue=V`); a description that contains the value says as much.
fn violation(one: &Value) -> String {
    let fields = ["type", "subject", "description"];
    let [kind, subject, described] = fields.map(|field| text(&one[field]).unwrap_or_default());
    let subject = match subject.split_once("configvalue=") {
        Some((_, value)) => value.replace("%40", "@"),
        None => subject,
    };
    let subject = match described.contains(&subject) {
        true => String::new(),
        false => subject,
    };
    let said = [kind, subject, described].into_iter();
    let said: Vec<String> = said.filter(|part| !part.is_empty()).collect();
    said.join(&SEPARATOR.to_string())
}

/// A duration in the JSON form of protobuf: seconds, perhaps with a fraction, and `s`.
fn duration(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(|text| beginning(&text.replace(SEPARATOR, " ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(details: Value) -> Details {
        Details::of(&json!({ "details": details }))
    }

    #[test]
    fn each_kind_of_detail_is_told_and_what_the_message_says_is_not_repeated() {
        let message = "No such thing.";
        for (detail, expected) in [
            (
                json!({"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [
                    {"type": "constraints/a.b", "subject": "orgpolicy:projects/p?configvalue=x%40y", "description": "it is not allowed."},
                    {"type": "TOS", "subject": "example.com", "description": "example.com is not allowed."}]}),
                "No such thing. constraints/a.b: x@y: it is not allowed. TOS: example.com is not allowed.",
            ),
            (
                json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [
                    {"field": "cluster.name", "description": "too long"}, {"field": "cluster.zone"}]}),
                "No such thing. cluster.name: too long; cluster.zone",
            ),
            (
                json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                    {"subject": "project:p", "description": "limit of 5"}]}),
                "No such thing. project:p: limit of 5",
            ),
            (
                json!({"@type": "type.googleapis.com/google.rpc.Help", "links": [
                    {"description": "Ask for more", "url": "https://example.com/quota"}]}),
                "No such thing. Ask for more: https://example.com/quota",
            ),
            (
                json!({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "message": "No such thing."}),
                "No such thing.",
            ),
            (
                json!({"@type": "x/y.Unknown", "violations": [{"description": "z"}]}),
                "No such thing.",
            ),
            (json!(7), "No such thing."),
            (
                json!({"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [
                    7, {"type": 7}, {"subject": "example.com"}]}),
                "No such thing. example.com",
            ),
        ] {
            let found = of(json!([detail]));
            assert_eq!(Details::after(message, &found.told), expected, "{found:?}");
        }
    }

    #[test]
    fn a_link_that_the_message_has_is_not_told_again() {
        let message = "Enable it by visiting https://example.com/x then retry.";
        let link = json!({"@type": "x/google.rpc.Help", "links": [{"description": "activation", "url": "https://example.com/x"}]});
        assert_eq!(Details::after(message, &of(json!([link])).told), message);
    }

    #[test]
    fn a_requested_pause_is_a_number_of_seconds() {
        let retry = |delay: Value| {
            of(json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]))
                .retry_after
        };
        assert_eq!(retry(json!("20s")), Some(Duration::from_secs(20)));
        assert_eq!(retry(json!("0.5s")), Some(Duration::from_millis(500)));
        for nonsense in [
            json!("20"),
            json!("-1s"),
            json!("1e400s"),
            json!("NaNs"),
            json!(20),
        ] {
            assert_eq!(retry(nonsense.clone()), None, "{nonsense}");
        }
    }

    #[test]
    fn an_operation_of_compute_has_them_beside_each_of_its_errors() {
        let error = json!({"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "m", "errorDetails": [
            {"errorInfo": {"reason": "resource_availability", "domain": "compute.googleapis.com"}},
            {"localizedMessage": {"locale": "en-US", "message": "An e2 instance is currently unavailable."}},
            {"help": {"links": [{"url": "https://cloud.google.com/compute/docs/resource-error"}]}}]}]});
        let found = Details::of(&error);
        assert_eq!(found.names, ["resource_availability"]);
        assert_eq!(
            Details::after("m", &found.told),
            "m; An e2 instance is currently unavailable. https://cloud.google.com/compute/docs/resource-error"
        );
    }

    #[test]
    fn many_violations_are_cut() {
        let violations = vec![json!({"type": "t", "description": "d"}); 1_000];
        let detail = json!({"@type": "x/google.rpc.PreconditionFailure", "violations": violations});
        assert_eq!(of(json!([detail])).told.len(), MOST);
    }
}
