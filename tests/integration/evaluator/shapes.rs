//! Hosts, Sidecar resources, gateways, NetworkPolicies and mutual TLS of other shapes than the tutorial's, a row a case.

use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use serde_json::{Value, json};

use super::scenes::{FINAL, manifest, request, tutorial};
use super::tables::{entry, found, http, open};

fn only_registered(hosts: Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": "s", "namespace": "team-x"},
        "spec": {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}, "egress": [{"hosts": hosts}]}})
}

#[test]
fn hosts_of_a_service_entry() {
    let tls = json!([{"number": 443, "name": "tls", "protocol": "TLS"}]);
    let tcp = json!([{"number": 9000, "name": "tcp", "protocol": "TCP"}]);
    // (host, ports, more, request, what it gets)
    let cases = [
        (
            "example.com",
            http(),
            json!({}),
            "http://example.com",
            "200",
        ),
        (
            "example.com",
            http(),
            json!({}),
            "http://example.org",
            "502",
        ),
        (
            "*.example.com",
            http(),
            json!({"resolution": "NONE"}),
            "http://www.example.com",
            "200",
        ),
        (
            "*.example.com",
            http(),
            json!({"resolution": "NONE"}),
            "http://example.com",
            "502",
        ),
        (
            "example.com",
            http(),
            json!({"resolution": "STATIC", "endpoints": [{"address": "198.51.100.7"}]}),
            "http://example.com",
            "200",
        ),
        (
            "example.com",
            http(),
            json!({"resolution": "STATIC"}),
            "http://example.com",
            "503",
        ),
        (
            "no-such-host.invalid",
            http(),
            json!({}),
            "http://no-such-host.invalid",
            "exit 6",
        ),
        (
            "example.com",
            tls.clone(),
            json!({}),
            "https://example.com",
            "200",
        ),
        (
            "*.example.com",
            tls.clone(),
            json!({"resolution": "NONE"}),
            "https://www.example.com",
            "200",
        ),
        (
            "example.com",
            tls.clone(),
            json!({}),
            "https://example.org",
            "exit 35",
        ),
        // Another port than the entry's, and a port that nobody has.
        ("example.com", tls, json!({}), "http://example.com", "502"),
        (
            "example.com",
            http(),
            json!({}),
            "http://example.com:8080",
            "exit 56",
        ),
        // A port of bytes without an address takes all that goes to it; that it is named says that somebody listens there.
        (
            "example.com",
            tcp,
            json!({}),
            "http://example.org:9000",
            "200",
        ),
        (
            "example.com",
            http(),
            json!({"exportTo": ["team-y"]}),
            "http://example.com",
            "502",
        ),
        (
            "example.com",
            http(),
            json!({"exportTo": ["."]}),
            "http://example.com",
            "200",
        ),
    ];
    for (host, ports, more, asked, expected) in cases {
        let sources = open(vec![
            only_registered(json!(["*/*"])),
            entry(host, ports.clone(), more.clone()),
        ]);
        assert_eq!(
            found(&sources, asked).0,
            expected,
            "{host} {ports} {more} {asked}"
        );
    }
}

#[test]
fn what_a_sidecar_resource_leaves_out() {
    // (hosts, what example.com of namespace team-x gives)
    let cases = [
        (json!(["./*"]), "200"),
        (json!(["team-x/*"]), "200"),
        (json!(["*/example.com"]), "200"),
        (json!(["istio-egress/*"]), "502"),
        // Where nothing of HTTP is known on the port, no answer of HTTP comes either.
        (json!(["./example.org"]), "exit 56"),
        (json!(["~/*"]), "exit 56"),
    ];
    for (hosts, expected) in cases {
        let sources = open(vec![
            only_registered(hosts.clone()),
            entry("example.com", http(), json!({})),
        ]);
        assert_eq!(found(&sources, "http://example.com").0, expected, "{hosts}");
    }
}

/// The tutorial's last state, with one object changed.
fn changed(kind: &str, name: &str, change: impl Fn(&mut Value)) -> SnapshotInput {
    let mut sources = tutorial(FINAL);
    let mut all = sources.kubernetes.iter_mut();
    change(
        all.find(|each| each["kind"] == kind && each["metadata"]["name"] == name)
            .unwrap(),
    );
    sources
}

