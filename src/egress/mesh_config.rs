//! The mesh's own configuration (MeshConfig), from the ConfigMaps of its control planes: `istio` and `istio-REVISION` in
//! `istio-system`; of the managed control plane `istio-asm-managed` and the like.
//!
//! A proxy follows the ConfigMap of its revision. Here one ConfigMap counts for the whole mesh: the managed one, otherwise the
//! first by name. If others state something else, that is reported as not covered.

use std::time::Duration;

use json::text;
use serde_json::Value;

use super::field::{duration, empty};
use super::object::{Object, Unknown};
use super::path::PathNormalization;
use super::sidecar::OutboundPolicy;
use super::snapshot_input::MeshInstall;

/// The namespace of control planes.
const NAMESPACE: &str = "istio-system";
/// The prefix of the managed control plane's ConfigMaps.
const MANAGED: &str = "istio-asm-managed";
/// Fields that decide nothing about a request: they are about logs, metrics, traces and the start of proxies.
const SILENT: &[&str] = &[
    "accessLogFile",
    "accessLogFormat",
    "accessLogEncoding",
    "enablePrometheusMerge",
    "enableTracing",
    "extensionProviders",
    "defaultProviders",
    "configSources",
    "defaultConfig",
    "dnsRefreshRate",
    "ingressService",
    "ingressSelector",
    "ingressClass",
    "ingressControllerMode",
    "outboundClusterStatName",
    "inboundClusterStatName",
    "tcpKeepalive",
    "verifyCertificateAtClient",
    "enableEnvoyAccessLogService",
    "disableEnvoyListenerLog",
    "thriftConfig",
    "hboneIdleTimeout",
];
/// Fields that are covered.
const KNOWN: &[&str] = &[
    "rootNamespace",
    "trustDomain",
    "outboundTrafficPolicy",
    "connectTimeout",
    "pathNormalization",
    "enableAutoMtls",
];

/// The configuration in the objects, over what is known otherwise; and what of it is not covered.
pub fn applied(objects: &[&Value], otherwise: &MeshInstall) -> (MeshInstall, Vec<Unknown>) {
    let named = |each: &&&Value| {
        let name = text(each, "/metadata/name");
        text(each, "/kind") == "ConfigMap"
            && text(each, "/metadata/namespace") == NAMESPACE
            && (name == "istio" || name.starts_with("istio-"))
    };
    let stated = |each: &&Value| {
        let stated: Value = serde_saphyr::from_str(each.pointer("/data/mesh")?.as_str()?).ok()?;
        Some((Object::of(each), stated))
    };
    let maps = objects.iter().filter(named).copied();
    let mut maps: Vec<(Object, Value)> = maps.filter_map(|each| stated(&each)).collect();
    maps.sort_by_key(|(object, _)| (!object.name.starts_with(MANAGED), object.name.clone()));
    let Some(((object, chosen), others)) = maps.split_first() else {
        return (otherwise.clone(), Vec::new());
    };
    let found = read(object, chosen, otherwise);
    let differs = |(other, value): &&(Object, Value)| {
        MeshInstall {
            config: found.config.clone(),
            ..read(other, value, otherwise)
        } != found
    };
    let mut fields: Vec<String> = strange(chosen);
    if others.iter().any(|other| differs(&other)) {
        fields.push("data.mesh".to_owned());
    }
    let unknown = fields.into_iter().map(|field| Unknown {
        object: object.clone(),
        field,
    });
    let unknown = unknown.collect();
    (found, unknown)
}

/// The fields that are not covered.
fn strange(stated: &Value) -> Vec<String> {
    let fields = stated.as_object().into_iter().flatten();
    let strange = fields.filter(|(name, value)| {
        let name = name.as_str();
        !KNOWN.contains(&name) && !SILENT.contains(&name) && !empty(value)
    });
    let mut found: Vec<String> = strange
        .map(|(name, _)| format!("data.mesh.{name}"))
        .collect();
    if let Some(mode) = stated.pointer("/defaultConfig/interceptionMode")
        && mode != "REDIRECT"
        && mode != "TPROXY"
    {
        found.push("data.mesh.defaultConfig.interceptionMode".to_owned());
    }
    if stated.get("enableAutoMtls") == Some(&Value::Bool(false)) {
        found.push("data.mesh.enableAutoMtls".to_owned());
    }
    let normalization = text(stated, "/pathNormalization/normalization");
    if PathNormalization::named(normalization).is_none() {
        found.push("data.mesh.pathNormalization".to_owned());
    }
    let outbound = text(stated, "/outboundTrafficPolicy/mode");
    if !["", "REGISTRY_ONLY", "ALLOW_ANY"].contains(&outbound) {
        found.push("data.mesh.outboundTrafficPolicy".to_owned());
    }
    found
}

