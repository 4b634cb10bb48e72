//! Follows a request from an application through the proxies, and tells what becomes of it.

use std::net::IpAddr;

use super::config_dumps::ConfigDumps;
use super::downstream::{Downstream, TlsSession};
use super::dump::ConfigDump;
use super::listener::{Direction, named_addresses};
use super::request_headers::RequestHeaders;
use super::trace::ProxyTrace;
use super::walk::{End, Place, Walk};
use crate::dataplane::decision::{Decides, DecisionBuilder};
use crate::request::{Request, Scheme};
use crate::trace::{CallerOutcome, Failure, Hop, HopLocation};
use crate::verdict::Verdict;

impl ConfigDumps {
    /// Follows a request from the application beside a proxy. `address` is that of the request's host, where it is known.
    pub fn follow(
        &self,
        from: &ConfigDump,
        request: &Request,
        address: Option<IpAddr>,
    ) -> ProxyTrace {
        let mut walk = Walk {
            dumps: self,
            hops: Vec::new(),
            unknown: Vec::new(),
            proxies: Vec::new(),
            leaves_to: None,
        };
        let own = request.host.parse().ok().or(request.address).or(address);
        let address = own.or_else(|| from.address_of(&request.host));
        walk.resolves(from, request, address);
        let mut headers = RequestHeaders::new(
            &request.method,
            request.scheme.word(),
            &request.authority(),
            &request.path,
        );
        let others = request
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        for (name, value) in others {
            headers.add(name, value);
        }
        let tls = match (request.scheme, request.host.parse::<IpAddr>()) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Ok(_)) => Some(TlsSession::of_application("")),
            (Scheme::Https, Err(_)) => Some(TlsSession::of_application(&request.host)),
        };
        let connection = Downstream {
            address,
            port: request.port,
            source: from.node.addresses.first().copied(),
            tls: tls.into_iter().collect(),
            peer: None,
            headers,
            protocol: "http/1.1",
            is_parsed: false,
        };
        let place = Place {
            dump: from,
            direction: Direction::Outbound,
        };
        let end = walk.enters(place, connection);
        walk.ends(request, end)
    }
}

impl Walk<'_> {
    /// Records where the name of the host leads.
    fn resolves(&mut self, from: &ConfigDump, request: &Request, address: Option<IpAddr>) {
        let because = match (address, named_addresses(from, request.port)) {
            (Some(address), _) => format!("its address is {address}"),
            (None, 0) => "the dumps do not contain its address; no listener of this port names one"
                .to_owned(),
            (None, named) => {
                format!(
                    "the dumps do not contain its address, which is assumed to be none of the {named} that listeners of this port name"
                )
            }
        };
        self.hops.push(Hop {
            place: HopLocation::Dns,
            name: request.host.clone(),
            ruling: DecisionBuilder::passes(None, because).told(),
        });
    }

    fn ends(self, request: &Request, end: End) -> ProxyTrace {
        let stopped = self.hops.iter().any(|hop| !hop.ruling.passes);
        let verdict = match (&end, self.unknown.is_empty()) {
            (End::NotKnown, _) | (_, false) => Verdict::Unknown,
            (End::Served, true) if !stopped => Verdict::Reaches,
            (_, true) => Verdict::Refused,
        };
        let tls = request.scheme == Scheme::Https;
        let got = match end {
            End::Answer(_) if tls => Some(CallerOutcome::Failure(Failure::NotTls)),
            End::Answer(answer) => Some(CallerOutcome::Answer(answer)),
            End::Served | End::NotKnown => None,
            End::Refused => Some(CallerOutcome::Failure(Failure::Refused)),
            End::Ended(failure) => Some(CallerOutcome::Failure(of_scheme(failure, tls))),
        };
        ProxyTrace {
            verdict,
            hops: self.hops,
            got,
            proxies: self.proxies,
            leaves_to: self.leaves_to,
            unknown: self.unknown,
        }
    }
}

/// How an end reads to a caller that uses TLS, or does not.
fn of_scheme(failure: Failure, tls: bool) -> Failure {
    match (failure, tls) {
        (Failure::Reset, true) => Failure::TlsReset,
        (Failure::EmptyReply, true) => Failure::TlsClosed,
        (Failure::TlsClosed, false) => Failure::EmptyReply,
        (failure, _) => failure,
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
