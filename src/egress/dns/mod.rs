//! Name resolution in the VPC: private zones of Cloud DNS before the internet's names.
//!
//! A private zone takes its whole name space over: what is below its name and not in it does not exist, whatever the internet
//! says. Of nested zones the one with the longest name answers. Wildcards follow RFC 4592: a name that exists, even with other
//! records or only as the parent of one that does, is never made up from a wildcard. A CNAME is followed wherever it leads, as
//! resolvers do. Names of the cluster's Services are not looked up here: the cluster's own DNS knows them first.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::internet;
use crate::object::{Object, Unknown, texts};
use crate::trace::Decision;

/// The metadata server of every machine of Google's.
pub const METADATA_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// How many CNAMEs are followed, one after the other; Cloud DNS' own limit.
const CHAIN: usize = 16;

/// What a name leads to in one set of records.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Addresses(Vec<IpAddr>),
    Alias(String),
    /// Records of another type: the name exists and has no address by them.
    Other,
}

/// A zone with its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The zone.
    pub object: Object,
    /// The name space, in small letters and without the dot at its end.
    pub name: String,
    /// The URLs of the networks that it answers; a public zone has none.
    pub networks: Vec<String>,
    /// What is in it and not covered.
    pub unknown: Vec<Unknown>,
    private: bool,
    records: Vec<(String, Data)>,
}

/// Fields of a zone that decide where its names lead and are not covered: it asks somebody else.
const ELSEWHERE: [&str; 4] = [
    "forwardingConfig",
    "peeringConfig",
    "reverseLookupConfig",
    "serviceDirectoryConfig",
];

/// A name in small letters, without the dot at its end.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a name is `zone` or below it.
fn below(name: &str, zone: &str) -> bool {
    zone.is_empty()
        || name == zone
        || name
            .strip_suffix(zone)
            .is_some_and(|rest| rest.ends_with('.'))
}

impl Zone {
    /// A zone as `managedZones.get` shows it, with its record sets as `resourceRecordSets.list` does.
    pub fn read(managed_zone: &Value, rrsets: &[Value]) -> Zone {
        let text = |field: &str| managed_zone[field].as_str().unwrap_or_default();
        let object = Object::new("managedZone", "", text("name"));
        let there = |field: &&&str| !managed_zone[**field].is_null();
        let mut fields: Vec<String> = ELSEWHERE
            .iter()
            .filter(there)
            .map(|&field| field.to_owned())
            .collect();
        let mut records = Vec::new();
        for set in rrsets {
            let name = plain(set["name"].as_str().unwrap_or_default());
            let kind = set["type"].as_str().unwrap_or_default();
            if !set["routingPolicy"].is_null() {
                fields.push(format!("rrsets[{name} {kind}].routingPolicy"));
            }
            let values = texts(set, "/rrdatas");
            let data = match (kind, values.first()) {
                ("A" | "AAAA", _) => {
                    Data::Addresses(values.iter().filter_map(|text| text.parse().ok()).collect())
                }
                ("CNAME", Some(target)) => Data::Alias(plain(target)),
                _ => Data::Other,
            };
            records.push((name, data));
        }
        let networks = managed_zone
            .pointer("/privateVisibilityConfig/networks")
            .and_then(Value::as_array);
        let networks = networks
            .into_iter()
            .flatten()
            .filter_map(|network| network["networkUrl"].as_str());
        Zone {
            name: plain(text("dnsName")),
            networks: networks.map(str::to_owned).collect(),
            unknown: fields
                .into_iter()
                .map(|field| Unknown {
                    object: object.clone(),
                    field,
                })
                .collect(),
            private: text("visibility") == "private",
            object,
            records,
        }
    }

    /// The records of a name, and the name that they stand under: its own or a wildcard. `None` where the name does not exist.
    fn lookup(&self, name: &str) -> Option<(String, Vec<&Data>)> {
        let exists =
            |name: &str| self.records.iter().any(|(own, _)| below(own, name)) || name == self.name;
        let of = |name: &str| {
            self.records
                .iter()
                .filter(|(own, _)| own == name)
                .map(|(_, data)| data)
                .collect()
        };
        if exists(name) {
            return Some((name.to_owned(), of(name)));
        }
        // The closest parent that exists is the only one whose wildcard counts.
        let parents = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
        let encloser = parents
            .take_while(|parent| below(parent, &self.name))
            .find(|parent| exists(parent))?;
        let wildcard = format!("*.{encloser}");
        let found: Vec<&Data> = of(&wildcard);
        (!found.is_empty()).then_some((wildcard, found))
    }
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The addresses, in the order of the records, those of IPv4 first; none where the name leads nowhere.
    pub addresses: Vec<IpAddr>,
    /// Which zone decided, and how.
    pub ruling: Decision,
}

