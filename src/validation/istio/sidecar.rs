//! Sidecar.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form::{self, Protocol};
use crate::istio::{destination_rule, tls, virtual_service};

pub fn sidecar(spec: &At<'_>, _: &str, faults: &mut Faults) {
    let (ingress, egress) = (spec.get("ingress"), spec.get("egress"));
    let policy = spec.get("outboundTrafficPolicy");
    let pool = spec.get("inboundConnectionPool");
    if ingress.is_empty() && egress.is_empty() && !policy.is_set() && !pool.is_set() {
        return faults.deny(spec, "sidecar: empty configuration provided");
    }
    let mut seen: Vec<i64> = Vec::new();
    for listener in ingress.items() {
        inbound(&listener, faults);
        let number = listener.at("port.number");
        unique(&number, &mut seen, faults);
    }
    destination_rule::pool(&pool, faults);
    let mut seen: Vec<i64> = Vec::new();
    let last = egress.len().saturating_sub(1);
    for (index, listener) in egress.items().into_iter().enumerate() {
        let port = listener.get("port");
        if port.is_set() {
            outbound(&listener, faults);
            if port.get("number").int().unwrap_or_default() != 0 {
                unique(&port.get("number"), &mut seen, faults);
            }
        } else if index != last {
            let why = "sidecar: the egress listener with empty port should be the last listener in the list";
            faults.deny(&listener, why);
        }
        if listener.get("hosts").is_empty() {
            let why = "sidecar: egress listener must contain at least one host";
            faults.deny(&listener.get("hosts"), why);
        }
        for host in listener.get("hosts").items() {
            form::namespaced_host(&host, false, faults);
        }
    }
    outbound_policy(&policy, faults);
}

fn unique(number: &At<'_>, seen: &mut Vec<i64>, faults: &mut Faults) {
    let own = number.int().unwrap_or_default();
    if seen.contains(&own) {
        faults.deny(
            number,
            "sidecar: ports on IP bound listeners must be unique",
        );
    }
    seen.push(own);
}

fn inbound(listener: &At<'_>, faults: &mut Faults) {
    let port = listener.get("port");
    port_of(&port, faults);
    faults.deny_if(
        &port.get("number"),
        form::port(port.get("number").int().unwrap_or_default()),
    );
    let bind = listener.get("bind");
    if !bind.text().is_empty() {
        faults.deny_if(&bind, form::address(bind.text()));
    }
    let endpoint = listener.get("defaultEndpoint");
    if !endpoint.text().is_empty() {
        endpoint_of(&endpoint, faults);
    }
    let own = listener.get("tls");
    if own.is_set() {
        for (field, is_set) in [
            ("subjectAltNames", !own.get("subjectAltNames").is_empty()),
            ("httpsRedirect", own.get("httpsRedirect").is_true()),
            (
                "credentialName",
                !own.get("credentialName").text().is_empty(),
            ),
            ("credentialNames", !own.get("credentialNames").is_empty()),
            ("tlsCertificates", !own.get("tlsCertificates").is_empty()),
        ] {
            if is_set {
                faults.deny(
                    &own.get(field),
                    format!("sidecar: {field} is not supported in ingress tls"),
                );
            }
        }
        let mode = own.get("mode");
        if matches!(mode.text(), "ISTIO_MUTUAL" | "AUTO_PASSTHROUGH") {
            let why = format!(
                "configuration is invalid: cannot set mode to {} in sidecar ingress tls",
                mode.text()
            );
            faults.deny(&mode, why);
        }
        if form::protocol(port.get("protocol").text()) != Some(Protocol::Tls) {
            faults.deny(
                &own,
                "server cannot have TLS settings for non HTTPS/TLS ports",
            );
        }
        tls::server(&own, faults);
    }
    destination_rule::pool(&listener.get("connectionPool"), faults);
}

fn port_of(port: &At<'_>, faults: &mut Faults) {
    if port.get("targetPort").int().unwrap_or_default() > 0 {
        faults.deny(
            &port.get("targetPort"),
            "targetPort has no impact on Sidecars",
        );
    }
    let name = port.get("name");
    if !name.text().is_empty() {
        faults.deny_if(&name, form::port_name(name.text()));
    }
    form::known_protocol(&port.get("protocol"), faults);
}

fn endpoint_of(endpoint: &At<'_>, faults: &mut Faults) {
    let text = endpoint.text();
    if let Some(path) = text.strip_prefix("unix://") {
        return faults.deny_if(endpoint, form::socket(path));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return faults.deny(endpoint, format!("address {text}: missing port in address"));
    };
    if !matches!(host, "" | "127.0.0.1" | "0.0.0.0" | "[::1]" | "[::]") {
        faults.deny(
            endpoint,
            "sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset",
        );
    }
    match port.parse::<i64>() {
        Ok(number) => faults.deny_if(endpoint, form::port(number)),
        Err(_) => {
            let why = format!("sidecar: defaultEndpoint port ({port}) is not a number");
            faults.deny(endpoint, why);
        }
    }
}

fn outbound(listener: &At<'_>, faults: &mut Faults) {
    let (port, bind) = (listener.get("port"), listener.get("bind"));
    port_of(&port, faults);
    let number = port.get("number").int().unwrap_or_default();
    if number != 0 {
        faults.deny_if(&port.get("number"), form::port(number));
        if !bind.text().is_empty() {
            faults.deny_if(&bind, form::address(bind.text()));
        }
        return;
    }
    match bind.text().strip_prefix("unix://") {
        Some(path) => faults.deny_if(&bind, form::socket(path)),
        None => {
            let why = "sidecar: ports with 0 value must have a unix domain socket bind address";
            faults.deny(&bind, why);
        }
    }
    let mode = listener.get("captureMode");
    if !matches!(mode.text(), "" | "DEFAULT" | "NONE") {
        let why = "sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners";
        faults.deny(&mode, why);
    }
}

fn outbound_policy(policy: &At<'_>, faults: &mut Faults) {
    let proxy = policy.get("egressProxy");
    if !proxy.is_set() {
        return;
    }
    if policy.get("mode").text() != "ALLOW_ANY" {
        let why =
            "sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode";
        return faults.deny(&proxy, why);
    }
    faults.deny_if(&proxy.get("host"), form::domain(proxy.get("host").text()));
    if !proxy.get("port").is_set() {
        return faults.deny(
            &proxy.get("port"),
            "sidecar: egress_proxy port must be non-nil",
        );
    }
    virtual_service::destination(&proxy, faults);
}
