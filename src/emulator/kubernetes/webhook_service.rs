//! Whether a webhook would answer: its service exists, has a pod that is ready, and the control plane reaches the pod.
//!
//! No webhook is called; the effect of one is in [`super::inject`].

use serde_json::Value;

use super::cluster::Cluster;
use super::object::plain;
use super::reach;
use super::status::Status;

/// Whether a webhook answers. One that does not is skipped if its failure policy allows that.
///
/// # Errors
/// 500 with the API server's text, if its failure policy forbids that.
pub fn called(cluster: &Cluster, hook: &Value) -> Result<bool, Status> {
    let Some(why) = silence(cluster, &hook["clientConfig"]["service"]) else {
        return Ok(true);
    };
    if hook["failurePolicy"] == "Ignore" {
        return Ok(false);
    }
    let service = &hook["clientConfig"]["service"];
    let url = format!(
        "https://{}.{}.svc:{}{}?timeout={}s",
        plain(&service["name"]),
        plain(&service["namespace"]),
        port(service),
        service["path"].as_str().unwrap_or_default(),
        hook["timeoutSeconds"].as_u64().unwrap_or(10)
    );
    Err(Status::internal(format!(
        "failed calling webhook {:?}: failed to call webhook: Post {url:?}: {why}",
        plain(&hook["name"])
    )))
}

fn port(service: &Value) -> u64 {
    service["port"].as_u64().unwrap_or(443)
}

/// Why a service does not answer; none if it does. A webhook without a service has a URL: Google's, which answers.
fn silence(cluster: &Cluster, service: &Value) -> Option<String> {
    let (namespace, name) = (service["namespace"].as_str()?, service["name"].as_str()?);
    let Some(found) = cluster.store.get(&format!("services/{namespace}/{name}")) else {
        return Some(format!("service {name:?} not found"));
    };
    let mut ports = found["spec"]["ports"].as_array().into_iter().flatten();
    let Some(entry) = ports.find(|entry| entry["port"] == port(service)) else {
        return Some(format!(
            "no service port {} found for service {name:?}",
            port(service)
        ));
    };
    let selector = &found["spec"]["selector"];
    let pods = cluster.store.list(&format!("pods/{namespace}/"));
    let serving: Vec<&Value> = pods
        .into_iter()
        .map(|(_, pod)| pod)
        .filter(|pod| {
            let labels = selector.as_object().into_iter().flatten();
            let mut labels = labels.map(|(key, value)| &pod["metadata"]["labels"][key] == value);
            labels.all(|fits| fits) && is_ready(pod)
        })
        .collect();
    if serving.is_empty() {
        return Some(format!("no endpoints available for service {name:?}"));
    }
    let reached = |pod: &&Value| {
        let target = target(entry, pod).unwrap_or_default();
        reaches(cluster, &plain(&pod["spec"]["nodeName"]), target)
    };
    // Its packets are dropped, so the connection times out instead of being refused.
    let all = serving.iter().all(reached);
    (!all).then(|| "context deadline exceeded".to_owned())
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    ready.any(|condition| condition["status"] == "True")
}

/// The port of a pod behind a service's port: a number, or the name that a container gives one.
fn target(entry: &Value, pod: &Value) -> Option<u16> {
    let wanted = match &entry["targetPort"] {
        Value::Null => &entry["port"],
        other => other,
    };
    let number = match wanted {
        Value::String(name) => {
            let containers = pod["spec"]["containers"].as_array()?.iter();
            let mut ports = containers
                .filter_map(|one| one["ports"].as_array())
                .flatten();
            ports.find(|port| port["name"] == name.as_str())?["containerPort"].as_u64()
        }
        number => number.as_u64(),
    };
    number?.try_into().ok()
}

