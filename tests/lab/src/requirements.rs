//! What a machine has to have, told in one line each where it has not.

use std::process::Command;

use crate::kubelet::sandbox::MACHINE;
use crate::layout::Lab;
use crate::{Result, process};

/// Programs, with the Debian package that has them.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("etcd", "etcd-server"),
    ("bwrap", "bubblewrap"),
    ("socat", "socat"),
    ("curl", "curl"),
    ("kubectl", "kubectl"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// What [`build`](crate::programs::build) needs beside those.
pub const BUILD_PROGRAMS: &[(&str, &str)] =
    &[("go", "golang, 1.26 or newer"), ("python3", "python3-venv")];

/// The first of the programs that is not there, in one line.
///
/// # Errors
/// That line.
pub fn programs(needed: &[(&str, &str)]) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    match needed.iter().find(|(name, _)| !is_there(name)) {
        Some((name, package)) => Err(format!("the laboratory needs `{name}` ({package})").into()),
        None => Ok(()),
    }
}

/// Whether a laboratory can stand on this machine.
///
/// # Errors
/// What it lacks, in one line: the right to make network namespaces, a program, or a feature of the kernel.
pub fn check(lab: &Lab) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err("the laboratory needs root, to make network namespaces".into());
    }
    programs(PROGRAMS)?;
    let name = format!("{}-try", lab.name);
    process::run(&format!("ip netns add {name}"))
        .map_err(|error| format!("the kernel makes no network namespaces here: {error}"))?;
    let tried = features(&name);
    process::run(&format!("ip netns delete {name}"))?;
    tried
}

/// Tries in a namespace of its own what the network of a laboratory is made of.
fn features(namespace: &str) -> Result<()> {
    let inside = |line: &str| process::run(&format!("nsenter --net=/run/netns/{namespace} {line}"));
    let features = [
        (
            "virtual interfaces",
            "ip link add t0 type veth peer name t1",
        ),
        (
            "netfilter's address translation",
            "iptables -t nat -A OUTPUT -p tcp -j REDIRECT --to-ports 1",
        ),
        (
            "netfilter's connection states",
            "iptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT",
        ),
        (
            "netfilter's queues to programs",
            "iptables -A FORWARD -j NFQUEUE --queue-num 100 --queue-bypass",
        ),
    ];
    for (feature, line) in features {
        inside(line).map_err(|error| format!("the kernel lacks {feature}: {error}"))?;
    }
    // As a pod's, without the machine's other mounts: those of a laboratory that ends meanwhile would make it fail.
    let sandbox = Command::new("bwrap")
        .args(MACHINE)
        .args(["--cap-add", "ALL", "true"])
        .output()?;
    if !sandbox.status.success() {
        let why = String::from_utf8_lossy(&sandbox.stderr).trim().to_owned();
        return Err(format!("bwrap makes no file system of its own here: {why}").into());
    }
    Ok(())
}
