//! Where a token may be, and where not: a whole run with one, then a look through everything that it said and left.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::common::emulator::Cloud;
use crate::common::program::{User, below};

/// Nothing else says this word.
const TOKEN: &str = "ya29.canary-in-a-coal-mine";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_nowhere_but_in_its_own_file() {
    let cloud = Cloud::start().await;
    let mut user = User::new();
    let file = user.home().join("token");
    fs::write(&file, TOKEN).unwrap();
    for line in emulator::exports(cloud.running.addr()).lines() {
        let (name, value) = line.trim_start_matches("export ").split_once('=').unwrap();
        if name != "CLOUDSDK_AUTH_DISABLE_CREDENTIALS" {
            user = user.with(name, value.trim_matches('\''));
        }
    }
    let user = user
        .with(
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
            file.display().to_string(),
        )
        .with("CLOUDSDK_CORE_PROJECT", "demo-proj")
        .with("CLOUDSDK_COMPUTE_ZONE", "us-central1-a")
        .with("RUST_LOG", "trace")
        .with("RUST_BACKTRACE", "full");
    let command = |line: &str, code: i32| {
        let said = user.run(&line.split(' ').collect::<Vec<_>>()).ends(code);
        (line.to_owned(), format!("{}{}", said.out, said.err))
    };
    let said = [
        command("plan --through cluster --output json", 3),
        command("up --yes -v --through egress-gateway", 0),
        command("up --yes --output json --through egress-gateway", 0),
        command("status -v", 0),
        command("kubeconfig", 0),
        command("kubeconfig --write config", 0),
        command("down --yes -v", 0),
    ];
    assert!(
        said[1].1.contains("created"),
        "the run has done something: {}",
        said[1].1
    );
    for (line, text) in &said {
        assert!(!text.contains(TOKEN), "{line}: {text}");
    }
    for path in below(user.home()).into_iter().filter(|path| path.is_file()) {
        let bytes = fs::read(&path).unwrap();
        let found = String::from_utf8_lossy(&bytes).contains(TOKEN);
        assert_eq!(found, path == file, "{}", path.display());
    }
    // It was there to be found: who asks for it gets it.
    assert!(user.run(&["token"]).ends(0).out.contains(TOKEN));
    let offline = user.run(&["token", "--emulate"]).ends(0).out;
    assert!(
        !offline.contains(TOKEN) && offline.contains("\"anonymous\""),
        "{offline}"
    );
}

/// A proxy would be handed a token for this machine in clear.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_this_machine_goes_through_no_proxy() {
    let cloud = Cloud::start().await;
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut user = User::new()
        .with("CLOUDSDK_CORE_PROJECT", "demo-proj")
        .with("CLOUDSDK_COMPUTE_ZONE", "us-central1-a");
    for line in emulator::exports(cloud.running.addr()).lines() {
        let (name, value) = line.trim_start_matches("export ").split_once('=').unwrap();
        user = user.with(name, value.trim_matches('\''));
    }
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        user = user.with(name, &address);
    }
    let up = "up --yes --through cluster";
    user.run(&up.split(' ').collect::<Vec<_>>()).ends(0);
    user.run(&["plan", "--through", "mesh"]);
    assert!(proxy.accept().is_err(), "somebody has come to the proxy");
    assert!(!cloud.running.seen().is_empty());
}

#[test]
fn what_others_could_read_is_closed_to_them() {
    let user = User::new();
    let up = ["up", "--emulate", "--yes", "--through", "network"];
    user.run(&up).ends(0);
    let folder = user.home().join(".local/state/provision/egress-demo");
    let set = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let files = ["journal.jsonl", "emulator.json"].map(|name| folder.join(name));
    set(&folder, 0o755);
    files.iter().for_each(|file| set(file, 0o644));
    // Where the next state is written stands a link to something of the reader's.
    let other = user.home().join("other");
    fs::write(&other, "dear diary").unwrap();
    symlink(&other, folder.join("emulator.json.new")).unwrap();
    user.run(&["down", "--emulate", "--yes"]).ends(0);
    assert_eq!(fs::read_to_string(&other).unwrap(), "dear diary");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_with_tokens_leaves_no_core_file() {
    let user = User::new();
    let mut running = user
        .command(&["emulator", "--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(running.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    let core: Vec<&str> = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(core[4..6], ["0", "0"], "{core:?}");
}
