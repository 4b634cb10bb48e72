//! The laboratory itself: what it says where it cannot stand, and that nothing is left of one that was killed.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::lab::{Lab, VARIABLE};

/// The laboratory's program; none where there is none.
fn program() -> Option<std::ffi::OsString> {
    std::env::var_os(VARIABLE)
}

#[test]
fn a_machine_that_cannot_carry_it_gets_one_line_that_says_why() {
    let Some(program) = program() else { return };
    let empty = tempfile::tempdir().unwrap();
    let check = |command: &mut Command| {
        let done = command
            .arg("check")
            .env("LAB_HOME", empty.path())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    };
    let nobody = 65534;
    let copy = empty.path().join("lab");
    std::fs::copy(&program, &copy).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(empty.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = check(Command::new(&copy).uid(nobody).gid(nobody));
    assert_eq!(
        said,
        "lab: the laboratory needs root, to make network namespaces\n"
    );
    let said = check(Command::new(&copy).env("PATH", empty.path()));
    assert_eq!(said, "lab: the laboratory needs `ip` (iproute2)\n");
    let up = Command::new(&copy)
        .arg("up")
        .env("LAB_HOME", empty.path())
        .output()
        .unwrap();
    let said = String::from_utf8(up.stderr).unwrap();
    assert!(
        said.starts_with("lab: pilot-discovery is not built: run `lab build` first"),
        "{said}"
    );
}

#[test]
fn nothing_is_left_of_a_start_that_was_killed() {
    let Some(program) = program() else { return };
    for after in [200, 1500, 6000] {
        let mut up = Command::new(&program);
        let mut up = up
            .args(["--name", "killed", "up"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // How far it comes is what is tried here.
        std::thread::sleep(Duration::from_millis(after));
        up.kill().unwrap();
        up.wait().unwrap();
        let down = Command::new(&program)
            .args(["--name", "killed", "down"])
            .status()
            .unwrap();
        assert!(down.success());
        assert_eq!(left("killed"), Vec::<String>::new(), "after {after} ms");
    }
}

#[test]
fn two_stand_side_by_side() {
    let Some(one) = Lab::bare("one", &["--no-mesh"]) else {
        return;
    };
    let two = Lab::bare("two", &["--no-mesh"]).unwrap();
    one.kubectl(&["create", "namespace", "only-here"]).ends(0);
    assert!(one.get(&["namespace", "only-here"]).is_some());
    assert!(two.get(&["namespace", "only-here"]).is_none());
    drop(one);
    two.kubectl(&["get", "nodes"]).ends(0);
    assert_eq!(left("one"), Vec::<String>::new());
}

/// Network namespaces and processes of a laboratory.
fn left(name: &str) -> Vec<String> {
    let namespaces = std::fs::read_dir("/run/netns")
        .into_iter()
        .flatten()
        .flatten();
    let namespaces = namespaces.filter_map(|entry| entry.file_name().into_string().ok());
    let own = format!("{name}-");
    let mut found: Vec<String> = namespaces
        .filter(|other| other == name || other.starts_with(&own))
        .collect();
    let mark = format!(
        "PROVISION_LAB_RUN={}/{name}\0",
        Lab::home().join("run").display()
    );
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&mark) {
            found.push(format!("process {}", entry.file_name().to_string_lossy()));
        }
    }
    found
}
