//! The folder that a run keeps its journal in: where it is, who may read it, and what happens where it cannot be had or
//! what it holds cannot be believed. `tests/journal.rs` tries the file itself with many more faults.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each test file uses its part of what is common.
#[allow(dead_code)]
mod common {
    pub mod program;
}

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::program::{Said, User, below};

/// A first run that is over in a moment.
const UP: &[&str] = &["up", "--emulate", "--yes", "--through", "network"];

/// Where the journal is kept when nothing is said.
fn journal(user: &User) -> PathBuf {
    user.home()
        .join(".local/state/provision/egress-demo/journal.jsonl")
}

#[test]
fn the_journal_is_private_and_so_is_the_emulators_state() {
    let user = User::new();
    user.run(UP).ends(0);
    user.run(&["down", "--emulate", "--yes"]).ends(0);
    let made = below(&user.home().join(".local"));
    assert!(
        made.iter()
            .any(|path| path.ends_with("egress-demo/emulator.json")),
        "{made:?}"
    );
    for path in made {
        let meta = fs::metadata(&path).unwrap();
        let mode = if meta.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(
            meta.permissions().mode() & 0o777,
            mode,
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_state_folder_may_have_spaces_and_need_not_be_at_home() {
    let user = User::new();
    let folder = user.home().join("my state");
    let with_flag = ["--state-dir", "my state"];
    user.run(&[UP, &with_flag].concat()).ends(0);
    assert!(folder.join("egress-demo/journal.jsonl").is_file());
    assert_eq!(
        user.run(
            &[
                &["plan", "--emulate", "--through", "network"],
                &with_flag[..]
            ]
            .concat()
        )
        .ends(0)
        .err,
        ""
    );

    let homeless = |args: &[&str], env: &[(&str, &Path)]| {
        let mut command = user.command(args);
        command.env_remove("HOME").envs(env.iter().copied());
        Said::of(command.output().unwrap(), user.home())
    };
    let nowhere = homeless(UP, &[]).ends(2);
    assert_eq!(
        nowhere.err,
        "error: there is no home folder to keep the journal in\nhint: name a folder with --state-dir or PROVISION_STATE_DIR\n"
    );
    let plan = &["plan", "--emulate", "--through", "network"];
    homeless(plan, &[("PROVISION_STATE_DIR", &folder)]).ends(0);
    homeless(plan, &[("XDG_STATE_HOME", &folder)]).ends(3);
    // What is no absolute path is no folder of anybody's.
    homeless(plan, &[("XDG_STATE_HOME", Path::new("my state"))]).ends(2);

    fs::write(user.home().join("file"), "").unwrap();
    let said = user.run(&[UP, &["--state-dir", "file"]].concat()).ends(2);
    assert_eq!(
        said.err,
        "error: file/egress-demo/journal.jsonl: Not a directory (os error 20)\nhint: make the folder writable, or name another with --state-dir\n"
    );
}

#[test]
fn a_journal_that_cannot_be_believed_is_refused_and_a_torn_last_line_is_not() {
    let user = User::new();
    user.run(UP).ends(0);
    let path = journal(&user);
    let good = fs::read_to_string(&path).unwrap();
    let shown = "~/.local/state/provision/egress-demo/journal.jsonl";
    let keep = "hint: keep the file; what exists in the project is not touched until it is readable again\n";
    let damaged = |line: usize, why: &str| {
        format!(
            "error: {shown}:{line}: damaged record ({why}); what it said about what is ours is lost\n{keep}"
        )
    };
    let last = good.lines().count();
    let second = good.lines().nth(1).unwrap();
    let cases = [
        (
            good.replacen("services", "servicez", 1),
            damaged(2, "checksum does not match"),
        ),
        (format!("{good}garbage\n"), damaged(last + 1, "no checksum")),
        (
            good.replacen(second, &second[..second.len() - 3], 1),
            damaged(2, "no end"),
        ),
        (
            good.replacen(&format!("{second}\n"), "", 1),
            damaged(2, "checksum does not match"),
        ),
        (
            format!("{second}\n{good}"),
            damaged(1, "checksum does not match"),
        ),
    ];
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        for args in [
            &["status", "--emulate"][..],
            &["plan", "--emulate"],
            UP,
            &["down", "--emulate", "--yes"],
        ] {
            let said = user.run(args).ends(2);
            assert_eq!(said.err, expected, "{args:?}");
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            text,
            "a journal that cannot be believed is kept as it is"
        );
    }

    fs::write(&path, format!("{good}{}", &second[..40])).unwrap();
    assert_eq!(
        user.run(&["plan", "--emulate", "--through", "network"])
            .ends(0)
            .out,
        "3 steps: 3 as wanted\n"
    );
    user.run(UP).ends(0);
    assert!(fs::read_to_string(&path).unwrap().starts_with(&good));
    assert_eq!(
        user.run(&["status", "--emulate"]).ends(0).err,
        "",
        "what was torn is gone"
    );
}

#[test]
fn a_journal_of_a_newer_program_is_read_and_not_written() {
    let user = User::new();
    user.run(UP).ends(0);
    let path = journal(&user);
    let good = fs::read_to_string(&path).unwrap();
    // The first line as a newer program writes it, and one of which only that program knows what it means.
    let (first, _) = good
        .lines()
        .next()
        .unwrap()
        .rsplit_once(",\"sum\":")
        .unwrap();
    let first = first.replace("\"format\":1", "\"format\":2");
    // Each checksum goes on from the one before.
    let before = &good.trim_end().rsplit_once(",\"sum\":\"").unwrap().1[..8];
    let mut sum = crc32fast::Hasher::new_with_initial(u32::from_str_radix(before, 16).unwrap());
    sum.update(format!("{first}}}").as_bytes());
    let sum = sum.finalize();
    let text = format!("{good}{first},\"sum\":\"{sum:08x}\"}}\n{{\"entry\":\"of the future\"}}\n");
    fs::write(&path, &text).unwrap();
    for args in [UP, &["down", "--emulate", "--yes"]] {
        let said = user.run(args).ends(2);
        let expected = "error: ~/.local/state/provision/egress-demo/journal.jsonl: written in format 2, this program writes format 1\nhint: use the newer program: an older one must not write to it\n";
        assert_eq!(said.err, expected);
    }
    user.run(&["status", "--emulate"]).ends(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}
