//! Requests through small dumps made here: what each part of a configuration does. Real dumps are in `fixtures/proxy-config/`.

use super::*;
use serde_json::{Value, json};

fn typed(kind: &str, more: Value) -> Value {
    let mut filter =
        json!({"name": kind, "typed_config": {"@type": format!("type.googleapis.com/{kind}")}});
    json::merge(&mut filter["typed_config"], &more);
    filter
}

const MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

/// A chain that parses HTTP, with these filters before its router and this route.
fn http(filters: &[Value], route: Value) -> Value {
    let routes = json!({"name": "80", "virtual_hosts": [
        {"name": "example.com:80", "domains": ["example.com"], "routes": [route]},
    ]});
    let mut all = filters.to_vec();
    all.push(typed(ROUTER, json!({})));
    json!({"filters": [typed(MANAGER, json!({"route_config": routes, "http_filters": all}))]})
}

fn dump(id: &str, listeners: Value, clusters: Value) -> ConfigDump {
    let listeners = listeners.as_array().unwrap().iter();
    let listeners: Vec<Value> = listeners
        .map(|one| json!({"active_state": {"listener": one}}))
        .collect();
    let clusters = clusters.as_array().unwrap().iter();
    let clusters: Vec<Value> = clusters.map(|one| json!({"cluster": one})).collect();
    let dump = json!({"configs": [
        {"@type": "x/envoy.admin.v3.BootstrapConfigDump",
            "bootstrap": {"node": {"id": id, "metadata": {"SERVICE_ACCOUNT": "default"}}}},
        {"@type": "x/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": listeners},
        {"@type": "x/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": clusters},
    ]});
    ConfigDump::read(&dump, None).unwrap()
}

fn at(port: u16, more: Value) -> Value {
    let mut listener = json!({
        "name": format!("0.0.0.0_{port}"),
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
    });
    json::merge(&mut listener, &more);
    listener
}

/// A cluster with one endpoint.
fn to(name: &str, address: &str, port: u16) -> Value {
    json!({"name": name, "type": "STATIC", "load_assignment": {"endpoints": [{"lb_endpoints": [
        {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}},
    ]}]}})
}

/// A sidecar whose port 80 has this chain, and whose other ports are streamed to the black hole.
fn sidecar(chain: Value) -> ConfigDump {
    let tcp = typed(
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        json!({"cluster": "BlackHoleCluster"}),
    );
    let listeners = json!([
        at(80, json!({"bind_to_port": false, "filter_chains": [chain]})),
        at(
            15001,
            json!({"use_original_dst": true, "filter_chains": [{"filters": [tcp]}]})
        ),
    ]);
    let clusters = json!([
        {"name": "BlackHoleCluster", "type": "STATIC"},
        to("outside", "192.0.2.1", 80),
        to("gateway", "10.1.0.2", 8080),
    ]);
    dump("sidecar~10.1.0.1~test.team-x~d", listeners, clusters)
}

fn follow(dumps: Vec<ConfigDump>, url: &str) -> ProxyTrace {
    let dumps = ConfigDumps::new(dumps);
    let request = Request::get("team-x", url).unwrap();
    dumps.follow(dumps.sidecar("team-x", None).unwrap(), &request, None)
}

/// The verdict with the status of a proxy's answer, or curl's exit code.
fn result(trace: &ProxyTrace) -> String {
    let got = match &trace.got {
        Some(CallerOutcome::Answer(answer)) => format!(" {}", answer.status),
        Some(CallerOutcome::Failure(failure)) => format!(" exit {}", failure.exit()),
        None => String::new(),
    };
    format!("{}{got}", trace.verdict.word())
}

fn route(action: Value) -> Value {
    let mut route = json!({"name": "default", "match": {"prefix": "/"}});
    json::merge(&mut route, &action);
    route
}

