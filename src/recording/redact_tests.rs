//! What is replaced in a recording, and what stays, by tables.

use serde_json::json;

use super::*;

fn redacted(value: Value) -> Value {
    let mut value = value;
    let mut redactor = Redactor::new("acme-egress");
    redactor.learn(&value);
    redactor.value(&mut value, "");
    value
}

#[test]
fn an_identity_becomes_a_placeholder_and_a_fact_stays() {
    for (text, expected) in [
        (
            "projects/acme-egress/global/networks/vpc",
            "projects/demo-proj/global/networks/vpc",
        ),
        ("acme-egress-test", "demo-proj-test"),
        ("gs://x-acme-egress/o", "gs://x-demo-proj/o"),
        ("acme-egressor", "acme-egressor"),
        ("user:jo@corp.example.org", "user:user@example.com"),
        (
            "sa@acme-egress.iam.gserviceaccount.com",
            "sa@demo-proj.iam.gserviceaccount.com",
        ),
        ("projects/424242424242/x", "projects/123456789/x"),
        (
            "API has not been used in project 424242424242 before",
            "API has not been used in project 123456789 before",
        ),
        (
            "https://x/?project=424242424242",
            "https://x/?project=123456789",
        ),
        (
            "424242424242-compute@developer.gserviceaccount.com",
            "123456789-compute@developer.gserviceaccount.com",
        ),
        (
            "projects/acme-host/global/networks/acme-host",
            "projects/demo-proj-2/global/networks/demo-proj-2",
        ),
        (
            "serviceAccount:sa@other-proj.iam.gserviceaccount.com",
            "serviceAccount:sa@demo-proj-2.iam.gserviceaccount.com",
        ),
        (
            "acme-egress.svc.id.goog[team-x/test]",
            "demo-proj.svc.id.goog[team-x/test]",
        ),
        (
            "service-424242424242@gcp-sa-gkehub.iam.gserviceaccount.com",
            "service-123456789@gcp-sa-gkehub.iam.gserviceaccount.com",
        ),
        ("projects/cos-cloud/x", "projects/cos-cloud/x"),
        ("organizations/998877665544", "organizations/123456789"),
        ("projects/0", "projects/0"),
        (
            "billingAccounts/01AB23-45CD67-89EF01",
            "billingAccounts/000000-000000-000001",
        ),
        ("81.2.69.160/32", "203.0.113.1/32"),
        ("https://81.2.69.160:443/x", "https://203.0.113.1:443/x"),
        ("10.0.0.0/22", "10.0.0.0/22"),
        ("81.2.69.0/24", "198.18.1.0/24"),
        ("81.2.0.0/15", "81.2.0.0/15"),
        ("81.2.69.160/99", "81.2.69.160/99"),
        ("209.85.152.0/22", "209.85.152.0/22"),
        ("199.36.153.8", "199.36.153.8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2600:1900:4000::1", "2001:db8::1"),
        ("fd20::1", "fd20::1"),
        (
            "operations/operation-1711-abc",
            "operations/${operationID-1}",
        ),
        ("operation-1711974896123-60a", "${operationID-1}"),
        (
            "1d2c3b4a-0000-4111-8222-1234567890ab",
            "00000000-0000-4000-8000-000000000001",
        ),
        ("Bearer ya29.a0AfH6SMBx-_y", "Bearer REDACTED"),
        (
            "Authorization: Bearer abcdefgh12345",
            "Authorization: Bearer REDACTED",
        ),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "REDACTED"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
            "REDACTED\n",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "REDACTED"),
        ("2026-11-30T13:58:13Z", TIME),
        ("2026-11-30T05:58:13.123-08:00", TIME),
        ("1234567890123456789", ID),
        ("23:59:59", "23:59:59"),
        ("outbound|443||example.com", "outbound|443||example.com"),
        ("iam.googleapis.com", "iam.googleapis.com"),
    ] {
        assert_eq!(
            redacted(json!({"x": text})),
            json!({"x": expected}),
            "{text}"
        );
    }
}

