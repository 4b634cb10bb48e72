//! What a kind adds to being written: fields that the server sets, fields that cannot change.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::crd;
use super::pods;
use super::resource::Resource;
use super::status::{Cause, Status};
use crate::kubernetes::addresses;

/// Whether something may be created in this namespace.
///
/// # Errors
/// 404 for a namespace that is not there, 403 for one that goes.
pub fn namespace(
    cluster: &Cluster,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let found = cluster.store.get(&format!("namespaces//{namespace}"));
    let Some(found) = found else {
        let mut namespaces = resource.clone();
        (namespaces.group, namespaces.plural) = (String::new(), "namespaces".to_owned());
        return Err(Status::not_found(&namespaces, namespace));
    };
    if found["metadata"].get("deletionTimestamp").is_some() {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut status = Status::forbidden(resource, name, &why);
        status.details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        return Err(status);
    }
    Ok(())
}

/// What happens to a new object of this kind before it is kept.
///
/// # Errors
/// What Kubernetes would refuse.
pub fn create(
    cluster: &mut Cluster,
    resource: &Resource,
    object: &mut Value,
) -> Result<(), Status> {
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    match resource.kind.as_str() {
        "Namespace" => {
            named_label(object, &name);
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"] = json!({"phase": "Active"});
        }
        "Service" => {
            addresses::service(cluster, object);
            object["status"] = json!({"loadBalancer": {}});
        }
        "Secret" => encode(object),
        "Pod" => pods::admit(cluster, resource, object)?,
        "CustomResourceDefinition" => crd::admit(cluster, object),
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" => {
            object["status"] = json!({});
        }
        // What these say before their controllers have seen them.
        "HorizontalPodAutoscaler" => {
            object["status"] = json!({"desiredReplicas": 0, "currentMetrics": null});
        }
        "PodDisruptionBudget" => {
            object["status"] = json!({
                "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
            });
        }
        _ => {}
    }
    Ok(())
}

/// What happens to a changed object of this kind before it is kept.
///
/// # Errors
/// 422 for a field that cannot change.
pub fn update(
    cluster: &mut Cluster,
    resource: &Resource,
    old: &Value,
    new: &mut Value,
) -> Result<(), Status> {
    let name = old["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    match resource.kind.as_str() {
        "Namespace" => {
            named_label(new, &name);
            if new["spec"].get("finalizers").is_none() {
                new["spec"]["finalizers"] = old["spec"]["finalizers"].clone();
            }
        }
        "Service" => {
            // What the server chose stays when a client that never said it sends the rest.
            for field in ["clusterIP", "clusterIPs"] {
                if new["spec"].get(field).is_none() {
                    new["spec"][field] = old["spec"][field].clone();
                }
            }
            fixed(
                resource,
                &name,
                old,
                new,
                "/spec/clusterIP",
                "spec.clusterIPs[0]",
            )?;
        }
        "Secret" => encode(new),
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" => {
            fixed(resource, &name, old, new, "/spec/selector", "spec.selector")?;
        }
        "RoleBinding" | "ClusterRoleBinding" if old["roleRef"] != new["roleRef"] => {
            let cause = Cause::invalid("roleRef", &new["roleRef"], "cannot change roleRef");
            return Err(Status::invalid(resource, &name, &[cause]));
        }
        "Pod" => pods::unchanged(resource, &name, old, new)?,
        "CustomResourceDefinition" => crd::admit(cluster, new),
        _ => {}
    }
    Ok(())
}

fn fixed(
    resource: &Resource,
    name: &str,
    old: &Value,
    new: &Value,
    at: &str,
    field: &str,
) -> Result<(), Status> {
    match (old.pointer(at), new.pointer(at)) {
        (Some(old), Some(new)) if old != new => Err(Status::invalid(
            resource,
            name,
            &[Cause::invalid(field, new, "field is immutable")],
        )),
        _ => Ok(()),
    }
}

fn named_label(namespace: &mut Value, name: &str) {
    namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
}

/// `stringData` is only ever written: it ends up in `data`.
fn encode(secret: &mut Value) {
    use base64::Engine as _;
    let Some(plain) = secret
        .as_object_mut()
        .and_then(|secret| secret.shift_remove("stringData"))
    else {
        return;
    };
    for (name, value) in plain.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        secret["data"][name] = json!(base64::engine::general_purpose::STANDARD.encode(text));
    }
}
