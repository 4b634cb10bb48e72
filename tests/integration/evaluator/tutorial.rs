//! The tutorial, step by step: what each of its checks gives, and which clusters a sidecar knows. The expected results are the
//! tutorial's own where it prints one.

use egress::request::Source;
use egress::snapshot::Snapshot;
use egress::trace::{CallerOutcome, Trace};
use serde_json::{Value, json};

use super::scenes::{FINAL, NETWORK_POLICIES, got, request, snapshot, tutorial};

/// Steps by name: the manifests that are in force after each.
fn step(name: &str) -> Vec<&'static str> {
    let sidecar = vec!["team-x-sidecar"];
    let gateway = [
        &sidecar[..],
        &[
            "egress-gateway",
            "target-egress-gateway",
            "example-com-serviceentry",
        ],
    ]
    .concat();
    let routed = [&gateway[..], &["example-com-virtualservice"]].concat();
    let second = [
        &routed[..],
        &[
            "team-y-sidecar",
            "httpbin-org-serviceentry",
            "httpbin-org-virtualservice",
        ],
    ]
    .concat();
    let team_x = [&second[..], &["egress-team-x-to-example-com"]].concat();
    let team_y = [&team_x[..], &["egress-team-y-to-httpbin-teapot"]].concat();
    let mut originated: Vec<&str> = team_y
        .iter()
        .copied()
        .filter(|name| *name != "example-com-virtualservice")
        .collect();
    originated.extend([
        "example-com-virtualservice-tls-origination",
        "example-com-originate-tls",
    ]);
    let without_443: Vec<&str> = FINAL
        .iter()
        .copied()
        .filter(|name| *name != "egress-all-443")
        .collect();
    let direct = [
        "metadata-google-internal-serviceentry",
        "private-googleapis-com-serviceentry",
    ];
    match name {
        "application" => Vec::new(),
        "sidecar" => sidecar,
        "gateway" => gateway,
        "routing" => routed,
        "second namespace" => second,
        "policy of team-x" => team_x,
        "policy of team-y" => team_y,
        "TLS origination" => originated,
        "TLS passthrough" => without_443,
        "policy for 443" => FINAL.to_vec(),
        "network policies" => [FINAL, NETWORK_POLICIES].concat(),
        "direct access" => [FINAL, NETWORK_POLICIES, &direct].concat(),
        other => panic!("no step {other}"),
    }
}

#[test]
fn every_check_of_the_tutorial() {
    let timed_out = "upstream connect error or disconnect/reset before headers. reset reason: connection timeout";
    // (step, namespace, request, what it gets, how long it takes in seconds)
    let cases = [
        ("application", "team-x", "http://example.com", "503", 10),
        ("sidecar", "team-x", "http://example.com", "502", 0),
        ("sidecar", "team-x", "HEAD http://example.com", "502", 0),
        ("gateway", "team-x", "http://example.com", "503", 30),
        ("routing", "team-x", "http://example.com", "200", 0),
        ("second namespace", "team-y", "http://httpbin.org", "200", 0),
        ("second namespace", "team-x", "http://httpbin.org", "200", 0),
        ("second namespace", "team-y", "http://example.com", "502", 0),
        ("policy of team-x", "team-x", "http://example.com", "200", 0),
        ("policy of team-x", "team-x", "http://httpbin.org", "403", 0),
        ("policy of team-x", "team-y", "http://httpbin.org", "403", 0),
        ("policy of team-y", "team-y", "http://httpbin.org", "403", 0),
        (
            "policy of team-y",
            "team-y",
            "http://httpbin.org/status/418",
            "418",
            0,
        ),
        ("TLS origination", "team-x", "http://example.com", "200", 0),
        // Applied anew without exportTo it is everybody's for a step.
        ("TLS origination", "team-y", "http://example.com", "403", 0),
        (
            "TLS passthrough",
            "team-x",
            "https://example.com",
            "exit 35",
            0,
        ),
        ("policy for 443", "team-x", "http://example.com", "200", 0),
        ("policy for 443", "team-x", "https://example.com", "200", 0),
        // The policy for 443 knows neither who nor where to.
        ("policy for 443", "team-x", "https://httpbin.org", "200", 0),
        ("policy for 443", "team-y", "https://httpbin.org", "200", 0),
        (
            "policy for 443",
            "team-y",
            "https://example.com",
            "exit 35",
            0,
        ),
        ("network policies", "team-x", "http://example.com", "200", 0),
        (
            "network policies",
            "team-x",
            "https://example.com",
            "200",
            0,
        ),
        (
            "network policies",
            "team-x",
            "http://metadata.google.internal",
            "502",
            0,
        ),
        (
            "network policies",
            "team-x",
            "https://storage.googleapis.com",
            "exit 35",
            0,
        ),
        (
            "direct access",
            "team-x",
            "http://metadata.google.internal",
            "200",
            0,
        ),
        (
            "direct access",
            "team-x",
            "https://storage.googleapis.com/b",
            "404",
            0,
        ),
    ];
    for (name, namespace, asked, expected, seconds) in cases {
        let snapshot = snapshot(&step(name));
        let request = request(namespace, asked);
        let account = snapshot.trace(&request);
        let found = (got(&snapshot, &request), account.waits.as_secs());
        assert_eq!(
            found,
            (expected.to_owned(), seconds),
            "{name}: {namespace} {asked}\n{:#?}",
            account.hops
        );
        if let (CallerOutcome::Answer(answer), "application") = (&account.got, name) {
            assert_eq!(answer.body, timed_out);
        }
    }
}

