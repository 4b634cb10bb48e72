//! Subnetworks: ranges that may not meet any other of the network.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::auto_mode;
use super::ranges;
use super::resource;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::etag;
use crate::names;
use crate::operation::Effect;
use crate::pattern::fits_pattern;
use crate::policy;
use crate::request::Request;
use crate::world::World;

/// The name of a range: the reference of `rangeName` says that it is as a resource's.
const NAME: &str = "[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?";

/// A new subnetwork.
pub fn draft(world: &World, scope: &Scope, body: &Value) -> Result<Value, ErrorResponse> {
    let network = resource::network(world, scope, body)?;
    let text = body["ipCidrRange"].as_str().unwrap_or_default();
    if text.is_empty() {
        return Err(ErrorResponse::required(
            "Required field 'resource.ipCidrRange' not specified",
        ));
    }
    let primary = ranges::usable("ipCidrRange", text)?;
    not_reserved(world, &network, "ipCidrRange", &primary)?;
    let mut value = resource::merged(
        &json!({
            "privateIpGoogleAccess": false,
            "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
            "purpose": "PRIVATE",
            "stackType": "IPV4_ONLY",
            "allowSubnetCidrRoutesOverlap": false,
        }),
        body,
    );
    // Whether flow logs are on is said only to those who asked about logging.
    if let Some(enable) = body.pointer("/logConfig/enable") {
        value["enableFlowLogs"] = enable.clone();
    }
    value["network"] = json!(scope::link(&network));
    value["gatewayAddress"] = json!(primary.hosts().next().map(|host| host.to_string()));
    checked(world, &network, "", value)
}

/// A subnetwork after a PATCH, which must carry the fingerprint that was read.
pub fn patched(
    world: &World,
    _: &Scope,
    old: &Value,
    sent: &Value,
) -> Result<Value, ErrorResponse> {
    let [read, held] = [sent, old].map(|one| one["fingerprint"].as_str().unwrap_or_default());
    if !etag::same(read, held) {
        // Not recorded; compute's other fingerprints are refused so.
        return Err(ErrorResponse::condition_not_met(
            "Supplied fingerprint does not match current metadata fingerprint.",
        ));
    }
    let mut new = resource::keep_immutable(old, resource::merged(old, sent))?;
    new["ipCidrRange"] = old["ipCidrRange"].clone();
    let network = names::path(old["network"].as_str().unwrap_or_default()).to_owned();
    checked(
        world,
        &network,
        old["selfLink"].as_str().unwrap_or_default(),
        new,
    )
}

/// A subnetwork after setPrivateIpGoogleAccess.
pub fn with_google_access(
    _: &World,
    _: &Scope,
    old: &Value,
    sent: &Value,
) -> Result<Value, ErrorResponse> {
    let mut new = old.clone();
    new["privateIpGoogleAccess"] = json!(sent["privateIpGoogleAccess"] == json!(true));
    Ok(fingerprinted(new))
}

/// GET of a subnetwork's policy.
pub fn policy(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let version = request.query("optionsRequestedPolicyVersion");
    let version = version.and_then(|text| text.parse().ok()).unwrap_or(1);
    policy::get(world, &policed(world, request, scope)?, version).map(Response::from)
}

/// POST of a subnetwork's policy.
pub fn set_policy(
    world: &mut World,
    request: &Request,
    scope: &Scope,
) -> Result<Response, ErrorResponse> {
    let resource = policed(world, request, scope)?;
    policy::set(world, &resource, &request.body).map(Response::from)
}

/// The subnetwork that a request about a policy names: in these methods the parameter is called `resource`.
fn policed(
    world: &World,
    request: &Request,
    scope: &Scope,
) -> Result<policy::Resource, ErrorResponse> {
    let path = scope.member(request.param("resource"));
    match world.get(&scope::key(&path)) {
        Some(_) => Ok(policy::Resource::subnetwork(&path)),
        None => Err(scope::missing(&path)),
    }
}

