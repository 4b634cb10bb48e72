//! What an HTTP connection manager does with a request: its host and route, and its filters in their order.
//!
//! Sources: Envoy's API reference,
//! `extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto`, `extensions/filters/http/fault/v3/fault.proto`
//! and `configuration/http/http_filters/`. The route is chosen before the filters run, and the router, the last of them, uses it.

use serde_json::Value;

use super::downstream::Downstream;
use super::filters::{self, FilterKind};
use super::matches::Matches;
use super::rbac::AccessQuery;
use super::string_matcher::header_matches;
use super::virtual_host::{self, share, without_port};
use super::walk::{End, Place, Walk};
use crate::dataplane::decision::{DecisionBuilder, Others};
use crate::dataplane::local_reply::LocalReply;
use crate::object::Object;
use crate::trace::Failure;

/// The route of a request, with what it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routed<'d> {
    /// The route configuration.
    pub config: &'d Value,
    /// The virtual host.
    pub host: &'d Value,
    /// The route.
    pub route: &'d Value,
}

impl<'d> Walk<'d> {
    /// A connection manager gets a connection.
    pub(super) fn http(
        &mut self,
        at: Place<'d>,
        manager: &'d Value,
        mut connection: Downstream,
    ) -> End {
        if !connection.tls.is_empty() {
            let by = Object::new("filter", "", "http_connection_manager");
            self.hop(at, false, &by, "expects HTTP, and gets TLS");
            return End::Ended(Failure::NotTls);
        }
        connection.is_parsed = true;
        self.normalizes(at, manager, &mut connection);
        let named = json::text(manager, "/rds/route_config_name");
        let config = manager
            .get("route_config")
            .or_else(|| at.dump.routes.get(named));
        let Some(config) = config else {
            let what = match manager.get("scoped_routes") {
                Some(_) => "scoped_routes".to_owned(),
                None => format!("route configuration {named}, which is not in the dump"),
            };
            self.unknown(at, what);
            return End::NotKnown;
        };
        let routed = match self.route(at, config, &connection) {
            Ok(routed) => routed,
            Err(what) => {
                self.unknown(at, what);
                return End::NotKnown;
            }
        };
        for filter in json::list(manager, "/http_filters") {
            if let Some(end) = self.http_filter(at, manager, filter, routed, &mut connection) {
                return end;
            }
        }
        self.unknown(at, "http_filters without a router");
        End::NotKnown
    }

    /// Changes host and path as the manager is told to.
    fn normalizes(&mut self, at: Place, manager: &Value, connection: &mut Downstream) {
        let authority = connection.headers.authority();
        let bare = without_port(&authority);
        let port = authority
            .strip_prefix(bare)
            .and_then(|rest| rest.strip_prefix(':'));
        let own = port == Some(connection.port.to_string().as_str());
        if manager["strip_any_host_port"] == true
            || (manager["strip_matching_host_port"] == true && own)
        {
            connection.headers.set(":authority", bare);
        }
        let path = connection.headers.bare_path().to_ascii_lowercase();
        let odd = ["//", "/./", "/../", "\\", "%2f", "%5c"];
        let odd = odd.iter().any(|part| path.contains(part))
            || path.ends_with("/.")
            || path.ends_with("/..");
        let fields = [
            "normalize_path",
            "merge_slashes",
            "path_with_escaped_slashes_action",
        ];
        if odd && fields.iter().any(|field| manager.get(*field).is_some()) {
            self.unknown(
                at,
                format!("normalization of the path {}", connection.headers.path()),
            );
        }
    }