/// The mesh that one ConfigMap describes.
fn read(object: &Object, stated: &Value, otherwise: &MeshInstall) -> MeshInstall {
    let named = |pointer: &str| {
        let value = text(stated, pointer);
        (!value.is_empty()).then(|| value.to_owned())
    };
    MeshInstall {
        root_namespace: named("/rootNamespace").unwrap_or_else(|| otherwise.root_namespace.clone()),
        trust_domain: named("/trustDomain").unwrap_or_else(|| otherwise.trust_domain.clone()),
        version: otherwise.version,
        outbound: match text(stated, "/outboundTrafficPolicy/mode") {
            "REGISTRY_ONLY" => OutboundPolicy::RegistryOnly,
            "ALLOW_ANY" => OutboundPolicy::AllowAny,
            _ => otherwise.outbound,
        },
        connect_timeout: duration(text(stated, "/connectTimeout"))
            .filter(|time| *time > Duration::ZERO)
            .unwrap_or(otherwise.connect_timeout),
        paths: PathNormalization::named(text(stated, "/pathNormalization/normalization"))
            .unwrap_or(otherwise.paths),
        config: Some(object.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(name: &str, mesh: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": {"mesh": mesh}})
    }

    fn found(maps: &[Value]) -> (MeshInstall, Vec<String>) {
        let objects: Vec<&Value> = maps.iter().collect();
        let (mesh, unknown) = applied(&objects, &MeshInstall::default());
        (mesh, unknown.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_mesh_is_as_its_control_plane_says() {
        let usual = MeshInstall::default;
        let configured = |name: &str| MeshInstall {
            config: Some(Object::new("ConfigMap", NAMESPACE, name)),
            ..usual()
        };
        let registry = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";
        for (maps, expected) in [
            (vec![], usual()),
            (vec![map("istio", "not: [yaml")], usual()),
            (vec![map("kube-root-ca.crt", registry)], usual()),
            (
                vec![map("istio", "connectTimeout: soon\n")],
                configured("istio"),
            ),
            (
                vec![map(
                    "istio",
                    "trustDomain: td\nrootNamespace: root\nconnectTimeout: 2.5s\noutboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n",
                )],
                MeshInstall {
                    trust_domain: "td".to_owned(),
                    root_namespace: "root".to_owned(),
                    connect_timeout: Duration::from_millis(2500),
                    outbound: OutboundPolicy::RegistryOnly,
                    ..configured("istio")
                },
            ),
            (
                vec![map("istio-asm-managed", registry)],
                MeshInstall {
                    outbound: OutboundPolicy::RegistryOnly,
                    ..configured("istio-asm-managed")
                },
            ),
            (
                vec![map("istio", "pathNormalization: {normalization: NONE}")],
                MeshInstall {
                    paths: PathNormalization::None,
                    ..configured("istio")
                },
            ),
        ] {
            assert_eq!(found(&maps), (expected, vec![]), "{maps:?}");
        }
    }

    #[test]
    fn what_is_not_covered_is_named() {
        let cases = [
            (vec![map("istio", "accessLogFile: /dev/stdout")], vec![]),
            (
                vec![map("istio", "enableAutoMtls: false")],
                vec!["ConfigMap istio-system/istio data.mesh.enableAutoMtls"],
            ),
            (
                vec![map("istio", "meshMTLS: {minProtocolVersion: TLSV1_3}")],
                vec!["ConfigMap istio-system/istio data.mesh.meshMTLS"],
            ),
            (
                vec![
                    map("istio", "{}"),
                    map("istio-canary", "rootNamespace: other"),
                ],
                vec!["ConfigMap istio-system/istio data.mesh"],
            ),
        ];
        for (maps, expected) in cases {
            assert_eq!(found(&maps).1, expected, "{maps:?}");
        }
    }
}
