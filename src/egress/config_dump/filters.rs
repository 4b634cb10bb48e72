//! The filters that Istio puts on the way, by the type of their configuration: those that are evaluated, and those that decide
//! nothing. Every other filter is unknown, by name.
//!
//! Sources: Envoy's documentation of each filter (`configuration/http/http_filters/`, `configuration/listeners/network_filters/`),
//! and Istio's proxy (`source/extensions/filters/` in istio/proxy) for its own.

use serde_json::Value;

/// What a filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterKind {
    /// Authorizes connections.
    NetworkRbac,
    /// Forwards a connection.
    TcpProxy,
    /// Parses HTTP.
    HttpConnectionManager,
    /// Authorizes requests.
    HttpRbac,
    /// Injects faults.
    Fault,
    /// Forwards a request.
    Router,
    /// Answers a browser's preflight request; everything else passes.
    Cors,
    /// Decides nothing.
    Passing,
}

/// Filters by the type of their configuration; for a filter that decides nothing, why not.
const FILTERS: &[(&str, FilterKind, &str)] = &[
    (
        "envoy.extensions.filters.network.rbac.v3.RBAC",
        FilterKind::NetworkRbac,
        "",
    ),
    (
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        FilterKind::TcpProxy,
        "",
    ),
    (
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        FilterKind::HttpConnectionManager,
        "",
    ),
    (
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        FilterKind::HttpRbac,
        "",
    ),
    (
        "envoy.extensions.filters.http.fault.v3.HTTPFault",
        FilterKind::Fault,
        "",
    ),
    (
        "envoy.extensions.filters.http.router.v3.Router",
        FilterKind::Router,
        "",
    ),
    (
        "envoy.extensions.filters.http.cors.v3.Cors",
        FilterKind::Cors,
        "",
    ),
    (
        "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
        FilterKind::Passing,
        "counts messages of gRPC",
    ),
    (
        "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
        FilterKind::Passing,
        "translates gRPC-Web, and nothing else",
    ),
    (
        "stats.PluginConfig",
        FilterKind::Passing,
        "counts requests and connections",
    ),
    (
        "io.istio.http.peer_metadata.Config",
        FilterKind::Passing,
        "exchanges labels of workloads for metrics",
    ),
    (
        "envoy.tcp.metadataexchange.config.MetadataExchange",
        FilterKind::Passing,
        "exchanges labels of workloads for metrics",
    ),
    (
        "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
        FilterKind::Passing,
        "sets the ALPN of mutual TLS, which no filter chain of Istio's refuses",
    ),
    (
        "envoy.extensions.filters.network.set_filter_state.v3.Config",
        FilterKind::Passing,
        "keeps values for access logs and other filters",
    ),
    (
        "envoy.extensions.filters.http.set_filter_state.v3.Config",
        FilterKind::Passing,
        "keeps values for access logs and other filters",
    ),
];

/// Null plugins of WebAssembly, with which older versions of Istio count and exchange labels.
const PLUGINS: [&str; 3] = [
    "envoy.wasm.stats",
    "envoy.wasm.metadata_exchange",
    "envoy.wasm.null.stackdriver",
];

/// The kind of a filter by its configuration; `None` if it is not known here.
pub fn kind(filter: &Value) -> Option<FilterKind> {
    let config = &filter["typed_config"];
    let mut name = type_name(config);
    if name.ends_with(".TypedStruct") {
        name = json::text(config, "/type_url")
            .rsplit('/')
            .next()
            .unwrap_or_default();
    }
    if name.ends_with(".wasm.v3.Wasm") {
        let places = ["/config", "/value/config"];
        let plugin = places
            .iter()
            .map(|place| {
                json::text(
                    config,
                    &format!("{place}/vm_config/code/local/inline_string"),
                )
            })
            .find(|plugin| !plugin.is_empty());
        return PLUGINS.contains(&plugin?).then_some(FilterKind::Passing);
    }
    let mut all = FILTERS.iter();
    all.find(|(known, ..)| *known == name)
        .map(|(_, kind, _)| *kind)
}

/// The type of a configuration, without the host of its URL.
pub fn type_name(config: &Value) -> &str {
    json::text(config, "/@type")
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

/// The configuration of a filter for one route: that of the route, of the virtual host or of the route configuration, the first
/// that there is; `None` if there is none. Envoy's documentation, `configuration/http/http_filters/` (per-route configuration).
pub fn per_route<'r>(name: &str, owners: &[&'r Value]) -> Option<&'r Value> {
    owners
        .iter()
        .find_map(|owner| owner["typed_per_filter_config"].get(name))
}

/// Whether a filter is switched off, by itself or for a route (FilterConfig.disabled).
pub fn is_off(filter: &Value, per_route: Option<&Value>) -> bool {
    let of_route =
        per_route.filter(|config| type_name(config) == "envoy.config.route.v3.FilterConfig");
    match of_route {
        Some(config) => config["disabled"] == true,
        None => filter["disabled"] == true && per_route.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_is_known_by_the_type_of_its_configuration() {
        let typed = |name: &str| json!({"name": "x", "typed_config": {"@type": format!("type.googleapis.com/{name}")}});
        for (name, found, why) in FILTERS {
            assert_eq!(kind(&typed(name)), Some(*found));
            assert_eq!(why.is_empty(), *found != FilterKind::Passing, "{name}");
        }
        let wrapped = json!({"typed_config": {
            "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
            "type_url": "type.googleapis.com/stats.PluginConfig",
        }});
        assert_eq!(kind(&wrapped), Some(FilterKind::Passing));
        let wasm = |plugin: &str| {
            json!({"typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {"vm_config": {"code": {"local": {"inline_string": plugin}}}},
            }})
        };
        assert_eq!(kind(&wasm("envoy.wasm.stats")), Some(FilterKind::Passing));
        for other in [
            wasm("other"),
            typed("envoy.extensions.filters.http.lua.v3.Lua"),
            json!({"name": "x", "config_discovery": {}}),
        ] {
            assert_eq!(kind(&other), None, "{other}");
        }
    }

    #[test]
    fn the_configuration_nearest_to_the_route_counts() {
        let off = json!({"@type": "x/envoy.config.route.v3.FilterConfig", "disabled": true});
        let owner = |config: &Value| json!({"typed_per_filter_config": {"f": config}});
        let (route, host) = (owner(&json!({"a": 1})), owner(&off));
        let none = json!({});
        assert_eq!(per_route("f", &[&route, &host]).unwrap()["a"], 1);
        assert_eq!(per_route("f", &[&none, &none]), None);
        // (filter, of the route, whether it is off)
        let disabled = json!({"disabled": true});
        for (filter, config, expected) in [
            (&none, None, false),
            (&none, Some(&off), true),
            (&disabled, None, true),
            (&disabled, Some(&none), false),
        ] {
            assert_eq!(is_off(filter, config), expected, "{filter} {config:?}");
        }
    }
}
