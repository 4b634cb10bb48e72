//! What of a VPC network may decide about packets and is not modelled: firewall policies, routes and Cloud NAT. Only whether
//! they may concern a connection is judged; what they do is not.
//!
//! Routes and NAT are judged only where they were read. Cloud NAT's port limits, and what a next hop does with a packet, are
//! not judged.

use std::net::IpAddr;

use ipnet::IpNet;
use json::{list, text};
use serde_json::Value;

use super::firewall::Direction;
use super::internet::public;
use super::object::{Object, Unknown, texts};

/// The lowest priorities of a firewall policy: the rules that Google adds to each one, which pass everything on.
const DEFAULT_RULES: u64 = 2_147_483_644;

/// The ranges of Private Google Access: they are reached without Cloud NAT.
const GOOGLE: [&str; 2] = ["199.36.153.4/30", "199.36.153.8/30"];

/// How machines of the cluster's network reach other networks, as Google's API lists it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WayOut {
    /// The network's routes.
    pub routes: Vec<Value>,
    /// The network's routers in the cluster's region, with their NATs.
    pub routers: Vec<Value>,
    /// The link of the cluster's subnetwork.
    pub subnetwork: String,
    /// Whether the nodes have no external addresses.
    pub private_nodes: bool,
}

/// The rules of firewall policies that may concern a connection of the network's machines: those of its direction, protocol
/// and port whose ranges contain the other end, or say something else about it. A rule that passes a connection on decides
/// nothing.
pub fn doubtful_policies(
    policies: &[Value],
    direction: Direction,
    other: IpAddr,
    port: u16,
) -> Vec<Unknown> {
    let concerned = policies.iter().filter(|policy| {
        let mut rules = list(policy, "/rules");
        rules.any(|rule| may_apply(rule, direction, other, port))
    });
    let unknown = concerned.map(|policy| {
        let names = ["/shortName", "/displayName", "/name"].map(|name| text(policy, name));
        let name = names.into_iter().find(|name| !name.is_empty());
        Unknown {
            object: Object::new("firewallPolicy", "", name.unwrap_or_default()),
            field: String::new(),
        }
    });
    unknown.collect()
}

fn may_apply(rule: &Value, direction: Direction, other: IpAddr, port: u16) -> bool {
    let (way, ranges) = match direction {
        Direction::Egress => ("EGRESS", "/match/destIpRanges"),
        Direction::Ingress => ("INGRESS", "/match/srcIpRanges"),
    };
    let is_default = rule["priority"].as_u64().unwrap_or(0) >= DEFAULT_RULES;
    if rule["disabled"] == true
        || text(rule, "/direction") != way
        || text(rule, "/action") == "goto_next"
        || is_default
    {
        return false;
    }
    let traffic = list(rule, "/match/layer4Configs").any(|each| {
        let protocol = text(each, "/ipProtocol").to_ascii_lowercase();
        let within = |range: &String| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            match (first.parse::<u16>(), last.parse::<u16>()) {
                (Ok(first), Ok(last)) => (first..=last).contains(&port),
                _ => true,
            }
        };
        let ports = texts(each, "/ports");
        matches!(protocol.as_str(), "tcp" | "6" | "all")
            && (ports.is_empty() || ports.iter().any(within))
    });
    // A range that is not one, or no range at all, may contain the address.
    let ranges = texts(rule, ranges);
    let within = |range: &String| {
        range
            .parse::<IpNet>()
            .map_or(true, |range| range.contains(&other))
    };
    traffic && (ranges.is_empty() || ranges.iter().any(within))
}

