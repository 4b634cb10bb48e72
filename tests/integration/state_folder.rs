//! The folder that a run keeps its journal in: where it is, who may read it, and what happens where it cannot be had or
//! what it holds cannot be believed. `tests/integration/journal.rs` tries the file itself with many more faults.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::common::program::{Said, User, below};
use provision::engine::entry::{Entry, Run};
use provision::engine::journal::Journal;

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
        "error: there is no home folder for the journal\nhint: name a folder with --state-dir or PROVISION_STATE_DIR\n"
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
        "error: file/egress-demo/journal.jsonl: Not a directory (os error 20)\nhint: make the folder writable, or name another one with --state-dir\n"
    );
}

#[test]
fn what_belongs_to_somebody_else_is_not_used() {
    use std::os::unix::fs::{chown, symlink};
    use std::os::unix::process::CommandExt;
    const WE: u32 = 60_001;
    const THEY: u32 = 60_002;
    let user = User::new();
    if chown(user.home(), Some(WE), Some(WE)).is_err() {
        println!("not run: only root can give a folder away");
        return;
    }
    let up = |folder: &str| {
        let mut command = user.command(&[UP, &["--state-dir", folder]].concat());
        command.uid(WE).gid(WE);
        Said::of(command.output().unwrap(), user.home())
    };
    let at = |path: &str| user.home().join(path);
    // A folder that all may write to, behind a link, and a journal in a folder of ours.
    for folder in ["theirs/egress-demo", "ours/egress-demo"] {
        fs::create_dir_all(at(folder)).unwrap();
        fs::set_permissions(at(folder), fs::Permissions::from_mode(0o777)).unwrap();
    }
    chown(at("theirs/egress-demo"), Some(THEY), Some(THEY)).unwrap();
    symlink("theirs", at("link")).unwrap();
    chown(at("ours/egress-demo"), Some(WE), Some(WE)).unwrap();
    let journal = at("ours/egress-demo/journal.jsonl");
    fs::write(&journal, "").unwrap();
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o666)).unwrap();
    chown(&journal, Some(THEY), Some(THEY)).unwrap();
    for folder in ["link", "theirs", "ours"] {
        let said = up(folder).ends(2);
        let told = "it belongs to another user (uid 60002)";
        assert!(said.err.contains(told), "{folder}: {}", said.err);
        assert!(!at(folder).join("egress-demo/emulator.json").exists());
    }
    fs::remove_file(&journal).unwrap();
    up("ours").ends(0);
}

