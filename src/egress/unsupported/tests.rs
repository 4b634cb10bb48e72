//! Where objects that are not covered may apply, by tables.

use serde_json::json;

use super::*;

fn read(api_version: &str, kind: &str, namespace: &str, spec: Value) -> AllUnsupported {
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "o"}, "spec": spec});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    AllUnsupported::read(std::iter::once(&object))
}

fn pod<'p>(namespace: &'p str, own: &'p Labels, of_namespace: &'p Labels) -> SelectedPod<'p> {
    SelectedPod {
        namespace,
        namespace_labels: of_namespace,
        labels: own,
    }
}

#[test]
fn a_kind_is_recognised_by_group_and_kind() {
    // (API version, kind, whether it is not covered)
    for (api_version, kind, expected) in [
        ("networking.k8s.io/v1", "NetworkPolicy", false),
        ("projectcalico.org/v3", "NetworkPolicy", true),
        ("crd.projectcalico.org/v1", "GlobalNetworkPolicy", true),
        ("crd.antrea.io/v1beta1", "ClusterNetworkPolicy", true),
        ("crd.antrea.io/v1beta1", "NetworkPolicy", true),
        ("projectcalico.org/v3", "StagedNetworkPolicy", false),
        ("networking.istio.io/v1", "Gateway", false),
        ("gateway.networking.k8s.io/v1", "Gateway", true),
        (
            "policy.networking.k8s.io/v1alpha2",
            "ClusterNetworkPolicy",
            true,
        ),
        ("v1", "Service", false),
        ("telemetry.istio.io/v1", "Telemetry", false),
    ] {
        let found = read(api_version, kind, "n", json!({}));
        assert_eq!(!found.is_empty(), expected, "{api_version} {kind}");
    }
}

