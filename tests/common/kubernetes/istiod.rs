//! An in-cluster control plane that the owner of a cluster has installed.

use serde_json::{Value, json};

use super::blocking::BlockingClient;

const ISTIOD: &str = include_str!("../../../fixtures/kubernetes/istiod.yaml");
const DEFINITIONS: &str = include_str!("../../../fixtures/kubernetes/istio.json");

impl BlockingClient {
    /// Installs an in-cluster control plane with the tag `default`, and waits until it runs.
    pub fn install_istiod(&self) {
        let definitions: Value = serde_json::from_str(DEFINITIONS).unwrap();
        for (name, row) in definitions.as_object().unwrap() {
            self.apply(&definition(name, row));
        }
        let objects: Vec<Value> = serde_saphyr::from_multiple(ISTIOD).unwrap();
        objects.iter().for_each(|object| self.apply(object));
        self.until("istiod runs", |cluster| {
            let found =
                cluster.object("apps/v1", "Deployment", "istio-system", "istiod-asm-1282-4");
            found.is_some_and(|found| found["status"]["readyReplicas"].is_u64())
        });
    }
}

/// The CustomResourceDefinition of one of Istio's kinds.
fn definition(name: &str, row: &Value) -> Value {
    let versions = row["versions"].as_array().unwrap().iter().map(|version| {
        json!({
            "name": version,
            "served": true,
            "storage": *version == row["storage"],
            "schema": {"openAPIV3Schema": row["schema"]},
            "subresources": {"status": {}},
            "additionalPrinterColumns": row["columns"],
        })
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": row["group"], "names": row["names"], "scope": row["scope"], "versions": versions.collect::<Vec<_>>()},
    })
}
