//! The outbound listeners of a sidecar for a port (Istio's `listener.go`).

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::upstream::UpstreamTarget;
use crate::host_index::HostIndex;
use crate::service::{Port, Protocol, Service};
use crate::sidecar_scope::SidecarScope;

/// What accepts a connection.
#[derive(Debug, Clone, Copy)]
pub enum Listener<'s> {
    /// HTTP routing, by authority.
    Http,
    /// The only service with this address or port.
    Service(&'s Service, &'s Port),
    /// TLS routing, by SNI.
    ServerName,
    /// No listener: the connection is treated like every unknown destination.
    Unknown,
}

/// A service with the port of the connection.
type ServicePort<'s> = (&'s Service, &'s Port);

/// The listeners of a port.
#[derive(Debug)]
pub struct Listeners<'s> {
    /// By the service's own address: for TLS and TCP, and for ports without a declared protocol.
    addresses: HashMap<IpAddr, ServicePort<'s>>,
    ranges: Vec<(IpNet, ServicePort<'s>)>,
    /// Whether requests are routed by authority, and whether all traffic is known to be HTTP.
    http: bool,
    plain_http: bool,
    /// TLS services without an address.
    names: HostIndex<&'s Service>,
    /// The TCP service that owns the whole port.
    whole: Option<ServicePort<'s>>,
    tls: bool,
}

impl<'s> Listeners<'s> {
    /// The listeners of a proxy for a port.
    pub fn of(scope: &SidecarScope<'s>, port: u16) -> Listeners<'s> {
        let mut found = Listeners {
            addresses: HashMap::new(),
            ranges: Vec::new(),
            http: false,
            plain_http: false,
            names: HostIndex::default(),
            whole: None,
            tls: false,
        };
        let mut all: Vec<ServicePort> = scope.on_port(port).collect();
        all.sort_by(|(a, _), (b, _)| (&a.created, &a.host).cmp(&(&b.created, &b.host)));
        for (service, port) in all {
            found.http |= port.protocol.routes_http();
            found.plain_http |= matches!(port.protocol, Protocol::Http | Protocol::Http2);
            let by_address = matches!(
                port.protocol,
                Protocol::Tls | Protocol::Tcp | Protocol::Detected
            );
            for range in service.addresses.iter().filter(|_| by_address) {
                match range.prefix_len() == range.max_prefix_len() {
                    true => {
                        found
                            .addresses
                            .entry(range.addr())
                            .or_insert((service, port));
                    }
                    false => found.ranges.push((*range, (service, port))),
                }
            }
            match port.protocol {
                _ if !service.addresses.is_empty() => {}
                Protocol::Tls => {
                    found.names.at(&service.host, || service);
                    found.tls = true;
                }
                Protocol::Tcp => {
                    found.whole.get_or_insert((service, port));
                }
                _ => {}
            }
        }
        found
    }

    /// What accepts a connection to an address and port. `secure`: it begins with TLS.
    pub fn find(&self, to: UpstreamTarget, secure: bool) -> Listener<'s> {
        let ranges = || {
            self.ranges
                .iter()
                .find(|(range, _)| range.contains(&to.address))
        };
        let own = self.addresses.get(&to.address).copied();
        let own = own.or_else(|| ranges().map(|(_, listening)| *listening));
        // Envoy inspects traffic without a declared protocol: an HTTP request is routed by its authority.
        if let Some((service, port)) =
            own.filter(|(_, port)| secure || port.protocol != Protocol::Detected)
        {
            return Listener::Service(service, port);
        }
        match (secure, self.whole) {
            (false, _) if self.http => Listener::Http,
            (true, _) if self.tls => Listener::ServerName,
            (_, Some((service, port))) => Listener::Service(service, port),
            (true, None) if self.plain_http => Listener::Http,
            _ => Listener::Unknown,
        }
    }

    /// The TLS service for the SNI of a connection.
    pub fn named(&self, name: &str) -> Option<&'s Service> {
        self.names.find(name).copied().filter(|_| !name.is_empty())
    }
}
