//! NetworkPolicy: which connections a pod may open and accept, as Dataplane V2 (Cilium) enforces it.
//!
//! A pod that no policy selects for a direction is unrestricted in it; a selected pod may do what any of its policies allows.
//! Policies are evaluated for the pods at both ends, after Services have been resolved to pods and sidecars have redirected
//! traffic to gateways. As in Cilium, address ranges never match pods: an `ipBlock` that contains a pod's address does not
//! allow it. Established connections are not affected; traffic from the pod's own node is not
//! evaluated.

#[cfg(test)]
mod named_port_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use json::{list, text};
use serde_json::Value;

use crate::field::{port, strange};
use crate::firewall::Direction;
use crate::object::{Labels, Object, Unknown, texts};
use crate::selector::Selector;
use crate::trace::Decision;

/// The label that the API server adds to every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A range that contains no port.
const NO_PORT: (u16, u16) = (1, 0);

/// A pod at one end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodEnd {
    /// Its namespace.
    pub namespace: String,
    /// The labels of the namespace; the label with its name is always present, whether given or not.
    pub namespace_labels: Labels,
    /// The pod's labels.
    pub labels: Labels,
    /// The address of the pod, if it has one.
    pub address: Option<IpAddr>,
    /// The numbers of its containers' named ports.
    pub ports: BTreeMap<String, u16>,
}

/// The numbers of the named ports of a pod's containers.
pub fn named_ports(pod: &Value) -> BTreeMap<String, u16> {
    let containers = list(pod, "/spec/containers").chain(list(pod, "/spec/initContainers"));
    let ports = containers.flat_map(|container| list(container, "/ports"));
    let named = ports.filter_map(|each| {
        let name = text(each, "/name");
        Some((name.to_owned(), port(each, "/containerPort")?)).filter(|_| !name.is_empty())
    });
    named.collect()
}

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherEnd {
    /// A pod of the cluster.
    Pod(PodEnd),
    /// An address that is not a pod's.
    Outside(IpAddr),
}

/// A peer that a rule allows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NetworkPolicyPeer {
    /// Pods in the selected namespaces, or in the policy's own namespace.
    Pods {
        namespaces: Option<Selector>,
        pods: Selector,
    },
    /// Addresses, except those of pods.
    Block { range: IpNet, except: Vec<IpNet> },
    /// No peer: the entry could not be parsed.
    Nobody,
}

/// The ports of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PortRange {
    Any,
    Numbers(u16, u16),
    /// The port of this name of the pod that is connected to.
    Named(String),
}

/// The protocol and the ports of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ports {
    protocol: String,
    range: PortRange,
}

/// A rule of a policy: it allows one of the peers, or any peer if there are none, on one of the ports, or on any port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NetworkPolicyRule {
    peers: Vec<NetworkPolicyPeer>,
    ports: Vec<Ports>,
}

/// A NetworkPolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// The policy.
    pub object: Object,
    /// The fields that are not covered.
    pub unknown: Vec<Unknown>,
    selector: Selector,
    /// Whether the selector is understood.
    selects_surely: bool,
    /// The rules of each direction; `None` if the policy does not apply to it.
    ingress: Option<Vec<NetworkPolicyRule>>,
    egress: Option<Vec<NetworkPolicyRule>>,
}

/// Parses a policy's rules and collects what is not covered.
struct NetworkPolicyReader<'a> {
    object: &'a Object,
    unknown: Vec<Unknown>,
}

