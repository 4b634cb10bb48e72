//! `authorize`: changes the allow list of the cluster's API server and nothing else. It never creates a cluster.

use clap::Args;
use serde_json::json;

use super::allow_list;
use super::execute::{VerbSpec, change, close};
use super::output::say;
use super::run_lock::RunLock;
use super::session::Session;
use crate::cli::Global;
use crate::engine::absence::proves_absence_of;
use crate::engine::entry::now;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::google::NoWatch;
use crate::kinds::{Clients, Observed, Step, cluster_endpoint};
use crate::ui::json_line;

const AUTHORIZE: VerbSpec = VerbSpec {
    name: "authorize",
    looks_up: true,
};

/// What there is to say about a cluster that is reached by its DNS endpoint.
const NOT_NEEDED: &str =
    "not needed: with endpoint=dns the cluster is reached by its DNS endpoint, from any address";

/// Add this machine's address to the cluster's authorized networks
#[derive(Debug, Args)]
pub struct AuthorizeArgs {}

/// Puts the authorized networks on the allow list of every cluster of the steps.
pub async fn authorize(global: &Global, _args: AuthorizeArgs) -> Result<Exit, CommandError> {
    let session = &mut Session::open(global)?;
    session.steps(None)?;
    session.open_own_cluster().await?;
    let mut lock = RunLock::take(session, AUTHORIZE.name, Vec::new())?;
    let ready = session.ready(None, AUTHORIZE.looks_up, true).await?;
    let mut lists: Vec<Step> = ready.steps.iter().filter_map(allow_list::only).collect();
    if lists.is_empty() {
        return Err(CommandError::usage(
            "the steps contain no cluster",
            "add a `container.cluster` step, or run without --steps",
        ));
    }
    if session.is_by_name() {
        // It changes nothing, so that the journal has no run of it.
        if session.json() {
            say(&json_line(&json!({
                "event": "not-needed", "verb": AUTHORIZE.name, "why": NOT_NEEDED, "at": now(),
            })));
        } else {
            say(&format!("{NOT_NEEDED}\n"));
        }
        return Ok(Exit::Done);
    }
    let clients = Clients {
        client: ready.client.clone(),
        watch: std::sync::Arc::new(NoWatch),
        clusters: ready.clusters(false),
    };
    for step in &mut lists {
        let look = match step.kind.look(&clients, &step.at, &step.want, &[]).await {
            Err(error) if proves_absence_of(&error, &session.state, step) => Observed::Absent,
            look => look.map_err(|error| CommandError {
                exit: Exit::Failed,
                errors: vec![format!("cannot read {}: {error}", step.id)],
                hint: error.hint(),
            })?,
        };
        if let Observed::Absent = look {
            return Err(CommandError::failed(
                format!("{}: the cluster does not exist yet", step.id),
                "`provision up` creates it, with this machine's address on its allow list",
            ));
        }
        // Who opened the DNS endpoint by hand is told by `plan`: only the list is changed here.
        if let Observed::Here(live) = &look {
            cluster_endpoint::keep(live, &mut step.want);
        }
    }
    lock.begin(session, &ready.steps)?;
    let tasks = tasks::alone(lists.clone());
    let ended = change(session, AUTHORIZE, &ready, tasks, &mut lock).await;
    let exit = close(session, AUTHORIZE, &ended, &lock.journal.state);
    if exit == Exit::Done && !session.json() {
        let networks = lists
            .iter()
            .flat_map(|step| allow_list::networks(&step.want))
            .collect::<Vec<_>>();
        say(&format!("on the allow list: {}\n", networks.join(", ")));
    }
    Ok(exit)
}
