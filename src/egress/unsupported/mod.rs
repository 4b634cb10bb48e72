//! Objects of kinds that may affect a decision and are not covered: a trace that passes what they may apply to is tainted by
//! them. What they do is not modelled; only where they may apply, so that an object elsewhere does not taint.

mod kinds;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use json::{list, text};
use serde_json::Value;

use super::firewall::Direction;
use super::object::{Labels, Object, Unknown, labels};
use super::selector::Selector;
use kinds::{Affects, affects};
pub use kinds::{group, uncovered_kinds};
pub use selection::{SelectedPod, Selection};

/// The label of the pods of a gateway of the Gateway API.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// What a proxy does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A sidecar sends it.
    Outbound,
    /// A sidecar receives it.
    Inbound,
    /// A gateway receives and sends it.
    Gateway,
}

/// An object that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    kind: String,
    namespace: String,
    name: String,
}

/// An object of a kind that is not covered, and what it may apply to.
#[derive(Debug, Clone)]
pub struct Unsupported {
    object: Object,
    affects: Affects,
    selections: Vec<Selection>,
    /// Whether it may concern incoming and outgoing packets.
    directions: (bool, bool),
    /// The roles of the proxies that its patches are for; `None` for all.
    roles: Option<Vec<Role>>,
    /// Its parents or targets; a sidecar is no target.
    references: Vec<Reference>,
    /// The labels by which services select it.
    own: Labels,
    /// Whether it names addresses of pods that other objects create.
    elsewhere: bool,
}

impl Unsupported {
    /// Parses an object; `None` if its kind is covered, or decides nothing.
    pub fn read(object: &Value) -> Option<Unsupported> {
        let affects = affects(object)?;
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let identity = Object::of(object);
        if identity.kind == "ProxyConfig" && only(spec, &["selector", "concurrency"]) {
            return None;
        }
        let references = ["/parentRefs", "/targetRefs"]
            .iter()
            .flat_map(|field| list(spec, field))
            .chain(spec.get("targetRef"))
            .map(|each| Reference::read(each, affects, &identity.namespace));
        Some(Unsupported {
            selections: selections(object, spec),
            directions: directions(object, spec),
            roles: roles(spec),
            references: references.collect(),
            own: labels(spec, "/labels"),
            elsewhere: list(spec, "/addresses").next().is_some(),
            affects,
            object: identity,
        })
    }

    /// The entry for a trace.
    pub fn unknown(&self) -> Unknown {
        Unknown {
            object: self.object.clone(),
            field: String::new(),
        }
    }

    /// Whether it may concern packets of a pod.
    fn concerns_packets(&self, pod: SelectedPod, direction: Direction) -> bool {
        let (ingress, egress) = self.directions;
        let way = match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        self.affects == Affects::Packets && way && self.selects(pod)
    }

    fn selects(&self, pod: SelectedPod) -> bool {
        self.selections
            .iter()
            .any(|selection| selection.selects(pod))
    }

    /// Whether it may concern a proxy. An object with references applies to gateways and waypoints that they name.
    fn concerns_proxy(&self, pod: SelectedPod, role: Role, tokens: bool) -> bool {
        let named = |reference: &Reference| {
            reference.kind == "Gateway"
                && reference.namespace == pod.namespace
                && pod.labels.get(GATEWAY_NAME) == Some(&reference.name)
        };
        match self.affects {
            Affects::Proxies => {}
            Affects::Tokens if tokens && role != Role::Outbound => {}
            Affects::Gateways => {
                let is_own = self.object.namespace == pod.namespace
                    && pod.labels.get(GATEWAY_NAME) == Some(&self.object.name);
                return is_own || role == Role::Gateway && self.elsewhere;
            }
            Affects::Routes => return self.references.iter().any(named),
            _ => return false,
        }
        if !self.references.is_empty() {
            return self.references.iter().any(named);
        }
        self.roles
            .as_ref()
            .is_none_or(|roles| roles.contains(&role))
            && self.selects(pod)
    }