#[test]
fn a_gateway_of_another_shape() {
    let server =
        |server: Value| move |gateway: &mut Value| gateway["spec"]["servers"][0] = server.clone();
    let port = |protocol: &str| json!({"number": 80, "name": "p", "protocol": protocol});
    let mutual = json!({"mode": "ISTIO_MUTUAL"});
    // (server for port 80, what http://example.com gives, flags)
    let cases = [
        (
            json!({"port": port("HTTPS"), "hosts": ["*"], "tls": mutual}),
            "200",
            "",
        ),
        // The name that the sidecar asks for is the gateway's, not the application's host.
        (
            json!({"port": port("HTTPS"), "hosts": ["example.com"], "tls": mutual}),
            "503",
            "URX,UF",
        ),
        (
            json!({"port": port("HTTP"), "hosts": ["*"]}),
            "503",
            "URX,UF",
        ),
        (
            json!({"port": {"number": 81, "name": "p", "protocol": "HTTP"}, "hosts": ["*"]}),
            "503",
            "URX,UF",
        ),
        (
            json!({"port": port("HTTPS"), "hosts": ["*"], "tls": {"mode": "SIMPLE", "credentialName": "c"}}),
            "403",
            "",
        ),
        (
            json!({"port": port("HTTPS"), "hosts": ["team-x/*"], "tls": mutual}),
            "404",
            "",
        ),
    ];
    for (value, status, flags) in cases {
        let sources = changed("Gateway", "egress-gateway", server(value.clone()));
        let (got, seen, _) = found(&sources, "http://example.com");
        assert_eq!((got.as_str(), seen.as_str()), (status, flags), "{value}");
    }
    // In clear on both sides it works again, but nobody knows who calls.
    let mut sources = changed(
        "Gateway",
        "egress-gateway",
        server(json!({"port": port("HTTP"), "hosts": ["*"]})),
    );
    let rule = sources
        .kubernetes
        .iter_mut()
        .find(|each| each["metadata"]["name"] == "target-egress-gateway")
        .unwrap();
    rule["spec"]["subsets"][0]["trafficPolicy"] = json!({"tls": {"mode": "DISABLE"}});
    assert_eq!(found(&sources, "http://example.com").0, "403");
    sources
        .kubernetes
        .retain(|each| each["kind"] != "AuthorizationPolicy");
    assert_eq!(found(&sources, "http://example.com").0, "200");
}

#[test]
fn other_gateways_and_routes_that_do_not_meet() {
    let name = "example-com-through-egress-gateway";
    let list = |names: &'static [&'static str]| {
        move |route: &mut Value| route["spec"]["exportTo"] = json!(names)
    };
    // (sources, what http://example.com gives)
    let cases = [
        (changed("VirtualService", name, list(&["team-x"])), "404"),
        // Without its route the sidecar goes to the host itself, which the firewall does not let it.
        (
            changed("VirtualService", name, list(&["istio-egress"])),
            "503",
        ),
        (
            changed("VirtualService", name, |route| {
                route["spec"]["http"][1]["match"][0]["port"] = json!(8080)
            }),
            "404",
        ),
        (
            changed("Gateway", "egress-gateway", |gateway| {
                gateway["spec"]["selector"] = json!({"istio": "other"})
            }),
            "503",
        ),
        (
            changed("Service", "istio-egressgateway", |service| {
                service["spec"]["selector"] = json!({"app": "other"})
            }),
            "503",
        ),
        (
            changed("AuthorizationPolicy", "egress-all-443", |policy| {
                policy["spec"] = json!({"action": "DENY", "rules": [{}]})
            }),
            "403",
        ),
    ];
    for (index, (sources, expected)) in cases.iter().enumerate() {
        assert_eq!(
            found(sources, "http://example.com").0,
            *expected,
            "case {index}"
        );
    }
}

#[test]
fn routes_in_a_circle_come_to_an_end() {
    // For every place the rule for sidecars is the gateway's first too, and leads back to it.
    let name = "example-com-through-egress-gateway";
    let mut sources = changed("VirtualService", name, |route| {
        route["spec"]["http"][0]["match"] =
            json!([{"gateways": ["mesh", "istio-egress/egress-gateway"]}]);
    });
    sources
        .kubernetes
        .retain(|each| each["kind"] != "AuthorizationPolicy");
    let account = Snapshot::read(&sources).trace(&request("team-x", "http://example.com"));
    let stopped = account.stopped_at().unwrap();
    assert!(
        stopped.ruling.because.contains("routing loop"),
        "{:#?}",
        account.hops
    );
    assert!(!account.unknown.is_empty());
}

