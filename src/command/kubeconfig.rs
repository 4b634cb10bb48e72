//! `kubeconfig`: kubectl without Google's credential plugin. The entry names this program as the plugin (`token`).
//!
//! Merging the entry into a file is the job of `kubefile`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::output::{note, say};
use super::own_cluster::quoted;
use super::session::Session;
use super::{kubefile, own_cluster};
use crate::cli::Global;
use crate::engine::absence::proves_absence_of;
use crate::error::{CommandError, Exit};
use crate::google::{Api, Call, Class, Cloud, Endpoints, NoWatch};
use crate::kinds::{Step, cluster_endpoint};

/// The kind of step whose resource a kubeconfig describes.
const CLUSTER: &str = "container.cluster";

/// Print a kubeconfig for the cluster; kubectl then needs no other plugin than this program
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// Merge the entry into this file instead
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Prints a kubeconfig for the steps' cluster, or merges it into a file.
pub async fn kubeconfig(global: &Global, args: KubeconfigArgs) -> Result<Exit, CommandError> {
    let session = &mut Session::open(global)?;
    let file = args.write.as_deref();
    if session.requested_cluster.is_some() {
        return own(session, file).await;
    }
    let ready = session.ready(None, false, false).await?;
    let step = ready.steps.iter().find(|step| step.kind.name() == CLUSTER);
    let step = step.ok_or_else(|| {
        CommandError::usage(
            "the steps contain no cluster",
            "add a `container.cluster` step, or run without --steps",
        )
    })?;
    let path = step.kind.path(&step.at).unwrap_or_default();
    let live = ready
        .client
        .send(&Call::get(Api::Container, path), &NoWatch)
        .await;
    let live = live.map_err(|error| {
        let absent =
            error.class == Class::NotFound || proves_absence_of(&error, &session.state, step);
        match absent {
            true => CommandError::failed(
                format!("{}: the cluster does not exist yet", step.id),
                "`provision up` creates it",
            ),
            false => CommandError {
                exit: Exit::Failed,
                errors: vec![format!("{} was not seen: {error}", step.id)],
                hint: error.hint(),
            },
        }
    })?;
    let text = |key: &str| step.at.get(key).and_then(Value::as_str).unwrap_or_default();
    // The name that gcloud gives it, so that a user of both has one entry.
    let name = format!(
        "gke_{}_{}_{}",
        text("project"),
        text("location"),
        text("cluster")
    );
    let program = std::env::current_exe().map_or_else(
        |_| "provision".to_owned(),
        |path| path.display().to_string(),
    );
    let emulated = session.cloud != Some(Cloud::Google);
    let impersonated = global.impersonate_service_account.as_deref();
    let by_name = match cluster_endpoint::is_by_name(&step.want) {
        true => Some(server_by_name(&live, step, ready.client.endpoints())?),
        false => None,
    };
    let ours = entry(
        &name,
        &live,
        by_name.as_deref(),
        &program,
        emulated,
        impersonated,
    )?;
    if emulated {
        let address = by_name.as_deref().or(live["endpoint"].as_str());
        note(&lifetime(session, address.unwrap_or_default()));
    }
    let Some(file) = file else {
        say(&yaml(&ours)?);
        return Ok(Exit::Done);
    };
    kubefile::merge(file, &ours).map_err(|error| {
        CommandError::usage(
            format!("{}: {error}", file.display()),
            "name another file with --write, or fix this one",
        )
    })?;
    say(&format!("{}: context {name}\n", file.display()));
    Ok(Exit::Done)
}

/// How long the address of an emulated cluster lives.
fn lifetime(session: &Session, endpoint: &str) -> String {
    match session.global.emulate {
        true => format!(
            "note: the address {endpoint} lived only as long as this command's emulator; `provision emulator --state {}` keeps the cluster on an address while it runs, and `provision kubeconfig` without --emulate then names it",
            quoted(&session.emulator_file().display().to_string())
        ),
        false => format!(
            "note: the address {endpoint} lives only as long as the emulator runs; after a restart run `provision kubeconfig` again"
        ),
    }
}

/// A user's own cluster has a kubeconfig already, the one named with `--kubeconfig`. A copy of its entry would be a copy of its
/// keys, so nothing is written: an error names the file. It is no error if `--write` names the same file.
async fn own(session: &mut Session, file: Option<&Path>) -> Result<Exit, CommandError> {
    session.open_own_cluster().await?;
    let Some(identity) = session.own.as_ref().map(|own| &own.identity) else {
        return Ok(Exit::Done);
    };
    let (there, context) = (&identity.file, &identity.context);
    let same =
        file.is_some_and(
            |file| match (file.canonicalize(), Path::new(there).canonicalize()) {
                (Ok(one), Ok(other)) => one == other,
                _ => false,
            },
        );
    if same {
        say(&format!("{there}: context {context}\n"));
        return Ok(Exit::Done);
    }
    Err(CommandError::usage(
        format!(
            "{there} already is the kubeconfig of this cluster (context {context}): nothing is printed or written"
        ),
        &format!(
            "use it as it is: {} get pods",
            own_cluster::kubectl(identity)
        ),
    ))
}

