//! Secrets that Gateways name: they must exist in the namespace of the gateway's pods, and contain a certificate.
//!
//! Of the certificate only the form is looked at. Whether it has expired depends on the time, which the analyzers do not have; the
//! private key is not compared with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use json::{list, text};
use serde_json::Value;

use super::config::Config;
use super::workload::created;
use super::{Code, Finding};
use crate::object::Object;

/// The names under which a Secret has a certificate and its key.
const KEYS: [(&str, &str); 2] = [("cert", "key"), ("tls.crt", "tls.key")];

/// The Secrets of Gateways.
pub fn secrets(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let none_read = config.of("Secret").next().is_none();
    for (gateway, value) in config.gateways.iter().zip(&config.gateway_values) {
        // A Gateway without pods is a finding of its own.
        let Some(pod) = config.selected(&gateway.selector).next() else {
            continue;
        };
        for (index, server) in list(value, "/spec/servers").enumerate() {
            let name = text(server, "/tls/credentialName");
            if name.is_empty() {
                continue;
            }
            let own = pod.object.namespace.as_str();
            let (namespace, name) = name.split_once('/').unwrap_or((own, name));
            let place = format!("spec.servers[{index}].tls.credentialName");
            let wanted = Object::new("Secret", namespace, name);
            let (code, message, instead) = match config
                .of("Secret")
                .find(|each| Object::of(each) == wanted)
            {
                None if none_read && created(value) => (
                    Code::GatewayCredentialNotRead,
                    format!(
                        "{place}: unknown whether {wanted} exists and contains a certificate; Secrets are not read"
                    ),
                    format!("kubectl -n {namespace} get secret {name}"),
                ),
                None => (
                    Code::ReferencedResourceNotFound,
                    format!("{place}: {wanted} not found"),
                    format!(
                        "a Secret of type kubernetes.io/tls in {namespace}, the namespace of the gateway's pods"
                    ),
                ),
                Some(secret) => match why_unusable(secret) {
                    None => continue,
                    Some(why) => (
                        Code::InvalidGatewayCredential,
                        format!("{place}: {wanted} {why}"),
                        "a certificate in PEM form as tls.crt, with its key as tls.key".to_owned(),
                    ),
                },
            };
            found.push(Finding::new(code, &gateway.object, message, instead));
        }
    }
    found
}

/// Why a Secret cannot serve a Gateway; `None` if it can.
fn why_unusable(secret: &Value) -> Option<String> {
    let field = |name: &str| -> Vec<u8> {
        let plain = secret["stringData"][name].as_str();
        let encoded = secret["data"][name].as_str().unwrap_or_default();
        plain.map_or_else(
            || {
                STANDARD
                    .decode(encoded.split_whitespace().collect::<String>())
                    .unwrap_or_default()
            },
            |text| text.as_bytes().to_vec(),
        )
    };
    let pairs = KEYS.map(|(certificate, key)| (field(certificate), field(key)));
    let pair = pairs
        .iter()
        .find(|(certificate, key)| !certificate.is_empty() && !key.is_empty());
    match pair {
        None => {
            Some("has neither tls.crt and tls.key nor cert and key, or they are empty".to_owned())
        }
        Some((certificate, _)) => {
            (!is_certificate(certificate)).then(|| "contains no certificate in PEM form".to_owned())
        }
    }
}

/// Whether the first PEM block of a text contains the DER encoding of a certificate, by its outer form: a sequence of a sequence,
/// an algorithm and a signature.
fn is_certificate(pem: &[u8]) -> bool {
    let pem = String::from_utf8_lossy(pem);
    let Some((_, rest)) = pem.split_once("-----BEGIN ") else {
        return false;
    };
    let Some((label, rest)) = rest.split_once("-----") else {
        return false;
    };
    let Some((body, _)) = rest.split_once(&format!("-----END {label}-----")) else {
        return false;
    };
    let Ok(der) = STANDARD.decode(body.split_whitespace().collect::<String>()) else {
        return false;
    };
    let Some((SEQUENCE, inside, [])) = element(&der) else {
        return false;
    };
    let Some((SEQUENCE, to_be_signed, rest)) = element(inside) else {
        return false;
    };
    let Some((SEQUENCE, _, rest)) = element(rest) else {
        return false;
    };
    matches!(element(rest), Some((BIT_STRING, _, []))) && !to_be_signed.is_empty()
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The first element of a DER encoding: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short if short < 0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            if bytes.len() > 4 {
                return None;
            }
            let length = bytes
                .iter()
                .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
            (length, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
