//! Service accounts and policies, over HTTP.

use std::time::Duration;

use crate::common::emulator::{Cloud, message, reason};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/iam.googleapis.com/v1/projects/demo-proj/serviceAccounts";
const PROJECT: &str = "/cloudresourcemanager.googleapis.com/v1/projects/demo-proj";
const EMAIL: &str = "sa-gateway-nodes@demo-proj.iam.gserviceaccount.com";

async fn create(cloud: &Cloud) -> (u16, Value) {
    let body = json!({"accountId": "sa-gateway-nodes", "serviceAccount": {"displayName": "SA for gateway nodes"}});
    cloud.post(ACCOUNTS, body).await
}

/// Waits until the account is visible to everybody.
async fn visible(cloud: &Cloud) {
    let mut in_a_row = 0;
    while in_a_row < 3 {
        let found = cloud.get(&format!("{ACCOUNTS}/{EMAIL}")).await.0 == 200;
        in_a_row = if found { in_a_row + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn policy(cloud: &Cloud) -> Value {
    let (status, policy) = cloud
        .post(
            &format!("{PROJECT}:getIamPolicy"),
            json!({"options": {"requestedPolicyVersion": 3}}),
        )
        .await;
    assert_eq!(status, 200);
    policy
}

async fn set(cloud: &Cloud, policy: &Value) -> (u16, Value) {
    cloud
        .post(
            &format!("{PROJECT}:setIamPolicy"),
            json!({"policy": policy}),
        )
        .await
}

fn bind(policy: &mut Value, role: &str, member: &str) {
    policy["bindings"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": role, "members": [member]}));
    policy["version"] = json!(3);
}

fn members(policy: &Value, role: &str) -> Vec<String> {
    let bindings = policy["bindings"].as_array().unwrap();
    let of_role = bindings.iter().filter(|binding| binding["role"] == role);
    of_role
        .flat_map(|binding| binding["members"].as_array().unwrap())
        .map(|member| member.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_new_account_comes_and_goes_before_it_stays() {
    // Slow enough that all the reads fall into the time in which it is not visible everywhere.
    let cloud = Cloud::with("real/15", None).await;
    let missing = cloud.get(&format!("{ACCOUNTS}/{EMAIL}")).await;
    assert_eq!(
        (missing.0, message(&missing.1)),
        (404, "Unknown service account")
    );
    let (status, account) = create(&cloud).await;
    assert_eq!((status, &account["email"]), (200, &json!(EMAIL)));
    assert_eq!(account["uniqueId"].as_str().unwrap().len(), 21);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (status, answer) = cloud.get(&format!("{ACCOUNTS}/{EMAIL}")).await;
        seen.push(status);
        if status == 404 {
            let want = format!(
                "Service account projects/demo-proj/serviceAccounts/{EMAIL} does not exist."
            );
            assert_eq!(
                (message(&answer), reason(&answer)),
                (want.as_str(), "notFound")
            );
        }
    }
    assert_eq!(seen, [404, 200, 404, 200]);
    let again = create(&cloud).await;
    assert_eq!((again.0, reason(&again.1)), (409, "alreadyExists"));
    assert_eq!(
        message(&again.1),
        "Service account sa-gateway-nodes already exists within project projects/demo-proj."
    );
    let (_, list) = cloud.get(ACCOUNTS).await;
    assert!(list.get("accounts").is_none(), "{list}");

    visible(&cloud).await;
    assert_eq!(
        cloud
            .get(&format!(
                "/iam.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}"
            ))
            .await
            .0,
        200
    );
    let id = account["uniqueId"].as_str().unwrap();
    assert_eq!(
        cloud.get(&format!("{ACCOUNTS}/{id}")).await.1["email"],
        EMAIL
    );
    assert_eq!(
        cloud.get(ACCOUNTS).await.1["accounts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn an_account_is_disabled_patched_and_deleted() {
    let cloud = Cloud::start().await;
    create(&cloud).await;
    visible(&cloud).await;
    let path = format!("{ACCOUNTS}/{EMAIL}");
    assert_eq!(
        cloud.post(&format!("{path}:disable"), json!({})).await,
        (200, json!({}))
    );
    assert_eq!(cloud.get(&path).await.1["disabled"], true);
    assert_eq!(
        cloud.post(&format!("{path}:enable"), json!({})).await,
        (200, json!({}))
    );
    assert!(cloud.get(&path).await.1.get("disabled").is_none());
    let change = json!({"serviceAccount": {"displayName": "other"}, "updateMask": "displayName"});
    assert_eq!(cloud.patch(&path, change).await.1["displayName"], "other");
    assert_eq!(cloud.delete(&path).await, (200, json!({})));
    assert_eq!(cloud.delete(&path).await.0, 404);
}

#[tokio::test]
async fn bad_ids_are_refused() {
    let cloud = Cloud::start().await;
    for id in [
        "short",
        "Upper-case",
        "ends-with-",
        "1-starts-so",
        "this-id-is-too-long-for-an-account",
    ] {
        let (status, refusal) = cloud.post(ACCOUNTS, json!({"accountId": id})).await;
        assert_eq!((status, reason(&refusal)), (400, "badRequest"), "{id}");
    }
    assert_eq!(
        cloud
            .post(
                ACCOUNTS,
                json!({"accountId": "fine-id", "displayName": "x"})
            )
            .await
            .0,
        400,
        "unknown field"
    );
}

#[tokio::test]
async fn the_policy_is_full_of_others_and_they_survive() {
    let cloud = Cloud::start().await;
    let mut before = policy(&cloud).await;
    let text = before.to_string();
    assert!(
        text.contains("compute-system.iam.gserviceaccount.com"),
        "{before}"
    );
    let deleted: Vec<String> = members(&before, "roles/storage.objectViewer");
    assert!(
        deleted[0].starts_with("deleted:serviceAccount:") && deleted[0].contains("?uid="),
        "{deleted:?}"
    );
    assert_eq!(before["version"], 1);

    create(&cloud).await;
    visible(&cloud).await;
    bind(
        &mut before,
        "roles/logging.logWriter",
        &format!("serviceAccount:{EMAIL}"),
    );
    let (status, after) = set(&cloud, &before).await;
    assert_eq!(status, 200, "{after}");
    assert_ne!(after["etag"], before["etag"]);
    assert_eq!(
        members(&after, "roles/logging.logWriter"),
        [format!("serviceAccount:{EMAIL}")]
    );
    assert_eq!(members(&after, "roles/storage.objectViewer"), deleted);
    assert_eq!(policy(&cloud).await, after);
    // Whoever read before this write has to read again.
    let stale = set(&cloud, &before).await;
    assert_eq!((stale.0, reason(&stale.1)), (409, "aborted"));
    assert!(message(&stale.1).starts_with("There were concurrent policy changes."));
}

#[tokio::test]
async fn one_bad_member_refuses_the_whole_policy() {
    let cloud = Cloud::with("real", None).await;
    create(&cloud).await;
    let cases = [
        (format!("serviceAccount:{EMAIL}"), format!("Service account {EMAIL} does not exist.")),
        (
            "serviceAccount:nobody@demo-proj.iam.gserviceaccount.com".to_owned(),
            "Service account nobody@demo-proj.iam.gserviceaccount.com does not exist.".to_owned(),
        ),
        (
            "somebody@example.com".to_owned(),
            "The member somebody@example.com is of an unknown type. Please set a valid type prefix for the member.".to_owned(),
        ),
    ];
    let before = policy(&cloud).await;
    for (member, want) in cases {
        let mut changed = before.clone();
        bind(
            &mut changed,
            "roles/monitoring.viewer",
            "user:somebody@example.com",
        );
        bind(&mut changed, "roles/logging.logWriter", &member);
        let (status, refusal) = set(&cloud, &changed).await;
        assert_eq!((status, message(&refusal)), (400, want.as_str()));
        assert_eq!(policy(&cloud).await, before);
    }
}

#[tokio::test]
async fn deleting_an_account_leaves_its_bindings_as_garbage_that_its_successor_does_not_inherit() {
    let cloud = Cloud::start().await;
    let (_, account) = create(&cloud).await;
    visible(&cloud).await;
    let mut bound = policy(&cloud).await;
    bind(
        &mut bound,
        "roles/logging.logWriter",
        &format!("serviceAccount:{EMAIL}"),
    );
    let (_, bound) = set(&cloud, &bound).await;
    cloud.delete(&format!("{ACCOUNTS}/{EMAIL}")).await;
    create(&cloud).await;
    visible(&cloud).await;
    let left = policy(&cloud).await;
    let dead = format!(
        "deleted:serviceAccount:{EMAIL}?uid={}",
        account["uniqueId"].as_str().unwrap()
    );
    assert_eq!(members(&left, "roles/logging.logWriter"), [dead]);
    assert_eq!(
        set(&cloud, &bound).await.0,
        409,
        "the old policy cannot be written back"
    );
    assert_eq!(set(&cloud, &left).await.0, 200, "the new one can");
}

#[tokio::test]
async fn conditions_need_version_three_and_are_hidden_below_it() {
    let cloud = Cloud::start().await;
    let mut policy = policy(&cloud).await;
    let condition =
        json!({"title": "t", "expression": "request.time < timestamp(\"2030-01-01T00:00:00Z\")"});
    policy["bindings"].as_array_mut().unwrap().push(
        json!({"role": "roles/viewer", "members": ["user:a@example.com"], "condition": condition}),
    );
    policy["version"] = json!(1);
    assert_eq!(set(&cloud, &policy).await.0, 400);
    policy["version"] = json!(3);
    let (status, set) = set(&cloud, &policy).await;
    assert_eq!((status, &set["version"]), (200, &json!(3)));
    let (_, old) = cloud
        .post(&format!("{PROJECT}:getIamPolicy"), json!({}))
        .await;
    assert_eq!(old["version"], 1);
    assert!(old.to_string().contains("roles/viewer_withcond_"), "{old}");
    assert!(!old.to_string().contains("\"condition\""), "{old}");
}

#[tokio::test]
async fn a_policy_on_an_account_starts_empty_and_takes_roles_about_accounts_only() {
    let cloud = Cloud::start().await;
    create(&cloud).await;
    visible(&cloud).await;
    let path = format!("{ACCOUNTS}/{EMAIL}");
    let read = format!("{path}:getIamPolicy?options.requestedPolicyVersion=3");
    let (_, empty) = cloud.call("POST", &read, None).await;
    assert_eq!(empty, json!({"etag": "ACAB"}));
    let write = |role: &str, member: &str| json!({"policy": {"version": 3, "etag": "ACAB", "bindings": [{"role": role, "members": [member]}]}});
    let identity = "serviceAccount:demo-proj.svc.id.goog[team-x/test]";
    let (status, refusal) = cloud
        .post(
            &format!("{path}:setIamPolicy"),
            write("roles/storage.admin", "user:a@example.com"),
        )
        .await;
    assert_eq!(
        (status, message(&refusal)),
        (
            400,
            "Role roles/storage.admin is not supported for this resource."
        )
    );
    // No cluster has ever had a pool in this project.
    let (status, refusal) = cloud
        .post(
            &format!("{path}:setIamPolicy"),
            write("roles/iam.workloadIdentityUser", identity),
        )
        .await;
    assert_eq!(status, 400);
    assert!(
        message(&refusal).starts_with("Identity Pool does not exist (demo-proj.svc.id.goog)."),
        "{refusal}"
    );
}

#[tokio::test]
async fn permissions_and_roles_are_told() {
    let cloud = Cloud::start().await;
    let (_, all) = cloud
        .post(
            &format!("{PROJECT}:testIamPermissions"),
            json!({"permissions": ["compute.networks.create"]}),
        )
        .await;
    assert_eq!(all, json!({"permissions": ["compute.networks.create"]}));
    assert_eq!(
        cloud
            .post(
                &format!("{PROJECT}:testIamPermissions"),
                json!({"permissions": ["compute.*"]})
            )
            .await
            .0,
        400
    );
    let (_, role) = cloud
        .get("/iam.googleapis.com/v1/roles/logging.logWriter")
        .await;
    assert_eq!(role["title"], "Logs Writer");
    assert_eq!(
        cloud.get("/iam.googleapis.com/v1/roles/no.such").await.0,
        404
    );
    let (_, roles) = cloud.get("/iam.googleapis.com/v1/roles?pageSize=3").await;
    assert_eq!(roles["roles"].as_array().unwrap().len(), 3);
}