    /// Whether it may concern a proxy's connections to a service: a route of the service's namespace those of every caller, a
    /// route of another namespace those of that namespace's callers.
    fn concerns_service(&self, caller: &str, service: &Object, host: &str) -> bool {
        let own = &self.object.namespace;
        let named = |reference: &Reference| match reference.kind.as_str() {
            "Hostname" => reference.name == host,
            kind => {
                kind == service.kind
                    && reference.namespace == service.namespace
                    && reference.name == service.name
            }
        };
        match self.affects {
            Affects::Backends => self.references.iter().any(named),
            Affects::Routes => {
                let seen = *own == service.namespace || own == caller;
                seen && self.references.iter().any(named)
            }
            _ => false,
        }
    }
}

impl Reference {
    fn read(value: &Value, affects: Affects, own: &str) -> Reference {
        let or = |pointer: &str, otherwise: &str| match text(value, pointer) {
            "" => otherwise.to_owned(),
            stated => stated.to_owned(),
        };
        let kind = match affects {
            Affects::Routes => "Gateway",
            _ => "Service",
        };
        Reference {
            kind: or("/kind", kind),
            namespace: or("/namespace", own),
            name: or("/name", ""),
        }
    }
}

/// Whether an object has no fields but these.
fn only(object: &Value, known: &[&str]) -> bool {
    let fields = object.as_object().into_iter().flatten();
    fields
        .map(|(name, _)| name)
        .all(|name| known.contains(&name.as_str()))
}

/// The pods that an object may apply to, by the notation of its kind.
fn selections(object: &Value, spec: &Value) -> Vec<Selection> {
    let null = &Value::Null;
    let field = |name: &str| spec.get(name).unwrap_or(null);
    match (group(object), text(object, "/kind")) {
        ("cilium.io", "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => {
            let specs = object.get("spec").into_iter().chain(list(object, "/specs"));
            let of = |spec: &Value| match spec.get("endpointSelector") {
                Some(selector) => Selection::of_endpoints(selector),
                None => Selection::Anything,
            };
            specs.map(of).collect()
        }
        ("projectcalico.org" | "crd.projectcalico.org", _) => {
            let simple = [
                "serviceAccountSelector",
                "applyOnForward",
                "preDNAT",
                "doNotTrack",
            ];
            match simple.iter().all(|name| field(name).is_null()) {
                true => vec![Selection::of_expressions(
                    field("namespaceSelector"),
                    field("selector"),
                )],
                false => vec![Selection::Anything],
            }
        }
        ("networking.gke.io", _) => vec![Selection::of_pods(field("podSelector"))],
        ("policy.networking.k8s.io", _) => {
            let subject = field("subject");
            let pods = subject.get("pods").unwrap_or(null);
            let known = ["namespaceSelector", "podSelector"];
            match (subject.get("namespaces"), subject.get("pods")) {
                (Some(namespaces), None) => vec![Selection::both(namespaces, null)],
                (None, Some(_)) if only(pods, &known) => {
                    let of = |name: &str| pods.get(name).unwrap_or(null);
                    vec![Selection::both(of("namespaceSelector"), of("podSelector"))]
                }
                _ => vec![Selection::Anything],
            }
        }
        ("networking.istio.io" | "extensions.istio.io" | "security.istio.io", _) => {
            let selector = spec.get("workloadSelector").or(spec.get("selector"));
            vec![Selection::of_pods(selector.unwrap_or(null))]
        }
        _ => vec![Selection::Anything],
    }
}

/// Whether a network policy may concern incoming and outgoing packets: as its rules say, where their fields are understood.
fn directions(object: &Value, spec: &Value) -> (bool, bool) {
    let has = |spec: &Value, names: &[&str]| names.iter().any(|name| spec.get(name).is_some());
    match (group(object), text(object, "/kind")) {
        ("cilium.io", "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => {
            let specs = || object.get("spec").into_iter().chain(list(object, "/specs"));
            let any = |names: &[&str]| specs().any(|spec| has(spec, names));
            (
                any(&["ingress", "ingressDeny"]),
                any(&["egress", "egressDeny"]),
            )
        }
        ("policy.networking.k8s.io", _) => (has(spec, &["ingress"]), has(spec, &["egress"])),
        ("projectcalico.org" | "crd.projectcalico.org", _) => {
            let types: Vec<&str> = list(spec, "/types").filter_map(Value::as_str).collect();
            match types.is_empty() {
                true => (true, has(spec, &["egress"])),
                false => (types.contains(&"Ingress"), types.contains(&"Egress")),
            }
        }
        ("networking.gke.io", "FQDNNetworkPolicy") => (false, true),
        _ => (true, true),
    }
}