/// The subnetwork of `network` (its path) that a range would collide with, if any, as compute complains about it; the
/// subnetwork with the link `except` does not count. Those that are being made count.
pub fn conflict(world: &World, network: &str, range: &Ipv4Net, except: &str) -> Option<String> {
    let project = names::segment(network, "projects").unwrap_or_default();
    let regions = world.operations(&scope::key(&format!("projects/{project}/regions/")));
    let coming = regions
        .into_iter()
        .flat_map(|operation| &operation.effects)
        .filter_map(|effect| match effect {
            Effect::Put { value, .. } if value["kind"] == "compute#subnetwork" => Some(value),
            _ => None,
        });
    let here = |value: &&Value| {
        value["network"]
            .as_str()
            .is_some_and(|link| names::path(link) == network)
    };
    let all = ranges::subnetworks(world, network)
        .into_iter()
        .chain(coming.filter(here));
    let others = all.filter(|other| other["selfLink"] != except);
    let mut hit = others.filter(|other| {
        ranges::of(other)
            .iter()
            .any(|taken| ranges::overlap(taken, range))
    });
    hit.next().map(|other| {
        format!(
            "Invalid IPCidrRange: {range} conflicts with existing subnetwork '{}' in region '{}'.",
            other["name"].as_str().unwrap_or_default(),
            names::leaf(other["region"].as_str().unwrap_or_default()),
        )
    })
}

/// Refuses a range that somebody gives a subnetwork of an auto mode network, if Google's own subnetworks have theirs there. The
/// sentence is quoted in comments of public programs for the first range; what comes before it, and that secondary ranges are refused
/// with it, is not recorded.
fn not_reserved(
    world: &World,
    network: &str,
    field: &str,
    range: &Ipv4Net,
) -> Result<(), ErrorResponse> {
    let in_auto_mode = world
        .get(&scope::key(network))
        .is_some_and(|found| found["autoCreateSubnetworks"] == json!(true));
    let reserved: Option<Ipv4Net> = auto_mode::ALL.parse().ok();
    if in_auto_mode && reserved.is_some_and(|all| ranges::overlap(&all, range)) {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'resource.{field}': '{range}'. Extended subnetworks in auto subnet mode networks cannot \
             overlap with {}.",
            auto_mode::ALL
        )));
    }
    Ok(())
}

/// Checks all ranges of a subnetwork, against each other and against the rest of its network.
fn checked(
    world: &World,
    network: &str,
    except: &str,
    value: Value,
) -> Result<Value, ErrorResponse> {
    let secondary = value["secondaryIpRanges"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for (at, range) in secondary.iter().enumerate() {
        let text = range["ipCidrRange"].as_str().unwrap_or_default();
        let field = format!("secondaryIpRanges[{at}].ipCidrRange");
        let usable = ranges::usable(&field, text)?;
        not_reserved(world, network, &field, &usable)?;
        let name = range["rangeName"].as_str().unwrap_or_default();
        if !fits_pattern(NAME, name) {
            return Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.secondaryIpRanges[{at}].rangeName': '{name}'. Must be a match of regex '{NAME}'"
            )));
        }
        let same = |other: &&Value| other["rangeName"] == range["rangeName"];
        if secondary.iter().filter(same).count() > 1 {
            return Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.secondaryIpRanges[{at}].rangeName': '{}'. Duplicate range name.",
                range["rangeName"].as_str().unwrap_or_default()
            )));
        }
    }
    let all = ranges::of(&value);
    for (at, range) in all.iter().enumerate() {
        if let Some(other) = all[..at].iter().find(|other| ranges::overlap(range, other)) {
            return Err(ErrorResponse::invalid(format!(
                "Invalid IPCidrRange: {range} overlaps with {other} of the same subnetwork."
            )));
        }
        if let Some(complaint) = conflict(world, network, range, except) {
            return Err(ErrorResponse::invalid(complaint));
        }
    }
    Ok(fingerprinted(value))
}

/// Every change gives a new fingerprint, and only a change does.
fn fingerprinted(mut value: Value) -> Value {
    value["fingerprint"] = Value::Null;
    value["fingerprint"] = json!(etag::of(&value.to_string()));
    value
}
