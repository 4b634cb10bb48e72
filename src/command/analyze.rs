//! `analyze`: what is wrong with the mesh's configuration, as istioctl's analyzers would say it, and what they do not say.

use super::say;
use super::snapshot_input::{is_there, sources};
use crate::cli::{Global, Subject};
use crate::error::{CommandError, Exit};
use crate::ui::{findings, json_line};
use egress::analyze::{Level, analyze as find};

/// Analyzes the objects; of one namespace where one is named.
pub async fn analyze(
    global: &Global,
    namespace: Option<&str>,
    looks: &Subject,
) -> Result<Exit, CommandError> {
    let (session, sources) = sources(global, looks).await?;
    if let Some(namespace) = namespace {
        is_there(&sources, namespace)?;
    }
    let found = find(&sources.kubernetes, namespace);
    let text = match session.json() {
        true => found.iter().map(json_line).collect(),
        false => findings::text(&found, namespace, session.paint.0),
    };
    say(&text);
    let grave = |level: Level| matches!(level, Level::Error | Level::Warning);
    Ok(
        match found.iter().any(|finding| grave(finding.code.level())) {
            true => Exit::Different,
            false => Exit::Done,
        },
    )
}
