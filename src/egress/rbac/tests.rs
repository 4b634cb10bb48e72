//! Cases of authorization: the tutorial's policies, and every field.

use serde_json::{Value, json};

use super::*;
use crate::object::Labels;

pub(super) fn policy(name: &str, action: &str, rules: Value) -> Value {
    json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": "istio-egress"},
        "spec": {"action": action, "rules": rules},
    })
}

pub(super) fn read(policies: &[Value]) -> Vec<AuthorizationPolicy> {
    policies
        .iter()
        .map(|policy| AuthorizationPolicy::read(policy).0)
        .collect()
}

pub(super) fn peer(namespace: &str) -> Peer {
    Peer {
        trust_domain: "p.svc.id.goog".to_owned(),
        namespace: namespace.to_owned(),
        service_account: "test".to_owned(),
    }
}

pub(super) fn gateway() -> Labels {
    Labels::from([("istio".to_owned(), "egressgateway".to_owned())])
}

/// `GET http://HOST/PATH` from a namespace, at the gateway's port 8080.
pub(super) fn http<'a>(peer: &'a Peer, host: &'a str, path: &'a str) -> AuthorizationQuery<'a> {
    AuthorizationQuery {
        peer: Some(peer),
        source: [10, 1, 0, 17].into(),
        remote: [192, 0, 2, 7].into(),
        http: Some(Http {
            host,
            method: "GET",
            path,
            headers: &[],
        }),
        port: 8080,
        server_name: "outbound_.80_.x_.gateway",
    }
}

/// A passthrough connection at port 8443.
pub(super) fn tls(server_name: &str) -> AuthorizationQuery<'_> {
    AuthorizationQuery {
        peer: None,
        source: [10, 1, 0, 17].into(),
        remote: [10, 1, 0, 17].into(),
        http: None,
        port: 8443,
        server_name,
    }
}

pub(super) fn decide(
    policies: &[Value],
    asked: &AuthorizationQuery<'_>,
) -> super::applied::AuthorizationVerdict {
    applying(&read(policies), "istio-egress", &gateway(), "istio-system").rule(asked)
}

fn team_x() -> Value {
    let rule = json!([{
        "from": [{"source": {"namespaces": ["team-x"]}}],
        "to": [{"operation": {"hosts": ["example.com"]}}],
        "when": [{"key": "destination.port", "values": ["8080"]}],
    }]);
    policy("egress-team-x-to-example-com", "ALLOW", rule)
}

fn team_y() -> Value {
    let rule = json!([{
        "from": [{"source": {"namespaces": ["team-y"]}}],
        "to": [{"operation": {"hosts": ["httpbin.org"], "paths": ["/status/418"]}}],
        "when": [{"key": "destination.port", "values": ["8080"]}],
    }]);
    policy("egress-team-y-to-httpbin-teapot", "ALLOW", rule)
}

fn all_443() -> Value {
    policy(
        "egress-all-443",
        "ALLOW",
        json!([{"when": [{"key": "destination.port", "values": ["8443"]}]}]),
    )
}

const NONE: &str = "rbac_access_denied_matched_policy[none]";

