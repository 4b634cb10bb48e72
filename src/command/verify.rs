//! `verify`: the tutorial's checks, carried out on what is there. Nothing is made, changed or removed.

use std::sync::Arc;
use std::time::Duration;

use super::prepare::{Ground, Ready};
use super::verbs::{outcome, watch};
use super::{Row, say};
use crate::engine::run::Book;
use crate::engine::tasks;
use crate::error::{Exit, Halt};
use crate::google::{Api, Quiet};
use crate::kinds::claims::answers;
use crate::kinds::{Clusters, Door};
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
    somebody_answers(&ready).await?;
    // The emulated data plane answers from the objects that are there: it has nothing to settle.
    let usual = match ready.client.endpoints().is_loopback(Api::Container) {
        true => Duration::ZERO,
        false => SETTLE,
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

/// Whether the cluster can be asked at all: where it cannot, that is said once, and not by every check.
async fn somebody_answers(ready: &Ready) -> Result<(), Halt> {
    let Some(claim) = ready.claims.first() else {
        return Ok(());
    };
    let door = Door {
        client: ready.client.clone(),
        watch: Arc::new(Quiet),
        clusters: Clusters::default(),
    };
    let text = |key: &str| claim.at.get(key).and_then(|value| value.as_str());
    let [cluster, location, project] =
        ["cluster", "location", "project"].map(|key| text(key).unwrap_or_default());
    match answers(&door, &claim.at).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Halt::failed(
            format!(
                "nothing to check: there is no cluster {cluster} in {location} of project {project}"
            ),
            "`provision up` makes it; what requests would get then, `provision explain` says without it",
        )),
        Err(error) => Err(Halt {
            exit: Exit::Failed,
            errors: vec![format!("ask cluster {cluster}: {error}")],
            hint: error.hint(),
        }),
    }
}
