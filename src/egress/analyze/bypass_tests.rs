//! Worlds in which an egress gateway can be bypassed, and worlds in which something holds the namespace.

use serde_json::{Value, json};

use super::tests::{change, clean, namespace, object};
use super::*;

/// The codes that have their cases here.
pub const CODES: &[Code] = &[
    Code::EgressGatewayCanBeBypassed,
    Code::EgressGatewayBypassUnknown,
];

/// The change of a world in which neither a policy nor a firewall rule holds `team`, and the namespaces that can bypass the gateway,
/// or of which it is not known (`?`).
type World = (
    &'static str,
    fn(&mut SnapshotInput),
    &'static [&'static str],
);

fn rule(name: &str, priority: u32, action: &str, tags: &[&str]) -> Value {
    json!({
        "name": name, "direction": "EGRESS", "priority": priority,
        "destinationRanges": ["0.0.0.0/0"], "targetTags": tags,
        action: [{"IPProtocol": "tcp"}],
    })
}

fn policy(name: &str, selector: Value, egress: Value) -> Value {
    let spec = json!({"podSelector": selector, "policyTypes": ["Egress"], "egress": egress});
    object("NetworkPolicy", name, spec)
}

fn without_policy(input: &mut SnapshotInput) {
    input
        .kubernetes
        .retain(|each| each["kind"] != "NetworkPolicy");
}

const WORLDS: &[World] = &[
    ("a policy that allows everything", |_| {}, &["team"]),
    ("no policy", without_policy, &["team"]),
    (
        "a policy that allows the gateway only",
        |input| {
            without_policy(input);
            let gateway = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "egress"}}});
            input
                .kubernetes
                .push(policy("team/out", json!({}), json!([{"to": [gateway]}])));
        },
        &[],
    ),
    (
        "a policy for other pods",
        |input| {
            without_policy(input);
            let others = json!({"matchLabels": {"app": "other"}});
            input.kubernetes.push(policy("team/out", others, json!([])));
        },
        &["team"],
    ),
    (
        "a policy of another namespace",
        |input| {
            without_policy(input);
            input
                .kubernetes
                .push(policy("egress/out", json!({}), json!([])));
        },
        &["team"],
    ),
    (
        "a policy for ingress",
        |input| {
            without_policy(input);
            let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
            input
                .kubernetes
                .push(object("NetworkPolicy", "team/in", spec));
        },
        &["team"],
    ),
    (
        "a policy that allows all addresses",
        |input| {
            without_policy(input);
            let all = json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]);
            input.kubernetes.push(policy("team/out", json!({}), all));
        },
        &["team"],
    ),
    (
        "a policy that allows a port of the hosts",
        |input| {
            without_policy(input);
            let all = json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443, "protocol": "TCP"}]}]);
            input.kubernetes.push(policy("team/out", json!({}), all));
        },
        &["team"],
    ),
    (
        "a policy that allows another port",
        |input| {
            without_policy(input);
            let all = json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 25, "protocol": "TCP"}]}]);
            input.kubernetes.push(policy("team/out", json!({}), all));
        },
        &[],
    ),
    (
        "a firewall rule that denies",
        |input| input.firewalls.push(rule("deny", 65000, "denied", &[])),
        &[],
    ),
    (
        "a firewall rule that denies, and one that allows the nodes",
        |input| {
            input
                .pools
                .push(json!({"name": "pool", "config": {"tags": ["node"]}}));
            input.firewalls.push(rule("deny", 65000, "denied", &[]));
            input
                .firewalls
                .push(rule("allow", 1000, "allowed", &["node"]));
        },
        &["team"],
    ),
    (
        "a firewall rule that denies, and one that allows other nodes",
        |input| {
            input
                .pools
                .push(json!({"name": "pool", "config": {"tags": ["node"]}}));
            input.firewalls.push(rule("deny", 65000, "denied", &[]));
            input
                .firewalls
                .push(rule("allow", 1000, "allowed", &["gateway"]));
        },
        &[],
    ),
    (
        "a firewall rule outside Google's networks",
        |input| {
            input.outside_vpc = true;
            input.firewalls.push(rule("deny", 65000, "denied", &[]));
        },
        &["team"],
    ),
    (
        "a Sidecar that closes all other hosts",
        |input| {
            change(&mut input.kubernetes, "Sidecar", "default")["spec"]["outboundTrafficPolicy"] =
                json!({"mode": "REGISTRY_ONLY"});
        },
        &["team"],
    ),
    (
        "no pods yet",
        |input| {
            input
                .kubernetes
                .retain(|each| each["metadata"]["name"] != "app-1");
        },
        &["team"],
    ),
    (
        "a namespace without sidecars",
        |input| {
            change(&mut input.kubernetes, "Namespace", "team")["metadata"]["labels"] =
                json!({"istio-injection": "disabled"});
        },
        &[],
    ),
    (
        "two namespaces, one of them held",
        |input| {
            without_policy(input);
            let on = json!({"istio-injection": "enabled"});
            input.kubernetes.push(namespace("held", on));
            input
                .kubernetes
                .push(policy("held/out", json!({}), json!([])));
        },
        &["team"],
    ),
    (
        "a gateway for a host of the mesh",
        |input| {
            change(&mut input.kubernetes, "ServiceEntry", "example")["spec"]["location"] =
                json!("MESH_INTERNAL");
        },
        &[],
    ),
    (
        "no gateway",
        |input| input.kubernetes.retain(|each| each["kind"] != "Gateway"),
        &[],
    ),
    (
        "a policy of Cilium",
        |input| {
            let mut policy = object("CiliumNetworkPolicy", "team/out", json!({}));
            policy["apiVersion"] = json!("cilium.io/v2");
            input.kubernetes.push(policy);
        },
        &["?team"],
    ),
    (
        "a policy of Cilium in another namespace",
        |input| {
            let mut policy = object("CiliumNetworkPolicy", "egress/out", json!({}));
            policy["apiVersion"] = json!("cilium.io/v2");
            input.kubernetes.push(policy);
        },
        &["team"],
    ),
];

#[test]
fn an_egress_gateway_can_be_bypassed_where_nothing_holds_the_namespace() {
    for (what, make, expected) in WORLDS {
        let mut input = SnapshotInput {
            kubernetes: clean(),
            ..SnapshotInput::default()
        };
        make(&mut input);
        let found = analyze_input(ControlPlane::Istiod, &input, None);
        let told = found.iter().filter_map(|finding| match finding.code {
            Code::EgressGatewayCanBeBypassed => Some(finding.object.name.clone()),
            Code::EgressGatewayBypassUnknown => Some(format!("?{}", finding.object.name)),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), *expected, "{what}: {found:#?}");
        // Without the firewall rules nothing is said.
        let alone = analyze(&input.kubernetes, None);
        assert!(
            !alone.iter().any(|finding| CODES.contains(&finding.code)),
            "{what}"
        );
    }
}

#[test]
fn the_finding_names_hosts_gateway_and_what_to_write() {
    let input = SnapshotInput {
        kubernetes: clean(),
        ..SnapshotInput::default()
    };
    let found = analyze_input(ControlPlane::Istiod, &input, Some("team"));
    let [finding] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert!(
        finding
            .message
            .starts_with("its pods can reach example.com without Gateway egress/out: "),
        "{}",
        finding.message
    );
    assert!(finding.instead.starts_with("a NetworkPolicy in team "));
}
