//! Each type of credential file yields its token, and a run says whose it is.

use serde_json::{Value, json};

use super::server::TokenServer;
use super::{AUDIENCE, TARGET, external, impersonation, key, login, printer, token_in, write};
use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::User;

/// A type, as a file or with what else it needs, and what is expected of it.
struct Case {
    name: &'static str,
    file: Value,
    token: &'static str,
    /// The first words of the identity.
    told: String,
    /// The requests for one token.
    asked: Vec<String>,
    /// What the last of these contains.
    contains: Vec<&'static str>,
}

fn cases(server: &TokenServer, user: &User) -> Vec<Case> {
    let impersonated = format!("POST /v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken");
    let subject = write(user, "subject", "the-subject-token\n");
    let subject_json = write(
        user,
        "subject.json",
        r#"{"id": {}, "jwt": "the-subject-token"}"#,
    );
    let program = printer(user, "the-subject-token");
    let case = |name, file, token, told: &str, asked: &[&str], contains: &[&'static str]| Case {
        name,
        file,
        token,
        told: told.to_owned(),
        asked: asked.iter().map(|line| (*line).to_owned()).collect(),
        contains: contains.to_vec(),
    };
    let exchanged = &[
        "subject_token=the-subject-token",
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        "audience=%2F%2Fiam.googleapis.com",
    ];
    let outside = format!("{AUDIENCE}, external_account from ");
    let target = |by: &str| format!("{TARGET}, impersonated by {by}");
    let with = |mut file: Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            file[name] = value.clone();
        }
        file
    };
    let url = json!({"url": server.url("/oidc"), "headers": {"Authorization": "bearer the-actions-token"},
        "format": {"type": "json", "subject_token_field_name": "value"}});
    vec![
        case(
            "service_account",
            key(server),
            "ya29.by-key",
            "test@",
            &["POST /key"],
            &["assertion="],
        ),
        case(
            "authorized_user",
            login(server),
            "ya29.by-login",
            "me@example.com, authorized_user from ",
            &["POST /login"],
            &[
                "grant_type=refresh_token",
                "client_secret=the-client-secret",
            ],
        ),
        case(
            "external_account, a file",
            external(server, json!({"file": subject})),
            "ya29.by-federation",
            &outside,
            &["POST /sts"],
            exchanged,
        ),
        case(
            "external_account, a JSON file",
            external(
                server,
                json!({"file": subject_json, "format": {"type": "json", "subject_token_field_name": "jwt"}}),
            ),
            "ya29.by-federation",
            &outside,
            &["POST /sts"],
            exchanged,
        ),
        case(
            "external_account, GitHub Actions",
            external(server, url.clone()),
            "ya29.by-federation",
            &outside,
            &["GET /oidc", "POST /sts"],
            exchanged,
        ),
        case(
            "external_account, GitHub Actions with a service account",
            with(
                external(server, url),
                json!({"service_account_impersonation_url": impersonation(server),
                "service_account_impersonation": {"token_lifetime_seconds": 1200}}),
            ),
            "ya29.impersonated",
            &target(&outside),
            &["GET /oidc", "POST /sts", &impersonated],
            &["\"lifetime\":\"1200s\"", "cloud-platform"],
        ),
        case(
            "external_account, a program",
            external(
                server,
                json!({"executable": {"command": format!("'{program}' --now")}}),
            ),
            "ya29.by-federation",
            &outside,
            &["POST /sts"],
            exchanged,
        ),
        case(
            "external_account, a workforce pool",
            with(
                external(server, json!({"file": subject})),
                json!({"workforce_pool_user_project": "99"}),
            ),
            "ya29.by-federation",
            &outside,
            &["POST /sts"],
            &["options=%7B%22userProject%22%3A%2299%22%7D"],
        ),
        case(
            "impersonated_service_account",
            json!({"type": "impersonated_service_account", "service_account_impersonation_url": impersonation(server),
                "delegates": ["between@p.iam.gserviceaccount.com"], "source_credentials": login(server)}),
            "ya29.impersonated",
            &target("me@example.com, authorized_user from "),
            &["POST /login", &impersonated],
            &[
                "projects/-/serviceAccounts/between@p.iam.gserviceaccount.com",
                "\"lifetime\":\"3600s\"",
            ],
        ),
        case(
            "external_account_authorized_user",
            json!({"type": "external_account_authorized_user", "audience": "//iam.googleapis.com/locations/global/workforcePools/w/providers/p",
                "client_id": "the-client", "client_secret": "the-client-secret", "refresh_token": "the-refresh-token",
                "token_url": server.url("/oauthtoken")}),
            "ya29.by-workforce",
            "an account that the credentials do not name",
            &["POST /oauthtoken"],
            &[
                "grant_type=refresh_token",
                "refresh_token=the-refresh-token",
            ],
        ),
    ]
}

