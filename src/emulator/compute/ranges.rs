//! Address ranges: what is a range, and which ranges of a network are taken. Pure functions of the state.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::scope;
use crate::answer::ErrorResponse;
use crate::names;
use crate::world::World;

/// A range as compute takes it: an IPv4 prefix whose host bits are zero.
///
/// # Errors
/// 400, in the words that users quote of `10.0.1.0/23` in `resource.ipCidrRange`; that other fields have the same is not recorded.
pub fn parse(field: &str, text: &str) -> Result<Ipv4Net, ErrorResponse> {
    let range: Option<Ipv4Net> = text.parse().ok();
    range.filter(|range| range.addr() == range.network()).ok_or_else(|| {
        ErrorResponse::invalid(format!("Invalid value for field 'resource.{field}': '{text}'. Must be a CIDR address range."))
    })
}

/// Ranges that no subnetwork may touch, with what they are. Source: "Prohibited IPv4 subnet ranges" in VPC's page "Subnets", as a public
/// program quotes it; the page itself was not read.
const PROHIBITED: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("127.0.0.0/8", "loopback addresses"),
    ("169.254.0.0/16", "link-local addresses"),
    ("199.36.153.4/30", "restricted.googleapis.com"),
    ("199.36.153.8/30", "private.googleapis.com"),
    ("224.0.0.0/4", "multicast addresses"),
    ("255.255.255.255/32", "limited broadcast"),
];

/// A range that a subnetwork may have: not one of Google's prohibited ones, and of at least eight addresses, as VPC's page about using
/// networks says ("the longest subnet mask you can use is /29", quoted in public modules). That it is not larger than a /4: own
/// knowledge, no record.
///
/// # Errors
/// 400; the text is not recorded.
pub fn usable(field: &str, text: &str) -> Result<Ipv4Net, ErrorResponse> {
    let range = parse(field, text)?;
    let hit = PROHIBITED.iter().find(|(taken, _)| {
        taken
            .parse()
            .is_ok_and(|taken: Ipv4Net| overlap(&taken, &range))
    });
    let complaint = match hit {
        Some((taken, what)) => {
            format!("The range overlaps with {taken}, which is reserved for {what}.")
        }
        None if !(4..=29).contains(&range.prefix_len()) => {
            "The prefix length must be between 4 and 29.".to_owned()
        }
        None => return Ok(range),
    };
    Err(ErrorResponse::invalid(format!(
        "Invalid value for field 'resource.{field}': '{text}'. {complaint}"
    )))
}

/// The subnetworks of a network, named by its path.
pub fn subnetworks<'a>(world: &'a World, network: &str) -> Vec<&'a Value> {
    let project = names::segment(network, "projects").unwrap_or_default();
    let prefix = scope::key(&format!("projects/{project}/regions/"));
    let all = world.shuffled(&prefix, |key| key.contains("/subnetworks/"));
    all.into_iter()
        .map(|(_, value)| value)
        .filter(|value| is_in(value, network))
        .collect()
}

/// The ranges of a subnetwork, the primary first.
pub fn of(subnetwork: &Value) -> Vec<Ipv4Net> {
    let secondary = subnetwork["secondaryIpRanges"]
        .as_array()
        .into_iter()
        .flatten();
    let all = std::iter::once(subnetwork).chain(secondary);
    all.filter_map(|range| range["ipCidrRange"].as_str()?.parse().ok())
        .collect()
}

/// Whether two ranges share an address.
pub fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(other) || other.contains(one)
}

fn is_in(value: &Value, network: &str) -> bool {
    value["network"]
        .as_str()
        .is_some_and(|link| names::path(link) == network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_prefix_with_no_host_bits() {
        for text in ["10.0.0.0/24", "10.5.0.0/28", "0.0.0.0/0"] {
            assert!(parse("ipCidrRange", text).is_ok(), "{text}");
        }
        for text in ["10.0.0.1/24", "10.0.0.0/33", "10.0.0.0", "fd20::/48", ""] {
            let refusal = parse("ipCidrRange", text).unwrap_err();
            assert_eq!((refusal.http, refusal.reason), (400, "invalid"), "{text}");
        }
    }

    #[test]
    fn prohibited_ranges_are_for_no_subnetwork() {
        for text in [
            "10.0.0.0/24",
            "240.0.0.0/24",
            "100.64.0.0/10",
            "199.36.154.0/29",
            "192.0.2.0/29",
        ] {
            assert!(usable("ipCidrRange", text).is_ok(), "{text}");
        }
        for text in [
            "224.0.0.0/24",
            "239.1.0.0/24",
            "127.0.0.0/24",
            "169.254.1.0/24",
            "0.0.0.0/24",
            "0.0.0.0/0",
            "199.36.153.0/24",
            "255.255.255.248/29",
            "10.0.0.0/30",
        ] {
            assert_eq!(usable("ipCidrRange", text).unwrap_err().http, 400, "{text}");
        }
    }

    #[test]
    fn ranges_overlap_when_one_is_inside_the_other() {
        let cases = [
            ("10.0.0.0/24", "10.0.0.128/25", true),
            ("10.0.0.0/24", "10.0.1.0/24", false),
            ("10.0.0.0/8", "10.5.0.0/28", true),
            ("10.5.0.0/28", "10.5.0.16/28", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(
                overlap(&one.parse().unwrap(), &other.parse().unwrap()),
                expected,
                "{one} {other}"
            );
        }
    }
}
