//! The hosts that the mesh knows: Services and ServiceEntries, merged where Istio merges them, and aliases of them.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use json::text;
use serde_json::Value;

use super::object::{Object, Unknown, labels};
use super::service::{Alias, Service, listed};
use super::service_entry;

/// The Services and the hosts of ServiceEntries, those of one host merged where Istio merges them; and the aliases.
pub fn services(
    objects: &[&Value],
    range: Ipv4Net,
    unknown: &mut Vec<Unknown>,
) -> (Vec<Service>, Vec<Alias>) {
    let mut all = Vec::new();
    let of = |kind: &'static str| {
        objects
            .iter()
            .copied()
            .filter(move |each| text(each, "/kind") == kind)
    };
    let own = || of("Service").filter(|each| text(each, "/apiVersion") == "v1");
    let aliases: Vec<Alias> = own().filter_map(Alias::read).collect();
    for value in own().filter(|each| Alias::read(each).is_none()) {
        let object = Object::of(value);
        let endpoints = of("Endpoints")
            .chain(of("EndpointSlice"))
            .filter(|each| backs(each, &object));
        all.push(Service::read(value, endpoints.flat_map(listed).collect()));
    }
    let taken = all
        .iter()
        .flat_map(|service| service.addresses.iter().map(IpNet::addr));
    let mut free = free(range, taken.collect());
    let bare = all
        .iter_mut()
        .filter(|service| service.addresses.is_empty() && !service.headless);
    for service in bare {
        service.addresses.extend(free.next().map(IpNet::from));
    }
    all.extend(
        noting(of("ServiceEntry").map(service_entry::read), unknown)
            .into_iter()
            .flatten(),
    );
    all.sort_by(|a, b| (&a.created, &a.object, &a.host).cmp(&(&b.created, &b.object, &b.host)));
    let mut merged: Vec<Service> = Vec::with_capacity(all.len());
    let mut entries: HashMap<String, Vec<usize>> = HashMap::new();
    for service in all {
        let known = entries.entry(service.host.clone()).or_default();
        if !known.iter().any(|index| merged[*index].merges(&service)) {
            known.push(merged.len());
            merged.push(service);
        }
    }
    for alias in &aliases {
        let of = resolved(&aliases, alias);
        for service in merged
            .iter_mut()
            .filter(|service| of == Some(&service.host))
        {
            service.aliases.push(alias.clone());
        }
    }
    (merged, aliases)
}

/// The host behind an alias, through all aliases on the way; `None` if they lead in a circle.
fn resolved<'a>(aliases: &'a [Alias], alias: &'a Alias) -> Option<&'a String> {
    let mut of = &alias.of;
    for _ in 0..=aliases.len() {
        match aliases.iter().find(|other| other.host == *of) {
            Some(next) => of = &next.of,
            None => return Some(of),
        }
    }
    None
}

/// Whether an Endpoints or EndpointSlice object belongs to this Service.
fn backs(object: &Value, service: &Object) -> bool {
    let labels = labels(object, "/metadata/labels");
    let labelled = labels.get("kubernetes.io/service-name") == Some(&service.name);
    let named =
        text(object, "/kind") == "Endpoints" && text(object, "/metadata/name") == service.name;
    (labelled || named) && text(object, "/metadata/namespace") == service.namespace
}

/// Keeps what was parsed, and collects what of it is not covered.
pub fn noting<T>(
    read: impl Iterator<Item = (T, Vec<Unknown>)>,
    unknown: &mut Vec<Unknown>,
) -> Vec<T> {
    let keep = |(value, strange)| {
        unknown.extend::<Vec<Unknown>>(strange);
        value
    };
    read.map(keep).collect()
}

/// Unassigned addresses of a range, in order, without the network address and the gateway address.
pub fn free(range: Ipv4Net, taken: BTreeSet<IpAddr>) -> impl Iterator<Item = IpAddr> {
    let hosts = range.hosts().skip(1).map(IpAddr::V4);
    hosts.filter(move |address| !taken.contains(address))
}
