//! Routers and the NAT configurations in them: a NAT is a field of its router, not a resource.

use serde_json::{Value, json};

use super::scope::{self, Scope};
use super::{addresses, nat, resource};
use crate::answer::{ErrorResponse, Response};
use crate::request::Request;
use crate::world::World;

/// A new router.
pub fn draft(world: &World, scope: &Scope, body: &Value) -> Result<Value, ErrorResponse> {
    let network = resource::network(world, scope, body)?;
    let mut value = resource::merged(&json!({ "encryptedInterconnectRouter": false }), body);
    value["network"] = json!(scope::link(&network));
    with_nats(world, scope, value)
}

/// A router after a PATCH: `nats` is replaced whole if it is sent, and stays as it is if it is not (`{}` changes nothing).
pub fn patched(
    world: &World,
    scope: &Scope,
    old: &Value,
    sent: &Value,
) -> Result<Value, ErrorResponse> {
    with_nats(
        world,
        scope,
        resource::keep_immutable(old, resource::merged(old, sent))?,
    )
}

/// A router after a PUT.
pub fn replaced(
    world: &World,
    scope: &Scope,
    old: &Value,
    sent: &Value,
) -> Result<Value, ErrorResponse> {
    let fresh = resource::merged(&json!({ "encryptedInterconnectRouter": false }), sent);
    with_nats(world, scope, resource::keep_immutable(old, fresh)?)
}

/// What runs on a router: its NATs with their static addresses, none of which serves an endpoint, for there are no instances here.
pub fn status(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let (path, key) = resource::located(request, scope);
    let router = world.get(&key).ok_or_else(|| scope::missing(&path))?;
    let nats = router["nats"].as_array().into_iter().flatten();
    let nats: Vec<Value> = nats
        .map(|nat| {
            let mut shown = json!({"name": nat["name"], "minExtraNatIpsNeeded": 0, "numVmEndpointsWithNatMappings": 0});
            let static_ones = addresses::of(world, scope, &nat["natIps"]);
            if !static_ones.is_empty() {
                shown["userAllocatedNatIpResources"] = nat["natIps"].clone();
                shown["userAllocatedNatIps"] = json!(static_ones);
            }
            shown
        })
        .collect();
    let mut result = json!({ "network": router["network"] });
    if !nats.is_empty() {
        result["natStatus"] = json!(nats);
    }
    Ok(json!({"kind": "compute#routerStatusResponse", "result": result}).into())
}

/// Checks a router's NATs and fills in what Google fills in; an empty list is no field.
fn with_nats(world: &World, scope: &Scope, mut router: Value) -> Result<Value, ErrorResponse> {
    let Some(nats) = router["nats"].as_array() else {
        if let Value::Object(fields) = &mut router {
            fields.remove("nats");
        }
        return Ok(router);
    };
    nat::check(world, scope, &router, nats)?;
    let filled: Vec<Value> = nats.iter().map(filled).collect();
    if let Value::Object(fields) = &mut router {
        if filled.is_empty() {
            fields.remove("nats");
        } else {
            fields.insert("nats".to_owned(), json!(filled));
        }
    }
    Ok(router)
}

/// A NAT as Google prints it back.
fn filled(nat: &Value) -> Value {
    let common = json!({
        "endpointTypes": ["ENDPOINT_TYPE_VM"],
        "enableEndpointIndependentMapping": false,
        "effectiveTcpTimeWaitTimeoutSec": 120,
    });
    if nat["type"] == "PRIVATE" {
        // The recording of a private NAT shows that how addresses are given out is not printed back.
        let mut private = resource::merged(&common, nat);
        private["enableDynamicPortAllocation"] = json!(true);
        if let Value::Object(fields) = &mut private {
            fields.remove("natIpAllocateOption");
        }
        return private;
    }
    let public = resource::merged(
        &common,
        &json!({"type": "PUBLIC", "autoNetworkTier": "PREMIUM"}),
    );
    resource::merged(&public, nat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nat(name: &str) -> Value {
        json!({"name": name, "natIpAllocateOption": "AUTO_ONLY", "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"})
    }

    /// Beside a public NAT of everything there can be a private one.
    fn private(name: &str) -> Value {
        resource::merged(&nat(name), &json!({"type": "PRIVATE"}))
    }

    #[test]
    fn a_patch_replaces_all_nats_or_none() {
        let (world, scope) = (World::default(), Scope::of(&Request::default()));
        let old = with_nats(&world, &scope, json!({"name": "r", "nats": [nat("a")]})).unwrap();
        let cases = [
            (json!({}), vec!["a"]),
            (json!({"nats": []}), vec![]),
            (json!({"nats": [nat("b")]}), vec!["b"]),
            (json!({"nats": [nat("a"), private("b")]}), vec!["a", "b"]),
        ];
        for (sent, expected) in cases {
            let new = patched(&world, &scope, &old, &sent).unwrap();
            let names: Vec<&str> = new["nats"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|nat| nat["name"].as_str())
                .collect();
            assert_eq!(names, expected, "{sent}");
            assert_eq!(
                new.get("nats").is_none(),
                expected.is_empty(),
                "an empty list is no field"
            );
        }
        assert!(patched(&world, &scope, &old, &json!({"nats": [nat("b"), nat("b")]})).is_err());
    }

    #[test]
    fn what_google_fills_in_differs_by_the_type_of_nat() {
        let public = filled(&nat("a"));
        assert_eq!(
            (&public["type"], &public["autoNetworkTier"]),
            (&json!("PUBLIC"), &json!("PREMIUM"))
        );
        assert_eq!(public["natIpAllocateOption"], "AUTO_ONLY");
        let private = filled(
            &json!({"name": "a", "type": "PRIVATE", "natIpAllocateOption": "USE_SHARED_RANGES"}),
        );
        assert!(private.get("natIpAllocateOption").is_none());
        assert_eq!(private["enableDynamicPortAllocation"], true);
    }
}
