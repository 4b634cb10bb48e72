//! Conditions in the status of live objects with which a controller says that they have no effect.

use json::{list, text};

use super::config::Config;
use super::{Code, Finding};
use crate::object::Object;

/// The group and kind, where the status has its conditions, and which of them are reported if they are `False`.
const ROWS: &[(&str, &str, &str, &[&str])] = &[
    ("", "Service", "/status", WAYPOINT),
    ("networking.istio.io", "ServiceEntry", "/status", WAYPOINT),
    ("networking.istio.io", "WorkloadEntry", "/status", WAYPOINT),
    (
        "security.istio.io",
        "AuthorizationPolicy",
        "/status",
        &["ZtunnelAccepted", ACCEPTED_BY_WAYPOINT],
    ),
    (GATEWAY_API, "Gateway", "/status", GATEWAY),
    (GATEWAY_API, "HTTPRoute", PARENTS, GATEWAY),
    (GATEWAY_API, "GRPCRoute", PARENTS, GATEWAY),
];

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const WAYPOINT: &[&str] = &["istio.io/WaypointBound"];
const GATEWAY: &[&str] = &["Accepted", "Programmed", "ResolvedRefs"];
const ACCEPTED_BY_WAYPOINT: &str = "WaypointAccepted";
/// A route has conditions for each of its parents.
const PARENTS: &str = "/status/parents";

/// The conditions of all objects.
pub fn all(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for value in config.objects() {
        let api_version = text(value, "/apiVersion");
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let row = ROWS
            .iter()
            .find(|(of, kind, ..)| *of == group && *kind == text(value, "/kind"));
        let Some((_, kind, place, types)) = row else {
            continue;
        };
        let holders: Vec<_> = match *place {
            PARENTS => list(value, PARENTS).collect(),
            _ => value.pointer(place).into_iter().collect(),
        };
        for condition in holders
            .into_iter()
            .flat_map(|each| list(each, "/conditions"))
        {
            let [of, status, reason, message] =
                ["/type", "/status", "/reason", "/message"].map(|field| text(condition, field));
            let partly = *kind == "AuthorizationPolicy"
                && of == ACCEPTED_BY_WAYPOINT
                && reason == "PartiallyInvalid";
            if partly || types.contains(&of) && status == "False" {
                found.push(Finding::new(
                    Code::NegativeConditionStatus,
                    &Object::of(value),
                    format!("its condition {of} is {status}, reason {reason}: {message}"),
                    "the change that the message asks for",
                ));
            }
        }
    }
    found
}
