//! One pod, from its network namespace to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::container::{BACK_OFF, Container};
use super::status::Stage;
use super::{Numbers, list, status, text, volumes};
use crate::api::Api;
use crate::layout::{Lab, Node};
use crate::process;
use crate::{Error, Result};

/// How long an init container that keeps running may take until it counts as started.
const STARTUP: Duration = Duration::from_secs(60);

/// A pod of a node.
pub(crate) struct Pod {
    pub lab: Lab,
    pub api: Api,
    pub object: Value,
    pub node: &'static Node,
    /// Its namespace and name.
    pub namespace: String,
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its network namespace.
    pub netns: String,
    /// Whether it is in the nodes' network.
    pub is_on_host: bool,
    /// Its files.
    pub folder: PathBuf,
    /// When it began.
    pub started: Value,
    number: Option<u8>,
    numbers: Arc<Mutex<Numbers>>,
}

/// The path of a pod's object; `now` says that it is to be deleted without any grace.
pub(crate) fn path(object: &Value, now: bool) -> String {
    let (namespace, name) = (
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name"),
    );
    let query = if now { "?gracePeriodSeconds=0" } else { "" };
    format!("/api/v1/namespaces/{namespace}/pods/{name}{query}")
}

impl Pod {
    pub fn new(
        lab: &Lab,
        api: &Api,
        object: Value,
        node: &'static Node,
        numbers: Arc<Mutex<Numbers>>,
    ) -> Pod {
        let (namespace, name) = (
            text(&object, "/metadata/namespace"),
            text(&object, "/metadata/name"),
        );
        let is_on_host = object["spec"]["hostNetwork"] == true;
        let number = if is_on_host {
            None
        } else {
            numbers
                .lock()
                .ok()
                .and_then(|mut numbers| numbers.take(node.number))
        };
        let address = number.map_or_else(
            || node.address(),
            |number| format!("10.1.{}.{number}", node.number),
        );
        let netns = if is_on_host {
            lab.nodes()
        } else {
            lab.pod(&address)
        };
        let folder = lab.run().join("pods").join(format!("{namespace}_{name}"));
        Pod {
            lab: lab.clone(),
            api: api.clone(),
            object,
            node,
            namespace,
            name,
            address,
            netns,
            is_on_host,
            folder,
            started: crate::control_plane::now(),
            number,
            numbers,
        }
    }

    /// Runs the pod until it is told to stop, and lets its object go.
    pub async fn live(self, mut stopped: watch::Receiver<bool>) {
        let mut containers = BTreeMap::new();
        let failed = tokio::select! {
            // Nobody who tells it is as good as being told.
            _ = stopped.wait_for(|stopped| *stopped) => None,
            ended = self.work(&mut containers) => ended.err(),
        };
        if let Some(error) = failed {
            eprintln!("{}/{}: {error}", self.namespace, self.name);
            status::report(&self, &containers, Stage::Failed(&error.to_string())).await;
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
        self.end(containers).await;
    }

    /// Brings the pod up and keeps its containers running. It ends only with an error.
    async fn work(&self, containers: &mut BTreeMap<String, Container>) -> Result<(), Error> {
        self.network()?;
        status::report(self, containers, Stage::Creating).await;
        volumes::fill(self).await?;
        for spec in list(&self.object, "/spec/initContainers") {
            let name = text(spec, "/name");
            let mut container = Container::start(self, spec)?;
            if spec["restartPolicy"] == "Always" {
                let started = async {
                    while !container.has_started(self).await {
                        container.keep(self).await?;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    Ok::<(), Error>(())
                };
                // One that does not come up is reported as it is: not ready.
                if let Ok(ended) = tokio::time::timeout(STARTUP, started).await {
                    ended?;
                }
                containers.insert(name, container);
            } else {
                let mut pause = BACK_OFF.0;
                while let Err(error) = container.finish(&name).await {
                    status::report(self, containers, Stage::Failed(&error.to_string())).await;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF.1);
                    container = Container::start(self, spec)?;
                }
            }
        }
        for spec in list(&self.object, "/spec/containers") {
            containers.insert(text(spec, "/name"), Container::start(self, spec)?);
        }
        status::report(self, containers, Stage::Running).await;
        loop {
            let mut changed = false;
            for container in containers.values_mut() {
                changed |= container.keep(self).await?;
                changed |= container.probe(self).await;
            }
            if changed {
                status::report(self, containers, Stage::Running).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Makes the pod's network namespace, its link to the nodes, and the routes of both.
    fn network(&self) -> Result<()> {
        let Some(number) = self.number else {
            return if self.is_on_host {
                Ok(())
            } else {
                Err("the node has no address left".into())
            };
        };
        let (namespace, nodes, address) = (&self.netns, self.lab.nodes(), &self.address);
        let link = format!("p{}-{number}", self.node.number);
        let run = |line: String| process::run(&line);
        run(format!("ip netns add {namespace}"))?;
        run(format!("ip -n {namespace} link set lo up"))?;
        run(format!(
            "ip -n {nodes} link add {link} type veth peer name eth0 netns {namespace}"
        ))?;
        run(format!("ip -n {namespace} addr add {address}/32 dev eth0"))?;
        run(format!("ip -n {namespace} link set eth0 up"))?;
        run(format!("ip -n {nodes} link set {link} up"))?;
        run(format!(
            "ip -n {namespace} route add 169.254.1.1 dev eth0 scope link"
        ))?;
        run(format!(
            "ip -n {namespace} route add default via 169.254.1.1 dev eth0"
        ))?;
        run(format!("ip -n {nodes} addr add 169.254.1.1/32 dev {link}"))?;
        run(format!(
            "ip -n {nodes} route add {address}/32 dev {link} src {}",
            self.node.address()
        ))?;
        Ok(())
    }

    /// Ends the pod's programs, gives back what it had, and lets its object go.
    async fn end(self, containers: BTreeMap<String, Container>) {
        for (_, container) in containers {
            container.end().await;
        }
        if self.number.is_some() {
            // Programs that a container left behind, or that somebody runs in it.
            for pid in process::run(&format!("ip netns pids {}", self.netns))
                .unwrap_or_default()
                .split_whitespace()
            {
                if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            let _ = process::run(&format!("ip netns delete {}", self.netns));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        // The API server may be away: a pod that stays would hold its namespace for ever.
        let gone = async {
            while let Err(refusal) = self.api.delete(&path(&self.object, true)).await {
                if [404, 409].contains(&crate::api::status(&refusal)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        gone.await;
        if let (Some(number), Ok(mut numbers)) = (self.number, self.numbers.lock()) {
            numbers.give_back(self.node.number, number);
        }
    }
}
