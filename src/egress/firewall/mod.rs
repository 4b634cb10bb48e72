//! VPC firewall rules: which connections a machine may open or accept.
//!
//! The lowest priority number decides; at equal priority a deny rule decides. Without a matching rule, egress is allowed and
//! ingress is denied. Hierarchical firewall *policies* of folders and organisations are not read, nor is what Google always
//! blocks (egress to port 25).

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::dns::METADATA_SERVER;
use crate::object::{Object, Unknown, texts};
use crate::trace::Decision;

/// A machine, with the properties that rules match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The service accounts of the machine; at most one today.
    pub service_accounts: Vec<String>,
    /// Its network tags.
    pub tags: Vec<String>,
    /// The address at its own end of the connection, which may be that of a pod; `None` if it is not known.
    pub address: Option<IpAddr>,
}

/// The direction of a connection, from the machine's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the machine.
    Egress,
    /// To the machine.
    Ingress,
}

/// The protocol and the ports of a rule's entry; no ports mean all ports.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Traffic {
    protocol: String,
    ports: Vec<(u16, u16)>,
}

/// An enabled firewall rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// The rule.
    pub object: Object,
    /// The URL of its network.
    pub network: String,
    /// The fields that are not covered.
    pub unknown: Vec<Unknown>,
    direction: Direction,
    priority: u32,
    denies: bool,
    traffic: Vec<Traffic>,
    /// The addresses of the other end.
    ranges: Vec<IpNet>,
    /// The addresses of the machine's own end; without any, every address.
    own_ranges: Vec<IpNet>,
    source_accounts: Vec<String>,
    source_tags: Vec<String>,
    target_accounts: Vec<String>,
    target_tags: Vec<String>,
}

/// The priority of a rule that states none.
const DEFAULT_PRIORITY: u64 = 1000;

/// A protocol by name; the API also accepts IANA's protocol numbers.
fn protocol(name: &str) -> String {
    let numbers = [
        ("1", "icmp"),
        ("6", "tcp"),
        ("17", "udp"),
        ("50", "esp"),
        ("51", "ah"),
        ("94", "ipip"),
        ("132", "sctp"),
    ];
    let name = name.to_ascii_lowercase();
    let known = numbers.iter().find(|(number, _)| *number == name);
    known.map_or(name, |(_, known)| (*known).to_owned())
}

/// A port or a range of ports: `80`, `8000-8100`.
fn ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

impl Traffic {
    fn read(entry: &Value) -> Traffic {
        // Invalid ports match no connection, not every connection.
        let nothing = (1, 0);
        let stated = texts(entry, "/ports");
        Traffic {
            protocol: protocol(entry["IPProtocol"].as_str().unwrap_or_default()),
            ports: stated
                .iter()
                .map(|text| ports(text).unwrap_or(nothing))
                .collect(),
        }
    }

    fn covers(&self, protocol: &str, port: u16) -> bool {
        let ports = self.ports.is_empty()
            || self
                .ports
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&port));
        self.protocol == "all" || self.protocol == protocol && ports
    }

    fn text(&self) -> String {
        let ports = self.ports.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        match ports.collect::<Vec<_>>().join(",") {
            ports if ports.is_empty() => self.protocol.clone(),
            ports => format!("{}:{ports}", self.protocol),
        }
    }
}

