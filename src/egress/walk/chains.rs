//! The filter chains of a gateway pod's port: which server takes a connection, by the name that its handshake asks for.

use super::destination::target;
use super::forward::At;
use crate::egress::gateway::{Gateway, Routing, Server, ServerTls};
use crate::egress::host::within;
use crate::egress::object::Object;
use crate::egress::scene::Scene;
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
pub enum Closed<'s> {
    /// Nothing listens on the port; with the Gateways that are for other pods or ports.
    NoServer(Vec<(Object, String)>),
    /// What listens is for other names.
    NoChain(Option<&'s Object>),
}

/// The chains of a port, each with the names that it is for.
#[derive(Debug)]
pub struct Chains<'s> {
    chains: Vec<(&'s str, Chain<'s>)>,
    gateway: Option<&'s Object>,
    others: Vec<(Object, String)>,
}

impl<'s> Chains<'s> {
    /// Those of a gateway pod's port.
    pub fn of(scene: &'s Scene, at: &At<'_, 's>) -> Chains<'s> {
        let mut found = Chains {
            chains: Vec::new(),
            gateway: None,
            others: Vec::new(),
        };
        let mut plain = None;
        for gateway in &scene.gateways {
            if !gateway.selector.matches(&at.pod.labels) {
                found
                    .others
                    .push((gateway.object.clone(), "selects other pods".to_owned()));
                continue;
            }
            let mut listens = false;
            for server in gateway
                .servers
                .iter()
                .filter(|server| number(scene, at, server) == at.local.port)
            {
                // The oldest decides whether the port speaks TLS; another with the same port cannot (Istio's `MergeGateways`).
                let clear = server.tls == ServerTls::Plain;
                if *plain.get_or_insert(clear) == clear {
                    listens = true;
                    found.add(at, gateway, server);
                }
            }
            let why = match gateway.servers.is_empty() {
                _ if listens => continue,
                true => "has no servers".to_owned(),
                false => {
                    let ports: Vec<String> = gateway
                        .servers
                        .iter()
                        .map(|server| server.port.to_string())
                        .collect();
                    format!(
                        "has servers on ports {}, none of which is {} of this pod",
                        ports.join(", "),
                        at.local.port
                    )
                }
            };
            found.others.push((gateway.object.clone(), why));
        }
        found
    }

    fn add(&mut self, at: &At<'_, 's>, gateway: &'s Gateway, server: &'s Server) {
        self.gateway.get_or_insert(&gateway.object);
        if server.routing != Routing::ServerName {
            let every = server.tls == ServerTls::Plain;
            let names: Vec<&str> = if every {
                vec!["*"]
            } else {
                server.patterns().collect()
            };
            self.chains.extend(
                names
                    .into_iter()
                    .map(|name| (name, Chain::Server(gateway, server))),
            );
            return;
        }
        let view = &at.sight.view;
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
                    let chain = Chain::ServerName(gateway, each, destination);
                    self.chains.extend(served.map(|name| (name, chain)));
                }
            }
        }
        // A listener without chains is none; the Gateway is then among those that do not have it listen.
        if self.chains.is_empty() {
            let why = "leaves TLS closed, and no VirtualService says where connections go";
            self.others.push((gateway.object.clone(), why.to_owned()));
        }
    }

    /// The chain for a connection that asks for this name; none where it is no TLS.
    ///
    /// # Errors
    /// Why nobody takes it.
    pub fn find(self, server_name: Option<&str>) -> Result<Chain<'s>, Closed<'s>> {
        if self.chains.is_empty() {
            return Err(Closed::NoServer(self.others));
        }
        let name = server_name.unwrap_or_default().to_ascii_lowercase();
        let meant = self
            .chains
            .iter()
            .filter(|(pattern, chain)| match (chain, server_name) {
                // The bytes of what is no TLS ask for no name, which only `*` does not ask for either.
                (Chain::ServerName(..), None) => false,
                _ => *pattern == "*" || (!name.is_empty() && within(pattern, &name)),
            });
        // Of equal ones the first, as it was made first.
        let best = meant
            .rev()
            .max_by_key(|(pattern, _)| (!pattern.starts_with('*'), pattern.len()));
        best.map(|(_, chain)| *chain)
            .ok_or(Closed::NoChain(self.gateway))
    }
}

/// The port of the pod that a server listens on: what a Service before the pod makes of the server's number, else the number.
fn number(scene: &Scene, at: &At, server: &Server) -> u16 {
    let before = scene
        .services
        .iter()
        .filter(|service| service.selects(at.pod.namespace(), &at.pod.labels));
    let mut ports = before.filter_map(|service| service.port(server.port));
    ports
        .next()
        .map_or(server.port, |port| target(port, Some(at.pod)))
}