#[test]
fn a_network_policy_concerns_the_pods_and_directions_that_it_states() {
    let web = json!({"matchLabels": {"app": "web"}});
    let (cilium, calico, gke, admin) = (
        "cilium.io/v2",
        "projectcalico.org/v3",
        "networking.gke.io/v1alpha1",
        "policy.networking.k8s.io/v1alpha1",
    );
    // (API version, kind, namespace, spec, into web in ns, out of web in ns, out of db in ns, out of web in other)
    for (api_version, kind, namespace, spec, expected) in [
        (
            cilium,
            "CiliumNetworkPolicy",
            "ns",
            json!({"endpointSelector": web, "ingress": [{}]}),
            [true, false, false, false],
        ),
        (
            cilium,
            "CiliumNetworkPolicy",
            "ns",
            json!({"endpointSelector": web, "egress": [{}]}),
            [false, true, false, false],
        ),
        (
            cilium,
            "CiliumNetworkPolicy",
            "ns",
            json!({"endpointSelector": {}, "egressDeny": [{}]}),
            [false, true, true, false],
        ),
        (
            cilium,
            "CiliumClusterwideNetworkPolicy",
            "",
            json!({"endpointSelector": {}, "egress": [{}]}),
            [false, true, true, true],
        ),
        (
            cilium,
            "CiliumEgressGatewayPolicy",
            "",
            json!({}),
            [true, true, true, true],
        ),
        (
            calico,
            "NetworkPolicy",
            "ns",
            json!({"selector": "app == 'web'", "types": ["Ingress"]}),
            [true, false, false, false],
        ),
        (
            calico,
            "NetworkPolicy",
            "ns",
            json!({"selector": "app in {'web'}", "types": ["Egress"]}),
            [false, true, true, false],
        ),
        (
            calico,
            "GlobalNetworkPolicy",
            "",
            json!({"selector": "all()", "egress": []}),
            [true, true, true, true],
        ),
        (
            calico,
            "GlobalNetworkPolicy",
            "",
            json!({"serviceAccountSelector": "x", "selector": "app == 'web'", "egress": []}),
            [true, true, true, true],
        ),
        (
            gke,
            "FQDNNetworkPolicy",
            "ns",
            json!({"podSelector": web, "egress": []}),
            [false, true, false, false],
        ),
        (
            admin,
            "AdminNetworkPolicy",
            "",
            json!({"subject": {"namespaces": {}}, "egress": []}),
            [false, true, true, true],
        ),
        (
            admin,
            "AdminNetworkPolicy",
            "",
            json!({"subject": {"pods": {"namespaceSelector": {}, "podSelector": web}}, "egress": []}),
            [false, true, false, true],
        ),
        (
            admin,
            "BaselineAdminNetworkPolicy",
            "",
            json!({"subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, "egress": []}),
            [false, false, false, true],
        ),
        (
            admin,
            "ClusterNetworkPolicy",
            "",
            json!({"subject": {"newField": {}}, "ingress": [], "egress": []}),
            [true, true, true, true],
        ),
    ] {
        let all = read(api_version, kind, namespace, spec.clone());
        let labels = |app: &str| Labels::from([("app".to_owned(), app.to_owned())]);
        let (web, db, none) = (labels("web"), labels("db"), Labels::new());
        let asked = [
            (pod("ns", &web, &none), Direction::Ingress),
            (pod("ns", &web, &none), Direction::Egress),
            (pod("ns", &db, &none), Direction::Egress),
            (pod("other", &web, &none), Direction::Egress),
        ];
        let found = asked.map(|(pod, direction)| all.of_packets(pod, direction).next().is_some());
        assert_eq!(found, expected, "{kind} {spec}");
    }
}

#[test]
fn a_filter_concerns_the_proxies_and_roles_that_it_states() {
    let (filter, wasm) = (
        "networking.istio.io/v1alpha3",
        "extensions.istio.io/v1alpha1",
    );
    let on = |app: &str| json!({"labels": {"app": app}});
    let patch = |context: &str| json!({"configPatches": [{"applyTo": "HTTP_FILTER", "match": {"context": context}}]});
    let gateway = |name: &str| json!({"targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": name}]});
    // (API version, kind, namespace, spec; outbound, inbound and gateway of app=web in ns)
    for (api_version, kind, namespace, spec, expected) in [
        (filter, "EnvoyFilter", "ns", json!({}), [true, true, true]),
        (filter, "EnvoyFilter", "root", json!({}), [true, true, true]),
        (
            filter,
            "EnvoyFilter",
            "other",
            json!({}),
            [false, false, false],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            json!({"workloadSelector": on("web")}),
            [true, true, true],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            json!({"workloadSelector": on("db")}),
            [false, false, false],
        ),
        (
            filter,
            "EnvoyFilter",
            "root",
            json!({"workloadSelector": on("db")}),
            [false, false, false],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            json!({"workloadSelector": {"newField": 1}}),
            [true, true, true],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            patch("SIDECAR_OUTBOUND"),
            [true, false, false],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            patch("SIDECAR_INBOUND"),
            [false, true, false],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            patch("GATEWAY"),
            [false, false, true],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            patch("ANY"),
            [true, true, true],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            gateway("gw"),
            [true, true, true],
        ),
        (
            filter,
            "EnvoyFilter",
            "ns",
            gateway("waypoint"),
            [false, false, false],
        ),
        (
            filter,
            "ProxyConfig",
            "ns",
            json!({"concurrency": 2}),
            [false, false, false],
        ),
        (
            filter,
            "ProxyConfig",
            "ns",
            json!({"environmentVariables": {"A": "b"}}),
            [true, true, true],
        ),
        (
            wasm,
            "WasmPlugin",
            "ns",
            json!({"selector": {"matchLabels": {"app": "web"}}}),
            [true, true, true],
        ),
        (
            wasm,
            "TrafficExtension",
            "ns",
            json!({"selector": {"matchLabels": {"app": "db"}}}),
            [false, false, false],
        ),
        (
            "security.istio.io/v1",
            "RequestAuthentication",
            "ns",
            json!({}),
            [false, true, true],
        ),
        (
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "ns",
            json!({}),
            [false, false, false],
        ),
        (
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "ns",
            json!({"addresses": [{"value": "x"}]}),
            [false, false, true],
        ),
        (
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "other",
            json!({"parentRefs": [{"name": "gw", "namespace": "ns"}]}),
            [false, false, true],
        ),
    ] {
        let all = read(api_version, kind, namespace, spec.clone());
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let own = Labels::from([label("app", "web"), label(GATEWAY_NAME, "gw")]);
        let none = Labels::new();
        let found = [Role::Outbound, Role::Inbound, Role::Gateway].map(|role| {
            let pod = pod("ns", &own, &none);
            all.of_proxy(pod, role, "root", true).next().is_some()
        });
        assert_eq!(found, expected, "{kind} {namespace} {spec}");
    }
    let all = read(
        "security.istio.io/v1",
        "RequestAuthentication",
        "ns",
        json!({}),
    );
    let none = Labels::new();
    let mut found = all.of_proxy(pod("ns", &none, &none), Role::Inbound, "root", false);
    assert!(found.next().is_none(), "a request without a token passes");
}

