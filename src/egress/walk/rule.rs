//! A rule of a VirtualService, followed: faults, answers of its own, and where it sends.

use std::time::Duration;

use super::Walk;
use super::carried::{Heard, Outcome};
use super::forward::{Again, At, Sending, delayed};
use super::reply::Reply;
use super::routes::Placed;
use crate::egress::account::Ruling;
use crate::egress::object::Object;
use crate::egress::virtual_service::{Action, Destination, HttpMatch, Message};

impl<'s> Walk<'_, 's> {
    /// Follows a rule for a request that meets it. `port` is the listener's.
    pub(super) fn follows(
        &mut self,
        at: &At<'_, 's>,
        placed: &Placed<'s>,
        meets: &HttpMatch,
        message: Message,
        port: u16,
    ) -> Heard {
        let rule = placed.rule;
        let by = &placed.of.object;
        let fault = &rule.fault;
        let name = route_name(placed, meets);
        if let Some(status) = fault.abort {
            self.hop(
                at.place,
                &at.pod.object,
                Ruling::stops(
                    Some(by),
                    format!("answers {status} on purpose (fault.abort)"),
                ),
            );
            let mut line = at.line(Some(&message));
            line.route = name;
            return held_up(
                at.replies(&message, &Reply::fault(status), line),
                fault.delay,
            );
        }
        let heard = match &rule.action {
            Action::Route(destinations) => match destinations.first() {
                Some(destination) => {
                    self.hop(at.place, &at.pod.object, sent(by, &message, destinations));
                    let mut message = message;
                    rule.request.apply(&mut message);
                    destination.request.apply(&mut message);
                    rewritten(placed, meets, &mut message);
                    let again = Again::of(
                        rule.retries.as_ref(),
                        self.stage.scene.mesh.retries_unavailable(),
                    );
                    let sending = Sending {
                        timeout: rule.timeout,
                        route: name,
                        ..Sending::to(at, destination, port, message, again)
                    };
                    let mut heard = self.sends(at, sending);
                    if let Outcome::Answer(answer) = &mut heard.outcome {
                        destination.response.apply_to(&mut answer.headers);
                        rule.response.apply_to(&mut answer.headers);
                    }
                    heard
                }
                None => {
                    self.hop(
                        at.place,
                        &at.pod.object,
                        Ruling::stops(Some(by), "its rule has no destination"),
                    );
                    at.replies(&message, &Reply::no_cluster(), at.line(Some(&message)))
                }
            },
            own => {
                let (status, body, location) = answered(own, &message);
                let because = format!("answers {status} by itself");
                self.hop(at.place, &at.pod.object, Ruling::stops(Some(by), because));
                let mut line = at.line(Some(&message));
                line.route = name;
                let mut heard = at.replies(&message, &Reply::direct(status, &body), line);
                if let (Outcome::Answer(answer), Some(location)) = (&mut heard.outcome, location) {
                    answer.headers.insert(0, ("location".to_owned(), location));
                }
                heard
            }
        };
        held_up(heard, fault.delay)
    }
}

/// Istio names a route after its rule and match.
fn route_name(placed: &Placed, meets: &HttpMatch) -> String {
    match (placed.rule.name.as_str(), meets.name.as_str()) {
        ("", _) => String::new(),
        (rule, "") => rule.to_owned(),
        (rule, meets) => format!("{rule}.{meets}"),
    }
}

/// Where a rule sends, the others of its destinations with their shares.
fn sent(by: &Object, message: &Message, destinations: &[Destination]) -> Ruling {
    let to = |destination: &Destination| {
        let port = destination
            .port
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        match destination.subset.as_str() {
            "" => format!("{}{port}", destination.host),
            subset => format!("{}{port}, subset {subset}", destination.host),
        }
    };
    let total: u64 = destinations
        .iter()
        .map(|destination| destination.weight)
        .sum();
    let first = destinations.first().map(to).unwrap_or_default();
    let others = destinations.iter().skip(1).map(|each| {
        let share = format!("sends {} of {total} to {}", each.weight, to(each));
        (by.clone(), share)
    });
    let because = format!("routes {} to {first}", message.authority);
    Ruling::passes(Some(by), because).after(others.collect())
}

/// Changes a request's URL as its rule says.
fn rewritten(placed: &Placed, meets: &HttpMatch, message: &mut Message) {
    let rewrite = &placed.rule.rewrite;
    if !rewrite.authority.is_empty() {
        message.authority.clone_from(&rewrite.authority);
    }
    if !rewrite.uri.is_empty() {
        let path = meets.rewritten(&message.path, &rewrite.uri);
        message.original_path = Some(std::mem::replace(&mut message.path, path));
    }
}

/// What a rule answers by itself: status, body, and where to.
fn answered(action: &Action, message: &Message) -> (u16, String, Option<String>) {
    match action {
        Action::Respond { status, body } => (*status, body.clone(), None),
        Action::Redirect {
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
        Action::Route(_) => (503, String::new(), None),
    }
}

/// Held up before it goes anywhere (`fault.delay`).
fn held_up(mut heard: Heard, by: Option<Duration>) -> Heard {
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
