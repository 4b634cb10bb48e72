//! The TLS that a filter chain terminates, and the client certificate that it demands.
//!
//! Source: Envoy's API reference, `extensions/transport_sockets/tls/v3/tls.proto`, DownstreamTlsContext. Which certificate the proxy
//! itself shows to an application is not known here.

use serde_json::Value;

use super::cluster;
use super::downstream::{ClientCertificate, Downstream};
use super::filters;
use super::matches::Matches;
use super::string_matcher::string_matches;
use super::walk::{End, Place, Walk};
use crate::object::Object;
use crate::trace::Failure;

impl Walk<'_> {
    /// The TLS of a filter chain; the end of a connection that it refuses.
    pub(super) fn terminates(
        &mut self,
        at: Place,
        chain: &Value,
        by: &Object,
        connection: &mut Downstream,
    ) -> Option<End> {
        let config = &chain["transport_socket"]["typed_config"];
        match filters::type_name(config).rsplit('.').next() {
            Some("" | "RawBuffer") | None => {
                self.hop(at, true, by, "takes the connection as it is");
                return None;
            }
            Some("DownstreamTlsContext") => {}
            Some(_) => {
                let name = json::text(chain, "/transport_socket/name");
                self.unknown(at, format!("transport socket {name}"));
                return Some(End::NotKnown);
            }
        }
        if connection.tls.is_empty() {
            self.hop(at, false, by, "demands TLS, and the connection has none");
            return Some(End::Ended(Failure::EmptyReply));
        }
        let session = connection.tls.remove(0);
        let demands = config["require_client_certificate"] == true;
        let (names, authorities) = cluster::validation(&config["common_tls_context"]);
        let what = match (demands, authorities.as_str()) {
            (true, name) => {
                format!("terminates TLS, and demands a client certificate that {name} vouches for")
            }
            (false, _) => "terminates TLS".to_owned(),
        };
        let accepted = match (&session.certificate, names.as_slice()) {
            (ClientCertificate::Absent, _) => Matches::of(!demands),
            (_, []) => Matches::Yes,
            (ClientCertificate::Uri(uri), names) => {
                Matches::any(names.iter().map(|name| string_matches(name, uri)))
            }
            (ClientCertificate::Unnamed, _) => {
                Matches::Unknown("the name in the caller's certificate".to_owned())
            }
        };
        let shown = match &session.certificate {
            ClientCertificate::Absent => "; the caller has none".to_owned(),
            ClientCertificate::Uri(uri) => format!("; the caller is {uri}"),
            ClientCertificate::Unnamed => "; the caller's name is not in the dumps".to_owned(),
        };
        let shown = if demands { shown } else { String::new() };
        self.hop(at, accepted != Matches::No, by, &format!("{what}{shown}"));
        connection.peer = Some(session);
        match accepted {
            Matches::Yes => None,
            Matches::No => Some(End::Ended(Failure::CertificateRequired)),
            Matches::Unknown(why) => {
                self.unknown(at, why);
                None
            }
        }
    }
}
