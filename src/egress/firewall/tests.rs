//! Cases of firewall rules, including the tutorial's.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn machine(account: &str, tags: &[&str]) -> Machine {
    Machine {
        address: None,
        service_accounts: vec![format!("{account}@p.iam.gserviceaccount.com")],
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    }
}

/// The tutorial's rules, as gcloud sends them.
fn tutorial() -> Vec<Value> {
    let both = json!([
        "sa-application-nodes@p.iam.gserviceaccount.com",
        "sa-gateway-nodes@p.iam.gserviceaccount.com"
    ]);
    let tcp = |port: &str| json!({"IPProtocol": "tcp", "ports": [port]});
    vec![
        json!({"name": "global-deny-egress-all", "direction": "EGRESS", "priority": 65535, "denied": [{"IPProtocol": "all"}], "destinationRanges": ["0.0.0.0/0"]}),
        json!({"name": "gateway-allow-egress-web", "direction": "EGRESS", "priority": 1000, "allowed": [tcp("80"), tcp("443")],
            "targetServiceAccounts": ["sa-gateway-nodes@p.iam.gserviceaccount.com"]}),
        json!({"name": "allow-egress-to-api-server", "direction": "EGRESS", "priority": 1000, "allowed": [tcp("443"), tcp("10250")],
            "destinationRanges": ["10.5.0.0/28"], "targetServiceAccounts": both}),
        json!({"name": "allow-ingress-api-server-to-webhook", "direction": "INGRESS", "priority": 1000, "allowed": [tcp("15017")],
            "sourceRanges": ["10.5.0.0/28"], "targetServiceAccounts": both}),
        json!({"name": "allow-egress-nodes-and-pods", "direction": "EGRESS", "priority": 1000, "allowed": [{"IPProtocol": "all"}],
            "destinationRanges": ["10.0.0.0/24", "10.1.0.0/16"], "targetServiceAccounts": both}),
        json!({"name": "allow-egress-gcp-apis", "direction": "EGRESS", "priority": 1000, "allowed": [{"IPProtocol": "tcp"}],
            "destinationRanges": ["199.36.153.8/30"], "targetServiceAccounts": both}),
        json!({"name": "allow-ingress-gcp-health-checker", "direction": "INGRESS", "priority": 1000, "allowed": [tcp("80"), tcp("443")],
            "sourceRanges": ["35.191.0.0/16", "130.211.0.0/22"], "targetServiceAccounts": both}),
    ]
}

fn read(rules: &[Value]) -> Vec<Firewall> {
    rules.iter().filter_map(Firewall::read).collect()
}

fn decided(
    rules: &[Value],
    direction: Direction,
    machine: &Machine,
    other: &str,
    protocol: &str,
    port: u16,
) -> Decision {
    rule(
        &read(rules),
        direction,
        machine,
        other.parse().unwrap(),
        None,
        protocol,
        port,
    )
}