#[test]
fn a_route_concerns_its_parents_for_those_who_see_it() {
    let service = Object::new("Service", "shop", "web");
    let parent = |kind: &str, namespace: &str| json!({"parentRefs": [{"group": "", "kind": kind, "namespace": namespace, "name": "web"}]});
    // (kind, namespace of the object, spec, concerns callers of shop, of app)
    for (kind, namespace, spec, expected) in [
        // A producer's route: every caller.
        ("HTTPRoute", "shop", parent("Service", "shop"), [true, true]),
        (
            "GRPCRoute",
            "shop",
            json!({"parentRefs": [{"kind": "Service", "name": "web"}]}),
            [true, true],
        ),
        // A consumer's route: the callers of its namespace.
        ("HTTPRoute", "app", parent("Service", "shop"), [false, true]),
        (
            "TCPRoute",
            "else",
            parent("Service", "shop"),
            [false, false],
        ),
        (
            "HTTPRoute",
            "shop",
            parent("Gateway", "shop"),
            [false, false],
        ),
        ("HTTPRoute", "app", parent("Service", "app"), [false, false]),
        (
            "HTTPRoute",
            "app",
            json!({"parentRefs": [{"group": "networking.istio.io", "kind": "Hostname", "name": "web.shop.svc.cluster.local"}]}),
            [false, true],
        ),
        (
            "BackendTLSPolicy",
            "shop",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "web"}]}),
            [true, true],
        ),
        (
            "BackendTLSPolicy",
            "shop",
            json!({"targetRefs": [{"group": "", "kind": "Service", "name": "db"}]}),
            [false, false],
        ),
    ] {
        let all = read(
            "gateway.networking.k8s.io/v1",
            kind,
            namespace,
            spec.clone(),
        );
        let host = "web.shop.svc.cluster.local";
        let found =
            ["shop", "app"].map(|caller| all.of_service(caller, &service, host).next().is_some());
        assert_eq!(found, expected, "{kind} {namespace} {spec}");
    }
}

#[test]
fn a_workload_entry_concerns_the_services_that_select_it() {
    let all = read(
        "networking.istio.io/v1",
        "WorkloadEntry",
        "ns",
        json!({"labels": {"app": "vm"}}),
    );
    for (namespace, app, expected) in [
        ("ns", "vm", true),
        ("ns", "web", false),
        ("other", "vm", false),
    ] {
        let selector = Selector::exact(Labels::from([("app".to_owned(), app.to_owned())]));
        assert_eq!(
            all.of_endpoints(namespace, &selector).next().is_some(),
            expected
        );
    }
}
