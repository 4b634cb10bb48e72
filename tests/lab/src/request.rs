//! Requests from pods, by curl, and what became of them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::Result;
use crate::api::Api;
use crate::kubelet::sandbox;
use crate::layout::Lab;
use crate::settle::network_of;

/// How many requests are made at a time.
const AT_ONCE: usize = 8;
/// How long curl may take, in seconds; longer than a proxy waits for a connection that nobody takes (10 s).
const WITHIN: u64 = 13;

/// Makes requests, each `{"from": "NAMESPACE/POD or NAMESPACE/LABEL=VALUE", "url", "method", "headers", "user", "timeout"}`, and says of each
/// `{"code": 0 without an answer, "exit", "error", "by": who answered, "answer": its body}`.
///
/// # Errors
/// The API server does not say which pods there are.
pub async fn ask(lab: &Lab, api: &Api, requests: &[Value]) -> Result<Vec<Value>> {
    let pods = api.pods().await?;
    let gate = tokio::sync::Semaphore::new(AT_ONCE);
    let asked = requests.iter().map(|request| async {
        let _turn = gate.acquire().await;
        one(lab, &pods, request).await
    });
    Ok(futures_util::future::join_all(asked).await)
}

async fn one(lab: &Lab, pods: &[Value], request: &Value) -> Value {
    let from = request["from"].as_str().unwrap_or_default();
    let (namespace, which) = from.split_once('/').unwrap_or_default();
    let pod = pods.iter().find(|pod| {
        let labels = which
            .split_once('=')
            .is_some_and(|(key, value)| pod["metadata"]["labels"][key] == value);
        pod["metadata"]["namespace"] == namespace && (pod["metadata"]["name"] == which || labels)
    });
    let Some(pod) = pod else {
        return json!({"error": format!("no pod {from}")});
    };
    let folder = lab.run().join("pods").join(format!(
        "{namespace}_{}",
        pod["metadata"]["name"].as_str().unwrap_or_default()
    ));
    let method = request["method"].as_str().unwrap_or("GET");
    let within = request["timeout"].as_u64().unwrap_or(WITHIN);
    let mut curl = vec![
        "curl",
        "-sS",
        "-g",
        "--path-as-is",
        "-w",
        "\n%{http_code} %header{x-answered-by}",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    curl.extend(["-m".to_owned(), within.to_string()]);
    curl.extend(if method == "HEAD" {
        vec!["-I".to_owned()]
    } else {
        vec!["-X".to_owned(), method.to_owned()]
    });
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        curl.extend([
            "-H".to_owned(),
            format!("{name}: {}", value.as_str().unwrap_or_default()),
        ]);
    }
    curl.push(request["url"].as_str().unwrap_or_default().to_owned());
    let [nsenter, net] = lab.entering(&network_of(lab, pod));
    let mut command = Command::new(nsenter);
    command
        .arg(net)
        .args(sandbox(
            lab,
            &folder,
            request["user"].as_u64().unwrap_or(0),
            &[],
        ))
        .args(curl)
        .kill_on_drop(true);
    let done = tokio::time::timeout(Duration::from_secs(within + 10), command.output()).await;
    let Ok(Ok(done)) = done else {
        return json!({"error": "curl did not end"});
    };
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let (body, code) = out.rsplit_once('\n').unwrap_or_default();
    let (code, answered) = code.split_once(' ').unwrap_or_default();
    let code: u16 = code.parse().unwrap_or(0);
    let error = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let answer: Value = serde_json::from_str(body).unwrap_or_else(|_| body.into());
    let by = match (code, answered.trim(), answer["who"].as_str()) {
        (_, "", Some(who)) => Some(who),
        (0, "", None) => None,
        // What no server has put its name on is a proxy's own.
        (_, "", None) => Some("proxy"),
        (_, who, _) => Some(who),
    };
    json!({
        "code": code, "exit": done.status.code(), "error": Some(error).filter(|error| !error.is_empty()),
        "by": by, "answer": answer,
    })
}
