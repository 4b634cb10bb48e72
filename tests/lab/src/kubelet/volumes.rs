//! A pod's volumes as folders: config maps, secrets, tokens of its account, the downward API, empty ones.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::files::field;
use super::pod::Pod;
use super::{events, list, text};
use crate::api::status;
use crate::layout::{DNS_SERVICE, LINK_OUTSIDE};
use crate::{Result, process};

/// Between two tries to read what is not there yet.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes the pod's folder with its name server, its hosts and its volumes.
///
/// # Errors
/// A source that does not come, or a file that cannot be written.
pub(super) async fn fill(pod: &Pod) -> Result<()> {
    fs::create_dir_all(&pod.folder)?;
    fs::write(
        pod.folder.join("hosts"),
        format!("127.0.0.1 localhost\n{} {}\n", pod.address, pod.name),
    )?;
    let server = if pod.object["spec"]["dnsPolicy"] == "Default" {
        LINK_OUTSIDE
    } else {
        DNS_SERVICE
    };
    let search = format!(
        "{}.svc.cluster.local svc.cluster.local cluster.local",
        pod.namespace
    );
    let resolv = format!("nameserver {server}\nsearch {search}\noptions ndots:5\n");
    fs::write(pod.folder.join("resolv.conf"), resolv)?;
    for volume in list(&pod.object, "/spec/volumes") {
        let name = text(volume, "/name");
        let folder = pod.folder.join("volumes").join(&name);
        fs::create_dir_all(&folder)?;
        match volume
            .pointer("/projected/sources")
            .and_then(Value::as_array)
        {
            Some(sources) => {
                for source in sources {
                    project(pod, &name, source, &folder).await?;
                }
            }
            None => project(pod, &name, volume, &folder).await?,
        }
        process::run(&format!("chmod -R a+rwX {}", folder.display()))?;
    }
    Ok(())
}

/// Puts one source of a volume into its folder.
async fn project(pod: &Pod, volume: &str, source: &Value, folder: &Path) -> Result<()> {
    if let Some(map) = source.get("configMap") {
        let data = fetch(pod, volume, "configmap", map).await?;
        return put(&data, map, folder, |text| Ok(text.as_bytes().to_vec()));
    }
    if let Some(secret) = source.get("secret") {
        let data = fetch(pod, volume, "secret", secret).await?;
        return put(&data, secret, folder, |text| Ok(STANDARD.decode(text)?));
    }
    if let Some(token) = source.get("serviceAccountToken") {
        return Ok(fs::write(
            folder.join(text(token, "/path")),
            issue(pod, token).await?,
        )?);
    }
    for item in list(source, "/downwardAPI/items") {
        let value = match item.pointer("/fieldRef/fieldPath").and_then(Value::as_str) {
            Some(path) => field(pod, path),
            // Limits of processors: what every sidecar is given here.
            None => "2".to_owned(),
        };
        fs::write(folder.join(text(item, "/path")), value)?;
    }
    Ok(())
}

/// The data of a config map or a secret; one that does not exist yet is waited for, as a kubelet does, which tells it.
async fn fetch(pod: &Pod, volume: &str, kind: &str, source: &Value) -> Result<Value> {
    let name = source["name"]
        .as_str()
        .or(source["secretName"].as_str())
        .unwrap_or_default();
    let path = format!("/api/v1/namespaces/{}/{kind}s/{name}", pod.namespace);
    let mut is_told = false;
    loop {
        match pod.api.get(&path).await {
            Ok(found) => return Ok(found["data"].clone()),
            Err(refusal) if status(&refusal) == 404 && source["optional"] == true => {
                return Ok(Value::Null);
            }
            Err(refusal) => {
                if status(&refusal) == 404 && !std::mem::replace(&mut is_told, true) {
                    let message = format!(
                        "MountVolume.SetUp failed for volume \"{volume}\" : {kind} \"{name}\" not found"
                    );
                    events::tell(pod, "FailedMount", &message).await;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn put(
    data: &Value,
    source: &Value,
    folder: &Path,
    decode: impl Fn(&str) -> Result<Vec<u8>>,
) -> Result<()> {
    let items = list(source, "/items");
    for (key, value) in data.as_object().into_iter().flatten() {
        let item = items.iter().find(|item| item["key"] == key.as_str());
        let path = match item {
            Some(item) => text(item, "/path"),
            None if items.is_empty() => key.clone(),
            None => continue,
        };
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, decode(value.as_str().unwrap_or_default())?)?;
    }
    Ok(())
}

/// A token of the pod's service account.
async fn issue(pod: &Pod, source: &Value) -> Result<String> {
    let account = pod.object["spec"]["serviceAccountName"]
        .as_str()
        .unwrap_or("default");
    let audiences = source["audience"].as_str().map(|audience| vec![audience]);
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {
            "audiences": audiences, "expirationSeconds": 86_400,
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "uid": pod.object["metadata"]["uid"]},
        },
    });
    let path = format!(
        "/api/v1/namespaces/{}/serviceaccounts/{account}/token",
        pod.namespace
    );
    loop {
        match pod.api.post(&path, &request).await {
            Ok(issued) => return Ok(text(&issued, "/status/token")),
            // An API server that is away, or that has no etcd, comes back.
            Err(refusal) if status(&refusal) == 0 || status(&refusal) >= 500 => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
}
