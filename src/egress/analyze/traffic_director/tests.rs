//! What is found of fields, values and kinds for Traffic Director, and what is not.

use serde_json::{Value, json};

use super::CODES;
use super::support::{FieldSupport, KINDS, KindSupport, SAME};
use crate::analyze::{Code, ControlPlane, Level, analyze, analyze_for};

fn object(api: &str, kind: &str, spec: Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": "egress", "name": "x"}, "spec": spec})
}

/// The codes and messages for Traffic Director alone.
fn found(objects: &[Value]) -> Vec<(&'static str, String)> {
    let found = analyze_for(ControlPlane::TrafficDirector, objects, None).into_iter();
    let own = found.filter(|finding| CODES.contains(&finding.code));
    own.map(|finding| (finding.code.as_str(), finding.message))
        .collect()
}

/// A configuration with a finding: its kind and spec, the code, and what the message names.
fn cases() -> Vec<(
    &'static str,
    &'static str,
    Value,
    &'static str,
    &'static str,
)> {
    let networking = "networking.istio.io/v1beta1";
    let (no, unknown) = ("EGR0005", "EGR0006");
    vec![
        (
            networking,
            "Sidecar",
            json!({"egress": [{"hosts": ["./*"]}, {"port": {"number": 80}, "hosts": ["./*"]}]}),
            no,
            "support spec.egress[1].port;",
        ),
        (
            networking,
            "Sidecar",
            json!({"ingress": [{"port": {"number": 80}}]}),
            no,
            "support spec.ingress;",
        ),
        (
            networking,
            "Sidecar",
            json!({"egress": [{"captureMode": "NONE", "hosts": ["./*"]}]}),
            no,
            "spec.egress[0].captureMode;",
        ),
        (
            networking,
            "Sidecar",
            json!({"outboundTrafficPolicy": {"egressProxy": {"host": "x"}}}),
            unknown,
            "supports spec.outboundTrafficPolicy.egressProxy:",
        ),
        (
            networking,
            "ServiceEntry",
            json!({"hosts": ["a"], "location": "MESH_INTERNAL"}),
            no,
            "spec.location: MESH_INTERNAL;",
        ),
        (
            networking,
            "ServiceEntry",
            json!({"hosts": ["a"], "resolution": "DNS_ROUND_ROBIN"}),
            no,
            "spec.resolution: DNS_ROUND_ROBIN;",
        ),
        (
            networking,
            "ServiceEntry",
            json!({"hosts": ["a"], "workloadSelector": {"labels": {"app": "x"}}}),
            no,
            "spec.workloadSelector;",
        ),
        (
            networking,
            "ServiceEntry",
            json!({"resolution": "STATIC", "endpoints": [{"address": "192.0.2.1"}, {"address": "192.0.2.2", "weight": 2}]}),
            no,
            "spec.endpoints[1].weight;",
        ),
        (
            networking,
            "ServiceEntry",
            json!({"endpoints": [{"address": "unix:///var/run/x"}]}),
            no,
            "spec.endpoints[0].address with the path of a socket;",
        ),
        (
            networking,
            "ServiceEntry",
            json!({"resolution": "DNS", "endpoints": [{"address": "a"}, {"address": "b"}]}),
            no,
            "more than one endpoint",
        ),
        (
            networking,
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM", "localityLbSetting": {"enabled": true}}}}),
            no,
            "spec.trafficPolicy.loadBalancer.localityLbSetting;",
        ),
        (
            networking,
            "DestinationRule",
            json!({"host": "a", "subsets": [{"name": "s", "trafficPolicy": {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "MUTUAL", "credentialName": "c"}}]}}]}),
            no,
            "spec.subsets[0].trafficPolicy.portLevelSettings[0].tls.credentialName;",
        ),
        (
            networking,
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"tunnel": {"targetHost": "b"}}}),
            no,
            "spec.trafficPolicy.tunnel;",
        ),
        (
            networking,
            "DestinationRule",
            json!({"host": "a", "trafficPolicy": {"retryBudget": {"percent": 5}}}),
            unknown,
            "spec.trafficPolicy.retryBudget:",
        ),
        (
            networking,
            "Gateway",
            json!({"servers": [{"tls": {"mode": "MUTUAL", "verifyCertificateHash": ["x"]}}]}),
            no,
            "spec.servers[0].tls.verifyCertificateHash;",
        ),
        (
            networking,
            "Gateway",
            json!({"servers": [{"tls": {"mode": "SIMPLE", "credentialName": "x"}}]}),
            unknown,
            "spec.servers[0].tls.credentialName:",
        ),
        (
            networking,
            "VirtualService",
            json!({"http": [{"mirror": {"host": "x"}, "route": []}]}),
            unknown,
            "spec.http[0].mirror:",
        ),
        (
            networking,
            "VirtualService",
            json!({"tcp": [{"route": [{"destination": {"host": "x"}}]}]}),
            unknown,
            "spec.tcp:",
        ),
        (
            networking,
            "EnvoyFilter",
            json!({}),
            unknown,
            "supports EnvoyFilter:",
        ),
        (
            networking,
            "WorkloadEntry",
            json!({"address": "192.0.2.1"}),
            unknown,
            "supports WorkloadEntry:",
        ),
        (
            networking,
            "Novelty",
            json!({}),
            unknown,
            "supports Novelty: it is not in Google's lists",
        ),
        (
            "extensions.istio.io/v1alpha1",
            "WasmPlugin",
            json!({"url": "x"}),
            no,
            "support WasmPlugin;",
        ),
        (
            "install.istio.io/v1alpha1",
            "IstioOperator",
            json!({}),
            no,
            "support IstioOperator;",
        ),
        (
            "security.istio.io/v1",
            "RequestAuthentication",
            json!({}),
            unknown,
            "supports RequestAuthentication:",
        ),
        (
            "security.istio.io/v1",
            "PeerAuthentication",
            json!({"portLevelMtls": {"80": {"mode": "DISABLE"}}}),
            unknown,
            "spec.portLevelMtls:",
        ),
        (
            "security.istio.io/v1",
            "AuthorizationPolicy",
            json!({"action": "CUSTOM", "provider": {"name": "x"}}),
            unknown,
            "spec.provider:",
        ),
        (
            "telemetry.istio.io/v1",
            "Telemetry",
            json!({"tracing": [{"disableSpanReporting": true}]}),
            unknown,
            "spec.tracing:",
        ),
        // What has another shape than the kind.
        (networking, "Sidecar", json!("x"), unknown, "supports spec:"),
    ]
}

