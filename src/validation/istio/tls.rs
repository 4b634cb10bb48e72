//! TLS of a server, in a Gateway and in a Sidecar's ingress.

use crate::at::At;
use crate::fault::Faults;

pub fn server(tls: &At<'_>, faults: &mut Faults) {
    if !tls.is_set() {
        return;
    }
    let has = |name: &str| !tls.get(name).text().is_empty();
    let lists = |name: &str| !tls.get(name).is_empty();
    let mode = tls.get("mode").text();
    if mode == "ISTIO_MUTUAL" {
        for (field, what) in [
            ("serverCertificate", "server certificate"),
            ("privateKey", "private key"),
            ("caCertificates", "CA bundle"),
            ("credentialName", "credentialName"),
        ] {
            if has(field) {
                let why = format!("ISTIO_MUTUAL TLS cannot have associated {what}");
                faults.deny(&tls.get(field), why);
            }
        }
        for field in ["tlsCertificates", "credentialNames"] {
            if lists(field) {
                let why = format!("ISTIO_MUTUAL TLS cannot have associated {field}");
                faults.deny(&tls.get(field), why);
            }
        }
        return;
    }
    let sources = [
        has("serverCertificate") && has("privateKey"),
        has("credentialName"),
        lists("credentialNames"),
        lists("tlsCertificates"),
    ];
    if sources.iter().filter(|set| **set).count() > 1 {
        faults.deny(
            tls,
            "only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be specified",
        );
    }
    let mutual = matches!(mode, "MUTUAL" | "OPTIONAL_MUTUAL");
    let terminates = mutual || mode == "SIMPLE";
    if terminates && (has("credentialName") || lists("credentialNames")) {
        return;
    }
    if terminates {
        let what = if mutual { "MUTUAL TLS" } else { "SIMPLE TLS" };
        if mutual && !has("caCertificates") {
            faults.deny(
                &tls.get("caCertificates"),
                format!("{what} requires a client CA bundle"),
            );
        }
        let certificates = tls.get("tlsCertificates").items();
        let own = [tls.clone()];
        let certificates = if certificates.is_empty() {
            &own[..]
        } else {
            &certificates
        };
        for one in certificates {
            for (field, named) in [
                ("serverCertificate", "server certificate"),
                ("privateKey", "private key"),
            ] {
                if one.get(field).text().is_empty() {
                    faults.deny(&one.get(field), format!("{what} requires a {named}"));
                }
            }
        }
    }
    if has("caCrl") {
        if has("credentialName") {
            faults.deny(
                &tls.get("caCrl"),
                "CRL is not supported with credentialName. CRL has to be specified in the credential",
            );
        }
        if mode == "SIMPLE" {
            faults.deny(&tls.get("caCrl"), "CRL is not supported with SIMPLE TLS");
        }
    }
}

/// TLS of a client, in a DestinationRule.
pub fn client(tls: &At<'_>, faults: &mut Faults) {
    let has = |name: &str| !tls.get(name).text().is_empty();
    let mode = tls.get("mode").text();
    let originates = matches!(mode, "SIMPLE" | "MUTUAL");
    if tls.get("insecureSkipVerify").is_true() && originates {
        let names = tls.get("subjectAltNames");
        let by_credential = mode == "SIMPLE" && has("credentialName");
        if has("caCertificates") || by_credential || !names.is_empty() {
            faults.deny(
                &tls.get("insecureSkipVerify"),
                "cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true",
            );
        }
    }
    if originates && has("credentialName") {
        let files = ["clientCertificate", "caCertificates", "privateKey", "caCrl"];
        if let Some(file) = files.iter().find(|file| has(file)) {
            faults.deny(
                &tls.get(file),
                "cannot specify client certificates or CA certificate or CA CRL If credentialName is set",
            );
        }
        return;
    }
    if mode == "MUTUAL" {
        for (field, what) in [
            ("clientCertificate", "client certificate"),
            ("privateKey", "private key"),
        ] {
            if !has(field) {
                faults.deny(&tls.get(field), format!("{what} required for mutual tls"));
            }
        }
    }
}
