//! Addresses of services, nodes and pods, from the ranges that the cluster was given.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::cluster::Cluster;

/// The address `offset` into a range; the range's own first address if it cannot be read.
pub fn nth(range: &str, offset: u32) -> String {
    let base = range
        .split('/')
        .next()
        .and_then(|base| base.parse::<Ipv4Addr>().ok());
    let base = base.map_or(u32::from(Ipv4Addr::new(10, 0, 0, 0)), u32::from);
    Ipv4Addr::from(base.wrapping_add(offset)).to_string()
}

/// Gives a new service its address, unless it brings one or wants none.
pub fn service(cluster: &mut Cluster, object: &mut Value) {
    let spec = &mut object["spec"];
    if spec["type"] == "ExternalName" {
        return;
    }
    if spec["clusterIP"].as_str().unwrap_or_default().is_empty() {
        // The first addresses are the server's and the name server's.
        let offset = 20 + u32::try_from(cluster.count("service")).unwrap_or_default();
        spec["clusterIP"] = json!(nth(&cluster.site.services, offset));
    }
    if spec.get("clusterIPs").is_none() {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
}

/// An address for a pod on a node whose pods live in `range`.
pub fn pod(cluster: &mut Cluster, node: &str, range: &str) -> String {
    let serial = u32::try_from(cluster.count(&format!("pod on {node}"))).unwrap_or_default();
    // A node has a range of 256: the lowest are the node's own.
    nth(range, 3 + serial % 250)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_from_their_range() {
        assert_eq!(nth("10.1.0.0/16", 0), "10.1.0.0");
        assert_eq!(nth("10.1.0.0/16", 256 + 12), "10.1.1.12");
        assert_eq!(nth("10.2.0.0/20", 1), "10.2.0.1");
    }
}
