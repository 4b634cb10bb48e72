//! Verdicts by a table: what is not covered taints the answer where it may apply, and nowhere else.

use serde_json::{Value, json};

use crate::matrix::Cell;
use crate::request::Request;
use crate::snapshot::Snapshot;
use crate::snapshot_input::SnapshotInput;

/// A caller without a sidecar in `src`, one with a sidecar in `app`, a server of each kind in `plain` and `shop`, and two
/// hosts outside.
fn world() -> Vec<Value> {
    let namespace = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let pod = |namespace: &str, name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}})
    };
    let service = |namespace: &str, name: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "name": "http"}]}})
    };
    let entry = |name: &str, host: &str| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"namespace": "app", "name": name},
        "spec": {"hosts": [host], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"}})
    };
    let injected = json!({"istio-injection": "enabled"});
    vec![
        namespace("src", json!({})),
        namespace("plain", json!({})),
        namespace("app", injected.clone()),
        namespace("shop", injected),
        pod("src", "caller"),
        pod("app", "client"),
        pod("plain", "db"),
        pod("plain", "other"),
        pod("shop", "web"),
        service("plain", "db"),
        service("shop", "web"),
        entry("ext", "ext.com"),
        entry("two", "two.com"),
    ]
}

fn object(api_version: &str, kind: &str, place: &str, spec: Value) -> Value {
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn istio(kind: &str, place: &str, spec: Value) -> Value {
    object("networking.istio.io/v1", kind, place, spec)
}

fn authz(place: &str, spec: Value) -> Value {
    object("security.istio.io/v1", "AuthorizationPolicy", place, spec)
}

/// The world with these objects, each in the place of the one of its kind and name.
fn snapshot(objects: &[Value]) -> Snapshot {
    let mut kubernetes = world();
    for object in objects {
        let same = |other: &Value| {
            other["kind"] == object["kind"] && other["apiVersion"] == object["apiVersion"] && {
                let (a, b) = (&other["metadata"], &object["metadata"]);
                a["name"] == b["name"] && a["namespace"] == b["namespace"]
            }
        };
        kubernetes.retain(|other| !same(other));
        kubernetes.push(object.clone());
    }
    Snapshot::read(&SnapshotInput {
        kubernetes,
        ..SnapshotInput::default()
    })
}

/// The verdict, with the objects that taint it; of a trace, and of a cell of the matrix: they must be the same.
#[track_caller]
fn verdict(objects: &[Value], asked: &str) -> String {
    let (namespace, url) = asked.split_once(' ').unwrap();
    let (snapshot, request) = (snapshot(objects), Request::get(namespace, url).unwrap());
    let trace = snapshot.trace(&request);
    let rows = snapshot.matrix(
        std::slice::from_ref(&request.from),
        std::slice::from_ref(&request),
    );
    let cell: &Cell = &rows[0][0];
    assert_eq!(
        (trace.verdict(), &trace.unknown),
        (cell.verdict(), &cell.unknown),
        "{asked} {objects:?}"
    );
    let unknown: Vec<String> = trace.unknown.iter().map(ToString::to_string).collect();
    match unknown.is_empty() {
        true => trace.verdict().word().to_owned(),
        false => format!("{}: {}", trace.verdict().word(), unknown.join(", ")),
    }
}

/// Requests without a proxy, between sidecars, and from a sidecar to a host outside.
const PLAIN: &str = "src http://db.plain/";
const MESH: &str = "app http://web.shop/";
const OUT: &str = "app http://ext.com/";

#[test]
fn the_world_itself_is_understood() {
    for asked in [
        PLAIN,
        MESH,
        OUT,
        "src http://ext.com/",
        "app http://db.plain/",
        "src http://web.shop/",
    ] {
        assert_eq!(verdict(&[], asked), "reaches", "{asked}");
    }
}

#[test]
fn network_policies_of_other_kinds() {
    let (cilium, calico, policy) = (
        "cilium.io/v2",
        "projectcalico.org/v3",
        "policy.networking.k8s.io/v1alpha1",
    );
    let db = json!({"matchLabels": {"app": "db"}});
    let of =
        |name: &str| json!({"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    // (object, request, verdict)
    for (object, asked, expected) in [
        // At the destination, at the source, of another pod, of another direction.
        (
            object(
                cilium,
                "CiliumNetworkPolicy",
                "plain/p",
                json!({"endpointSelector": db, "ingress": [{}]}),
            ),
            PLAIN,
            "unknown: CiliumNetworkPolicy plain/p",
        ),
        (
            object(
                cilium,
                "CiliumNetworkPolicy",
                "src/p",
                json!({"endpointSelector": {}, "egress": [{}]}),
            ),
            PLAIN,
            "unknown: CiliumNetworkPolicy src/p",
        ),
        (
            object(
                cilium,
                "CiliumNetworkPolicy",
                "plain/p",
                json!({"endpointSelector": {"matchLabels": {"app": "other"}}, "ingress": [{}]}),
            ),
            PLAIN,
            "reaches",
        ),
        (
            object(
                cilium,
                "CiliumNetworkPolicy",
                "plain/p",
                json!({"endpointSelector": db, "egress": [{}]}),
            ),
            PLAIN,
            "reaches",
        ),
        (
            object(
                cilium,
                "CiliumClusterwideNetworkPolicy",
                "p",
                json!({"endpointSelector": {}, "ingress": [{}]}),
            ),
            PLAIN,
            "unknown: CiliumClusterwideNetworkPolicy p",
        ),
        (
            object(
                calico,
                "NetworkPolicy",
                "plain/p",
                json!({"selector": "app == 'db'", "types": ["Ingress"]}),
            ),
            PLAIN,
            "unknown: NetworkPolicy plain/p",
        ),
        (
            object(
                calico,
                "NetworkPolicy",
                "plain/p",
                json!({"selector": "app == 'other'", "types": ["Ingress"]}),
            ),
            PLAIN,
            "reaches",
        ),
        (
            object(
                calico,
                "NetworkPolicy",
                "plain/p",
                json!({"selector": "app in {'other'}", "types": ["Ingress"]}),
            ),
            PLAIN,
            "unknown: NetworkPolicy plain/p",
        ),
        (
            object(
                calico,
                "GlobalNetworkPolicy",
                "p",
                json!({"selector": "all()", "types": ["Egress"]}),
            ),
            "src http://ext.com/",
            "unknown: GlobalNetworkPolicy p",
        ),
        (
            object(
                policy,
                "AdminNetworkPolicy",
                "p",
                json!({"subject": of("src"), "egress": []}),
            ),
            PLAIN,
            "unknown: AdminNetworkPolicy p",
        ),
        (
            object(
                policy,
                "AdminNetworkPolicy",
                "p",
                json!({"subject": of("shop"), "egress": [], "ingress": []}),
            ),
            PLAIN,
            "reaches",
        ),
        (
            object(
                policy,
                "BaselineAdminNetworkPolicy",
                "default",
                json!({"subject": of("plain"), "ingress": []}),
            ),
            PLAIN,
            "unknown: BaselineAdminNetworkPolicy default",
        ),
        (
            object(
                policy,
                "ClusterNetworkPolicy",
                "p",
                json!({"subject": {"namespaces": {}}, "ingress": []}),
            ),
            PLAIN,
            "unknown: ClusterNetworkPolicy p",
        ),
        (
            object(
                policy,
                "ClusterNetworkPolicy",
                "p",
                json!({"subject": {"namespaces": {}}, "egress": []}),
            ),
            "src http://93.184.216.34/",
            "unknown: ClusterNetworkPolicy p",
        ),
        (
            object(
                "networking.gke.io/v1alpha1",
                "FQDNNetworkPolicy",
                "src/p",
                json!({"podSelector": {}}),
            ),
            "src http://ext.com/",
            "unknown: FQDNNetworkPolicy src/p",
        ),
        (
            object(
                "networking.gke.io/v1alpha1",
                "FQDNNetworkPolicy",
                "plain/p",
                json!({"podSelector": {}}),
            ),
            PLAIN,
            "reaches",
        ),
        // Behind a proxy it is the same network.
        (
            object(
                cilium,
                "CiliumNetworkPolicy",
                "shop/p",
                json!({"endpointSelector": {}, "ingress": [{}]}),
            ),
            MESH,
            "unknown: CiliumNetworkPolicy shop/p",
        ),
        (
            object(
                cilium,
                "CiliumNetworkPolicy",
                "app/p",
                json!({"endpointSelector": {}, "egress": [{}]}),
            ),
            OUT,
            "unknown: CiliumNetworkPolicy app/p",
        ),
    ] {
        assert_eq!(
            verdict(std::slice::from_ref(&object), asked),
            expected,
            "{object}"
        );
    }
}

#[test]
fn fields_of_network_policies() {
    let kubernetes =
        |place: &str, spec: Value| object("networking.k8s.io/v1", "NetworkPolicy", place, spec);
    let let_all = |more: Value| {
        let mut rule = json!({});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!([rule])
    };
    // (object, request, verdict)
    for (object, expected) in [
        (
            kubernetes(
                "plain/p",
                json!({"podSelector": {}, "ingress": let_all(json!({"from": [{"fqdns": ["x"]}]}))}),
            ),
            "unknown: NetworkPolicy plain/p spec.ingress[0].from[0].fqdns",
        ),
        (
            kubernetes(
                "plain/p",
                json!({"podSelector": {}, "ingress": let_all(json!({"weight": 1}))}),
            ),
            "unknown: NetworkPolicy plain/p spec.ingress[0].weight",
        ),
        (
            kubernetes(
                "src/p",
                json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}], "tier": 1}),
            ),
            "unknown: NetworkPolicy src/p spec.tier",
        ),
        (
            kubernetes(
                "plain/p",
                json!({"podSelector": {"matchNames": ["x"]}, "ingress": []}),
            ),
            "unknown: NetworkPolicy plain/p spec.podSelector",
        ),
        // It selects another pod, or is about the other direction.
        (
            kubernetes(
                "plain/p",
                json!({"podSelector": {"matchLabels": {"app": "other"}}, "ingress": let_all(json!({"weight": 1}))}),
            ),
            "reaches",
        ),
        (
            kubernetes(
                "src/p",
                json!({"podSelector": {}, "ingress": let_all(json!({"weight": 1}))}),
            ),
            "reaches",
        ),
    ] {
        assert_eq!(
            verdict(std::slice::from_ref(&object), PLAIN),
            expected,
            "{object}"
        );
    }
}

