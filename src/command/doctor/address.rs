//! From which address this machine reaches the internet, by two ways: UDP 53, by which `up` finds it, and HTTPS, by which the
//! cluster's API server is reached. In some networks they are not the same.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;

use super::super::allow_list;
use super::super::given::AUTHORIZED;
use super::inputs::Inputs;
use crate::google::{address, outside};
use crate::kinds::Step;
use crate::ui::doctor::Finding;

const NAME_IT: &str = "name the networks with --authorized-network CIDR";

/// Asks by both ways; by HTTPS alone where the list is given, as `up` then asks nobody.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    if inputs.session.is_by_name() {
        let says = "not needed with endpoint=dns: the cluster is reached by its DNS endpoint, from any address";
        return vec![Finding::skip(says, None)];
    }
    if inputs.is_loopback() {
        let says = "an emulated cluster is on this machine";
        return vec![Finding::skip(says, None)];
    }
    let has_list = inputs
        .ready
        .steps
        .iter()
        .any(|step: &Step| allow_list::only(step).is_some());
    if !has_list {
        return vec![Finding::pass("no step has an allow list")];
    }
    let given = inputs.session.given().get(AUTHORIZED);
    if let Some(given) = given {
        let by_https = outside::network(inputs.client()).await.ok();
        return vec![of_list(&listed(&given.value), by_https)];
    }
    let (by_udp, by_https) = tokio::join!(address::public(), outside::network(inputs.client()));
    vec![verdict(by_udp.ok(), by_https.ok())]
}

/// The networks of the parameter. An address alone is a network of one. Pure.
fn listed(value: &Value) -> Vec<Ipv4Net> {
    let texts = value.as_array().into_iter().flatten();
    let texts = texts.filter_map(Value::as_str);
    let network = |text: &str| {
        let alone = || text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
        text.parse::<Ipv4Net>().ok().or_else(alone)
    };
    texts.filter_map(network).collect()
}

/// Whether a list that is given contains this machine. Pure.
fn of_list(listed: &[Ipv4Net], by_https: Option<IpNet>) -> Finding {
    let network = match by_https {
        Some(IpNet::V4(network)) => network,
        other => return unknown(None, other),
    };
    // HTTPS shows only the network; the list may have the one address of it.
    let is_covered = listed
        .iter()
        .any(|one| one.contains(&network) || network.contains(one));
    match is_covered {
        true => Finding::pass(format!(
            "requests come from {network} by HTTPS, which the given list contains"
        )),
        false => Finding::warn(
            format!("requests come from {network} by HTTPS, which is not on the given list"),
            "add this machine's address to the list, or run `provision authorize` later",
        ),
    }
}

/// Without a list. Pure.
fn verdict(by_udp: Option<Ipv4Addr>, by_https: Option<IpNet>) -> Finding {
    match (by_udp, by_https) {
        (Some(address), Some(IpNet::V4(network))) if network.contains(&address) => {
            Finding::pass(format!("{address} by UDP 53, and in {network} by HTTPS"))
        }
        (Some(address), Some(IpNet::V4(network))) => Finding::warn(
            format!(
                "requests come from {address} by UDP 53 and from {network} by HTTPS; `up` would put only the first on the cluster's allow list"
            ),
            NAME_IT,
        ),
        (None, Some(network)) => Finding::warn(
            format!(
                "UDP 53 gets no answer, so that `up` cannot find this machine's address; by HTTPS it is in {network}"
            ),
            NAME_IT,
        ),
        (address, network) => unknown(address, network),
    }
}

/// What HTTPS does not show. Pure.
fn unknown(by_udp: Option<Ipv4Addr>, by_https: Option<IpNet>) -> Finding {
    match (by_udp, by_https) {
        (Some(address), Some(network)) => Finding::skip(
            format!(
                "{address} by UDP 53; dns.google was reached over IPv6, from {network}, so that this machine's IPv4 address by HTTPS is not known"
            ),
            None,
        ),
        (None, Some(network)) => Finding::skip(
            format!(
                "dns.google was reached over IPv6, from {network}, so that this machine's IPv4 address by HTTPS is not known"
            ),
            None,
        ),
        (Some(address), None) => Finding::skip(
            format!("{address} by UDP 53; by HTTPS it is not known, as dns.google does not say it"),
            None,
        ),
        (None, None) => Finding::skip(
            "this machine's public address is not known: no server said it",
            Some(NAME_IT.to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ui::doctor::Verdict::{Pass, Skip, Warn};

    fn net(text: &str) -> Option<IpNet> {
        text.parse().ok()
    }

    #[test]
    fn two_ways_may_show_two_addresses() {
        let udp = |text: &str| text.parse().ok();
        let (near, far, six) = (
            net("203.0.113.0/24"),
            net("198.51.100.0/24"),
            net("2001:db8::/56"),
        );
        for (by_udp, by_https, expected) in [
            (udp("203.0.113.7"), near, Pass),
            (udp("203.0.113.7"), far, Warn),
            (None, near, Warn),
            (None, six, Warn),
            (udp("203.0.113.7"), six, Skip),
            (udp("203.0.113.7"), None, Skip),
            (None, None, Skip),
        ] {
            let finding = verdict(by_udp, by_https);
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }

    #[test]
    fn a_given_list_contains_this_machine_or_not() {
        let near = net("203.0.113.0/24");
        for (list, by_https, expected, words) in [
            ("203.0.113.7/32", near, Pass, "203.0.113.0/24"),
            ("203.0.113.7", near, Pass, "203.0.113.0/24"),
            ("203.0.0.0/16", near, Pass, "203.0.113.0/24"),
            ("198.51.100.7/32", near, Warn, "from 203.0.113.0/24"),
            ("203.0.113.7/32", None, Skip, "not known"),
            ("203.0.113.7/32", net("2001:db8::/56"), Skip, "over IPv6"),
        ] {
            let finding = of_list(&listed(&json!([list])), by_https);
            assert_eq!(finding.verdict, expected, "{list} {finding:?}");
            assert!(finding.says.contains(words), "{list} {finding:?}");
        }
        assert!(listed(&json!(["x", 7])).is_empty());
    }
}
