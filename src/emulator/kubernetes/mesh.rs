//! What managed Cloud Service Mesh puts into a cluster when it is ready: definitions, its revision, the injecting webhook.
//!
//! Names, conditions and messages are those of Google's installer and of reports from real clusters. The webhook is an object
//! like any other: injection itself is done by [`super::inject`].

use serde_json::{Value, json};

use super::cluster::{self, Cluster};
use super::crd;
use super::managed::Writer;
use super::resource;
use super::schema;
use super::served_kinds;
use super::store::Store;
use super::write::{self, WriteOptions};
use crate::clock::Millis;

/// The field manager, as the status of real revisions shows it.
const MANAGER: &str = "Google-GKEHub-Controllers-Servicemesh";
const GROUP: &str = "mesh.cloud.google.com";

/// Puts the definitions of Istio's kinds and of the mesh's own into the store.
pub fn define(store: &mut Store, now: Millis) {
    let time = cluster::time(now);
    let istio = schema::istio()
        .iter()
        .map(|(name, row)| (name.clone(), istio_definition(name, row)));
    let own = [
        ("controlplanerevisions", "ControlPlaneRevision"),
        ("dataplanecontrols", "DataPlaneControl"),
    ]
    .map(|(plural, kind)| (format!("{plural}.{GROUP}"), own_definition(plural, kind)));
    for (name, mut definition) in istio.chain(own) {
        let key = resource::key("customresourcedefinitions.apiextensions.k8s.io", "", &name);
        if store.get(&key).is_some() {
            continue;
        }
        definition["metadata"] = json!({
            "name": name,
            "uid": crate::lro::uuid(&name),
            "creationTimestamp": time,
            "generation": 1,
        });
        crd::complete(&mut definition, &time);
        store.put(&key, definition);
    }
}

fn istio_definition(name: &str, row: &Value) -> Value {
    let columns: &Value = &row["columns"];
    let versions: Vec<Value> = row["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|version| {
            let mut served = json!({
                "name": version,
                "served": true,
                "storage": *version == row["storage"],
                // The schema is a fixture; the reference is resolved when the definition is read.
                "schema": {"openAPIV3Schema": {"$ref": format!("istio/{name}")}},
                "subresources": {"status": {}},
            });
            if columns
                .as_array()
                .is_some_and(|columns| !columns.is_empty())
            {
                served["additionalPrinterColumns"] = columns.clone();
            }
            served
        })
        .collect();
    json!({"spec": {
        "group": row["group"],
        "names": row["names"],
        "scope": row["scope"],
        "versions": versions,
        "conversion": {"strategy": "None"},
    }})
}

fn own_definition(plural: &str, kind: &str) -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let condition = |name: &str| json!({"name": name, "type": "string", "jsonPath": format!(".status.conditions[?(@.type==\"{name}\")].status")});
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}},
            "subresources": {"status": {}},
            "additionalPrinterColumns": [condition("Reconciled"), condition("Stalled"),
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
        })
    };
    json!({"spec": {
        "group": GROUP,
        "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
        "scope": "Namespaced",
        "versions": [version("v1alpha1", true), version("v1beta1", false)],
        "conversion": {"strategy": "None"},
    }})
}

/// The mesh is ready in this cluster: `implementation` is `TRAFFIC_DIRECTOR` or `ISTIOD`, as the fleet reports it, and
/// `revision` the name that its release channel has (`asm-managed`). Does nothing the second time.
pub fn ready(cluster: &mut Cluster, implementation: &str, revision: &str) {
    if cluster.mesh.is_some() {
        return;
    }
    cluster.mesh = Some(revision.to_owned());
    let now = cluster.now();
    define(&mut cluster.store, now);
    let mut objects = vec![
        (
            "v1",
            "Namespace",
            "",
            json!({"metadata": {"name": "istio-system"}}),
        ),
        (
            "mesh.cloud.google.com/v1alpha1",
            "ControlPlaneRevision",
            "istio-system",
            json!({
                "metadata": {"name": revision, "labels": {"mesh.cloud.google.com/managed-cni-enabled": "true"}},
                "spec": {"type": "managed_service", "channel": channel(revision)},
            }),
        ),
        (
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "",
            webhook(revision, false),
        ),
        (
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "",
            webhook(revision, true),
        ),
        (
            "v1",
            "ServiceAccount",
            "kube-system",
            json!({"metadata": {"name": "mdp-controller"}}),
        ),
        (
            "v1",
            "ServiceAccount",
            "kube-system",
            json!({"metadata": {"name": "istio-cni"}}),
        ),
        ("apps/v1", "Deployment", "kube-system", data_plane()),
        ("apps/v1", "DaemonSet", "kube-system", cni()),
    ];
    if implementation == "ISTIOD" {
        let named = |name: String, data: Value| {
            (
                "v1",
                "ConfigMap",
                "istio-system",
                json!({"metadata": {"name": name}, "data": data}),
            )
        };
        objects.push(named(format!("istio-{revision}"), json!({"mesh": ""})));
        objects.push(named(format!("env-{revision}"), json!({})));
        objects.push(named("asm-options".to_owned(), json!({})));
    }
    for (api_version, kind, namespace, object) in objects {
        install(cluster, api_version, kind, namespace, object);
    }
    provisioned(cluster, revision);
}

