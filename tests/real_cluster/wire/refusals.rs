//! Requests that a cluster refuses, and a few that it answers in a way of its own.

use std::process::Command;

use super::Side;

const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";

/// Method, path, content type, body.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    ("GET", "/api/v1/namespaces/team-x/configmaps/nobody", "", ""),
    (
        "GET",
        "/api/v1/namespaces/nowhere/configmaps/nobody",
        "",
        "",
    ),
    (
        "GET",
        "/apis/networking.istio.io/v1/namespaces/team-x/nothings/nobody",
        "",
        "",
    ),
    ("GET", "/api/v1/namespaces/team-x/nothings", "", ""),
    ("GET", "/apis/nobody.example.com/v1/things", "", ""),
    (
        "GET",
        "/api/v1/namespaces/team-x/pods?labelSelector=a%20b%20c",
        "",
        "",
    ),
    (
        "GET",
        "/api/v1/namespaces/team-x/pods/nobody/log?container=test",
        "",
        "",
    ),
    (
        "DELETE",
        "/api/v1/namespaces/team-x/configmaps/nobody",
        "",
        "",
    ),
    ("DELETE", "/api/v1/namespaces/nowhere", "", ""),
    (
        "PATCH",
        "/api/v1/namespaces/nowhere/configmaps/one?fieldManager=provision",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"1"}}"#,
    ),
    (
        "PATCH",
        "/apis/networking.istio.io/v1/namespaces/team-x/nothings/one?fieldManager=provision",
        APPLY,
        r#"{"apiVersion":"networking.istio.io/v1","kind":"Nothing","metadata":{"name":"one"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one?fieldManager=first",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"1"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one?fieldManager=second",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"2"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one?fieldManager=second&force=true",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"2"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"2"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one?fieldManager=third",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other"},"data":{"a":"2"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one?fieldManager=third",
        APPLY,
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"one"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/services/two?fieldManager=provision&fieldValidation=Strict",
        APPLY,
        r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"two"},"spec":{"prots":[]}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/Not_A_Name?fieldManager=provision",
        APPLY,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"Not_A_Name"}}"#,
    ),
    (
        "PATCH",
        "/apis/networking.istio.io/v1/namespaces/team-x/serviceentries/bad?fieldManager=provision&fieldValidation=Strict",
        APPLY,
        r#"{"apiVersion":"networking.istio.io/v1","kind":"ServiceEntry","metadata":{"name":"bad"},"spec":{"hosts":["a.example.com"],"resolution":"NOWHERE"}}"#,
    ),
    (
        "POST",
        "/api/v1/namespaces/team-x/configmaps",
        JSON,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"}}"#,
    ),
    (
        "POST",
        "/api/v1/namespaces/nowhere/configmaps",
        JSON,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"}}"#,
    ),
    (
        "POST",
        "/api/v1/namespaces/team-x/configmaps",
        JSON,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}"#,
    ),
    (
        "PUT",
        "/api/v1/namespaces/team-x/configmaps/one",
        JSON,
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one","resourceVersion":"1"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/nobody",
        "application/merge-patch+json",
        r#"{"data":{"a":"1"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one",
        "application/merge-patch+json",
        r#"{"data":{"a":"3"}}"#,
    ),
    (
        "PATCH",
        "/api/v1/namespaces/team-x/configmaps/one",
        "text/plain",
        "{}",
    ),
    (
        "DELETE",
        "/api/v1/namespaces/team-x/configmaps/one",
        JSON,
        r#"{"propagationPolicy":"Background"}"#,
    ),
    (
        "GET",
        "/apis/apps/v1/namespaces/team-x/deployments/test/scale",
        "",
        "",
    ),
    ("GET", "/api/v1/namespaces/team-x/endpoints", "", ""),
    ("GET", "/api/v1/namespaces/team-x?watch=nonsense", "", ""),
];

/// Sends each of them once.
pub fn ask(side: &Side) {
    for (method, path, kind, body) in REQUESTS {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--insecure",
            "--max-time",
            "20",
            "--request",
            method,
        ])
        .args(["--header", "Authorization: Bearer lab-admin"])
        .arg(format!("https://{}{path}", side.server));
        if !kind.is_empty() {
            curl.args(["--header", &format!("Content-Type: {kind}"), "--data", body]);
        }
        let said = side.command(&curl).output().unwrap();
        assert!(said.status.success(), "{method} {path}");
    }
}
