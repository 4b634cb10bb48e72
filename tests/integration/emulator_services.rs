//! Projects, billing and the APIs of a project, over HTTP.

use crate::common::emulator::{Cloud, message, reason};
use serde_json::{Value, json};

const SERVICES: &str = "/serviceusage.googleapis.com/v1/projects/demo-proj/services";
const USAGE: &str = "/serviceusage.googleapis.com/v1";
const PROJECTS: &str = "/cloudresourcemanager.googleapis.com/v1/projects";
const RM: &str = "/cloudresourcemanager.googleapis.com/v1";

fn states(answer: &Value) -> Vec<(String, String)> {
    let services = answer["services"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    services
        .iter()
        .map(|service| (text(&service["name"]), text(&service["state"])))
        .collect()
}

#[tokio::test]
async fn enabling_an_api_enables_what_it_needs_and_is_done_only_later() {
    let cloud = Cloud::start().await;
    let (status, operation) = cloud
        .post(&format!("{SERVICES}/mesh.googleapis.com:enable"), json!({}))
        .await;
    assert_eq!(status, 200);
    // Recorded: nothing but the name.
    assert_eq!(operation.as_object().unwrap().len(), 1, "{operation}");
    assert!(
        operation["name"]
            .as_str()
            .unwrap()
            .starts_with("operations/acat.p2-"),
        "{operation}"
    );
    assert_eq!(
        cloud
            .get(&format!("{SERVICES}/gkehub.googleapis.com"))
            .await
            .1["state"],
        "DISABLED"
    );

    let done = cloud.finish(USAGE, (status, operation)).await;
    assert_eq!(
        done["response"]["@type"],
        "type.googleapis.com/google.api.serviceusage.v1.EnableServiceResponse"
    );
    assert_eq!(done["response"]["service"]["state"], "ENABLED");
    for name in [
        "mesh",
        "gkehub",
        "container",
        "compute",
        "meshconfig",
        "trafficdirector",
    ] {
        let (_, service) = cloud
            .get(&format!("{SERVICES}/{name}.googleapis.com"))
            .await;
        assert_eq!(service["state"], "ENABLED", "{name}");
        assert!(
            !service["name"].as_str().unwrap().contains("demo-proj"),
            "by number: {service}"
        );
    }
}

#[tokio::test]
async fn enabling_what_is_enabled_is_done_at_once_under_a_name_that_cannot_be_polled() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    let (_, again) = cloud
        .post(
            &format!("{SERVICES}/compute.googleapis.com:enable"),
            json!({}),
        )
        .await;
    assert_eq!(
        (&again["name"], &again["done"]),
        (&json!("operations/noop.DONE_OPERATION"), &json!(true))
    );
    assert_eq!(
        cloud
            .get(&format!("{USAGE}/operations/noop.DONE_OPERATION"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_batch_is_one_operation_and_all_or_nothing() {
    let cloud = Cloud::start().await;
    let batch = format!("{SERVICES}:batchEnable");
    let ids = |ids: &[&str]| json!({"serviceIds": ids});
    let unknown = cloud
        .post(
            &batch,
            ids(&["dns.googleapis.com", "nosuch.googleapis.com"]),
        )
        .await;
    assert_eq!((unknown.0, reason(&unknown.1)), (403, "forbidden"));
    assert_eq!(
        message(&unknown.1),
        "Not found or permission denied for service(s): nosuch.googleapis.com."
    );
    assert_eq!(
        cloud.get(&format!("{SERVICES}/dns.googleapis.com")).await.1["state"],
        "DISABLED"
    );

    let begun = cloud
        .post(
            &batch,
            ids(&["dns.googleapis.com", "compute.googleapis.com"]),
        )
        .await;
    let done = cloud.finish(USAGE, begun).await;
    assert_eq!(done["response"]["services"].as_array().unwrap().len(), 2);
    let names = "names=projects/demo-proj/services/dns.googleapis.com&names=projects/demo-proj/services/compute.googleapis.com";
    let (_, both) = cloud.get(&format!("{SERVICES}:batchGet?{names}")).await;
    assert!(
        states(&both).iter().all(|(_, state)| state == "ENABLED"),
        "{both}"
    );
    assert_eq!(
        cloud.post(&batch, ids(&["dns.googleapis.com"; 21])).await.0,
        400
    );
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let cloud = Cloud::with_apis(&["container"]).await;
    let (mut found, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let query = format!(
            "filter=state:ENABLED&pageSize=5&pageToken={}",
            token.replace('=', "%3D")
        );
        let (_, page) = cloud.get(&format!("{SERVICES}?{query}")).await;
        found.extend(states(&page));
        pages += 1;
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert!(pages > 2, "{pages}");
    assert!(found.iter().all(|(_, state)| state == "ENABLED"));
    assert!(
        found
            .iter()
            .any(|(name, _)| name == "compute.googleapis.com")
    );
    let mut names: Vec<&String> = found.iter().map(|(name, _)| name).collect();
    let sorted = names.is_sorted();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), found.len(), "each once");
    assert!(!sorted, "a client that relies on an order is wrong");
    let (_, masked) = cloud
        .get(&format!("{SERVICES}?fields=services/name&pageSize=2"))
        .await;
    assert_eq!(
        masked["services"][0].as_object().unwrap().len(),
        1,
        "{masked}"
    );
    assert!(masked.get("nextPageToken").is_none());
}

#[tokio::test]
async fn an_api_that_others_need_is_not_disabled_by_mistake() {
    let cloud = Cloud::with_apis(&["container"]).await;
    let path = format!("{SERVICES}/compute.googleapis.com:disable");
    let (status, refusal) = cloud.post(&path, json!({})).await;
    assert_eq!((status, reason(&refusal)), (400, "failedPrecondition"));
    assert!(
        message(&refusal).contains("container.googleapis.com"),
        "{refusal}"
    );
    let begun = cloud
        .post(&path, json!({"disableDependentServices": true}))
        .await;
    let done = cloud.finish(USAGE, begun).await;
    assert_eq!(
        done["metadata"],
        json!({"@type": "type.googleapis.com/google.protobuf.Empty"})
    );
    for name in ["compute", "container"] {
        assert_eq!(
            cloud
                .get(&format!("{SERVICES}/{name}.googleapis.com"))
                .await
                .1["state"],
            "DISABLED",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_project_that_nobody_pays_for_cannot_enable_what_costs_money() {
    let cloud = Cloud::start().await;
    let billing = "/cloudbilling.googleapis.com/v1/projects/demo-proj/billingInfo";
    assert_eq!(
        cloud.get(billing).await.1["billingEnabled"],
        true,
        "somebody pays at first"
    );
    let (_, info) = cloud.put(billing, json!({"billingAccountName": ""})).await;
    assert_eq!(
        info,
        json!({"name": "projects/demo-proj/billingInfo", "projectId": "demo-proj", "billingAccountName": "", "billingEnabled": false})
    );
    let begun = cloud
        .post(
            &format!("{SERVICES}/compute.googleapis.com:enable"),
            json!({}),
        )
        .await;
    let failed = cloud.finish(USAGE, begun).await;
    assert_eq!(failed["error"]["code"], 9, "{failed}");
    assert!(
        failed["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Billing account for project '"),
        "{failed}"
    );
    assert_eq!(
        cloud
            .get(&format!("{SERVICES}/compute.googleapis.com"))
            .await
            .1["state"],
        "DISABLED"
    );
    assert_eq!(
        cloud
            .put(billing, json!({"billingAccountName": "accounts/1"}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn any_project_is_there_under_its_id_and_its_number() {
    let cloud = Cloud::start().await;
    let (status, project) = cloud.get(&format!("{PROJECTS}/demo-proj")).await;
    assert_eq!(
        (status, &project["lifecycleState"]),
        (200, &json!("ACTIVE"))
    );
    let number = project["projectNumber"].as_str().unwrap();
    let (_, v3) = cloud
        .get(&format!(
            "/cloudresourcemanager.googleapis.com/v3/projects/{number}"
        ))
        .await;
    assert_eq!(
        (&v3["projectId"], &v3["name"]),
        (&json!("demo-proj"), &json!(format!("projects/{number}")))
    );
    for bad in ["Demo-Proj", "x", "999999999999"] {
        let (status, refusal) = cloud.get(&format!("{PROJECTS}/{bad}")).await;
        assert_eq!(
            (status, message(&refusal)),
            (403, "The caller does not have permission"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_project_is_created_listed_and_deleted() {
    let cloud = Cloud::start().await;
    let body = json!({"projectId": "fresh-proj", "name": "Fresh"});
    let begun = cloud.post(PROJECTS, body.clone()).await;
    assert_eq!(begun.1.as_object().unwrap().len(), 1, "{:?}", begun.1);
    let done = cloud.finish(RM, begun).await;
    assert_eq!(done["response"]["projectId"], "fresh-proj");
    assert_eq!(cloud.post(PROJECTS, body).await.0, 409);
    let billing = "/cloudbilling.googleapis.com/v1/projects/fresh-proj/billingInfo";
    assert_eq!(
        cloud.get(billing).await.1["billingEnabled"],
        false,
        "nobody pays for a new project"
    );

    let (_, found) = cloud
        .get(&format!(
            "{PROJECTS}?filter=id:fresh-proj%20lifecycleState:ACTIVE"
        ))
        .await;
    assert_eq!(found["projects"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(
        cloud.delete(&format!("{PROJECTS}/fresh-proj")).await,
        (200, json!({}))
    );
    assert_eq!(
        cloud.get(&format!("{PROJECTS}/fresh-proj")).await.1["lifecycleState"],
        "DELETE_REQUESTED"
    );
    let services = "/serviceusage.googleapis.com/v1/projects/fresh-proj/services";
    assert_eq!(cloud.get(services).await.0, 403);
}
