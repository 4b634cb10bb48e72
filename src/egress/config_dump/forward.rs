//! Forwards a connection or a request to a cluster: its endpoint, the TLS around it, and the proxy or the server that it arrives at.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::cluster::{self, ClusterKind, NoUpstream, Upstream, endpoints};
use super::downstream::{ClientCertificate, Downstream};
use super::dump::ConfigDump;
use super::istio_metadata;
use super::listener::Direction;
use super::matches::Matches;
use super::node::NodeType;
use super::string_matcher::string_matches;
use super::upstream_session::{identity, is_http2, is_spiffe, session, sni, told};
use super::virtual_host::without_port;
use super::walk::{End, Place, Walk};
use crate::dataplane::decision::{Decides, DecisionBuilder};
use crate::dataplane::local_reply::{BrokenConnection, LocalReply};
use crate::object::Object;
use crate::trace::{Failure, Hop, HopLocation};

impl<'d> Walk<'d> {
    /// A connection that is forwarded as it is.
    pub(super) fn streams(
        &mut self,
        at: Place<'d>,
        config: &'d Value,
        connection: Downstream,
    ) -> End {
        if config.get("tunneling_config").is_some() {
            self.unknown(at, "tcp_proxy tunneling_config");
            return End::NotKnown;
        }
        let end = self.forwards_to_one_of(at, config, connection);
        match end {
            // What ends behind it reaches the caller as an orderly close.
            End::Ended(Failure::Reset | Failure::EmptyReply | Failure::TlsReset) => {
                End::Ended(Failure::TlsClosed)
            }
            End::Refused => End::Ended(Failure::Reset),
            end => end,
        }
    }