#[test]
fn the_tutorials_policies_decide_as_its_checks_say() {
    let (x, y) = (peer("team-x"), peer("team-y"));
    // (policies, request, deciding policy, details)
    let cases = [
        (vec![], http(&x, "httpbin.org", "/"), "", ""),
        (
            vec![team_x()],
            http(&x, "example.com", "/"),
            "egress-team-x-to-example-com",
            "",
        ),
        (
            vec![team_x()],
            http(&x, "EXAMPLE.com", "/"),
            "egress-team-x-to-example-com",
            "",
        ),
        (vec![team_x()], http(&x, "example.com:80", "/"), "", NONE),
        (vec![team_x()], http(&x, "httpbin.org", "/"), "", NONE),
        (vec![team_x()], http(&y, "httpbin.org", "/"), "", NONE),
        (
            vec![team_x(), team_y()],
            http(&y, "httpbin.org", "/"),
            "",
            NONE,
        ),
        (
            vec![team_x(), team_y()],
            http(&y, "httpbin.org", "/status/418?x=1"),
            "egress-team-y-to-httpbin-teapot",
            "",
        ),
        (
            vec![team_x(), team_y()],
            http(&y, "httpbin.org", "//status/418"),
            "",
            NONE,
        ),
        (
            vec![team_x(), team_y()],
            http(&y, "example.com", "/"),
            "",
            NONE,
        ),
        (vec![team_x(), team_y()], tls("example.com"), "", NONE),
        (
            vec![team_x(), team_y(), all_443()],
            tls("example.com"),
            "egress-all-443",
            "",
        ),
        (
            vec![team_x(), team_y(), all_443()],
            tls("httpbin.org"),
            "egress-all-443",
            "",
        ),
        (
            vec![team_x(), team_y(), all_443()],
            http(&x, "httpbin.org", "/"),
            "",
            NONE,
        ),
    ];
    for (policies, asked, by, details) in cases {
        let verdict = decide(&policies, &asked);
        let found = verdict
            .ruling
            .by
            .map(|object| object.name)
            .unwrap_or_default();
        let case = format!("{} policies, {asked:?}", policies.len());
        assert_eq!(
            (found.as_str(), verdict.details.as_str()),
            (by, details),
            "{case}"
        );
        assert_eq!(verdict.ruling.passes, details.is_empty(), "{case}");
        assert_eq!(verdict.unknown, []);
    }
}

#[test]
fn a_verdict_says_why_and_why_not_the_others() {
    let (x, y) = (peer("team-x"), peer("team-y"));
    let all = [team_x(), team_y(), all_443()];
    let told = |verdict: &super::applied::AuthorizationVerdict| {
        verdict
            .ruling
            .others
            .iter()
            .map(|(object, why)| format!("{}: {why}", object.name))
            .collect::<Vec<_>>()
    };
    let verdict = decide(&all, &http(&x, "example.com", "/"));
    assert_eq!(
        verdict.ruling.because,
        "allows it: rule 0 is for namespace team-x, host example.com, port 8080"
    );
    assert_eq!(
        told(&verdict),
        [
            "egress-all-443: rule 0 is for port 8443; this is 8080",
            "egress-team-y-to-httpbin-teapot: rule 0 is for namespace team-y; this is team-x",
        ]
    );
    let verdict = decide(&all, &http(&y, "httpbin.org", "/"));
    assert_eq!(
        verdict.ruling.because,
        "there are ALLOW policies and none matches"
    );
    assert_eq!(
        told(&verdict)[2],
        "egress-team-y-to-httpbin-teapot: rule 0 is for path /status/418; this is /"
    );
    let verdict = decide(&all, &tls("httpbin.org"));
    assert_eq!(
        told(&verdict)[0],
        "egress-team-x-to-example-com: rule 0 needs HTTP (host example.com), and this is a TCP connection"
    );
}

