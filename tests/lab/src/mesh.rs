//! Istio as its own installer writes it, applied with kubectl.

use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::api::{Api, is_true};
use crate::layout::Lab;
use crate::process::output;

/// What `istioctl` is asked for.
pub const OPERATOR: &str = include_str!("../manifests/mesh.yaml");
/// Name server of the cluster.
const DNS: &str = include_str!("../manifests/dns.yaml");
/// NetworkPolicy.
const POLICIES: &str = include_str!("../manifests/policies.yaml");

/// Applies what every cluster has: its name server and what carries out NetworkPolicy.
///
/// # Errors
/// The API server's refusal.
pub fn add_ons(lab: &Lab) -> Result<()> {
    apply(lab, "dns", DNS)?;
    apply(lab, "policies", POLICIES)
}

/// Installs Istio and waits for istiod.
///
/// # Errors
/// `istioctl`, `kubectl` or istiod do not do as told.
pub async fn install(lab: &Lab, api: &Api) -> Result<()> {
    let operator = lab.run().join("mesh.yaml");
    std::fs::write(&operator, OPERATOR)?;
    let istioctl = lab.bin().join("istioctl");
    let objects = output(&[
        istioctl.as_os_str(),
        "manifest".as_ref(),
        "generate".as_ref(),
        "-f".as_ref(),
        operator.as_os_str(),
    ])?;
    // One that is there already is as wanted.
    let _ = kubectl(lab, &["create", "namespace", "istio-system"]);
    // The custom resources among them need their definitions first.
    if apply(lab, "istio", &objects).is_err() {
        apply(lab, "istio", &objects)?;
    }
    let end = tokio::time::Instant::now() + Duration::from_secs(120);
    loop {
        let pods = api
            .get("/api/v1/namespaces/istio-system/pods?labelSelector=app%3Distiod")
            .await?;
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        if pods.iter().any(|pod| is_true(pod, "Ready")) {
            return Ok(());
        }
        if tokio::time::Instant::now() > end {
            return Err("istiod is not ready after 120 s; its log is below run/NAME/log".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Applies manifests, ours instead of anybody's.
///
/// # Errors
/// kubectl's words.
pub fn apply(lab: &Lab, name: &str, manifests: &str) -> Result<()> {
    let file = lab.run().join(format!("{name}.applied.yaml"));
    std::fs::write(&file, manifests)?;
    let file = file.display().to_string();
    kubectl(
        lab,
        &["apply", "--server-side", "--force-conflicts", "-f", &file],
    )
    .map(drop)
}

/// Runs kubectl as the administrator and returns what it prints.
///
/// # Errors
/// kubectl's words.
pub fn kubectl(lab: &Lab, arguments: &[&str]) -> Result<String> {
    let [nsenter, net] = lab.entering(&lab.nodes());
    let kubeconfig = lab.kubeconfig().display().to_string();
    let mut argv = vec![
        nsenter.as_str(),
        &net,
        "kubectl",
        "--kubeconfig",
        &kubeconfig,
    ];
    argv.extend(arguments);
    output(&argv)
}

/// A command that runs a program in the nodes' network with the administrator's kubeconfig.
pub fn command(lab: &Lab, program: &std::ffi::OsStr) -> Command {
    let [nsenter, net] = lab.entering(&lab.nodes());
    let mut command = Command::new(nsenter);
    command
        .arg(net)
        .arg(program)
        .env("KUBECONFIG", lab.kubeconfig());
    command
}
