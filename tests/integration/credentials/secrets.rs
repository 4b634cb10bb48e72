//! Nothing of a credential file, and nothing that it is exchanged for, is in any output or file, in any encoding: neither if the file
//! is damaged, nor if somebody who was asked repeats the request in his refusal.

use std::fs;

use serde_json::{Value, json};

use super::server::TokenServer;
use super::{external, impersonation, login, printer, write};
use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::{User, below};
use crate::secrets::traces;

/// The secrets of the files below.
const SECRETS: [&str; 4] = [
    "1//canary-refresh-token-in-a-coal-mine",
    "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ne",
    "canary-subject-t0ken.0f-an0ther.prov1der",
    "canary-bearer-of-a-ci-job-in-a-coal-mine",
];

/// A file of each type that has secrets, and the name of one of its fields.
fn files(server: &TokenServer, user: &User) -> Vec<(Value, &'static str)> {
    let [refresh, client, subject, bearer] = SECRETS;
    let mut user_login = login(server);
    user_login["refresh_token"] = json!(refresh);
    user_login["client_secret"] = json!(client);
    let header = json!({"url": server.url("/oidc"), "headers": {"Authorization": format!("bearer {bearer}")},
        "format": {"type": "json", "subject_token_field_name": "value"}});
    let file = write(user, "subject", subject);
    let program = printer(user, subject);
    let mut with_client = external(server, json!({"file": file}));
    with_client["client_id"] = json!("c");
    with_client["client_secret"] = json!(client);
    vec![
        (user_login.clone(), "refresh_token"),
        (
            json!({"type": "impersonated_service_account", "service_account_impersonation_url": impersonation(server),
                "source_credentials": user_login}),
            "service_account_impersonation_url",
        ),
        (
            json!({"type": "external_account_authorized_user", "client_id": "c", "client_secret": client,
                "refresh_token": refresh, "token_url": server.url("/oauthtoken")}),
            "token_url",
        ),
        (external(server, header), "audience"),
        (with_client, "audience"),
        (
            external(
                server,
                json!({"executable": {"command": format!("'{program}'")}}),
            ),
            "audience",
        ),
    ]
}

/// What a copy, an editor or a program makes of a file.
fn manglings(file: &Value, field: &str) -> Vec<String> {
    let text = file.to_string();
    let mut without = file.clone();
    without.as_object_mut().unwrap().remove(field);
    let mut listed = file.clone();
    listed[field] = json!([file[field]]);
    vec![
        text[..text.len() - 1].to_owned(),
        text[..text.len() * 3 / 4].to_owned(),
        json!(text).to_string(),
        text.replace('"', "'"),
        format!("\u{feff}{}", without),
        listed.to_string().replace(',', ",\r\n"),
        text.replace("\"type\"", "\"kind\""),
    ]
}

#[test]
fn no_secret_of_any_type_is_in_any_output_or_file() {
    // Everybody who is asked repeats the request.
    let echoing = TokenServer::new(|seen| {
        let body = json!({"error": "invalid_grant", "error_description": format!("{} {}", seen.body, seen.authorization),
            "error_subtype": seen.body});
        match seen.line.as_str() {
            "GET /oidc" if seen.authorization.is_empty() => (200, "{}".to_owned()),
            _ => (400, body.to_string()),
        }
    });
    let cloud = Cloud::new();
    let user = pointed_at(User::new(), cloud.address())
        .with("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "false")
        .with("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
        .with("GCE_METADATA_HOST", echoing.host())
        .with("RUST_LOG", "trace")
        .with("RUST_BACKTRACE", "full");
    let path = user.home().join("credentials.json");
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", path.display().to_string());
    let traces: Vec<String> = SECRETS.iter().flat_map(|secret| traces(secret)).collect();
    // Where they are by the test's own doing.
    let own = ["credentials.json", "subject", "print token"].map(|name| user.home().join(name));
    for (file, field) in files(&echoing, &user) {
        let whole = file.to_string();
        let mangled = manglings(&file, field);
        for (text, is_whole) in mangled
            .iter()
            .map(|text| (text, false))
            .chain([(&whole, true)])
        {
            fs::write(&path, text).unwrap();
            let mut said = String::new();
            for verb in [&["up", "--yes", "--output", "json"][..], &["token"]] {
                let run = user.run(verb);
                assert_ne!(run.code, Some(0), "{verb:?} with {text}");
                assert!(!run.err.contains("panicked"), "{}", run.err);
                said += &format!("{}{}", run.out, run.err);
            }
            let words = match is_whole {
                true => "cannot get an access token for ",
                false => "cannot use ",
            };
            assert!(said.contains(words), "{text}: {said}");
            for left in below(user.home()) {
                if left.is_file() && !own.contains(&left) {
                    said += &String::from_utf8_lossy(&fs::read(&left).unwrap());
                }
            }
            for trace in &traces {
                assert!(!said.contains(trace), "{trace} of {text} in {said}");
            }
        }
    }
}
