//! Whether the address ranges of the steps are free: in other environments, in the subnetworks of an existing network, in its static
//! and peering routes, and in the routes of this machine. Routes that a Cloud Router learns are not listed by Google, and not known here.

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

/// A range that a route of the network has.
#[derive(Debug, PartialEq)]
struct Taken {
    route: NamedRange,
    /// Whether it is the route to a subnetwork of a peering's network, which may not overlap one of ours at all. A custom route may
    /// contain ours. Source: Google's documentation of the interactions of subnet and static routes, and of VPC peering.
    is_subnet: bool,
}

/// What was read.
struct Read {
    /// Why the subnetworks of the network are not known.
    unlisted: Option<ApiError>,
    /// The ranges of the network's routes.
    routes: Result<Vec<Taken>, ApiError>,
    /// The ranges that this machine reaches by its own interfaces.
    local: Result<Vec<NamedRange>, String>,
    /// Whether the network exists already.
    is_there: bool,
}

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
    let path = format!("projects/{}/global/routes", segment(project));
    let call = Call::get(Api::Compute, path);
    let (compared, routes, local) = tokio::join!(
        ranges::compare(inputs.session, inputs.ready),
        inputs.client().list(&call, "items", &NoWatch),
        tokio::fs::read_to_string(ROUTES),
    );
    let unlisted = match compared {
        Ok(unlisted) => unlisted,
        Err(error) => {
            let advice = error.hint.unwrap_or_default();
            return vec![Finding::fail(error.errors.join("; "), advice).gcloud(command)];
        }
    };
    let link = network.kind().and_then(|kind| kind.path(&network.at).ok());
    let read = Read {
        unlisted,
        routes: routes.map(|routes| of_network(&routes, &link.unwrap_or_default())),
        local: local
            .map(|table| of_machine(&table))
            .map_err(|error| format!("{ROUTES}: {error}")),
        is_there: ranges::is_there(&inputs.ready.steps),
    };
    let findings = verdicts(&ours, read);
    findings
        .into_iter()
        .map(|finding| finding.gcloud(command.clone()))
        .collect()
}

/// The ranges of a network's routes that are not those to its own subnetworks, nor the way to the internet. Pure.
fn of_network(routes: &[Value], network: &str) -> Vec<Taken> {
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
        let is_custom = ["STATIC", "BGP"].contains(&text(route, "routeType").as_str());
        (is_here && !is_own && range.prefix_len() > 0).then_some(Taken {
            route: NamedRange { name, range },
            is_subnet: !peering.is_empty() && !is_custom,
        })
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

/// The first pair of which the second excludes the first: equal to it, inside it, or a subnetwork that shares an address. Pure.
fn excluded<'a>(
    ours: &'a [NamedRange],
    taken: &'a [Taken],
) -> Option<(&'a NamedRange, &'a NamedRange)> {
    ours.iter().find_map(|own| {
        let excludes = |taken: &&Taken| {
            let is_around = taken.route.range.contains(&own.range);
            own.range.contains(&taken.route.range) || (taken.is_subnet && is_around)
        };
        Some((own, &taken.iter().find(excludes)?.route))
    })
}

