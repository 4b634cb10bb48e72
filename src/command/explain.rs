//! `explain`: what would happen to a request, hop by hop, and which object decides.

use serde_json::json;

use super::say;
use super::snapshot_input::{is_there, sources};
use crate::cli::{Global, Subject};
use crate::error::{CommandError, Exit};
use crate::ui::{explain, json_line};
use egress::matrix::Cell;
use egress::request::{Request, Source};
use egress::snapshot::Snapshot;

/// What to explain.
#[derive(Debug)]
pub struct Question {
    /// Where the request comes from, and where it goes; none for every namespace and every known host.
    pub request: Option<(String, String)>,
    /// Its method.
    pub method: String,
    /// Whether the pod that asks has no sidecar.
    pub no_sidecar: bool,
}

/// Explains a request, or all of them.
pub async fn explain(
    global: &Global,
    question: Question,
    looks: &Subject,
) -> Result<Exit, CommandError> {
    let request = question.asked()?;
    let (session, sources) = sources(global, looks).await?;
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
    say(&text);
    Ok(Exit::Done)
}

/// The matrix for programs, a cell a line.
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

impl Question {
    /// The request; none where all of them are asked about.
    fn asked(&self) -> Result<Option<Request>, CommandError> {
        let Some((namespace, url)) = &self.request else {
            return Ok(None);
        };
        let bad =
            |error| CommandError::usage(error, "write the URL as for curl: http://example.com/");
        let mut request = Request::get(namespace, url).map_err(bad)?;
        request.method.clone_from(&self.method);
        request.from.sidecar = self.no_sidecar.then_some(false);
        Ok(Some(request))
    }
}
