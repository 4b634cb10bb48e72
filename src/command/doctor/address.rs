//! From which address this machine reaches the internet, by two ways: UDP 53, by which `up` finds it, and HTTPS, by which the
//! cluster's API server is reached. In some networks they are not the same.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::allow_list;
use super::inputs::Inputs;
use crate::google::{address, outside};
use crate::kinds::Step;
use crate::ui::doctor::Finding;

const NAME_IT: &str = "name the networks with --authorized-network CIDR";

/// Asks by both ways.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    if inputs.session.is_by_name() {
        let says = "not needed with endpoint=dns: the cluster is reached by its DNS endpoint, from any address";
        return vec![Finding::skip(says, None)];
    }
    if inputs.is_loopback() {
        let says = "an emulated cluster is on this machine";
        return vec![Finding::skip(says, None)];
    }
    let (by_udp, by_https) = tokio::join!(address::public(), outside::network(inputs.client()));
    let listed = inputs.session.global.authorized_network.iter();
    let listed: Vec<Ipv4Net> = listed.filter_map(|text| text.parse().ok()).collect();
    let has_list = inputs
        .ready
        .steps
        .iter()
        .any(|step: &Step| allow_list::only(step).is_some());
    if !has_list {
        return vec![Finding::pass("no step has an allow list")];
    }
    vec![verdict(by_udp.ok(), by_https.ok(), &listed)]
}

/// Pure.
fn verdict(by_udp: Option<Ipv4Addr>, by_https: Option<Ipv4Net>, listed: &[Ipv4Net]) -> Finding {
    let is_on_list = |network: &Ipv4Net| listed.iter().any(|one| one.contains(network));
    if let Some(network) = by_https.filter(|network| !listed.is_empty() && !is_on_list(network)) {
        // HTTPS shows only the network; the list may have the one address of it.
        let is_in = listed.iter().any(|one| network.contains(one));
        if !is_in {
            return Finding::warn(
                format!(
                    "requests come from {network} by HTTPS, which is not on the list that --authorized-network states"
                ),
                "add it, or run `provision authorize` later",
            );
        }
    }
    match (by_udp, by_https) {
        (Some(address), Some(network)) if network.contains(&address) => {
            Finding::pass(format!("{address} by UDP 53, and in {network} by HTTPS"))
        }
        (Some(address), Some(network)) => Finding::warn(
            format!(
                "requests come from {address} by UDP 53 and from {network} by HTTPS; `up` would put only the first on the cluster's allow list"
            ),
            NAME_IT,
        ),
        (None, Some(network)) if listed.is_empty() => Finding::warn(
            format!(
                "UDP 53 gets no answer, so that `up` cannot find this machine's address; by HTTPS it is in {network}"
            ),
            NAME_IT,
        ),
        (None, Some(network)) => Finding::pass(format!("in {network} by HTTPS")),
        (Some(address), None) => Finding::skip(
            format!("{address} by UDP 53; by HTTPS it is not known, as dns.google does not answer"),
            None,
        ),
        (None, None) => Finding::skip(
            "this machine's public address is not known: neither UDP 53 to ns1.google.com nor HTTPS to dns.google gets an answer",
            Some(NAME_IT.to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::doctor::Verdict::{Pass, Skip, Warn};

    #[test]
    fn two_ways_may_show_two_addresses() {
        let udp = |text: &str| text.parse().ok();
        let near: Option<Ipv4Net> = "203.0.113.0/24".parse().ok();
        let far: Option<Ipv4Net> = "198.51.100.0/24".parse().ok();
        let list = |text: &str| vec![text.parse().unwrap()];
        for (by_udp, by_https, listed, expected) in [
            (udp("203.0.113.7"), near, vec![], Pass),
            (udp("203.0.113.7"), far, vec![], Warn),
            (None, near, vec![], Warn),
            (None, near, list("203.0.113.7/32"), Pass),
            (None, near, list("203.0.0.0/16"), Pass),
            (None, near, list("198.51.100.7/32"), Warn),
            (udp("203.0.113.7"), None, vec![], Skip),
            (None, None, vec![], Skip),
        ] {
            let finding = verdict(by_udp, by_https, &listed);
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }
}
