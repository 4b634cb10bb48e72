//! `explain`: what would happen to a request, hop by hop, and which object decides; from the steps before anything exists, or
//! of what is there.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::prepare::{Ground, Ready};
use super::{picture, say};
use crate::cli::Global;
use crate::egress::request::Request;
use crate::egress::scene::{Scene, Sources};
use crate::error::{Exit, Halt};
use crate::google::Quiet;
use crate::kinds::{Clusters, Door, surroundings};
use crate::ui::explain;

/// What to explain.
#[derive(Debug)]
pub struct Question {
    /// Where the request comes from, and where it goes.
    pub request: Option<(String, String)>,
    /// Its method.
    pub method: String,
    /// Whether the pod that asks has no sidecar.
    pub no_sidecar: bool,
    /// Whether what is there decides, instead of the steps.
    pub live: bool,
    /// Every namespace and every known host.
    pub matrix: bool,
    /// The steps through this chapter.
    pub through: Option<String>,
    /// Files with objects that stand instead of those of the same name.
    pub from: Vec<PathBuf>,
}

/// Explains a request, or all of them.
pub async fn explain(global: &Global, question: Question) -> Result<Exit, Halt> {
    let mut objects = Vec::new();
    for file in &question.from {
        let shown = file.display();
        let bad =
            |error: String| Halt::usage(format!("{shown}: {error}"), "name files of manifests");
        let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
        objects.extend(picture::objects(&text).map_err(bad)?);
    }
    let request = question.asked()?;
    let through = question.through.as_deref();
    let (ground, sources) = if question.live {
        let mut ground = Ground::lay(global)?;
        let ready = ground.ready(through, false, false).await?;
        let sources = live(&ready).await?;
        (ground, sources)
    } else {
        let ground = ground(global, through)?;
        let sources = picture::of_steps(&ground.steps(through)?);
        (ground, sources)
    };
    let scene = Scene::read(&picture::with(sources, objects));
    let text = match request {
        Some(request) => {
            let account = scene.account(&request);
            match ground.json() {
                true => format!(
                    "{}\n",
                    json!({"url": request.url(), "namespace": request.from.namespace, "account": account})
                ),
                false => explain::text(&request, &account, ground.paint.0),
            }
        }
        None => String::new(),
    };
    say(&text);
    Ok(Exit::Done)
}

impl Question {
    /// The request; none where all of them are asked about.
    fn asked(&self) -> Result<Option<Request>, Halt> {
        let Some((namespace, url)) = self.request.as_ref().filter(|_| !self.matrix) else {
            return Ok(None);
        };
        let bad = |error| Halt::usage(error, "write it as curl takes it: http://example.com/");
        let mut request = Request::get(namespace, url).map_err(bad)?;
        request.method.clone_from(&self.method);
        request.from.sidecar = self.no_sidecar.then_some(false);
        Ok(Some(request))
    }
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
        clusters: Clusters::default(),
    };
    let read = surroundings::read(&door, &cluster.at).await;
    let read = read.map_err(|error| Halt {
        exit: Exit::Failed,
        errors: vec![format!("read what is there: {error}")],
        hint: error.hint(),
    })?;
    read.ok_or_else(none)
}
