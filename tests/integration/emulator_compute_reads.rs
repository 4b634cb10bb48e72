//! The emulator's compute, over HTTP: lists, batches, waiting, the catalogue.

use std::time::Instant;

use crate::common::emulator::{Cloud, compute};
use serde_json::{Value, json};

const NETWORK: &str = "global/networks/vpc";
const LINK: &str = "https://www.googleapis.com/compute/v1/projects/demo-proj";

fn subnetwork(name: &str, range: &str) -> Value {
    json!({"name": name, "network": format!("{LINK}/{NETWORK}"), "ipCidrRange": range})
}

#[tokio::test]
async fn lists_are_filtered_paged_and_in_no_order_to_rely_on() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    cloud.delete_default_network().await;
    assert!(
        cloud
            .get(&compute("global/firewalls"))
            .await
            .1
            .get("items")
            .is_none()
    );
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        let rule = json!({"name": name, "network": format!("{LINK}/{NETWORK}"), "allowed": [{"IPProtocol": "icmp"}]});
        cloud.operate("POST", "global/firewalls", Some(rule)).await;
    }
    let listed = |body: &Value| -> Vec<String> {
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = listed(&cloud.get(&compute("global/firewalls")).await.1);
    assert_eq!(
        all,
        listed(&cloud.get(&compute("global/firewalls")).await.1),
        "the same every time"
    );
    assert_ne!(
        all, names,
        "neither the order of creation nor of the alphabet"
    );

    let (_, first) = cloud.get(&compute("global/firewalls?maxResults=4")).await;
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, second) = cloud
        .get(&compute(&format!(
            "global/firewalls?maxResults=4&pageToken={token}"
        )))
        .await;
    assert!(second.get("nextPageToken").is_none());
    assert_eq!([listed(&first), listed(&second)].concat(), all);
    assert_eq!(
        listed(
            &cloud
                .get(&compute("global/firewalls?filter=name%20%3D%20c"))
                .await
                .1
        ),
        ["c"]
    );
    let (_, masked) = cloud
        .get(&compute("global/firewalls?fields=items/name"))
        .await;
    assert_eq!(masked["items"][0].as_object().unwrap().len(), 1);

    cloud
        .operate(
            "POST",
            "regions/us-east1/subnetworks",
            Some(subnetwork("s", "10.0.0.0/24")),
        )
        .await;
    let (_, everywhere) = cloud
        .get(&compute(
            "aggregated/subnetworks?includeAllScopes=True&returnPartialSuccess=True",
        ))
        .await;
    assert_eq!(
        everywhere["items"]["regions/us-east1"]["subnetworks"][0]["name"],
        "s"
    );
    assert_eq!(
        everywhere["items"]["regions/us-west1"]["warning"]["code"],
        "NO_RESULTS_ON_PAGE"
    );
}

#[tokio::test]
async fn a_batch_deletes_several_and_says_what_became_of_each() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    for name in ["a", "b"] {
        let rule = json!({"name": name, "network": format!("{LINK}/{NETWORK}"), "denied": [{"IPProtocol": "all"}]});
        cloud.operate("POST", "global/firewalls", Some(rule)).await;
    }
    let part = |id: usize, name: &str| {
        let url = compute(&format!("global/firewalls/{name}"));
        format!(
            "--x\r\nContent-Type: application/http\r\nContent-ID: <b+{id}>\r\n\r\nDELETE {url} HTTP/1.1\r\n\r\n\r\n"
        )
    };
    let body = [
        part(1, "a"),
        part(2, "b"),
        part(3, "none"),
        "--x--".to_owned(),
    ]
    .concat();
    for path in [
        "/batch/compute/v1",
        "/compute.googleapis.com/batch/compute/v1",
    ] {
        let request = cloud
            .raw("POST", path)
            .header("content-type", "multipart/mixed; boundary=x")
            .body(body.clone());
        let text = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(text.matches("HTTP/1.1 ").count(), 3, "{text}");
        assert!(
            text.contains("Content-ID: <response-b+3>\r\n\r\nHTTP/1.1 404 Not Found"),
            "{text}"
        );
        let expected = if path.starts_with("/batch") {
            "HTTP/1.1 200 OK"
        } else {
            "HTTP/1.1 400 Bad Request"
        };
        assert!(
            text.contains(&format!("<response-b+1>\r\n\r\n{expected}")),
            "a second delete is not ready: {text}"
        );
    }
}

