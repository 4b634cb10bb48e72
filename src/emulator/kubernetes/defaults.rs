//! What the server writes into an object that its author left out.
//!
//! Only fields that a client could see a difference in: `kubectl diff` after `kubectl apply` has to be silent.

use serde_json::{Value, json};

/// Where in each kind a pod is described.
pub const POD_SPECS: &[(&str, &str)] = &[
    ("Pod", "/spec"),
    ("Deployment", "/spec/template/spec"),
    ("ReplicaSet", "/spec/template/spec"),
    ("DaemonSet", "/spec/template/spec"),
    ("StatefulSet", "/spec/template/spec"),
    ("Job", "/spec/template/spec"),
];

/// Path below a pod's spec (`*` is every item), and the value as JSON. A field is filled where what it belongs to is there.
const POD: &[(&str, &str)] = &[
    ("restartPolicy", "\"Always\""),
    ("dnsPolicy", "\"ClusterFirst\""),
    ("terminationGracePeriodSeconds", "30"),
    ("securityContext", "{}"),
    ("schedulerName", "\"default-scheduler\""),
    ("containers.*.resources", "{}"),
    (
        "containers.*.terminationMessagePath",
        "\"/dev/termination-log\"",
    ),
    ("containers.*.terminationMessagePolicy", "\"File\""),
    ("containers.*.ports.*.protocol", "\"TCP\""),
    ("containers.*.env.*.valueFrom.fieldRef.apiVersion", "\"v1\""),
    ("initContainers.*.resources", "{}"),
    (
        "initContainers.*.terminationMessagePath",
        "\"/dev/termination-log\"",
    ),
    ("initContainers.*.terminationMessagePolicy", "\"File\""),
    ("volumes.*.secret.defaultMode", "420"),
    ("volumes.*.configMap.defaultMode", "420"),
    ("volumes.*.projected.defaultMode", "420"),
    (
        "containers.*.env.*.valueFrom.resourceFieldRef.divisor",
        "\"0\"",
    ),
    ("containers.*.livenessProbe.timeoutSeconds", "1"),
    ("containers.*.livenessProbe.periodSeconds", "10"),
    ("containers.*.livenessProbe.successThreshold", "1"),
    ("containers.*.livenessProbe.failureThreshold", "3"),
    ("containers.*.livenessProbe.httpGet.scheme", "\"HTTP\""),
    ("containers.*.readinessProbe.timeoutSeconds", "1"),
    ("containers.*.readinessProbe.periodSeconds", "10"),
    ("containers.*.readinessProbe.successThreshold", "1"),
    ("containers.*.readinessProbe.failureThreshold", "3"),
    ("containers.*.readinessProbe.httpGet.scheme", "\"HTTP\""),
    ("containers.*.startupProbe.timeoutSeconds", "1"),
    ("containers.*.startupProbe.periodSeconds", "10"),
    ("containers.*.startupProbe.successThreshold", "1"),
    ("containers.*.startupProbe.failureThreshold", "3"),
    ("containers.*.startupProbe.httpGet.scheme", "\"HTTP\""),
    ("initContainers.*.ports.*.protocol", "\"TCP\""),
    (
        "initContainers.*.env.*.valueFrom.fieldRef.apiVersion",
        "\"v1\"",
    ),
    (
        "initContainers.*.env.*.valueFrom.resourceFieldRef.divisor",
        "\"0\"",
    ),
    ("initContainers.*.livenessProbe.timeoutSeconds", "1"),
    ("initContainers.*.livenessProbe.periodSeconds", "10"),
    ("initContainers.*.livenessProbe.successThreshold", "1"),
    ("initContainers.*.livenessProbe.failureThreshold", "3"),
    ("initContainers.*.livenessProbe.httpGet.scheme", "\"HTTP\""),
    ("initContainers.*.readinessProbe.timeoutSeconds", "1"),
    ("initContainers.*.readinessProbe.periodSeconds", "10"),
    ("initContainers.*.readinessProbe.successThreshold", "1"),
    ("initContainers.*.readinessProbe.failureThreshold", "3"),
    ("initContainers.*.readinessProbe.httpGet.scheme", "\"HTTP\""),
    ("initContainers.*.startupProbe.timeoutSeconds", "1"),
    ("initContainers.*.startupProbe.periodSeconds", "10"),
    ("initContainers.*.startupProbe.successThreshold", "1"),
    ("initContainers.*.startupProbe.failureThreshold", "3"),
    ("initContainers.*.startupProbe.httpGet.scheme", "\"HTTP\""),
    ("volumes.*.downwardAPI.defaultMode", "420"),
    (
        "volumes.*.downwardAPI.items.*.fieldRef.apiVersion",
        "\"v1\"",
    ),
    (
        "volumes.*.projected.sources.*.serviceAccountToken.expirationSeconds",
        "3600",
    ),
    (
        "volumes.*.projected.sources.*.downwardAPI.items.*.fieldRef.apiVersion",
        "\"v1\"",
    ),
];

