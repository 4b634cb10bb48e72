//! `explain --proxy-config DIR`: a request through configuration dumps that somebody has saved, without a cluster and without steps.
//!
//! A dump is a file `*.json` with the output of `pilot-agent request GET 'config_dump?include_eds'`. Beside it, a file of the same
//! name that ends in `.clusters.json` may have the output of `clusters?format=json`: the addresses that the proxy has resolved, and
//! the health of its endpoints. The dump itself says which pod it is of; other files are not read.

use std::path::Path;

use serde_json::{Value, json};

use super::output::{say, show};
use super::session::paint;
use crate::cli::{Global, Output};
use crate::error::{CommandError, Exit};
use crate::text::did_you_mean;
use crate::ui::{json_line, proxy_trace};
use egress::config_dump::{ConfigDump, ConfigDumps, NodeType};
use egress::request::Request;

/// The end of a file's name with a proxy's list of clusters.
const CLUSTERS: &str = ".clusters.json";

/// What to do about a folder that cannot be used.
const HINT: &str = "save a dump of each proxy on the way: kubectl exec -n NAMESPACE POD -c istio-proxy -- pilot-agent request GET \
                    'config_dump?include_eds' > DIR/NAMESPACE.POD.json";

/// Explains a request from the dumps in a folder.
pub fn explain(global: &Global, folder: &Path, request: &Request) -> Result<Exit, CommandError> {
    let dumps = ConfigDumps::new(read(folder)?);
    let namespace = &request.from.namespace;
    let Some(from) = dumps.sidecar(namespace, None) else {
        let all = dumps.all().iter().map(|dump| &dump.node);
        let mut with = all.filter(|node| node.kind == NodeType::Sidecar);
        let near = did_you_mean(namespace, with.clone().map(|node| node.namespace.as_str()));
        let hint = match with.next() {
            None => HINT.to_owned(),
            Some(node) => format!(
                "the folder has sidecars of other namespaces, such as {}; {HINT}",
                node.namespace
            ),
        };
        let error = format!(
            "{}: no dump of a sidecar in namespace `{namespace}`{near}",
            folder.display()
        );
        return Err(CommandError::usage(error, &hint));
    };
    let trace = dumps.follow(from, request, None);
    match global.output {
        Output::Json => {
            let line = json!({"namespace": namespace, "url": request.url(), "verdict": trace.verdict, "proxies": trace});
            say(&json_line(&line));
        }
        Output::Text => {
            let paint = paint(global.color, &std::io::stdout());
            show(&proxy_trace::text(request, &trace, global.verbose, paint));
        }
    }
    Ok(Exit::Done)
}

/// The dumps in a folder, in the order of their files' names.
fn read(folder: &Path) -> Result<Vec<ConfigDump>, CommandError> {
    let bad = |path: &Path, error: &dyn std::fmt::Display| {
        CommandError::usage(format!("{}: {error}", path.display()), HINT)
    };
    let entries = std::fs::read_dir(folder).map_err(|error| bad(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|error| bad(folder, &error))?.path());
    }
    files.sort();
    let is_dump = |path: &&std::path::PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".json") && !name.ends_with(CLUSTERS)
    };
    let mut dumps = Vec::new();
    for path in files.iter().filter(is_dump) {
        let name = path.to_string_lossy();
        let beside = format!("{}{CLUSTERS}", name.strip_suffix(".json").unwrap_or(&name));
        let beside = Path::new(&beside);
        let clusters = match beside.exists() {
            true => Some(value(beside).map_err(|error| bad(beside, &error))?),
            false => None,
        };
        let dump = value(path).map_err(|error| bad(path, &error))?;
        let dump = ConfigDump::read(&dump, clusters.as_ref());
        dumps.push(dump.map_err(|error| bad(path, &error))?);
    }
    if dumps.is_empty() {
        return Err(bad(folder, &"it has no file *.json"));
    }
    Ok(dumps)
}

/// The JSON value in a file.
fn value(path: &Path) -> Result<Value, Box<dyn std::error::Error>> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}
