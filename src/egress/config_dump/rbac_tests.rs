//! Network and HTTP RBAC of a dump.

use super::*;
use crate::config_dump::downstream::TlsSession;
use serde_json::json;

fn connection(principal: Option<&str>) -> Downstream {
    let session = principal.map(|uri| TlsSession {
        server_name: "sni".to_owned(),
        protocols: Vec::new(),
        certificate: ClientCertificate::Uri(uri.to_owned()),
    });
    Downstream {
        address: Some("10.1.0.1".parse().unwrap()),
        port: 8080,
        source: Some("10.1.0.9".parse().unwrap()),
        tls: Vec::new(),
        peer: session,
        headers: RequestHeaders::new("GET", "http", "httpbin.org", "/status/418?x=1"),
        protocol: "http/1.1",
        is_parsed: false,
    }
}

fn rules(action: &str, permission: Value, principal: Value) -> Value {
    let policies = json!({"ns[istio-egress]-policy[one]-rule[0]": {
        "permissions": [permission],
        "principals": [principal],
    }});
    match action {
        "" => json!({"rules": {"policies": policies}}),
        action => json!({"rules": {"action": action, "policies": policies}}),
    }
}

#[test]
fn policies_decide_as_envoys_api_says() {
    let team_x = "spiffe://cluster.local/ns/team-x/sa/default";
    let any = || json!({"any": true});
    let of_team_x = || json!({"authenticated": {"principal_name": {"safe_regex": {"regex": ".*/ns/team-x/.*"}}}});
    let host = |host: &str| json!({"header": {"name": ":authority", "string_match": {"exact": host, "ignore_case": true}}});
    let path = |path: &str| json!({"url_path": {"path": {"exact": path}}});
    let (yes, no) = (Matches::Yes, Matches::No);
    // (filter, caller, whether it is allowed)
    let cases = [
        (json!({}), None, yes.clone()),
        (json!({"rules": {}}), None, no.clone()),
        (json!({"shadow_rules": {}}), None, yes.clone()),
        (rules("", any(), any()), None, yes.clone()),
        (rules("DENY", any(), any()), None, no.clone()),
        (rules("LOG", any(), any()), None, yes.clone()),
        (rules("", any(), of_team_x()), Some(team_x), yes.clone()),
        (
            rules("", any(), of_team_x()),
            Some("spiffe://cluster.local/ns/team-y/sa/default"),
            no.clone(),
        ),
        (rules("", any(), of_team_x()), None, no.clone()),
        (
            rules("", any(), json!({"not_id": of_team_x()})),
            None,
            yes.clone(),
        ),
        (
            rules("", any(), json!({"authenticated": {}})),
            Some(team_x),
            yes.clone(),
        ),
        (rules("", host("HTTPBIN.org"), any()), None, yes.clone()),
        (
            rules(
                "",
                json!({"and_rules": {"rules": [host("httpbin.org"), path("/status/418")]}}),
                any(),
            ),
            None,
            yes.clone(),
        ),
        (
            rules(
                "",
                json!({"or_rules": {"rules": [host("x"), path("/status/418?x=1")]}}),
                any(),
            ),
            None,
            no.clone(),
        ),
        (
            rules("", json!({"destination_port": 8080}), any()),
            None,
            yes.clone(),
        ),
        (
            rules("", json!({"destination_port": 80}), any()),
            None,
            no.clone(),
        ),
        (
            rules(
                "",
                json!({"requested_server_name": {"exact": "sni"}}),
                any(),
            ),
            Some(team_x),
            yes.clone(),
        ),
        (
            rules(
                "",
                any(),
                json!({"direct_remote_ip": {"address_prefix": "10.1.0.0", "prefix_len": 16}}),
            ),
            None,
            yes.clone(),
        ),
        (
            rules("DENY", json!({"metadata": {}}), any()),
            None,
            Matches::Unknown(
                "ns[istio-egress]-policy[one]-rule[0]: permission metadata".to_owned(),
            ),
        ),
        // What is not understood does not matter where another condition fails.
        (rules("", json!({"metadata": {}}), of_team_x()), None, no),
        (
            json!({"matcher": {}}),
            None,
            Matches::Unknown("RBAC matcher".to_owned()),
        ),
    ];
    for (config, caller, allows) in cases {
        let connection = connection(caller);
        let query = AccessQuery {
            connection: &connection,
            http: true,
            remote: None,
        };
        let found = decide(&config, query);
        assert_eq!(found.allows, allows, "{config} {caller:?} {found:?}");
    }
}

#[test]
fn without_a_request_conditions_on_it_do_not_hold() {
    let connection = connection(None);
    let query = AccessQuery {
        connection: &connection,
        http: false,
        remote: None,
    };
    for condition in [
        json!({"header": {"name": ":method", "string_match": {"exact": "GET"}}}),
        json!({"url_path": {"path": {"prefix": "/"}}}),
    ] {
        let found = decide(&rules("", condition.clone(), json!({"any": true})), query);
        assert_eq!(found.allows, Matches::No, "{condition}");
    }
}

#[test]
fn a_policy_is_named_by_its_object() {
    let found = object("ns[istio-egress]-policy[egress-team-x]-rule[0]");
    assert_eq!(
        found.to_string(),
        "AuthorizationPolicy istio-egress/egress-team-x"
    );
    assert_eq!(object("other").to_string(), "RBAC policy other");
}