#[test]
fn a_pod_without_a_sidecar() {
    // (step, request, what it gets, how long it takes)
    let cases = [
        ("application", "http://example.com", "exit 28", 5),
        ("network policies", "http://example.com", "exit 28", 5),
        // The gateway takes mutual TLS alone on one port, and whoever asks for a name that it knows on the other.
        (
            "policy for 443",
            "http://istio-egressgateway.istio-egress",
            "exit 52",
            0,
        ),
        ("policy for 443", "http://test.team-y", "exit 56", 0),
        (
            "policy for 443",
            "https://storage.googleapis.com/b",
            "404",
            0,
        ),
    ];
    for (name, asked, expected, seconds) in cases {
        let snapshot = snapshot(&step(name));
        let mut request = request("team-x", asked);
        request.from.sidecar = Some(false);
        request.connect_timeout = Some(std::time::Duration::from_secs(5));
        let account = snapshot.trace(&request);
        let found = (got(&snapshot, &request), account.waits.as_secs());
        assert_eq!(
            found,
            (expected.to_owned(), seconds),
            "{name}: {asked}\n{:#?}",
            account.hops
        );
    }
}

/// The objects that decided, in order, where one did.
fn deciders(account: &Trace) -> Vec<String> {
    let all = account.hops.iter().filter_map(|hop| hop.ruling.by.as_ref());
    let mut all: Vec<String> = all.map(ToString::to_string).collect();
    all.dedup();
    all
}

#[test]
fn an_account_names_the_objects_that_decide() {
    let snapshot = snapshot(&step("network policies"));
    // (request, the objects along the way)
    let cases = [
        (
            "http://example.com",
            "Namespace team-x
             VirtualService istio-egress/example-com-through-egress-gateway
             DestinationRule istio-egress/target-egress-gateway
             NetworkPolicy team-x/allow-egress-to-control-plane
             firewall allow-egress-nodes-and-pods
             Gateway istio-egress/egress-gateway
             AuthorizationPolicy istio-egress/egress-team-x-to-example-com
             VirtualService istio-egress/example-com-through-egress-gateway
             DestinationRule istio-egress/example-com-originate-tls
             firewall gateway-allow-egress-web",
        ),
        (
            "https://httpbin.org",
            "Namespace team-x
             VirtualService istio-egress/httpbin-org-through-egress-gateway
             DestinationRule istio-egress/target-egress-gateway
             NetworkPolicy team-x/allow-egress-to-control-plane
             firewall allow-egress-nodes-and-pods
             Gateway istio-egress/egress-gateway
             AuthorizationPolicy istio-egress/egress-all-443
             VirtualService istio-egress/httpbin-org-through-egress-gateway
             ServiceEntry istio-egress/httpbin-org-ext
             firewall gateway-allow-egress-web",
        ),
        (
            "http://wikipedia.org",
            "Namespace team-x\nSidecar team-x/default",
        ),
    ];
    for (asked, expected) in cases {
        let account = snapshot.trace(&request("team-x", asked));
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(deciders(&account), expected, "{asked}\n{:#?}", account.hops);
    }
}

#[test]
fn an_account_says_why_others_did_not_decide() {
    let snapshot = snapshot(&step("policy for 443"));
    let account = snapshot.trace(&request("team-y", "http://example.com"));
    let stopped = account.stopped_at().unwrap();
    assert_eq!(
        stopped.ruling.by.as_ref().unwrap().to_string(),
        "Sidecar team-y/default"
    );
    let others: Vec<String> = stopped
        .ruling
        .others
        .iter()
        .map(|(object, why)| format!("{object} {why}"))
        .collect();
    assert_eq!(
        others,
        [
            "ServiceEntry istio-egress/example-com-ext is exported to team-x, istio-egress only",
            "VirtualService istio-egress/example-com-through-egress-gateway is exported to istio-egress, team-x only",
        ]
    );
}

