//! What somebody else changes of what `up` has made, and how it is changed back.

use provision::google::{Api, Call};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cloud::{Cloud, FIREWALLS};
use super::kubernetes::BlockingClient;

/// The bucket of the test's project.
const BUCKET: &str = "b/egress-demo-bucket/iam";

/// A change of one thing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Fields of an object of the cluster, as a merge patch. A path with a query means the first of the objects listed there.
    Merge { path: String, body: Value },
    /// An object of the cluster is deleted.
    Delete(String),
    /// One more object in the cluster.
    Create { path: String, body: Value },
    /// Fields of a firewall rule.
    Firewall { name: String, body: Value },
    /// Nobody has this role in the bucket any more.
    BucketWithout(String),
}

/// What changes it back.
pub enum Undo {
    Merge(String, Value),
    Apply(String, Value),
    Delete(String),
    Firewall(String, Value),
    Bucket(Value),
}

impl Change {
    /// Does it.
    pub fn make(&self, cloud: &Cloud, cluster: &BlockingClient) -> Undo {
        match self {
            Change::Merge { path, body } => {
                let path = match path.split_once('?') {
                    None => path.clone(),
                    Some((list, _)) => {
                        let found = cluster.get(path);
                        let name = found["items"][0]["metadata"]["name"].as_str().unwrap();
                        format!("{list}/{name}")
                    }
                };
                let before = cluster.get(&path);
                cluster.merge(&path, body.clone());
                Undo::Merge(path, inverse(body, &before))
            }
            Change::Delete(path) => {
                let before = cluster.get(path);
                cluster.delete(path);
                Undo::Apply(path.clone(), stated(before))
            }
            Change::Create { path, body } => {
                cluster.post(path, body.clone());
                let name = body["metadata"]["name"].as_str().unwrap();
                Undo::Delete(format!("{path}/{name}"))
            }
            Change::Firewall { name, body } => {
                let path = format!("{FIREWALLS}/{name}");
                let before = cloud.call(Call::get(Api::Compute, path.clone()));
                let mut body = body.clone();
                body["name"] = name.as_str().into();
                let back = body.as_object().unwrap().keys();
                let back = back.map(|key| (key.clone(), before[key].clone()));
                let back = Value::Object(back.collect());
                cloud.call(Call::patch(Api::Compute, path.clone()).json(body));
                Undo::Firewall(path, back)
            }
            Change::BucketWithout(role) => {
                let before = cloud.call(Call::get(Api::Storage, BUCKET));
                let mut policy = before.clone();
                let bindings = policy["bindings"].as_array_mut().unwrap();
                let count = bindings.len();
                bindings.retain(|binding| binding["role"] != *role.as_str());
                assert!(bindings.len() < count, "nobody has {role}");
                cloud.call(Call::put(Api::Storage, BUCKET).json(policy));
                Undo::Bucket(before["bindings"].clone())
            }
        }
    }
}

impl Undo {
    /// Changes it back.
    pub fn make(self, cloud: &Cloud, cluster: &BlockingClient) {
        match self {
            Undo::Merge(path, body) => drop(cluster.merge(&path, body)),
            // As ours: what comes after may be applied without asking anybody.
            Undo::Apply(path, object) => {
                let path = format!("{path}?fieldManager=provision&force=true");
                cluster.call("PATCH", &path, "application/apply-patch+yaml", &object);
            }
            Undo::Delete(path) => {
                cluster.delete(&path);
            }
            Undo::Firewall(path, body) => {
                cloud.call(Call::patch(Api::Compute, path).json(body));
            }
            Undo::Bucket(bindings) => {
                let mut policy = cloud.call(Call::get(Api::Storage, BUCKET));
                policy["bindings"] = bindings;
                cloud.call(Call::put(Api::Storage, BUCKET).json(policy));
            }
        }
    }
}

/// The merge patch that undoes a merge patch.
fn inverse(patch: &Value, before: &Value) -> Value {
    match (patch, before) {
        (Value::Object(fields), Value::Object(before)) => {
            let back = fields.iter().map(|(name, value)| {
                let before = before.get(name).unwrap_or(&Value::Null);
                (name.clone(), inverse(value, before))
            });
            Value::Object(back.collect())
        }
        (_, before) => before.clone(),
    }
}

/// An object without what the cluster adds to it.
fn stated(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    let kept = ["name", "namespace", "labels", "annotations"];
    let kept = kept.iter().filter_map(|name| metadata.remove_entry(*name));
    let kept: Map<String, Value> = kept.collect();
    object["metadata"] = Value::Object(kept);
    // A service gets an address of its own each time.
    if object["kind"] == "Service" {
        object["spec"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.starts_with("clusterIP"));
    }
    object
}