#[test]
fn the_tutorials_rules_let_gateway_nodes_alone_to_the_web() {
    use Direction::{Egress, Ingress};
    let (app, gateway, other) = ("sa-application-nodes", "sa-gateway-nodes", "default");
    // (direction, account, other end, protocol, port, passes, deciding rule)
    let cases = [
        (
            Egress,
            gateway,
            "93.184.216.34",
            "tcp",
            80,
            true,
            "gateway-allow-egress-web",
        ),
        (
            Egress,
            gateway,
            "93.184.216.34",
            "tcp",
            443,
            true,
            "gateway-allow-egress-web",
        ),
        (
            Egress,
            gateway,
            "93.184.216.34",
            "tcp",
            8080,
            false,
            "global-deny-egress-all",
        ),
        (
            Egress,
            gateway,
            "93.184.216.34",
            "udp",
            443,
            false,
            "global-deny-egress-all",
        ),
        (
            Egress,
            app,
            "93.184.216.34",
            "tcp",
            443,
            false,
            "global-deny-egress-all",
        ),
        (
            Egress,
            app,
            "199.36.153.11",
            "tcp",
            443,
            true,
            "allow-egress-gcp-apis",
        ),
        (
            Egress,
            app,
            "199.36.153.12",
            "tcp",
            443,
            false,
            "global-deny-egress-all",
        ),
        (
            Egress,
            app,
            "199.36.153.8",
            "udp",
            443,
            false,
            "global-deny-egress-all",
        ),
        (
            Egress,
            other,
            "199.36.153.8",
            "tcp",
            443,
            false,
            "global-deny-egress-all",
        ),
        (
            Egress,
            app,
            "10.1.200.3",
            "tcp",
            8080,
            true,
            "allow-egress-nodes-and-pods",
        ),
        (
            Egress,
            app,
            "10.0.0.255",
            "17",
            53,
            true,
            "allow-egress-nodes-and-pods",
        ),
        (
            Egress,
            app,
            "10.5.0.2",
            "tcp",
            443,
            true,
            "allow-egress-to-api-server",
        ),
        (
            Egress,
            app,
            "10.5.0.2",
            "tcp",
            8132,
            false,
            "global-deny-egress-all",
        ),
        (Egress, app, "169.254.169.254", "tcp", 80, true, ""),
        (Egress, other, "2600::1", "tcp", 443, true, ""),
        (
            Ingress,
            app,
            "10.5.0.2",
            "tcp",
            15017,
            true,
            "allow-ingress-api-server-to-webhook",
        ),
        (
            Ingress,
            app,
            "35.191.3.4",
            "TCP",
            80,
            true,
            "allow-ingress-gcp-health-checker",
        ),
        (Ingress, app, "93.184.216.34", "tcp", 80, false, ""),
    ];
    for (direction, account, other, protocol, port, passes, by) in cases {
        let ruling = decided(
            &tutorial(),
            direction,
            &machine(account, &[]),
            other,
            protocol,
            port,
        );
        let found = ruling.by.map(|object| object.name).unwrap_or_default();
        assert_eq!(
            (ruling.passes, found.as_str()),
            (passes, by),
            "{account} {other} {protocol}:{port}"
        );
    }
}

#[test]
fn a_ruling_says_why_and_why_not_the_others() {
    let ruling = decided(
        &tutorial(),
        Direction::Egress,
        &machine("sa-gateway-nodes", &[]),
        "93.184.216.34",
        "tcp",
        80,
    );
    assert_eq!(
        ruling.because,
        "allows tcp:80 tcp:443 to 0.0.0.0/0 for machines of sa-gateway-nodes (priority 1000)"
    );
    let others: Vec<String> = ruling
        .others
        .iter()
        .map(|(object, why)| format!("{} {why}", object.name))
        .collect();
    assert_eq!(
        others,
        [
            "allow-egress-gcp-apis is to 199.36.153.8/30, and not 93.184.216.34",
            "allow-egress-nodes-and-pods is to 10.0.0.0/24 10.1.0.0/16, and not 93.184.216.34",
            "allow-egress-to-api-server is to 10.5.0.0/28, and not 93.184.216.34",
            "global-deny-egress-all has priority 65535, after 1000",
        ]
    );
    let ruling = decided(
        &tutorial(),
        Direction::Egress,
        &machine("sa-application-nodes", &[]),
        "93.184.216.34",
        "tcp",
        80,
    );
    assert_eq!(ruling.because, "denies all to 0.0.0.0/0 (priority 65535)");
    let web = ruling
        .others
        .iter()
        .find(|(object, _)| object.name == "gateway-allow-egress-web")
        .unwrap();
    assert_eq!(web.1, "applies only to machines of sa-gateway-nodes");
}

#[test]
fn priorities_tags_and_ports_decide() {
    let allow = |more: Value| {
        let mut rule = json!({"name": "allow", "direction": "EGRESS", "allowed": [{"IPProtocol": "tcp", "ports": ["8000-8100", "443"]}]});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        rule
    };
    let deny = |priority: u64| json!({"name": "deny", "direction": "EGRESS", "priority": priority, "denied": [{"IPProtocol": "tcp"}]});
    // (rules, port, passes, substring of the reason)
    let cases = [
        (vec![allow(json!({})), deny(1000)], 443, false, "denies tcp"),
        (
            vec![allow(json!({})), deny(1001)],
            443,
            true,
            "priority 1000",
        ),
        (
            vec![allow(json!({"priority": 0})), deny(1)],
            8050,
            true,
            "tcp:8000-8100,443",
        ),
        (
            vec![allow(json!({"disabled": true})), deny(9)],
            443,
            false,
            "denies",
        ),
        (
            vec![allow(json!({"targetTags": ["web"]})), deny(2000)],
            443,
            true,
            "for machines tagged web",
        ),
        (
            vec![allow(json!({"targetTags": ["db"]})), deny(2000)],
            443,
            false,
            "denies",
        ),
        (vec![allow(json!({})), deny(2000)], 8101, false, "denies"),
        (vec![], 443, true, "egress is allowed"),
    ];
    for (rules, port, passes, because) in cases {
        let ruling = decided(
            &rules,
            Direction::Egress,
            &machine("a", &["web"]),
            "192.0.2.1",
            "tcp",
            port,
        );
        assert_eq!(ruling.passes, passes, "{rules:?}");
        assert!(ruling.because.contains(because), "{}", ruling.because);
    }
}

