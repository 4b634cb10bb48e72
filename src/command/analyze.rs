//! `analyze`: problems in the mesh's configuration that istioctl's analyzers report, and some that they do not report.

use clap::Args;

use super::output::say;
use super::snapshot_input::{is_there, sources};
use crate::cli::{Global, Subject};
use crate::error::{CommandError, Exit};
use crate::ui::{findings, json_line};
use egress::analyze::{Level, analyze as find};

/// Report problems in the mesh's configuration; exit 3 if there is an error or a warning
///
/// IST codes are those of istioctl's analyzers. EGR codes are provision's own.
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Report only the findings in this namespace
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// What is analyzed.
    #[command(flatten)]
    subject: Subject,
}

/// Analyzes the objects, or those of one namespace.
pub async fn analyze(global: &Global, args: AnalyzeArgs) -> Result<Exit, CommandError> {
    let namespace = args.namespace.as_deref();
    let (session, sources) = sources(global, &args.subject).await?;
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