/// Kind, path, value.
const OTHERS: &[(&str, &str, &str)] = &[
    ("Deployment", "spec.replicas", "1"),
    ("Deployment", "spec.revisionHistoryLimit", "10"),
    ("Deployment", "spec.progressDeadlineSeconds", "600"),
    (
        "Deployment",
        "spec.strategy",
        "{\"type\": \"RollingUpdate\"}",
    ),
    ("Deployment", "spec.strategy.type", "\"RollingUpdate\""),
    ("ReplicaSet", "spec.replicas", "1"),
    ("StatefulSet", "spec.replicas", "1"),
    ("DaemonSet", "spec.revisionHistoryLimit", "10"),
    (
        "DaemonSet",
        "spec.updateStrategy",
        "{\"type\": \"RollingUpdate\", \"rollingUpdate\": {\"maxUnavailable\": 1, \"maxSurge\": 0}}",
    ),
    ("Service", "spec.type", "\"ClusterIP\""),
    ("Service", "spec.sessionAffinity", "\"None\""),
    ("Service", "spec.internalTrafficPolicy", "\"Cluster\""),
    ("Service", "spec.ipFamilies", "[\"IPv4\"]"),
    ("Service", "spec.ipFamilyPolicy", "\"SingleStack\""),
    ("Service", "spec.ports.*.protocol", "\"TCP\""),
    ("HorizontalPodAutoscaler", "spec.minReplicas", "1"),
    (
        "NetworkPolicy",
        "spec.ingress.*.ports.*.protocol",
        "\"TCP\"",
    ),
    ("NetworkPolicy", "spec.egress.*.ports.*.protocol", "\"TCP\""),
    ("Secret", "type", "\"Opaque\""),
    (
        "RoleBinding",
        "roleRef.apiGroup",
        "\"rbac.authorization.k8s.io\"",
    ),
    (
        "ClusterRoleBinding",
        "roleRef.apiGroup",
        "\"rbac.authorization.k8s.io\"",
    ),
    (
        "CustomResourceDefinition",
        "spec.conversion",
        "{\"strategy\": \"None\"}",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.failurePolicy",
        "\"Fail\"",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.matchPolicy",
        "\"Equivalent\"",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.namespaceSelector",
        "{}",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.objectSelector",
        "{}",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.reinvocationPolicy",
        "\"Never\"",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.timeoutSeconds",
        "10",
    ),
    (
        "MutatingWebhookConfiguration",
        "webhooks.*.rules.*.scope",
        "\"*\"",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.*.failurePolicy",
        "\"Fail\"",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.*.matchPolicy",
        "\"Equivalent\"",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.*.namespaceSelector",
        "{}",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.*.objectSelector",
        "{}",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.*.timeoutSeconds",
        "10",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.*.rules.*.scope",
        "\"*\"",
    ),
];

/// Fills in what is missing.
pub fn fill(kind: &str, object: &mut Value) {
    for (_, path, value) in OTHERS.iter().filter(|(of, ..)| *of == kind) {
        set(object, path, value);
    }
    for (_, at) in POD_SPECS.iter().filter(|(of, _)| *of == kind) {
        if let Some(spec) = object.pointer_mut(at) {
            pod(spec);
        }
    }
    match kind {
        "Deployment" => rolling(object),
        "Service" => {
            for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
                if port.get("targetPort").is_none() {
                    port["targetPort"] = port["port"].clone();
                }
            }
        }
        "NetworkPolicy" => policy_types(object),
        "RoleBinding" | "ClusterRoleBinding" => {
            for subject in object["subjects"].as_array_mut().into_iter().flatten() {
                if subject.get("apiGroup").is_none() && subject["kind"] != "ServiceAccount" {
                    subject["apiGroup"] = json!("rbac.authorization.k8s.io");
                }
            }
        }
        _ => {}
    }
}

