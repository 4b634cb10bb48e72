//! Which connections a pod's sidecar takes, and what a proxy does with every HTTP request before it looks for a route.

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::forward::ReceivedAt;
use super::local_reply::LocalReply;
use super::upstream::UpstreamTarget;
use crate::object::Unknown;
use crate::pod::{Pod, Proxy};
use crate::redirection;
use crate::trace;
use crate::virtual_service::HttpRequest;

impl<'s> Simulation<'_, 's> {
    /// A connection of the application in a pod.
    pub(super) fn opens(
        &mut self,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        if !self.takes_outgoing(pod, to) {
            return self.goes(pod, to, carried);
        }
        self.leaves(pod, to, carried)
    }

    /// Whether a pod's sidecar takes a connection of its application.
    pub(super) fn takes_outgoing(&mut self, pod: &Pod, to: UpstreamTarget) -> bool {
        if pod.proxy != Proxy::Sidecar {
            return false;
        }
        self.notes_redirection(pod);
        let Some(because) = pod.redirection.passes_by(pod.address, to.address, to.port) else {
            return true;
        };
        let because = format_args!("the connection goes past it: {because}");
        self.hop(
            trace::HopLocation::Sidecar,
            &pod.object,
            DecisionBuilder::passes(Some(&pod.object), because),
        );
        false
    }

    /// A connection to a pod with a sidecar: through it, unless its port is not redirected.
    pub(super) fn enters_injected(
        &mut self,
        from: &Pod,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        self.notes_redirection(pod);
        // The application's connection to its own pod does not leave it.
        let itself = from.address.is_some() && from.address == pod.address && !self.by_proxy;
        let past = match itself {
            true => Some("the pod connects to itself"),
            false => pod.redirection.lets_past(to.port),
        };
        if redirection::is_capture_port(to.port) && !itself {
            let because =
                "the port is the one to which connections are redirected, and nothing is behind it";
            self.hop(
                trace::HopLocation::ServerSidecar,
                &pod.object,
                DecisionBuilder::stops(None, because),
            );
            return ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::Reset));
        }
        let Some(because) = past else {
            return self.enters_sidecar(from, pod, to, carried);
        };
        if pod.redirection.is_off() && !itself {
            // Without redirection the proxy binds the ports that its Sidecar resource names.
            self.unknown.insert(Unknown {
                object: pod.object.clone(),
                field: "metadata.annotations[sidecar.istio.io/interceptionMode]".to_owned(),
            });
        }
        let because = format_args!("the connection goes past it: {because}");
        self.hop(
            trace::HopLocation::ServerSidecar,
            &pod.object,
            DecisionBuilder::passes(Some(&pod.object), because),
        );
        match redirection::is_own_port(to.port) && !itself {
            true => self.enters_agent(pod, to, carried),
            false => self.enters_pod(pod, to, carried),
        }
    }

    /// Records annotations about redirection that are not covered.
    fn notes_redirection(&mut self, pod: &Pod) {
        let fields = pod.redirection.unknown.iter().map(|name| Unknown {
            object: pod.object.clone(),
            field: format!("metadata.annotations[{name}]"),
        });
        self.unknown.extend(fields);
    }

    /// Records what is not covered of the mesh's own configuration.
    pub(super) fn notes_mesh(&mut self) {
        if let Some(config) = &self.evaluator.snapshot.mesh.config {
            self.notes(config);
        }
    }

    /// The path as the proxy normalizes it.
    pub(super) fn normalizes(&self, message: &mut HttpRequest) {
        let path = self.evaluator.snapshot.mesh.paths.of(&message.path);
        message.path = path;
    }

    /// The reply to `CONNECT`, which Envoy takes for a tunnel: no route here allows one, and curl sends a path with it.
    pub(super) fn refuses_tunnel(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        message: &HttpRequest,
    ) -> Option<ConnectionReport> {
        if message.method != "CONNECT" {
            return None;
        }
        self.hop(
            at.place,
            &at.pod.object,
            DecisionBuilder::stops(None, "CONNECT opens a tunnel, and no route allows that"),
        );
        let mut line = at.line(Some(message));
        line.write(|line| line.route.clear());
        Some(at.replies(&message.method, &LocalReply::bad_request(), line))
    }

    /// The ports of the proxy itself: readiness and metrics, in plain text.
    pub(super) fn enters_agent(
        &mut self,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        let paths: &[&str] = match to.port {
            15021 => &["/healthz/ready"],
            15090 => &["/stats/prometheus"],
            _ => &["/healthz/ready", "/stats/prometheus", "/metrics"],
        };
        let mut answers = |message: &HttpRequest| {
            let status = match paths.contains(&message.bare_path()) {
                true => 200,
                false => 404,
            };
            let because = format_args!("its proxy answers {status} on its own port {}", to.port);
            self.hop(
                trace::HopLocation::Server,
                &pod.object,
                DecisionBuilder::passes(None, because),
            );
            ConnectionOutcome::Answer(trace::HttpAnswer::bare(status))
        };
        let outcome = match (&carried.wrap, &carried.content) {
            (None, Content::Http(message, _)) => answers(message),
            _ => {
                self.hop(
                    trace::HopLocation::Server,
                    &pod.object,
                    DecisionBuilder::stops(None, "its proxy does not use TLS on this port"),
                );
                ConnectionOutcome::Ended(ConnectionEnd::NotTls)
            }
        };
        ConnectionReport::at_once(outcome)
    }
}
