//! Tokens and clusters are reached through the machine's proxy, as Google's APIs are.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::write;
use crate::common::program::User;

/// A proxy that connects nobody, and the first lines of the requests to it.
fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (lines, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let _ = BufReader::new(&stream).read_line(&mut line);
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
            let _ = lines.send(line.trim().to_owned());
        }
    });
    (address, seen)
}

#[test]
fn a_token_is_requested_through_the_proxy() {
    let (address, seen) = proxy();
    let user = User::new().with("HTTPS_PROXY", format!("http://me:secret@{address}"));
    let mut key: Value =
        serde_json::from_str(include_str!("../../../fixtures/service-account.json")).unwrap();
    key["token_uri"] = json!("https://oauth2.googleapis.com/token");
    let file = write(&user, "key.json", &key.to_string());
    let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", file);
    let said = user.run(&["token"]).ends(1);
    assert_eq!(
        seen.recv().unwrap(),
        "CONNECT oauth2.googleapis.com:443 HTTP/1.1"
    );
    assert!(
        said.err.contains("oauth2.googleapis.com gives no answer: "),
        "{}",
        said.err
    );
    let through = format!(", through the proxy {address} (HTTPS_PROXY)");
    assert!(said.err.contains(&through), "{}", said.err);
    let hint = "hint: check that the proxy runs";
    assert!(said.err.contains(hint), "{}", said.err);
    assert!(!said.err.contains("secret"), "{}", said.err);
}

#[test]
fn a_cluster_is_reached_through_the_proxy() {
    let (address, seen) = proxy();
    // Without a scheme, as curl takes it; and a proxy in an exempted range is a proxy still.
    let user = User::new()
        .with("HTTPS_PROXY", format!("me:secret@{address}"))
        .with("NO_PROXY", "127.0.0.0/8");
    let entry = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    let file = write(&user, "kubeconfig", &entry.to_string());
    let said = user.run_within("60", &["plan", "--emulate", "--kubeconfig", &file]);
    assert_ne!(said.code, Some(0), "{}", said.out);
    let first = seen
        .try_recv()
        .unwrap_or_else(|_| panic!("not asked: {}", said.err));
    assert_eq!(first, "CONNECT 192.0.2.1:6443 HTTP/1.1");
    assert!(!said.err.contains("secret"), "{}", said.err);
    let user = user.with("HTTPS_PROXY", "socks5://me:secret@proxy:1");
    let said = user.run_within("60", &["plan", "--emulate", "--kubeconfig", &file]);
    let told = "HTTPS_PROXY names no http or https proxy";
    assert!(said.err.contains(told), "{}", said.err);
    assert!(!said.err.contains("secret"), "{}", said.err);
}