impl WayOut {
    /// What may keep packets from an address outside the cluster: a route to something other than the internet, no route, or
    /// no Cloud NAT for nodes without external addresses. Packets that stay in the network follow routes that it makes itself.
    pub fn doubtful(&self, to: IpAddr) -> Option<Unknown> {
        let route = |each: &&Value| {
            text(each, "/destRange")
                .parse::<IpNet>()
                .is_ok_and(|range| range.contains(&to))
        };
        let length = |each: &Value| {
            text(each, "/destRange")
                .parse::<IpNet>()
                .map_or(0, |range| range.prefix_len())
        };
        let priority = |each: &Value| each["priority"].as_u64().unwrap_or(1000);
        let best = self
            .routes
            .iter()
            .filter(route)
            .min_by_key(|each| (u8::MAX - length(each), priority(each)));
        let unknown = |kind: &str, name: &str, field: &str| {
            Some(Unknown {
                object: Object::new(kind, "", name),
                field: field.to_owned(),
            })
        };
        let Some(best) = best else {
            return public(to)
                .then(|| unknown("route", &to.to_string(), "destRange"))
                .flatten();
        };
        let name = text(best, "/name");
        let next = best
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field.as_str());
        let mut next = next.filter(|field| field.starts_with("nextHop"));
        match next.next() {
            Some("nextHopNetwork") => None,
            Some("nextHopGateway")
                if text(best, "/nextHopGateway").ends_with("/default-internet-gateway") =>
            {
                let google = GOOGLE.iter().any(|range| {
                    range
                        .parse::<IpNet>()
                        .is_ok_and(|range| range.contains(&to))
                });
                match !self.private_nodes || google || !public(to) || self.translates() {
                    true => None,
                    false => unknown(
                        "subnetwork",
                        self.subnetwork.rsplit('/').next().unwrap_or_default(),
                        "no Cloud NAT is known for it",
                    ),
                }
            }
            Some(field) => unknown("route", name, field),
            None => unknown("route", name, "nextHop"),
        }
    }

    /// Whether a NAT is for the cluster's subnetwork, its nodes' range and its pods'.
    fn translates(&self) -> bool {
        let mut nats = self.routers.iter().flat_map(|router| list(router, "/nats"));
        nats.any(|nat| match text(nat, "/sourceSubnetworkIpRangesToNat") {
            "ALL_SUBNETWORKS_ALL_IP_RANGES" => true,
            "LIST_OF_SUBNETWORKS" => list(nat, "/subnetworks").any(|each| {
                let every =
                    texts(each, "/sourceIpRangesToNat").contains(&"ALL_IP_RANGES".to_owned());
                let last = |link: &str| link.rsplit('/').next().unwrap_or_default().to_owned();
                every && last(text(each, "/name")) == last(&self.subnetwork)
            }),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_of_a_policy_taints_what_it_may_concern() {
        let rule = |action: &str, direction: &str, ranges: Value, config: Value| {
            let field = if direction == "EGRESS" {
                "destIpRanges"
            } else {
                "srcIpRanges"
            };
            json!({"action": action, "direction": direction, "priority": 10, "match": {field: ranges, "layer4Configs": [config]}})
        };
        let all = json!({"ipProtocol": "all"});
        let web = json!({"ipProtocol": "tcp", "ports": ["80", "443-444"]});
        let anywhere = json!(["0.0.0.0/0"]);
        // (rule, taints egress to 93.184.216.34:80)
        for (rule, expected) in [
            (rule("deny", "EGRESS", anywhere.clone(), all.clone()), true),
            (rule("allow", "EGRESS", anywhere.clone(), web.clone()), true),
            (
                rule("deny", "INGRESS", anywhere.clone(), all.clone()),
                false,
            ),
            (
                rule("goto_next", "EGRESS", anywhere.clone(), all.clone()),
                false,
            ),
            (
                rule("deny", "EGRESS", json!(["10.0.0.0/8"]), all.clone()),
                false,
            ),
            (rule("deny", "EGRESS", json!([]), all.clone()), true),
            (rule("deny", "EGRESS", json!(["what"]), all), true),
            (
                rule(
                    "deny",
                    "EGRESS",
                    anywhere.clone(),
                    json!({"ipProtocol": "udp"}),
                ),
                false,
            ),
            (
                rule(
                    "deny",
                    "EGRESS",
                    anywhere,
                    json!({"ipProtocol": "tcp", "ports": ["8080"]}),
                ),
                false,
            ),
        ] {
            let policies = [json!({"shortName": "org", "rules": [rule]})];
            let found =
                doubtful_policies(&policies, Direction::Egress, [93, 184, 216, 34].into(), 80);
            assert_eq!(!found.is_empty(), expected, "{rule}");
            assert!(
                found
                    .iter()
                    .all(|each| each.to_string() == "firewallPolicy org")
            );
        }
    }

    #[test]
    fn the_way_out_needs_a_route_and_a_nat() {
        let gateway = "projects/p/global/gateways/default-internet-gateway";
        let default = json!({"name": "default", "destRange": "0.0.0.0/0", "priority": 1000, "nextHopGateway": gateway});
        let vpn = |range: &str, priority: u64| json!({"name": "vpn", "destRange": range, "priority": priority, "nextHopVpnTunnel": "t"});
        let own =
            json!({"name": "own", "destRange": "10.0.0.0/8", "priority": 0, "nextHopNetwork": "n"});
        let nat = |more: Value| json!({"name": "r", "nats": [more]});
        let every = nat(json!({"sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}));
        let listed = |name: &str| {
            nat(
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS", "subnetworks": [{"name": name, "sourceIpRangesToNat": ["ALL_IP_RANGES"]}]}),
            )
        };
        let outside = "93.184.216.34";
        // (routes, routers, private nodes, address, what taints)
        for (routes, routers, private, to, expected) in [
            (
                vec![default.clone()],
                vec![every.clone()],
                true,
                outside,
                "",
            ),
            (
                vec![default.clone()],
                vec![listed("a/subnetworks/s")],
                true,
                outside,
                "",
            ),
            (
                vec![default.clone()],
                vec![listed("a/subnetworks/other")],
                true,
                outside,
                "subnetwork s no Cloud NAT is known for it",
            ),
            (
                vec![default.clone()],
                vec![],
                true,
                outside,
                "subnetwork s no Cloud NAT is known for it",
            ),
            (vec![default.clone()], vec![], false, outside, ""),
            (vec![default.clone()], vec![], true, "199.36.153.9", ""),
            (
                vec![],
                vec![every.clone()],
                true,
                outside,
                "route 93.184.216.34 destRange",
            ),
            (
                vec![default.clone(), vpn("93.184.0.0/16", 1000)],
                vec![every.clone()],
                true,
                outside,
                "route vpn nextHopVpnTunnel",
            ),
            (
                vec![default.clone(), vpn("0.0.0.0/0", 10)],
                vec![every.clone()],
                true,
                outside,
                "route vpn nextHopVpnTunnel",
            ),
            (
                vec![default, vpn("0.0.0.0/0", 2000), own],
                vec![every],
                true,
                "10.0.0.9",
                "",
            ),
        ] {
            let way = WayOut {
                routes,
                routers,
                subnetwork: "x/subnetworks/s".to_owned(),
                private_nodes: private,
            };
            let found = way
                .doubtful(to.parse().unwrap())
                .map(|each| each.to_string());
            assert_eq!(found.unwrap_or_default(), expected, "{way:?} {to}");
        }
    }
}