#[test]
fn what_configures_proxies() {
    let filter = |place: &str, spec: Value| {
        object("networking.istio.io/v1alpha3", "EnvoyFilter", place, spec)
    };
    let on = |app: &str| json!({"workloadSelector": {"labels": {"app": app}}});
    let wasm = |kind: &str, place: &str, spec: Value| {
        object("extensions.istio.io/v1alpha1", kind, place, spec)
    };
    // (object, request, verdict)
    for (object, asked, expected) in [
        (
            filter("app/f", json!({})),
            OUT,
            "unknown: EnvoyFilter app/f",
        ),
        (
            filter("istio-system/f", json!({})),
            OUT,
            "unknown: EnvoyFilter istio-system/f",
        ),
        (
            filter("shop/f", json!({})),
            MESH,
            "unknown: EnvoyFilter shop/f",
        ),
        (filter("app/f", on("other")), OUT, "reaches"),
        (filter("src/f", json!({})), OUT, "reaches"),
        (filter("istio-system/f", json!({})), PLAIN, "reaches"),
        (filter("src/f", json!({})), PLAIN, "reaches"),
        (
            wasm("WasmPlugin", "shop/w", json!({})),
            MESH,
            "unknown: WasmPlugin shop/w",
        ),
        (
            wasm("TrafficExtension", "app/w", json!({})),
            OUT,
            "unknown: TrafficExtension app/w",
        ),
        (
            wasm(
                "TrafficExtension",
                "app/w",
                json!({"selector": {"matchLabels": {"app": "other"}}}),
            ),
            OUT,
            "reaches",
        ),
        (
            object(
                "security.istio.io/v1",
                "RequestAuthentication",
                "shop/r",
                json!({}),
            ),
            MESH,
            "reaches",
        ),
        (
            object(
                "security.istio.io/v1",
                "RequestAuthentication",
                "shop/r",
                json!({}),
            ),
            "app http://web.shop/?access_token=x",
            "unknown: RequestAuthentication shop/r",
        ),
        (
            istio(
                "WorkloadEntry",
                "shop/v",
                json!({"address": "10.9.9.9", "labels": {"app": "web"}}),
            ),
            MESH,
            "unknown: WorkloadEntry shop/v",
        ),
        (
            istio(
                "WorkloadEntry",
                "shop/v",
                json!({"address": "10.9.9.9", "labels": {"app": "vm"}}),
            ),
            MESH,
            "reaches",
        ),
        (
            istio(
                "WorkloadEntry",
                "app/v",
                json!({"address": "10.9.9.9", "labels": {"app": "web"}}),
            ),
            MESH,
            "reaches",
        ),
    ] {
        assert_eq!(
            verdict(std::slice::from_ref(&object), asked),
            expected,
            "{object} {asked}"
        );
    }
}