#[test]
fn every_field_is_compared_as_istio_compares_it() {
    let source = |field: &str, value: &str| json!([{"from": [{"source": {field: [value]}}]}]);
    let operation = |field: &str, value: &str| json!([{"to": [{"operation": {field: [value]}}]}]);
    let when =
        |key: &str, field: &str, value: &str| json!([{"when": [{"key": key, field: [value]}]}]);
    // (rules, whether GET http://example.com/a?b of team-x/test, and a connection for example.com, are allowed)
    let cases = [
        (json!([]), false, false),
        (json!([{}]), true, true),
        (source("namespaces", "team-*"), true, false),
        (source("namespaces", "*"), true, false),
        (source("namespaces", "team"), false, false),
        (source("notNamespaces", "team-y"), true, true),
        (source("notNamespaces", "team-x"), false, true),
        (
            source("principals", "p.svc.id.goog/ns/team-x/sa/test"),
            true,
            false,
        ),
        (
            source("principals", "cluster.local/ns/team-x/sa/test"),
            true,
            false,
        ),
        (
            source("principals", "cluster.local/ns/team-x/sa/*"),
            true,
            false,
        ),
        (
            source("principals", "other/ns/team-x/sa/test"),
            false,
            false,
        ),
        (source("principals", "*/sa/test"), true, false),
        (source("principals", "*"), true, false),
        (source("notPrincipals", "*"), false, true),
        (source("serviceAccounts", "team-x/test"), true, false),
        (source("serviceAccounts", "test"), false, false),
        (source("requestPrincipals", "*"), false, false),
        (source("notRequestPrincipals", "*"), true, false),
        (source("ipBlocks", "10.1.0.0/16"), true, true),
        (source("ipBlocks", "10.1.0.17"), true, true),
        (source("notIpBlocks", "10.0.0.0/8"), false, false),
        (source("remoteIpBlocks", "192.0.2.0/24"), true, false),
        (operation("hosts", "*.com"), true, false),
        (operation("hosts", "example.*"), true, false),
        (operation("hosts", "*"), true, false),
        (operation("notHosts", "example.com"), false, false),
        (operation("paths", "/a"), true, false),
        (operation("paths", "/a*"), true, false),
        (operation("paths", "/A"), false, false),
        (operation("methods", "GET"), true, false),
        (operation("methods", "get"), false, false),
        (operation("notMethods", "POST"), true, false),
        (operation("ports", "8080"), true, false),
        (operation("ports", "80"), false, false),
        (operation("notPorts", "8080"), false, true),
        (when("destination.port", "values", "8443"), false, true),
        (when("connection.sni", "values", "example.com"), false, true),
        (when("connection.sni", "values", "*.com"), false, true),
        (when("source.namespace", "values", "team-x"), true, false),
        (when("source.namespace", "notValues", "team-x"), false, true),
        (when("source.principal", "values", "*"), true, false),
        (when("source.ip", "values", "10.1.0.17"), true, true),
        (when("remote.ip", "values", "192.0.2.7"), true, false),
        (
            when("request.headers[User-Agent]", "values", "curl*"),
            true,
            false,
        ),
        (when("request.headers[x-none]", "values", "*"), false, false),
        (
            when("request.headers[x-none]", "notValues", "*"),
            true,
            false,
        ),
        (
            when("request.auth.claims[iss]", "values", "*"),
            false,
            false,
        ),
        (
            when("request.auth.principal", "notValues", "*"),
            true,
            false,
        ),
        (
            json!([{"from": [{"source": {"namespaces": ["a"]}}, {"source": {"namespaces": ["team-x"]}}]}]),
            true,
            false,
        ),
        (
            json!([{"from": [{"source": {"namespaces": ["team-x"], "ipBlocks": ["10.2.0.0/16"]}}]}]),
            false,
            false,
        ),
        (
            json!([{"to": [{"operation": {"ports": ["1"]}}]}, {"to": [{"operation": {"ports": ["8080", "8443"]}}]}]),
            true,
            true,
        ),
    ];
    let (x, agent) = (
        peer("team-x"),
        [("user-agent".to_owned(), "curl/8".to_owned())],
    );
    let mut request = http(&x, "example.com", "/a?b");
    request.http.as_mut().unwrap().headers = &agent;
    for (rules, by_http, by_tls) in cases {
        let allow = [policy("p", "ALLOW", rules.clone())];
        assert_eq!(decide(&allow, &request).ruling.passes, by_http, "{rules}");
        assert_eq!(
            decide(&allow, &tls("example.com")).ruling.passes,
            by_tls,
            "{rules}"
        );
        // DENY denies what a rule matches, with the rule's name; only for connections is more denied than matched.
        let deny = [policy("p", "DENY", rules.clone())];
        let verdict = decide(&deny, &request);
        assert_eq!(verdict.ruling.passes, !by_http, "{rules}");
        if by_http {
            assert!(
                verdict.details.starts_with(
                    "rbac_access_denied_matched_policy[ns[istio-egress]-policy[p]-rule["
                )
            );
        }
        let passes = decide(&deny, &tls("example.com")).ruling.passes;
        assert!(!(passes && by_tls), "{rules}");
    }
}

