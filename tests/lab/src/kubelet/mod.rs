//! What the kubelets of all nodes do: a pod that is bound to a node becomes a network namespace with programs in it.
//!
//! There is no container runtime and no image. What an image would hold is chosen by its name: Istio's programs, CoreDNS, a shell
//! that sleeps; every other one is a server that says who answered.

mod container;
mod events;
mod files;
mod pod;
mod probe;
pub mod sandbox;
mod status;
mod volumes;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::sync::watch;

use crate::Result;
use crate::api::Api;
use crate::layout::{Lab, NODES};
use pod::Pod;
pub use sandbox::sandbox;

/// The pods that are there, and the numbers of their addresses.
struct Kubelet {
    lab: Lab,
    api: Api,
    /// By uid: what tells a pod to stop.
    pods: BTreeMap<String, watch::Sender<bool>>,
    numbers: Arc<Mutex<Numbers>>,
}

/// The numbers of pods' addresses, a node each.
#[derive(Default)]
pub(crate) struct Numbers {
    taken: BTreeSet<(u8, u8)>,
    last: BTreeMap<u8, u8>,
}

impl Numbers {
    /// The next one that is free: a number that was just given back is not given out at once.
    fn take(&mut self, node: u8) -> Option<u8> {
        let last = self.last.get(&node).copied().unwrap_or(1);
        let all = (0..=255_u8).map(|step| last.wrapping_add(step).wrapping_add(1));
        let free = all
            .filter(|number| (2..=254).contains(number))
            .find(|number| !self.taken.contains(&(node, *number)))?;
        self.taken.insert((node, free));
        self.last.insert(node, free);
        Some(free)
    }

    fn give_back(&mut self, node: u8, number: u8) {
        self.taken.remove(&(node, number));
    }
}

/// Serves until it is killed.
///
/// # Errors
/// The laboratory is not up.
pub async fn serve(lab: &Lab) -> Result<()> {
    let api = Api::connect(lab).await?;
    let mut kubelet = Kubelet {
        lab: lab.clone(),
        api,
        pods: BTreeMap::new(),
        numbers: Arc::default(),
    };
    loop {
        // An API server that is away comes back; the pods run on meanwhile.
        if let Err(error) = kubelet.follow().await {
            eprintln!("kubelet: {error}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

impl Kubelet {
    /// Looks at all pods, then at what happens to them.
    async fn follow(&mut self) -> Result<()> {
        let list = self.api.get("/api/v1/pods").await?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let uids: BTreeSet<String> = items.iter().map(|pod| text(pod, "/metadata/uid")).collect();
        let gone: Vec<String> = self
            .pods
            .keys()
            .filter(|uid| !uids.contains(*uid))
            .cloned()
            .collect();
        gone.iter().for_each(|uid| self.stop(uid));
        for pod in items {
            self.meet(pod).await;
        }
        let version = text(&list, "/metadata/resourceVersion");
        let mut events = Box::pin(self.api.watch("/api/v1/pods", &version).await?);
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => self.meet(pod).await,
                WatchEvent::Deleted(pod) => self.stop(&text(&pod, "/metadata/uid")),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => return Err(status.to_string().into()),
            }
        }
        Ok(())
    }

    /// Starts a pod that is new, stops one that is on its way out.
    async fn meet(&mut self, object: Value) {
        let uid = text(&object, "/metadata/uid");
        let node = NODES
            .iter()
            .find(|node| object["spec"]["nodeName"] == node.name);
        let Some(node) = node else { return };
        if !object["metadata"]["deletionTimestamp"].is_null() {
            if self.pods.contains_key(&uid) {
                self.stop(&uid);
            } else {
                // It never ran here: nobody else would let it go.
                let _ = self.api.delete(&pod::path(&object, true)).await;
            }
        } else if let Entry::Vacant(vacant) = self.pods.entry(uid) {
            let (sender, stopped) = watch::channel(false);
            vacant.insert(sender);
            let pod = Pod::new(&self.lab, &self.api, object, node, self.numbers.clone());
            tokio::spawn(pod.live(stopped));
        }
    }

    fn stop(&mut self, uid: &str) {
        if let Some(sender) = self.pods.remove(uid) {
            let _ = sender.send(true);
        }
    }
}

/// The text at a place in an object; empty where there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The list at a place in an object; empty where there is none.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_out_once_and_not_at_once_again() {
        let mut numbers = Numbers::default();
        assert_eq!(
            (numbers.take(1), numbers.take(1), numbers.take(2)),
            (Some(2), Some(3), Some(2))
        );
        numbers.give_back(1, 2);
        assert_eq!(numbers.take(1), Some(4));
        let rest: Vec<u8> = std::iter::from_fn(|| numbers.take(1)).collect();
        assert_eq!((rest.len(), rest.last()), (251, Some(&2)));
    }
}
