//! `kubeconfig` and `token`: kubectl without a plugin of Google's. The entry names this program, which prints a token when asked.
//!
//! A file that is there is merged into: entries of other names stay as they are, and it is replaced whole by rename.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::prepare::{Ground, env};
use super::{Row, say};
use crate::error::{Exit, Halt};
use crate::google::{Api, Auth, Call, Class, Quiet};
use crate::kinds::Kind;

/// The kind of thing that a kubeconfig is about.
const CLUSTER: &str = "container.cluster";

/// Prints a kubeconfig for the steps' cluster, or merges it into a file.
pub async fn kubeconfig(ground: &mut Ground, row: Row, file: Option<&Path>) -> Result<Exit, Halt> {
    let ready = ground.ready(None, row.looks_up, row.acts).await?;
    let step = ready.steps.iter().find(|step| step.kind == CLUSTER);
    let step = step.ok_or_else(|| {
        Halt::usage(
            "the steps speak of no cluster",
            "add one, or leave out --steps",
        )
    })?;
    let path = Kind::named(CLUSTER)
        .and_then(|kind| kind.path(&step.at).ok())
        .unwrap_or_default();
    let live = ready
        .client
        .send(&Call::get(Api::Container, path), &Quiet)
        .await
        .map_err(|error| match error.class {
            Class::NotFound | Class::ApiDisabled => Halt::failed(
                format!("{}: there is no such cluster yet", step.id),
                "`provision up` makes it",
            ),
            _ => Halt {
                exit: Exit::Failed,
                errors: vec![format!("look at {}: {error}", step.id)],
                hint: error.hint(),
            },
        })?;
    let text = |key: &str| step.at.get(key).and_then(Value::as_str).unwrap_or_default();
    // As gcloud names it, so that whoever has both has one entry.
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
    let ours = entry(&name, &live, &program);
    let Some(file) = file else {
        say(&yaml(&ours)?);
        return Ok(Exit::Done);
    };
    let unusable = |error: String| {
        Halt::usage(
            format!("{}: {error}", file.display()),
            "name another file with --write, or mend this one",
        )
    };
    let there = match std::fs::read_to_string(file) {
        Ok(text) if !text.trim().is_empty() => {
            serde_saphyr::from_str(&text).map_err(|error| unusable(error.to_string()))?
        }
        Ok(_) => Value::Null,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
        Err(error) => return Err(unusable(error.to_string())),
    };
    let merged = merge(there, ours).map_err(unusable)?;
    replace(file, yaml(&merged)?.as_bytes()).map_err(|error| unusable(error.to_string()))?;
    say(&format!("{}: context {name}\n", file.display()));
    Ok(Exit::Done)
}

/// Prints a token as kubectl asks plugins for one. It is the same for every project.
pub async fn token() -> Result<Exit, Halt> {
    let token = Auth::from_env(&env).token().await;
    let token = token.map_err(|error| {
        Halt::failed(
            error.to_string(),
            "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
        )
    })?;
    let (word, expires) = match &token {
        Some(token) => (token.reveal(), token.expires()),
        // An API that asks for no credentials has a cluster that takes any.
        None => ("anonymous", None),
    };
    // kubectl says which version of the question it asks.
    let asked = std::env::var("KUBERNETES_EXEC_INFO")
        .ok()
        .and_then(|asked| serde_json::from_str::<Value>(&asked).ok());
    let version = asked
        .as_ref()
        .and_then(|asked| asked["apiVersion"].as_str())
        .unwrap_or("client.authentication.k8s.io/v1");
    let mut status = json!({ "token": word });
    if let Some(expires) = expires {
        status["expirationTimestamp"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    }
    say(&format!(
        "{}\n",
        json!({"apiVersion": version, "kind": "ExecCredential", "status": status})
    ));
    Ok(Exit::Done)
}

/// A kubeconfig with one cluster, one user and one context.
fn entry(name: &str, live: &Value, program: &str) -> Value {
    let text = |pointer: &str| {
        live.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let cluster = json!({
        "server": format!("https://{}", text("/endpoint")),
        "certificate-authority-data": text("/masterAuth/clusterCaCertificate"),
    });
    let user = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": program,
        "args": ["token"],
        "interactiveMode": "Never",
        "installHint": "`provision` prints the token; its path is the one that wrote this entry",
    }});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    })
}

/// `ours` laid into what is there: entries of the same name are replaced, all others stay. Pure.
fn merge(there: Value, ours: Value) -> Result<Value, String> {
    let mut merged = match there {
        Value::Null => return Ok(ours),
        Value::Object(fields) if fields.get("kind").is_none_or(|kind| kind == "Config") => {
            Value::Object(fields)
        }
        _ => return Err("not a kubeconfig".to_owned()),
    };
    for list in ["clusters", "users", "contexts"] {
        let mut entries = match merged.get(list) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries.clone(),
            Some(_) => return Err(format!("`{list}` is not a list")),
        };
        for new in ours[list].as_array().into_iter().flatten() {
            match entries
                .iter_mut()
                .find(|entry| entry["name"] == new["name"])
            {
                Some(old) => *old = new.clone(),
                None => entries.push(new.clone()),
            }
        }
        merged[list] = entries.into();
    }
    for field in ["apiVersion", "kind", "current-context"] {
        merged[field] = ours[field].clone();
    }
    Ok(merged)
}

fn yaml(config: &Value) -> Result<String, Halt> {
    serde_saphyr::to_string(config)
        .map_err(|error| Halt::failed(error.to_string(), "please report this"))
}

/// Writes beside the file and puts it in its place: nobody ever reads half of it.
fn replace(file: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    // Through a link to the file that is meant.
    let file = &std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let mut new = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    new.write_all(text)?;
    new.sync_all()?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Value {
        entry(
            "gke_p_z_c",
            &json!({"endpoint": "127.0.0.1:1", "masterAuth": {"clusterCaCertificate": "Q0E="}}),
            "/bin/provision",
        )
    }

    #[test]
    fn others_entries_stay_and_ours_are_replaced() {
        let theirs = json!({"name": "kind", "cluster": {"server": "https://x", "extensions": [{"name": "y"}]}});
        let old = json!({"name": "gke_p_z_c", "cluster": {"server": "https://old"}});
        let there = json!({
            "apiVersion": "v1", "kind": "Config", "preferences": {"colors": true},
            "clusters": [theirs, old], "users": null, "contexts": [], "current-context": "kind",
        });
        let merged = merge(there, ours()).unwrap();
        assert_eq!(merged["clusters"], json!([theirs, ours()["clusters"][0]]));
        assert_eq!(merged["users"], ours()["users"]);
        assert_eq!(merged["preferences"], json!({"colors": true}));
        assert_eq!(merged["current-context"], "gke_p_z_c");
        assert_eq!(
            merge(merged.clone(), ours()).unwrap(),
            merged,
            "twice is once"
        );
    }

    #[test]
    fn what_is_no_kubeconfig_is_left_alone() {
        for there in [
            json!([1]),
            json!({"kind": "Pod"}),
            json!({"kind": "Config", "users": 7}),
        ] {
            assert!(merge(there, ours()).is_err());
        }
        assert_eq!(merge(Value::Null, ours()).unwrap(), ours());
    }
}