fn install(cluster: &mut Cluster, api_version: &str, kind: &str, namespace: &str, object: Value) {
    let (group, _) = api_version.split_once('/').unwrap_or(("", api_version));
    let Some(resource) = served_kinds::of_kind(&cluster.store, group, kind) else {
        return;
    };
    let options = WriteOptions {
        writer: writer(cluster, api_version),
        dry_run: false,
    };
    // An object of that name may exist: a user's object stays as it is.
    let _ = write::create(cluster, &resource, namespace, object, &options);
}

fn writer(cluster: &Cluster, api_version: &str) -> Writer {
    Writer {
        manager: MANAGER.to_owned(),
        applies: false,
        api_version: api_version.to_owned(),
        subresource: String::new(),
        time: cluster.time(),
    }
}

fn provisioned(cluster: &mut Cluster, revision: &str) {
    let key = resource::key(
        &format!("controlplanerevisions.{GROUP}"),
        "istio-system",
        revision,
    );
    let Some(mut object) = cluster.store.get(&key).cloned() else {
        return;
    };
    let time = cluster.time();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": time});
    object["status"] = json!({"conditions": [
        condition("Reconciled", "True", "Provisioned", "The provisioning process has completed successfully"),
        condition("ProvisioningFinished", "True", "ProvisioningFinished", "Provisioning has finished"),
        condition("Stalled", "False", "NotStalled", "Provisioning has not stalled"),
    ]});
    cluster.store.put(&key, object);
}

/// The release channel that a managed revision belongs to; its name says it.
fn channel(revision: &str) -> &str {
    match revision.rsplit('-').next() {
        Some("rapid") => "rapid",
        Some("stable") => "stable",
        _ => "regular",
    }
}

/// The injecting webhook, for namespaces that name the revision, or for those that want the default.
fn webhook(revision: &str, default: bool) -> Value {
    let name = if default {
        format!("istio-revision-tag-default-{revision}")
    } else {
        format!("istiod-{revision}")
    };
    let not_off =
        json!({"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]});
    let absent = |key: &str| json!({"key": key, "operator": "DoesNotExist"});
    let (own, other) = if default {
        ("istio-injection", "istio.io/rev")
    } else {
        ("istio.io/rev", "istio-injection")
    };
    let own_value = if default { "enabled" } else { revision };
    let hook = |name: &str, namespaces: Value, objects: Value| {
        json!({
            "name": name,
            "admissionReviewVersions": ["v1beta1", "v1"],
            // Served by Google, so that no port of a node has to be open for it.
            "clientConfig": {"url": format!("https://meshconfig.googleapis.com/v1internal/inject/{revision}")},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "sideEffects": "None",
            "namespaceSelector": {"matchExpressions": namespaces},
            "objectSelector": {"matchExpressions": objects},
        })
    };
    let own_namespaces = if default {
        json!([{"key": own, "operator": "In", "values": [own_value]}])
    } else {
        json!([{"key": own, "operator": "In", "values": [own_value]}, absent(other)])
    };
    let prefix = if default { "" } else { "rev." };
    let objects = if default {
        json!([{"key": "sidecar.istio.io/inject", "operator": "In", "values": ["true"]}, absent("istio.io/rev")])
    } else {
        json!([not_off, {"key": "istio.io/rev", "operator": "In", "values": [revision]}])
    };
    json!({
        "metadata": {"name": name, "labels": {"app": "sidecar-injector", "istio.io/rev": revision}},
        "webhooks": [
            hook(&format!("{prefix}namespace.sidecar-injector.istio.io"), own_namespaces, json!([not_off])),
            hook(&format!("{prefix}object.sidecar-injector.istio.io"), json!([absent("istio-injection"), absent("istio.io/rev")]), objects),
        ],
    })
}

fn data_plane() -> Value {
    json!({
        "metadata": {"name": "mdp-controller", "labels": {"app": "mdp-controller"}},
        "spec": {"selector": {"matchLabels": {"app": "mdp-controller"}}, "template": {
            "metadata": {"labels": {"app": "mdp-controller"}},
            "spec": {"serviceAccountName": "mdp-controller", "containers": [{
                "name": "mdp", "image": "gke.gcr.io/asm/mdp:1.28",
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
            }]},
        }},
    })
}

fn cni() -> Value {
    json!({
        "metadata": {"name": "istio-cni-node", "labels": {"k8s-app": "istio-cni-node"}},
        "spec": {"selector": {"matchLabels": {"k8s-app": "istio-cni-node"}}, "template": {
            "metadata": {"labels": {"k8s-app": "istio-cni-node", "sidecar.istio.io/inject": "false"}},
            "spec": {"serviceAccountName": "istio-cni", "hostNetwork": true, "tolerations": [{"operator": "Exists"}], "containers": [{
                "name": "install-cni", "image": "gke.gcr.io/asm/install-cni:1.28",
                "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}},
            }]},
        }},
    })
}
