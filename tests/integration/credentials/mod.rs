//! Who acts: each type of credentials against a token server on this machine, with the program as a user runs it.

mod proxy;
mod refusals;
mod search;
mod secrets;
mod server;
mod types;

use std::fs;

use serde_json::{Value, json};

use self::server::TokenServer;
use crate::common::program::{User, script};

/// The account that is impersonated.
const TARGET: &str = "target@p.iam.gserviceaccount.com";
/// The provider of an identity from outside.
const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/github";

/// A service account key whose tokens come from the server.
fn key(server: &TokenServer) -> Value {
    let mut key: Value =
        serde_json::from_str(include_str!("../../../fixtures/service-account.json")).unwrap();
    key["token_uri"] = json!(server.url("/key"));
    key
}

/// A login of `gcloud auth application-default login`.
fn login(server: &TokenServer) -> Value {
    json!({"type": "authorized_user", "account": "", "client_id": "the-client", "client_secret": "the-client-secret",
        "refresh_token": "1//the-refresh-token", "universe_domain": "googleapis.com", "token_uri": server.url("/login")})
}

/// The address at which the target's tokens are.
fn impersonation(server: &TokenServer) -> String {
    server.url(&format!(
        "/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    ))
}

/// An identity from outside, whose token is found as `source` says.
fn external(server: &TokenServer, source: Value) -> Value {
    json!({"type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": server.url("/sts"), "credential_source": source})
}

/// Writes a file into the user's home, and returns its path.
fn write(user: &User, name: &str, text: &str) -> String {
    let path = user.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A program that prints a token of an identity provider.
fn printer(user: &User, token: &str) -> String {
    let path = user.home().join("print token");
    let answer = json!({"version": 1, "success": true, "token_type": "urn:ietf:params:oauth:token-type:id_token", "id_token": token});
    script(&path, &format!("#!/bin/sh\necho '{answer}'\n"));
    path.display().to_string()
}

/// The token that `provision token` prints.
fn token_in(said: &str) -> String {
    let printed: Value = serde_json::from_str(said).unwrap();
    printed["status"]["token"].as_str().unwrap().to_owned()
}
