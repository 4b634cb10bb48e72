//! `verify`: the tutorial's checks, carried out on what is there. Nothing is made, changed or removed.

use std::time::Duration;

use super::prepare::Ground;
use super::verbs::{outcome, watch};
use super::{Row, say};
use crate::engine::run::Book;
use crate::engine::tasks;
use crate::error::{Exit, Halt};
use crate::ui::claims::Claims;

/// How long a check may take to come true on Google Cloud: a managed control plane takes up to minutes over a policy.
const SETTLE: Duration = Duration::from_secs(120);

/// Looks whether every claim through a chapter holds.
pub async fn verify(
    ground: &mut Ground,
    row: Row,
    through: Option<&str>,
    settle: Option<u64>,
) -> Result<Exit, Halt> {
    let ready = ground.ready(through, row.looks_up, row.acts).await?;
    // The emulated data plane answers from the objects that are there: it has nothing to settle.
    let usual = if ground.global.emulate {
        Duration::ZERO
    } else {
        SETTLE
    };
    let settle = settle.map_or(usual, Duration::from_secs);
    let tasks = tasks::claims(&ready.claims, settle);
    let mut claims = Claims::default();
    let book = Book::Read(&ground.state);
    let ended = watch(ground, row, &ready, tasks, book, |event| claims.hear(event)).await;
    if !ground.json() {
        say(&claims.text(&ground.tutorial.chapters, &ready.claims, ground.paint.0));
    }
    Ok(match outcome(&ended) {
        Exit::Done if ended.tally.unmet > 0 => Exit::Different,
        exit => exit,
    })
}
