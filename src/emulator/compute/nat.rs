//! What a NAT of a router must have: a name, a way to get addresses, what it serves, and ports in their limits.
//!
//! "Reference" is the description of a field of `RouterNat` in the discovery document of `compute.v1`, revision 20261106. Where no source
//! stands beside a text, it is not recorded, and the words are ours. That a public NAT must say how it gets its addresses and what it
//! serves is what gcloud demands (`nats create`); the reference does not say that Google refuses one that does not.

use serde_json::Value;

use super::scope::Scope;
use super::{addresses, nat_sources};
use crate::answer::ErrorResponse;
use crate::world::World;

/// The limits of ports for each virtual machine, of timeouts in seconds, by field. The smallest numbers of ports and the largest
/// `maxPortsPerVm` are those that gcloud 528 takes (`command_lib/compute/routers/nats/flags.py`); the largest `minPortsPerVm`,
/// and that a timeout of 0 is refused: own knowledge, no record.
const LIMITS: &[(&str, i64, i64)] = &[
    ("minPortsPerVm", 2, 65_536),
    ("maxPortsPerVm", 64, 65_536),
    ("udpIdleTimeoutSec", 1, i64::MAX),
    ("icmpIdleTimeoutSec", 1, i64::MAX),
    ("tcpEstablishedIdleTimeoutSec", 1, i64::MAX),
    ("tcpTransitoryIdleTimeoutSec", 1, i64::MAX),
    ("tcpTimeWaitTimeoutSec", 1, i64::MAX),
];

/// Checks the NATs of a router that is to be stored.
///
/// # Errors
/// 400; some texts are recorded, see the checks.
pub fn check(
    world: &World,
    scope: &Scope,
    router: &Value,
    nats: &[Value],
) -> Result<(), ErrorResponse> {
    for (at, nat) in nats.iter().enumerate() {
        let field = |name: &str| format!("nats[{at}].{name}");
        let name = nat["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            return Err(missing(&field("name")));
        }
        if nats[..at].iter().any(|other| other["name"] == name) {
            // Not recorded; gcloud itself sends such a router, so somebody must refuse it. The reference: the name is unique.
            return Err(invalid(&field("name"), name, "Duplicate NAT name."));
        }
        let private = nat["type"] == "PRIVATE";
        allocation(world, scope, at, nat, private)?;
        sources(at, nat)?;
        ports(at, nat, private)?;
    }
    nat_sources::check(world, scope, router)
}

/// How a NAT gets its addresses.
fn allocation(
    world: &World,
    scope: &Scope,
    at: usize,
    nat: &Value,
    private: bool,
) -> Result<(), ErrorResponse> {
    let ips = format!("nats[{at}].natIps");
    let drained = format!("nats[{at}].drainNatIps");
    let count = |field: &str| nat[field].as_array().map_or(0, Vec::len);
    match nat["natIpAllocateOption"].as_str().unwrap_or_default() {
        // As recorded, a private NAT is created without it.
        _ if private && count("natIps") > 0 => {
            return Err(invalid(
                &ips,
                "",
                "NAT IPs cannot be given for a private NAT.",
            ));
        }
        _ if private => {}
        "" => return Err(missing(&format!("nats[{at}].natIpAllocateOption"))),
        "MANUAL_ONLY" if count("natIps") == 0 => {
            return Err(invalid(
                &ips,
                "",
                "NAT IPs must be given with MANUAL_ONLY, and only with it.",
            ));
        }
        "AUTO_ONLY" if count("natIps") > 0 => {
            return Err(invalid(
                &ips,
                "",
                "NAT IPs must be given with MANUAL_ONLY, and only with it.",
            ));
        }
        _ => {}
    }
    addresses::exist(world, scope, &ips, &nat["natIps"])?;
    addresses::exist(world, scope, &drained, &nat["drainNatIps"])?;
    let all: Vec<&Value> = ["natIps", "drainNatIps"]
        .iter()
        .filter_map(|field| nat[*field].as_array())
        .flatten()
        .collect();
    if let Some(twice) = all
        .iter()
        .enumerate()
        .find(|(at, one)| all[..*at].contains(one))
    {
        return Err(invalid(
            &ips,
            twice.1.as_str().unwrap_or_default(),
            "The address is given twice.",
        ));
    }
    Ok(())
}