/// The address behind the cluster's DNS endpoint.
fn server_by_name(
    live: &Value,
    step: &Step,
    endpoints: &Endpoints,
) -> Result<String, CommandError> {
    let name = cluster_endpoint::open_name(live).map_err(|error| {
        let text = |key: &str| step.at.get(key).and_then(Value::as_str).unwrap_or_default();
        CommandError::failed(
            format!("{}: {error}", step.id),
            &format!(
                "`provision up` opens it, and so does `gcloud container clusters update {} --location {} --project {} --enable-dns-access`",
                text("cluster"),
                text("location"),
                text("project")
            ),
        )
    })?;
    Ok(cluster_endpoint::server(name, endpoints))
}

/// A kubeconfig with one cluster, one user and one context. `by_name` is the server behind the DNS endpoint if the cluster is reached
/// by it. Its certificate is of a public authority, so that the entry has none, as `gcloud container clusters get-credentials
/// --dns-endpoint` writes it (gcloud 528, `api_lib/container/kubeconfig.py`).
fn entry(
    name: &str,
    live: &Value,
    by_name: Option<&str>,
    program: &str,
    emulated: bool,
    impersonated: Option<&str>,
) -> Result<Value, CommandError> {
    let text = |pointer: &str| {
        live.pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| {
                CommandError::failed(
                    format!("{name}: Google's answer has no {pointer}"),
                    "it may still be starting: check `provision status`, then run again",
                )
            })
    };
    let cluster = match by_name {
        Some(server) => json!({ "server": server }),
        None => json!({
            "server": format!("https://{}", text("/endpoint")?),
            "certificate-authority-data": text("/masterAuth/clusterCaCertificate")?,
        }),
    };
    // A program on loopback gets the emulator's token and never one of Google's.
    let args = match (emulated, impersonated) {
        (true, _) => vec!["token", "--emulate"],
        // Who acts on Google's side acts in the cluster too.
        (false, Some(account)) => vec!["token", "--impersonate-service-account", account],
        (false, None) => vec!["token"],
    };
    let user = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": program,
        "args": args,
        "interactiveMode": "Never",
        "installHint": "`provision` prints the token; install it at the path that this entry names",
    }});
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }))
}

fn yaml(config: &Value) -> Result<String, CommandError> {
    serde_saphyr::to_string(config)
        .map_err(|error| CommandError::failed(error.to_string(), "please report this"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulated_cluster_is_not_shown_the_readers_own_token() {
        let live =
            json!({"endpoint": "127.0.0.1:1", "masterAuth": {"clusterCaCertificate": "Q0E="}});
        for (emulated, account, args) in [
            (true, None, json!(["token", "--emulate"])),
            (false, None, json!(["token"])),
            (
                false,
                Some("a@b"),
                json!(["token", "--impersonate-service-account", "a@b"]),
            ),
        ] {
            let program = "/bin/provision";
            let entry = entry("gke_p_z_c", &live, None, program, emulated, account).unwrap();
            assert_eq!(entry["users"][0]["user"]["exec"]["args"], args);
            let cluster = &entry["clusters"][0]["cluster"];
            assert_eq!(cluster["server"], "https://127.0.0.1:1");
        }
    }

    #[test]
    fn a_cluster_without_an_authority_gets_no_entry() {
        // Without a certificate, kubectl would trust each of the machine's authorities and send the server a token.
        for live in [
            json!({"endpoint": "192.0.2.1"}),
            json!({"endpoint": "192.0.2.1", "masterAuth": {"clusterCaCertificate": ""}}),
            json!({"masterAuth": {"clusterCaCertificate": "Q0E="}}),
            json!({"endpoint": "", "masterAuth": {"clusterCaCertificate": "Q0E="}}),
        ] {
            entry("c", &live, None, "p", false, None).unwrap_err();
        }
    }

    #[test]
    fn a_dns_endpoint_is_written_without_an_authority_as_gcloud_writes_it() {
        let live = json!({"endpoint": "192.0.2.1", "masterAuth": {"clusterCaCertificate": "Q0E="}});
        let server = "https://gke-0-1.us-central1-a.gke.goog";
        let entry = entry("c", &live, Some(server), "p", false, None).unwrap();
        assert_eq!(entry["clusters"][0]["cluster"], json!({ "server": server }));
    }
}