impl Firewall {
    /// Parses a rule in the form of `firewalls.get`, or of a create request. `None` for a disabled rule, which never applies.
    pub fn read(rule: &Value) -> Option<Firewall> {
        if rule["disabled"] == true {
            return None;
        }
        let text = |field: &str| rule[field].as_str().unwrap_or_default();
        let object = Object::new("firewall", "", text("name"));
        let egress = text("direction") == "EGRESS";
        let (other, own) = match egress {
            true => ("destinationRanges", "sourceRanges"),
            false => ("sourceRanges", "destinationRanges"),
        };
        let mut fields = Vec::new();
        let mut read = |field: &str| {
            let mut ranges: Vec<IpNet> = Vec::new();
            for (index, text) in texts(rule, &format!("/{field}")).iter().enumerate() {
                match text
                    .parse::<IpNet>()
                    .ok()
                    .or_else(|| Some(text.parse::<IpAddr>().ok()?.into()))
                {
                    Some(range) => ranges.push(range),
                    None => fields.push(format!("{field}[{index}]")),
                }
            }
            ranges
        };
        // Since 2022 a rule may restrict both ends.
        let (mut ranges, own_ranges) = (read(other), read(own));
        let list = |field: &str| texts(rule, &format!("/{field}"));
        let (source_accounts, source_tags) = (list("sourceServiceAccounts"), list("sourceTags"));
        let stated = [&source_accounts, &source_tags]
            .iter()
            .any(|list| !list.is_empty());
        // A rule that states no other end applies to every IPv4 address: the server fills this in.
        if ranges.is_empty() && fields.is_empty() && (egress || !stated) {
            ranges.extend("0.0.0.0/0".parse::<IpNet>().ok());
        }
        let denies = rule["denied"].is_array();
        let entries = rule[if denies { "denied" } else { "allowed" }].as_array();
        Some(Firewall {
            network: text("network").to_owned(),
            unknown: fields
                .into_iter()
                .map(|field| Unknown {
                    object: object.clone(),
                    field,
                })
                .collect(),
            direction: if egress {
                Direction::Egress
            } else {
                Direction::Ingress
            },
            priority: u32::try_from(rule["priority"].as_u64().unwrap_or(DEFAULT_PRIORITY))
                .unwrap_or(u32::MAX),
            denies,
            traffic: entries.into_iter().flatten().map(Traffic::read).collect(),
            ranges,
            own_ranges,
            source_accounts,
            source_tags,
            target_accounts: list("targetServiceAccounts"),
            target_tags: list("targetTags"),
            object,
        })
    }

    /// Whether it tests the machine's own address too.
    pub fn restricts_both(&self) -> bool {
        !self.own_ranges.is_empty()
    }

    /// Why the rule does not apply; `None` if it applies.
    fn not_for(&self, asked: &FirewallQuery<'_>) -> Option<String> {
        let machine = asked.machine;
        let shares = |own: &[String], others: &[String]| own.iter().any(|one| others.contains(one));
        let everybody = self.target_accounts.is_empty() && self.target_tags.is_empty();
        if !everybody
            && !shares(&self.target_accounts, &machine.service_accounts)
            && !shares(&self.target_tags, &machine.tags)
        {
            return Some(format!("applies only to machines {}", self.target()));
        }
        let own = machine.address;
        let here = |range: &IpNet| own.is_none_or(|own| range.contains(&own));
        if self.restricts_both() && !self.own_ranges.iter().any(here) {
            let ranges: Vec<String> = self.own_ranges.iter().map(IpNet::to_string).collect();
            return Some(format!("applies only to addresses in {}", ranges.join(" ")));
        }
        let known = asked.other_machine.is_some_and(|other| {
            shares(&self.source_accounts, &other.service_accounts)
                || shares(&self.source_tags, &other.tags)
        });
        let address = self.ranges.iter().any(|range| range.contains(&asked.other));
        if !(address || self.direction == Direction::Ingress && known) {
            return Some(format!(
                "is {} {}, and not {}",
                self.way(),
                self.other_end(),
                asked.other
            ));
        }
        if !self
            .traffic
            .iter()
            .any(|traffic| traffic.covers(&asked.protocol, asked.port))
        {
            return Some(format!("is for {}", self.traffic()));
        }
        None
    }

    fn way(&self) -> &'static str {
        match self.direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        }
    }

    fn traffic(&self) -> String {
        let texts: Vec<String> = self.traffic.iter().map(Traffic::text).collect();
        texts.join(" ")
    }

    fn other_end(&self) -> String {
        let ranges = self.ranges.iter().map(IpNet::to_string);
        let accounts = self
            .source_accounts
            .iter()
            .chain(&self.source_tags)
            .cloned();
        ranges.chain(accounts).collect::<Vec<_>>().join(" ")
    }

    /// The machines of the rule, as text: accounts without their domain.
    fn target(&self) -> String {
        let accounts = self
            .target_accounts
            .iter()
            .map(|account| account.split('@').next().unwrap_or(account));
        let accounts: Vec<&str> = accounts.collect();
        match self.target_tags.is_empty() {
            true => format!("of {}", accounts.join(" ")),
            false => format!("tagged {}", self.target_tags.join(" ")),
        }
    }

    fn because(&self) -> String {
        let verb = if self.denies { "denies" } else { "allows" };
        let target = match self.target_accounts.is_empty() && self.target_tags.is_empty() {
            true => String::new(),
            false => format!(" for machines {}", self.target()),
        };
        let (traffic, way, other, priority) =
            (self.traffic(), self.way(), self.other_end(), self.priority);
        format!("{verb} {traffic} {way} {other}{target} (priority {priority})")
    }
}

