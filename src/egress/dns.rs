//! Name resolution in the VPC: private zones of Cloud DNS before the internet's names.
//!
//! A private zone takes its whole name space over: what is below its name and not in it does not exist, whatever the internet
//! says. Of nested zones the one with the longest name answers. Wildcards follow RFC 4592: a name that exists, even with other
//! records or only as the parent of one that does, is never made up from a wildcard. A CNAME is followed wherever it leads, as
//! resolvers do. Names of the cluster's Services are not looked up here: the cluster's own DNS knows them first.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use super::account::Ruling;
use super::internet;
use super::object::{Object, Unknown, texts};

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
    pub ruling: Ruling,
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
    let because = format!("more than {CHAIN} aliases one after the other");
    told(zones, by, path, Vec::new(), because)
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
                false => "is public: nobody in the network asks it".to_owned(),
            };
            (zone.object.clone(), why)
        });
    let mut others: Vec<(Object, String)> = others.collect();
    others.sort();
    Resolution {
        ruling: Ruling {
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
mod tests {
    use super::*;
    use serde_json::json;

    fn zone(
        name: &str,
        dns_name: &str,
        visibility: &str,
        records: &[(&str, &str, &[&str])],
    ) -> Zone {
        let zone = json!({"name": name, "dnsName": dns_name, "visibility": visibility});
        let sets = records.iter().map(
            |(name, kind, data)| json!({"name": name, "type": kind, "ttl": 300, "rrdatas": data}),
        );
        Zone::read(&zone, &sets.collect::<Vec<_>>())
    }

    const FOUR: &[&str] = &[
        "199.36.153.8",
        "199.36.153.9",
        "199.36.153.10",
        "199.36.153.11",
    ];

    fn tutorial() -> Vec<Zone> {
        let soa: (&str, &str, &[&str]) = (
            "googleapis.com.",
            "SOA",
            &["ns-gcp-private.googledomains.com. x 1 21600 3600 259200 300"],
        );
        vec![
            zone(
                "private-google-apis",
                "googleapis.com.",
                "private",
                &[
                    soa,
                    ("*.googleapis.com.", "CNAME", &["private.googleapis.com."]),
                    ("private.googleapis.com.", "A", FOUR),
                ],
            ),
            zone(
                "private-gcr-io",
                "gcr.io.",
                "private",
                &[("*.gcr.io.", "CNAME", &["gcr.io."]), ("gcr.io.", "A", FOUR)],
            ),
        ]
    }

    #[test]
    fn the_tutorials_zones_lead_to_private_google_access() {
        // (name, first address and how many, the zone, why)
        let cases = [
            (
                "storage.googleapis.com",
                Some(("199.36.153.8", 4)),
                "private-google-apis",
                "*.googleapis.com is an alias of private.googleapis.com, private.googleapis.com is 199.36.153.8 199.36.153.9",
            ),
            (
                "Private.GoogleAPIs.com.",
                Some(("199.36.153.8", 4)),
                "private-google-apis",
                "private.googleapis.com is 199.36.153.8",
            ),
            (
                "a.b.googleapis.com",
                Some(("199.36.153.8", 4)),
                "private-google-apis",
                "*.googleapis.com is an alias",
            ),
            // The zone has nothing but SOA and NS at its own name.
            (
                "googleapis.com",
                None,
                "private-google-apis",
                "googleapis.com has no address in private zone googleapis.com.",
            ),
            // The wildcard of the zone does not reach below a name that exists.
            (
                "x.private.googleapis.com",
                None,
                "private-google-apis",
                "x.private.googleapis.com is not in private zone",
            ),
            (
                "us.gcr.io",
                Some(("199.36.153.8", 4)),
                "private-gcr-io",
                "*.gcr.io is an alias of gcr.io",
            ),
            ("notgcr.invalid", None, "", "not a name"),
            (
                "example.com",
                Some(("93.184.216.34", 1)),
                "",
                "no private zone answers for example.com; its public address is 93.184.216.34",
            ),
            (
                "metadata.google.internal",
                Some(("169.254.169.254", 1)),
                "",
                "metadata server",
            ),
            ("no.such.invalid", None, "", "not a name of the internet"),
        ];
        for (name, expected, by, because) in cases {
            let found = resolve(&tutorial(), name);
            let first = found
                .addresses
                .first()
                .map(|first| (first.to_string(), found.addresses.len()));
            assert_eq!(
                first,
                expected.map(|(first, count)| (first.to_owned(), count)),
                "{name}"
            );
            assert!(
                found.ruling.because.contains(because),
                "{name}: {}",
                found.ruling.because
            );
            let zone = found
                .ruling
                .by
                .map(|object| object.name)
                .unwrap_or_default();
            assert_eq!(zone, by, "{name}");
        }
    }

    #[test]
    fn a_zone_holds_whole_labels() {
        assert_eq!(resolve(&tutorial(), "notgcr.io").ruling.by, None);
    }

    #[test]
    fn a_private_zone_hides_the_internet_below_its_name() {
        let zones = |more: Zone| [tutorial(), vec![more]].concat();
        let own = zone(
            "own",
            "example.com.",
            "private",
            &[("www.example.com.", "A", &["10.0.0.9"])],
        );
        assert!(
            resolve(&zones(own.clone()), "example.com")
                .addresses
                .is_empty()
        );
        let hidden = resolve(&zones(own), "api.example.com");
        assert!(hidden.addresses.is_empty());
        assert!(
            hidden.ruling.because.contains("hides the internet's names"),
            "{}",
            hidden.ruling.because
        );
        // A public zone is for others.
        let public = zone(
            "public",
            "example.com.",
            "public",
            &[("example.com.", "A", &["10.0.0.9"])],
        );
        let found = resolve(&zones(public), "example.com");
        assert_eq!(found.addresses[0].to_string(), "93.184.216.34");
        assert!(
            found
                .ruling
                .others
                .iter()
                .any(|(zone, why)| zone.name == "public" && why.starts_with("is public"))
        );
    }

    #[test]
    fn the_longest_zone_answers_and_aliases_lead_on() {
        let inner = zone(
            "inner",
            "storage.googleapis.com.",
            "private",
            &[
                ("storage.googleapis.com.", "AAAA", &["2600::1"]),
                ("storage.googleapis.com.", "A", &["10.9.9.9"]),
            ],
        );
        let aliases = zone(
            "aliases",
            "corp.test.",
            "private",
            &[
                ("out.corp.test.", "CNAME", &["example.com."]),
                ("in.corp.test.", "CNAME", &["storage.googleapis.com."]),
                ("round.corp.test.", "CNAME", &["round.corp.test."]),
                ("deep.under.corp.test.", "A", &["10.1.1.1"]),
                ("*.corp.test.", "A", &["10.2.2.2"]),
            ],
        );
        let mut zones = [tutorial(), vec![inner, aliases]].concat();
        let cases = [
            ("storage.googleapis.com", "10.9.9.9 2600::1"),
            ("in.corp.test", "10.9.9.9 2600::1"),
            ("out.corp.test", "93.184.216.34"),
            ("round.corp.test", ""),
            ("any.corp.test", "10.2.2.2"),
            // It exists, as the parent of another, and the wildcard does not fill it.
            ("under.corp.test", ""),
            ("other.under.corp.test", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(list(&resolve(&zones, name).addresses), expected, "{name}");
        }
        let straight: Vec<Resolution> = cases
            .iter()
            .map(|(name, _)| resolve(&zones, name))
            .collect();
        zones.reverse();
        let turned: Vec<Resolution> = cases
            .iter()
            .map(|(name, _)| resolve(&zones, name))
            .collect();
        assert_eq!(straight, turned);
    }

    #[test]
    fn what_asks_somebody_else_is_not_covered() {
        let zone = json!({"name": "f", "dnsName": "corp.", "visibility": "private", "forwardingConfig": {"targetNameServers": []}});
        let sets = [json!({"name": "a.corp.", "type": "A", "routingPolicy": {"wrr": {}}})];
        let unknown: Vec<String> = Zone::read(&zone, &sets)
            .unknown
            .iter()
            .map(Unknown::to_string)
            .collect();
        assert_eq!(
            unknown,
            [
                "managedZone f forwardingConfig",
                "managedZone f rrsets[a.corp A].routingPolicy"
            ]
        );
        assert_eq!(Zone::read(&json!([]), &[json!(1)]).name, "");
    }
}