fn reaches(cluster: &Cluster, node: &str, port: u16) -> bool {
    let Some(rules) = &cluster.site.inbound else {
        return true;
    };
    let labels = cluster.store.get(&format!("nodes//{node}"));
    let pool =
        labels.map(|node| plain(&node["metadata"]["labels"]["cloud.google.com/gke-nodepool"]));
    let pools = cluster.site.pools.iter();
    let machine = pools.filter(|one| Some(&one.name) == pool.as_ref());
    let machine: Vec<String> = machine.flat_map(|pool| pool.goes_by.clone()).collect();
    reach::is_open(rules, &machine, port)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::kubernetes::cluster::{Pool, Site};
    use crate::kubernetes::controllers;
    use crate::kubernetes::reach::Inbound;
    use crate::kubernetes::tls::Authority;
    use crate::pace::Pace;

    /// A cluster with a pod behind a service, on a machine that rules know as `sa@p`.
    fn cluster(inbound: Option<Vec<Inbound>>) -> Cluster {
        let pool = Pool {
            name: "default-pool".to_owned(),
            goes_by: vec!["sa@p".to_owned()],
            ..Pool::default()
        };
        let site = Site {
            pools: vec![pool],
            inbound,
            ..Site::default()
        };
        let mut cluster =
            controllers::new_cluster(site, Authority::default(), Clock::At(0), Pace::Zero);
        let labels = json!({"cloud.google.com/gke-nodepool": "default-pool"});
        for (key, object) in [
            ("nodes//n", json!({"metadata": {"labels": labels}})),
            (
                "services/istio-system/istiod",
                json!({"spec": {"selector": {"app": "istiod"}, "ports": [{"port": 443, "targetPort": "webhook"}]}}),
            ),
            (
                "pods/istio-system/istiod-1",
                json!({
                    "metadata": {"labels": {"app": "istiod", "more": "x"}},
                    "spec": {"nodeName": "n", "containers": [{"ports": [{"name": "webhook", "containerPort": 15017}]}]},
                    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                }),
            ),
        ] {
            cluster.store.put(key, object);
        }
        cluster
    }

    #[test]
    fn says_why_a_webhook_does_not_answer() {
        let service = |name: &str, port: u64| json!({"service": {"name": name, "namespace": "istio-system", "path": "/inject", "port": port}});
        let open = Inbound {
            allows: true,
            ports: vec![(15017, 15017)],
            targets: vec!["sa@p".to_owned()],
        };
        let ready = |cluster: &mut Cluster, status: &str| {
            let key = "pods/istio-system/istiod-1";
            let mut pod = cluster.store.get(key).cloned().unwrap();
            pod["status"]["conditions"][0]["status"] = json!(status);
            cluster.store.put(key, pod);
        };
        let cases = [
            (
                None,
                "True",
                json!({"url": "https://example.com/inject"}),
                None,
            ),
            (None, "True", service("istiod", 443), None),
            (Some(vec![open]), "True", service("istiod", 443), None),
            (
                Some(vec![]),
                "True",
                service("istiod", 443),
                Some("context deadline exceeded"),
            ),
            (
                None,
                "True",
                service("other", 443),
                Some("service \"other\" not found"),
            ),
            (
                None,
                "True",
                service("istiod", 444),
                Some("no service port 444 found for service \"istiod\""),
            ),
            (
                None,
                "False",
                service("istiod", 443),
                Some("no endpoints available for service \"istiod\""),
            ),
        ];
        for (inbound, is_ready, client, why) in cases {
            let mut cluster = cluster(inbound);
            ready(&mut cluster, is_ready);
            let mut hook = json!({"name": "h", "clientConfig": client, "failurePolicy": "Fail"});
            let refused = called(&cluster, &hook).err();
            let said = refused.as_ref().map(|status| status.message.as_str());
            assert_eq!(said.is_some(), why.is_some(), "{said:?}");
            assert!(
                said.unwrap_or_default().ends_with(why.unwrap_or_default()),
                "{said:?}"
            );
            hook["failurePolicy"] = json!("Ignore");
            assert_eq!(called(&cluster, &hook), Ok(why.is_none()));
        }
    }
}