impl NetworkPolicyReader<'_> {
    fn not_covered(&mut self, field: String) {
        let object = self.object.clone();
        self.unknown.push(Unknown { object, field });
    }

    fn strange(&mut self, value: &Value, path: &str, known: &[&str]) {
        let strange = strange(self.object, value, path, known);
        self.unknown.extend(strange);
    }

    fn rules(&mut self, list: &Value, field: &str, ends: &str) -> Vec<NetworkPolicyRule> {
        let mut rules = Vec::new();
        for (index, rule) in list.as_array().into_iter().flatten().enumerate() {
            let place = format!("spec.{field}[{index}]");
            self.strange(rule, &place, &[ends, "ports"]);
            let items = |name: &str| rule[name].as_array().into_iter().flatten().enumerate();
            rules.push(NetworkPolicyRule {
                peers: items(ends)
                    .map(|(at, peer)| self.peer(peer, &format!("{place}.{ends}[{at}]")))
                    .collect(),
                ports: items("ports")
                    .map(|(at, ports)| self.ports(ports, &format!("{place}.ports[{at}]")))
                    .collect(),
            });
        }
        rules
    }

    fn peer(&mut self, peer: &Value, place: &str) -> NetworkPolicyPeer {
        self.strange(
            peer,
            place,
            &["ipBlock", "namespaceSelector", "podSelector"],
        );
        for field in ["namespaceSelector", "podSelector"] {
            if !Selector::is_understood(&peer[field]) {
                self.not_covered(format!("{place}.{field}"));
            }
        }
        let block = &peer["ipBlock"];
        self.strange(block, &format!("{place}.ipBlock"), &["cidr", "except"]);
        if block.is_null() {
            let namespaces = &peer["namespaceSelector"];
            return NetworkPolicyPeer::Pods {
                namespaces: (!namespaces.is_null()).then(|| Selector::read(namespaces)),
                pods: Selector::read(&peer["podSelector"]),
            };
        }
        let except = texts(block, "/except");
        let except: Result<Vec<IpNet>, _> = except.iter().map(|text| text.parse()).collect();
        match (block["cidr"].as_str().unwrap_or_default().parse(), except) {
            (Ok(range), Ok(except)) => NetworkPolicyPeer::Block { range, except },
            _ => {
                self.not_covered(format!("{place}.ipBlock"));
                NetworkPolicyPeer::Nobody
            }
        }
    }

    fn ports(&mut self, ports: &Value, place: &str) -> Ports {
        self.strange(ports, place, &["protocol", "port", "endPort"]);
        let number = |name: &str| {
            ports[name]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
        };
        let range = match (&ports["port"], number("port")) {
            (Value::Null, _) => PortRange::Any,
            (_, Some(first)) => PortRange::Numbers(first, number("endPort").unwrap_or(first)),
            (Value::String(name), _) => PortRange::Named(name.clone()),
            _ => {
                self.not_covered(format!("{place}.port"));
                PortRange::Numbers(NO_PORT.0, NO_PORT.1)
            }
        };
        let protocol = ports["protocol"]
            .as_str()
            .unwrap_or("TCP")
            .to_ascii_lowercase();
        Ports { protocol, range }
    }
}

impl NetworkPolicy {
    /// Parses a policy; `None` if the object has no name.
    pub fn read(object: &Value) -> Option<NetworkPolicy> {
        let name = Object::of(object);
        if name.name.is_empty() {
            return None;
        }
        let spec = &object["spec"];
        let mut reader = NetworkPolicyReader {
            object: &name,
            unknown: Vec::new(),
        };
        let fields = ["podSelector", "ingress", "egress", "policyTypes"];
        reader.strange(spec, "spec", &fields);
        let selects_surely = Selector::is_understood(&spec["podSelector"]);
        if !selects_surely {
            reader.not_covered("spec.podSelector".to_owned());
        }
        let ingress = reader.rules(&spec["ingress"], "ingress", "from");
        let egress = reader.rules(&spec["egress"], "egress", "to");
        let stated = texts(spec, "/policyTypes");
        // The defaults that the API server fills in.
        let about = |direction: &str| match stated.is_empty() {
            true => direction == "Ingress" || !egress.is_empty(),
            false => stated.iter().any(|stated| stated == direction),
        };
        let (takes, opens) = (about("Ingress"), about("Egress"));
        let unknown = reader.unknown;
        Some(NetworkPolicy {
            selector: Selector::read(&spec["podSelector"]),
            selects_surely,
            ingress: takes.then_some(ingress),
            egress: opens.then_some(egress),
            object: name,
            unknown,
        })
    }

    fn rules(&self, direction: Direction) -> Option<&Vec<NetworkPolicyRule>> {
        match direction {
            Direction::Egress => self.egress.as_ref(),
            Direction::Ingress => self.ingress.as_ref(),
        }
    }

    /// Whether the policy isolates pods with these labels for a direction; isolated pods may only do what is allowed.
    pub fn isolates(&self, direction: Direction, namespace: &str, labels: &Labels) -> bool {
        self.object.namespace == namespace
            && self.rules(direction).is_some()
            && self.selector.matches(labels)
    }
}

impl NetworkPolicyPeer {
    fn is(&self, own_namespace: &str, other: &OtherEnd) -> bool {
        match (self, other) {
            (NetworkPolicyPeer::Pods { namespaces, pods }, OtherEnd::Pod(pod)) => {
                let namespace = match namespaces {
                    Some(selector) => {
                        let mut labels = pod.namespace_labels.clone();
                        labels.insert(NAME_LABEL.to_owned(), pod.namespace.clone());
                        selector.matches(&labels)
                    }
                    None => pod.namespace == own_namespace,
                };
                namespace && pods.matches(&pod.labels)
            }
            (NetworkPolicyPeer::Block { range, except }, OtherEnd::Outside(address)) => {
                range.contains(address) && !except.iter().any(|except| except.contains(address))
            }
            _ => false,
        }
    }
}

