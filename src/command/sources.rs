//! What `explain` and `analyze` look at: the steps as if everything was there, or what is there; with a user's files laid over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::prepare::{Ground, Ready};
use super::{nearest, picture};
use crate::cli::{Global, Looks};
use crate::error::{Exit, Halt};
use crate::google::{Class, Quiet};
use crate::kinds::{Door, surroundings};
use egress::sources::Sources;

/// Reads what a question is about.
pub async fn sources(global: &Global, looks: &Looks) -> Result<(Ground, Sources), Halt> {
    // Bad files are told before anything is asked of anybody.
    let mut objects = Vec::new();
    for file in &looks.from {
        objects.extend(read(file)?);
    }
    let through = looks.through.as_deref();
    let (ground, sources) = if looks.live {
        let mut ground = Ground::lay(global)?;
        let ready = ground.ready(through, false, false).await?;
        (ground, live(&ready).await?)
    } else {
        let ground = ground(global, through)?;
        let sources = picture::of_steps(&ground.steps(through)?);
        (ground, sources)
    };
    Ok((ground, picture::with(sources, objects)))
}

/// That a namespace is there: what holds in one that is not would answer nobody's question.
pub fn is_there(sources: &Sources, namespace: &str) -> Result<(), Halt> {
    let known = sources
        .kubernetes
        .iter()
        .filter(|object| object["kind"] == "Namespace")
        .filter_map(|object| object.pointer("/metadata/name")?.as_str());
    let known: BTreeSet<&str> = known.collect();
    if known.contains(namespace) {
        return Ok(());
    }
    let near = nearest(namespace, known.iter().copied());
    let names: Vec<&str> = known.into_iter().collect();
    Err(Halt::usage(
        format!("there is no namespace `{namespace}`{near}"),
        &format!("name one of {}", names.join(", ")),
    ))
}

/// The objects of a file.
fn read(file: &PathBuf) -> Result<Vec<serde_json::Value>, Halt> {
    let bad = |error: String| {
        let error = format!("{}: {error}", file.display());
        Halt::usage(
            error,
            "name files of manifests, as `kubectl apply -f` takes them",
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    picture::objects(&text).map_err(bad)
}

/// Of the steps alone nothing is asked of anybody: where no project is named, an example's will do.
fn ground(global: &Global, through: Option<&str>) -> Result<Ground, Halt> {
    let laid = |global: &Global| {
        let ground = Ground::lay(global)?;
        ground.steps(through).map(|_| ground)
    };
    laid(global).or_else(|_| {
        laid(&Global {
            emulate: true,
            ..global.clone()
        })
    })
}

/// What is there.
async fn live(ready: &Ready) -> Result<Sources, Halt> {
    let none = || {
        Halt::failed(
            "there is no such cluster yet",
            "leave out --live to have the steps explained, or `provision up` first",
        )
    };
    let cluster = ready
        .steps
        .iter()
        .find(|step| step.kind == "container.cluster");
    let cluster = cluster.ok_or_else(none)?;
    let door = Door {
        client: ready.client.clone(),
        watch: Arc::new(Quiet),
        clusters: ready.clusters(false),
    };
    let read = surroundings::read(&door, &cluster.at).await;
    let read = read.or_else(|error| match error.class {
        // Where the API is off there is none.
        Class::ApiDisabled => Ok(None),
        _ => Err(error),
    });
    let read = read.map_err(|error| Halt {
        exit: Exit::Failed,
        errors: vec![format!("read what is there: {error}")],
        hint: error.hint(),
    })?;
    read.ok_or_else(none)
}
