//! Where credentials are looked for, and that only what is not there lets the search go on.

use std::fs;
use std::net::TcpListener;

use serde_json::json;

use super::server::{TokenServer, granted};
use super::{TARGET, key, login, token_in, write};
use crate::common::program::{Said, User, script};

const DEFAULT: &str = ".config/gcloud/application_default_credentials.json";

/// The server as metadata server of a machine.
fn on_machine(user: User, server: &TokenServer) -> User {
    user.with("GCE_METADATA_HOST", server.host())
}

/// A machine whose metadata server has no token.
fn without_account() -> TokenServer {
    TokenServer::new(|seen| match seen.line.contains("/computeMetadata/") {
        true => (404, "<html>not found".to_owned()),
        false => (200, granted(seen)),
    })
}

/// A folder with a gcloud that prints a token, which names its configuration.
fn gcloud(user: &User) -> String {
    let folder = user.home().join("bin");
    fs::create_dir(&folder).unwrap();
    script(
        &folder.join("gcloud"),
        "#!/bin/sh\necho \"ya29.by-gcloud-$CLOUDSDK_ACTIVE_CONFIG_NAME\"\n",
    );
    folder.display().to_string()
}

fn token(user: &User) -> String {
    token_in(&user.run(&["token"]).ends(0).out)
}

#[test]
fn the_first_place_that_has_credentials_is_used() {
    let (server, nothing) = (TokenServer::generous(), without_account());
    // 1. The file that the variable names, before all others.
    let user = on_machine(User::new(), &server);
    let file = write(&user, "key.json", &key(&server).to_string());
    write(&user, DEFAULT, &login(&server).to_string());
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", file);
    assert_eq!(token(&user), "ya29.by-key");
    // 2. The application default file.
    let user = on_machine(User::new(), &server);
    write(&user, DEFAULT, &login(&server).to_string());
    assert_eq!(token(&user), "ya29.by-login");
    // A key may be there too.
    write(&user, DEFAULT, &key(&server).to_string());
    assert_eq!(token(&user), "ya29.by-key");
    // 3. In the folder that CLOUDSDK_CONFIG names, as in Cloud Shell, and not in the home.
    write(
        &user,
        "shell/application_default_credentials.json",
        &login(&server).to_string(),
    );
    let shell = user.home().join("shell").display().to_string();
    let empty = user.home().join("empty").display().to_string();
    let user = user.with("CLOUDSDK_CONFIG", shell);
    assert_eq!(token(&user), "ya29.by-login");
    let user = user.with("CLOUDSDK_CONFIG", empty);
    server.seen();
    assert_eq!(token(&user), "ya29.by-metadata");
    // 4. The metadata server, which asks for a header.
    assert!(server.seen().iter().all(|seen| seen.flavor == "Google"));
    // 5. gcloud, with the configuration that is active.
    let user = on_machine(User::new(), &nothing);
    let folder = gcloud(&user);
    let user = user
        .with("PATH", format!("{folder}:/usr/bin:/bin"))
        .with("CLOUDSDK_ACTIVE_CONFIG_NAME", "work");
    assert_eq!(token(&user), "ya29.by-gcloud-work");
}

#[test]
fn a_file_that_cannot_be_used_ends_the_search() {
    let server = TokenServer::generous();
    let refused = |user: &User, words: &[&str]| {
        let said = user.run(&["token"]).ends(1);
        for words in words {
            assert!(said.err.contains(words), "{words}: {}", said.err);
        }
        // Nobody else was asked.
        assert!(server.seen().is_empty(), "{}", said.err);
    };
    let user = on_machine(User::new(), &server);
    let folder = gcloud(&user);
    let user = user.with("PATH", format!("{folder}:/usr/bin:/bin"));
    let found =
        "~/.config/gcloud/application_default_credentials.json (application default credentials)";
    for (text, words) in [
        (
            json!({"type": "impersonated_service_account"}),
            "of type \"impersonated_service_account\": it has no source_credentials",
        ),
        (
            json!({"type": "impersonated_service_account", "source_credentials": {"type": "authorized_user"}}),
            "of type \"authorized_user\": it has no client_id",
        ),
        (
            json!({"type": "external_account", "audience": "a", "subject_token_type": "t",
                "credential_source": {"environment_id": "aws1"}}),
            "of type \"external_account\": its credential_source is for AWS",
        ),
        (
            json!({"type": "external_account", "audience": "a", "subject_token_type": "t",
                "credential_source": {"file": "f"}, "token_url": "https://evil.example/"}),
            "its token_url \"https://evil.example/\" is not an https address of Google's",
        ),
        (
            json!({"type": "external_account", "audience": "a", "subject_token_type": "t",
                "credential_source": {"url": "http://evil.example/"}}),
            "the url of its credential_source is neither https nor on this machine",
        ),
        (
            json!({"type": "external_account_authorized_user"}),
            "of type \"external_account_authorized_user\": it has no token_url",
        ),
        (
            json!({"type": "authorized_user", "universe_domain": "example.goog"}),
            "its universe_domain is \"example.goog\"",
        ),
        (
            json!({"type": "gdch_service_account"}),
            "of type \"gdch_service_account\": this type is not supported; supported are service_account, ",
        ),
        (
            json!({"installed": {"client_id": "c", "client_secret": "s"}}),
            ": this type is not supported; supported are service_account, ",
        ),
        (json!([]), "another type at line 1"),
    ] {
        write(&user, DEFAULT, &text.to_string());
        refused(
            &user,
            &[
                &format!("cannot use {found}"),
                words,
                "\nhint: repair or remove the file",
            ],
        );
    }
    write(&user, DEFAULT, " ");
    refused(&user, &[found, "it is empty"]);
    // A folder is there, and is no file.
    fs::remove_file(user.home().join(DEFAULT)).unwrap();
    fs::create_dir(user.home().join(DEFAULT)).unwrap();
    refused(&user, &[found]);
    // What the variable names must be there.
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere");
    refused(
        &user,
        &["cannot use /nowhere (GOOGLE_APPLICATION_CREDENTIALS)"],
    );
}