#[test]
fn a_journal_that_cannot_be_believed_is_refused_and_a_torn_last_line_is_not() {
    let user = User::new();
    user.run(UP).ends(0);
    let path = journal(&user);
    let good = fs::read_to_string(&path).unwrap();
    let shown = "~/.local/state/provision/egress-demo/journal.jsonl";
    let adopt = "hint: `provision adopt` rebuilds it from the live resources, and keeps this file beside the new one; until then nothing is changed\n";
    let damaged = |line: usize, why: &str, lost: &str| {
        format!("error: {shown}:{line}: damaged record ({why}); {lost}\n{adopt}")
    };
    let unknown = "the affected steps are unknown";
    let last = good.lines().count();
    let second = good.lines().nth(1).unwrap();
    let cases = [
        (
            good.replacen(second, &second.replacen("services", "servicez", 1), 1),
            damaged(
                2,
                "checksum does not match",
                "affected steps: services v1/projects/egress-demo, servicez",
            ),
        ),
        (
            format!("{good}garbage\n"),
            damaged(last + 1, "no checksum", unknown),
        ),
        (
            good.replacen(second, &second[..second.len() - 3], 1),
            damaged(
                2,
                "incomplete record",
                "affected steps: services, services v1/projects/egress-demo",
            ),
        ),
        (
            good.replacen(&format!("{second}\n"), "", 1),
            damaged(
                2,
                "record 2 before it is missing",
                "affected steps: services v1/projects/egress-demo",
            ),
        ),
        (
            format!("{second}\n{good}"),
            format!(
                "error: {shown}: damaged records in lines 1 (record 1 before it is missing), 2 (record 1 found where record 3 was expected), \
                 3 (record 2 found where record 3 was expected); the affected steps are unknown\n{adopt}"
            ),
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
    let first = first.replace("\"format\":1", "\"format\":3");
    let number = good.lines().count() + 1;
    let first = first.replacen("{\"n\":1,", &format!("{{\"n\":{number},"), 1);
    let sum = crc32fast::hash(format!("{first}}}").as_bytes());
    let text = format!("{good}{first},\"sum\":\"{sum:08x}\"}}\n{{\"entry\":\"of the future\"}}\n");
    fs::write(&path, &text).unwrap();
    for args in [
        UP,
        &["down", "--emulate", "--yes"],
        &["adopt", "--emulate", "--yes"],
    ] {
        let said = user.run(args).ends(2);
        let expected = "error: ~/.local/state/provision/egress-demo/journal.jsonl: the journal has format 3, but this version of provision writes format 2\nhint: use the newer version of provision: an older one must not write to this journal\n";
        assert_eq!(said.err, expected);
    }
    user.run(&["status", "--emulate"]).ends(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_run_that_has_no_end_on_another_machine_is_told() {
    let user = User::new();
    user.run(UP).ends(0);
    let path = journal(&user);
    let mut copied = Journal::open(&path).unwrap();
    let run = Run {
        host: "elsewhere".to_owned(),
        pid: 7,
        ..copied.state.last_run.clone().unwrap()
    };
    copied.write(&Entry::Run(Box::new(run))).unwrap();
    drop(copied);
    let said = user.run(UP).ends(0);
    let note =
        "note: the last run was on another machine, elsewhere (process 7, `provision up`, since ";
    assert!(said.err.starts_with(note), "{}", said.err);
    // That run came to an end here, and there is nothing to tell any more.
    let said = user.run(UP).ends(0);
    assert!(!said.err.contains("note: "), "{}", said.err);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_sent() {
    let user = User::new();
    user.run(UP).ends(0);
    let path = journal(&user);
    let folder = path.parent().unwrap().to_owned();
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&path, 0o400);
    if fs::OpenOptions::new().append(true).open(&path).is_ok() {
        println!("not run: this user may write whatever the mode says");
        return;
    }
    let hint = "Permission denied (os error 13)\nhint: make the folder writable, or name another one with --state-dir\n";
    let emulator = fs::read(folder.join("emulator.json")).unwrap();
    for verb in [
        UP,
        &["down", "--emulate", "--yes"],
        &["adopt", "--emulate", "--yes"],
    ] {
        let said = user.run(verb).ends(2);
        assert!(said.err.ends_with(hint), "{}", said.err);
    }
    assert_eq!(fs::read(folder.join("emulator.json")).unwrap(), emulator);
    // Looking needs no more than reading, also in a folder that cannot be written to.
    set(&folder, 0o500);
    user.run(&["status", "--emulate"]).ends(0);
    user.run(&["plan", "--emulate", "--through", "network"])
        .ends(0);
    set(&folder, 0o700);
    set(&path, 0o600);
    user.run(UP).ends(0);
}

/// What it cannot write down did not happen, and waiting does not make room.
#[test]
fn an_emulator_without_room_for_its_state_says_so_at_once() {
    let user = User::new();
    let began = Instant::now();
    let said = user
        .run_with_blocks(16, &["up", "--emulate", "--yes"])
        .ends(1);
    assert!(
        said.err.contains("emulator.json: File too large"),
        "{}",
        said.err
    );
    assert!(said.err.contains("left: "), "{}", said.err);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    user.run(&["up", "--emulate", "--yes", "--through", "network"])
        .ends(0);
}