#[test]
fn each_part_of_a_proxy_decides() {
    let outside = || route(json!({"route": {"cluster": "outside"}}));
    let weighted = |other: &str| {
        let clusters = json!([{"name": "outside", "weight": 80}, {"name": other, "weight": 20}]);
        route(json!({"route": {"weighted_clusters": {"clusters": clusters}}}))
    };
    let fault = |percentage: Value| {
        let config = json!({"@type": "x/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {"http_status": 418, "percentage": percentage}});
        let mut route = outside();
        route["typed_per_filter_config"] =
            json!({"envoy.extensions.filters.http.fault.v3.HTTPFault": config});
        http(
            &[typed(
                "envoy.extensions.filters.http.fault.v3.HTTPFault",
                json!({}),
            )],
            route,
        )
    };
    let rbac = |rules: Value| {
        http(
            &[typed("envoy.extensions.filters.http.rbac.v3.RBAC", rules)],
            outside(),
        )
    };
    let lua = typed("envoy.extensions.filters.http.lua.v3.Lua", json!({}));
    let mut off = outside();
    off["typed_per_filter_config"] = json!({"envoy.extensions.filters.http.lua.v3.Lua":
        {"@type": "x/envoy.config.route.v3.FilterConfig", "disabled": true}});
    // (chain, result)
    let cases = [
        (http(&[], outside()), "reaches"),
        (
            http(&[], route(json!({"route": {"cluster": "none"}}))),
            "refused 503",
        ),
        (
            http(
                &[],
                route(json!({"route": {"cluster": "BlackHoleCluster"}})),
            ),
            "refused 503",
        ),
        (
            http(&[], route(json!({"direct_response": {"status": 502}}))),
            "refused 502",
        ),
        (
            http(&[], route(json!({"redirect": {"https_redirect": true}}))),
            "refused 301",
        ),
        (
            http(&[], route(json!({"match": {"prefix": "/other"}}))),
            "refused 404",
        ),
        (http(&[], weighted("outside")), "reaches"),
        (http(&[], weighted("none")), "unknown"),
        (fault(json!({"numerator": 100})), "refused 418"),
        (fault(json!({"numerator": 0})), "reaches"),
        (fault(json!({"numerator": 50})), "unknown"),
        (rbac(json!({"rules": {}})), "refused 403"),
        (rbac(json!({"shadow_rules": {}})), "reaches"),
        (rbac(json!({"rules": {"action": "DENY"}})), "reaches"),
        (http(std::slice::from_ref(&lua), outside()), "unknown"),
        (http(&[lua], off), "reaches"),
        (json!({"filters": []}), "unknown"),
        (
            json!({"filter_chain_match": {"destination_port": 81}}),
            "refused exit 56",
        ),
    ];
    for (chain, expected) in cases {
        let trace = follow(vec![sidecar(chain.clone())], "http://example.com/");
        assert_eq!(result(&trace), expected, "{chain} {trace:#?}");
    }
    // A port that no listener has: streamed to the black hole.
    let trace = follow(vec![sidecar(http(&[], outside()))], "https://example.com/");
    assert_eq!(result(&trace), "refused exit 35");
    assert_eq!(trace.proxies[0].cluster, "BlackHoleCluster");
}

#[test]
fn a_filter_that_is_not_known_is_told_by_name() {
    let filters = [typed(
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        json!({}),
    )];
    let trace = follow(
        vec![sidecar(http(
            &filters,
            route(json!({"route": {"cluster": "outside"}})),
        ))],
        "http://example.com/",
    );
    let told: Vec<String> = trace.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["Envoy team-x/test HTTP filter envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"]
    );
    // The rest is still followed.
    assert_eq!(trace.hops.last().unwrap().name, "192.0.2.1:80");
}

/// A gateway that demands certificates of the mesh on its port 8080.
fn gateway(rules: Value) -> ConfigDump {
    let mut chain = http(
        &[typed(
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            json!({"rules": rules}),
        )],
        route(json!({"route": {"cluster": "outside"}})),
    );
    chain["transport_socket"] = json!({"name": "tls", "typed_config": {
        "@type": "x/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": true,
        "common_tls_context": {"combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": [{"matcher": {"prefix": "spiffe://cluster.local/"}}]},
            "validation_context_sds_secret_config": {"name": "ROOTCA"},
        }},
    }});
    dump(
        "router~10.1.0.2~gw.istio-egress~d",
        json!([at(8080, json!({"filter_chains": [chain]}))]),
        json!([to("outside", "192.0.2.1", 80)]),
    )
}

/// A sidecar that sends the host to the gateway, with a certificate of the mesh or in clear text.
fn through_gateway(server: Option<&str>) -> ConfigDump {
    let mut dump = sidecar(http(&[], route(json!({"route": {"cluster": "gateway"}}))));
    if let Some(server) = server {
        let socket = json!({"name": "tls", "typed_config": {
            "@type": "x/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {
                "tls_certificate_sds_secret_configs": [{"name": "default"}],
                "validation_context": {"trusted_ca": {}, "match_typed_subject_alt_names": [{"matcher": {"exact": server}}]},
            },
        }});
        dump.clusters.get_mut("gateway").unwrap()["transport_socket"] = socket;
    }
    dump
}

#[test]
fn the_next_proxy_sees_who_the_caller_is() {
    let gateways = "spiffe://cluster.local/ns/istio-egress/sa/default";
    let only = |namespace: &str| {
        let name = json!({"safe_regex": {"regex": format!("spiffe://.*/ns/{namespace}/.*")}});
        json!({"policies": {"ns[istio-egress]-policy[one]-rule[0]": {
            "permissions": [{"any": true}], "principals": [{"authenticated": {"principal_name": name}}]}}})
    };
    // (server's name, namespace that is allowed, whether the gateway's dump is there, result)
    let cases = [
        (Some(gateways), "team-x", true, "reaches"),
        (Some(gateways), "team-y", true, "refused 403"),
        // The sidecar does not accept the gateway's certificate, and answers itself.
        (
            Some("spiffe://cluster.local/ns/istio-egress/sa/other"),
            "team-x",
            true,
            "refused 503",
        ),
        // The gateway ends what is not TLS.
        (None, "team-x", true, "refused 503"),
        (Some(gateways), "team-x", false, "unknown"),
        // Without a sign of the mesh, the address is one like any other.
        (None, "team-x", false, "reaches"),
    ];
    for (server, namespace, there, expected) in cases {
        let mut dumps = vec![through_gateway(server)];
        dumps.extend(there.then(|| gateway(only(namespace))));
        let trace = follow(dumps, "http://example.com/");
        assert_eq!(
            result(&trace),
            expected,
            "{server:?} {namespace} {there} {trace:#?}"
        );
        if !there {
            assert_eq!(trace.leaves_to, Some("10.1.0.2:8080".parse().unwrap()));
        }
    }
}

#[test]
fn routes_that_lead_back_are_told_as_such() {
    let mut back = gateway(json!({"action": "DENY"}));
    back.listeners[0]["filter_chains"][0]
        .as_object_mut()
        .unwrap()
        .remove("transport_socket");
    back.clusters
        .insert("outside".to_owned(), to("outside", "10.1.0.2", 8080));
    let trace = follow(vec![through_gateway(None), back], "http://example.com/");
    assert_eq!(result(&trace), "unknown");
    assert!(
        trace.unknown[0].to_string().contains("more than 5 proxies"),
        "{:?}",
        trace.unknown
    );
}