#[test]
fn a_metadata_server_without_a_token_is_told_from_none() {
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = closing.local_addr().unwrap().to_string();
    std::thread::spawn(move || closing.incoming().for_each(drop));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let run = |host: String| -> Said {
        let user = User::new()
            .with("GCE_METADATA_HOST", host)
            .with("PATH", "/nowhere");
        user.run(&["token"]).ends(1)
    };
    let reload = "hint: in Cloud Shell, reload the page and authorize it again";
    for host in [host, without_account().host()] {
        let said = run(host);
        assert!(said.err.contains("no credentials found: "), "{}", said.err);
        assert!(said.err.contains(reload), "{}", said.err);
    }
    let said = run(closed);
    assert!(!said.err.contains(reload), "{}", said.err);
    assert!(
        said.err
            .contains("hint: run `gcloud auth application-default login`"),
        "{}",
        said.err
    );
}

#[test]
fn a_metadata_server_with_a_fault_ends_the_search() {
    let faulty = TokenServer::new(|_| (503, "try again".to_owned()));
    let user = on_machine(User::new(), &faulty);
    let folder = gcloud(&user);
    let user = user.with("PATH", format!("{folder}:/usr/bin:/bin"));
    let said = user.run(&["token"]).ends(1);
    assert!(
        said.err.contains("(HTTP 503)") || said.err.contains("HTTP 503 "),
        "{}",
        said.err
    );
    assert!(!said.out.contains("by-gcloud"), "{}", said.out);
}

/// A gcloud that prints the token of the account that it impersonates, by its variable or by its property, otherwise that of its user.
fn impersonating_gcloud(user: &User) -> String {
    let folder = user.home().join("bin");
    fs::create_dir(&folder).unwrap();
    let property = "$(sed -n 's/^impersonate_service_account = //p' ~/.config/gcloud/configurations/config_default)";
    script(
        &folder.join("gcloud"),
        &format!(
            "#!/bin/sh\naccount=\"${{CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT-{property}}}\"\necho \"ya29.of-${{account:-the-user}}\"\n"
        ),
    );
    format!("{}:/usr/bin:/bin", folder.display())
}

#[test]
fn gcloud_gives_its_users_token_and_the_program_impersonates() {
    let nothing = without_account();
    let robot = "robot@p.iam.gserviceaccount.com";
    let of = |account: &str| {
        format!("POST /v1/projects/-/serviceAccounts/{account}:generateAccessToken")
    };
    let flag = ["token", "--impersonate-service-account", TARGET];
    for (by_variable, args, expected) in [
        (true, &["token"][..], robot),
        (false, &["token"], robot),
        (true, &flag, TARGET),
        (false, &flag, TARGET),
    ] {
        let user = on_machine(User::new(), &nothing).with(
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
            nothing.url("/"),
        );
        let path = impersonating_gcloud(&user);
        let user = user.with("PATH", path);
        let property = format!("[auth]\nimpersonate_service_account = {robot}\n");
        let (user, property) = match by_variable {
            true => {
                let name = "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT";
                (user.with(name, robot), String::new())
            }
            false => (user, property),
        };
        let file = ".config/gcloud/configurations/config_default";
        write(&user, file, &property);
        nothing.seen();
        let said = user.run(args).ends(0);
        assert_eq!(token_in(&said.out), "ya29.impersonated");
        let last = nothing.seen().pop().unwrap();
        assert_eq!(last.line, of(expected), "{by_variable} {args:?}");
        assert_eq!(last.authorization, "Bearer ya29.of-the-user");
    }
}

#[test]
fn a_gcloud_that_fails_is_quoted() {
    let user = on_machine(User::new(), &without_account());
    let folder = user.home().join("bin");
    fs::create_dir(&folder).unwrap();
    let line = "ERROR: (gcloud.auth.print-access-token) There was a problem refreshing your current auth tokens: invalid_grant";
    script(
        &folder.join("gcloud"),
        &format!(
            "#!/bin/sh\necho 'WARNING: old' >&2\necho '{line} ya29.a-secret-token' >&2\nexit 1\n"
        ),
    );
    let user = user.with("PATH", folder.display().to_string());
    let said = user.run(&["token"]).ends(1);
    assert!(said.err.contains(line), "{}", said.err);
    assert!(!said.err.contains("a-secret-token"), "{}", said.err);
}
