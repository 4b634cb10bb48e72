//! Which project a person's calls count against, on the wire.

use serde_json::json;
use tempfile::TempDir;

use super::scripted::{Reply, Scripted};
use super::{Api, Auth, AuthFlags, Call, Class, Client, Endpoints, NoWatch};

/// A login whose tokens come from `tokens`, with these variables and flags.
fn login(
    folder: &TempDir,
    tokens: &Scripted,
    set: &[(&str, &str)],
    flags: &AuthFlags,
    quota_project: Option<&str>,
) -> Auth {
    let mut login = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "token_uri": tokens.base()});
    if let Some(project) = quota_project {
        login["quota_project_id"] = json!(project);
    }
    let file = folder.path().join("login.json");
    std::fs::write(&file, login.to_string()).unwrap();
    let config = folder.path().join("configurations");
    std::fs::create_dir_all(&config).unwrap();
    let text = "[billing]\nquota_project = of-gcloud\n";
    let name = match set.contains(&("gcloud", "")) {
        true => "config_default",
        false => "config_other",
    };
    let _ = std::fs::remove_file(config.join("config_default"));
    std::fs::write(config.join(name), text).unwrap();
    let env = |name: &str| match name {
        "GOOGLE_APPLICATION_CREDENTIALS" => Some(file.display().to_string()),
        "CLOUDSDK_CONFIG" => Some(folder.path().display().to_string()),
        _ => set
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned()),
    };
    Auth::with(&env, flags)
}

async fn tokens() -> Scripted {
    let token = json!({"access_token": "mine", "expires_in": 3600});
    Scripted::plays([Reply::Json(200, token)]).await
}

fn get() -> Call {
    Call::get(Api::Dns, "projects/p/managedZones/z")
}

/// The projects that the calls named, with their paths.
fn named(api: &Scripted) -> Vec<(String, Option<String>)> {
    let seen = api.seen().into_iter();
    seen.map(|seen| {
        let project = seen.header("x-goog-user-project").map(str::to_owned);
        (seen.line.clone(), project)
    })
    .collect()
}

#[tokio::test]
async fn the_project_is_named_in_the_order_of_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let variable = ("GOOGLE_CLOUD_QUOTA_PROJECT", "of-variable");
    let property = ("CLOUDSDK_BILLING_QUOTA_PROJECT", "of-property");
    let flag = |project: &str| AuthFlags {
        billing_project: Some(project.to_owned()),
        ..AuthFlags::default()
    };
    let none = AuthFlags::default();
    for (set, flags, of_file, expected) in [
        (
            &[variable, property][..],
            &flag("of-flag"),
            Some("of-file"),
            "of-flag",
        ),
        (&[variable, property], &none, Some("of-file"), "of-variable"),
        (&[property], &none, Some("of-file"), "of-file"),
        (&[property, ("gcloud", "")], &none, None, "of-property"),
        (&[("gcloud", "")], &none, None, "of-gcloud"),
    ] {
        let tokens = tokens().await;
        let api = Scripted::plays([Reply::Json(200, json!({}))]).await;
        let auth = login(&folder, &tokens, set, flags, of_file);
        let client = Client::new(Endpoints::emulator(&api.base()), auth).unwrap();
        let client = client.of_project("the-run");
        client.send(&get(), &NoWatch).await.unwrap();
        let named: Vec<_> = named(&api)
            .into_iter()
            .map(|(_, project)| project)
            .collect();
        assert_eq!(named, [Some(expected.to_owned())], "{set:?}");
    }
}

/// As in Google's libraries, the request of a person for a token of a service account counts against the named project too.
#[tokio::test]
async fn an_impersonation_by_a_person_names_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let token = json!({"access_token": "mine", "expires_in": 3600});
    let robots = json!({"accessToken": "robots", "expireTime": "2099-01-01T00:00:00Z"});
    let tokens = Scripted::plays([Reply::Json(200, token), Reply::Json(200, robots)]).await;
    let base = tokens.base();
    let set = [
        ("GOOGLE_CLOUD_QUOTA_PROJECT", "of-variable"),
        (
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
            base.as_str(),
        ),
    ];
    let flags = AuthFlags {
        impersonate: Some("robot@p.iam.gserviceaccount.com".to_owned()),
        ..AuthFlags::default()
    };
    let auth = login(&folder, &tokens, &set, &flags, Some("of-file"));
    let token = auth.token().await.unwrap().unwrap();
    assert_eq!(token.reveal(), "robots");
    let projects: Vec<_> = named(&tokens).into_iter().map(|(_, named)| named).collect();
    assert_eq!(projects, [None, Some("of-variable".to_owned())]);
}

