//! Cases of NetworkPolicy: the tutorial's policies, and the meaning of the fields.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

pub(super) fn policy(name: &str, spec: Value) -> Value {
    json!({"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "team-x"}, "spec": spec})
}

/// The policies that the tutorial applies to team-x.
fn tutorial() -> Vec<Value> {
    let to = |rules: Value| json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules});
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    vec![
        policy(
            "allow-egress-to-control-plane",
            to(json!([{"to": [
                {"namespaceSelector": named("istio-system"), "podSelector": {"matchLabels": {"istio": "istiod"}}},
                {"namespaceSelector": named("istio-egress"), "podSelector": {"matchLabels": {"istio": "egressgateway"}}},
            ]}])),
        ),
        policy(
            "allow-egress-to-dns",
            to(json!([{"to": [{"namespaceSelector": named("kube-system")}],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}])),
        ),
        policy(
            "allow-egress-to-google-apis",
            to(
                json!([{"to": [{"ipBlock": {"cidr": "199.36.153.4/30"}}, {"ipBlock": {"cidr": "199.36.153.8/30"}}]}]),
            ),
        ),
        policy(
            "allow-egress-to-metadata-server",
            to(json!([
                {"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}]},
                {"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}, {"ipBlock": {"cidr": "169.254.169.252/32"}}],
                    "ports": [{"protocol": "TCP", "port": 987}, {"protocol": "TCP", "port": 988}]},
            ])),
        ),
        policy(
            "allow-egress-to-same-namespace",
            json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"podSelector": {}}]}]}),
        ),
        policy(
            "allow-egress-to-team-y",
            to(json!([{"to": [{"namespaceSelector": named("team-y")}]}])),
        ),
    ]
}

pub(super) fn read(policies: &[Value]) -> Vec<NetworkPolicy> {
    policies.iter().filter_map(NetworkPolicy::read).collect()
}

/// A pod: `namespace label=value`.
pub(super) fn pod(text: &str) -> PodEnd {
    let mut words = text.split_whitespace();
    PodEnd {
        namespace: words.next().unwrap().to_owned(),
        labels: words
            .map(|word| word.split_once('=').unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..PodEnd::default()
    }
}

/// An address, or a pod in the notation of [`pod`].
fn other(text: &str) -> OtherEnd {
    match text.parse() {
        Ok(address) => OtherEnd::Outside(address),
        Err(_) => OtherEnd::Pod(pod(text)),
    }
}

#[test]
fn the_tutorials_policies_leave_team_x_the_gateway_and_little_else() {
    use Direction::{Egress, Ingress};
    // (direction, of, other, protocol, port, passes, deciding policy)
    let cases = [
        (
            Egress,
            "team-x app=test",
            "istio-egress istio=egressgateway",
            "tcp",
            8080,
            true,
            "allow-egress-to-control-plane",
        ),
        (
            Egress,
            "team-x app=test",
            "istio-egress app=other",
            "tcp",
            8080,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "team-z istio=egressgateway",
            "tcp",
            8080,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "istio-system istio=istiod",
            "tcp",
            15012,
            true,
            "allow-egress-to-control-plane",
        ),
        (
            Egress,
            "team-x app=test",
            "kube-system k8s-app=kube-dns",
            "UDP",
            53,
            true,
            "allow-egress-to-dns",
        ),
        (
            Egress,
            "team-x app=test",
            "kube-system k8s-app=kube-dns",
            "tcp",
            443,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "93.184.216.34",
            "tcp",
            80,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "199.36.153.11",
            "tcp",
            443,
            true,
            "allow-egress-to-google-apis",
        ),
        (
            Egress,
            "team-x app=test",
            "199.36.153.12",
            "tcp",
            443,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "169.254.169.254",
            "tcp",
            80,
            true,
            "allow-egress-to-metadata-server",
        ),
        (
            Egress,
            "team-x app=test",
            "169.254.169.252",
            "tcp",
            988,
            true,
            "allow-egress-to-metadata-server",
        ),
        (
            Egress,
            "team-x app=test",
            "169.254.169.252",
            "udp",
            988,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "169.254.169.252",
            "tcp",
            80,
            false,
            "",
        ),
        (
            Egress,
            "team-x app=test",
            "team-x app=other",
            "tcp",
            80,
            true,
            "allow-egress-to-same-namespace",
        ),
        (
            Egress,
            "team-x app=test",
            "team-y app=test",
            "tcp",
            80,
            true,
            "allow-egress-to-team-y",
        ),
        (
            Egress,
            "team-y app=test",
            "93.184.216.34",
            "tcp",
            80,
            true,
            "",
        ),
        // One of them has no policyTypes, and isolates for ingress.
        (
            Ingress,
            "team-x app=test",
            "team-y app=test",
            "tcp",
            80,
            false,
            "",
        ),
        (
            Ingress,
            "team-x app=test",
            "team-x app=test",
            "tcp",
            80,
            true,
            "allow-egress-to-same-namespace",
        ),
        (
            Ingress,
            "team-y app=test",
            "team-x app=test",
            "tcp",
            80,
            true,
            "",
        ),
    ];
    for (direction, of, to, protocol, port, passes, by) in cases {
        let ruling = rule(
            &read(&tutorial()),
            direction,
            &pod(of),
            &other(to),
            protocol,
            port,
        );
        let found = ruling.by.map(|object| object.name).unwrap_or_default();
        assert_eq!(
            (ruling.passes, found.as_str()),
            (passes, by),
            "{of} {to} {protocol}:{port}"
        );
    }
}

#[test]
fn fields_mean_what_kubernetes_says() {
    let egress =
        |rules: Value| json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules});
    // (spec, other, port, passes)
    let cases = [
        (
            json!({"podSelector": {}, "policyTypes": ["Egress"]}),
            "192.0.2.1",
            80,
            false,
        ),
        (json!({}), "192.0.2.1", 80, true),
        (
            json!({"policyTypes": ["Ingress"], "egress": [{"to": [{"podSelector": {}}]}]}),
            "192.0.2.1",
            80,
            true,
        ),
        (
            json!({"egress": [{"to": [{"podSelector": {}}]}]}),
            "192.0.2.1",
            80,
            false,
        ),
        (
            json!({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Egress"]}),
            "192.0.2.1",
            80,
            true,
        ),
        (egress(json!([{}])), "192.0.2.1", 80, true),
        (
            egress(json!([{"ports": [{"port": 80}]}])),
            "192.0.2.1",
            80,
            true,
        ),
        (
            egress(json!([{"ports": [{"port": 80}]}])),
            "192.0.2.1",
            81,
            false,
        ),
        (
            egress(json!([{"ports": [{"port": 80, "endPort": 90}]}])),
            "192.0.2.1",
            90,
            true,
        ),
        (
            egress(json!([{"ports": [{"protocol": "UDP"}]}])),
            "192.0.2.1",
            80,
            false,
        ),
        (
            egress(json!([{"ports": [{"protocol": "TCP"}]}])),
            "192.0.2.1",
            80,
            true,
        ),
        (
            egress(json!([{"ports": [{"port": "http"}]}])),
            "team-x app=a",
            80,
            false,
        ),
        (
            egress(
                json!([{"to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/30"]}}]}]),
            ),
            "192.0.2.9",
            80,
            true,
        ),
        (
            egress(
                json!([{"to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/30"]}}]}]),
            ),
            "192.0.2.1",
            80,
            false,
        ),
        (
            egress(json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])),
            "team-x app=a",
            80,
            false,
        ),
        (
            egress(json!([{"to": [{"namespaceSelector": {}}]}])),
            "team-z app=a",
            80,
            true,
        ),
        (
            egress(json!([{"to": [{"namespaceSelector": {}}]}])),
            "192.0.2.1",
            80,
            false,
        ),
        (
            egress(json!([{"to": [{"podSelector": {"matchLabels": {"app": "a"}}}]}])),
            "team-x app=a",
            80,
            true,
        ),
        (
            egress(json!([{"to": [{"podSelector": {"matchLabels": {"app": "a"}}}]}])),
            "team-y app=a",
            80,
            false,
        ),
        (
            egress(json!([{"to": [{"namespaceSelector": {"matchLabels": {"team": "z"}}}]}])),
            "team-z app=a",
            80,
            false,
        ),
        (
            egress(
                json!([{"to": [{"podSelector": {"matchLabels": {"app": "b"}}}]}, {"to": [{"podSelector": {}}]}]),
            ),
            "team-x app=a",
            80,
            true,
        ),
    ];
    for (spec, to, port, passes) in cases {
        let policies = read(&[policy("p", spec.clone())]);
        let ruling = rule(
            &policies,
            Direction::Egress,
            &pod("team-x app=test"),
            &other(to),
            "tcp",
            port,
        );
        assert_eq!(ruling.passes, passes, "{spec} {to}");
    }
}

