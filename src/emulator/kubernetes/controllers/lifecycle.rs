//! Namespaces get a service account and the cluster's certificate, and are deleted with all that is in them. The objects of a
//! deleted owner are deleted too.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::super::deletion::{self, FOREGROUND};
use super::super::object;
use super::super::resource;
use super::super::served_kinds;
use super::objects::{leaving, make, objects, save, set_condition, text};

/// Does what is to be done now.
pub fn run(cluster: &mut Cluster) {
    for namespace in objects(cluster, "namespaces") {
        let name = text(&namespace["metadata"]["name"]).to_owned();
        if leaving(&namespace) {
            empty(cluster, &name, namespace);
        } else {
            equip(cluster, &name);
        }
    }
    collect(cluster);
}

fn equip(cluster: &mut Cluster, name: &str) {
    if cluster
        .store
        .get(&format!("serviceaccounts/{name}/default"))
        .is_none()
    {
        // The namespace exists and is not being deleted, so this is not refused.
        let _ = make(
            cluster,
            "ServiceAccount",
            name,
            json!({"metadata": {"name": "default"}}),
        );
    }
    if cluster
        .store
        .get(&format!("configmaps/{name}/kube-root-ca.crt"))
        .is_none()
    {
        let data = json!({"ca.crt": cluster.authority.certificate()});
        let _ = make(
            cluster,
            "ConfigMap",
            name,
            json!({"metadata": {"name": "kube-root-ca.crt"}, "data": data}),
        );
    }
}

/// Removes what is in a namespace that is being deleted, and then the namespace.
fn empty(cluster: &mut Cluster, name: &str, mut namespace: Value) {
    if !cluster.elapsed(format!("namespace {name}"), "kubernetes.namespace.delete") {
        return;
    }
    let kinds = served_kinds::all(&cluster.store);
    let mut left = 0;
    for kind in kinds.iter().filter(|kind| kind.namespaced) {
        let inside: Vec<Value> = cluster
            .store
            .list(&kind.prefix(Some(name)))
            .into_iter()
            .map(|(_, object)| object.clone())
            .collect();
        for object in inside {
            let over = leaving(&object)
                || deletion::begin(cluster, kind, object, "Background", Some(0)).is_some();
            left += usize::from(over);
        }
    }
    if left > 0 {
        tell_what_is_left(cluster, name, namespace, &kinds);
    } else {
        object::forget(&mut namespace["spec"], &["finalizers"]);
        let key = format!("namespaces//{name}");
        if object::is_over(&namespace) {
            cluster.store.remove(&key);
        } else {
            cluster.store.put(&key, namespace);
        }
    }
}

/// Writes into a namespace's conditions what delays its deletion: how many objects of which kind, and which finalizers.
///
/// Types, reasons and sentences are those of Kubernetes' namespace controller (own knowledge, no record).
fn tell_what_is_left(
    cluster: &mut Cluster,
    name: &str,
    mut namespace: Value,
    kinds: &[resource::Resource],
) {
    let (mut resources, mut finalizers) = (BTreeMap::new(), BTreeMap::new());
    for kind in kinds.iter().filter(|kind| kind.namespaced) {
        for (_, object) in cluster.store.list(&kind.prefix(Some(name))) {
            let of = format!("{}.{}", kind.plural, kind.group);
            *resources.entry(of).or_insert(0) += 1;
            let held = object["metadata"]["finalizers"].as_array();
            for finalizer in held.into_iter().flatten() {
                *finalizers.entry(text(finalizer).to_owned()).or_insert(0) += 1;
            }
        }
    }
    let counted = |all: &BTreeMap<String, usize>, words: &str| {
        let each = all
            .iter()
            .map(|(what, count)| format!("{what} {words}{count} resource instances"));
        each.collect::<Vec<_>>().join(", ")
    };
    let (remaining, finalizing) = (counted(&resources, "has "), counted(&finalizers, "in "));
    let conditions = [
        (
            "NamespaceContentRemaining",
            !resources.is_empty(),
            "SomeResourcesRemain",
            format!("Some resources are remaining: {remaining}"),
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            !finalizers.is_empty(),
            "SomeFinalizersRemain",
            format!("Some content in the namespace has finalizers remaining: {finalizing}"),
            (
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        ),
    ];
    let before = namespace.clone();
    let time = cluster.time();
    for (kind, holds, reason, message, (none, said)) in conditions {
        let (reason, message) = if holds {
            (reason, message.as_str())
        } else {
            (none, said)
        };
        set_condition(&mut namespace, &time, kind, holds, reason, message);
    }
    if namespace != before {
        save(cluster, "namespaces", namespace);
    }
}

/// Deletes objects whose owner is gone, and removes the finalizer of owners whose dependents are gone.
fn collect(cluster: &mut Cluster) {
    let everything = cluster.store.list("");
    let uid = |object: &Value| text(&object["metadata"]["uid"]).to_owned();
    // Whether each owner still stands for what it owns.
    let standing: HashMap<String, bool> = everything
        .iter()
        .map(|(_, object)| (uid(object), !(leaving(object) && held(object))))
        .collect();
    let mut owning: HashSet<&str> = HashSet::new();
    let mut orphans: Vec<(String, Value)> = Vec::new();
    for (key, object) in &everything {
        let owners: Vec<&str> = object::owners(object)
            .map(|owner| text(&owner["uid"]))
            .collect();
        let stands = |owner: &&str| standing.get(*owner) == Some(&true);
        if !owners.is_empty() && !leaving(object) && !owners.iter().any(stands) {
            orphans.push(((*key).to_owned(), (*object).clone()));
        }
        owning.extend(owners);
    }
    let waits =
        |object: &Value| leaving(object) && held(object) && !owning.contains(uid(object).as_str());
    let free: Vec<(String, Value)> = everything
        .iter()
        .filter(|(_, object)| waits(object))
        .map(|(key, object)| ((*key).to_owned(), (*object).clone()))
        .collect();
    for (key, object) in orphans {
        let full = key.split('/').next().unwrap_or_default();
        let kinds = served_kinds::all(&cluster.store);
        if let Some(kind) = kinds.iter().find(|kind| kind.full() == full) {
            deletion::begin(cluster, kind, object, "Background", None);
        }
    }
    for (key, mut object) in free {
        if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|one| one != FOREGROUND);
        }
        if object::is_over(&object) {
            cluster.store.remove(&key);
        } else {
            cluster.store.put(&key, object);
        }
    }
}

/// Whether the object waits for its dependents.
fn held(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|all| all.iter().any(|one| one == FOREGROUND))
}