/// What a NAT serves.
fn sources(at: usize, nat: &Value) -> Result<(), ErrorResponse> {
    let field = format!("nats[{at}].sourceSubnetworkIpRangesToNat");
    let listed = nat["subnetworks"].as_array().cloned().unwrap_or_default();
    // NAT64 has its own field, and may be all that a NAT does.
    let option = nat["sourceSubnetworkIpRangesToNat"]
        .as_str()
        .unwrap_or_default();
    match option {
        "" if nat.get("sourceSubnetworkIpRangesToNat64").is_none() => return Err(missing(&field)),
        "LIST_OF_SUBNETWORKS" if listed.is_empty() => {
            return Err(invalid(
                &format!("nats[{at}].subnetworks"),
                "",
                "At least one subnetwork must be given with LIST_OF_SUBNETWORKS.",
            ));
        }
        "ALL_SUBNETWORKS_ALL_IP_RANGES" | "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES"
            if !listed.is_empty() =>
        {
            return Err(invalid(
                &format!("nats[{at}].subnetworks"),
                "",
                "Subnetworks can only be given with LIST_OF_SUBNETWORKS.",
            ));
        }
        _ => {}
    }
    for (number, subnetwork) in listed.iter().enumerate() {
        let ranges = subnetwork["sourceIpRangesToNat"]
            .as_array()
            .map_or(0, Vec::len);
        let named = subnetwork["secondaryIpRangeNames"]
            .as_array()
            .map_or(0, Vec::len);
        let field = |name: &str| format!("nats[{at}].subnetworks[{number}].{name}");
        if subnetwork["name"].as_str().unwrap_or_default().is_empty() {
            return Err(missing(&field("name")));
        }
        // Without it, it is ALL_IP_RANGES; of several values there is one valid combination (reference).
        let options = subnetwork["sourceIpRangesToNat"].as_array();
        let pair = ["PRIMARY_IP_RANGE", "LIST_OF_SECONDARY_IP_RANGES"];
        let is_pair =
            options.is_some_and(|all| pair.iter().all(|one| all.iter().any(|sent| sent == one)));
        if ranges > 2 || (ranges == 2 && !is_pair) {
            return Err(invalid(
                &field("sourceIpRangesToNat"),
                "",
                "The only valid combination is PRIMARY_IP_RANGE with LIST_OF_SECONDARY_IP_RANGES.",
            ));
        }
        let wants_names = subnetwork["sourceIpRangesToNat"]
            .as_array()
            .is_some_and(|all| all.contains(&Value::from("LIST_OF_SECONDARY_IP_RANGES")));
        if wants_names != (named > 0) {
            // The first text is quoted by users (terraform-google-cloud-router, pull request 8).
            let complaint = if named > 0 {
                "No secondary IP ranges should be provided if the subnetwork is not configured with LIST_OF_SECONDARY_IP_RANGES."
            } else {
                "Secondary range names must be given with LIST_OF_SECONDARY_IP_RANGES."
            };
            return Err(invalid(&field("secondaryIpRangeNames"), "", complaint));
        }
    }
    Ok(())
}

/// The numbers: ports of a machine, and timeouts.
fn ports(at: usize, nat: &Value, private: bool) -> Result<(), ErrorResponse> {
    let number = |field: &str| nat[field].as_i64();
    for (name, least, most) in LIMITS {
        let Some(value) = number(name) else { continue };
        if !(*least..=*most).contains(&value) {
            let limits = if *most == i64::MAX {
                format!("at least {least}")
            } else {
                format!("between {least} and {most}")
            };
            return Err(invalid(
                &format!("nats[{at}].{name}"),
                &value.to_string(),
                &format!("Must be {limits}."),
            ));
        }
    }
    let (least, most) = (number("minPortsPerVm"), number("maxPortsPerVm"));
    // A private NAT allocates ports dynamically, whether it is asked to or not (recorded). That the largest number can be set only with
    // dynamic allocation is what gcloud and Terraform's provider say; the reference says that it has no effect without. What Google does
    // is unknown.
    let dynamic = private || nat["enableDynamicPortAllocation"] == Value::Bool(true);
    if most.is_some() && !dynamic {
        return Err(invalid(
            &format!("nats[{at}].maxPortsPerVm"),
            &most.unwrap_or_default().to_string(),
            "Can only be given with dynamic port allocation.",
        ));
    }
    if dynamic {
        // Powers of 2, at least 32, the smaller one less than the larger, and not with the mapping: the reference.
        for (name, value, smallest) in [("minPortsPerVm", least, 32), ("maxPortsPerVm", most, 64)] {
            if value.is_some_and(|value| value < smallest || value.count_ones() != 1) {
                return Err(invalid(
                    &format!("nats[{at}].{name}"),
                    &value.unwrap_or_default().to_string(),
                    &format!(
                        "With dynamic port allocation it must be a power of 2 of at least {smallest}."
                    ),
                ));
            }
        }
        if let (Some(least), Some(most)) = (least, most)
            && least >= most
        {
            return Err(invalid(
                &format!("nats[{at}].minPortsPerVm"),
                &least.to_string(),
                "Must be less than maxPortsPerVm.",
            ));
        }
        if !private && nat["enableEndpointIndependentMapping"] == Value::Bool(true) {
            return Err(invalid(
                &format!("nats[{at}].enableEndpointIndependentMapping"),
                "true",
                "Cannot be used with dynamic port allocation.",
            ));
        }
    }
    Ok(())
}

