//! Where a cluster sends a connection: its endpoints with their health, and the TLS that it puts around it.
//!
//! Sources: Envoy's API reference, `config/cluster/v3/cluster.proto`, `config/endpoint/v3/endpoint_components.proto`,
//! `extensions/transport_sockets/tls/v3/tls.proto`; `intro/arch_overview/upstream/load_balancing/panic_threshold`. Which of
//! several healthy endpoints a connection gets is not decided here.

use std::net::SocketAddr;

use serde_json::Value;

use super::dump::{ConfigDump, socket_address};
use super::filters::type_name;
use super::string_matcher::integer;

/// The target of a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Its address; `None` if it is not known, or a name that was not resolved.
    pub address: Option<SocketAddr>,
    /// The address or name with its port, for the reader.
    pub name: String,
    /// The TLS around the connection; `None` for none.
    pub tls: Option<UpstreamTls>,
}

/// The TLS that a cluster originates.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpstreamTls {
    /// The SNI of the configuration; empty for none.
    pub server_name: String,
    /// The application protocols that it offers.
    pub protocols: Vec<String>,
    /// Whether it shows a certificate.
    pub has_certificate: bool,
    /// The names that the peer's certificate must have, as `StringMatcher`; any if there are none.
    pub names: Vec<Value>,
    /// The secret with the authorities that must have signed the peer's certificate; empty if any certificate is accepted.
    pub authorities: String,
}

/// The kinds of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterKind {
    /// Sends a connection where it was going.
    OriginalDst,
    /// Has the endpoints that the control plane names.
    Eds,
    /// Has endpoints of its own, by address.
    Static,
    /// Has endpoints of its own, by names that it resolves.
    Dns,
}

/// Why there is no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoUpstream {
    /// There is no healthy endpoint: what there is.
    NoHealthyUpstream(String),
    /// It is not understood, by name.
    Unknown(String),
}

/// The kind of a cluster.
///
/// # Errors
/// The name of a kind that is not known here.
pub fn kind(cluster: &Value) -> Result<ClusterKind, String> {
    if let Some(other) = cluster.get("cluster_type") {
        return Err(format!("cluster type {}", json::text(other, "/name")));
    }
    match cluster["type"].as_str() {
        None | Some("STATIC") => Ok(ClusterKind::Static),
        Some("STRICT_DNS" | "LOGICAL_DNS") => Ok(ClusterKind::Dns),
        Some("EDS") => Ok(ClusterKind::Eds),
        Some("ORIGINAL_DST") => Ok(ClusterKind::OriginalDst),
        Some(other) => Err(format!("cluster type {other}")),
    }
}

/// The endpoints of a cluster that can be chosen. For a cluster that goes to the original destination there are none: the caller
/// knows it.
///
/// # Errors
/// There is none, or it is not known.
pub fn endpoints(dump: &ConfigDump, cluster: &Value) -> Result<Vec<Upstream>, NoUpstream> {
    let unknown = NoUpstream::Unknown;
    if json::list(cluster, "/lb_subset_config/subset_selectors")
        .next()
        .is_some()
    {
        return Err(unknown("lb_subset_config".to_owned()));
    }
    let name = json::text(cluster, "/name");
    let assignment = match kind(cluster).map_err(unknown)? {
        ClusterKind::OriginalDst => return Ok(Vec::new()),
        ClusterKind::Eds => {
            let service = json::text(cluster, "/eds_cluster_config/service_name");
            let service = if service.is_empty() { name } else { service };
            dump.endpoints.get(service)
        }
        ClusterKind::Static | ClusterKind::Dns => cluster.get("load_assignment"),
    };
    let Some(assignment) = assignment else {
        return Err(NoUpstream::NoHealthyUpstream(
            "it has no endpoints".to_owned(),
        ));
    };
    let threshold = &cluster["common_lb_config"]["healthy_panic_threshold"];
    let panics = threshold.is_null() || threshold["value"].as_f64().unwrap_or_default() > 0.0;
    let mut localities: Vec<&Value> = json::list(assignment, "/endpoints").collect();
    localities.sort_by_key(|one| integer(&one["priority"]));
    let mut all = Vec::new();
    for locality in localities {
        for endpoint in json::list(locality, "/lb_endpoints") {
            all.extend(resolved(
                dump,
                name,
                kind(cluster) == Ok(ClusterKind::Dns),
                endpoint,
            )?);
        }
        let usable: Vec<Value> = all
            .iter()
            .filter(|(_, healthy)| *healthy)
            .map(|(one, _)| one)
            .cloned()
            .collect();
        if !usable.is_empty() {
            return usable.iter().map(|one| upstream(cluster, one)).collect();
        }
    }
    match (panics, all.len()) {
        (_, 0) => Err(NoUpstream::NoHealthyUpstream(
            "it has no endpoints".to_owned(),
        )),
        // Where hosts are few enough, their health is disregarded.
        (true, _) => all.iter().map(|(one, _)| upstream(cluster, one)).collect(),
        (false, count) => Err(NoUpstream::NoHealthyUpstream(format!(
            "none of its {count} endpoints is healthy"
        ))),
    }
}

