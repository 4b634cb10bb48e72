//! `token`: an access token in the form that kubectl expects from a credential plugin. The kubeconfig of `kubeconfig` names it.

use clap::Args;
use serde_json::{Value, json};

use super::identity;
use super::output::say;
use crate::cli::Global;
use crate::error::{CommandError, Exit};
use crate::google::{Auth, process_env};

/// Print an access token, as a kubectl credential plugin does
#[derive(Debug, Args)]
pub struct TokenArgs {}

/// Prints a token in the form that kubectl expects from a credential plugin. It is the same for every project.
pub async fn token(global: &Global, _args: TokenArgs) -> Result<Exit, CommandError> {
    let auth = match global.emulate {
        true => Auth::none(),
        false => Auth::with(&process_env, &global.auth()),
    };
    let token = auth.token().await;
    let token = token.map_err(|error| CommandError::failed(&error, &identity::advice(&error)))?;
    let (word, expires) = match &token {
        Some(token) => (token.reveal(), token.expires()),
        // The emulator needs no credentials, and an emulated cluster accepts any token.
        None => ("anonymous", None),
    };
    // kubectl passes the version of the answer that it expects.
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