#[tokio::test]
async fn a_probe_that_shows_nothing_is_repeated_by_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens().await;
    let auth = login(&folder, &tokens, &[], &AuthFlags::default(), None);
    let ok = || Reply::Json(200, json!({}));
    let on = json!({"state": "ENABLED", "parent": "projects/7"});
    let api = Scripted::plays([
        Reply::Json(503, json!({})),
        ok(),
        Reply::Json(429, json!({})),
        ok(),
        Reply::ResetAfter,
        ok(),
        Reply::Json(200, on),
        ok(),
    ])
    .await;
    let client = Client::new(Endpoints::emulator(&api.base()), auth).unwrap();
    let client = client.of_project("the-run");
    for expected in [None, None, None, Some("the-run".to_owned())] {
        client.send(&get(), &NoWatch).await.unwrap();
        assert_eq!(named(&api).pop().unwrap().1, expected);
    }
}

#[tokio::test]
async fn without_a_name_it_is_the_runs_project_once_its_service_usage_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens().await;
    let auth = login(&folder, &tokens, &[], &AuthFlags::default(), None);
    let off = json!({"error": {"code": 403, "message": "off", "status": "PERMISSION_DENIED"}});
    let api = Scripted::plays([
        Reply::Json(403, off),
        Reply::Json(200, json!({})),
        Reply::Json(200, json!({"name": "operations/o"})),
        Reply::Json(200, json!({"done": true})),
        Reply::Json(200, json!({"state": "ENABLED", "parent": "projects/7"})),
        Reply::Json(200, json!({})),
    ])
    .await;
    let client = Client::new(Endpoints::emulator(&api.base()), auth).unwrap();
    let client = client.of_project("the-run");
    let enable = Call::post(
        Api::ServiceUsage,
        "v1/projects/the-run/services:batchEnable",
    );
    let poll = Call::get(Api::ServiceUsage, "v1/operations/o");
    for call in [get(), enable] {
        client.send(&call, &NoWatch).await.unwrap();
    }
    let asked =
        "/serviceusage.googleapis.com/v1/projects/the-run/services/serviceusage.googleapis.com";
    let project = Some("the-run".to_owned());
    let seen = named(&api);
    assert_eq!(
        seen[0],
        (format!("GET {asked}"), project.clone()),
        "asked with the header"
    );
    assert_eq!(seen[1].1, None, "it is off");
    assert_eq!(seen[2].1, None, "enabling needs none");
    client.send(&poll, &NoWatch).await.unwrap();
    assert_eq!(named(&api)[3].1, None);
    client.send(&get(), &NoWatch).await.unwrap();
    let seen = named(&api);
    assert_eq!(
        seen[4].0,
        format!("GET {asked}"),
        "asked again after an operation has ended"
    );
    assert_eq!(seen[5].1, project);
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn an_api_that_is_off_in_gclouds_project_is_no_api_to_wait_for() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens().await;
    let flags = AuthFlags {
        billing_project: Some("payer".to_owned()),
        ..AuthFlags::default()
    };
    let auth = login(&folder, &tokens, &[], &flags, None);
    let refusal = |consumer: &str| {
        let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
            "message": "Cloud DNS API has not been used in project 764086051850 before or it is disabled.",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
                "domain": "googleapis.com", "metadata": {"service": "dns.googleapis.com", "consumer": consumer}}]}});
        Reply::Json(403, body)
    };
    let api = Scripted::plays([
        refusal("projects/764086051850"),
        refusal("projects/the-run"),
    ])
    .await;
    let client = Client::new(Endpoints::emulator(&api.base()), auth).unwrap();
    let client = client.of_project("the-run");
    let error = client.send(&get(), &NoWatch).await.unwrap_err();
    assert_eq!(error.class, Class::QuotaProject);
    let told = error.to_string();
    for words in [
        "has not been used in project 764086051850",
        "the call counts against project 764086051850, the project of `gcloud auth application-default login`, and not against the-run",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let hint = error.hint().unwrap();
    let command = "`gcloud auth application-default set-quota-project the-run`";
    assert!(hint.contains(command), "{hint}");
    let error = client.send(&get(), &NoWatch).await.unwrap_err();
    assert_eq!(error.class, Class::ApiDisabled, "in the run's own project");
}