/// An endpoint, by its addresses if it is a name that the proxy has resolved; each with whether it is healthy.
fn resolved(
    dump: &ConfigDump,
    cluster: &str,
    by_name: bool,
    endpoint: &Value,
) -> Result<Vec<(Value, bool)>, NoUpstream> {
    let address = &endpoint["endpoint"]["address"];
    let hosts = dump
        .hosts
        .as_ref()
        .map(|all| all.get(cluster).map(Vec::as_slice).unwrap_or_default());
    let stated = !matches!(
        endpoint["health_status"].as_str(),
        Some("UNHEALTHY" | "DRAINING" | "TIMEOUT")
    );
    match (socket_address(address), hosts) {
        (Some(own), hosts) => {
            let hosts = hosts.unwrap_or_default();
            let host = hosts
                .iter()
                .find(|host| socket_address(&host["address"]) == Some(own));
            Ok(vec![(
                endpoint.clone(),
                stated && host.is_none_or(is_healthy),
            )])
        }
        (None, Some(hosts)) if by_name => {
            let port = address["socket_address"]["port_value"].as_u64();
            let own = hosts
                .iter()
                .filter(|host| host["address"]["socket_address"]["port_value"].as_u64() == port);
            let at = |host: &Value| {
                let mut at = endpoint.clone();
                at["endpoint"]["address"] = host["address"].clone();
                (at, stated && is_healthy(host))
            };
            Ok(own.map(at).collect())
        }
        (None, _) if address.get("socket_address").is_some() => {
            Ok(vec![(endpoint.clone(), stated)])
        }
        (None, _) => match address.as_object().and_then(|fields| fields.keys().next()) {
            Some(kind) => Err(NoUpstream::Unknown(format!("endpoint with {kind}"))),
            None => Err(NoUpstream::Unknown(
                "endpoint without an address".to_owned(),
            )),
        },
    }
}

/// Whether a host of the list of clusters is healthy.
fn is_healthy(host: &Value) -> bool {
    let health = &host["health_status"];
    let failed = ["failed_outlier_check", "failed_active_health_check"];
    let of_eds = health["eds_health_status"].as_str();
    failed.iter().all(|name| health[name] != true)
        && !matches!(of_eds, Some("UNHEALTHY" | "DRAINING" | "TIMEOUT"))
}

fn upstream(cluster: &Value, endpoint: &Value) -> Result<Upstream, NoUpstream> {
    let address = &endpoint["endpoint"]["address"];
    let own = socket_address(address);
    let socket = &address["socket_address"];
    let name = match own {
        Some(own) => own.to_string(),
        None => format!(
            "{}:{}",
            json::text(socket, "/address"),
            socket["port_value"]
        ),
    };
    Ok(Upstream {
        address: own,
        name,
        tls: tls(cluster, endpoint).map_err(NoUpstream::Unknown)?,
    })
}

/// The TLS of a cluster for one of its endpoints: the first of `transport_socket_matches` whose criteria are in the endpoint's
/// metadata, otherwise the cluster's own.
///
/// # Errors
/// The name of a transport socket that is not known here.
pub fn tls(cluster: &Value, endpoint: &Value) -> Result<Option<UpstreamTls>, String> {
    let metadata = &endpoint["metadata"]["filter_metadata"]["envoy.transport_socket_match"];
    let fits = |one: &&Value| {
        let mut criteria = one["match"].as_object().into_iter().flatten();
        criteria.all(|(name, value)| metadata.get(name) == Some(value))
    };
    let matching = json::list(cluster, "/transport_socket_matches").find(fits);
    let socket = matching.map_or_else(
        || cluster.get("transport_socket"),
        |one| one.get("transport_socket"),
    );
    let Some(socket) = socket else {
        return Ok(None);
    };
    let config = &socket["typed_config"];
    match type_name(config).rsplit('.').next() {
        Some("RawBuffer") => Ok(None),
        Some("UpstreamTlsContext") => Ok(Some(of_context(config))),
        _ => Err(format!("transport socket {}", json::text(socket, "/name"))),
    }
}

fn of_context(config: &Value) -> UpstreamTls {
    let common = &config["common_tls_context"];
    let certificates = [
        "tls_certificates",
        "tls_certificate_sds_secret_configs",
        "tls_certificate_provider_instance",
    ];
    let has = |name: &str| match common.get(name) {
        Some(Value::Array(all)) => !all.is_empty(),
        other => other.is_some(),
    };
    let (names, authorities) = validation(common);
    UpstreamTls {
        server_name: json::text(config, "/sni").to_owned(),
        protocols: crate::object::texts(common, "/alpn_protocols"),
        has_certificate: certificates.iter().any(|name| has(name)),
        names,
        authorities,
    }
}

/// What a TLS context demands of the peer's certificate: its names, and the secret with the authorities; empty if it demands
/// nothing.
pub fn validation(common: &Value) -> (Vec<Value>, String) {
    let combined = &common["combined_validation_context"];
    let contexts = [
        &common["validation_context"],
        &combined["default_validation_context"],
    ];
    let mut names = Vec::new();
    for context in contexts {
        let typed = json::list(context, "/match_typed_subject_alt_names")
            .filter_map(|one| one.get("matcher"));
        names.extend(
            typed
                .chain(json::list(context, "/match_subject_alt_names"))
                .cloned(),
        );
    }
    let secrets = [
        &common["validation_context_sds_secret_config"],
        &combined["validation_context_sds_secret_config"],
    ];
    let mut secret = secrets
        .iter()
        .map(|one| json::text(one, "/name"))
        .filter(|name| !name.is_empty());
    let given = contexts.iter().any(|context| {
        context.get("trusted_ca").is_some() || context.get("system_root_certs").is_some()
    });
    let authorities = match (secret.next(), given) {
        (Some(name), _) => name,
        (None, true) => "trusted_ca",
        (None, false) => "",
    };
    (names, authorities.to_owned())
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
