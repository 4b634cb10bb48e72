//! The emulator as a server: who may talk to it, and what survives it.

use std::net::SocketAddr;

use crate::common::emulator::{Cloud, compute};
use emulator::{Pace, Settings, StartError, start};
use serde_json::json;

#[tokio::test]
async fn only_programs_of_this_machine_are_answered() {
    let cloud = Cloud::start().await;
    let cases = [
        ("host", "localhost:4010", 404),
        ("host", "rebound.example.com", 403),
        ("origin", "http://localhost:8080", 404),
        ("origin", "https://rebound.example.com", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "none", 404),
        ("sec-fetch-site", "cross-site", 403),
    ];
    for (header, value, expected) in cases {
        let response = cloud
            .raw("GET", "/")
            .header(header, value)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), expected, "{header}: {value}");
    }
}

#[tokio::test]
async fn it_listens_on_loopback_alone() {
    let settings = |listen: &str| Settings {
        listen: listen.parse().unwrap(),
        state: None,
        identity: None,
        pace: Pace::Zero,
    };
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let refused = start(settings(listen)).await.unwrap_err();
        assert!(matches!(refused, StartError::NotLoopback(_)), "{refused}");
    }
    let first = start(settings("127.0.0.1:0")).await.unwrap();
    let taken = Settings {
        listen: first.addr(),
        state: None,
        identity: None,
        pace: Pace::Zero,
    };
    assert!(matches!(
        start(taken).await.unwrap_err(),
        StartError::Listen(..)
    ));
    // All of 127.0.0.0/8 leads to this machine, and only one address of it to the emulator.
    let elsewhere = ("127.0.0.2", first.addr().port());
    assert!(std::net::TcpStream::connect(elsewhere).is_err());
    first.stop().await;
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let cloud = Cloud::start().await;
    let path = "/storage.googleapis.com/storage/v1/b?project=demo-proj";
    let body = vec![b' '; (64 << 20) + 1];
    // A server that has read enough may end the connection before the client has sent all.
    if let Ok(answer) = cloud.raw("POST", path).body(body).send().await {
        assert_eq!(answer.status().as_u16(), 413);
    }
    assert!(cloud.running.seen().is_empty(), "nobody has looked at it");
}

#[tokio::test]
async fn a_path_that_is_no_method_is_answered_with_a_page() {
    let cloud = Cloud::start().await;
    let response = cloud
        .raw(
            "GET",
            "/compute.googleapis.com/compute/v1/projects/demo-proj/global/nets",
        )
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 404);
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=UTF-8"
    );
}

#[tokio::test]
async fn what_was_asked_can_be_read() {
    let cloud = Cloud::start().await;
    cloud
        .post(
            "/storage.googleapis.com/storage/v1/b?project=demo-proj",
            json!({"name": "demo-proj-bucket"}),
        )
        .await;
    let seen = cloud.running.seen();
    let last = seen.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.path.as_str()),
        ("POST", "/storage.googleapis.com/storage/v1/b")
    );
    assert_eq!(
        (last.query.as_str(), last.status),
        ("project=demo-proj", 200)
    );
    assert_eq!(last.body, json!({"name": "demo-proj-bucket"}));
}

#[tokio::test]
async fn a_killed_emulator_continues_from_its_file_with_what_was_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.json");
    let cloud = Cloud::with("real/20", Some(file.clone())).await;
    cloud.enable(&["compute"]).await;
    cloud.network().await;
    let insert =
        compute("regions/us-central1/subnetworks?requestId=5a4f2d9e-7c1b-4f60-8c86-0d1f5a3f9d02");
    let body = json!({"name": "s", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/24"});
    let (status, flying) = cloud.post(&insert, body.clone()).await;
    assert_eq!(
        (status, &flying["status"]),
        (200, &json!("RUNNING")),
        "{flying}"
    );
    let kept = std::fs::read(&file).unwrap();

    // What is on disk now is all that a kill leaves: a second emulator reads a copy of it while the first still runs.
    let copy = folder.path().join("copy.json");
    std::fs::write(&copy, &kept).unwrap();
    let second = Cloud::with("real/20", Some(copy.clone())).await;
    assert_eq!(
        second
            .get(&compute("regions/us-central1/subnetworks/s"))
            .await
            .0,
        404
    );
    let done = second.wait(&flying).await;
    assert!(done.get("error").is_none(), "{done}");
    assert_eq!(
        second
            .get(&compute("regions/us-central1/subnetworks/s"))
            .await
            .0,
        200
    );
    let (_, again) = second.post(&insert, body).await;
    assert_eq!(
        (&again["name"], &again["status"]),
        (&flying["name"], &json!("DONE")),
        "the request id is remembered"
    );

    let before = second.running.inventory();
    second.running.stop().await;
    let third = Cloud::with("0", Some(copy)).await;
    assert_eq!(third.running.inventory(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_long_poll_does_not_outlive_the_emulator() {
    let cloud = Cloud::with("real/30", None).await;
    cloud.enable(&["compute"]).await;
    let body = json!({"name": "vpc", "autoCreateSubnetworks": false});
    let (_, operation) = cloud.post(&compute("global/networks"), body).await;
    let wait = compute(&format!(
        "global/operations/{}/wait",
        operation["name"].as_str().unwrap()
    ));
    let held = tokio::spawn(cloud.raw("POST", &wait).send());
    let asked = |seen: &[emulator::RequestRecord]| seen.iter().any(|one| one.path == wait);
    // The request has to be there before the end comes.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(
        !asked(&cloud.running.seen()),
        "half a second, and not over yet"
    );
    let began = std::time::Instant::now();
    cloud.running.stop().await;
    let answer: serde_json::Value = held.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "RUNNING");
    assert!(began.elapsed().as_millis() < 400, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_file_that_is_no_state_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.json");
    std::fs::write(&file, "{").unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings {
        listen,
        state: Some(file.clone()),
        identity: None,
        pace: Pace::Zero,
    };
    let refused = start(settings).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("move it away to start from an empty state"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
}