#[test]
fn the_same_value_becomes_the_same_placeholder_everywhere() {
    let mut redactor = Redactor::new("acme-egress");
    let exchange = |url: &str, response: Value| Exchange {
        method: "GET".to_owned(),
        url: url.to_owned(),
        body: Value::Null,
        status: Some(200),
        response,
    };
    let first = redactor.exchange(exchange(
        "https://x/projects/acme-egress",
        json!({"projectNumber": "424242424242", "name": "Our egress", "etag": "aGVsbG8=",
            "member": "serviceAccount:service-424242424242@container-engine-robot.iam.gserviceaccount.com"}),
    ));
    assert_eq!(first.url, "https://x/projects/demo-proj");
    assert_eq!(
        first.response,
        json!({"projectNumber": "123456789", "name": "demo-proj", "etag": "${etag-1}",
            "member": "serviceAccount:service-123456789@container-engine-robot.iam.gserviceaccount.com"})
    );
    let second = redactor.exchange(exchange(
        "https://x/projects/424242424242/operations/operation-1-abcdefgh",
        json!({"etag": "aGVsbG8=", "users": ["a@corp.net", "b@corp.net", "a@corp.net"], "name": "operation-1-abcdefgh"}),
    ));
    assert_eq!(
        second.url,
        "https://x/projects/123456789/operations/${operationID-1}"
    );
    assert_eq!(
        second.response,
        json!({"etag": "${etag-1}", "name": "${operationID-1}",
            "users": ["user@example.com", "user-2@example.com", "user@example.com"]})
    );
    // What was redacted once is not redacted again.
    assert_eq!(redactor.exchange(second.clone()), second);
}

#[test]
fn keys_and_parents_are_identities_too() {
    let before = json!({
        "membershipSpecs": {"projects/424242424242/locations/l/memberships/m": {"mesh": {}}},
        "parent": {"type": "organization", "id": "998877665544"},
        "projectId": "acme-egress", "email": "sa@acme-egress.iam.gserviceaccount.com", "displayName": "SA for nodes",
    });
    let after = json!({
        "membershipSpecs": {"projects/123456789/locations/l/memberships/m": {"mesh": {}}},
        "parent": {"type": "organization", "id": "223456789"},
        "projectId": "demo-proj", "email": "sa@demo-proj.iam.gserviceaccount.com", "displayName": "SA for nodes",
    });
    assert_eq!(redacted(before), after);
}

#[test]
fn an_address_hides_nothing_in_its_encoding() {
    for (url, expected) in [
        (
            "https://x/v1:batchGet?names=projects%2Facme-egress%2Fa&names=projects%2Facme-egress%2Fb",
            "https://x/v1:batchGet?names=projects%2Fdemo-proj%2Fa&names=projects%2Fdemo-proj%2Fb",
        ),
        (
            "https://x/o/a%2Fb?filter=%3D",
            "https://x/o/a%2Fb?filter=%3D",
        ),
        (
            "https://x/u/jo%40corp.net/y",
            "https://x/u/user%40example.com/y",
        ),
    ] {
        assert_eq!(Redactor::new("acme-egress").url(url), expected);
    }
}

#[test]
fn a_secret_is_known_by_its_field_its_object_or_its_name() {
    let secret = "hunter2-hunter2";
    for value in [
        json!({"kind": "Secret", "data": {"tls.key": secret}, "stringData": {"a": secret}}),
        json!({"kind": "List", "items": [{"kind": "Secret", "data": {"tls.key": secret}}]}),
        json!({"kind": "SecretList", "items": [{"metadata": {}, "data": {"tls.key": secret}}]}),
        json!({"pem": "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCmh1bnRlcjItaHVudGVyMg=="}),
        json!({"status": {"token": secret}}),
        json!({"masterAuth": {"clusterCaCertificate": secret, "clientKey": secret, "password": secret}}),
        json!({"privateKeyData": secret, "refresh_token": secret, "access_token": secret}),
        json!({"env": [{"name": "DB_PASSWORD", "value": secret}, {"name": "API_KEY", "value": secret}]}),
        json!({"webhooks": [{"clientConfig": {"caBundle": secret}}]}),
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": secret}}}),
    ] {
        let shown = redacted(value).to_string();
        assert!(!shown.contains(secret), "{shown}");
        assert!(!shown.contains("aHVudGVyMi"), "{shown}");
        assert!(!shown.contains("h1bnRlcjIt"), "{shown}");
    }
    // A variable that is no secret, and a map that is not of a Secret.
    let plain = json!({"env": [{"name": "ISTIO_META", "value": "x"}], "kind": "ConfigMap", "data": {"mesh": "y"}});
    assert_eq!(redacted(plain.clone()), plain);
}
