//! Why a proxy does not know a host that other proxies know: the cause that a reader looks for first.

use crate::host::overlap;
use crate::host::without_port;
use crate::object::Object;
use crate::sidecar_scope::SidecarScope;
use crate::virtual_service::MESH;

/// The objects for a host that are not visible, and why not.
pub fn hidden(scope: &SidecarScope, authority: &str, port: u16) -> Vec<(Object, String)> {
    let name = without_port(authority).to_ascii_lowercase();
    let namespace = &scope.namespace;
    let snapshot = scope.snapshot;
    let not_exported = |only: Option<Vec<String>>| match only.as_deref() {
        None | Some([]) => format!("is not exported to {namespace}"),
        Some(only) => format!("is exported to {} only", only.join(", ")),
    };
    let mut found: Vec<(Object, String)> = Vec::new();
    for service in snapshot
        .services
        .iter()
        .filter(|service| overlap(&service.host, &name))
    {
        let own = &service.object.namespace;
        let why = match service.port(port) {
            None => format!("has no port {port}"),
            Some(_) if !service.export.reaches(own, namespace) => {
                not_exported(service.export.only(own))
            }
            Some(_) => match scope.sidecar {
                Some(sidecar) => format!("is not among the hosts of {}", sidecar.object),
                None => "is for another kind of connection".to_owned(),
            },
        };
        found.push((service.object.clone(), why));
    }
    for each in snapshot
        .virtual_services
        .iter()
        .filter(|each| each.hosts.iter().any(|host| overlap(host, &name)))
    {
        let own = &each.object.namespace;
        let why = match scope.sidecar {
            _ if !each.export.reaches(own, namespace) => not_exported(each.export.only(own)),
            _ if !each.is_for(MESH) => "is for gateways, not for sidecars".to_owned(),
            Some(sidecar) if !sidecar.takes(namespace, own, &each.hosts, Some(port)) => {
                format!("is not among the hosts of {}", sidecar.object)
            }
            _ => format!(
                "has no rule for connections from sidecars on port {port} to a host that is visible there"
            ),
        };
        found.push((each.object.clone(), why));
    }
    found.dedup();
    found
}
