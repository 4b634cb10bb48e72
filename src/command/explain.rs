//! `explain`: what would happen to a request, hop by hop, and which object decides.

use clap::Args;
use serde_json::json;

use super::http_method;
use super::output::{say, show};
use super::snapshot_input::{is_there, sources};
use crate::cli::{Global, Subject};
use crate::error::{CommandError, Exit};
use crate::ui::{explain, json_line};
use egress::matrix::Cell;
use egress::request::{Request, Source};
use egress::snapshot::Snapshot;

/// Trace a request from a pod: each hop, the object that decides there, and what the caller gets
///
/// Without --live, no request is sent to Google or a cluster: the steps are evaluated as if everything existed.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The namespace that the request comes from
    #[arg(required_unless_present = "matrix")]
    namespace: Option<String>,
    /// The URL of the request, such as http://example.com/
    #[arg(required_unless_present = "matrix")]
    url: Option<String>,
    /// The HTTP method
    #[arg(long, value_name = "M", default_value = "GET")]
    method: String,
    /// Send the request from a pod without a sidecar
    #[arg(long)]
    no_sidecar: bool,
    /// Evaluate every namespace and every host that an object names
    #[arg(long, conflicts_with_all = ["namespace", "url", "method", "no_sidecar"])]
    matrix: bool,
    /// What is evaluated.
    #[command(flatten)]
    subject: Subject,
}

/// Explains a request, or all of them.
pub async fn explain(global: &Global, args: ExplainArgs) -> Result<Exit, CommandError> {
    let request = args.request()?;
    let (session, _, sources) = sources(global, &args.subject).await?;
    if let Some(request) = &request {
        is_there(&sources, &request.from.namespace)?;
    }
    let snapshot = Snapshot::read(&sources);
    let text = match request {
        Some(request) => {
            let account = snapshot.trace(&request);
            match session.json() {
                true => {
                    let from = &request.from.namespace;
                    json_line(&json!({"namespace": from, "url": request.url(), "account": account}))
                }
                false => explain::text(&request, &account, global.verbose, session.paint.0),
            }
        }
        None => {
            let (callers, requests) = (snapshot.callers(), snapshot.destinations());
            let cells = snapshot.matrix(&callers, &requests);
            match session.json() {
                true => lines(&callers, &requests, &cells),
                false => explain::matrix(&callers, &requests, &cells),
            }
        }
    };
    match session.json() {
        true => say(&text),
        false => show(&text),
    }
    Ok(Exit::Done)
}

/// The matrix for programs, one line for each cell.
fn lines(callers: &[Source], requests: &[Request], cells: &[Vec<Cell>]) -> String {
    let rows = callers.iter().zip(cells);
    let line = |(caller, request, cell): (&Source, &Request, &Cell)| {
        json_line(&json!({"namespace": caller.namespace, "url": request.url(), "cell": cell}))
    };
    rows.flat_map(|(caller, row)| {
        let cells = requests.iter().zip(row);
        cells.map(move |(request, cell)| (caller, request, cell))
    })
    .map(line)
    .collect()
}

impl ExplainArgs {
    /// The request; none if every namespace and host is evaluated.
    fn request(&self) -> Result<Option<Request>, CommandError> {
        let (Some(namespace), Some(url)) = (&self.namespace, &self.url) else {
            return Ok(None);
        };
        let bad =
            |error| CommandError::usage(error, "write the URL as for curl: http://example.com/");
        http_method::check(&self.method)?;
        let mut request = Request::get(namespace, url).map_err(bad)?.by_curl();
        request.method.clone_from(&self.method);
        request.from.sidecar = self.no_sidecar.then_some(false);
        Ok(Some(request))
    }
}
