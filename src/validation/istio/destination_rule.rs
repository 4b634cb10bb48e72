//! DestinationRule.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::export::{self, Of};
use crate::istio::{form, load_balancer, tls};

/// What a traffic policy can be about.
const PARTS: [&str; 8] = [
    "outlierDetection",
    "connectionPool",
    "loadBalancer",
    "tls",
    "portLevelSettings",
    "tunnel",
    "proxyProtocol",
    "retryBudget",
];

pub fn destination_rule(spec: &At<'_>, namespace: &str, faults: &mut Faults) {
    let host = spec.get("host");
    faults.deny_if(&host, form::wildcard_domain(host.text()));
    policy(&spec.get("trafficPolicy"), faults);
    let mut seen: Vec<&str> = Vec::new();
    for subset in spec.get("subsets").items() {
        let name = subset.get("name");
        if seen.contains(&name.text()) {
            faults.deny(&name, format!("duplicate subset names: {}", name.text()));
        }
        seen.push(name.text());
        if name.text().is_empty() {
            faults.deny(&name, "subset name cannot be empty");
        } else if !form::is_label(name.text()) {
            faults.deny(&name, format!("subset name is invalid: {}", name.text()));
        }
        form::tags(&subset.get("labels"), faults);
        policy(&subset.get("trafficPolicy"), faults);
    }
    let of = match spec.get("workloadSelector").is_set() {
        true => Of::SelectingRule,
        false => Of::Other,
    };
    export::check(&spec.get("exportTo"), namespace, of, faults);
}

fn policy(policy: &At<'_>, faults: &mut Faults) {
    if !policy.is_set() {
        return;
    }
    if !PARTS.iter().any(|part| policy.get(part).is_set()) {
        return faults.deny(policy, "traffic policy must have at least one field");
    }
    let (tunnel, proxy) = (policy.get("tunnel"), policy.get("proxyProtocol"));
    if tunnel.is_set() && proxy.is_set() {
        return faults.deny(&proxy, "tunnel and proxyProtocol must not be set together");
    }
    parts(policy, faults);
    for port in policy.get("portLevelSettings").items() {
        if !port.get("port").is_set() {
            faults.deny(&port.get("port"), "portTrafficPolicy must have valid port");
        }
        if PARTS[..4].iter().any(|part| port.get(part).is_set()) {
            parts(&port, faults);
        } else {
            faults.deny(&port, "port traffic policy must have at least one field");
        }
    }
    if tunnel.is_set() {
        let protocol = tunnel.get("protocol");
        if !matches!(protocol.text(), "" | "CONNECT" | "POST") {
            faults.deny(&protocol, "tunnel protocol must be \"CONNECT\" or \"POST\"");
            form::meant(faults, protocol.text(), &["CONNECT", "POST"]);
        }
        let host = tunnel.get("targetHost");
        if !form::is_ip(host.text())
            && let Some(why) = form::domain(host.text())
        {
            faults.deny(
                &host,
                format!("tunnel target host must be valid FQDN or IP address: {why}"),
            );
        }
        let port = tunnel.get("targetPort");
        faults.deny_if(&port, form::port(port.int().unwrap_or_default()));
    }
}

fn parts(policy: &At<'_>, faults: &mut Faults) {
    outliers(&policy.get("outlierDetection"), faults);
    pool(&policy.get("connectionPool"), faults);
    load_balancer::check(&policy.get("loadBalancer"), faults);
    tls::client(&policy.get("tls"), faults);
}

fn outliers(outliers: &At<'_>, faults: &mut Faults) {
    for field in ["baseEjectionTime", "interval"] {
        form::duration(&outliers.get(field), faults);
    }
    let local = outliers.get("consecutiveLocalOriginFailures");
    if local.int().unwrap_or_default() > 0
        && !outliers.get("splitExternalLocalOriginErrors").is_true()
    {
        faults.deny(
            &local,
            "outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false",
        );
    }
    for field in ["maxEjectionPercent", "minHealthPercent"] {
        let share = outliers.get(field);
        let number = share.int().unwrap_or_default();
        if !(0..=100).contains(&number) {
            faults.deny(
                &share,
                format!("percentage {number} is not in range 0..100"),
            );
        }
    }
}

/// Judges the settings of connections, in a Sidecar too.
pub fn pool(pool: &At<'_>, faults: &mut Faults) {
    if !pool.is_set() {
        return;
    }
    let (http, tcp) = (pool.get("http"), pool.get("tcp"));
    if !http.is_set() && !tcp.is_set() {
        return faults.deny(pool, "connection pool must have at least one field");
    }
    for (at, what) in [
        (
            http.get("http1MaxPendingRequests"),
            "http1 max pending requests",
        ),
        (http.get("http2MaxRequests"), "http2 max requests"),
        (
            http.get("maxRequestsPerConnection"),
            "max requests per connection",
        ),
        (http.get("maxRetries"), "max retries"),
        (http.get("maxConcurrentStreams"), "max concurrent streams"),
        (tcp.get("maxConnections"), "max connections"),
    ] {
        if at.int().is_some_and(|number| number < 0) {
            faults.deny(&at, format!("{what} must be non-negative"));
        }
    }
    if http.get("h2UpgradePolicy").text() == "UPGRADE" && http.get("useClientProtocol").is_true() {
        let why = "use client protocol must not be true when H2UpgradePolicy is UPGRADE";
        faults.deny(&http.get("useClientProtocol"), why);
    }
    form::duration(&http.get("idleTimeout"), faults);
    let alive = http.get("http2KeepAlive");
    if alive.is_set() {
        for field in ["interval", "timeout"] {
            match alive.get(field).is_set() {
                true => form::duration(&alive.get(field), faults),
                false => faults.deny(
                    &alive.get(field),
                    format!("http2 keepalive {field} is required"),
                ),
            }
        }
    }
    for field in ["connectTimeout", "maxConnectionDuration"] {
        form::duration(&tcp.get(field), faults);
    }
    for field in ["time", "interval"] {
        form::duration(&tcp.get("tcpKeepalive").get(field), faults);
    }
}
