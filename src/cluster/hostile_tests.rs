//! A connection to servers that are not what they should be, or that send answers they should not send.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server with its own certificate authority, which gives the same answer to every request.
struct Server {
    endpoint: String,
    authority: String,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    asked: Arc<Notify>,
}

impl Server {
    async fn answers(status: &str, body: Vec<u8>) -> Server {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (config, authority) = certified();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            endpoint: listener.local_addr().unwrap().to_string(),
            authority,
            heads: Arc::default(),
            connections: Arc::default(),
            asked: Arc::default(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (heads, connections) = (server.heads.clone(), server.connections.clone());
        let asked = server.asked.clone();
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                heads.lock().unwrap().push(head);
                asked.notify_one();
                // A client that has read enough closes the connection.
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        server
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn cluster(&self, authority: &str) -> ClusterClient {
        ClusterClient::connect(&self.endpoint, authority.as_bytes(), "secret-token").unwrap()
    }

    async fn get(&self, authority: &str) -> Result<Option<Value>, ClusterError> {
        self.cluster(authority).get(&namespace()).await
    }
}

fn certified() -> (ServerConfig, String) {
    certified_for(&["127.0.0.1"])
}

/// A server's certificate for these addresses, and the authority (PEM) that signed it.
pub(super) fn certified_for(addresses: &[&str]) -> (ServerConfig, String) {
    let key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = root.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(root, key);
    let key = KeyPair::generate().unwrap();
    let addresses: Vec<String> = addresses.iter().map(|one| (*one).to_owned()).collect();
    let leaf = CertificateParams::new(addresses).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (config, authority)
}

fn namespace() -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: "n".to_owned(),
    }
}

#[tokio::test]
async fn the_token_goes_to_the_clusters_own_authority_and_nowhere_else() {
    let body = br#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}"#;
    let server = Server::answers("200 OK", body.to_vec()).await;
    server.get(&server.authority).await.unwrap().unwrap();
    assert!(server.heads()[0].contains("Bearer secret-token"));

    let (_, another) = certified();
    let error = server.get(&another).await.unwrap_err();
    assert_eq!(error.fault, ClusterErrorKind::Unreachable, "{error}");
    assert!(
        server.connections.load(Ordering::SeqCst) > 1,
        "it was asked"
    );
    assert_eq!(server.heads().len(), 1, "and was not told the token");
}

#[tokio::test]
async fn a_dns_endpoint_is_reached_over_https_or_on_this_machine() {
    for server in [
        "http://x.us-central1.gke.goog",
        "x.us-central1.gke.goog",
        "ftp://x.us-central1.gke.goog",
        "http://127.0.0.1.example.com/x.gke.goog",
        "not an address",
        "",
    ] {
        let error = ClusterClient::connect_by_name(server, "secret-token");
        let error = error.err().unwrap();
        assert_eq!(error.fault, ClusterErrorKind::Local, "{server}: {error}");
    }
    // A cluster's own authority, or any other that the machine does not trust, gets no token.
    let server = Server::answers("200 OK", b"{}".to_vec()).await;
    let url = format!("https://{}", server.endpoint);
    let cluster = ClusterClient::connect_by_name(&url, "secret-token").unwrap();
    let error = cluster.get(&namespace()).await.unwrap_err();
    assert_eq!(error.fault, ClusterErrorKind::Unreachable, "{error}");
    assert!(
        server.connections.load(Ordering::SeqCst) > 0,
        "it was asked"
    );
    assert!(server.heads().is_empty(), "and was not told the token");
}