/// What is not covered of the rules that may apply to a machine's connection: those for its direction, its protocol and port
/// and the machine itself.
pub fn doubtful<'r>(
    rules: &'r [Firewall],
    direction: Direction,
    machine: &'r Machine,
    protocol: &'r str,
    port: u16,
) -> impl Iterator<Item = &'r Unknown> {
    let may_apply = move |rule: &&Firewall| {
        let shares = |own: &[String], of: &[String]| own.iter().any(|one| of.contains(one));
        let everybody = rule.target_accounts.is_empty() && rule.target_tags.is_empty();
        let target = everybody
            || shares(&rule.target_accounts, &machine.service_accounts)
            || shares(&rule.target_tags, &machine.tags);
        let mut traffic = rule.traffic.iter();
        rule.direction == direction && target && traffic.any(|each| each.covers(protocol, port))
    };
    let doubtful = rules.iter().filter(|rule| !rule.unknown.is_empty());
    doubtful.filter(may_apply).flat_map(|rule| &rule.unknown)
}

/// A connection that is checked against the rules.
struct FirewallQuery<'a> {
    machine: &'a Machine,
    other: IpAddr,
    other_machine: Option<&'a Machine>,
    protocol: String,
    port: u16,
}

/// The decision for a connection to the internet from a machine without a way there.
pub fn no_way() -> Decision {
    Decision {
        passes: false,
        ..beside(
            "the nodes have no external address and no Cloud NAT serves them, so nothing leaves the VPC",
        )
    }
}

/// The decision for a connection that meets no firewall, with the reason in a clause.
pub fn beside(because: &str) -> Decision {
    Decision {
        passes: true,
        by: None,
        because: because.to_owned(),
        others: Vec::new(),
        together: None,
    }
}

/// Decides about a connection with a protocol (`tcp`, `udp`, ...) between `machine` and the address `other`; `other_machine`
/// is the machine at that address, if it is in the network; `port` is the destination port.
pub fn rule(
    rules: &[Firewall],
    direction: Direction,
    machine: &Machine,
    other: IpAddr,
    other_machine: Option<&Machine>,
    protocol_name: &str,
    port: u16,
) -> Decision {
    let passes = |because: &str| Decision {
        passes: true,
        by: None,
        because: because.to_owned(),
        others: Vec::new(),
        together: None,
    };
    if other == METADATA_SERVER && direction == Direction::Egress {
        return passes("no firewall rule applies between a machine and its metadata server");
    }
    if other.is_loopback() {
        return passes("it does not leave the machine");
    }
    let protocol = protocol(protocol_name);
    let asked = FirewallQuery {
        machine,
        other,
        other_machine,
        protocol,
        port,
    };
    let mut asked_of: Vec<&Firewall> = rules
        .iter()
        .filter(|rule| rule.direction == direction)
        .collect();
    asked_of.sort_by_key(|rule| (rule.priority, Reverse(rule.denies), &rule.object));
    let mut by: Option<&Firewall> = None;
    let mut others = Vec::new();
    for rule in asked_of {
        let why_not = match (rule.not_for(&asked), by) {
            (Some(why_not), _) => why_not,
            (None, None) => {
                by = Some(rule);
                continue;
            }
            (None, Some(by)) if by.priority < rule.priority => {
                format!("has priority {}, after {}", rule.priority, by.priority)
            }
            (None, Some(by)) if by.denies != rule.denies => {
                "allows, but a deny rule of the same priority takes precedence".to_owned()
            }
            (None, Some(_)) => "has the same effect".to_owned(),
        };
        others.push((rule.object.clone(), why_not));
    }
    let default = match direction {
        Direction::Egress => "no rule matches, and egress is allowed by default",
        Direction::Ingress => "no rule allows it, and ingress is denied by default",
    };
    Decision {
        passes: by.map_or(direction == Direction::Egress, |by| !by.denies),
        because: by.map_or_else(|| default.to_owned(), Firewall::because),
        by: by.map(|by| by.object.clone()),
        others,
        together: None,
    }
}

#[cfg(test)]
mod tests;
