//! Name resolution in the VPC: private zones of Cloud DNS first, then public names.
//!
//! A private zone takes over its whole name space: a name below the zone that is not in it does not exist, whatever the
//! public DNS answers. Of nested zones, the one with the longest name answers. Wildcards follow RFC 4592: a wildcard never
//! matches a name that exists, even with other records or only as the parent of an existing name. A CNAME is followed
//! wherever it leads, as resolvers do. Names of the cluster's Services are not resolved here: the cluster's own DNS knows
//! them first.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::internet;
use crate::object::{Object, Unknown, texts};
use crate::trace::Decision;

/// The metadata server of every Compute Engine VM.
pub const METADATA_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// The maximum length of a CNAME chain; Cloud DNS' own limit.
const CHAIN: usize = 16;

/// The content of a name in one set of records.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Addresses(Vec<IpAddr>),
    Alias(String),
    /// Records of another type: the name exists, but they give no address.
    Other,
}

/// A zone with its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The zone.
    pub object: Object,
    /// The DNS name, in lower case and without the trailing dot.
    pub name: String,
    /// The URLs of the networks in which it is visible; a public zone has none.
    pub networks: Vec<String>,
    /// The fields that are not covered.
    pub unknown: Vec<Unknown>,
    private: bool,
    records: Vec<(String, Data)>,
}

/// Fields of a zone that change where its names resolve and are not covered: another server answers.
const ELSEWHERE: [&str; 4] = [
    "forwardingConfig",
    "peeringConfig",
    "reverseLookupConfig",
    "serviceDirectoryConfig",
];

/// A name in lower case, without the trailing dot.
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
    /// Parses a zone in the form of `managedZones.get` with its record sets in the form of `resourceRecordSets.list`.
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

    /// The records of a name, and the name that owns them: the name itself or a wildcard. `None` if the name does not exist.
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
        // Only the wildcard of the closest existing parent counts.
        let parents = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
        let encloser = parents
            .take_while(|parent| below(parent, &self.name))
            .find(|parent| exists(parent))?;
        let wildcard = format!("*.{encloser}");
        let found: Vec<&Data> = of(&wildcard);
        (!found.is_empty()).then_some((wildcard, found))
    }
}

/// The result of a resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The addresses in the order of the records, IPv4 first; none if the name does not resolve.
    pub addresses: Vec<IpAddr>,
    /// The zone that decided, and why.
    pub ruling: Decision,
}

impl Resolution {
    /// The same result, after these steps.
    pub fn after(mut self, mut path: Vec<String>) -> Resolution {
        path.push(self.ruling.because);
        self.ruling.because = path.join(", ");
        self
    }
}

/// A result that an object decides.
pub fn found(addresses: Vec<IpAddr>, by: Option<&Object>, because: String) -> Resolution {
    let mut found = told(&[], None, Vec::new(), addresses, because);
    found.ruling.by = by.cloned();
    found
}

/// A name that does not resolve.
pub fn nothing(because: &str) -> Resolution {
    found(Vec::new(), None, because.to_owned())
}

/// Resolves a name for a machine in the network. `zones` are those that are visible to this network.
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

/// Resolves a name for a machine outside Google's network, which has no metadata server.
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

/// The private zone that answers for a name: of the zones that contain it, the one with the longest name.
fn answering<'a>(zones: &'a [Zone], name: &str) -> Option<&'a Zone> {
    let holding = zones
        .iter()
        .filter(|zone| zone.private && below(name, &zone.name));
    holding.max_by_key(|zone| (zone.name.len(), &zone.object))
}

/// The result for a name that no zone answers.
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
            together: None,
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
