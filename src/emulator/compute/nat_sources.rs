//! Which subnetworks a NAT serves: they must exist in the router's network, and no other NAT, of this router or another one, may serve
//! the same of their ranges.

use serde_json::Value;

use super::scope::{self, Scope};
use crate::answer::ErrorResponse;
use crate::names;
use crate::world::World;

/// Checks the subnetworks of a router's public NATs.
///
/// # Errors
/// A refusal with 400. That a NAT of everything is the only one is in the reference of `sourceSubnetworkIpRangesToNat`, that a range of a
/// subnetwork has one NAT at most in the refusals that users quote, see [`refuse`]. The text about a subnetwork that is not in the network
/// is not recorded.
pub fn check(world: &World, scope: &Scope, router: &Value) -> Result<(), ErrorResponse> {
    let link = |value: &Value| names::path(value.as_str().unwrap_or_default()).to_owned();
    let network = link(&router["network"]);
    for (at, nat) in nats(router).enumerate() {
        for path in listed(nat)
            .unwrap_or_default()
            .iter()
            .filter_map(|one| one.subnetwork)
        {
            let there = world.get(&scope::key(path));
            if there.is_none_or(|found| link(&found["network"]) != network) {
                return Err(ErrorResponse::invalid(format!(
                    "Invalid value for field 'resource.nats[{at}].subnetworks': '{path}'. The subnetwork is not in the router's network."
                )));
            }
        }
    }
    let own: Vec<&Value> = nats(router).collect();
    for (at, nat) in own.iter().enumerate() {
        for (before, other) in own[..at].iter().enumerate() {
            refuse(at, nat, other, &format!("NAT {before} of the router"))?;
        }
    }
    let routers = world.list(&scope::key(&format!("{}/routers", scope.path)));
    let others = routers.into_iter().map(|(_, other)| other);
    let others = others
        .filter(|other| other["name"] != router["name"] && link(&other["network"]) == network);
    for other in others {
        let name = other["name"].as_str().unwrap_or_default();
        for (at, nat) in own.iter().enumerate() {
            for taken in nats(other) {
                refuse(at, nat, taken, &format!("Router '{name}'"))?;
            }
        }
    }
    Ok(())
}

/// Refuses a NAT that would serve what another one serves.
///
/// # Errors
/// A refusal with 400. What is said where the other serves everything is quoted by google/osv.dev (pull request 5629), and what is said of one
/// subnetwork in two lists by terraform-google-forseti (issue 203). For a NAT of everything beside one with a list there is no
/// record, and the words are ours.
fn refuse(at: usize, nat: &Value, other: &Value, whose: &str) -> Result<(), ErrorResponse> {
    let option = |nat: &Value| {
        let said = nat["sourceSubnetworkIpRangesToNat"].as_str();
        said.unwrap_or_default().to_owned()
    };
    let (sent, taken) = (option(nat), option(other));
    match (listed(nat), listed(other)) {
        (None, Some(list)) if list.iter().any(|one| meets(&everything(&sent), one)) => {
            Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.nats': '{}'. {whose} has a NAT for the same subnetwork.",
                nat["name"].as_str().unwrap_or_default(),
            )))
        }
        (None, None) => Err(everything_is_taken(at, &sent, &taken)),
        (Some(list), None) if list.iter().any(|one| meets(&everything(&taken), one)) => {
            Err(everything_is_taken(at, &sent, &taken))
        }
        (Some(list), Some(others)) => {
            let met = list.iter().enumerate().find_map(|(number, one)| {
                Some((number, others.iter().find(|other| meets(one, other))?))
            });
            let primary = |served: &Served<'_>| {
                let at = |range: &&str| *range == "PRIMARY_IP_RANGE";
                served.ranges.iter().position(at)
            };
            match met {
                None => Ok(()),
                // This text is quoted by cloud-foundation-fabric (issue 2383); for other ranges it is not recorded.
                Some((number, other))
                    if primary(&list[number]).is_some() && primary(other).is_some() =>
                {
                    let place = primary(&list[number]).unwrap_or_default();
                    Err(ErrorResponse::invalid(format!(
                        "Invalid value for field 'resource.nats[{at}].subnetworks[{number}].sourceIpRangesToNat[{place}]': \
                         'PRIMARY_IP_RANGE'. Can not specify PRIMARY_IP_RANGE for the Subnetwork since it is already configured for Nat \
                         with the option PRIMARY_IP_RANGE."
                    )))
                }
                Some((number, other)) => Err(ErrorResponse::invalid(format!(
                    "Invalid value for field 'resource.nats[{at}].subnetworks[{number}].sourceIpRangesToNat': ''. The subnetwork is \
                     already configured with {} for Nat which conflicts with the specified IpRangeToNatOption options in this Nat.",
                    other.ranges.join(", ")
                ))),
            }
        }
        _ => Ok(()),
    }
}

fn everything_is_taken(at: usize, sent: &str, taken: &str) -> ErrorResponse {
    ErrorResponse::invalid(format!(
        "Invalid value for field 'resource.nats[{at}].sourceSubnetworkIpRangesToNat': '{sent}'. Can not create new Nats since a Nat \
         with option {taken} exists."
    ))
}

