//! What of a sidecar listens to what goes to a port (Istio's `listener.go`).

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::upstream::UpstreamTarget;
use crate::host_index::HostIndex;
use crate::service::{Port, Protocol, Service};
use crate::sidecar_scope::SidecarScope;

/// What takes a connection up.
#[derive(Debug, Clone, Copy)]
pub enum Listener<'s> {
    /// Requests of HTTP, by their authority.
    Http,
    /// The one service that the address or the port is for.
    Service(&'s Service, &'s Port),
    /// Connections of TLS, by the name that they ask for.
    ServerName,
    /// None: as for all that is not known.
    Unknown,
}

/// A service with the port that is asked for.
type ServicePort<'s> = (&'s Service, &'s Port);

/// The listeners of a port.
#[derive(Debug)]
pub struct Listeners<'s> {
    /// By the service's own address: for TLS and bytes, and for what is not said to be HTTP.
    addresses: HashMap<IpAddr, ServicePort<'s>>,
    ranges: Vec<(IpNet, ServicePort<'s>)>,
    /// Whether requests are routed by their authority, and whether all of them are known to be requests.
    http: bool,
    plain_http: bool,
    /// Services of TLS without an address.
    names: HostIndex<&'s Service>,
    /// The service of bytes that has the port for itself.
    whole: Option<ServicePort<'s>>,
    tls: bool,
}

impl<'s> Listeners<'s> {
    /// Those that a proxy has for a port.
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

    /// What takes a connection to a place up. `secure`: it begins with TLS.
    pub fn find(&self, to: UpstreamTarget, secure: bool) -> Listener<'s> {
        let ranges = || {
            self.ranges
                .iter()
                .find(|(range, _)| range.contains(&to.address))
        };
        let own = self.addresses.get(&to.address).copied();
        let own = own.or_else(|| ranges().map(|(_, listening)| *listening));
        // What is not said to be HTTP is looked at: a request goes by its authority.
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

    /// The service of TLS that a connection asks for by name.
    pub fn named(&self, name: &str) -> Option<&'s Service> {
        self.names.find(name).copied().filter(|_| !name.is_empty())
    }
}
