//! The cluster's control plane: etcd, kube-apiserver, its controllers, scheduler, kube-proxy, and the nodes as objects.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::api::Api;
use crate::layout::{ADMIN_TOKEN, API_PORT, API_SERVER, Lab, NODES, Node, SERVICES};
use crate::process::{self, start};

const ETCD: &str = "http://127.0.0.1:2379";

/// A kubeconfig for the administrator.
pub fn kubeconfig(server: &str, authority: &str, name: &str) -> String {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": "admin", "user": {"token": ADMIN_TOKEN}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}}],
    });
    format!("{config:#}\n")
}

/// Starts etcd on the laboratory's own data.
///
/// # Errors
/// It cannot be started.
pub fn etcd(lab: &Lab) -> Result<()> {
    let data = lab.run().join("etcd").display().to_string();
    start(
        lab,
        "etcd",
        &lab.nodes(),
        &[
            "etcd",
            "--data-dir",
            &data,
            "--listen-client-urls",
            ETCD,
            "--advertise-client-urls",
            ETCD,
            "--listen-peer-urls",
            "http://127.0.0.1:2380",
        ],
    )?;
    Ok(())
}

/// Starts the API server.
///
/// # Errors
/// It cannot be started.
pub fn api_server(lab: &Lab) -> Result<()> {
    let pki = lab.pki().display().to_string();
    let tokens = lab.run().join("tokens.csv");
    fs::write(
        &tokens,
        format!("{ADMIN_TOKEN},admin,admin,system:masters\n"),
    )?;
    let server = format!("https://{API_SERVER}:{API_PORT}");
    fs::write(
        lab.kubeconfig(),
        kubeconfig(&server, &format!("{pki}/ca.crt"), &lab.name),
    )?;
    let program = lab.bin().join("kube-apiserver").display().to_string();
    let arguments = [
        program,
        format!("--etcd-servers={ETCD}"),
        format!("--secure-port={API_PORT}"),
        format!("--advertise-address={API_SERVER}"),
        format!("--bind-address={API_SERVER}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        format!("--tls-cert-file={pki}/apiserver.crt"),
        format!("--tls-private-key-file={pki}/apiserver.key"),
        format!("--token-auth-file={}", tokens.display()),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={pki}/accounts.crt"),
        format!("--service-account-signing-key-file={pki}/accounts.key"),
        "--api-audiences=https://kubernetes.default.svc,istio-ca".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
    ];
    start(lab, "kube-apiserver", &lab.nodes(), &arguments)?;
    Ok(())
}

/// Waits until the API server is ready. The caller is in the nodes' network namespace.
///
/// # Errors
/// It is not, in time.
pub async fn is_ready(lab: &Lab) -> Result<Api> {
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(api) = Api::connect(lab).await
            && api.is_ready().await
        {
            return Ok(api);
        }
        if tokio::time::Instant::now() > end {
            let log = lab.run().join("log/kube-apiserver.log");
            return Err(format!(
                "the API server is not ready after 60 s; its log: {}",
                log.display()
            )
            .into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Starts the controllers, the scheduler and kube-proxy, and makes the nodes.
///
/// # Errors
/// One cannot be started, or the API server refuses a node.
pub async fn the_rest(lab: &Lab, api: &Api) -> Result<()> {
    let (bin, pki) = (lab.bin(), lab.pki());
    let kubeconfig = format!("--kubeconfig={}", lab.kubeconfig().display());
    let program = |name: &str| bin.join(name).display().to_string();
    let without = [
        "node-lifecycle-controller",
        "node-ipam-controller",
        "cloud-node-lifecycle-controller",
        "service-lb-controller",
        "node-route-controller",
    ];
    let controllers = without.map(|name| format!("-{name}")).join(",");
    let controllers = [
        program("kube-controller-manager"),
        kubeconfig.clone(),
        format!(
            "--service-account-private-key-file={}/accounts.key",
            pki.display()
        ),
        format!("--root-ca-file={}/ca.crt", pki.display()),
        "--leader-elect=false".to_owned(),
        format!("--controllers=*,{controllers}"),
        "--use-service-account-credentials=false".to_owned(),
    ];
    start(lab, "kube-controller-manager", &lab.nodes(), &controllers)?;
    for node in &NODES {
        register(api, node).await?;
    }
    let scheduler = [
        program("kube-scheduler"),
        kubeconfig.clone(),
        "--leader-elect=false".to_owned(),
    ];
    start(lab, "kube-scheduler", &lab.nodes(), &scheduler)?;
    let proxy = [
        program("kube-proxy"),
        kubeconfig,
        format!("--hostname-override={}", NODES[0].name),
        "--cluster-cidr=10.1.0.0/16".to_owned(),
        "--proxy-mode=iptables".to_owned(),
        // A namespace may not set what the whole kernel shares.
        "--conntrack-max-per-core=0".to_owned(),
        "--conntrack-tcp-timeout-established=0".to_owned(),
        "--conntrack-tcp-timeout-close-wait=0".to_owned(),
    ];
    start(lab, "kube-proxy", &lab.nodes(), &proxy)?;
    Ok(())
}

/// Makes a node, as its kubelet would.
async fn register(api: &Api, node: &Node) -> Result<()> {
    let path = format!("/api/v1/nodes/{}", node.name);
    api.post("/api/v1/nodes", &json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": node.name, "labels": {
            "kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux",
            "topology.kubernetes.io/zone": "us-central1-a", "topology.kubernetes.io/region": "us-central1",
            "cloud.google.com/gke-nodepool": node.pool,
        }},
        "spec": {"podCIDR": node.pods()},
    }))
    .await?;
    // The API server adds a taint that a controller of clouds would take away.
    let taints = match node.pool {
        "gateway" => json!([{"key": "dedicated", "value": "gateway", "effect": "NoSchedule"}]),
        _ => json!([]),
    };
    api.patch(&path, &json!({"spec": {"taints": taints}}))
        .await?;
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "250"});
    let status = json!({"status": {
        "capacity": room, "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": node.address()}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastTransitionTime": now()}],
    }});
    api.patch(&format!("{path}/status"), &status).await?;
    Ok(())
}

/// This moment, as Kubernetes writes it.
pub fn now() -> Value {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
        .into()
}

/// Ends the API server as a crash would, and starts it again where `again` says so.
///
/// # Errors
/// It does not end, or cannot be started.
pub fn crash_api_server(lab: &Lab, again: bool) -> Result<()> {
    process::stop(lab, "kube-apiserver")?;
    if again { api_server(lab) } else { Ok(()) }
}

/// The same of etcd.
///
/// # Errors
/// It does not end, or cannot be started.
pub fn crash_etcd(lab: &Lab, again: bool) -> Result<()> {
    process::stop(lab, "etcd")?;
    if again { etcd(lab) } else { Ok(()) }
}
