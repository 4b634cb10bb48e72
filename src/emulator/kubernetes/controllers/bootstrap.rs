//! What every GKE cluster has from the start: namespaces, the name server, the services of the control plane.

use serde_json::{Value, json};

use super::super::addresses;
use super::super::cluster::Cluster;
use super::objects::make;

/// Namespaces of every cluster.
const NAMESPACES: &[&str] = &[
    "default",
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "gmp-system",
];

/// Name and port in kube-system; every one is selected by its `k8s-app`.
const SERVICES: &[(&str, u16)] = &[
    ("kube-dns", 53),
    ("metrics-server", 443),
    ("default-http-backend", 80),
];

/// Creates them.
pub fn run(cluster: &mut Cluster) {
    let services = cluster.site.services.clone();
    let mut all: Vec<(&str, &str, Value)> = Vec::new();
    for name in NAMESPACES {
        all.push(("Namespace", "", json!({"metadata": {"name": name}})));
    }
    all.push(("Service", "default", json!({
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"clusterIP": addresses::nth(&services, 1), "ports": [{"name": "https", "port": 443, "targetPort": 443}]},
    })));
    for (name, port) in SERVICES {
        let mut ports = vec![json!({"name": format!("port-{port}"), "port": port})];
        let mut spec = json!({"selector": {"k8s-app": name}});
        if *name == "kube-dns" {
            ports = vec![
                json!({"name": "dns", "port": 53, "protocol": "UDP"}),
                json!({"name": "dns-tcp", "port": 53}),
            ];
            spec["clusterIP"] = json!(addresses::nth(&services, 10));
        }
        spec["ports"] = json!(ports);
        all.push((
            "Service",
            "kube-system",
            json!({"metadata": {"name": name, "labels": {"k8s-app": name}}, "spec": spec}),
        ));
    }
    all.push((
        "ServiceAccount",
        "kube-system",
        json!({"metadata": {"name": "kube-dns"}}),
    ));
    all.push(("Deployment", "kube-system", json!({
        "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}, "template": {
            "metadata": {"labels": {"k8s-app": "kube-dns"}},
            "spec": {"serviceAccountName": "kube-dns", "containers": [
                {"name": "kubedns", "image": "gke.gcr.io/k8s-dns-kube-dns:1.23", "ports": [{"containerPort": 10053, "protocol": "UDP", "name": "dns-local"}]},
            ]},
        }},
    })));
    for (kind, namespace, object) in all {
        // Nothing here can be refused: a test looks for all of it.
        let _ = make(cluster, kind, namespace, object);
    }
}