#[tokio::test]
async fn a_redirect_takes_no_token_along() {
    let other = Server::answers("200 OK", b"{}".to_vec()).await;
    let status = format!("302 Found\r\nlocation: https://{}/", other.endpoint);
    let server = Server::answers(&status, Vec::new()).await;
    server.get(&server.authority).await.unwrap_err();
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_nobody_can_read_is_an_error_that_says_so() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    let page = format!("<html>{}</html>", "no ".repeat(500_000)).into_bytes();
    // An error message quotes an answer that is not an object.
    let text = format!("\"{}\"", "no ".repeat(500_000)).into_bytes();
    let (ok, refused) = ("200 OK", "403 Forbidden");
    for (status, body, fault, told) in [
        (
            ok,
            vec![b' '; 33 << 20],
            ClusterErrorKind::Server,
            "answer is too long",
        ),
        (
            refused,
            vec![b' '; 33 << 20],
            ClusterErrorKind::Server,
            "answer is too long",
        ),
        (
            ok,
            deep,
            ClusterErrorKind::Server,
            "not a Kubernetes object",
        ),
        (
            ok,
            b"\xff\xfe".to_vec(),
            ClusterErrorKind::Server,
            "not a Kubernetes object",
        ),
        (
            ok,
            b"".to_vec(),
            ClusterErrorKind::Server,
            "not a Kubernetes object",
        ),
        (ok, text, ClusterErrorKind::Server, "no no no"),
        (refused, page, ClusterErrorKind::Forbidden, "no no no"),
    ] {
        let server = Server::answers(status, body).await;
        let error = server.get(&server.authority).await.unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
        let words = error.to_string();
        assert!(words.contains(told) && words.len() < 3_000, "{words}");
    }
}