#[tokio::test]
async fn waiting_holds_the_line_for_as_long_as_it_takes() {
    let cloud = Cloud::with("real/100", None).await;
    cloud.enable(&["compute"]).await;
    let began = Instant::now();
    cloud.network().await;
    assert!(
        began.elapsed().as_millis() >= 150,
        "fifteen seconds, a hundred times faster"
    );
}

#[tokio::test]
async fn the_catalogue_knows_regions_zones_machines_and_quotas() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let (_, region) = cloud.get(&compute("regions/us-central1")).await;
    assert_eq!(
        region["zones"].as_array().unwrap().len(),
        5,
        "four, and an AI zone"
    );
    assert_eq!(
        cloud.get(&compute("zones/us-central1-f")).await.1["region"],
        format!("{LINK}/regions/us-central1")
    );
    assert_eq!(cloud.get(&compute("zones/us-central1-d")).await.0, 404);
    let (_, machine) = cloud
        .get(&compute("zones/us-central1-a/machineTypes/e2-standard-4"))
        .await;
    assert_eq!(
        (&machine["guestCpus"], &machine["memoryMb"]),
        (&json!(4), &json!(16384))
    );
    let (_, project) = cloud.get(compute("").trim_end_matches('/')).await;
    let networks = project["quotas"]
        .as_array()
        .unwrap()
        .iter()
        .find(|quota| quota["metric"] == "NETWORKS")
        .unwrap();
    assert_eq!(networks["usage"], 2.0, "with the default network");
}

#[tokio::test]
async fn a_network_has_routes_to_the_internet_and_to_its_ranges() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let path = "regions/us-central1/subnetworks";
    let body = subnetwork("ranges", "10.0.0.0/24");
    cloud.operate("POST", path, Some(body)).await;
    let (_, listed) = cloud.get(&compute("global/routes")).await;
    let network = format!("{LINK}/{NETWORK}");
    let routes = listed["items"].as_array().unwrap().iter();
    // Those of the project's network `default` are in the list too.
    let routes: Vec<&Value> = routes.filter(|route| route["network"] == network).collect();
    let hops = |range: &str| -> Vec<&Value> {
        let of_range = routes.iter().filter(|route| route["destRange"] == range);
        of_range.copied().collect()
    };
    let [internet, within] = ["0.0.0.0/0", "10.0.0.0/24"].map(hops);
    assert_eq!((internet.len(), within.len()), (1, 1), "{listed:#}");
    assert!(internet[0]["nextHopGateway"].is_string());
    assert_eq!(within[0]["nextHopNetwork"], network);
}

#[tokio::test]
async fn every_constraint_has_googles_default() {
    let cloud = Cloud::with_apis(&[]).await;
    let path = |constraint: &str| {
        format!(
            "/orgpolicy.googleapis.com/v2/projects/demo-proj/policies/{constraint}:getEffectivePolicy"
        )
    };
    for (constraint, rule) in [
        ("compute.requireShieldedVm", json!({"enforce": false})),
        ("gcp.resourceLocations", json!({"allowAll": true})),
    ] {
        let (http, policy) = cloud.get(&path(constraint)).await;
        assert_eq!((http, &policy["spec"]["rules"]), (200, &json!([rule])));
    }
    assert_eq!(cloud.get(&path("compute.unheardOf")).await.0, 404);
}
