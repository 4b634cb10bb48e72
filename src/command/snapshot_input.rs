//! The input of `explain` and `analyze`: the steps as if every resource existed, or the live resources, with the user's files
//! added; or the user's files alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::session::{Prepared, Session};
use super::{manifests, planned_snapshot};
use crate::cli::{Global, Subject};
use crate::engine::absence::proves_absence_of;
use crate::error::{CommandError, Exit};
use crate::google::NoWatch;
use crate::kinds::{Clients, Step, live_snapshot};
use crate::text::did_you_mean;
use egress::snapshot_input::SnapshotInput;

/// Reads the objects to evaluate; with live objects also returns how they were reached.
pub async fn sources(
    global: &Global,
    looks: &Subject,
) -> Result<(Session, Option<Prepared>, SnapshotInput), CommandError> {
    // Errors in files are reported before any request is sent.
    let given = match looks.manifests.is_empty() {
        true => manifests::read(&looks.from)?,
        false => manifests::read(&looks.manifests)?,
    };
    manifests::check(&given)?;
    let through = looks.through.as_deref();
    let (session, ready, sources) = if !looks.manifests.is_empty() {
        let session = offline(global, Session::open)?;
        (session, None, manifests::alone(&given))
    } else if looks.live {
        let mut session = Session::open(global)?;
        let ready = session.ready(through, false, false).await?;
        let live = live(&session, &ready).await?;
        (session, Some(ready), live)
    } else {
        let session = offline(global, |global| {
            let session = Session::open(global)?;
            session.steps(through).map(|_| session)
        })?;
        let steps = session.steps(through)?.steps;
        manifests::check_steps(planned_snapshot::objects_of(&steps))?;
        (session, None, planned_snapshot::of_steps(&steps))
    };
    let objects = given.into_iter().map(|manifest| manifest.object).collect();
    Ok((session, ready, planned_snapshot::with(sources, objects)))
}

/// Checks that a namespace exists: an answer for a missing one would be useless.
pub fn is_there(sources: &SnapshotInput, namespace: &str) -> Result<(), CommandError> {
    let namespaces = sources
        .kubernetes
        .iter()
        .filter(|object| object["kind"] == "Namespace")
        .filter_map(|object| object.pointer("/metadata/name")?.as_str());
    let namespaces: BTreeSet<&str> = namespaces.collect();
    let unread = |each: &egress::object::Unknown| each.object.kind == "Namespace";
    if namespaces.contains(namespace) || sources.unread.iter().any(unread) {
        return Ok(());
    }
    let near = did_you_mean(namespace, namespaces.iter().copied());
    let names: Vec<&str> = namespaces.into_iter().collect();
    Err(CommandError::usage(
        format!("namespace `{namespace}` not found{near}"),
        &format!("use one of {}", names.join(", ")),
    ))
}

/// A session that sends no request: if no project is set, the example's is used.
fn offline(
    global: &Global,
    open: impl Fn(&Global) -> Result<Session, CommandError>,
) -> Result<Session, CommandError> {
    open(global).or_else(|_| {
        open(&Global {
            emulate: true,
            ..global.clone()
        })
    })
}

/// The step of the cluster, and what reaches it; `None` without such a step.
pub fn cluster(ready: &Prepared) -> Option<(Clients, &Step)> {
    let mut steps = ready.steps.iter();
    let cluster = steps.find(|step| step.kind.name() == "container.cluster")?;
    let clients = Clients {
        client: ready.client.clone(),
        watch: Arc::new(NoWatch),
        clusters: ready.clusters(false),
    };
    Some((clients, cluster))
}

/// The live resources.
async fn live(session: &Session, ready: &Prepared) -> Result<SnapshotInput, CommandError> {
    let none = || {
        CommandError::failed(
            "the cluster does not exist yet",
            "omit --live to explain the steps, or run `provision up` first",
        )
    };
    let (clients, cluster) = cluster(ready).ok_or_else(none)?;
    let has_zones = session
        .state
        .ours()
        .any(|tracked| tracked.resource.kind == "dns.managedZone");
    let read = live_snapshot::read(&clients, &cluster.at, has_zones).await;
    let read = read.or_else(
        |error| match proves_absence_of(&error, &session.state, cluster) {
            true => Ok(None),
            false => Err(error),
        },
    );
    let read = read.map_err(|error| CommandError {
        exit: Exit::Failed,
        errors: vec![format!("the live objects were not seen: {error}")],
        hint: error.hint(),
    })?;
    read.ok_or_else(none)
}
