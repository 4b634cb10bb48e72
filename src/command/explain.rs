//! `explain`: what would happen to a request, hop by hop, and which object decides.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::expectation::{Expectation, observed};
use super::http_method;
use super::live_proxies::{self, LiveProxies};
use super::output::{note, say, show};
use super::proxy_config;
use super::snapshot_input::{is_there, sources};
use crate::cli::{Global, Subject};
use crate::error::{CommandError, Exit};
use crate::ui::{explain, json_line};
use egress::matrix::Cell;
use egress::request::{Request, Source};
use egress::snapshot::Snapshot;

/// Trace a request from a pod: each hop, the object that decides there, and what the caller gets
///
/// Without --live, no request is sent to Google or a cluster: the steps are evaluated as if everything existed. With --live, the
/// configuration of the proxies on the way is read from them too, and shown beside the objects' result.
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
    /// Exit with 3 unless the verdict is this: reaches, refused, or the status of the answer, such as 403
    #[arg(long, value_name = "reaches|refused|STATUS")]
    expect: Option<Expectation>,
    /// Evaluate every namespace and every host that an object names
    #[arg(long, conflicts_with_all = ["namespace", "url", "method", "no_sidecar", "expect"])]
    matrix: bool,
    /// With --live, do not read the configuration of the proxies: evaluate the objects alone
    #[arg(long, requires = "live", conflicts_with = "matrix")]
    model: bool,
    /// Evaluate the dumps of the proxies in this folder instead of steps or a cluster: files with the output of Envoy's
    /// config_dump?include_eds, and of clusters?format=json beside it in files that end in .clusters.json
    #[arg(long, value_name = "DIR", conflicts_with_all = ["matrix", "no_sidecar", "live", "through", "from", "expect"])]
    proxy_config: Option<PathBuf>,
    /// What is evaluated.
    #[command(flatten)]
    subject: Subject,
}

/// Explains a request, or all of them.
pub async fn explain(global: &Global, args: ExplainArgs) -> Result<Exit, CommandError> {
    let request = args.request()?;
    if let (Some(folder), Some(request)) = (&args.proxy_config, &request) {
        return proxy_config::explain(global, folder, request);
    }
    let (session, ready, sources) = sources(global, &args.subject).await?;
    if let Some(request) = &request {
        is_there(&sources, &request.from.namespace)?;
    }
    let snapshot = Snapshot::read(&sources);
    let mut exit = Exit::Done;
    let text = match request {
        Some(request) => {
            let account = snapshot.trace(&request);
            let proxies = match &ready {
                Some(ready) if !args.model => {
                    live_proxies::follow(ready, &sources, &request, &account).await?
                }
                _ => LiveProxies::NotOnTheWay,
            };
            if let Some(expected) = args.expect {
                let is_met = expected.is_met(&account);
                if !is_met {
                    let observed = observed(&account);
                    note(&format!("expected {expected}, and it is {observed}"));
                } else if proxies.differ() {
                    note(&format!(
                        "expected {expected}, and the proxies' own configuration differs from the model"
                    ));
                }
                if !is_met || proxies.differ() {
                    exit = Exit::Different;
                }
            }
            match session.json() {
                true => {
                    let from = &request.from.namespace;
                    let (verdict, deciding) = (account.verdict(), account.deciding());
                    let mut line = json!({"namespace": from, "url": request.url(), "verdict": verdict, "deciding": deciding, "account": account});
                    json::merge(&mut line, &proxies.json());
                    json_line(&line)
                }
                false => {
                    let paint = session.paint.0;
                    let text = explain::text(&request, &account, global.verbose, paint);
                    text + &proxies.text(global.verbose, paint)
                }
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
    Ok(exit)
}

/// The matrix for programs, one line for each cell.
fn lines(callers: &[Source], requests: &[Request], cells: &[Vec<Cell>]) -> String {
    let rows = callers.iter().zip(cells);
    let line = |(caller, request, cell): (&Source, &Request, &Cell)| {
        let (verdict, deciding) = (cell.verdict(), cell.deciding());
        json_line(
            &json!({"namespace": caller.namespace, "url": request.url(), "verdict": verdict, "deciding": deciding, "unknown": cell.unknown, "cell": cell}),
        )
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