#[tokio::test]
async fn words_that_repeat_the_token_are_told_without_it() {
    let page = |before: usize| format!("{} Bearer secret-token", "x".repeat(before)).into_bytes();
    let status = br#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "secret-token", "message": "secret-token"}"#;
    for (code, body) in [
        ("403 Forbidden", page(10)),
        // The page is truncated in the middle of the token.
        ("403 Forbidden", page(1_985)),
        ("403 Forbidden", status.to_vec()),
        ("200 OK", b"\"secret-token\"".to_vec()),
    ] {
        let server = Server::answers(code, body).await;
        let error = server.get(&server.authority).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("(the "), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_is_busy_does_not_say_for_how_long_it_is_waited_for() {
    let body = br#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429, "message": "later"}"#;
    let status = "429 Too Many Requests\r\nretry-after: 86400";
    let server = Server::answers(status, body.to_vec()).await;
    let twice = async {
        server.asked.notified().await;
        server.asked.notified().await;
    };
    tokio::select! {
        () = twice => {}
        answer = server.get(&server.authority) => panic!("not asked again: {answer:?}"),
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("waits as long as it is told to"),
    }
}

#[tokio::test]
async fn a_name_does_not_lead_to_another_path() {
    let server = Server::answers("200 OK", b"{}".to_vec()).await;
    let cluster = server.cluster(&server.authority);
    let object = |name: &str, namespace: &str, kind: &str, version: &str| ObjectRef {
        api_version: version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let container = |pod: &str, namespace: &str| ContainerRef {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        name: "c".to_owned(),
    };
    for odd in [
        "..", ".", "a/b", "a?b", "a#b", "%2e%2e", "a\\b", "a b", "a\nb",
    ] {
        for object in [
            object(odd, "n", "Pod", "v1"),
            object("p", odd, "Pod", "v1"),
            object("p", "n", odd, "v1"),
            object("p", "n", "Pod", &format!("apps/{odd}")),
        ] {
            let how = ApplyOptions::default();
            let (got, listed) = (cluster.get(&object).await, cluster.list(&object, "").await);
            let applied = cluster.apply(&object, &Value::Null, how).await;
            let merged = cluster.merge(&object, &Value::Null).await;
            let failed = [
                got.unwrap_err(),
                listed.unwrap_err(),
                applied.unwrap_err(),
                merged.unwrap_err(),
                cluster.delete(&object).await.unwrap_err(),
            ];
            assert!(
                failed
                    .iter()
                    .all(|error| error.fault == ClusterErrorKind::Local)
            );
        }
        for container in [container(odd, "n"), container("p", odd)] {
            let ran = cluster.exec(&container, &[], Duration::from_secs(5)).await;
            assert_eq!(ran.unwrap_err().fault, ClusterErrorKind::Local, "{odd:?}");
            let since = Duration::from_secs(1);
            let logs = cluster.logs(&container, since).await;
            assert_eq!(logs.unwrap_err().fault, ClusterErrorKind::Local, "{odd:?}");
            let followed = cluster.follow(&container, since, &|_| ()).await;
            assert_eq!(
                followed.unwrap_err().fault,
                ClusterErrorKind::Local,
                "{odd:?}"
            );
        }
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

fn proxy() -> ContainerRef {
    ContainerRef {
        namespace: "n".to_owned(),
        pod: "p".to_owned(),
        name: "istio-proxy".to_owned(),
    }
}

#[tokio::test]
async fn every_line_of_a_log_that_is_followed_is_heard_however_many_there_are() {
    let log: String = (0..5_000)
        .map(|number| format!("line {number}\n"))
        .collect();
    let server = Server::answers("200 OK", log.into_bytes()).await;
    let cluster = server.cluster(&server.authority);
    let container = proxy();
    let heard = Mutex::new(Vec::new());
    let on_line = |line: &str| heard.lock().unwrap().push(line.to_owned());
    let since = Duration::from_millis(2_500);
    cluster.follow(&container, since, &on_line).await.unwrap();
    let heard = heard.into_inner().unwrap();
    assert_eq!((heard.len(), heard[0].as_str()), (5_000, "line 0"));
    let head = &server.heads()[0];
    let asked =
        "GET /api/v1/namespaces/n/pods/p/log?&container=istio-proxy&follow=true&sinceSeconds=2 ";
    assert!(head.starts_with(asked), "{head}");
}

/// A recording that waited for the end of a log would keep its lines from who follows it.
#[tokio::test]
async fn a_log_that_is_followed_passes_a_recording_line_by_line() {
    let server = Server::answers("200 OK", b"line\n".to_vec()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.json");
    let recorder = Recorder::create(&path, "my-project", |_| ()).unwrap();
    let cluster = server.cluster(&server.authority).recorded(Some(&recorder));
    let container = proxy();
    let heard = Mutex::new(Vec::new());
    let on_line = |line: &str| heard.lock().unwrap().push(line.to_owned());
    let since = Duration::from_secs(1);
    cluster.follow(&container, since, &on_line).await.unwrap();
    assert_eq!(heard.into_inner().unwrap(), ["line"]);
    assert_eq!(cluster.logs(&container, since).await.unwrap(), "line\n");
    let recording: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let answers = [0, 1].map(|n| recording["exchanges"][n].get("response"));
    assert_eq!(answers, [None, Some(&"line\n".into())], "{recording}");
}

#[test]
fn an_endpoint_is_an_address_and_an_authority_a_certificate() {
    let (_, authority) = certified();
    for (endpoint, authority, told) in [
        ("", authority.as_str(), "not an address"),
        ("a b", &authority, "not an address"),
        ("192.0.2.1/x", &authority, "not an address"),
        ("192.0.2.1@203.0.113.1", &authority, "not an address"),
        ("192.0.2.1?x", &authority, "not an address"),
        ("192.0.2.1#x", &authority, "not an address"),
        ("/192.0.2.1", &authority, "not an address"),
        ("192.0.2.1", "", "no certificate"),
        ("192.0.2.1", "nonsense", "no certificate"),
    ] {
        let error = ClusterClient::connect(endpoint, authority.as_bytes(), "secret-token");
        let words = error.map(|_| ()).unwrap_err().to_string();
        assert!(words.contains(told), "{endpoint:?}: {words}");
        assert!(!words.contains("secret-token"), "{words}");
    }
}