#[test]
fn what_reaches_the_outside_names_the_caller() {
    let snapshot = snapshot(&step("policy for 443"));
    let account = snapshot.trace(&request("team-x", "http://example.com"));
    let header = |name: &str| {
        account
            .received
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    };
    assert!(
        header("x-forwarded-client-cert")
            .unwrap()
            .contains("/ns/team-x/sa/test")
    );
    assert!(header("x-forwarded-for").is_some());
    // Within the application's own TLS nobody writes anything.
    let account = snapshot.trace(&request("team-x", "https://example.com"));
    let names: Vec<&str> = account
        .received
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["User-Agent"]);
}

/// Services of GKE's own, and of an in-cluster control plane.
fn system_services() -> Vec<Value> {
    let service = |name: &str, namespace: &str, ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": ports}});
    vec![
        service(
            "kubernetes",
            "default",
            json!([{"name": "https", "port": 443}]),
        ),
        service(
            "default-http-backend",
            "kube-system",
            json!([{"name": "http", "port": 80}]),
        ),
        service(
            "kube-dns",
            "kube-system",
            json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}]),
        ),
        service("metrics-server", "kube-system", json!([{"port": 443}])),
        service(
            "istiod-asm-1282-4",
            "istio-system",
            json!([{"name": "grpc-xds", "port": 15010}, {"name": "https-dns", "port": 15012}, {"name": "https-webhook", "port": 443}, {"name": "http-monitoring", "port": 15014}]),
        ),
    ]
}

#[test]
fn the_outbound_clusters_of_a_sidecar() {
    // (step, namespace, how many, one of them)
    let cases = [
        // With team-y's own test service one more than where the tutorial counts, which makes that later.
        (
            "application",
            "team-x",
            12,
            "outbound|15012||istiod-asm-1282-4.istio-system.svc.cluster.local",
        ),
        (
            "sidecar",
            "team-x",
            3,
            "outbound|443||istio-egressgateway.istio-egress.svc.cluster.local",
        ),
        (
            "routing",
            "team-x",
            7,
            "outbound|443|target-egress-gateway-mTLS|istio-egressgateway.istio-egress.svc.cluster.local",
        ),
        (
            "direct access",
            "team-x",
            19,
            "outbound|443|example-com-originate-TLS|example.com",
        ),
        ("direct access", "team-y", 9, "outbound|80||httpbin.org"),
    ];
    for (name, namespace, count, one) in cases {
        let mut sources = tutorial(&step(name));
        sources.kubernetes.extend(system_services());
        let source = Source {
            namespace: namespace.to_owned(),
            pod: None,
            sidecar: None,
        };
        let clusters: Vec<String> = Snapshot::read(&sources)
            .clusters(&source)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(clusters.len(), count, "{name} {namespace}: {clusters:#?}");
        assert!(
            clusters.contains(&one.to_owned()),
            "{name} {namespace}: {clusters:#?}"
        );
    }
}

#[test]
fn clusters_are_listed_as_istioctl_lists_them() {
    let snapshot = snapshot(&step("routing"));
    let source = Source {
        namespace: "team-x".to_owned(),
        pod: None,
        sidecar: None,
    };
    let rows: Vec<String> = snapshot
        .clusters(&source)
        .iter()
        .map(|each| {
            let rule = each
                .destination_rule
                .as_ref()
                .map(|rule| format!("{}.{}", rule.name, rule.namespace));
            format!(
                "{} {} {} {} {}",
                each.host,
                each.port,
                each.subset,
                each.discovery,
                rule.unwrap_or_default()
            )
        })
        .collect();
    let gateway = "istio-egressgateway.istio-egress.svc.cluster.local";
    let rule = "target-egress-gateway.istio-egress";
    assert_eq!(
        rows,
        [
            "example.com 80  STRICT_DNS ".to_owned(),
            "example.com 443  STRICT_DNS ".to_owned(),
            format!("{gateway} 80  EDS {rule}"),
            format!("{gateway} 443  EDS {rule}"),
            format!("{gateway} 80 target-egress-gateway-mTLS EDS {rule}"),
            format!("{gateway} 443 target-egress-gateway-mTLS EDS {rule}"),
            "test.team-x.svc.cluster.local 80  EDS ".to_owned(),
        ]
    );
}
