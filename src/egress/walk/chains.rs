//! The filter chains of a gateway pod's port: which server takes a connection, by the name that its handshake asks for.

use super::destination::target;
use crate::egress::gateway::{Gateway, Routing, Server, ServerTls};
use crate::egress::host_index::HostIndex;
use crate::egress::object::Object;
use crate::egress::pod::Pod;
use crate::egress::service::Service;
use crate::egress::view::View;
use crate::egress::virtual_service::{Destination, VirtualService, When};

/// Who takes a connection up.
#[derive(Debug, Clone, Copy)]
pub enum Chain<'s> {
    /// A server that opens TLS, or takes what is in clear.
    Server(&'s Gateway, &'s Server),
    /// A rule for this name; TLS stays closed.
    ServerName(&'s Gateway, &'s VirtualService, &'s Destination),
}

/// Why nobody does.
#[derive(Debug)]
pub enum Closed<'c, 's> {
    /// Nothing listens on the port; with the Gateways that are for other pods or ports.
    NoServer(&'c [(Object, String)]),
    /// What listens is for other names.
    NoChain(Option<&'s Object>),
}

/// The chains of a port.
#[derive(Debug)]
pub struct Chains<'s> {
    /// By the names that they are for.
    names: HostIndex<Chain<'s>>,
    /// Servers in clear, which share the port's one chain.
    clear: Vec<(&'s Gateway, &'s Server)>,
    empty: bool,
    gateway: Option<&'s Object>,
    others: Vec<(Object, String)>,
}

impl<'s> Chains<'s> {
    /// Those of a gateway pod's port.
    pub fn of(view: &View<'s>, pod: &Pod, port: u16) -> Chains<'s> {
        let mut found = Chains {
            names: HostIndex::default(),
            clear: Vec::new(),
            empty: true,
            gateway: None,
            others: Vec::new(),
        };
        let scene = view.scene;
        let before: Vec<&Service> = scene
            .services
            .iter()
            .filter(|service| service.selects(pod.namespace(), &pod.labels))
            .collect();
        let mut plain = None;
        for gateway in &scene.gateways {
            if !gateway.selector.matches(&pod.labels) {
                found
                    .others
                    .push((gateway.object.clone(), "selects other pods".to_owned()));
                continue;
            }
            let mut listens = false;
            for server in gateway
                .servers
                .iter()
                .filter(|server| number(&before, pod, server) == port)
            {
                // The oldest decides whether the port speaks TLS; another with the same port cannot (Istio's `MergeGateways`).
                let clear = server.tls == ServerTls::Plain;
                if *plain.get_or_insert(clear) == clear {
                    listens = true;
                    found.add(view, gateway, server);
                }
            }
            if !listens {
                let ports: Vec<String> = gateway
                    .servers
                    .iter()
                    .map(|server| server.port.to_string())
                    .collect();
                let why = format!(
                    "has servers on ports {}, none of which is {port} of this pod",
                    ports.join(", ")
                );
                found.others.push((gateway.object.clone(), why));
            }
        }
        found
    }

    fn add(&mut self, view: &View<'s>, gateway: &'s Gateway, server: &'s Server) {
        self.gateway.get_or_insert(&gateway.object);
        if server.routing != Routing::ServerName {
            let every = server.tls == ServerTls::Plain;
            self.clear.extend(every.then_some((gateway, server)));
            let names: Vec<&str> = if every {
                vec!["*"]
            } else {
                server.patterns().collect()
            };
            for name in names {
                self.names.at(name, || Chain::Server(gateway, server));
                self.empty = false;
            }
            return;
        }
        let name = gateway.name();
        for each in view
            .virtual_services
            .iter()
            .filter(|each| each.is_for(&name))
        {
            let own = &each.object.namespace;
            let holds = |when: &When| when.holds(&name, server.port, &view.namespace, &view.labels);
            for rule in &each.tls {
                let names = rule.names(holds).into_iter();
                let served = names.filter(|name| !server.domains(own, name).is_empty());
                if let Some(destination) = rule.route.first() {
                    for name in served {
                        self.names
                            .at(name, || Chain::ServerName(gateway, each, destination));
                        self.empty = false;
                    }
                }
            }
        }
        // A listener without chains is none; the Gateway is then among those that do not have it listen.
        if self.empty {
            let why = "leaves TLS closed, and no VirtualService says where connections go";
            self.others.push((gateway.object.clone(), why.to_owned()));
        }
    }

    /// The servers whose routes count where this one takes a request: in clear all of the port, else its own.
    pub fn together(
        &self,
        gateway: &'s Gateway,
        server: &'s Server,
    ) -> Vec<(&'s Gateway, &'s Server)> {
        match server.tls {
            ServerTls::Plain => self.clear.clone(),
            _ => vec![(gateway, server)],
        }
    }

    /// The chain for a connection that asks for this name; none where it is no TLS.
    ///
    /// # Errors
    /// Why nobody takes it.
    pub fn find(&self, server_name: Option<&str>) -> Result<Chain<'s>, Closed<'_, 's>> {
        if self.empty {
            return Err(Closed::NoServer(&self.others));
        }
        let name = server_name.unwrap_or_default().to_ascii_lowercase();
        let found = self.names.find(&name).copied();
        // What is no TLS asks for no name, which a chain that leaves TLS closed is not for.
        let meant =
            found.filter(|chain| server_name.is_some() || matches!(chain, Chain::Server(..)));
        meant.ok_or(Closed::NoChain(self.gateway))
    }
}

/// The port of the pod that a server listens on: what a Service before the pod makes of the server's number, else the number.
fn number(before: &[&Service], pod: &Pod, server: &Server) -> u16 {
    let mut ports = before
        .iter()
        .filter_map(|service| service.port(server.port));
    ports
        .next()
        .map_or(server.port, |port| target(port, Some(pod)))
}
