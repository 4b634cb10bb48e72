//! `analyze`: problems in the mesh's configuration that istioctl's analyzers report, and some that they do not report.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::output::{note, say};
use super::session::{Prepared, Session};
use super::snapshot_input::{is_there, sources};
use crate::cli::{Global, Subject};
use crate::error::{CommandError, Exit};
use crate::google::NoWatch;
use crate::kinds::{Clients, is_analyzed, mesh};
use crate::ui::{findings, json_line};
use egress::analyze::{Code, ControlPlane, Level, analyze_input};

/// Report problems in the mesh's configuration; exit 3 if there is an error or a warning
///
/// IST codes are those of istioctl's analyzers. EGR codes are provision's own.
#[derive(Debug, Args)]
#[command(after_long_help = codes())]
pub struct AnalyzeArgs {
    /// Report only the findings in this namespace
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The control plane that the configuration is for; traffic-director adds what Google names as not supported by it, and as
    /// unknown what Google's list does not name [default: istiod]
    #[arg(long = "for", value_enum, value_name = "CONTROL_PLANE")]
    control_plane: Option<AnalyzeFor>,
    /// What is analyzed.
    #[command(flatten)]
    subject: Subject,
}

/// The list of codes for the help.
fn codes() -> String {
    let row = |code: &Code| format!("  {code}  {:<7}  {}", code.level().as_str(), code.about());
    let rows: Vec<String> = Code::ALL.iter().map(row).collect();
    format!("Codes:\n{}", rows.join("\n"))
}

/// A control plane of the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AnalyzeFor {
    /// Istio's own, which implements all of its objects
    Istiod,
    /// Google's managed control plane in new fleets
    TrafficDirector,
}

impl From<AnalyzeFor> for ControlPlane {
    fn from(given: AnalyzeFor) -> ControlPlane {
        match given {
            AnalyzeFor::Istiod => ControlPlane::Istiod,
            AnalyzeFor::TrafficDirector => ControlPlane::TrafficDirector,
        }
    }
}

/// Analyzes the objects, or those of one namespace.
pub async fn analyze(global: &Global, args: AnalyzeArgs) -> Result<Exit, CommandError> {
    let namespace = args.namespace.as_deref();
    let (session, ready, sources) = sources(global, &args.subject).await?;
    let unread = |each: &&egress::object::Unknown| is_analyzed(&each.object.kind);
    if let Some(unread) = sources.unread.iter().find(unread) {
        let error = format!("the live objects were not seen: {unread}");
        return Err(CommandError::failed(
            error,
            "use an account that may list them",
        ));
    }
    if let Some(namespace) = namespace {
        is_there(&sources, namespace)?;
    }
    if let (None, Some(ready)) = (args.control_plane, &ready) {
        note_traffic_director(&session, ready).await;
    }
    // Without the flag the result is the same as ever, also where Traffic Director is at work.
    let control_plane = args
        .control_plane
        .map(ControlPlane::from)
        .unwrap_or_default();
    let found = analyze_input(control_plane, &sources, namespace);
    let text = match session.json() {
        true => found.iter().map(json_line).collect(),
        false => findings::text(&found, control_plane, namespace, session.paint.0),
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

/// Says that more can be analyzed if the fleet reports Traffic Director for the cluster. It is a hint: what cannot be read is no
/// reason to say anything.
async fn note_traffic_director(session: &Session, ready: &Prepared) {
    let of_mesh = ready
        .steps
        .iter()
        .find(|step| step.kind.name() == mesh::WAIT.kind);
    let (Some(step), false) = (of_mesh, session.json()) else {
        return;
    };
    let clients = Clients {
        client: ready.client.clone(),
        watch: Arc::new(NoWatch),
        clusters: ready.clusters(false),
    };
    let implementation = mesh::implementation(&clients, &step.at).await;
    if implementation.is_ok_and(|word| word.as_deref() == Some(mesh::TRAFFIC_DIRECTOR)) {
        note(
            "note: the control plane of this cluster is Traffic Director: `--for traffic-director` also reports what it does not support",
        );
    }
}
