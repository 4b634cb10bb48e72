//! The ingress rules of a network for a control plane, read from the world. [`super::reach`] evaluates them.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::reach::Inbound;
use crate::names;
use crate::world::World;

/// The rules of a network (`projects/p/global/networks/n`) for TCP from all of `range`, in the order in which they decide.
pub fn inbound(world: &World, network: &str, range: Ipv4Net) -> Vec<Inbound> {
    let project = names::segment(network, "projects").unwrap_or_default();
    let rules = names::key("compute", &format!("projects/{project}/global/firewalls"));
    let mut found: Vec<(i64, Inbound)> = world
        .list(&rules)
        .into_iter()
        .filter(|(_, rule)| rule["direction"] == "INGRESS" && rule["disabled"] != true)
        .filter(|(_, rule)| rule["network"].as_str().map(names::path) == Some(network))
        .filter(|(_, rule)| {
            texts(&rule["sourceRanges"])
                .iter()
                .filter_map(|source| source.parse::<Ipv4Net>().ok())
                .any(|source| source.contains(&range))
        })
        .map(|(_, rule)| (rule["priority"].as_i64().unwrap_or(1000), read(rule)))
        .collect();
    // Of rules of one priority those that deny come first.
    found.sort_by_key(|(priority, rule)| (*priority, rule.allows));
    found.into_iter().map(|(_, rule)| rule).collect()
}

fn read(rule: &Value) -> Inbound {
    let allows = rule["allowed"].is_array();
    let lines = &rule[if allows { "allowed" } else { "denied" }];
    let tcp = lines.as_array().into_iter().flatten().filter(|line| {
        let protocol = line["IPProtocol"].as_str().unwrap_or_default();
        matches!(protocol, "tcp" | "6" | "all")
    });
    let ports = tcp.flat_map(|line| match texts(&line["ports"]) {
        none if none.is_empty() => vec![(0, u16::MAX)],
        some => some.iter().filter_map(|text| span(text)).collect(),
    });
    Inbound {
        allows,
        ports: ports.collect(),
        targets: [
            texts(&rule["targetServiceAccounts"]),
            texts(&rule["targetTags"]),
        ]
        .concat(),
    }
}

/// `443`, `8000-9000`.
fn span(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::reach::is_open;

    fn world(rules: &[Value]) -> World {
        let mut world = World::default();
        for (n, rule) in rules.iter().enumerate() {
            let mut stored = json!({"direction": "INGRESS", "priority": 1000, "disabled": false, "sourceRanges": ["10.5.0.0/28"],
                "network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/n"});
            for (field, value) in rule.as_object().unwrap() {
                stored[field] = value.clone();
            }
            world.put(
                format!("//compute.googleapis.com/projects/p/global/firewalls/r{n}"),
                stored,
            );
        }
        world
    }

    #[test]
    fn the_first_rule_about_a_port_of_a_machine_decides() {
        let webhook = json!({"allowed": [{"IPProtocol": "tcp", "ports": ["15017"]}], "targetServiceAccounts": ["sa@p"]});
        let with = |field: &str, value: Value| {
            let mut rule = webhook.clone();
            rule[field] = value;
            rule
        };
        let tcp = json!([{"IPProtocol": "tcp"}]);
        let udp = json!([{"IPProtocol": "udp"}]);
        let elsewhere = json!("https://www.googleapis.com/compute/v1/projects/p/global/networks/m");
        let cases = [
            (vec![], false),
            (vec![webhook.clone()], true),
            (vec![with("direction", json!("EGRESS"))], false),
            (vec![with("disabled", json!(true))], false),
            (vec![with("network", elsewhere)], false),
            (vec![with("sourceRanges", json!(["10.5.0.0/29"]))], false),
            (vec![with("sourceRanges", json!(["10.0.0.0/8"]))], true),
            (
                vec![with("targetServiceAccounts", json!(["other@p"]))],
                false,
            ),
            (vec![with("targetServiceAccounts", json!([]))], true),
            (vec![with("allowed", tcp.clone())], true),
            (vec![with("allowed", udp)], false),
            (
                vec![with(
                    "allowed",
                    json!([{"IPProtocol": "tcp", "ports": ["15000-15020"]}]),
                )],
                true,
            ),
            (vec![webhook.clone(), json!({"denied": tcp})], false),
            (
                vec![webhook.clone(), json!({"denied": tcp, "priority": 1001})],
                true,
            ),
            (
                vec![webhook.clone(), json!({"denied": tcp, "priority": 999})],
                false,
            ),
        ];
        for (rules, open) in cases {
            let found = inbound(
                &world(&rules),
                "projects/p/global/networks/n",
                "10.5.0.0/28".parse().unwrap(),
            );
            assert_eq!(
                is_open(&found, &["sa@p".to_owned()], 15017),
                open,
                "{rules:?}"
            );
        }
    }
}