fn missing(field: &str) -> ErrorResponse {
    ErrorResponse::required(format!("Required field 'resource.{field}' not specified"))
}

fn invalid(field: &str, value: &str, complaint: &str) -> ErrorResponse {
    ErrorResponse::invalid(format!(
        "Invalid value for field 'resource.{field}': '{value}'. {complaint}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Request;

    #[test]
    fn a_nat_has_all_that_it_needs_and_nothing_that_contradicts_it() {
        let (world, scope) = (World::default(), Scope::of(&Request::default()));
        let good = json!({"name": "n", "natIpAllocateOption": "AUTO_ONLY",
            "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"});
        // What is different from a good NAT, null for a field that is not there; the field that is refused, if any.
        let cases = [
            (json!({}), None),
            (json!({"name": null}), Some("nats[0].name")),
            (
                json!({"natIpAllocateOption": null}),
                Some("nats[0].natIpAllocateOption"),
            ),
            (
                json!({"sourceSubnetworkIpRangesToNat": null}),
                Some("nats[0].sourceSubnetworkIpRangesToNat"),
            ),
            (
                json!({"natIpAllocateOption": "MANUAL_ONLY"}),
                Some("nats[0].natIps"),
            ),
            (
                json!({"natIpAllocateOption": "MANUAL_ONLY", "natIps": []}),
                Some("nats[0].natIps"),
            ),
            (
                json!({"natIps": ["projects/p/regions/r/addresses/a"]}),
                Some("nats[0].natIps"),
            ),
            (
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS"}),
                Some("nats[0].subnetworks"),
            ),
            (
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS", "subnetworks": []}),
                Some("nats[0].subnetworks"),
            ),
            (
                json!({"subnetworks": [{"name": "projects/p/regions/r/subnetworks/s", "sourceIpRangesToNat": ["ALL_IP_RANGES"]}]}),
                Some("nats[0].subnetworks"),
            ),
            (
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS", "subnetworks": [{"sourceIpRangesToNat": ["ALL_IP_RANGES"]}]}),
                Some("nats[0].subnetworks[0].name"),
            ),
            (
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS", "subnetworks": [{"name": "projects/p/regions/r/subnetworks/s", "sourceIpRangesToNat": ["PRIMARY_IP_RANGE", "ALL_IP_RANGES"]}]}),
                Some("nats[0].subnetworks[0].sourceIpRangesToNat"),
            ),
            (
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS", "subnetworks": [{"name": "projects/p/regions/r/subnetworks/s", "secondaryIpRangeNames": ["pods"]}]}),
                Some("nats[0].subnetworks[0].secondaryIpRangeNames"),
            ),
            (json!({"minPortsPerVm": 1}), Some("nats[0].minPortsPerVm")),
            (json!({"minPortsPerVm": 0}), Some("nats[0].minPortsPerVm")),
            (json!({"minPortsPerVm": 2}), None),
            (json!({"minPortsPerVm": 50}), None),
            (json!({"minPortsPerVm": 64}), None),
            (
                json!({"minPortsPerVm": 65_537}),
                Some("nats[0].minPortsPerVm"),
            ),
            (json!({"maxPortsPerVm": 128}), Some("nats[0].maxPortsPerVm")),
            (
                json!({"enableDynamicPortAllocation": true, "minPortsPerVm": 32, "maxPortsPerVm": 128}),
                None,
            ),
            (
                json!({"enableDynamicPortAllocation": true, "minPortsPerVm": 48}),
                Some("nats[0].minPortsPerVm"),
            ),
            (
                json!({"enableDynamicPortAllocation": true, "minPortsPerVm": 128, "maxPortsPerVm": 64}),
                Some("nats[0].minPortsPerVm"),
            ),
            (
                json!({"enableDynamicPortAllocation": true, "enableEndpointIndependentMapping": true}),
                Some("nats[0].enableEndpointIndependentMapping"),
            ),
            (
                json!({"tcpEstablishedIdleTimeoutSec": 0}),
                Some("nats[0].tcpEstablishedIdleTimeoutSec"),
            ),
            (json!({"tcpEstablishedIdleTimeoutSec": 1200}), None),
            // A private NAT takes its addresses from the network.
            (
                json!({"type": "PRIVATE", "natIpAllocateOption": null}),
                None,
            ),
        ];
        for (other, want) in cases {
            let mut nat = good.clone();
            json::merge(&mut nat, &other);
            let refusal = check(&world, &scope, &json!({"nats": [nat]}), &[nat.clone()]).err();
            let said = refusal
                .as_ref()
                .map(|refusal| (refusal.http, refusal.message.as_str()));
            match want {
                None => assert_eq!(said, None, "{other}"),
                Some(field) => {
                    let (http, message) = said.unwrap_or_else(|| panic!("{other} is taken"));
                    assert_eq!(http, 400, "{other}");
                    assert!(
                        message.contains(&format!("'resource.{field}'")),
                        "{other}: {message}"
                    );
                }
            }
        }
    }
}
