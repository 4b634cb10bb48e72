//! Somebody else in a cluster: a client of its Kubernetes API that is not the program, and the control plane that such people
//! install.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
};
use kube::config::AuthInfo;
use provision::google;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::cloud::{Cloud, PROJECT};

const ISTIOD: &str = include_str!("../../fixtures/kubernetes/istiod.yaml");
const DEFINITIONS: &str = include_str!("../../fixtures/kubernetes/istio.json");

/// How long something may take that the cluster does by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to one cluster.
pub struct Inside {
    runtime: Runtime,
    client: Client,
}

impl Inside {
    /// A client of a cluster of the test's project.
    pub fn of(cloud: &Cloud, cluster: &str) -> Inside {
        use base64::Engine as _;
        let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/{cluster}");
        let told = cloud.call(google::Call::get(google::Api::Container, path));
        let authority = base64::engine::general_purpose::STANDARD
            .decode(told["masterAuth"]["clusterCaCertificate"].as_str().unwrap())
            .unwrap();
        let authority = CertificateDer::from_pem_slice(&authority).unwrap();
        let endpoint = format!("https://{}", told["endpoint"].as_str().unwrap());
        let mut config = kube::Config::new(endpoint.parse().unwrap());
        config.root_cert = Some(vec![authority.to_vec()]);
        config.auth_info = AuthInfo {
            token: Some("somebody".to_owned().into()),
            ..AuthInfo::default()
        };
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(async { Client::try_from(config).unwrap() });
        Inside { runtime, client }
    }

    fn api(&self, api_version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    /// Applies an object as somebody who is not the program.
    pub fn apply(&self, object: &Value) {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("")
        };
        let api = self.api(
            text("/apiVersion"),
            text("/kind"),
            text("/metadata/namespace"),
        );
        let how = PatchParams::apply("somebody");
        let applied =
            self.runtime
                .block_on(api.patch(text("/metadata/name"), &how, &Patch::Apply(object)));
        applied.unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// An object, if it is there.
    pub fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let api = self.api(api_version, kind, namespace);
        let found = self.runtime.block_on(api.get_opt(name)).unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// The names of all objects of a kind.
    pub fn names(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<String> {
        let api = self.api(api_version, kind, namespace);
        let found = self.runtime.block_on(api.list(&ListParams::default()));
        let names = found.unwrap().items.into_iter();
        names.filter_map(|object| object.metadata.name).collect()
    }

    /// Labels an object of the whole cluster, or takes the label away.
    pub fn label(&self, api_version: &str, kind: &str, name: &str, key: &str, value: Option<&str>) {
        let change = json!({"metadata": {"labels": {key: value}}});
        self.merge(api_version, kind, name, &change);
    }

    /// Gives a node a taint, written `key=value:effect`, and no other; or takes all of them away.
    pub fn taint(&self, node: &str, taint: Option<&str>) {
        let taints = taint.map(|taint| {
            let (key, rest) = taint.split_once('=').unwrap();
            let (value, effect) = rest.split_once(':').unwrap();
            json!([{"key": key, "value": value, "effect": effect}])
        });
        self.merge("v1", "Node", node, &json!({"spec": {"taints": taints}}));
    }

    fn merge(&self, api_version: &str, kind: &str, name: &str, change: &Value) {
        let api = self.api(api_version, kind, "");
        let how = PatchParams::default();
        let merged = self
            .runtime
            .block_on(api.patch(name, &how, &Patch::Merge(change)));
        merged.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Deletes an object.
    pub fn delete(&self, api_version: &str, kind: &str, namespace: &str, name: &str) {
        let api = self.api(api_version, kind, namespace);
        self.runtime
            .block_on(api.delete(name, &DeleteParams::default()))
            .unwrap();
    }

    /// The pods of a namespace that are there to stay.
    pub fn pods(&self, namespace: &str) -> Vec<Value> {
        let pods = self.api("v1", "Pod", namespace);
        let found = self
            .runtime
            .block_on(pods.list(&ListParams::default()))
            .unwrap();
        let pods = found
            .items
            .into_iter()
            .map(|pod| serde_json::to_value(pod).unwrap());
        pods.filter(|pod| pod["metadata"].get("deletionTimestamp").is_none())
            .collect()
    }

    /// Deletes the pods of a namespace.
    pub fn delete_pods(&self, namespace: &str) {
        let pods = self.api("v1", "Pod", namespace);
        let (how, all) = (DeleteParams::default(), ListParams::default());
        self.runtime
            .block_on(pods.delete_collection(&how, &all))
            .unwrap();
    }

    /// Looks until something is so; `what` is said when it never is.
    #[track_caller]
    pub fn until(&self, what: &str, so: impl Fn(&Inside) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < until, "never: {what}");
        }
    }

    /// Installs an in-cluster control plane with the tag `default`, and waits until it runs.
    pub fn install_istiod(&self) {
        let definitions: Value = serde_json::from_str(DEFINITIONS).unwrap();
        for (name, row) in definitions.as_object().unwrap() {
            self.apply(&definition(name, row));
        }
        let objects: Vec<Value> = serde_saphyr::from_multiple(ISTIOD).unwrap();
        objects.iter().for_each(|object| self.apply(object));
        self.until("istiod runs", |inside| {
            let found = inside.get("apps/v1", "Deployment", "istio-system", "istiod-asm-1282-4");
            found.is_some_and(|found| found["status"]["readyReplicas"].is_u64())
        });
    }
}

/// A definition of a kind of Istio's, whole.
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
