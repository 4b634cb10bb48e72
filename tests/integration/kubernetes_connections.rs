//! An emulated cluster's connections: TLS, the versions of HTTP, and how they end with their cluster.

use std::time::Duration;

use crate::common::emulator::longrunning::ZONE;
use crate::common::kubernetes::{EmulatedCluster, deployment};
use futures_util::StreamExt as _;
use reqwest::{Certificate, Client, Version};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

#[tokio::test]
async fn both_versions_of_http_are_served() {
    let cluster = EmulatedCluster::start().await;
    let certificate = Certificate::from_pem(&cluster.authority).unwrap();
    let old = Client::builder()
        .tls_certs_only([certificate])
        .http1_only()
        .build()
        .unwrap();
    let url = format!("https://{}/version", cluster.endpoint);
    let requests = [
        (cluster.request("GET", "/version"), Version::HTTP_2),
        (old.get(url), Version::HTTP_11),
    ];
    for (request, version) in requests {
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
}

#[tokio::test]
async fn a_client_without_a_handshake_delays_no_other() {
    let cluster = EmulatedCluster::start().await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(std::net::TcpStream::connect(&cluster.endpoint).unwrap());
    }
    let began = std::time::Instant::now();
    assert_eq!(cluster.get("/version").await.0, 200);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    drop(silent);
}

#[tokio::test]
async fn what_goes_on_ends_with_the_cluster() {
    let cluster = EmulatedCluster::start().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    cluster.create(deployments, deployment("web")).await;
    let list = cluster
        .until("/api/v1/namespaces/default/pods", |list| {
            list["items"][0]["status"]["phase"] == "Running"
        })
        .await;
    let pod = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let path = format!("/api/v1/namespaces/default/pods/{pod}/exec");
    // It waits for input that does not come.
    let query = "command=cat&stdin=true&stdout=true";
    let (mut command, _) = cluster.open(&path, "v5.channel.k8s.io", query).await;
    let watch = "/api/v1/namespaces/kube-system/configmaps?watch=true&timeoutSeconds=300";
    let watch = cluster.request("GET", watch).send().await.unwrap();

    let begun = cluster
        .cloud
        .delete(&format!("{ZONE}/clusters/cluster1"))
        .await;
    cluster.cloud.finish(ZONE, begun).await;
    let ends = async {
        let last = command.next().await.unwrap().unwrap();
        // With the code Normal, kubectl would exit with 0.
        let Message::Close(Some(close)) = last else {
            panic!("{last:?}")
        };
        assert_eq!(close.code, CloseCode::Away);
        // Whole or cut off, it is over.
        let _ = watch.text().await;
    };
    tokio::time::timeout(Duration::from_secs(5), ends)
        .await
        .unwrap();
}