#[test]
fn a_way_in_may_name_its_callers() {
    let rules = read(&[
        json!({"name": "in", "direction": "INGRESS", "allowed": [{"IPProtocol": "tcp"}],
        "sourceServiceAccounts": ["sa@p.iam.gserviceaccount.com"], "sourceTags": ["caller"]}),
    ]);
    let from = |caller: Option<&Machine>| {
        let other = "10.0.0.9".parse().unwrap();
        rule(
            &rules,
            Direction::Ingress,
            &Machine::default(),
            other,
            caller,
            "tcp",
            80,
        )
        .passes
    };
    assert!(from(Some(&machine("sa", &[]))));
    assert!(from(Some(&machine("x", &["caller"]))));
    assert!(!from(Some(&machine("x", &[]))));
    assert!(!from(None));
}

#[test]
fn what_is_not_covered_is_named() {
    let rule = Firewall::read(
        &json!({"name": "r", "direction": "EGRESS", "sourceRanges": ["10.0.0.0/8", "y"], "destinationRanges": ["x", "1.2.3.4"]}),
    );
    let unknown: Vec<String> = rule
        .unwrap()
        .unknown
        .iter()
        .map(Unknown::to_string)
        .collect();
    assert_eq!(
        unknown,
        [
            "firewall r destinationRanges[0]",
            "firewall r sourceRanges[1]"
        ]
    );
}

#[test]
fn a_rule_may_restrict_both_ends() {
    let rule = |direction: &str, own: &str, other: &str| json!({"name": "r", "direction": direction, "priority": 1, "denied": [{"IPProtocol": "all"}], own: ["10.1.0.0/24"], other: ["0.0.0.0/0"]});
    let out = rule("EGRESS", "sourceRanges", "destinationRanges");
    let into = rule("INGRESS", "destinationRanges", "sourceRanges");
    let allow = json!({"name": "a", "direction": "INGRESS", "priority": 2, "allowed": [{"IPProtocol": "all"}], "sourceRanges": ["0.0.0.0/0"]});
    // (rule, direction, the machine's own address, whether a connection passes)
    for (rule, direction, own, passes) in [
        (&out, Direction::Egress, Some([10, 1, 0, 7]), false),
        (&out, Direction::Egress, Some([10, 1, 1, 7]), true),
        (&out, Direction::Egress, None, false),
        (&into, Direction::Ingress, Some([10, 1, 0, 7]), false),
        (&into, Direction::Ingress, Some([10, 1, 1, 7]), true),
    ] {
        let machine = Machine {
            address: own.map(std::net::IpAddr::from),
            ..machine("x", &[])
        };
        let rules = [rule.clone(), allow.clone()];
        let found = decided(&rules, direction, &machine, "203.0.113.7", "tcp", 80);
        assert_eq!(found.passes, passes, "{rule} {own:?}");
    }
}

proptest! {
    #[test]
    fn the_order_of_rules_does_not_matter(order in Just(tutorial()).prop_shuffle(), port in prop::sample::select(vec![53, 80, 443, 15017])) {
        for other in ["93.184.216.34", "10.1.0.1", "199.36.153.8", "10.5.0.1"] {
            for account in ["sa-gateway-nodes", "sa-application-nodes", "x"] {
                let found = |rules: &[Value]| decided(rules, Direction::Egress, &machine(account, &[]), other, "tcp", port);
                prop_assert_eq!(found(&order), found(&tutorial()));
            }
        }
    }

    #[test]
    fn without_a_denial_no_less_passes(index in 0..7_usize, port in 0..u16::MAX) {
        let mut fewer = tutorial();
        let gone = fewer.remove(index);
        for other in ["93.184.216.34", "10.1.0.1"] {
            let passes = |rules: &[Value]| decided(rules, Direction::Egress, &machine("sa-gateway-nodes", &[]), other, "tcp", port).passes;
            match gone["denied"].is_array() {
                true => prop_assert!(passes(&fewer) || !passes(&tutorial())),
                false => prop_assert!(passes(&tutorial()) || !passes(&fewer)),
            }
        }
    }
}