impl NetworkPolicyRule {
    /// Why the rule does not allow a connection; `None` if it allows it.
    fn refuses(&self, own_namespace: &str, asked: &NetworkPolicyQuery<'_>) -> Option<&'static str> {
        if !self.peers.is_empty()
            && !self
                .peers
                .iter()
                .any(|peer| peer.is(own_namespace, asked.other))
        {
            return Some("is for other peers");
        }
        let port = |ports: &Ports| {
            let within = match &ports.range {
                PortRange::Any => true,
                PortRange::Numbers(first, last) => (*first..=*last).contains(&asked.port),
                PortRange::Named(name) => asked
                    .target
                    .is_some_and(|pod| pod.ports.get(name) == Some(&asked.port)),
            };
            ports.protocol == asked.protocol && within
        };
        match self.ports.is_empty() || self.ports.iter().any(port) {
            true => None,
            false => Some("is for other ports"),
        }
    }
}

/// What is not covered of the policies that isolate a pod for a direction, or may isolate it.
pub fn doubtful<'p>(
    policies: &'p [NetworkPolicy],
    direction: Direction,
    namespace: &'p str,
    labels: &'p Labels,
) -> impl Iterator<Item = &'p Unknown> {
    let may_isolate = move |policy: &&NetworkPolicy| {
        let surely = policy.isolates(direction, namespace, labels);
        surely || !policy.selects_surely && policy.rules(direction).is_some()
    };
    let doubtful = policies.iter().filter(|policy| !policy.unknown.is_empty());
    doubtful
        .filter(may_isolate)
        .flat_map(|policy| &policy.unknown)
}

/// A connection that is checked against the policies.
struct NetworkPolicyQuery<'a> {
    other: &'a OtherEnd,
    /// The pod that is connected to, which defines what the names of ports mean.
    target: Option<&'a PodEnd>,
    protocol: String,
    port: u16,
}

/// Decides whether the pod `of` may open a connection to `other`, or accept one from it; `port` is the destination port of
/// the pod, not of the Service.
pub fn rule(
    policies: &[NetworkPolicy],
    direction: Direction,
    of: &PodEnd,
    other: &OtherEnd,
    protocol: &str,
    port: u16,
) -> Decision {
    let target = match (direction, other) {
        (Direction::Ingress, _) => Some(of),
        (Direction::Egress, OtherEnd::Pod(pod)) => Some(pod),
        (Direction::Egress, OtherEnd::Outside(_)) => None,
    };
    let asked = NetworkPolicyQuery {
        other,
        target,
        protocol: protocol.to_ascii_lowercase(),
        port,
    };
    let mut own: Vec<&NetworkPolicy> = policies
        .iter()
        .filter(|policy| policy.object.namespace == of.namespace)
        .collect();
    own.sort_by(|a, b| a.object.cmp(&b.object));
    let mut by: Option<&NetworkPolicy> = None;
    let mut isolating = Vec::new();
    let mut others = Vec::new();
    for policy in own {
        let why_not = match policy.rules(direction) {
            None => "is about the other direction",
            Some(_) if !policy.selector.matches(&of.labels) => "selects other pods",
            Some(rules) => {
                isolating.push(policy.object.clone());
                let mut reasons = rules.iter().map(|rule| rule.refuses(&of.namespace, &asked));
                match (reasons.clone().any(|reason| reason.is_none()), by) {
                    (true, None) => {
                        by = Some(policy);
                        continue;
                    }
                    (true, Some(_)) => "allows it too",
                    // A rule for the right peer and another port is a better explanation than one for other peers.
                    (false, _) => match reasons
                        .clone()
                        .flatten()
                        .find(|reason| reason.ends_with("ports"))
                    {
                        Some(reason) => reason,
                        None => reasons.next().flatten().unwrap_or("allows nothing"),
                    },
                }
            }
        };
        others.push((policy.object.clone(), why_not.to_owned()));
    }
    let (way, who) = match direction {
        Direction::Egress => ("to", "out of"),
        Direction::Ingress => ("from", "into"),
    };
    let whom = match other {
        OtherEnd::Pod(pod) => format!("pods of {}", pod.namespace),
        OtherEnd::Outside(address) => address.to_string(),
    };
    let because = match (by, isolating.len()) {
        (Some(_), _) => format!("allows {}:{port} {way} {whom}", asked.protocol),
        (None, 0) => {
            format!(
                "no NetworkPolicy selects the pod for traffic {who} it, so all of it is allowed"
            )
        }
        (None, 1) => format!(
            "one NetworkPolicy isolates the pod, and does not allow {}:{port} {way} {whom}",
            asked.protocol
        ),
        (None, count) => format!(
            "{count} NetworkPolicies isolate the pod, and none allows {}:{port} {way} {whom}",
            asked.protocol
        ),
    };
    Decision {
        passes: by.is_some() || isolating.is_empty(),
        by: by.map(|policy| policy.object.clone()),
        because,
        others,
        together: (by.is_none() && !isolating.is_empty()).then(|| isolating.into()),
    }
}
