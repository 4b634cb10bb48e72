//! Whether the address ranges of the steps are free: in other environments, in the subnetworks of an existing network, in its static,
//! peering and VPN routes, and in the routes of this machine.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::super::ranges::{self, NamedRange, overlap};
use super::inputs::Inputs;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, Class, NoWatch, segment};
use crate::kinds::same_name;
use crate::ui::doctor::Finding;

/// Linux's table of routes.
const ROUTES: &str = "/proc/net/route";

/// Compares the ranges.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let new = match ranges::of_new(inputs.session, inputs.ready) {
        Ok(Some(new)) => new,
        Ok(None) => return vec![Finding::pass("the steps have no network")],
        Err(error) => return vec![Finding::skip(error.errors.join("; "), error.hint)],
    };
    let (ours, network) = new;
    let project = network.at.get("project").and_then(Value::as_str);
    let project = project.unwrap_or_default();
    let command = format!(
        "gcloud compute routes list --project {project} --filter network={}",
        network.short()
    );
    if ours.is_empty() {
        return vec![Finding::pass("Google has accepted the ranges already").gcloud(command)];
    }
    if let Err(error) = ranges::check(inputs.session, inputs.ready).await {
        let advice = error.hint.unwrap_or_default();
        return vec![Finding::fail(error.errors.join("; "), advice).gcloud(command)];
    }
    let path = format!("projects/{}/global/routes", segment(project));
    let call = Call::get(Api::Compute, path);
    let read = inputs.client().list(&call, "items", &NoWatch).await;
    let link = network.kind().and_then(|kind| kind.path(&network.at).ok());
    let taken = read.map(|routes| of_network(&routes, &link.unwrap_or_default()));
    let local = tokio::fs::read_to_string(ROUTES).await.unwrap_or_default();
    let findings = verdicts(&ours, taken, &of_machine(&local));
    findings
        .into_iter()
        .map(|finding| finding.gcloud(command.clone()))
        .collect()
}

/// The ranges of a network's routes that are not those to its own subnetworks, nor the way to the internet. Pure.
fn of_network(routes: &[Value], network: &str) -> Vec<NamedRange> {
    let text = |route: &Value, key: &str| route[key].as_str().unwrap_or_default().to_owned();
    let found = routes.iter().filter_map(|route| {
        let is_here = same_name(&text(route, "network"), network);
        let is_own = !text(route, "nextHopNetwork").is_empty();
        let range: Ipv4Net = text(route, "destRange").parse().ok()?;
        let peering = text(route, "nextHopPeering");
        let name = match peering.is_empty() {
            true => format!("route {}", text(route, "name")),
            false => format!("peering {peering}"),
        };
        (is_here && !is_own && range.prefix_len() > 0).then_some(NamedRange { name, range })
    });
    found.collect()
}

/// The ranges that this machine reaches by an interface of its own, from Linux's table: interface, destination, gateway, flags and
/// more, the numbers in hexadecimal with the first byte last. Pure.
fn of_machine(table: &str) -> Vec<NamedRange> {
    let found = table.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
        let address = number(1)?.swap_bytes();
        let length = number(7)?.swap_bytes().leading_ones();
        let length = u8::try_from(length).ok()?;
        let range = Ipv4Net::new(address.into(), length).ok()?;
        (length > 0).then(|| NamedRange {
            name: format!("interface {}", words[0]),
            range,
        })
    });
    found.collect()
}

/// Pure.
fn verdicts(
    ours: &[NamedRange],
    taken: Result<Vec<NamedRange>, ApiError>,
    local: &[NamedRange],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let says = |own: &NamedRange, other: &NamedRange| {
        format!(
            "{} {} overlaps {} {}",
            own.name, own.range, other.name, other.range
        )
    };
    let choose = |own: &NamedRange| format!("choose a free range with --set {}=RANGE", own.name);
    match taken {
        Ok(taken) => findings.extend(overlap(ours, &taken).map(|(own, other)| {
            Finding::fail(format!("{} in the network", says(own, other)), choose(own))
        })),
        // Without the API, or without the network, there are no routes.
        Err(error) if [Class::ApiDisabled, Class::NotFound].contains(&error.class) => {}
        Err(error) => findings.push(unread("the routes", &error, "compute.routes.list")),
    }
    findings.extend(overlap(ours, local).map(|(own, other)| {
        Finding::warn(
            format!("{} of this machine", says(own, other)),
            format!(
                "this machine cannot reach those addresses through a VPN; if it must, {}",
                choose(own)
            ),
        )
    }));
    if findings.is_empty() {
        let ranges = ours.iter().map(|one| format!("{} {}", one.name, one.range));
        let ranges: Vec<String> = ranges.collect();
        findings.push(Finding::pass(format!("free: {}", ranges.join(", "))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::refused;
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip, Warn};

    fn named(name: &str, range: &str) -> NamedRange {
        NamedRange {
            name: name.to_owned(),
            range: range.parse().unwrap(),
        }
    }

    #[test]
    fn a_range_that_somebody_has_is_named() {
        let ours = [named("subnet_range", "10.0.0.0/24")];
        let other = || vec![named("peering p", "10.0.0.0/8")];
        for (taken, local, expected) in [
            (Ok(vec![]), vec![], vec![Pass]),
            (Ok(other()), vec![], vec![Fail]),
            (Ok(vec![]), other(), vec![Warn]),
            (Ok(other()), other(), vec![Fail, Warn]),
            (Err(refused(Class::ApiDisabled)), vec![], vec![Pass]),
            (Err(refused(Class::PermissionDenied)), vec![], vec![Skip]),
        ] {
            let found = verdicts(&ours, taken, &local);
            let verdicts: Vec<_> = found.iter().map(|one| one.verdict).collect();
            assert_eq!(verdicts, expected, "{found:?}");
        }
    }

    #[test]
    fn the_routes_of_a_network_and_of_a_machine_are_read() {
        let route = |network: &str, range: &str, hop: &str| {
            json!({"name": "r", "network": format!("https://x/projects/p/global/networks/{network}"),
                "destRange": range, hop: "h"})
        };
        let routes = [
            route("n", "0.0.0.0/0", "nextHopGateway"),
            route("n", "10.0.0.0/24", "nextHopNetwork"),
            route("n", "10.8.0.0/16", "nextHopPeering"),
            route("n", "10.9.0.0/16", "nextHopVpnTunnel"),
            route("other", "10.7.0.0/16", "nextHopPeering"),
        ];
        let expected = [
            named("peering h", "10.8.0.0/16"),
            named("route r", "10.9.0.0/16"),
        ];
        assert_eq!(
            of_network(&routes, "projects/p/global/networks/n"),
            expected
        );
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
            eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\n\
            eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\nnonsense\n";
        let expected = [named("interface eth0", "172.17.0.0/16")];
        assert_eq!(of_machine(table), expected);
    }
}