#[test]
fn a_ruling_says_why_and_why_not_the_others() {
    let ruling = rule(
        &read(&tutorial()),
        Direction::Egress,
        &pod("team-x app=test"),
        &other("93.184.216.34"),
        "tcp",
        443,
    );
    assert_eq!(
        ruling.because,
        "6 NetworkPolicies isolate the pod, and none allows tcp:443 to 93.184.216.34"
    );
    assert_eq!(ruling.others.len(), 6);
    let ruling = rule(
        &read(&tutorial()),
        Direction::Egress,
        &pod("team-x app=test"),
        &other("kube-system app=dns"),
        "tcp",
        443,
    );
    let dns = ruling
        .others
        .iter()
        .find(|(object, _)| object.name == "allow-egress-to-dns")
        .unwrap();
    assert_eq!(dns.1, "is for other ports");
    let ruling = rule(
        &read(&tutorial()),
        Direction::Ingress,
        &pod("team-x app=test"),
        &other("team-x app=a"),
        "tcp",
        80,
    );
    assert_eq!(ruling.because, "allows tcp:80 from pods of team-x");
    assert_eq!(ruling.others[0].1, "is about the other direction");
}

#[test]
fn what_is_not_covered_is_named() {
    let spec = json!({"egress": [{"to": [{"ipBlock": {"cidr": "x"}}], "ports": [{"port": 80}, {"port": 70000}]}]});
    let unknown: Vec<String> = read(&[policy("p", spec)])[0]
        .unknown
        .iter()
        .map(Unknown::to_string)
        .collect();
    assert_eq!(
        unknown,
        [
            "NetworkPolicy team-x/p spec.egress[0].to[0].ipBlock",
            "NetworkPolicy team-x/p spec.egress[0].ports[1].port"
        ]
    );
    assert_eq!(NetworkPolicy::read(&json!({"spec": 1})), None);
}

proptest! {
    #[test]
    fn policies_have_no_order_and_further_ones_allow_no_less(order in Just(tutorial()).prop_shuffle(), left in 1..6_usize, port in prop::sample::select(vec![53_u16, 80, 988])) {
        for to in ["93.184.216.34", "199.36.153.8", "team-y app=a", "kube-system a=b"] {
            let ruled = |policies: &[Value]| rule(&read(policies), Direction::Egress, &pod("team-x app=test"), &other(to), "tcp", port);
            prop_assert_eq!(ruled(&order), ruled(&tutorial()));
            // Once a pod is isolated, every further policy can only allow more.
            prop_assert!(ruled(&order).passes || !ruled(&order[..left]).passes);
        }
    }
}
