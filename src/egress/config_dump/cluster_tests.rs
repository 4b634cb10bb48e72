//! Clusters of a dump: their endpoints, and what their TLS demands.

use super::*;
use serde_json::json;

fn dump(endpoints: Value, hosts: Option<Value>) -> ConfigDump {
    let dump = json!({"configs": [
        {"@type": "x/envoy.admin.v3.BootstrapConfigDump",
            "bootstrap": {"node": {"id": "sidecar~10.1.0.1~pod.team-x~d"}}},
        {"@type": "x/envoy.admin.v3.ListenersConfigDump"},
        {"@type": "x/envoy.admin.v3.EndpointsConfigDump", "dynamic_endpoint_configs": [
            {"endpoint_config": {"cluster_name": "svc", "endpoints": endpoints}},
        ]},
    ]});
    let clusters =
        hosts.map(|hosts| json!({"cluster_statuses": [{"name": "c", "host_statuses": hosts}]}));
    ConfigDump::read(&dump, clusters.as_ref()).unwrap()
}

fn address(address: &str, port: u16) -> Value {
    json!({"socket_address": {"address": address, "port_value": port}})
}

fn endpoint(at: &str, health: &str) -> Value {
    json!({"endpoint": {"address": address(at, 8080)}, "health_status": health})
}

fn names(found: Result<Vec<Upstream>, NoUpstream>) -> String {
    match found {
        Ok(all) => all
            .iter()
            .map(|one| one.name.clone())
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn only_healthy_endpoints_of_the_first_priority_are_chosen() {
    let eds = |panic: Value| {
        json!({"name": "c", "type": "EDS", "eds_cluster_config": {"service_name": "svc"},
            "common_lb_config": {"healthy_panic_threshold": panic}})
    };
    let locality = |priority: u64, endpoints: &[Value]| json!({"priority": priority, "lb_endpoints": endpoints});
    let (good, bad) = (
        endpoint("10.1.0.2", "HEALTHY"),
        endpoint("10.1.0.3", "UNHEALTHY"),
    );
    let far = endpoint("10.1.0.4", "UNKNOWN");
    let ejected = json!([{"address": address("10.1.0.2", 8080), "health_status": {"failed_outlier_check": true}}]);
    // (endpoints, hosts of the list of clusters, panic threshold, found)
    let cases = [
        (
            json!([
                locality(0, &[bad.clone(), good.clone()]),
                locality(1, std::slice::from_ref(&far))
            ]),
            None,
            json!({}),
            "10.1.0.2:8080",
        ),
        (
            json!([
                locality(1, std::slice::from_ref(&far)),
                locality(0, std::slice::from_ref(&bad))
            ]),
            None,
            json!({}),
            "10.1.0.4:8080",
        ),
        (
            json!([locality(0, &[good]), locality(1, &[far])]),
            Some(ejected),
            json!({}),
            "10.1.0.4:8080",
        ),
        (
            json!([locality(0, std::slice::from_ref(&bad))]),
            None,
            json!({}),
            "NoHealthyUpstream(\"none of its 1 endpoints is healthy\")",
        ),
        (
            json!([locality(0, &[bad])]),
            None,
            Value::Null,
            "10.1.0.3:8080",
        ),
        (
            json!([]),
            None,
            json!({}),
            "NoHealthyUpstream(\"it has no endpoints\")",
        ),
        (
            json!([{"lb_endpoints": [{"endpoint": {"address": {"envoy_internal_address": {}}}}]}]),
            None,
            json!({}),
            "Unknown(\"endpoint with envoy_internal_address\")",
        ),
    ];
    for (all, hosts, panic, expected) in cases {
        let dump = dump(all.clone(), hosts);
        assert_eq!(names(endpoints(&dump, &eds(panic))), expected, "{all}");
    }
}

#[test]
fn a_name_is_one_that_the_proxy_has_resolved() {
    let cluster = json!({"name": "c", "type": "STRICT_DNS", "load_assignment": {"endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": address("example.com", 443)}}]},
    ]}});
    let host = json!([{"address": address("192.0.2.1", 443), "health_status": {"eds_health_status": "HEALTHY"}}]);
    for (hosts, expected) in [
        (None, "example.com:443"),
        (Some(host), "192.0.2.1:443"),
        (
            Some(json!([])),
            "NoHealthyUpstream(\"it has no endpoints\")",
        ),
    ] {
        assert_eq!(
            names(endpoints(&dump(json!([]), hosts), &cluster)),
            expected
        );
    }
}

#[test]
fn other_kinds_are_unknown_by_name() {
    for (cluster, expected) in [
        (
            json!({"name": "c", "cluster_type": {"name": "envoy.clusters.aggregate"}}),
            "envoy.clusters.aggregate",
        ),
        (
            json!({"name": "c", "type": "EDS", "lb_subset_config": {"subset_selectors": [{}]}}),
            "lb_subset_config",
        ),
    ] {
        let found = names(endpoints(&dump(json!([]), None), &cluster));
        assert!(found.contains(expected), "{found}");
    }
    // The black hole of Istio: a cluster without endpoints.
    let black_hole = json!({"name": "BlackHoleCluster", "type": "STATIC"});
    assert!(names(endpoints(&dump(json!([]), None), &black_hole)).contains("NoHealthyUpstream"));
}

#[test]
fn an_endpoints_metadata_chooses_its_tls() {
    let context = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "x/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "outbound_.80_._.svc",
        "common_tls_context": {
            "alpn_protocols": ["istio"],
            "tls_certificate_sds_secret_configs": [{"name": "default"}],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": [
                    {"san_type": "URI", "matcher": {"exact": "spiffe://a/ns/b/sa/c"}},
                ]},
                "validation_context_sds_secret_config": {"name": "ROOTCA"},
            },
        },
    }});
    let raw = json!({"name": "raw", "typed_config": {"@type": "x/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"}});
    let cluster = json!({"transport_socket_matches": [
        {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": context},
        {"name": "tlsMode-disabled", "match": {}, "transport_socket": raw},
    ]});
    let istio = json!({"metadata": {"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}}}});
    let found = tls(&cluster, &istio).unwrap().unwrap();
    assert_eq!(
        (
            found.server_name.as_str(),
            found.has_certificate,
            found.authorities.as_str()
        ),
        ("outbound_.80_._.svc", true, "ROOTCA")
    );
    assert_eq!(found.names, [json!({"exact": "spiffe://a/ns/b/sa/c"})]);
    assert_eq!(tls(&cluster, &json!({})), Ok(None));
    assert_eq!(tls(&json!({}), &istio), Ok(None));
    let other = json!({"transport_socket": {"name": "quic", "typed_config": {"@type": "x/QuicUpstreamTransport"}}});
    assert_eq!(tls(&other, &istio), Err("transport socket quic".to_owned()));
}
