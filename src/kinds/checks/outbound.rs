//! The outbound clusters in the text of a proxy's admin endpoint: each by host, port and, if the proxy states it, subset.
//!
//! istiod names a cluster `outbound|PORT|SUBSET|HOST`. Google's managed data plane is not bound to these names: in a mesh of
//! Traffic Director's own APIs a cluster is `cloud-internal-istio:cloud_mp_PROJECT_BACKENDSERVICE` (public configuration dumps;
//! how it names the clusters of Istio's objects was not recorded). Then the observability name counts, and after it the host
//! names and ports of the endpoints. Nothing is guessed: a cluster of which neither is stated stays unidentified.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How Istio's name of an outbound cluster begins.
const ISTIO: &str = "outbound|";
/// How the form of it begins that is also a server name.
const SERVER_NAME: &str = "outbound_.";

/// An outbound cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outbound {
    /// The host.
    pub host: String,
    /// The port: the service's, or that of an endpoint if only its endpoints state it.
    pub port: u16,
    /// The subset, empty for the whole host; `None` if it is not stated.
    pub subset: Option<String>,
}

impl Outbound {
    /// The cluster that a name means: `outbound|PORT|SUBSET|HOST`, or `HOST:PORT` for any subset. Pure.
    pub fn named(name: &str) -> Option<Outbound> {
        match name.strip_prefix(ISTIO) {
            Some(rest) => {
                let mut parts = rest.splitn(3, '|');
                let (port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
                Outbound::new(host, port, Some(subset))
            }
            None => {
                let (host, port) = name.rsplit_once(':')?;
                // A name with a colon need not be a host.
                let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*');
                host.chars()
                    .all(is_host)
                    .then(|| Outbound::new(host, port, None))?
            }
        }
    }

    /// The cluster that a proxy's name for it means. Istio's name may have a prefix, and its form for server names has `_.` for `|`.
    fn of_proxy(name: &str) -> Option<Outbound> {
        if let Some(at) = name.find(ISTIO) {
            return Outbound::named(&name[at..]);
        }
        match name.find(SERVER_NAME) {
            Some(at) => Outbound::named(&name[at..].replace("_.", "|")),
            None => Outbound::named(name),
        }
    }

    fn new(host: &str, port: &str, subset: Option<&str>) -> Option<Outbound> {
        Some(Outbound {
            host: Some(host)
                .filter(|host| !host.is_empty())?
                .to_ascii_lowercase(),
            port: port.parse().ok().filter(|port| *port != 0)?,
            subset: subset.map(str::to_owned),
        })
    }

    /// Whether this cluster is the wanted one. A subset that one of the two does not state is not compared.
    pub fn is(&self, wanted: &Outbound) -> bool {
        let same_subset = match (&self.subset, &wanted.subset) {
            (Some(own), Some(wanted)) => own == wanted,
            _ => true,
        };
        self.host == wanted.host && self.port == wanted.port && same_subset
    }
}

impl fmt::Display for Outbound {
    /// `HOST:PORT`, and the subset if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        match self.subset.as_deref() {
            None | Some("") => Ok(()),
            Some(subset) => write!(f, " (subset {subset})"),
        }
    }
}

/// The clusters of a proxy that lead out of its pod.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct OutboundClusters {
    /// Those of which the proxy states host and port.
    pub known: BTreeSet<Outbound>,
    /// The names of the others that the control plane has sent.
    pub unidentified: BTreeSet<String>,
}

/// What the text says of one cluster.
#[derive(Debug, Default)]
struct Said<'a> {
    observability_name: Option<&'a str>,
    endpoints: Vec<(&'a str, &'a str)>,
    /// Whether the control plane has sent it; the others are in the proxy's bootstrap.
    sent: bool,
}