/// The public NATs of a router.
fn nats(router: &Value) -> impl Iterator<Item = &Value> {
    let all = router["nats"].as_array().into_iter().flatten();
    all.filter(|nat| nat["type"] != "PRIVATE")
}

/// What a NAT serves of one subnetwork.
struct Served<'a> {
    /// The subnetwork's path; none stands for all of them.
    subnetwork: Option<&'a str>,
    /// `ALL_IP_RANGES`, `PRIMARY_IP_RANGE`, or the names of secondary ranges.
    ranges: Vec<&'a str>,
}

/// The subnetworks that a NAT lists; none if it serves all.
fn listed(nat: &Value) -> Option<Vec<Served<'_>>> {
    if nat["sourceSubnetworkIpRangesToNat"] != "LIST_OF_SUBNETWORKS" {
        return None;
    }
    let all = nat["subnetworks"].as_array().into_iter().flatten();
    Some(
        all.filter_map(|one| {
            let mut ranges = texts(&one["sourceIpRangesToNat"]);
            if ranges.is_empty() {
                ranges.push("ALL_IP_RANGES");
            }
            ranges.retain(|range| *range != "LIST_OF_SECONDARY_IP_RANGES");
            ranges.extend(texts(&one["secondaryIpRangeNames"]));
            Some(Served {
                subnetwork: Some(names::path(one["name"].as_str()?)),
                ranges,
            })
        })
        .collect(),
    )
}

fn texts(list: &Value) -> Vec<&str> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).collect()
}

fn everything(option: &str) -> Served<'static> {
    let range = match option {
        "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES" => "PRIMARY_IP_RANGE",
        _ => "ALL_IP_RANGES",
    };
    Served {
        subnetwork: None,
        ranges: vec![range],
    }
}

/// Whether two NATs serve the same range of the same subnetwork.
fn meets(one: &Served<'_>, other: &Served<'_>) -> bool {
    let same = match (one.subnetwork, other.subnetwork) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let all = |served: &Served<'_>| served.ranges.contains(&"ALL_IP_RANGES");
    let shared = one.ranges.iter().any(|range| other.ranges.contains(range));
    same && (all(one) || all(other) || shared)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_range_of_a_subnetwork_has_one_nat() {
        let nat = |option: &str, list: &[(&str, &[&str])]| {
            let all = list.iter().map(|(name, ranges)| {
                let (names, kinds): (Vec<&str>, Vec<&str>) =
                    ranges.iter().partition(|range| range.starts_with("secondary-"));
                let mut one = json!({"name": format!("https://x/projects/p/regions/r/subnetworks/{name}"), "sourceIpRangesToNat": kinds});
                if !names.is_empty() {
                    one["secondaryIpRangeNames"] = json!(names);
                }
                one
            });
            json!({"name": "n", "sourceSubnetworkIpRangesToNat": option, "subnetworks": all.collect::<Vec<_>>()})
        };
        let list = |list: &[(&str, &[&str])]| nat("LIST_OF_SUBNETWORKS", list);
        let all = || nat("ALL_SUBNETWORKS_ALL_IP_RANGES", &[]);
        let primary = || nat("ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES", &[]);
        const UNSAID: &[&str] = &[];
        const ALL: &[&str] = &["ALL_IP_RANGES"];
        const PRIMARY: &[&str] = &["PRIMARY_IP_RANGE"];
        const PODS: &[&str] = &["LIST_OF_SECONDARY_IP_RANGES", "secondary-pods"];
        for (one, other, expected) in [
            (list(&[("a", ALL)]), list(&[("b", ALL)]), ""),
            (
                list(&[("a", ALL), ("b", ALL)]),
                list(&[("b", PRIMARY)]),
                "already configured with PRIMARY_IP_RANGE for Nat",
            ),
            (
                list(&[("a", UNSAID)]),
                list(&[("a", PRIMARY)]),
                "already configured with PRIMARY_IP_RANGE for Nat",
            ),
            (
                list(&[("a", PRIMARY)]),
                list(&[("a", PRIMARY)]),
                "Can not specify PRIMARY_IP_RANGE for the Subnetwork since it is already configured for Nat",
            ),
            (list(&[("a", PRIMARY)]), list(&[("a", PODS)]), ""),
            (
                list(&[("a", PODS)]),
                list(&[("a", PODS)]),
                "already configured with secondary-pods for Nat",
            ),
            (
                all(),
                list(&[("b", PODS)]),
                "has a NAT for the same subnetwork",
            ),
            (primary(), list(&[("b", PODS)]), ""),
            (
                list(&[("a", ALL)]),
                all(),
                "Can not create new Nats since a Nat with option ALL_SUBNETWORKS_ALL_IP_RANGES exists.",
            ),
            (
                all(),
                all(),
                "Can not create new Nats since a Nat with option ALL_SUBNETWORKS_ALL_IP_RANGES exists.",
            ),
            (list(&[("a", PODS)]), primary(), ""),
        ] {
            let said = refuse(0, &one, &other, "Router 'r'").err();
            let said = said.map(|refusal| refusal.message).unwrap_or_default();
            assert!(
                said.contains(expected) && said.is_empty() == expected.is_empty(),
                "{one} {other}: {said}"
            );
        }
    }
}