#[test]
fn routes_and_policies_of_the_gateway_api() {
    let api = |kind: &str, place: &str, spec: Value| {
        object("gateway.networking.k8s.io/v1", kind, place, spec)
    };
    let parent = |namespace: &str, name: &str| json!({"parentRefs": [{"group": "", "kind": "Service", "namespace": namespace, "name": name}]});
    // (object, request, verdict)
    for (object, asked, expected) in [
        // A producer's, a consumer's, another consumer's, and one of another service.
        (
            api("HTTPRoute", "shop/r", parent("shop", "web")),
            MESH,
            "unknown: HTTPRoute shop/r",
        ),
        (
            api("HTTPRoute", "app/r", parent("shop", "web")),
            MESH,
            "unknown: HTTPRoute app/r",
        ),
        (
            api("HTTPRoute", "src/r", parent("shop", "web")),
            MESH,
            "reaches",
        ),
        (
            api("HTTPRoute", "shop/r", parent("shop", "db")),
            MESH,
            "reaches",
        ),
        (
            api("GRPCRoute", "shop/r", parent("shop", "web")),
            MESH,
            "unknown: GRPCRoute shop/r",
        ),
        // Without a proxy nobody follows it.
        (
            api("HTTPRoute", "plain/r", parent("plain", "db")),
            PLAIN,
            "reaches",
        ),
        (
            api(
                "HTTPRoute",
                "app/r",
                json!({"parentRefs": [{"group": "networking.istio.io", "kind": "ServiceEntry", "name": "ext"}]}),
            ),
            OUT,
            "unknown: HTTPRoute app/r",
        ),
        (
            api(
                "BackendTLSPolicy",
                "shop/b",
                json!({"targetRefs": [{"group": "", "kind": "Service", "name": "web"}]}),
            ),
            MESH,
            "unknown: BackendTLSPolicy shop/b",
        ),
        (
            api(
                "BackendTLSPolicy",
                "shop/b",
                json!({"targetRefs": [{"group": "", "kind": "Service", "name": "db"}]}),
            ),
            MESH,
            "reaches",
        ),
        (
            api("Gateway", "shop/gw", json!({"gatewayClassName": "istio"})),
            MESH,
            "reaches",
        ),
        (
            api("Gateway", "shop/gw", json!({"gatewayClassName": "istio"})),
            "app http://gw-istio.shop/",
            "unknown: Gateway shop/gw",
        ),
    ] {
        assert_eq!(
            verdict(std::slice::from_ref(&object), asked),
            expected,
            "{object} {asked}"
        );
    }
}