/// Resolves a name as a machine in the network does. `zones` are those that answer this network.
pub fn resolve(zones: &[Zone], name: &str) -> Resolution {
    let mut name = plain(name);
    let mut path = Vec::new();
    let mut by: Option<&Zone> = None;
    for _ in 0..CHAIN {
        let Some(zone) = answering(zones, &name) else {
            let (addresses, because) = outside(&name);
            return told(zones, by, path, addresses, because);
        };
        by = Some(zone);
        let Some((owner, data)) = zone.lookup(&name) else {
            let because = format!(
                "{name} is not in private zone {}., which hides the internet's names below it",
                zone.name
            );
            return told(zones, by, path, Vec::new(), because);
        };
        if let Some(target) = data.iter().find_map(|data| match data {
            Data::Alias(target) => Some(target),
            _ => None,
        }) {
            path.push(format!("{owner} is an alias of {target}"));
            name.clone_from(target);
            continue;
        }
        let addresses = data.into_iter().filter_map(|data| match data {
            Data::Addresses(addresses) => Some(addresses.clone()),
            _ => None,
        });
        let mut addresses: Vec<IpAddr> = addresses.flatten().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        let because = match &addresses[..] {
            [] => format!("{owner} has no address in private zone {}.", zone.name),
            addresses => format!("{owner} is {}", list(addresses)),
        };
        return told(zones, by, path, addresses, because);
    }
    let because = format!("a chain of more than {CHAIN} CNAME records");
    told(zones, by, path, Vec::new(), because)
}

/// Resolves a name as a machine does that is none of Google's: it has no metadata server.
pub fn resolve_elsewhere(name: &str) -> Resolution {
    let name = plain(name);
    let (addresses, because) = match outside(&name) {
        (addresses, _) if addresses.contains(&METADATA_SERVER) => (
            Vec::new(),
            format!("only machines on Google Cloud resolve {name}"),
        ),
        found => found,
    };
    told(&[], None, Vec::new(), addresses, because)
}

/// The private zone that answers for a name: of those that hold it the one with the longest name.
fn answering<'a>(zones: &'a [Zone], name: &str) -> Option<&'a Zone> {
    let holding = zones
        .iter()
        .filter(|zone| zone.private && below(name, &zone.name));
    holding.max_by_key(|zone| (zone.name.len(), &zone.object))
}

/// What a name leads to that no zone answers for.
fn outside(name: &str) -> (Vec<IpAddr>, String) {
    if name == "metadata.google.internal" || name == "metadata" {
        return (
            vec![METADATA_SERVER],
            format!("{name} is the machine's metadata server"),
        );
    }
    match internet::address(name) {
        Some(address) => (
            vec![address],
            format!("no private zone answers for {name}; its public address is {address}"),
        ),
        None => (
            Vec::new(),
            format!("no private zone answers for {name}, and it is not a name of the internet"),
        ),
    }
}

fn told(
    zones: &[Zone],
    by: Option<&Zone>,
    mut path: Vec<String>,
    addresses: Vec<IpAddr>,
    because: String,
) -> Resolution {
    path.push(because);
    let others = zones
        .iter()
        .filter(|zone| by.is_none_or(|by| by.object != zone.object))
        .map(|zone| {
            let why = match zone.private {
                true => format!("answers for {}.", zone.name),
                false => "is public, so the network does not use it".to_owned(),
            };
            (zone.object.clone(), why)
        });
    let mut others: Vec<(Object, String)> = others.collect();
    others.sort();
    Resolution {
        ruling: Decision {
            passes: !addresses.is_empty(),
            by: by.map(|zone| zone.object.clone()),
            because: path.join(", "),
            others,
        },
        addresses,
    }
}

/// Addresses as a list in a sentence.
fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests;
