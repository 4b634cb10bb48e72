//! EnvoyFilter: that what a patch is applied to, what it matches and what it does go together.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::pattern;

/// The longest expression that is looked at, in bytes.
const LONGEST: usize = 1024;
const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";

pub fn envoy_filter(spec: &At<'_>, _: &str, faults: &mut Faults) {
    for patch in spec.get("configPatches").items() {
        if patch.at("match.context").text() != "WAYPOINT" {
            config_patch(&patch, faults);
        }
    }
}

fn config_patch(config: &At<'_>, faults: &mut Faults) {
    let (applied, patch) = (config.get("applyTo"), config.get("patch"));
    if matches!(applied.text(), "" | "INVALID") {
        return faults.deny(&applied, "Envoy filter: missing applyTo");
    }
    if !patch.is_set() {
        return faults.deny(&patch, "Envoy filter: missing patch");
    }
    let operation = patch.get("operation");
    if matches!(operation.text(), "" | "INVALID") {
        return faults.deny(&operation, "Envoy filter: missing patch operation");
    }
    if operation.text() != "REMOVE" && !patch.get("value").is_set() {
        let why = "Envoy filter: missing patch value for non-remove operation";
        return faults.deny(&patch.get("value"), why);
    }
    let version = config.at("match.proxy.proxyVersion");
    if version.text().len() <= LONGEST
        && let Some(why) = pattern::invalid(version.text())
    {
        let why =
            format!("Envoy filter: invalid regex for proxy version, [error parsing regexp: {why}]");
        return faults.deny(&version, why);
    }
    let (kind, class) = match applied.text() {
        "LISTENER" | "FILTER_CHAIN" | "NETWORK_FILTER" | "HTTP_FILTER" => ("listener", "listener"),
        "ROUTE_CONFIGURATION" | "VIRTUAL_HOST" | "HTTP_ROUTE" => {
            ("routeConfiguration", "http route")
        }
        "CLUSTER" => ("cluster", "cluster"),
        _ => return,
    };
    let matched = config.get("match");
    for other in ["listener", "routeConfiguration", "cluster"] {
        if other != kind && matched.get(other).is_set() {
            let what = match kind {
                "routeConfiguration" => "route configuration",
                kind => kind,
            };
            let why = format!(
                "Envoy filter: applyTo for {class} class objects cannot have non {what} match"
            );
            return faults.deny(&matched.get(other), why);
        }
    }
    filter(
        &matched.at("listener.filterChain.filter"),
        applied.text(),
        faults,
    );
}

fn filter(filter: &At<'_>, applied: &str, faults: &mut Faults) {
    if !filter.is_set() {
        return;
    }
    let (name, below) = (filter.get("name"), filter.get("subFilter"));
    if name.text().is_empty() {
        faults.deny(&name, "Envoy filter: filter match has no name to match on");
    } else if below.is_set() {
        if applied != "HTTP_FILTER" {
            faults.deny(
                &below,
                "Envoy filter: subfilter match can be used with applyTo HTTP_FILTER only",
            );
        } else if !matches!(
            name.text(),
            CONNECTION_MANAGER | "envoy.http_connection_manager"
        ) {
            let why = format!(
                "Envoy filter: subfilter match requires filter match with {CONNECTION_MANAGER}"
            );
            faults.deny(&name, why);
        } else if below.get("name").text().is_empty() {
            faults.deny(
                &below.get("name"),
                "Envoy filter: subfilter match has no name to match on",
            );
        }
    }
}