#[test]
fn deny_goes_first_and_drops_what_needs_http() {
    let x = peer("team-x");
    let deny = policy(
        "no-post",
        "DENY",
        json!([{"to": [{"operation": {"methods": ["POST"], "ports": ["8443", "8080"]}}]}]),
    );
    let policies = [deny, policy("all", "ALLOW", json!([{}]))];
    assert!(
        decide(&policies, &http(&x, "example.com", "/"))
            .ruling
            .passes
    );
    let verdict = decide(&policies, &tls("example.com"));
    assert_eq!(
        verdict.details,
        "rbac_access_denied_matched_policy[ns[istio-egress]-policy[no-post]-rule[0]]"
    );
    let other = decide(
        &policies,
        &AuthorizationQuery {
            port: 8444,
            ..tls("example.com")
        },
    );
    assert!(other.ruling.passes);
}

#[test]
fn policies_hold_where_they_select() {
    let x = peer("team-x");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut policy = policy("p", "ALLOW", json!([]));
        change(&mut policy);
        policy
    };
    // (policy, whether it denies, why it does not apply)
    let cases = [
        (with(&|_| {}), true, ""),
        (with(&|policy| policy["spec"] = json!({})), true, ""),
        (
            with(&|policy| policy["metadata"]["namespace"] = json!("istio-system")),
            true,
            "",
        ),
        (
            with(&|policy| policy["metadata"]["namespace"] = json!("team-x")),
            false,
            "",
        ),
        (
            with(&|policy| {
                policy["spec"]["selector"] = json!({"matchLabels": {"istio": "egressgateway"}})
            }),
            true,
            "",
        ),
        (
            with(&|policy| policy["spec"]["selector"] = json!({"matchLabels": {"app": "x"}})),
            false,
            "selects other workloads",
        ),
        (
            with(&|policy| policy["metadata"]["annotations"] = json!({"istio.io/dry-run": "true"})),
            false,
            "is a dry run",
        ),
        (
            with(&|policy| policy["spec"]["action"] = json!("AUDIT")),
            false,
            "audits",
        ),
        (
            with(&|policy| policy["spec"]["targetRefs"] = json!([{"kind": "Service"}])),
            false,
            "applies to its targetRefs",
        ),
    ];
    for (policy, denies, why_not) in cases {
        let verdict = decide(std::slice::from_ref(&policy), &http(&x, "example.com", "/"));
        assert_eq!(verdict.ruling.passes, !denies, "{policy}");
        let told = verdict
            .ruling
            .others
            .first()
            .map(|(_, why)| why.clone())
            .unwrap_or_default();
        assert!(denies || told.starts_with(why_not), "{policy}: {told}");
    }
}

#[test]
fn what_is_not_covered_is_named() {
    let (x, rule) = (
        peer("team-x"),
        json!([{
            "from": [{"source": {"colours": ["red"]}}],
            "to": [{"operation": {"paths": ["/a/{*}"]}}],
            "when": [{"key": "experimental.envoy.filters.x[y]", "values": ["z"]}, {"key": "destination.ip", "values": ["10.0.0.1"]}],
        }]),
    );
    let fields = |policy: &Value| {
        AuthorizationPolicy::read(policy)
            .1
            .into_iter()
            .map(|unknown| unknown.field)
            .collect::<Vec<_>>()
    };
    let policy_ = policy("p", "ALLOW", rule);
    assert_eq!(
        fields(&policy_),
        [
            "spec.rules[0].when[0].key",
            "spec.rules[0].when[1].key",
            "spec.rules[0].from[0].source.colours",
            "spec.rules[0].to[0].operation.paths[0]",
        ]
    );
    let verdict = decide(
        std::slice::from_ref(&policy_),
        &http(&x, "example.com", "/"),
    );
    assert_eq!(verdict.unknown.len(), 4);
    // An authorizer is asked only about requests that the rules match.
    let custom = policy(
        "ext",
        "CUSTOM",
        json!([{"to": [{"operation": {"paths": ["/admin"]}}]}]),
    );
    let unknown = |path: &str| {
        decide(
            std::slice::from_ref(&custom),
            &http(&x, "example.com", path),
        )
        .unknown
    };
    assert_eq!(unknown("/"), []);
    assert_eq!(unknown("/admin")[0].field, "spec.provider");
}