#[test]
fn each_type_of_file_yields_its_token_and_is_told() {
    let (server, cloud) = (TokenServer::generous(), Cloud::new());
    let user = pointed_at(User::new(), cloud.address())
        .with("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "false")
        .with("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    let file = user.home().join("credentials.json").display().to_string();
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", &file);
    for case in cases(&server, &user) {
        let name = case.name;
        write(&user, "credentials.json", &case.file.to_string());
        let said = user.run(&["token"]).ends(0);
        assert_eq!(token_in(&said.out), case.token, "{name}");
        let seen = server.seen();
        let lines: Vec<_> = seen.iter().map(|seen| seen.line.clone()).collect();
        assert_eq!(lines, case.asked, "{name}");
        let last = seen.last().unwrap();
        for part in case.contains {
            assert!(last.body.contains(part), "{name}: {part} in {}", last.body);
        }
        let said = user.run(&["plan", "--through", "network"]).ends(3);
        let told = format!("credentials: {}", case.told);
        assert!(said.err.starts_with(&told), "{name}: {}", said.err);
        let found = "~/credentials.json (GOOGLE_APPLICATION_CREDENTIALS)";
        assert!(said.err.contains(found), "{name}: {}", said.err);
        assert_eq!(said.err.matches("credentials: ").count(), 1, "{}", said.err);
        // One token for the whole run.
        assert_eq!(server.seen().len(), case.asked.len(), "{name}");
    }
}

#[test]
fn who_is_asked_gets_what_proves_it() {
    let server = TokenServer::generous();
    let user = User::new().with("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    let file = user.home().join("credentials.json").display().to_string();
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", &file);
    for case in cases(&server, &user) {
        write(&user, "credentials.json", &case.file.to_string());
        user.run(&["token"]).ends(0);
        let header = |line: &str, seen: &[super::server::Seen]| {
            let found = seen.iter().find(|seen| seen.line.ends_with(line));
            found.map(|seen| seen.authorization.clone())
        };
        let seen = server.seen();
        match case.name {
            "external_account, GitHub Actions" => {
                assert_eq!(header("/oidc", &seen).unwrap(), "bearer the-actions-token");
                assert_eq!(header("/sts", &seen).unwrap(), "");
            }
            "external_account, GitHub Actions with a service account" => {
                let bearer = header(":generateAccessToken", &seen).unwrap();
                assert_eq!(bearer, "Bearer ya29.by-federation");
            }
            "impersonated_service_account" => {
                let bearer = header(":generateAccessToken", &seen).unwrap();
                assert_eq!(bearer, "Bearer ya29.by-login");
            }
            "external_account_authorized_user" => {
                // the-client:the-client-secret
                let basic = header("/oauthtoken", &seen).unwrap();
                assert_eq!(basic, "Basic dGhlLWNsaWVudDp0aGUtY2xpZW50LXNlY3JldA==");
            }
            _ => {}
        }
    }
}

#[test]
fn a_program_is_run_only_where_the_environment_allows_it() {
    let server = TokenServer::generous();
    let user = User::new();
    let mark = user.home().join("it-ran");
    let program = user.home().join("program");
    crate::common::program::script(
        &program,
        &format!("#!/bin/sh\ntouch '{}'\n", mark.display()),
    );
    let source = json!({"executable": {"command": program.display().to_string()}});
    let file = write(
        &user,
        "credentials.json",
        &external(&server, source).to_string(),
    );
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", &file);
    let said = user.run(&["token"]).ends(1);
    assert!(
        said.err.contains("of type \"external_account\": it names a program to run, and GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is not 1"),
        "{}",
        said.err
    );
    assert!(!mark.exists());
    let user = user.with("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    let said = user.run(&["token"]).ends(1);
    assert!(said.err.contains("its answer is not JSON"), "{}", said.err);
    assert!(mark.exists());
}

#[test]
fn an_account_is_impersonated_by_flag_variable_and_property() {
    let (server, cloud) = (TokenServer::generous(), Cloud::new());
    let user = || {
        let user = pointed_at(User::new(), cloud.address())
            .with("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "false")
            .with(
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
                server.url("/"),
            );
        let file = write(&user, "login.json", &login(&server).to_string());
        user.with("GOOGLE_APPLICATION_CREDENTIALS", file)
    };
    let configured = user();
    write(
        &configured,
        ".config/gcloud/configurations/config_default",
        &format!("[auth]\nimpersonate_service_account = {TARGET}\n"),
    );
    let chain = format!("first@p.iam.gserviceaccount.com,{TARGET}");
    let flag = ["--impersonate-service-account", chain.as_str()];
    for (user, flags, found) in [
        (user(), &flag[..], "--impersonate-service-account"),
        (
            user().with("CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT", TARGET),
            &[],
            "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
        ),
        (configured, &[], "gcloud's auth/impersonate_service_account"),
    ] {
        let args = [
            &["plan", "--through", "network", "--output", "json"][..],
            flags,
        ]
        .concat();
        let said = user.run(&args).ends(3);
        let started: Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
        let expected = json!({"account": TARGET, "type": "impersonated_service_account", "found": found, "by":
            {"account": "me@example.com", "type": "authorized_user", "found":
                "~/login.json (GOOGLE_APPLICATION_CREDENTIALS)"}});
        assert_eq!(started["identity"], expected, "{}", said.out);
        let seen = server.seen();
        let lines: Vec<_> = seen.iter().map(|seen| seen.line.as_str()).collect();
        let impersonated =
            format!("POST /v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken");
        assert_eq!(lines, ["POST /login", impersonated.as_str()]);
        let delegated = seen[1].body.contains("projects/-/serviceAccounts/first@p");
        assert_eq!(delegated, !flags.is_empty(), "{}", seen[1].body);
        let said = user.run(&[&["token"][..], flags].concat()).ends(0);
        assert_eq!(token_in(&said.out), "ya29.impersonated");
        server.seen();
    }
    let said = user()
        .run(&["token", "--impersonate-service-account", "me"])
        .ends(1);
    assert!(
        said.err
            .contains("--impersonate-service-account is \"me\": it is not the e-mail address"),
        "{}",
        said.err
    );
}
