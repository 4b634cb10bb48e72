//! The client of an emulated cluster for tests that are not async, with the cluster's objects by kind and name. Each call is one of
//! [`ClusterClient`]'s, run to its end.

use std::time::Instant;

use kube::Resource as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use provision::google::{Api, Call};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::client::{APPLY_PATCH, ClusterClient, JSON, MERGE_PATCH, PATIENCE};
use crate::common::cloud::{Cloud, PROJECT};

/// A client of one cluster of a cloud.
pub struct BlockingClient {
    runtime: Runtime,
    client: ClusterClient,
}

impl BlockingClient {
    /// A client of the tutorial's cluster.
    pub fn of(cloud: &Cloud) -> BlockingClient {
        BlockingClient::named(cloud, "cluster1")
    }

    /// A client of the cluster of this name in the test's project.
    pub fn named(cloud: &Cloud, cluster: &str) -> BlockingClient {
        let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/{cluster}");
        BlockingClient {
            client: ClusterClient::of(&cloud.call(Call::get(Api::Container, path))),
            runtime: Runtime::new().unwrap(),
        }
    }

    /// Sends a request: the status and the answer.
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: &Value) -> (u16, Value) {
        let sent = self.client.send(method, path, content_type, body);
        self.runtime.block_on(sent)
    }

    /// Sends a request. Panics if it is refused.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, content_type: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, content_type, body);
        assert!(status < 300, "{method} {path}: {status} {answer:#}");
        answer
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, "", &Value::Null)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, JSON, &body)
    }

    /// Changes fields, as `kubectl patch --type merge` does.
    #[track_caller]
    pub fn merge(&self, path: &str, body: Value) -> Value {
        self.call("PATCH", path, MERGE_PATCH, &body)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Value {
        self.call("DELETE", path, "", &Value::Null)
    }

    /// Applies an object as the field manager `somebody`, which is not the program.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        let text = |pointer: &str| {
            let found = object.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default()
        };
        let path = object_path(
            text("/apiVersion"),
            text("/kind"),
            text("/metadata/namespace"),
            text("/metadata/name"),
        );
        let path = format!("{path}?fieldManager=somebody");
        self.call("PATCH", &path, APPLY_PATCH, object);
    }

    /// An object, if it exists.
    #[track_caller]
    pub fn object(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        let path = object_path(api_version, kind, namespace, name);
        let (status, answer) = self.send("GET", &path, "", &Value::Null);
        assert!([200, 404].contains(&status), "{path}: {status} {answer:#}");
        (status == 200).then_some(answer)
    }

    /// The names of all objects of a kind.
    #[track_caller]
    pub fn names(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<String> {
        let list = self.get(&list_path(api_version, kind, namespace));
        let items = list["items"].as_array().unwrap().iter();
        let names = items.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned());
        names.collect()
    }

    /// Sets a label of an object that is in no namespace, or removes it.
    #[track_caller]
    pub fn label(&self, api_version: &str, kind: &str, name: &str, key: &str, value: Option<&str>) {
        let path = object_path(api_version, kind, "", name);
        self.merge(&path, json!({"metadata": {"labels": {key: value}}}));
    }

    /// Gives a node a taint, written `key=value:effect`, and no other; or removes all.
    #[track_caller]
    pub fn taint(&self, node: &str, taint: Option<&str>) {
        let taints = taint.map(|taint| {
            let (key, rest) = taint.split_once('=').unwrap();
            let (value, effect) = rest.split_once(':').unwrap();
            json!([{"key": key, "value": value, "effect": effect}])
        });
        let path = object_path("v1", "Node", "", node);
        self.merge(&path, json!({"spec": {"taints": taints}}));
    }

    /// Deletes an object.
    #[track_caller]
    pub fn delete_object(&self, api_version: &str, kind: &str, namespace: &str, name: &str) {
        self.delete(&object_path(api_version, kind, namespace, name));
    }

    /// The pods of a namespace that are not being deleted.
    #[track_caller]
    pub fn pods(&self, namespace: &str) -> Vec<Value> {
        let list = self.get(&list_path("v1", "Pod", namespace));
        let mut pods = list["items"].as_array().unwrap().clone();
        pods.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        pods
    }

    /// Deletes the pods of a namespace.
    #[track_caller]
    pub fn delete_pods(&self, namespace: &str) {
        self.delete(&list_path("v1", "Pod", namespace));
    }

    /// Runs a command in a container of a pod: what came on each channel.
    pub fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[&str],
    ) -> Vec<(u8, String)> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for word in command {
            query.append_pair("command", word);
        }
        query
            .append_pair("container", container)
            .append_pair("stdout", "true")
            .append_pair("stderr", "true");
        let query = query.finish();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/exec");
        let running = self.client.exec(&path, "v5.channel.k8s.io", &query, &[]);
        self.runtime.block_on(running).1
    }

    /// Tests a condition until it holds; `what` names it in the panic if it never does.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&BlockingClient) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "never: {what}");
        }
    }
}

/// The path of the objects of a kind, in a namespace or, with an empty one, in the whole cluster.
fn list_path(api_version: &str, kind: &str, namespace: &str) -> String {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let namespace = (!namespace.is_empty()).then_some(namespace);
    DynamicObject::url_path(&resource, namespace)
}

/// The path of one object.
fn object_path(api_version: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("{}/{name}", list_path(api_version, kind, namespace))
}
