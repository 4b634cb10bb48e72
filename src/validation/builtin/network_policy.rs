//! NetworkPolicy.

use crate::at::At;
use crate::builtin::{selector, share};
use crate::fault::Faults;
use crate::names;

const CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

pub fn network_policy(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    selector::check(&spec.get("podSelector"), faults);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.get(direction).items() {
            rule.get("ports")
                .items()
                .iter()
                .for_each(|port| port_of(port, faults));
            rule.get(peers)
                .items()
                .iter()
                .for_each(|one| peer(one, faults));
        }
    }
    let types = spec.get("policyTypes");
    if types.len() > 2 {
        faults.invalid(&types, "may not specify more than two policyTypes");
    }
    for one in types.items() {
        if !matches!(one.text(), "Ingress" | "Egress") {
            faults.unsupported(&one, &["Egress", "Ingress"]);
        }
    }
}

fn port_of(rule: &At<'_>, faults: &mut Faults) {
    share::one_of(&rule.get("protocol"), &["TCP", "UDP", "SCTP"], faults);
    let (port, end) = (rule.get("port"), rule.get("endPort"));
    share::port(&port, faults);
    let Some(last) = end.int() else { return };
    match port.int() {
        Some(first) if last < first => {
            faults.invalid(&end, "must be greater than or equal to `port`");
        }
        Some(_) => share::port(&end, faults),
        None if port.is_set() => {
            faults.invalid(&end, "may not be specified when `port` is non-numeric");
        }
        None => faults.invalid(&end, "may not be specified when `port` is not specified"),
    }
}

fn peer(peer: &At<'_>, faults: &mut Faults) {
    let selectors = [peer.get("podSelector"), peer.get("namespaceSelector")];
    let block = peer.get("ipBlock");
    selectors
        .iter()
        .for_each(|one| selector::check(one, faults));
    let selects = selectors.iter().any(At::is_set);
    if !selects && !block.is_set() {
        faults.required(peer, "must specify a peer");
    } else if selects && block.is_set() {
        faults.forbidden(peer, "may not specify both ipBlock and another peer");
    } else if block.is_set() {
        range(&block, faults);
    }
}

fn range(block: &At<'_>, faults: &mut Faults) {
    let cidr = block.get("cidr");
    if cidr.text().is_empty() {
        return faults.required(&cidr, "");
    }
    let Some(range) = names::cidr(cidr.text()) else {
        return faults.invalid(&cidr, CIDR);
    };
    for except in block.get("except").items() {
        match names::cidr(except.text()) {
            None => faults.invalid(&except, CIDR),
            Some(inner) => {
                let within = range.trunc().contains(&inner.trunc());
                if !within || inner.prefix_len() <= range.prefix_len() {
                    faults.invalid(&except, "must be a strict subset of `cidr`");
                }
            }
        }
    }
}