#[test]
fn fields_of_the_meshs_objects() {
    let route = |rule: Value| {
        istio(
            "VirtualService",
            "app/v",
            json!({"hosts": ["ext.com"], "http": [rule]}),
        )
    };
    let rule = |policy: Value| {
        istio(
            "DestinationRule",
            "app/d",
            json!({"host": "ext.com", "trafficPolicy": policy}),
        )
    };
    let named = |more: Value| {
        let mut entry = world()
            .into_iter()
            .find(|each| each["metadata"]["name"] == "ext")
            .unwrap();
        entry["spec"]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        entry
    };
    let to = json!([{"destination": {"host": "ext.com"}}]);
    let other = istio(
        "VirtualService",
        "app/v",
        json!({"hosts": ["two.com"], "http": [{"delegate": {"name": "x"}}]}),
    );
    // (objects, request, verdict)
    for (objects, asked, expected) in [
        (
            vec![route(json!({"delegate": {"name": "x"}}))],
            OUT,
            "unknown: VirtualService app/v spec.http[0].delegate",
        ),
        (vec![other], OUT, "reaches"),
        (
            vec![route(json!({"route": to, "match": [{"newField": 1}]}))],
            OUT,
            "unknown: VirtualService app/v spec.http[0].match[0].newField",
        ),
        (
            vec![route(json!({"route": to, "mirror": {"host": "two.com"}}))],
            OUT,
            "reaches",
        ),
        (
            vec![rule(
                json!({"tls": {"mode": "SIMPLE", "subjectAltNames": ["x"]}}),
            )],
            OUT,
            "unknown: DestinationRule app/d spec.trafficPolicy.tls.subjectAltNames",
        ),
        (
            vec![named(json!({"subjectAltNames": ["x"]}))],
            OUT,
            "reaches",
        ),
        (
            vec![
                named(json!({"subjectAltNames": ["x"]})),
                rule(json!({"tls": {"mode": "SIMPLE"}})),
            ],
            OUT,
            "unknown: ServiceEntry app/ext spec.subjectAltNames",
        ),
        (
            vec![authz("shop/a", json!({"action": "CUSTOM", "rules": [{}]}))],
            MESH,
            "unknown: AuthorizationPolicy shop/a spec.provider",
        ),
        (
            vec![authz(
                "shop/a",
                json!({"action": "CUSTOM", "provider": {"name": "x"}, "rules": [{}]}),
            )],
            MESH,
            "unknown: AuthorizationPolicy shop/a spec.provider",
        ),
        (
            vec![authz(
                "shop/a",
                json!({"action": "CUSTOM", "rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]}),
            )],
            MESH,
            "reaches",
        ),
        (
            vec![authz(
                "shop/a",
                json!({"action": "CUSTOM", "selector": {"matchLabels": {"app": "other"}}, "rules": [{}]}),
            )],
            MESH,
            "reaches",
        ),
        (
            vec![authz(
                "shop/a",
                json!({"rules": [{"when": [{"key": "new.key", "values": ["x"]}]}]}),
            )],
            MESH,
            "unknown: AuthorizationPolicy shop/a spec.rules[0].when[0].key",
        ),
        (
            vec![
                authz("shop/a", json!({"rules": [{}]})),
                authz(
                    "shop/b",
                    json!({"rules": [{"from": [{"source": {"newField": ["x"]}}]}]}),
                ),
            ],
            MESH,
            "unknown: AuthorizationPolicy shop/b spec.rules[0].from[0].source.newField",
        ),
        (
            vec![authz(
                "shop/a",
                json!({"rules": [{"from": [{"newField": {}}]}, {"to": [{"operation": {"newField": ["x"]}}]}]}),
            )],
            MESH,
            "unknown: AuthorizationPolicy shop/a spec.rules[1].to[0].operation.newField",
        ),
        (
            vec![authz(
                "shop/a",
                json!({"rules": [{"to": [{"operation": {"paths": ["/a/{*}"]}}]}]}),
            )],
            MESH,
            "unknown: AuthorizationPolicy shop/a spec.rules[0].to[0].operation.paths[0]",
        ),
        (
            vec![authz("shop/a", json!({"action": "LATER", "rules": [{}]}))],
            MESH,
            "unknown: AuthorizationPolicy shop/a spec.action",
        ),
        (
            vec![istio(
                "Sidecar",
                "app/s",
                json!({"ingress": [{"port": {"number": 80}}]}),
            )],
            OUT,
            "unknown: Sidecar app/s spec.ingress",
        ),
    ] {
        assert_eq!(verdict(&objects, asked), expected, "{objects:?} {asked}");
    }
}

#[test]
fn ambient_waypoints_and_redirection() {
    let namespace = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let pod = |namespace: &str, name: &str, labels: Value, annotations: Value| {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}, "annotations": annotations},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        pod["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .extend(labels.as_object().unwrap().clone());
        pod
    };
    let ambient = json!({"istio.io/dataplane-mode": "ambient"});
    let annotated = |namespace: &str, name: &str, key: &str, value: &str| {
        pod(namespace, name, json!({}), json!({key: value}))
    };
    // (objects, request, verdict)
    for (objects, asked, expected) in [
        (
            vec![namespace("src", ambient.clone())],
            PLAIN,
            "unknown: Namespace src metadata.labels[istio.io/dataplane-mode]",
        ),
        (
            vec![namespace("plain", ambient.clone())],
            PLAIN,
            "unknown: Namespace plain metadata.labels[istio.io/dataplane-mode]",
        ),
        (
            vec![namespace("plain", ambient.clone())],
            "app http://db.plain/",
            "unknown: Namespace plain metadata.labels[istio.io/dataplane-mode]",
        ),
        (
            vec![
                namespace("src", ambient.clone()),
                pod(
                    "src",
                    "caller",
                    json!({"istio.io/dataplane-mode": "none"}),
                    json!({}),
                ),
            ],
            PLAIN,
            "reaches",
        ),
        (
            vec![pod("src", "caller", ambient.clone(), json!({}))],
            PLAIN,
            "unknown: Pod src/caller metadata.labels[istio.io/dataplane-mode]",
        ),
        (vec![namespace("shop", ambient)], PLAIN, "reaches"),
        (
            vec![namespace("plain", json!({"istio.io/use-waypoint": "w"}))],
            PLAIN,
            "unknown: Service plain/db metadata.labels[istio.io/use-waypoint]",
        ),
        (
            vec![namespace("plain", json!({"istio.io/use-waypoint": "none"}))],
            PLAIN,
            "reaches",
        ),
        (
            vec![annotated(
                "app",
                "client",
                "traffic.sidecar.istio.io/excludeOutboundPorts",
                "80",
            )],
            OUT,
            "unknown: Pod app/client metadata.annotations[traffic.sidecar.istio.io/excludeOutboundPorts]",
        ),
        (
            vec![annotated(
                "app",
                "client",
                "traffic.sidecar.istio.io/excludeInboundPorts",
                "80",
            )],
            OUT,
            "reaches",
        ),
        (
            vec![annotated(
                "shop",
                "web",
                "traffic.sidecar.istio.io/excludeInboundPorts",
                "80",
            )],
            MESH,
            "unknown: Pod shop/web metadata.annotations[traffic.sidecar.istio.io/excludeInboundPorts]",
        ),
        (
            vec![annotated(
                "app",
                "client",
                "traffic.sidecar.istio.io/includeOutboundIPRanges",
                "*",
            )],
            OUT,
            "reaches",
        ),
        (
            vec![annotated(
                "app",
                "client",
                "sidecar.istio.io/interceptionMode",
                "TPROXY",
            )],
            OUT,
            "unknown: Pod app/client metadata.annotations[sidecar.istio.io/interceptionMode]",
        ),
        (
            vec![annotated(
                "src",
                "caller",
                "traffic.sidecar.istio.io/excludeOutboundPorts",
                "80",
            )],
            PLAIN,
            "reaches",
        ),
    ] {
        assert_eq!(verdict(&objects, asked), expected, "{objects:?} {asked}");
    }
}

#[test]
fn a_drop_a_closed_port_and_an_unknown_listener_are_three_things() {
    let deny = object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "src/deny",
        json!({"podSelector": {}, "policyTypes": ["Egress"]}),
    );
    let open = object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "plain/deny",
        json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
    );
    let nobody = object(
        "v1",
        "Service",
        "plain/db",
        json!({"selector": {"app": "nobody"}, "ports": [{"port": 80, "name": "http"}]}),
    );
    // (objects, request, verdict, objects behind it, curl's exit)
    for (objects, asked, expected, by, exit) in [
        (
            vec![deny],
            "src http://93.184.216.34/",
            "refused",
            vec!["NetworkPolicy src/deny"],
            28,
        ),
        (
            vec![open],
            PLAIN,
            "refused",
            vec!["NetworkPolicy plain/deny"],
            28,
        ),
        (vec![nobody], PLAIN, "refused", vec!["Service plain/db"], 7),
        (
            vec![],
            "src http://10.200.0.9:8080/",
            "unknown",
            vec!["address 10.200.0.9:8080"],
            28,
        ),
    ] {
        let (namespace, url) = asked.split_once(' ').unwrap();
        let trace = snapshot(&objects).trace(&Request::get(namespace, url).unwrap());
        let deciding: Vec<String> = trace.deciding().iter().map(ToString::to_string).collect();
        let got = match trace.got {
            crate::trace::CallerOutcome::Failure(failure) => failure.exit(),
            crate::trace::CallerOutcome::Answer(_) => 0,
        };
        assert_eq!(
            (trace.verdict().word(), deciding, got),
            (expected, by.iter().map(|&by| by.to_owned()).collect(), exit),
            "{asked}"
        );
    }
    // A port that neither the pod nor a Service names.
    let address = snapshot(&[])
        .pods_of("plain")
        .find_map(|pod| pod.address)
        .unwrap();
    assert_eq!(
        verdict(&[], &format!("src http://{address}:9999/")),
        "unknown: Pod plain/db spec.containers.ports"
    );
    assert_eq!(verdict(&[], &format!("src http://{address}/")), "reaches");
}

#[test]
fn what_was_not_read_taints_every_answer() {
    let unread = crate::object::Unknown {
        object: crate::object::Object::new("EnvoyFilter", "", "*"),
        field: "not read".to_owned(),
    };
    let sources = SnapshotInput {
        kubernetes: world(),
        unread: vec![unread],
        ..SnapshotInput::default()
    };
    let trace = Snapshot::read(&sources).trace(&Request::get("src", "http://db.plain/").unwrap());
    assert_eq!(trace.verdict().word(), "unknown");
}
