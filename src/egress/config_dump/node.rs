//! Which proxy a dump is of: the node in its bootstrap section.

use std::net::IpAddr;

use serde_json::Value;

/// The role of a proxy in the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeType {
    /// Beside an application, whose connections are redirected to it.
    Sidecar,
    /// On its own, at a gateway.
    Router,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its role.
    pub kind: NodeType,
    /// The addresses of its pod.
    pub addresses: Vec<IpAddr>,
    /// The namespace of its pod.
    pub namespace: String,
    /// The name of its pod.
    pub pod: String,
    /// The service account of its pod; empty if the dump does not state it.
    pub service_account: String,
    /// Istio's version; empty if the dump does not state it.
    pub version: String,
    /// Annotations of the pod that change what is redirected to the proxy.
    pub redirection: Vec<String>,
}

/// The annotations with which Istio's injection changes the redirection of connections.
const REDIRECTION: &str = "traffic.sidecar.istio.io/";

impl Node {
    /// Reads the node of a bootstrap. Istio's node id is `sidecar~ADDRESS~POD.NAMESPACE~DOMAIN`
    /// (`pilot/pkg/model/context.go`, `ServiceNode`); a managed control plane may put a path before it. `None` if it is another.
    pub fn read(node: &Value) -> Option<Node> {
        let id = json::text(node, "/id");
        let id = id.rsplit('/').next().unwrap_or_default();
        let mut parts = id.split('~');
        let kind = match parts.next()? {
            "sidecar" => NodeType::Sidecar,
            "router" => NodeType::Router,
            _ => return None,
        };
        let mut addresses: Vec<IpAddr> = parts.next()?.parse().into_iter().collect();
        let (pod, namespace) = parts.next()?.rsplit_once('.')?;
        let metadata = &node["metadata"];
        let text = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
        let more = text("INSTANCE_IPS");
        addresses.extend(more.split(',').filter_map(|one| one.parse::<IpAddr>().ok()));
        addresses.dedup();
        let annotations = metadata["ANNOTATIONS"].as_object().into_iter().flatten();
        let redirection = annotations.filter(|(name, _)| name.starts_with(REDIRECTION));
        Some(Node {
            kind,
            addresses,
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            service_account: text("SERVICE_ACCOUNT"),
            version: text("ISTIO_VERSION"),
            redirection: redirection.map(|(name, _)| name.clone()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_id_says_which_pod_it_is() {
        let node = json!({
            "id": "projects/1/networks/mesh/nodes/sidecar~10.0.0.1~test-1.b.team-x~team-x.svc.cluster.local",
            "metadata": {"SERVICE_ACCOUNT": "test", "INSTANCE_IPS": "10.0.0.1,fd00::1",
                "ANNOTATIONS": {"traffic.sidecar.istio.io/excludeOutboundPorts": "80", "other": "x"}},
        });
        let read = Node::read(&node).unwrap();
        assert_eq!(
            (read.pod.as_str(), read.namespace.as_str()),
            ("test-1.b", "team-x")
        );
        assert_eq!(read.addresses.len(), 2);
        assert_eq!(
            read.redirection,
            ["traffic.sidecar.istio.io/excludeOutboundPorts"]
        );
        assert_eq!(read.kind, NodeType::Sidecar);
        for other in ["ztunnel~10.0.0.1~a.b~c", "test", ""] {
            assert_eq!(Node::read(&json!({"id": other})), None, "{other}");
        }
    }
}
