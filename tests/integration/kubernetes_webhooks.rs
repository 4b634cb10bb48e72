//! Validating webhooks of an emulated cluster: who is asked about what, and what becomes of an answer, or of none.

use crate::common::cloud::Cloud;
use crate::common::kubernetes::BlockingClient;
use crate::common::webhook::Webhook;
use serde_json::{Value, json};

const CONFIGURATIONS: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A configuration of one webhook about ConfigMaps, with these fields set otherwise.
fn configuration(client: &Value, other: Value) -> Value {
    let mut hook = json!({
        "name": "maps.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": client,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["configmaps"]}],
    });
    for (name, value) in other.as_object().unwrap() {
        hook[name] = value.clone();
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "maps"}, "webhooks": [hook],
    })
}

fn map(name: &str, data: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": "a"}}, "data": {"k": data}})
}

#[test]
fn a_webhook_has_its_say_about_what_its_rules_name() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "cluster"]).ends(0);
    let cluster = BlockingClient::of(&cloud);
    cluster.post(MAPS, map("there", "1"));
    let webhook = Webhook::refusing(json!({"message": "no"}));
    let here = webhook.client_config();
    let gone = json!({"service": {"namespace": "default", "name": "gone", "path": "/v"}});
    let far = json!({"url": "https://webhook.example.com/v"});
    let no = (
        400,
        "admission webhook \"maps.example.com\" denied the request: no",
    );
    let unreachable = (
        500,
        "Internal error occurred: failed calling webhook \"maps.example.com\": failed to call webhook: Post \"https://gone.default.svc:443/v?timeout=3s\": service \"gone\" not found",
    );
    let outside = (
        500,
        "Internal error occurred: failed calling webhook \"maps.example.com\": failed to call webhook: Post \"https://webhook.example.com/v?timeout=10s\": the emulator calls only this machine",
    );
    let taken = (0, "");
    let not_dry = (
        400,
        "admission webhook \"maps.example.com\" does not support dry run",
    );
    let selects = |value: &str| json!({"matchLabels": {"app": value}});
    let there = format!("{MAPS}/there");
    let dry = format!("{MAPS}?dryRun=All");
    for (client, other, (method, path), body, expected) in [
        (&here, json!({}), ("POST", MAPS), map("new", "1"), no),
        (&here, json!({}), ("PUT", &*there), map("there", "2"), no),
        (&here, json!({}), ("DELETE", &*there), json!({}), no),
        // Its rules are not about this.
        (
            &here,
            json!({}),
            ("POST", "/api/v1/namespaces/default/serviceaccounts"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}),
            taken,
        ),
        (
            &here,
            json!({"objectSelector": selects("a")}),
            ("POST", MAPS),
            map("new", "1"),
            no,
        ),
        (
            &here,
            json!({"objectSelector": selects("b")}),
            ("POST", MAPS),
            map("b", "1"),
            taken,
        ),
        (
            &here,
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}),
            ("POST", MAPS),
            map("c", "1"),
            taken,
        ),
        (
            &here,
            json!({"sideEffects": "Some"}),
            ("POST", &*dry),
            map("new", "1"),
            not_dry,
        ),
        (
            &gone,
            json!({"timeoutSeconds": 3}),
            ("POST", MAPS),
            map("new", "1"),
            unreachable,
        ),
        (
            &gone,
            json!({"failurePolicy": "Ignore"}),
            ("POST", MAPS),
            map("d", "1"),
            taken,
        ),
        (&far, json!({}), ("POST", MAPS), map("new", "1"), outside),
    ] {
        cluster.post(CONFIGURATIONS, configuration(client, other.clone()));
        let (code, answer) = cluster.send(method, path, "application/json", &body);
        let (expected_code, words) = expected;
        if expected_code == 0 {
            assert!(code < 300, "{other} {method} {path}: {answer:#}");
        } else {
            let said = (code, answer["message"].as_str().unwrap());
            assert_eq!(said, expected, "{other} {method} {path} {words}");
        }
        let own = format!("{CONFIGURATIONS}/maps");
        cluster.delete(&own);
    }
    // Nothing of what was refused is there.
    assert_eq!(
        cluster
            .send("GET", &format!("{MAPS}/new"), "", &json!({}))
            .0,
        404
    );
    assert_eq!(cluster.get(&there)["data"]["k"], "1");
    let asked = webhook.asked();
    let operations: Vec<&Value> = asked
        .iter()
        .map(|one| &one["request"]["operation"])
        .collect();
    assert_eq!(operations, ["CREATE", "UPDATE", "DELETE", "CREATE"]);
    let update = &asked[1]["request"];
    assert_eq!(
        (
            &update["object"]["data"]["k"],
            &update["oldObject"]["data"]["k"]
        ),
        (&json!("2"), &json!("1"))
    );
}
