//! The networks of a laboratory: one namespace for all nodes, one for the world outside, a link between them.

use std::fs;

use crate::layout::{API_SERVER, LINK_INSIDE, LINK_OUTSIDE, Lab, METADATA_SERVER, NODES};
use crate::process::run;
use crate::{Result, vpc};

/// The port of the program that stands for every address outside.
pub const EVERYBODY: u16 = 1;

/// Makes both namespaces and what connects them.
///
/// # Errors
/// The words of `ip` or `iptables`.
pub fn make(lab: &Lab) -> Result<()> {
    let (nodes, outside) = (lab.nodes(), lab.outside());
    for namespace in [&nodes, &outside] {
        run(&format!("ip netns add {namespace}"))?;
        run(&format!("ip -n {namespace} link set lo up"))?;
    }
    let addresses = NODES
        .iter()
        .map(|node| node.address())
        .chain([API_SERVER.to_owned()]);
    for address in addresses {
        run(&format!("ip -n {nodes} addr add {address}/32 dev lo"))?;
    }
    run(&format!(
        "ip -n {nodes} link add out0 type veth peer name out1 netns {outside}"
    ))?;
    run(&format!("ip -n {nodes} addr add {LINK_INSIDE}/30 dev out0"))?;
    run(&format!(
        "ip -n {outside} addr add {LINK_OUTSIDE}/30 dev out1"
    ))?;
    run(&format!("ip -n {nodes} link set out0 up"))?;
    run(&format!("ip -n {outside} link set out1 up"))?;
    run(&format!(
        "ip -n {nodes} route add default via {LINK_OUTSIDE}"
    ))?;
    run(&format!(
        "ip -n {outside} route add 10.0.0.0/8 via {LINK_INSIDE}"
    ))?;
    in_namespace(
        &nodes,
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0",
    )?;
    // One program answers on every address and port out there, and sees which one was meant.
    in_namespace(
        &outside,
        &format!("iptables -t nat -A PREROUTING -i out1 -p tcp -j REDIRECT --to-ports {EVERYBODY}"),
    )?;
    // The metadata server listens on one port alone.
    let metadata =
        format!("-p tcp -m conntrack --ctorigdst {METADATA_SERVER} ! --ctorigdstport 80");
    in_namespace(
        &outside,
        &format!("iptables -A INPUT {metadata} -j REJECT --reject-with tcp-reset"),
    )?;
    in_namespace(&nodes, &format!("iptables -N {}", vpc::CHAIN))?;
    in_namespace(&nodes, &format!("iptables -A FORWARD -j {}", vpc::CHAIN))?;
    // An address of the cluster's that no pod and no service has is nobody's.
    in_namespace(&nodes, "iptables -A FORWARD -d 10.0.0.0/8 -o out0 -j DROP")?;
    // kube-network-policies diverts packets by an nftables expression that not every kernel has; this does the same.
    for chain in ["FORWARD", "INPUT -i p+"] {
        let queue = "-m conntrack --ctstate NEW -j NFQUEUE --queue-num 100 --queue-bypass";
        in_namespace(&nodes, &format!("iptables -A {chain} {queue}"))?;
    }
    Ok(())
}

/// Runs a line of words in a network namespace.
///
/// # Errors
/// The program's own words.
pub fn in_namespace(namespace: &str, line: &str) -> Result<String> {
    run(&format!("nsenter --net=/run/netns/{namespace} {line}"))
}

/// The network namespaces of a laboratory that are there.
pub fn namespaces(lab: &Lab) -> Vec<String> {
    let all = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    let ours = |name: &String| {
        *name == lab.nodes()
            || *name == lab.outside()
            || name.starts_with(&lab.pod_prefix())
            || *name == format!("{}-try", lab.name)
    };
    names.filter(ours).collect()
}

/// Deletes them; their interfaces go with them.
pub fn remove(lab: &Lab) {
    for namespace in namespaces(lab) {
        // One that is gone already is as wanted.
        let _ = run(&format!("ip netns delete {namespace}"));
    }
}

/// Puts this thread, and those that it starts, into a network namespace.
///
/// # Errors
/// It is not there, or this is not root.
pub fn enter(namespace: &str) -> Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let file = fs::File::open(format!("/run/netns/{namespace}"))
        .map_err(|_| "this laboratory is not up")?;
    let network = Some(LinkNameSpaceType::Network);
    Ok(move_into_link_name_space(
        std::os::fd::AsFd::as_fd(&file),
        network,
    )?)
}
