//! Applies a rule of a VirtualService: faults, direct responses and redirects, and its destination.

use std::time::Duration;

use super::Simulation;
use super::connection::{ConnectionOutcome, ConnectionReport};
use super::decision::{DecisionBuilder, Others};
use super::forward::{ReceivedAt, RetryPolicy, RouteName, UpstreamRequest, delayed};
use super::local_reply::LocalReply;
use super::routes::ApplicableRule;
use crate::object::Object;
use crate::virtual_service::{Destination, HttpAction, HttpMatch, HttpRequest};

impl<'s> Simulation<'_, 's> {
    /// Applies a rule to a request that matches it. `port` is the listener's.
    pub(super) fn follows(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        placed: &ApplicableRule<'s>,
        meets: &'s HttpMatch,
        message: HttpRequest,
        port: u16,
    ) -> ConnectionReport {
        let rule = placed.rule;
        let by = &placed.of.object;
        let fault = &rule.fault;
        let name = RouteName {
            rule: &rule.name,
            meets: &meets.name,
        };
        if let Some(status) = fault.abort {
            self.hop(
                at.place,
                &at.pod.object,
                DecisionBuilder::stops(Some(by), format_args!("returns {status} (fault.abort)")),
            );
            let mut line = at.line(Some(&message));
            line.write(|line| line.route = name.to_string());
            return held_up(
                at.replies(&message.method, &LocalReply::fault(status), line),
                fault.delay,
            );
        }
        let heard = match &rule.action {
            HttpAction::Route(destinations) => match destinations.first() {
                Some(destination) => {
                    let because = format_args!("routes {} to {destination}", message.authority);
                    let others = || shares(by, destinations);
                    let decision = DecisionBuilder::passes(Some(by), because).after(&others);
                    self.hop(at.place, &at.pod.object, decision);
                    let mut message = message;
                    rule.request.apply(&mut message);
                    destination.request.apply(&mut message);
                    rewritten(placed, meets, &mut message);
                    let again = RetryPolicy::of(
                        rule.retries.as_ref(),
                        self.evaluator.snapshot.mesh.retries_unavailable(),
                    );
                    let sending = UpstreamRequest {
                        timeout: rule.timeout,
                        route: name,
                        ..UpstreamRequest::to(at, destination, port, message, again)
                    };
                    let mut heard = self.sends(at, sending);
                    if let ConnectionOutcome::Answer(answer) = &mut heard.outcome {
                        destination.response.apply_to(&mut answer.headers);
                        rule.response.apply_to(&mut answer.headers);
                    }
                    heard
                }
                None => {
                    self.hop(
                        at.place,
                        &at.pod.object,
                        DecisionBuilder::stops(Some(by), "its rule has no destination"),
                    );
                    at.replies(
                        &message.method,
                        &LocalReply::no_cluster(),
                        at.line(Some(&message)),
                    )
                }
            },
            own => {
                let (status, body, location) = answered(own, &message);
                let because = format_args!("returns {status} itself");
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::stops(Some(by), because),
                );
                let mut line = at.line(Some(&message));
                line.write(|line| line.route = name.to_string());
                let mut heard =
                    at.replies(&message.method, &LocalReply::direct(status, &body), line);
                if let (ConnectionOutcome::Answer(answer), Some(location)) =
                    (&mut heard.outcome, location)
                {
                    answer.headers.insert(0, ("location".to_owned(), location));
                }
                heard
            }
        };
        held_up(heard, fault.delay)
    }
}

/// The destinations of a rule after the first, with their shares.
fn shares(by: &Object, destinations: &[Destination]) -> Others {
    let total: u64 = destinations
        .iter()
        .map(|destination| destination.weight)
        .sum();
    let others = destinations.iter().skip(1).map(|each| {
        let share = format!("sends {} of {total} to {each}", each.weight);
        (by.clone(), share)
    });
    others.collect()
}

/// Rewrites a request's URL as its rule states.
fn rewritten(placed: &ApplicableRule, meets: &HttpMatch, message: &mut HttpRequest) {
    let rewrite = &placed.rule.rewrite;
    if !rewrite.authority.is_empty() {
        message.authority.clone_from(&rewrite.authority);
    }
    if !rewrite.uri.is_empty() {
        let path = meets.rewritten(&message.path, &rewrite.uri);
        message.original_path = Some(std::mem::replace(&mut message.path, path));
    }
}

/// A rule's own answer: status, body and target.
fn answered(action: &HttpAction, message: &HttpRequest) -> (u16, String, Option<String>) {
    match action {
        HttpAction::Respond { status, body } => (*status, body.clone(), None),
        HttpAction::Redirect {
            status,
            scheme,
            authority,
            port,
            uri,
        } => {
            let scheme = if scheme.is_empty() { "http" } else { scheme };
            let host = if authority.is_empty() {
                &message.authority
            } else {
                authority
            };
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let path = if uri.is_empty() { &message.path } else { uri };
            (
                *status,
                String::new(),
                Some(format!("{scheme}://{host}{port}{path}")),
            )
        }
        HttpAction::Route(_) => (503, String::new(), None),
    }
}

/// Delays a request before it is forwarded (`fault.delay`).
fn held_up(mut heard: ConnectionReport, by: Option<Duration>) -> ConnectionReport {
    let Some(by) = by else {
        return heard;
    };
    heard.waits += by;
    let mut lines = heard.lines.into_iter();
    let own = lines.next().map(|mut line| {
        line.duration += by;
        line
    });
    let further: Vec<_> = lines.collect();
    heard.lines = own.into_iter().chain(delayed(&further, by)).collect();
    heard
}