    /// Forwards to the cluster of a route or a TCP proxy, or to one of its weighted clusters.
    pub(super) fn forwards_to_one_of(
        &mut self,
        at: Place<'d>,
        action: &'d Value,
        connection: Downstream,
    ) -> End {
        let single = json::text(action, "/cluster");
        if !single.is_empty() {
            return self.forwards(at, single, connection);
        }
        let weighted = json::list(action, "/weighted_clusters/clusters");
        let weight = |one: &Value| one["weight"].as_u64().unwrap_or_default();
        let weighted: Vec<&Value> = weighted.filter(|one| weight(one) > 0).collect();
        let Some((first, more)) = weighted.split_first() else {
            let what = action
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str());
            self.unknown(
                at,
                format!("action {}", what.collect::<Vec<_>>().join(", ")),
            );
            return End::NotKnown;
        };
        let changed = |one: &Value, walk: &mut Walk| {
            let mut connection = connection.clone();
            for what in connection.headers.change(one) {
                walk.unknown(at, what);
            }
            connection
        };
        let ends = more.iter().map(|one| {
            let mut other = self.clone();
            let connection = changed(one, &mut other);
            other.forwards(at, json::text(one, "/name"), connection)
        });
        let ends: Vec<End> = ends.collect();
        let connection = changed(first, self);
        let end = self.forwards(at, json::text(first, "/name"), connection);
        if ends.iter().any(|other| *other != end) {
            let shares = weighted
                .iter()
                .map(|one| format!("{} to {}", weight(one), json::text(one, "/name")));
            let shares: Vec<String> = shares.collect();
            self.unknown(
                at,
                format!(
                    "weighted_clusters with different results: {}",
                    shares.join(", ")
                ),
            );
        }
        end
    }

    /// Forwards to a cluster.
    fn forwards(&mut self, at: Place<'d>, name: &str, connection: Downstream) -> End {
        let Some(cluster) = at.dump.clusters.get(name) else {
            let by = Object::new("cluster", "", name);
            self.hop(at, false, &by, "does not exist in this proxy");
            return self.fails(&connection, &LocalReply::no_cluster());
        };
        if let Some(passage) = self.proxies.last_mut() {
            name.clone_into(&mut passage.cluster);
        }
        let by = istio_metadata::object(cluster, "cluster", name);
        let upstreams = match endpoints(at.dump, cluster) {
            Ok(upstreams) => upstreams,
            Err(NoUpstream::NoHealthyUpstream(why)) => {
                self.hop(at, false, &by, &format!("cluster {name}: {why}"));
                return self.fails(&connection, &LocalReply::no_endpoint());
            }
            Err(NoUpstream::Unknown(what)) => {
                self.unknown(at, format!("cluster {name}: {what}"));
                return End::NotKnown;
            }
        };
        let kind = cluster::kind(cluster);
        let upstream = match upstreams.first() {
            Some(upstream) => upstream.clone(),
            None => match self.original(at, cluster, &connection) {
                Ok(upstream) => upstream,
                Err(what) => {
                    self.unknown(at, format!("cluster {name}: {what}"));
                    return End::NotKnown;
                }
            },
        };
        let tls = match &upstream.tls {
            None => String::new(),
            Some(tls) => format!(" with {}", told(tls, &sni(cluster, tls, &connection))),
        };
        let more = match upstreams.len() {
            0 | 1 => String::new(),
            more => format!(", one of {more} endpoints"),
        };
        let how = match kind {
            Ok(ClusterKind::OriginalDst) => "its original destination",
            _ => "its endpoint",
        };
        self.hop(
            at,
            true,
            &by,
            &format!(
                "cluster {name} sends it to {how} {}{more}{tls}",
                upstream.name
            ),
        );
        self.arrives(at, cluster, &upstream, connection)
    }

    /// The original destination of a connection, as the only endpoint of a cluster.
    fn original(
        &self,
        at: Place,
        cluster: &Value,
        connection: &Downstream,
    ) -> Result<Upstream, String> {
        let config = &cluster["original_dst_lb_config"];
        if config["use_http_header"] == true || config.get("metadata_key").is_some() {
            return Err("original_dst_lb_config".to_owned());
        }
        let port = config["upstream_port_override"].as_u64();
        let port = port
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(connection.port);
        let address = connection.address.map(|address| (address, port).into());
        let name = match connection.address {
            Some(address) => SocketAddr::new(address, port).to_string(),
            None => {
                let authority = connection.headers.authority();
                format!("{}:{port}", without_port(&authority))
            }
        };
        let own = address.filter(|_| at.direction == Direction::Outbound);
        Ok(Upstream {
            address: own.or(address),
            name,
            tls: cluster::tls(cluster, &Value::Null)?,
        })
    }

    /// A connection arrives at an endpoint: at another proxy, or at a server.
    fn arrives(
        &mut self,
        at: Place<'d>,
        cluster: &Value,
        upstream: &Upstream,
        mut connection: Downstream,
    ) -> End {
        let address = upstream.address.map(|address| address.ip());
        let server = Object::new("endpoint", "", &upstream.name);
        let own = |address: IpAddr| address.is_loopback() || at.dump.has(address);
        if at.direction == Direction::Inbound
            && at.dump.node.kind == NodeType::Sidecar
            && address.is_none_or(own)
        {
            self.serves(&server, "the application of the pod gets the request");
            return End::Served;
        }
        connection.peer = None;
        connection.is_parsed = false;
        if let Some(tls) = &upstream.tls {
            connection
                .tls
                .insert(0, session(at.dump, cluster, tls, &connection));
        }
        let Some((next, address)) =
            address.and_then(|address| Some((self.dumps.at(address)?, address)))
        else {
            self.leaves_to = upstream.address;
            let of_mesh = upstream
                .tls
                .iter()
                .flat_map(|tls| &tls.names)
                .any(is_spiffe);
            if of_mesh {
                self.unknown(at, format!("no dump of the proxy at {}", upstream.name));
                return End::NotKnown;
            }
            self.serves(
                &server,
                "it leaves the proxies whose configuration is known",
            );
            return End::Served;
        };
        if let Some(end) = self.vouched(at, next, upstream) {
            return end;
        }
        connection.address = Some(address);
        connection.port = upstream
            .address
            .map_or(connection.port, |address| address.port());
        connection.source = at.dump.node.addresses.first().copied();
        connection.protocol = match is_http2(cluster) {
            true => "h2c",
            false => "http/1.1",
        };
        let next = Place {
            dump: next,
            direction: Direction::Inbound,
        };
        self.enters(next, connection)
    }

    fn serves(&mut self, server: &Object, because: &str) {
        self.hops.push(Hop {
            place: HopLocation::Server,
            name: server.name.clone(),
            ruling: DecisionBuilder::passes(None, because).told(),
        });
    }

    /// Whether the next proxy has the name that the cluster demands; the end of a connection if it has another.
    fn vouched(&mut self, at: Place, next: &ConfigDump, upstream: &Upstream) -> Option<End> {
        let names = upstream
            .tls
            .as_ref()
            .map(|tls| tls.names.as_slice())
            .unwrap_or_default();
        if names.is_empty() {
            return None;
        }
        let ClientCertificate::Uri(uri) = identity(next, names) else {
            self.unknown(at, format!("the name in the certificate of {}", next.pod()));
            return None;
        };
        match Matches::any(names.iter().map(|name| string_matches(name, &uri))) {
            Matches::Yes => None,
            Matches::Unknown(what) => {
                self.unknown(at, what);
                None
            }
            Matches::No => {
                let by = Object::new("endpoint", "", &upstream.name);
                self.hop(
                    at,
                    false,
                    &by,
                    &format!("its certificate is for {uri}, which the cluster does not accept"),
                );
                Some(End::Refused)
            }
        }
    }

    /// A request or connection that the proxy cannot forward.
    fn fails(&mut self, connection: &Downstream, reply: &LocalReply) -> End {
        // What it does not parse it can only end.
        match connection.is_parsed {
            true => self.replies(connection, reply),
            false => End::Ended(Failure::EmptyReply),
        }
    }

    /// The end of a request that a connection manager forwards.
    pub(super) fn forwarded(&mut self, method: &str, end: End) -> End {
        let broken = match end {
            End::Refused => BrokenConnection::Failed(String::new()),
            End::Ended(_) => BrokenConnection::Ended,
            end => return end,
        };
        End::Answer(LocalReply::broken(&broken, false).answer(method))
    }
}
