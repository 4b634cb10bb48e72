//! A request from a pod, made by curl in that pod, and its result.

use serde_json::Value;

use super::check::{Check, CheckTarget, WITHIN, in_cluster};
use super::result::CheckResult;
use super::{diagnose, pods};
use crate::cluster::{ContainerRef, ExecResult};
use crate::google::ApiError;
use crate::kinds::cluster_error::of_cluster;

/// The format that curl appends to the body.
const FORMAT: &str = "\\n%{http_code}";

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurlResult {
    /// curl's exit code.
    pub exit: i64,
    /// The HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The response body.
    pub body: String,
    /// curl's error message.
    pub error: String,
}

/// A request from a pod.
pub static CHECK: Check = Check {
    kind: "check.request",
    path: in_cluster!("namespaces/{namespace}/pods/{pods}/{container}/{request}"),
    optional: &[],
    fields: &["status", "exit", "body", "times"],
    look: |target, want| Box::pin(look(target, want)),
    hint: Some(|clients, at, want| Box::pin(diagnose::why(clients, at, want))),
};

/// Makes the request that `at` names as often as `want` states, or until a result differs from `want`.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let expected = expectation(want);
    let container = match pods::container(place).await? {
        Ok(container) => container,
        Err(error) => return Ok(CheckResult::not(expected, error.to_string())),
    };
    let times = want.get("times").and_then(Value::as_u64).unwrap_or(1);
    for _ in 0..times {
        let got = send(place, &container, "provision").await?;
        if let Some(seen) = differs(want, &got) {
            return Ok(CheckResult::not(expected, seen));
        }
    }
    Ok(CheckResult::same(expected.clone(), expected))
}

/// Makes the request once, with this user agent.
pub async fn send(
    place: &CheckTarget<'_>,
    container: &ContainerRef,
    agent: &str,
) -> Result<CurlResult, ApiError> {
    let command = command(place.text("request"), agent);
    let ran = place.cluster.exec(container, &command, WITHIN).await;
    Ok(got(&ran.map_err(of_cluster)?))
}

/// The command line for `METHOD URL`. Pure.
fn command(request: &str, agent: &str) -> Vec<String> {
    let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
    let how: &[&str] = match method {
        "GET" => &[],
        // With `-I`, curl does not wait for a body that never arrives.
        "HEAD" => &["-I"],
        other => &["-X", other],
    };
    let words = ["curl", "-sS", "-A", agent, "-w", FORMAT];
    let words = words.iter().chain(how).chain([&url]);
    words.map(|word| (*word).to_owned()).collect()
}

/// The result that a run of curl reports. Pure.
fn got(ran: &ExecResult) -> CurlResult {
    let (body, status) = ran
        .stdout
        .rsplit_once('\n')
        .unwrap_or(("", ran.stdout.as_str()));
    CurlResult {
        exit: ran.code,
        status: status.parse().ok().filter(|status| *status != 0),
        body: body.to_owned(),
        error: ran.stderr.trim().to_owned(),
    }
}

/// What `want` expects, as text. Pure.
fn expectation(want: &Value) -> String {
    let mut words = Vec::new();
    if let Some(status) = want.get("status") {
        words.push(status.to_string());
    }
    if let Some(exit) = want.get("exit") {
        words.push(format!("curl exit {exit}"));
    }
    if let Some(body) = want.get("body").and_then(Value::as_str) {
        words.push(format!("{body:?}"));
    }
    words.join(" ")
}

/// The difference from what `want` states; `None` if there is none. Pure.
fn differs(want: &Value, got: &CurlResult) -> Option<String> {
    let exit = want.get("exit").and_then(Value::as_i64).unwrap_or(0);
    if got.exit != exit {
        let said = match got.error.as_str() {
            "" => format!("curl exit {}", got.exit),
            error => format!("curl exit {}: {error}", got.exit),
        };
        return Some(said);
    }
    let status = want.get("status").and_then(Value::as_u64);
    if status.is_some_and(|status| got.status.map(u64::from) != Some(status)) {
        let status = got
            .status
            .map_or("no status".to_owned(), |status| status.to_string());
        return Some(match got.body.as_str() {
            "" => status,
            body => format!("{status} {:?}", start(body)),
        });
    }
    let body = want.get("body").and_then(Value::as_str)?;
    (!got.body.contains(body)).then(|| format!("{:?}", start(&got.body)))
}

/// The beginning of a body, as much as fits on a line.
fn start(body: &str) -> String {
    body.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_a_command_of_curl() {
        for (request, words) in [
            ("GET http://example.com/", "http://example.com/"),
            ("HEAD http://example.com/", "-I http://example.com/"),
            (
                "DELETE http://example.com/",
                "-X DELETE http://example.com/",
            ),
            ("http://example.com/", "http://example.com/"),
        ] {
            let command = command(request, "me").join(" ");
            assert_eq!(command, format!("curl -sS -A me -w {FORMAT} {words}"));
        }
    }

    #[test]
    fn what_is_wanted_is_held_against_what_was_got() {
        let ran = |stdout: &str, stderr: &str, code| ExecResult {
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            code,
        };
        let denied = ran("RBAC: access denied\n403", "", 0);
        let reset = ran("\n000", "curl: (35) Recv failure", 35);
        for (want, ran, expected) in [
            (json!({"status": 403}), &denied, None),
            (json!({"status": 403, "body": "RBAC"}), &denied, None),
            (
                json!({"status": 200}),
                &denied,
                Some("403 \"RBAC: access denied\""),
            ),
            (
                json!({"status": 403, "body": "teapot"}),
                &denied,
                Some("\"RBAC: access denied\""),
            ),
            (json!({"exit": 35}), &reset, None),
            (
                json!({"status": 200}),
                &reset,
                Some("curl exit 35: curl: (35) Recv failure"),
            ),
            (json!({"exit": 28}), &denied, Some("curl exit 0")),
        ] {
            let seen = differs(&want, &got(ran));
            assert_eq!(seen.as_deref(), expected, "{want}");
        }
        assert_eq!(
            expectation(&json!({"status": 403, "body": "RBAC"})),
            "403 \"RBAC\""
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_curl_writes_is_read(
            stdout in "(\\PC|\n){0,30}(\n[0-9]{0,5})?", stderr in "\\PC{0,20}", code in -1i64..300, status in 0u16..999,
        ) {
            let got = got(&ExecResult { stdout, stderr, code });
            for want in [json!({"status": status}), json!({"exit": code, "body": "x"}), json!("nonsense")] {
                let _ = differs(&want, &got);
            }
        }
    }
}
