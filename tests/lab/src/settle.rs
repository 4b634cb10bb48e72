//! Waiting until the cluster is as its objects say: pods ready, deployments rolled out, proxies in possession of what istiod sends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use crate::Result;
use crate::api::{Api, is_true};
use crate::layout::Lab;

/// For how long no proxy may have been sent anything new.
const QUIET: Duration = Duration::from_millis(1500);

/// The network namespace of a pod.
pub fn network_of(lab: &Lab, pod: &Value) -> String {
    if pod["spec"]["hostNetwork"] == true {
        return lab.nodes();
    }
    lab.pod(pod["status"]["podIP"].as_str().unwrap_or_default())
}

/// Waits, and says which proxies refused what istiod sent.
///
/// # Errors
/// The pods are not ready in time, and which.
pub async fn settle(lab: &Lab, api: &Api, within: Duration) -> Result<Vec<String>> {
    let end = Instant::now() + within;
    loop {
        let waiting = waiting(api).await;
        match waiting {
            Ok(waiting) if waiting.is_empty() => break,
            found if Instant::now() > end => {
                let what =
                    found.map_or_else(|error| error.to_string(), |waiting| waiting.join(", "));
                return Err(format!("not ready after {} s: {what}", within.as_secs()).into());
            }
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    let pods = api.pods().await?;
    let proxies: Vec<String> = pods
        .iter()
        .filter(|pod| has_proxy(pod))
        .map(|pod| network_of(lab, pod))
        .collect();
    let first = counters(lab, &proxies).await;
    let (mut last, mut since) = (first.clone(), Instant::now());
    while since.elapsed() < QUIET && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = counters(lab, &proxies).await;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    let refused = last.iter().flat_map(|(proxy, counters)| {
        let before = first.get(proxy).cloned().unwrap_or_default();
        let more = counters.clone().into_iter().filter(move |(name, count)| {
            name.ends_with("rejected") && before.get(name) != Some(count) && count != "0"
        });
        more.map(move |(name, _)| format!("the proxy in {proxy} refused what istiod sent: {name}"))
    });
    Ok(refused.collect())
}

fn has_proxy(pod: &Value) -> bool {
    let lists = ["/spec/containers", "/spec/initContainers"];
    let all = lists.iter().flat_map(|list| {
        pod.pointer(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    });
    all.into_iter()
        .any(|container| container["name"] == "istio-proxy")
}

/// What is not as it is to be, by name.
async fn waiting(api: &Api) -> Result<Vec<String>> {
    let name = |object: &Value| {
        object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let is_over = |pod: &Value| {
        ["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str().unwrap_or_default())
    };
    let pods = api.pods().await?;
    let mut found: Vec<String> = pods
        .iter()
        .filter(|pod| !is_over(pod) && !is_true(pod, "Ready"))
        .map(name)
        .collect();
    let deployments = api.get("/apis/apps/v1/deployments").await?;
    let rolling = deployments["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|deployment| {
            let number = |pointer: &str| {
                deployment
                    .pointer(pointer)
                    .and_then(Value::as_i64)
                    .unwrap_or(0)
            };
            let wanted = number("/spec/replicas");
            number("/status/observedGeneration") != number("/metadata/generation")
                || number("/status/availableReplicas") < wanted
                || number("/status/updatedReplicas") < wanted
                || number("/status/replicas") > wanted
        });
    found.extend(rolling.map(name));
    Ok(found)
}

/// How often each proxy was sent something, took it, refused it.
async fn counters(lab: &Lab, proxies: &[String]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for proxy in proxies {
        let [nsenter, net] = lab.entering(proxy);
        let url = "127.0.0.1:15000/stats?filter=(update_attempt|update_success|update_rejected)$";
        let asked = Command::new(nsenter)
            .args([&net, "curl", "-s", "-m", "2", url])
            .output()
            .await;
        let text = asked
            .map(|done| String::from_utf8_lossy(&done.stdout).into_owned())
            .unwrap_or_default();
        let counters = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, count)| (name.to_owned(), count.to_owned()));
        found.insert(proxy.clone(), counters.collect());
    }
    found
}