#[test]
fn what_is_not_supported_or_unknown_is_found_and_nothing_else() {
    for (api, kind, spec, code, names) in cases() {
        let objects = [object(api, kind, spec)];
        let told = found(&objects);
        let [(told_code, message)] = told.as_slice() else {
            panic!("{objects:?}: {told:?}");
        };
        assert_eq!(*told_code, code, "{objects:?}: {message}");
        assert!(message.contains(names), "{message} does not name {names}");
        // It is of no interest under istiod.
        let other = analyze(&objects, None);
        assert!(
            !other.iter().any(|each| CODES.contains(&each.code)),
            "{other:?}"
        );
    }
}

#[test]
fn what_is_not_istios_or_empty_is_not_found() {
    for (api, kind, spec) in [
        (
            "gateway.networking.k8s.io/v1",
            "Gateway",
            json!({"listeners": [{"port": 80}]}),
        ),
        ("apps/v1", "Deployment", json!({"replicas": 1})),
        (
            "networking.istio.io/v1beta1",
            "Sidecar",
            json!({"ingress": []}),
        ),
        ("networking.istio.io/v1beta1", "Sidecar", Value::Null),
        (
            "security.istio.io/v1",
            "AuthorizationPolicy",
            json!({"rules": [{"from": [{"source": {"principals": ["a"]}}]}]}),
        ),
    ] {
        let objects = [object(api, kind, spec)];
        assert_eq!(found(&objects), [], "{objects:?}");
    }
}

#[test]
fn subsets_belong_to_the_namespace_of_their_service() {
    let entry = json!({"kind": "ServiceEntry", "metadata": {"namespace": "other", "name": "e"},
        "spec": {"hosts": ["a.example"], "resolution": "DNS", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}});
    let rule = |namespace: &str, subsets: Value| {
        json!({"kind": "DestinationRule", "metadata": {"namespace": namespace, "name": "r"},
            "spec": {"host": "a.example", "subsets": subsets}})
    };
    let subsets = json!([{"name": "s"}]);
    let away = found(&[entry.clone(), rule("egress", subsets.clone())]);
    let [(code, message)] = away.as_slice() else {
        panic!("{away:?}");
    };
    assert_eq!(*code, "EGR0007");
    assert!(
        message.contains("a.example") && message.contains("ServiceEntry other/e"),
        "{message}"
    );
    assert_eq!(found(&[entry.clone(), rule("other", subsets.clone())]), []);
    assert_eq!(found(&[entry, rule("egress", json!([]))]), []);
    // Of a host that nobody registers, another analyzer speaks.
    assert_eq!(found(&[rule("egress", subsets)]), []);
}

/// Each statement of the table is reached: no path is below another one of its kind, or under a name that the table replaces.
#[test]
fn the_table_has_no_statement_that_never_counts() {
    let within = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}."));
    for row in KINDS {
        let KindSupport {
            supported,
            unsupported,
            values,
            ..
        } = row;
        let all: Vec<&str> = [*supported, *unsupported].concat();
        for path in &all {
            assert!(path.starts_with("spec."), "{}: {path}", row.kind);
            let above = all
                .iter()
                .find(|other| *other != path && within(path, other));
            assert_eq!(above, None, "{}: {path}", row.kind);
            assert_eq!(
                all.iter().filter(|other| *other == path).count(),
                1,
                "{path}"
            );
            assert!(
                !SAME
                    .iter()
                    .any(|(place, _)| path == place || within(path, place)),
                "{path}"
            );
        }
        for (field, _) in *values {
            assert_eq!(row.field(field), FieldSupport::Supported, "{field}");
        }
    }
    // A value that is not known is graver than what is worth knowing, and no reason to fail.
    assert_eq!(
        Code::SupportByTrafficDirectorUnknown.level(),
        Level::Unknown
    );
    assert!(Level::Warning < Level::Unknown && Level::Unknown < Level::Info);
}
