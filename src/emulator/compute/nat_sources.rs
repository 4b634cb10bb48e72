//! Which subnetworks a NAT serves: they must exist in the router's network, and no other NAT may serve them.

use serde_json::Value;

use super::scope::{self, Scope};
use crate::answer::ErrorResponse;
use crate::names;
use crate::world::World;

/// Checks the subnetworks of a router's public NATs.
///
/// # Errors
/// 400. That a subnetwork has one NAT at most is Cloud NAT's documentation; neither text is recorded.
pub fn check(world: &World, scope: &Scope, router: &Value) -> Result<(), ErrorResponse> {
    let link = |value: &Value| names::path(value.as_str().unwrap_or_default()).to_owned();
    let network = link(&router["network"]);
    for (at, nat) in nats(router).enumerate() {
        for path in listed(nat).unwrap_or_default() {
            let there = world.get(&scope::key(path));
            if there.is_none_or(|found| link(&found["network"]) != network) {
                return Err(ErrorResponse::invalid(format!(
                    "Invalid value for field 'resource.nats[{at}].subnetworks': '{path}'. The subnetwork is not in the router's network."
                )));
            }
        }
    }
    let routers = world.list(&scope::key(&format!("{}/routers", scope.path)));
    let others = routers.into_iter().map(|(_, other)| other);
    let others = others
        .filter(|other| other["name"] != router["name"] && link(&other["network"]) == network);
    for other in others {
        let meets = |one: &Value| nats(other).any(|taken| share(one, taken));
        if let Some(nat) = nats(router).find(|nat| meets(nat)) {
            return Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.nats': '{}'. Router '{}' has a NAT for the same subnetwork.",
                nat["name"].as_str().unwrap_or_default(),
                other["name"].as_str().unwrap_or_default(),
            )));
        }
    }
    Ok(())
}

/// The public NATs of a router.
fn nats(router: &Value) -> impl Iterator<Item = &Value> {
    let all = router["nats"].as_array().into_iter().flatten();
    all.filter(|nat| nat["type"] != "PRIVATE")
}

/// The subnetworks that a NAT lists; none if it serves all.
fn listed(nat: &Value) -> Option<Vec<&str>> {
    if nat["sourceSubnetworkIpRangesToNat"] != "LIST_OF_SUBNETWORKS" {
        return None;
    }
    let all = nat["subnetworks"].as_array().into_iter().flatten();
    Some(
        all.filter_map(|one| Some(names::path(one["name"].as_str()?)))
            .collect(),
    )
}

/// Whether two NATs serve the same subnetwork.
fn share(one: &Value, other: &Value) -> bool {
    match (listed(one), listed(other)) {
        (Some(one), Some(other)) => one.iter().any(|name| other.contains(name)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_subnetwork_has_one_nat() {
        let nat = |names: &[&str]| match names {
            [] => json!({"sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}),
            names => {
                let all = names.iter().map(|name| json!({"name": format!("https://x/projects/p/regions/r/subnetworks/{name}")}));
                json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS", "subnetworks": all.collect::<Vec<_>>()})
            }
        };
        for (one, other, expected) in [
            (&["a"][..], &["b"][..], false),
            (&["a", "b"], &["b", "c"], true),
            (&[], &["b"], true),
            (&["a"], &[], true),
        ] {
            assert_eq!(share(&nat(one), &nat(other)), expected, "{one:?} {other:?}");
        }
    }
}
