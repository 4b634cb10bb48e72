//! Cases of name resolution, including the tutorial's zones.

use super::*;
use serde_json::json;

fn zone(name: &str, dns_name: &str, visibility: &str, records: &[(&str, &str, &[&str])]) -> Zone {
    let zone = json!({"name": name, "dnsName": dns_name, "visibility": visibility});
    let sets = records
        .iter()
        .map(|(name, kind, data)| json!({"name": name, "type": kind, "ttl": 300, "rrdatas": data}));
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
    // (name, first address and number of addresses, the zone, the reason)
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
        // The zone has only SOA and NS records at its own name.
        (
            "googleapis.com",
            None,
            "private-google-apis",
            "googleapis.com has no address in private zone googleapis.com.",
        ),
        // The zone's wildcard does not apply below a name that exists.
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
    // A public zone is not visible to the network.
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
        // The name exists as the parent of another name, so the wildcard does not match it.
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