    /// The route of a request; `None` if there is none.
    fn route(
        &mut self,
        at: Place,
        config: &'d Value,
        connection: &Downstream,
    ) -> Result<Option<Routed<'d>>, String> {
        let named = json::text(config, "/name");
        if config.get("vhds").is_some() {
            return Err(format!("route configuration {named}: vhds"));
        }
        let authority = connection.headers.authority();
        let by = Object::new("route configuration", "", named);
        let Some(host) = virtual_host::virtual_host(config, &authority) else {
            self.hop(at, false, &by, &format!("no virtual host for {authority}"));
            return Ok(None);
        };
        let name = json::text(host, "/name");
        let (route, others) = virtual_host::route(host, &connection.headers)
            .map_err(|what| format!("virtual host {name}: {what}"))?;
        let others = || -> Others {
            let all = others.iter();
            all.map(|name| (Object::new("route", "", name), "does not match".to_owned()))
                .collect()
        };
        let Some(route) = route else {
            let by = Object::new("virtual host", "", name);
            let because = format!("none of its routes matches {}", connection.headers.path());
            self.told(
                at,
                DecisionBuilder::stops(Some(&by), because).after(&others),
            );
            return Ok(None);
        };
        let own = virtual_host::name(route);
        let by = super::istio_metadata::object(route, "route", &own);
        let because = format!(
            "virtual host {name} takes {authority}, its route {own} takes {}",
            connection.headers.path()
        );
        self.told(
            at,
            DecisionBuilder::passes(Some(&by), because).after(&others),
        );
        Ok(Some(Routed {
            config,
            host,
            route,
        }))
    }

    /// One filter; the end of a request that goes no further.
    fn http_filter(
        &mut self,
        at: Place<'d>,
        manager: &Value,
        filter: &Value,
        routed: Option<Routed<'d>>,
        connection: &mut Downstream,
    ) -> Option<End> {
        let name = json::text(filter, "/name");
        let owners: Vec<&Value> = match &routed {
            Some(routed) => vec![routed.route, routed.host, routed.config],
            None => Vec::new(),
        };
        let of_route = filters::per_route(name, &owners);
        if filters::is_off(filter, of_route) {
            return None;
        }
        let config = &filter["typed_config"];
        match filters::kind(filter) {
            Some(FilterKind::Passing) => None,
            Some(FilterKind::Router) => Some(self.routes(at, routed, connection.clone())),
            Some(FilterKind::HttpRbac) => {
                let config = of_route.map_or(config, |own| &own["rbac"]);
                let forwarded = connection.headers.get("x-forwarded-for").is_some()
                    || manager["xff_num_trusted_hops"].as_u64().unwrap_or_default() > 0;
                let query = AccessQuery {
                    connection,
                    http: true,
                    remote: connection.source.filter(|_| !forwarded),
                };
                if self.authorizes(at, config, query) {
                    return None;
                }
                Some(self.replies(connection, &LocalReply::denied("")))
            }
            Some(FilterKind::Fault) => {
                self.fault(at, of_route.unwrap_or(config), routed, connection)
            }
            Some(FilterKind::Cors) => {
                let asks = connection.headers.method() == "OPTIONS"
                    && connection.headers.get("origin").is_some();
                if asks {
                    self.unknown(at, format!("HTTP filter {name}, for a preflight request"));
                }
                None
            }
            Some(
                FilterKind::NetworkRbac | FilterKind::TcpProxy | FilterKind::HttpConnectionManager,
            )
            | None => {
                self.unknown(at, format!("HTTP filter {name}"));
                None
            }
        }
    }

    /// An injected fault.
    fn fault(
        &mut self,
        at: Place,
        config: &Value,
        routed: Option<Routed>,
        connection: &Downstream,
    ) -> Option<End> {
        let abort = config.get("abort")?;
        let cluster = json::text(config, "/upstream_cluster");
        let chosen = routed.map_or("", |routed| json::text(routed.route, "/route/cluster"));
        if !cluster.is_empty() && cluster != chosen {
            return None;
        }
        let headers =
            json::list(config, "/headers").map(|one| header_matches(one, &connection.headers));
        let applies = Matches::all(headers.chain(std::iter::once(share(&abort["percentage"]))));
        let status = abort["http_status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok());
        match (applies, status) {
            (Matches::No, _) => None,
            (Matches::Yes, Some(status)) => {
                let route = routed.map_or(&Value::Null, |routed| routed.route);
                let by = super::istio_metadata::object(route, "filter", "fault");
                self.hop(at, false, &by, &format!("injects the status {status}"));
                Some(self.replies(connection, &LocalReply::fault(status)))
            }
            (Matches::Yes, None) => {
                self.unknown(at, "fault.abort without http_status");
                None
            }
            (Matches::Unknown(what), _) => {
                self.unknown(at, format!("fault.abort: {what}"));
                None
            }
        }
    }

    /// The proxy answers itself.
    pub(super) fn replies(&mut self, connection: &Downstream, reply: &LocalReply) -> End {
        self.answers(reply.status);
        End::Answer(reply.answer(&connection.headers.method()))
    }
}