/// Reads the text of `GET /clusters`, which has lines `NAME::KEY::VALUE` and `NAME::ADDRESS:PORT::KEY::VALUE`. Pure.
pub fn read(text: &str) -> OutboundClusters {
    let mut said: BTreeMap<&str, Said<'_>> = BTreeMap::new();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once("::") else {
            continue;
        };
        let cluster = said.entry(name).or_default();
        if let Some(name) = rest.strip_prefix("observability_name::") {
            cluster.observability_name = Some(name.trim_end_matches(';'));
        } else if rest == "added_via_api::true" {
            cluster.sent = true;
        } else if let Some((address, host)) = rest.split_once("::hostname::") {
            cluster.endpoints.push((address, host));
        }
    }
    let mut clusters = OutboundClusters::default();
    for (name, said) in said.iter().filter(|(name, _)| !leads_elsewhere(name)) {
        let of_endpoints = || {
            let stated = said.endpoints.iter().filter_map(|(address, host)| {
                let (_, port) = address.rsplit_once(':')?;
                Outbound::new(host, port, None)
            });
            stated.collect::<BTreeSet<_>>()
        };
        let named =
            Outbound::of_proxy(name).or_else(|| Outbound::of_proxy(said.observability_name?));
        let found = named.map_or_else(of_endpoints, |cluster| BTreeSet::from([cluster]));
        if found.is_empty() && said.sent {
            clusters.unidentified.insert((*name).to_owned());
        }
        // What is in the bootstrap serves the proxy itself: the control plane, tracing.
        clusters.known.extend(
            found
                .into_iter()
                .filter(|_| said.sent || name.starts_with(ISTIO)),
        );
    }
    clusters
}

/// Whether a cluster is none of an outbound destination: into the pod, to the original destination, or to nowhere.
fn leads_elsewhere(name: &str) -> bool {
    name.starts_with("inbound")
        || name.starts_with("InboundPassthroughCluster")
        || matches!(name, "BlackHoleCluster" | "PassthroughCluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(host: &str, port: u16, subset: Option<&str>) -> Outbound {
        Outbound {
            host: host.to_owned(),
            port,
            subset: subset.map(str::to_owned),
        }
    }

    #[test]
    fn a_name_means_host_port_and_subset() {
        for (name, meant) in [
            (
                "outbound|80||a.example",
                Some(cluster("a.example", 80, Some(""))),
            ),
            ("outbound|443|s|a", Some(cluster("a", 443, Some("s")))),
            ("A.example:443", Some(cluster("a.example", 443, None))),
            ("outbound|x||a", None),
            ("outbound|80|a", None),
            ("outbound|80||", None),
            ("a.example", None),
            ("a.example:0", None),
            ("cloud-internal-istio:cloud_mp_1_2", None),
            ("x y:80", None),
        ] {
            assert_eq!(Outbound::named(name), meant, "{name}");
        }
    }

    #[test]
    fn clusters_are_read_by_name_then_by_what_else_is_stated() {
        let text = "BlackHoleCluster::added_via_api::true\n\
            inbound|80||::added_via_api::true\n\
            xds-grpc::added_via_api::false\nxds-grpc::10.0.0.1:15012::hostname::istiod.istio-system.svc\n\
            outbound|80||a::observability_name::outbound|80||a;\noutbound|80||a::added_via_api::true\n\
            outbound|80||a::10.1.0.1:8080::hostname::\n\
            td-1::observability_name::outbound|443|s|b;\ntd-1::added_via_api::true\n\
            td:outbound|80||d.example::added_via_api::true\n\
            outbound_.443_._.e.example::added_via_api::true\noutbound_.443_.s_.e.example::added_via_api::true\n\
            f.example:8443::added_via_api::true\n\
            td-2::observability_name::/projects/1/global/backendServices/x\ntd-2::added_via_api::true\n\
            td-2::192.0.2.1:443::hostname::c.example\ntd-2::[2001:db8::1]:443::hostname::c.example\n\
            cloud-internal-istio:cloud_mp_1_2::added_via_api::true\n\
            cloud-internal-istio:cloud_mp_1_2::10.1.0.9:8080::hostname::\n\
            no line of a cluster\n";
        let read = read(text);
        let known = [
            cluster("a", 80, Some("")),
            cluster("b", 443, Some("s")),
            cluster("c.example", 443, None),
            cluster("d.example", 80, Some("")),
            cluster("e.example", 443, Some("")),
            cluster("e.example", 443, Some("s")),
            cluster("f.example", 8443, None),
        ];
        assert_eq!(read.known, BTreeSet::from(known));
        let unidentified = ["cloud-internal-istio:cloud_mp_1_2".to_owned()];
        assert_eq!(read.unidentified, BTreeSet::from(unidentified));
    }

    #[test]
    fn a_subset_is_compared_where_both_state_it() {
        let whole = cluster("a", 80, Some(""));
        let subset = cluster("a", 80, Some("s"));
        let any = cluster("a", 80, None);
        assert!(!whole.is(&subset) && !subset.is(&whole));
        assert!(any.is(&subset) && subset.is(&any) && whole.is(&whole));
        assert!(!cluster("a", 443, None).is(&any) && !cluster("b", 80, None).is(&any));
    }
}
