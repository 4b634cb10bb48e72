//! The network that a cluster is to be in, and the ranges it is to have there.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::location::Location;
use crate::answer::ErrorResponse;
use crate::names;
use crate::world::World;

/// The range of services if the request names none.
pub const SERVICES: &str = "34.118.224.0/20";

/// The paths of network and subnetwork, which must be there and belong together.
///
/// # Errors
/// 400. The words about a network are those that users of GKE quote, the others are ours.
pub fn networks(
    world: &World,
    place: &Location,
    sent: &Value,
) -> Result<(String, String), ErrorResponse> {
    let project = &place.project.id;
    let full = |text: &str, within: &str| {
        let path = names::path(text);
        if path.starts_with("projects/") {
            path.to_owned()
        } else {
            format!("projects/{project}/{within}/{text}")
        }
    };
    let said = |field: &str, longer: &str| {
        let long = sent["networkConfig"][longer].as_str();
        sent[field]
            .as_str()
            .or(long)
            .filter(|text| !text.is_empty())
            .unwrap_or("default")
            .to_owned()
    };
    let network = full(&said("network", "network"), "global/networks");
    if world.get(&names::key("compute", &network)).is_none() {
        let name = names::leaf(&network);
        let project = names::segment(&network, "projects").unwrap_or_default();
        return Err(ErrorResponse::bad_request(format!(
            "Project \"{project}\" has no network named \"{name}\"."
        )));
    }
    let region = place.region();
    let subnetwork = full(
        &said("subnetwork", "subnetwork"),
        &format!("regions/{region}/subnetworks"),
    );
    let stored = world.get(&names::key("compute", &subnetwork));
    let belongs = stored
        .is_some_and(|found| names::path(found["network"].as_str().unwrap_or_default()) == network);
    if !belongs || names::segment(&subnetwork, "regions") != Some(region) {
        let name = names::leaf(&subnetwork);
        return Err(ErrorResponse::bad_request(format!(
            "Subnetwork \"{name}\" of network \"{}\" not found in region \"{region}\".",
            names::leaf(&network)
        )));
    }
    Ok((network, subnetwork))
}

/// A secondary range of the subnetwork by its name.
///
/// # Errors
/// 400 for a name that the subnetwork does not have; the text is not recorded.
pub fn secondary(subnetwork: &Value, name: Option<&str>) -> Result<Option<Ipv4Net>, ErrorResponse> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let mut ranges = subnetwork["secondaryIpRanges"]
        .as_array()
        .into_iter()
        .flatten();
    let found = ranges
        .find(|range| range["rangeName"] == name)
        .and_then(|range| range["ipCidrRange"].as_str()?.parse().ok());
    match found {
        Some(range) => Ok(Some(range)),
        None => Err(ErrorResponse::bad_request(format!(
            "Invalid secondary range name: \"{name}\" does not exist in subnetwork \"{}\".",
            subnetwork["name"].as_str().unwrap_or_default()
        ))),
    }
}

/// The control plane's range, if one was asked for.
///
/// # Errors
/// 400 unless it is a /28 of a cluster with private nodes; the texts are not recorded.
pub fn master_range(sent: &Value, private: bool) -> Result<Option<Ipv4Net>, ErrorResponse> {
    let text = sent
        .pointer("/privateClusterConfig/masterIpv4CidrBlock")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    if !private {
        return Err(ErrorResponse::bad_request(
            "Cannot specify master_ipv4_cidr_block without private nodes.",
        ));
    }
    let range: Option<Ipv4Net> = text.parse().ok();
    match range.filter(|range| range.addr() == range.network() && range.prefix_len() == 28) {
        Some(range) => Ok(Some(range)),
        None => Err(ErrorResponse::bad_request(format!(
            "Invalid master_ipv4_cidr_block \"{text}\": must be a valid /28 CIDR block."
        ))),
    }
}