#[test]
fn network_policies_are_asked_about_the_real_connection() {
    let isolating = |to: Value| {
        let mut policy = manifest("allow-egress-to-dns");
        policy["spec"]["egress"]
            .as_array_mut()
            .unwrap()
            .extend(to.as_array().unwrap().clone());
        policy
    };
    let gateway = json!([{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-egress"}}}], "ports": [{"port": 8080}]}]);
    let at_service_port = json!([{"to": [{"namespaceSelector": {}}], "ports": [{"port": 80}]}]);
    let no_dns = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": "team-x"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"]}});
    let into_gateway = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": "istio-egress"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "y"}}}]}]}});
    // (policy, what http://example.com gives, seconds)
    let cases = [
        (isolating(gateway), "200", 0),
        (isolating(at_service_port), "503", 30),
        (isolating(json!([])), "503", 30),
        (no_dns, "exit 6", 20),
        (into_gateway, "503", 30),
    ];
    for (policy, expected, seconds) in cases {
        let mut sources = tutorial(FINAL);
        sources.kubernetes.push(policy.clone());
        let (got, _, waits) = found(&sources, "http://example.com");
        assert_eq!((got.as_str(), waits), (expected, seconds), "{policy}");
    }
}

#[test]
fn within_the_mesh() {
    let with_mode = |mode: &str| {
        let mut sources = tutorial(&[]);
        let all = sources.kubernetes.iter_mut();
        for each in all.filter(|each| each["kind"] == "PeerAuthentication") {
            each["spec"]["mtls"]["mode"] = json!(mode);
        }
        sources
    };
    // (mode, with a sidecar, what it gets)
    let cases = [
        ("STRICT", true, "200"),
        ("STRICT", false, "exit 56"),
        ("PERMISSIVE", true, "200"),
        ("PERMISSIVE", false, "200"),
        ("DISABLE", true, "200"),
        ("DISABLE", false, "200"),
    ];
    for (mode, sidecar, expected) in cases {
        let mut request = request("team-y", "http://test.team-x");
        request.from.sidecar = Some(sidecar);
        let snapshot = Snapshot::read(&with_mode(mode));
        assert_eq!(
            super::scenes::got(&snapshot, &request),
            expected,
            "{mode} {sidecar}"
        );
    }
}

#[test]
fn what_is_not_covered_is_named() {
    let filter = json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": "f", "namespace": "istio-egress"}, "spec": {"configPatches": []}});
    let delegated = changed(
        "VirtualService",
        "example-com-through-egress-gateway",
        |route| route["spec"]["http"][0]["delegate"] = json!({"name": "x"}),
    );
    let mut filtered = tutorial(FINAL);
    filtered.kubernetes.push(filter);
    // (sources, request, what is named)
    let cases = [
        (
            &delegated,
            "http://example.com",
            vec![
                "VirtualService istio-egress/example-com-through-egress-gateway spec.http[0].delegate",
            ],
        ),
        (&delegated, "http://httpbin.org", vec![]),
        (
            &filtered,
            "http://example.com",
            vec!["EnvoyFilter istio-egress/f"],
        ),
        (&filtered, "http://unknown.com", vec![]),
    ];
    for (sources, asked, expected) in cases {
        let account = Snapshot::read(sources).trace(&request("team-x", asked));
        let named: Vec<String> = account.unknown.iter().map(ToString::to_string).collect();
        assert_eq!(named, expected, "{asked}");
    }
}

#[test]
fn outside_a_vpc_no_firewall_rule_is_asked_and_nobody_serves_metadata() {
    // (whether a VPC is around the machines, where a pod without a sidecar goes, what it gets)
    let cases = [
        (true, "https://example.com", "exit 28"),
        (false, "https://example.com", "200"),
        (true, "http://metadata.google.internal", "200"),
        (false, "http://metadata.google.internal", "exit 6"),
        (false, "http://no-such-name.example", "exit 6"),
    ];
    for (vpc, url, expected) in cases {
        let sources = SnapshotInput {
            outside_vpc: !vpc,
            ..tutorial(&[])
        };
        let mut request = request("team-y", url);
        request.from.sidecar = Some(false);
        let got = super::scenes::got(&Snapshot::read(&sources), &request);
        assert_eq!(got, expected, "{vpc} {url}");
    }
}