fn pod(spec: &mut Value) {
    for (path, value) in POD {
        set(spec, path, value);
    }
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            if container.get("imagePullPolicy").is_none() {
                let image = container["image"].as_str().unwrap_or_default();
                let tag = image
                    .rsplit('/')
                    .next()
                    .and_then(|name| name.split_once(':'));
                let always = !image.contains('@') && tag.is_none_or(|(_, tag)| tag == "latest");
                container["imagePullPolicy"] =
                    json!(if always { "Always" } else { "IfNotPresent" });
            }
        }
        if spec[list].is_null()
            && let Some(spec) = spec.as_object_mut()
        {
            spec.shift_remove(list);
        }
    }
    // The older name of the same field says the same.
    for (from, to) in [
        ("serviceAccountName", "serviceAccount"),
        ("serviceAccount", "serviceAccountName"),
    ] {
        if let Some(account) = spec.get(from).cloned()
            && spec.get(to).is_none()
        {
            spec[to] = account;
        }
    }
}

/// A rolling update says how much may be missing and how much may be more.
fn rolling(object: &mut Value) {
    let strategy = &mut object["spec"]["strategy"];
    if strategy["type"] == "RollingUpdate" {
        for field in ["maxUnavailable", "maxSurge"] {
            if strategy["rollingUpdate"].get(field).is_none() {
                strategy["rollingUpdate"][field] = json!("25%");
            }
        }
    }
}

/// A network policy that does not say what it restricts restricts what comes in, and what goes out if it speaks of that.
fn policy_types(object: &mut Value) {
    let spec = &mut object["spec"];
    if spec.get("policyTypes").is_none() {
        let out = spec.get("egress").is_some();
        spec["policyTypes"] = if out {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
    }
}

fn set(object: &mut Value, path: &str, value: &str) {
    let Some((step, rest)) = path.split_once('.') else {
        if let Some(fields) = object.as_object_mut()
            && fields.get(path).is_none_or(Value::is_null)
        {
            fields.insert(
                path.to_owned(),
                serde_json::from_str(value).unwrap_or_default(),
            );
        }
        return;
    };
    match object {
        Value::Array(items) if step == "*" => {
            items.iter_mut().for_each(|item| set(item, rest, value))
        }
        Value::Object(fields) => {
            if let Some(below) = fields.get_mut(step) {
                set(below, rest, value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in_once() {
        for (_, _, value) in OTHERS {
            serde_json::from_str::<Value>(value).unwrap();
        }
        let mut deployment = json!({"spec": {"template": {"spec": {"serviceAccountName": "a", "containers": [
            {"name": "a", "image": "gcr.io/x/sdk:slim", "ports": [{"containerPort": 80}]}, {"name": "b", "image": "auto"}]}}}});
        fill("Deployment", &mut deployment);
        let once = deployment.clone();
        fill("Deployment", &mut deployment);
        assert_eq!(deployment, once);
        assert_eq!(once["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        let pod = &once["spec"]["template"]["spec"];
        assert_eq!(pod["serviceAccount"], "a");
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
        assert_eq!(pod["containers"][1]["imagePullPolicy"], "Always");
        assert_eq!(pod["containers"][0]["ports"][0]["protocol"], "TCP");
        assert!(pod.get("initContainers").is_none());
    }

    #[test]
    fn a_network_policy_restricts_what_it_speaks_of() {
        for (spec, want) in [
            (json!({}), json!(["Ingress"])),
            (json!({"egress": []}), json!(["Ingress", "Egress"])),
        ] {
            let mut policy = json!({"spec": spec});
            fill("NetworkPolicy", &mut policy);
            assert_eq!(policy["spec"]["policyTypes"], want);
        }
    }
}