/// The roles that the patches of an EnvoyFilter are for; `None` if they may be for all.
fn roles(spec: &Value) -> Option<Vec<Role>> {
    let mut patches = list(spec, "/configPatches").peekable();
    patches.peek()?;
    let role = |patch: &Value| match text(patch, "/match/context") {
        "SIDECAR_OUTBOUND" => Some(Role::Outbound),
        "SIDECAR_INBOUND" => Some(Role::Inbound),
        "GATEWAY" => Some(Role::Gateway),
        _ => None,
    };
    patches.map(role).collect()
}

/// The objects of a snapshot that are not covered, by namespace; those without one concern the whole cluster.
#[derive(Debug, Clone, Default)]
pub struct AllUnsupported(BTreeMap<String, Vec<Unsupported>>);

impl AllUnsupported {
    /// Those of these objects whose kinds are not covered.
    pub fn read<'v>(objects: impl Iterator<Item = &'v Value>) -> AllUnsupported {
        let mut all = AllUnsupported::default();
        for each in objects.filter_map(Unsupported::read) {
            let own = each.object.namespace.clone();
            all.0.entry(own).or_default().push(each);
        }
        all
    }

    /// All of them, as entries of a trace.
    pub fn unknown(&self) -> impl Iterator<Item = Unknown> {
        self.0.values().flatten().map(Unsupported::unknown)
    }

    /// Those of these namespaces.
    fn of(&self, namespaces: &[&str]) -> std::vec::IntoIter<&Unsupported> {
        let mut namespaces = namespaces.to_vec();
        namespaces.sort_unstable();
        namespaces.dedup();
        let found = namespaces
            .into_iter()
            .filter_map(|namespace| self.0.get(namespace));
        found.flatten().collect::<Vec<_>>().into_iter()
    }

    /// Those that may concern packets of a pod.
    pub fn of_packets<'a>(
        &'a self,
        pod: SelectedPod<'a>,
        direction: Direction,
    ) -> impl Iterator<Item = &'a Unsupported> {
        let all = self.of(&[pod.namespace, ""]);
        all.filter(move |each| each.concerns_packets(pod, direction))
    }

    /// Those that may concern a proxy; `root` is the mesh's root namespace, and `tokens` is whether the request may carry a
    /// token.
    pub fn of_proxy<'a>(
        &'a self,
        pod: SelectedPod<'a>,
        role: Role,
        root: &str,
        tokens: bool,
    ) -> impl Iterator<Item = &'a Unsupported> {
        // A route of another namespace may have a gateway as its parent.
        let all = match role {
            Role::Gateway => self.0.values().flatten().collect::<Vec<_>>().into_iter(),
            _ => self.of(&[pod.namespace, root, ""]),
        };
        let root = root.to_owned();
        all.filter(move |each| {
            let own = &each.object.namespace;
            let applies = matches!(each.affects, Affects::Routes | Affects::Gateways)
                || own.is_empty()
                || *own == root
                || own == pod.namespace;
            applies && each.concerns_proxy(pod, role, tokens)
        })
    }

    /// Those that may concern a proxy's connections to a service.
    pub fn of_service<'a>(
        &'a self,
        caller: &'a str,
        service: &'a Object,
        host: &'a str,
    ) -> impl Iterator<Item = &'a Unsupported> {
        let all = self.0.values().flatten();
        all.filter(move |each| each.concerns_service(caller, service, host))
    }

    /// Those that may be endpoints of a service of this namespace that selects by `selector`.
    pub fn of_endpoints<'a>(
        &'a self,
        namespace: &'a str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Unsupported> {
        let all = self.of(&[namespace]);
        all.filter(move |each| each.affects == Affects::Endpoints && selector.matches(&each.own))
    }

    /// Those whose controller may create this Service: of a gateway `NAME`, it is `NAME-CLASS` or `NAME`.
    pub fn of_gateway_service<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Unsupported> {
        let made = move |each: &&Unsupported| {
            let rest = service.strip_prefix(each.object.name.as_str());
            each.affects == Affects::Gateways
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.of(&[namespace]).filter(made)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