/// Pure.
fn verdicts(ours: &[NamedRange], read: Read) -> Vec<Finding> {
    let mut findings = Vec::new();
    let says = |own: &NamedRange, other: &NamedRange| {
        format!(
            "{} {} overlaps {} {}",
            own.name, own.range, other.name, other.range
        )
    };
    let choose = |own: &NamedRange| format!("choose a free range with --set {}=RANGE", own.name);
    if let Some(error) = &read.unlisted {
        let what = "the subnetworks of the network";
        findings.push(unread(what, error, "compute.subnetworks.list"));
    }
    match read.routes {
        Ok(taken) => {
            let routes: Vec<NamedRange> = taken.iter().map(|one| one.route.clone()).collect();
            if let Some((own, other)) = excluded(ours, &taken) {
                findings.push(Finding::fail(
                    format!("{} in the network", says(own, other)),
                    choose(own),
                ));
            } else if let Some((own, other)) = overlap(ours, &routes) {
                findings.push(Finding::warn(
                    format!("{} in the network", says(own, other)),
                    format!(
                        "Google takes it, and the machines of the steps do not reach the same addresses by that route; if they must, {}",
                        choose(own)
                    ),
                ));
            }
        }
        // Without the API, or without the network, there are no routes.
        Err(error) if [Class::ApiDisabled, Class::NotFound].contains(&error.class) => {}
        Err(error) => findings.push(unread("the routes", &error, "compute.routes.list")),
    }
    let (local, unknown) = match read.local {
        Ok(local) => (local, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    findings.extend(overlap(ours, &local).map(|(own, other)| {
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
        let beyond = match read.is_there {
            true => "; routes that a Cloud Router learns are not listed, and not compared",
            false => "",
        };
        findings.push(Finding::pass(format!(
            "free: {}{beyond}",
            ranges.join(", ")
        )));
    }
    findings.extend(unknown.map(|error| {
        let says = format!("the routes of this machine could not be read: {error}");
        Finding::skip(says, None)
    }));
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

    fn taken(name: &str, range: &str, is_subnet: bool) -> Taken {
        Taken {
            route: named(name, range),
            is_subnet,
        }
    }

    /// Everything could be read, and nothing is there.
    fn nothing() -> Read {
        Read {
            unlisted: None,
            routes: Ok(Vec::new()),
            local: Ok(Vec::new()),
            is_there: false,
        }
    }

    #[test]
    fn a_range_that_somebody_has_is_named() {
        let ours = [named("subnet_range", "10.0.0.0/24")];
        let other = || vec![named("peering p", "10.0.0.0/8")];
        let peering = || vec![taken("peering p", "10.0.0.0/8", true)];
        for (routes, local, expected) in [
            (Ok(vec![]), vec![], vec![Pass]),
            (Ok(peering()), vec![], vec![Fail]),
            (Ok(vec![]), other(), vec![Warn]),
            (Ok(peering()), other(), vec![Fail, Warn]),
            (Err(refused(Class::ApiDisabled)), vec![], vec![Pass]),
            (Err(refused(Class::PermissionDenied)), vec![], vec![Skip]),
        ] {
            let read = Read {
                routes,
                local: Ok(local),
                ..nothing()
            };
            let found = super::verdicts(&ours, read);
            let verdicts: Vec<_> = found.iter().map(|one| one.verdict).collect();
            assert_eq!(verdicts, expected, "{found:?}");
        }
    }

    #[test]
    fn a_wider_custom_route_is_no_obstacle_and_others_are() {
        let ours = [named("subnet_range", "10.0.0.0/24")];
        for (range, is_subnet, expected) in [
            ("10.0.0.0/8", false, Warn),
            ("10.0.0.0/8", true, Fail),
            ("10.0.0.0/24", false, Fail),
            ("10.0.0.128/25", false, Fail),
            ("10.9.0.0/16", true, Pass),
        ] {
            // A wider route before it hides nothing.
            let wider = taken("route w", "10.0.0.0/9", false);
            let routes = match expected {
                Fail => vec![wider, taken("route r", range, is_subnet)],
                _ => vec![taken("route r", range, is_subnet)],
            };
            let read = Read {
                routes: Ok(routes),
                ..nothing()
            };
            let found = verdicts(&ours, read);
            assert_eq!(found.len(), 1, "{range} {found:?}");
            assert_eq!(found[0].verdict, expected, "{range} {found:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_not_free() {
        let ours = [named("subnet_range", "10.0.0.0/24")];
        let found = verdicts(
            &ours,
            Read {
                unlisted: Some(refused(Class::PermissionDenied)),
                ..nothing()
            },
        );
        assert_eq!((found.len(), found[0].verdict), (1, Skip));
        assert_eq!(found[0].missing, ["compute.subnetworks.list"]);
        let found = verdicts(
            &ours,
            Read {
                local: Err("/proc/net/route: no such file".to_owned()),
                is_there: true,
                ..nothing()
            },
        );
        let said: Vec<_> = found.iter().map(|one| one.verdict).collect();
        assert_eq!(said, [Pass, Skip]);
        assert!(found[0].says.contains("Cloud Router learns"), "{found:?}");
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
            taken("peering h", "10.8.0.0/16", true),
            taken("route r", "10.9.0.0/16", false),
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
