//! Responses that go on until they end or the server stops: watches, and logs that are followed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;

use super::controllers;
use super::handle::ClusterHandle;
use super::log::Tail;
use super::watch::Watch;
use crate::clock::Millis;

/// The longest time between two looks, in milliseconds: a change on Google's side sends no notification.
const LOOK: Millis = 500;
/// The time between two bookmarks of a watch that asked for them, in milliseconds.
const BOOKMARK: Millis = 60_000;

/// The result of one look at the cluster.
struct Look {
    /// What to send.
    text: String,
    /// Whether this is the end.
    over: bool,
    /// When to look again if no request changes the cluster before, in milliseconds.
    pause: Millis,
}

/// A response body that is made of the texts of repeated looks.
fn body(handle: &Arc<ClusterHandle>, look: impl FnMut() -> Look + Send + 'static) -> Body {
    struct State<L> {
        look: L,
        handle: Arc<ClusterHandle>,
        changes: Receiver<u64>,
        over: bool,
    }
    let state = State {
        look,
        handle: Arc::clone(handle),
        changes: handle.changes(),
        over: false,
    };
    let chunks = stream::unfold(state, |mut state| async move {
        loop {
            if state.over {
                return None;
            }
            // Marked as seen before the look, so that a change after it is noticed.
            state.changes.mark_unchanged();
            let found = (state.look)();
            state.over = found.over;
            if !found.text.is_empty() {
                return Some((Bytes::from(found.text), state));
            }
            if !found.over {
                let pause = Duration::from_millis(found.pause.clamp(1, LOOK).unsigned_abs());
                tokio::select! {
                    () = state.handle.stopped() => state.over = true,
                    _ = tokio::time::timeout(pause, state.changes.changed()) => {}
                }
            }
        }
    });
    Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>))
}

/// The events of a watch, a line each.
pub fn watch(handle: Arc<ClusterHandle>, mut watch: Watch) -> Body {
    let inner = Arc::clone(&handle);
    let mut marked: Option<Millis> = None;
    body(&handle, move || {
        let found = inner.with(|cluster| {
            controllers::tick(cluster);
            (watch.next(cluster), cluster.now(), cluster.next_due())
        });
        let Ok((events, now, due)) = found else {
            return Look {
                text: String::new(),
                over: true,
                pause: 0,
            };
        };
        let (mut events, mut over) = match events {
            Ok(events) => (events, now >= watch.until),
            Err(status) => (
                vec![json!({"type": "ERROR", "object": status.body()})],
                true,
            ),
        };
        if watch.wants_bookmarks() && now - *marked.get_or_insert(now) >= BOOKMARK {
            marked = Some(now);
            events.push(watch.bookmark());
        }
        over |= now >= watch.until;
        let pause = due.unwrap_or(now + LOOK).min(watch.until) - now;
        Look {
            text: lines(&events),
            over,
            pause,
        }
    })
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// The lines of a log.
pub fn log(handle: Arc<ClusterHandle>, tail: Tail) -> Body {
    let inner = Arc::clone(&handle);
    let mut sent: Option<usize> = None;
    body(&handle, move || {
        let found = inner.with(|cluster| {
            controllers::tick(cluster);
            let all = cluster.log(&tail.log);
            let lost = cluster.lost(&tail.log);
            let from = sent
                .map(|sent| sent.saturating_sub(lost))
                .unwrap_or_else(|| tail.last.map_or(0, |last| all.len().saturating_sub(last)))
                .min(all.len());
            let text: String = all[from..].iter().map(|line| format!("{line}\n")).collect();
            let alive = cluster
                .store
                .get(&tail.pod)
                .is_some_and(|pod| pod["metadata"]["uid"] == tail.uid.as_str());
            (text, lost + all.len(), alive)
        });
        let (text, now, alive) = found.unwrap_or_default();
        sent = Some(now);
        Look {
            text,
            over: !tail.follow || !alive,
            pause: LOOK,
        }
    })
}
