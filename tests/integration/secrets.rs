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

/// The texts by which eight bytes of a secret would be recognised: as they are, as a list of decimal numbers, in hexadecimal, and
/// in base64.
pub fn traces(secret: &str) -> Vec<String> {
    let windows = secret.as_bytes().chunks(8).filter(|part| part.len() == 8);
    let each = windows.flat_map(|part| {
        let decimal: Vec<String> = part.iter().map(u8::to_string).collect();
        let hexadecimal: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        [
            String::from_utf8_lossy(part).into_owned(),
            decimal.join(", "),
            decimal.join(","),
            hexadecimal.concat(),
        ]
    });
    each.collect()
}

/// What a copy, an editor or a secret store makes of a key: its error says what is wrong with it, and contains nothing of it.
#[test]
fn a_mangled_key_is_named_and_never_shown() {
    let text = fs::read_to_string("fixtures/service-account.json").unwrap();
    let text = text.replace(
        "replaced by the test",
        "https://oauth2.googleapis.com/token",
    );
    let key: serde_json::Value = serde_json::from_str(&text).unwrap();
    let private = key["private_key"].as_str().unwrap();
    let body: String = private
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    assert!(body.len() > 1000, "a whole key");
    let with = |private: serde_json::Value| {
        let mut key = key.clone();
        key["private_key"] = private;
        key.to_string()
    };
    let pem = |body: &str| {
        with(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n").into())
    };
    for (mangled, expected) in [
        (
            with(private.replace('\n', "\\n").into()),
            "instead of line ends",
        ),
        (with(private.replace('\n', " ").into()), "is one line"),
        (with(private[..600].into()), "is cut"),
        (with(private[40..].into()), "does not begin with"),
        (pem(&format!("!{body}")), "cannot be decoded"),
        (pem(&body[..body.len() / 2]), "cannot be decoded"),
        (pem(&format!("AAAA{body}")), "cannot be decoded"),
        (with(serde_json::json!([private])), "it has no private_key"),
        (
            with(serde_json::json!({"pem": private})),
            "it has no private_key",
        ),
        (
            text.replace("\"client_email\"", "\"email\""),
            "it has no client_email",
        ),
        (text[..text.len() / 2].to_owned(), "it is not JSON"),
        (text.replace("\\n", "\n"), "it is not JSON"),
    ] {
        let user = User::new();
        let file = user.home().join("key.json");
        fs::write(&file, mangled).unwrap();
        let user = user
            .with("GOOGLE_APPLICATION_CREDENTIALS", file.display().to_string())
            .with("CLOUDSDK_CORE_PROJECT", "demo-proj")
            .with("CLOUDSDK_COMPUTE_ZONE", "us-central1-a")
            .with("RUST_LOG", "trace")
            .with("RUST_BACKTRACE", "full");
        let networks = ["--authorized-network", "192.0.2.0/24"];
        let mut said = String::new();
        for verb in [&["up", "--yes", "--output", "json"][..], &["token"]] {
            let flags: &[&str] = if verb[0] == "token" { &[] } else { &networks };
            let run = user.run(&[verb, flags].concat());
            assert_ne!(run.code, Some(0), "{verb:?}");
            let told = format!("{}{}", run.out, run.err);
            let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(expected), "{verb:?} {expected}: {told}");
            said += &told;
        }
        for path in below(user.home()) {
            if path.is_file() && path != file {
                said += &String::from_utf8_lossy(&fs::read(&path).unwrap());
            }
        }
        for trace in traces(&body) {
            assert!(!said.contains(&trace), "{expected}: {trace} in {said}");
        }
    }
}

/// The same of the file of `gcloud auth application-default login`.
#[test]
fn a_mangled_login_is_named_and_never_shown() {
    let secret = "1//0canary-refresh-token-in-a-coal-mine";
    let login = |token: serde_json::Value| serde_json::json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": token});
    for (text, expected) in [
        (
            login(serde_json::json!([secret])).to_string(),
            "another type at line 1",
        ),
        (
            login(secret.into())
                .to_string()
                .replace("client_id", secret),
            "a field is missing",
        ),
        (format!("\"{secret}\""), "another type at line 1"),
        (
            format!("{{\"refresh_token\": \"{secret}"),
            "it is not JSON at line 1",
        ),
    ] {
        let user = User::new();
        let folder = user.home().join(".config/gcloud");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("application_default_credentials.json"), text).unwrap();
        let run = user.run(&["token"]);
        assert_ne!(run.code, Some(0));
        assert!(run.err.contains(expected), "{expected}: {}", run.err);
        for trace in traces(secret) {
            assert!(!run.err.contains(&trace), "{}", run.err);
        }
    }
}
