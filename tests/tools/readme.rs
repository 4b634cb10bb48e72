//! The commands of the documents for users that take gcloud or kubectl, as a reader types them in an empty home.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::common::cloud::Cloud;
use crate::common::program::User;
use crate::common::readme::{WALK, Way, install};
use crate::common::session::{Session, rows};

/// The address that the documents name, and that `provision emulator env` has as its default.
const ADDRESS: &str = "127.0.0.1:8787";

/// The commands of a document that are run here.
fn commands(document: &str) -> Vec<&'static str> {
    let (_, rows) = WALK.iter().find(|(path, _)| *path == document).unwrap();
    let here = rows.iter().filter(|(_, way)| *way == Way::WithTools);
    here.map(|(command, _)| *command).collect()
}

/// Whether a program is there; where it is not, that is said.
fn is_there(program: &str, version: &str) -> bool {
    if Command::new(program).arg(version).output().is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "CI has to have {program}");
    let said = format!("{program} is not installed: its commands in the documents were not run");
    let _ = writeln!(std::io::stderr(), "{said}");
    false
}

fn path(user: &User) -> String {
    let bin = user.home().join("bin");
    install(&bin);
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

#[test]
fn gclouds_example_in_the_readme_works_at_the_first_try() {
    if !is_there("gcloud", "--version") {
        return;
    }
    let user = User::new();
    let said = user.run(&["emulator", "env"]).ends(0).out;
    assert!(said.contains(&format!("http://{ADDRESS}/")), "{said}");
    // Another emulator may be at the address of the documents.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let lines: Vec<String> = commands("README.md")
        .iter()
        .map(|line| {
            let there = line.replace(ADDRESS, &free.to_string());
            there.replace("emulator env", &format!("emulator env --listen {free}"))
        })
        .collect();
    assert!(lines[0].starts_with("provision emulator ") && lines[0].ends_with(" &"));
    let script = format!("set -e\ntrap 'kill %1; wait' EXIT\n{}\n", lines.join("\n"));
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("HOME", user.home())
        .env("PATH", path(&user))
        .current_dir(user.home())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    // The project's network `default` is in the list too.
    let listed = out.lines().rev().take(2);
    assert!(
        listed.filter(|line| line.starts_with("my-network")).count() == 1,
        "{out}\n{err}"
    );
    assert!(user.home().join("emulator.json").exists());
}

#[test]
fn kubectls_examples_in_the_emulators_document_work() {
    if !is_there("kubectl", "--help") {
        return;
    }
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).ends(0);
    let user = User::new();
    let config = user.home().join("config").display().to_string();
    cloud.run(&["kubeconfig", "--write", &config]).ends(0);
    let session = Session {
        folder: user.home(),
        environment: vec![
            ("PATH".to_owned(), path(&user)),
            ("HOME".to_owned(), user.home().display().to_string()),
            ("KUBECONFIG".to_owned(), config),
        ],
    };
    let lines = commands("docs/emulator.md");
    assert_eq!(lines.len(), 2);
    // A request that is answered, and the gateway's line about it.
    let expected = ["says: [\"200\"]", "follows: true\nsays: [example.com]"];
    for (line, expected) in lines.iter().zip(expected) {
        let row = format!("run: |-\n  {line}\n{expected}\n");
        for row in rows(&row) {
            assert_eq!(session.wrong(&row), None);
        }
    }
}
