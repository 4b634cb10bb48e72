//! The TLS session that a proxy opens to a cluster's endpoint: its SNI, its certificate, and what it demands, for the reader.
//!
//! Sources: Envoy's API reference, `extensions/transport_sockets/tls/v3/tls.proto`, and `config/core/v3/protocol.proto` (`auto_sni`).
//! A proxy's identity is that of its service account; its certificate is not read.

use serde_json::Value;

use super::cluster::UpstreamTls;
use super::downstream::{ClientCertificate, Downstream, TlsSession};
use super::dump::ConfigDump;
use super::virtual_host::without_port;

/// Whether a matcher of names is for an identity of the mesh.
pub fn is_spiffe(matcher: &Value) -> bool {
    let fields = ["exact", "prefix"].iter();
    fields
        .filter_map(|name| matcher[*name].as_str())
        .any(|name| name.starts_with("spiffe://"))
}

/// The session that a proxy originates.
pub fn session(
    from: &ConfigDump,
    cluster: &Value,
    tls: &UpstreamTls,
    connection: &Downstream,
) -> TlsSession {
    TlsSession {
        server_name: sni(cluster, tls, connection),
        protocols: tls.protocols.clone(),
        certificate: match tls.has_certificate {
            true => identity(from, &tls.names),
            false => ClientCertificate::Absent,
        },
    }
}

/// The identity in a proxy's certificate: its service account, in the trust domain of the names that are demanded.
pub fn identity(dump: &ConfigDump, names: &[Value]) -> ClientCertificate {
    let named = names
        .iter()
        .filter_map(|name| name["exact"].as_str().or(name["prefix"].as_str()));
    let domain = named
        .filter_map(|name| name.strip_prefix("spiffe://")?.split('/').next())
        .next();
    let node = &dump.node;
    match (domain, node.service_account.as_str()) {
        (None, _) | (_, "") => ClientCertificate::Unnamed,
        (Some(domain), account) => ClientCertificate::Uri(format!(
            "spiffe://{domain}/ns/{}/sa/{account}",
            node.namespace
        )),
    }
}

const HTTP_OPTIONS: &str =
    "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The SNI of a session: that of the configuration, or the host of the request (`auto_sni`).
pub fn sni(cluster: &Value, tls: &UpstreamTls, connection: &Downstream) -> String {
    let auto = cluster.pointer(&format!(
        "{HTTP_OPTIONS}/upstream_http_protocol_options/auto_sni"
    ));
    match (tls.server_name.as_str(), auto) {
        ("", Some(Value::Bool(true))) => {
            let authority = connection.headers.authority();
            without_port(&authority).to_owned()
        }
        (name, _) => name.to_owned(),
    }
}

/// Whether a cluster's protocol is HTTP/2.
pub fn is_http2(cluster: &Value) -> bool {
    let explicit = cluster.pointer(&format!(
        "{HTTP_OPTIONS}/explicit_http_config/http2_protocol_options"
    ));
    explicit.is_some() || cluster.get("http2_protocol_options").is_some()
}

/// A session for the reader.
pub fn told(tls: &UpstreamTls, sni: &str) -> String {
    let sni = match sni {
        "" => "without SNI".to_owned(),
        name => format!("with SNI {name}"),
    };
    let names: Vec<&str> = tls
        .names
        .iter()
        .filter_map(|name| name["exact"].as_str().or(name["prefix"].as_str()))
        .collect();
    let demands = match (tls.authorities.as_str(), names.as_slice()) {
        ("", _) => "accepting any certificate".to_owned(),
        (authorities, []) => format!("demanding a certificate that {authorities} vouches for"),
        (authorities, names) => {
            format!(
                "demanding a certificate for {} that {authorities} vouches for",
                names.join(" or ")
            )
        }
    };
    format!("TLS {sni}, {demands}")
}
