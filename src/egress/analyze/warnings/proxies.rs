//! Warnings about what proxies listen on and know: Gateways and Sidecars.

use std::collections::{BTreeMap, BTreeSet};

use json::{list, text};
use serde_json::Value;

use super::{Warnings, selects_nothing, warn};
use crate::object::{Object, texts};

/// The cipher suites that a proxy accepts by name (Istio's `ValidCipherSuites`).
const CIPHERS: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

/// Whether a protocol carries HTTP in plain text.
fn is_http(protocol: &str) -> bool {
    matches!(
        protocol.to_ascii_lowercase().as_str(),
        "http" | "http2" | "http_proxy" | "grpc" | "grpc-web"
    )
}

/// Servers of a Gateway.
pub fn gateway(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    for (index, server) in list(value, "/spec/servers").enumerate() {
        let place = format!("spec.servers[{index}]");
        let redirects = server.pointer("/tls/httpsRedirect") == Some(&Value::Bool(true));
        if redirects && server["port"].is_object() && !is_http(text(server, "/port/protocol")) {
            warn(
                &mut found,
                format!("{place}.tls.httpsRedirect has no effect: the server is not HTTP"),
                "httpsRedirect on a server with protocol HTTP",
            );
        }
        tls(&server["tls"], &format!("{place}.tls"), &mut found);
    }
    found
}

/// The TLS settings of a server.
fn tls(tls: &Value, place: &str, found: &mut Warnings) {
    if !tls.is_object() {
        return;
    }
    let suites = texts(tls, "/cipherSuites");
    if matches!(text(tls, "/minProtocolVersion"), "TLSV1_0" | "TLSV1_1") && suites.is_empty() {
        warn(
            found,
            format!(
                "{place}.minProtocolVersion is below TLSV1_2, for which no cipher suite is enabled by default"
            ),
            format!("{place}.cipherSuites with compatible suites, or TLSV1_2"),
        );
    }
    // A suite that begins with an operator (`-`, `+`, `[`) is not looked up.
    let is_known = |suite: &str| {
        let first = suite.chars().next();
        suite == "ALL"
            || first.is_none_or(|first| !first.is_alphanumeric())
            || CIPHERS.contains(&suite)
    };
    let mut seen = BTreeSet::new();
    let (mut unknown, mut again) = (BTreeSet::new(), BTreeSet::new());
    for suite in &suites {
        if !is_known(suite) {
            unknown.insert(suite.as_str());
        } else if !seen.insert(suite.as_str()) {
            again.insert(suite.as_str());
        }
    }
    for (suites, what) in [(unknown, "unknown"), (again, "repeated")] {
        if !suites.is_empty() {
            let names: Vec<&str> = suites.into_iter().collect();
            warn(
                found,
                format!(
                    "{place}.cipherSuites: {what} suites are ignored: {}",
                    names.join(", ")
                ),
                "the names of BoringSSL, once each",
            );
        }
    }
    let has = |field: &str| !crate::field::empty(&tls[field]) && tls[field] != "";
    // PASSTHROUGH is the mode of settings without one.
    let mode = match text(tls, "/mode") {
        "" => "PASSTHROUGH",
        mode => mode,
    };
    let certificates = [
        "caCrl",
        "serverCertificate",
        "privateKey",
        "caCertificates",
        "tlsCertificates",
        "credentialName",
        "credentialNames",
    ];
    if matches!(mode, "PASSTHROUGH" | "AUTO_PASSTHROUGH") && certificates.into_iter().any(has) {
        warn(
            found,
            format!("{place}: mode {mode} does not terminate TLS, so the certificates are ignored"),
            "mode SIMPLE or MUTUAL, or no certificates",
        );
    }
    let terminates = matches!(mode, "SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL");
    let by_name = has("credentialName") || has("credentialNames");
    if terminates && !by_name && list(tls, "/tlsCertificates").count() > 2 {
        warn(
            found,
            format!("{place}.tlsCertificates has more than two entries; two are supported"),
            "two certificates",
        );
    }
}

/// A Sidecar. Of one without any setting nothing is said: it is rejected.
pub fn sidecar(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    let spec = &value["spec"];
    let settings = [
        "egress",
        "ingress",
        "outboundTrafficPolicy",
        "inboundConnectionPool",
    ];
    if settings
        .iter()
        .all(|field| crate::field::empty(&spec[field]) && !spec[field].is_object())
    {
        return found;
    }
    if selects_nothing(&spec["workloadSelector"], "labels") {
        warn(
            &mut found,
            "spec.workloadSelector has no labels: the Sidecar applies to all workloads of the namespace",
            "labels in spec.workloadSelector.labels, or no workloadSelector",
        );
    }
    for (index, entry) in list(spec, "/ingress")
        .enumerate()
        .filter(|(_, entry)| entry["port"].is_object())
    {
        let place = format!("spec.ingress[{index}]");
        tls(&entry["tls"], &format!("{place}.tls"), &mut found);
        if entry.pointer("/connectionPool/http").is_some()
            && !is_http(text(entry, "/port/protocol"))
        {
            warn(
                &mut found,
                format!("{place}.connectionPool.http has no effect: the port is not HTTP"),
                format!("{place}.connectionPool.tcp, or protocol HTTP"),
            );
        }
    }
    let own = Object::of(value).namespace;
    for (index, entry) in list(spec, "/egress").enumerate() {
        egress(
            &texts(entry, "/hosts"),
            &own,
            &format!("spec.egress[{index}].hosts"),
            &mut found,
        );
    }
    found
}

/// Hosts of a Sidecar that others in the same list contain.
fn egress(hosts: &[String], own: &str, place: &str, found: &mut Warnings) {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for host in hosts {
        let Some((namespace, name)) = host.split_once('/') else {
            continue;
        };
        if namespace.starts_with('~') {
            continue;
        }
        let namespace = if namespace == "." { own } else { namespace };
        let before = seen.entry(namespace).or_default();
        let again = match name {
            "*" => !before.is_empty(),
            name => before.contains(name) || before.contains("*"),
        };
        if again {
            warn(
                found,
                format!("{place}: {host} repeats a host of the same namespace, or `*` contains it"),
                "each host once, or NAMESPACE/* alone",
            );
        }
        before.insert(name);
    }
    let everything = seen.get("*").is_some_and(|names| names.contains("*"));
    if everything && seen.len() != 1 {
        warn(
            found,
            format!("{place}: `*/*` contains all other hosts"),
            "*/* alone, or the hosts that the namespace needs",
        );
    }
}
