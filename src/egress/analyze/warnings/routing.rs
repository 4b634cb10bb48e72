//! Warnings about routes and hosts: VirtualServices, DestinationRules, ServiceEntries and WorkloadEntries.

use std::net::IpAddr;

use json::{list, text};
use serde_json::Value;

use super::{Warnings, selects_nothing, warn};
use crate::object::texts;

/// The largest body of a direct response without a warning, and the largest one at all.
const LARGE_BODY: std::ops::RangeInclusive<usize> = 100 * 1024 + 1..=1024 * 1024;

/// A VirtualService.
pub fn virtual_service(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    gateway_names(&value["spec"], "spec", &mut found);
    for (index, rule) in list(value, "/spec/http").enumerate() {
        let place = format!("spec.http[{index}]");
        if rule
            .get("mirrorPercent")
            .is_some_and(|percent| !percent.is_null())
        {
            warn(
                &mut found,
                format!("{place}.mirrorPercent is deprecated"),
                format!("{place}.mirrorPercentage.value"),
            );
        }
        let body = text(rule, "/directResponse/body/string").len();
        if LARGE_BODY.contains(&body) {
            warn(
                &mut found,
                format!("{place}.directResponse.body has {body} bytes, which every proxy loads"),
                "a small body, or a server for it",
            );
        }
    }
    for (index, rule) in list(value, "/spec/tls").enumerate() {
        for (at, when) in list(rule, "/match").enumerate() {
            let place = format!("spec.tls[{index}].match[{at}]");
            gateway_names(when, &place, &mut found);
            for name in texts(when, "/sniHosts") {
                if name.parse::<IpAddr>().is_ok() {
                    warn(
                        &mut found,
                        format!(
                            "{place}.sniHosts: {name} is an address; clients send no SNI for one"
                        ),
                        "a host name, or a rule of spec.tcp with destinationSubnets",
                    );
                }
            }
        }
    }
    found
}

/// Names of Gateways in the old form `NAME.NAMESPACE`. Istio checks the names up to the first one without a namespace.
fn gateway_names(part: &Value, place: &str, found: &mut Warnings) {
    let names = texts(part, "/gateways");
    let Some(first) = names.iter().find(|name| !name.contains('/')) else {
        return;
    };
    if let Some((name, namespace)) = first.split_once('.') {
        warn(
            found,
            format!("{place}.gateways: {first} is the old form of a Gateway's name"),
            format!("{namespace}/{name}"),
        );
    }
}

/// A DestinationRule.
pub fn destination_rule(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    let spec = &value["spec"];
    if selects_nothing(&spec["workloadSelector"], "matchLabels") {
        warn(
            &mut found,
            "spec.workloadSelector has no labels: it selects every workload of the namespace",
            "labels in spec.workloadSelector.matchLabels, or no workloadSelector",
        );
    }
    traffic_policy(&spec["trafficPolicy"], &mut found);
    found
}

/// The settings of a policy. Of subsets and single ports, Istio's validation drops the warnings.
fn traffic_policy(policy: &Value, found: &mut Warnings) {
    let place = "spec.trafficPolicy";
    let number = |pointer: &str| policy.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if number("/outlierDetection/consecutiveErrors") != 0 {
        warn(
            found,
            format!("{place}.outlierDetection.consecutiveErrors is deprecated"),
            "consecutive5xxErrors or consecutiveGatewayErrors",
        );
    }
    if number("/loadBalancer/consistentHash/minimumRingSize") != 0 {
        warn(
            found,
            format!("{place}.loadBalancer.consistentHash.minimumRingSize is deprecated"),
            "consistentHash.ringHash.minimumRingSize",
        );
    }
    for settings in ["localityLbSetting", "zoneAwareLbSetting"] {
        let settings = &policy["loadBalancer"][settings];
        let fails_over = ["failover", "failoverPriority"]
            .iter()
            .any(|field| !crate::field::empty(&settings[field]));
        if fails_over && !policy["outlierDetection"].is_object() {
            warn(
                found,
                format!("{place}.loadBalancer has a failover, which needs outlierDetection"),
                format!("{place}.outlierDetection"),
            );
        }
    }
}

/// Whether a protocol is one of TCP's, TLS included.
fn is_tcp(protocol: &str) -> bool {
    matches!(
        protocol.to_ascii_lowercase().as_str(),
        "tcp" | "https" | "tls" | "mongo" | "redis" | "mysql"
    )
}

/// A ServiceEntry.
pub fn service_entry(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    let spec = &value["spec"];
    let resolution = match text(spec, "/resolution") {
        "" => "NONE",
        resolution => resolution,
    };
    if selects_nothing(&spec["workloadSelector"], "labels") {
        warn(
            &mut found,
            "spec.workloadSelector has no labels: it selects every workload of the namespace",
            "labels in spec.workloadSelector.labels, or no workloadSelector",
        );
    }
    let hosts = texts(spec, "/hosts");
    for host in &hosts {
        let partial = host.len() > 1 && host.contains('*') && !host.starts_with("*.");
        if resolution != "DYNAMIC_DNS" && partial {
            warn(
                &mut found,
                format!("spec.hosts: {host} is not a pattern of whole labels"),
                "a pattern that begins with `*.`",
            );
        }
    }
    let addressed = list(spec, "/addresses").next().is_some();
    for (index, port) in list(spec, "/ports").enumerate() {
        // istiod allocates addresses for every other resolution.
        if !addressed && resolution == "NONE" && matches!(text(port, "/protocol"), "" | "TCP") {
            warn(
                &mut found,
                format!(
                    "spec.ports[{index}] is TCP without addresses, and istiod allocates none for resolution NONE"
                ),
                "spec.addresses",
            );
        }
    }
    if resolution == "NONE" && spec["workloadSelector"].is_object() {
        warn(
            &mut found,
            "spec.workloadSelector has no effect with resolution NONE",
            "resolution STATIC",
        );
    }
    let by_name = matches!(resolution, "DNS" | "DNS_ROUND_ROBIN");
    let mut ports = list(spec, "/ports");
    if by_name && addressed && hosts.len() > 1 && ports.any(|port| is_tcp(text(port, "/protocol")))
    {
        warn(
            &mut found,
            "several hosts share spec.addresses on a TCP port: the address does not say which host is meant",
            "one ServiceEntry for each host",
        );
    }
    if resolution == "STATIC" {
        for (index, endpoint) in list(spec, "/endpoints").enumerate() {
            without_address(endpoint, &format!("spec.endpoints[{index}]"), &mut found);
        }
    }
    found
}

/// A WorkloadEntry.
pub fn workload_entry(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    without_address(&value["spec"], "spec", &mut found);
    found
}

fn without_address(endpoint: &Value, place: &str, found: &mut Warnings) {
    let network = text(endpoint, "/network");
    if text(endpoint, "/address").is_empty() && !network.is_empty() {
        warn(
            found,
            format!(
                "{place} has network {network} and no address: it is reached through that network's gateway"
            ),
            format!("{place}.address"),
        );
    }
}
