//! What the server adds to a pod when it is created: its account's token, tolerations, the mesh's proxy.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::defaults;
use super::inject;
use super::object::plain;
use super::resource::Resource;
use super::status::{Cause, Status};
use super::webhook_service;

/// Completes a new pod.
///
/// # Errors
/// 403 for a service account that is not there, 500 for a webhook that does not answer.
pub fn admit(cluster: &mut Cluster, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let namespace = plain(&pod["metadata"]["namespace"]);
    let name = plain(&pod["metadata"]["name"]);
    let account = pod["spec"]["serviceAccountName"]
        .as_str()
        .unwrap_or("default")
        .to_owned();
    let Some(found) = cluster
        .store
        .get(&format!("serviceaccounts/{namespace}/{account}"))
    else {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"
        );
        return Err(Status::forbidden(resource, &name, &why));
    };
    let mounts = found["automountServiceAccountToken"] != false
        && pod["spec"]["automountServiceAccountToken"] != false;
    for field in ["serviceAccountName", "serviceAccount"] {
        pod["spec"][field] = json!(account);
    }
    pod["spec"]["priority"] = json!(0);
    pod["spec"]["preemptionPolicy"] = json!("PreemptLowerPriority");
    pod["spec"]["enableServiceLinks"] = json!(true);
    tolerate(&mut pod["spec"]);
    let namespaced = cluster.store.get(&format!("namespaces//{namespace}"));
    let labels = namespaced
        .map(|namespace| namespace["metadata"]["labels"].clone())
        .unwrap_or_default();
    let injector = inject::injector(&cluster.store, &labels, &pod["metadata"]);
    if let Some(injector) = injector
        && webhook_service::called(cluster, &injector.hook)?
    {
        inject::inject(pod, &injector.revision);
    }
    if mounts {
        let volume = format!("kube-api-access-{}", cluster.suffix());
        token(&mut pod["spec"], &volume);
    }
    defaults::fill("Pod", pod);
    pod["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
    Ok(())
}

/// A pod stays for five minutes on a node that is not reachable.
fn tolerate(spec: &mut Value) {
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let there = |one: &Value| {
            one["key"] == key || (one.get("key").is_none() && one["operator"] == "Exists")
        };
        if !tolerations.iter().any(there) {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    spec["tolerations"] = json!(tolerations);
}

/// The token with which a pod talks to this API.
fn token(spec: &mut Value, volume: &str) {
    let mount = json!({"name": volume, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    for list in ["initContainers", "containers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let mut mounts = container["volumeMounts"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            mounts.push(mount.clone());
            container["volumeMounts"] = json!(mounts);
        }
    }
    let mut volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
    volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}}));
    spec["volumes"] = json!(volumes);
}

/// Whether a pod's spec changes only where it may.
///
/// # Errors
/// 422.
pub fn unchanged(resource: &Resource, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for container in spec["containers"].as_array_mut().into_iter().flatten() {
            container["image"] = Value::Null;
        }
        for field in [
            "tolerations",
            "activeDeadlineSeconds",
            "terminationGracePeriodSeconds",
            "initContainers",
        ] {
            spec[field] = Value::Null;
        }
        spec
    };
    if fixed(old) == fixed(new) {
        return Ok(());
    }
    let why = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    let cause = Cause {
        field: "spec".to_owned(),
        reason: "FieldValueForbidden",
        message: why.to_owned(),
    };
    Err(Status::invalid(resource, name, &[cause]))
}
