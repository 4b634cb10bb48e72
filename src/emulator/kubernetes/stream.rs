//! Answers that go on: watches, and logs that are followed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;

use super::log::Tail;
use super::server::Shared;
use super::watch::Watch;
use crate::clock::Millis;

/// How long a stream waits at most before it looks at the time again: what Google's side does wakes nobody here.
const LOOK: Millis = 500;
/// How often a watch that wants to know is told how far it is.
const BOOKMARK: Millis = 60_000;

/// What one look at the cluster brings.
struct Look {
    /// What to send.
    text: String,
    /// Whether this is the end.
    over: bool,
    /// How long there is nothing to see, unless somebody changes something.
    pause: Millis,
}

/// A body that looks again and again.
fn body(shared: &Arc<Shared>, look: impl FnMut() -> Look + Send + 'static) -> Body {
    struct State<L> {
        look: L,
        wake: Receiver<u64>,
        over: bool,
    }
    let state = State {
        look,
        wake: shared.listen(),
        over: false,
    };
    let chunks = stream::unfold(state, |mut state| async move {
        loop {
            if state.over {
                return None;
            }
            // Marked as seen before the look, so that a change after it is noticed.
            state.wake.mark_unchanged();
            let found = (state.look)();
            state.over = found.over;
            if !found.text.is_empty() {
                return Some((Bytes::from(found.text), state));
            }
            if !found.over {
                let pause = Duration::from_millis(found.pause.clamp(1, LOOK).unsigned_abs());
                // Either way it looks again; an error means that the server stops, and then so does this.
                let _ = tokio::time::timeout(pause, state.wake.changed()).await;
            }
        }
    });
    Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>))
}

/// The events of a watch, a line each.
pub fn watch(shared: Arc<Shared>, mut watch: Watch) -> Body {
    let inner = Arc::clone(&shared);
    let mut marked: Option<Millis> = None;
    body(&shared, move || {
        let found = inner.with(|cluster| {
            cluster.tick();
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
pub fn log(shared: Arc<Shared>, tail: Tail) -> Body {
    let inner = Arc::clone(&shared);
    let mut told: Option<usize> = None;
    body(&shared, move || {
        let found = inner.with(|cluster| {
            cluster.tick();
            let all = cluster.log(&tail.log);
            let lost = cluster.lost(&tail.log);
            let from = told
                .map(|told| told.saturating_sub(lost))
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
        told = Some(now);
        Look {
            text,
            over: !tail.follow || !alive,
            pause: LOOK,
        }
    })
}
