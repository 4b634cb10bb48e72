//! A run on a real (pseudo-)terminal: what it shows there, and that what becomes of the terminal does not decide over the run.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::common::program::{User, says_as_wanted};
use crate::common::vt::Vt;

/// A run that takes some seconds, of which Google's operations are most.
const UP: &[&str] = &[
    "up",
    "--emulate",
    "--yes",
    "--through",
    "nat",
    "--pace",
    "real/10",
];
/// The size of the terminal.
const ROWS: usize = 24;
const COLUMNS: usize = 80;
const PLAN: &[&str] = &["plan", "--emulate", "--through", "nat"];

/// Starts the program on a terminal of its own; returns the terminal's other end.
fn on_terminal(user: &User, args: &[&str]) -> (Child, File) {
    // A child that inherits the other end of its terminal, or of another test's, keeps it open.
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let slave = || {
        let file = OpenOptions::new().read(true).write(true).open(&name);
        Stdio::from(file.unwrap())
    };
    let program = user.command(args);
    let mut command = Command::new("/usr/bin/setsid");
    let size = format!("stty rows {ROWS} cols {COLUMNS}; exec \"$0\" \"$@\"");
    command
        .args(["--ctty", "sh", "-c", &size])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .current_dir(user.home())
        .env("TERM", "xterm");
    let set = program
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.envs(set);
    let child = command
        .stdin(slave())
        .stdout(slave())
        .stderr(slave())
        .spawn();
    (child.unwrap(), File::from(master))
}

fn journal(user: &User) -> String {
    let folder = user.home().join(".local/state/provision/egress-demo");
    fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::yield_now();
    }
}

/// Reads until a text was shown.
fn shown(terminal: &mut File, text: &str) {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&all).contains(text) {
        let read = terminal.read(&mut part).unwrap_or_default();
        assert!(read > 0, "no {text}: {}", String::from_utf8_lossy(&all));
        all.extend(&part[..read]);
    }
}

#[test]
fn a_run_outlives_the_terminal_that_is_closed() {
    // Before a bar is drawn, while bars are drawn, and after permanent lines.
    std::thread::scope(|scope| {
        for phase in ["start", "vpc-network", "created"] {
            scope.spawn(move || closed_in(phase));
        }
    });
}

fn closed_in(phase: &str) {
    let user = User::new();
    let (mut child, mut terminal) = on_terminal(&user, UP);
    match phase {
        "start" => until("the run begins", || journal(&user).contains("\"intent\"")),
        text => shown(&mut terminal, text),
    }
    drop(terminal);
    let ended = child.wait().unwrap();
    let journal = journal(&user);
    let last = journal.lines().last().unwrap_or_default();
    assert!(
        last.contains("\"how\":\"done\""),
        "{phase}: {ended}: {last}"
    );
    assert_eq!(ended.code(), Some(0), "{phase}");
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out), "{phase}");
}

#[test]
fn a_terminal_that_takes_no_text_does_not_stop_the_run() {
    let user = User::new();
    let (mut child, mut terminal) = on_terminal(&user, UP);
    shown(&mut terminal, "services");
    // Ctrl-S stops a terminal, and Ctrl-Q lets it go on.
    terminal.write_all(b"\x13").unwrap();
    until("the run ends", || {
        journal(&user).contains("\"how\":\"done\"")
    });
    assert_eq!(
        child.try_wait().unwrap(),
        None,
        "the text is still to be shown"
    );
    terminal.write_all(b"\x11").unwrap();
    // The end of a pseudo-terminal is an error.
    let mut text = Vec::new();
    let _ = terminal.read_to_end(&mut text);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("3 created, 1 changed in "), "{text}");
}

/// Shows what was written since the last time; false at the end of the run.
fn show(terminal: &File, vt: &mut Vt) -> bool {
    let (mut terminal, mut part) = (terminal, [0; 65536]);
    match terminal.read(&mut part) {
        Ok(read) if read > 0 => vt.write(&part[..read]),
        // The end of a pseudo-terminal is an error.
        _ => return false,
    }
    true
}

#[test]
fn the_block_stays_as_long_as_anything_runs_and_no_line_is_wrapped() {
    let user = User::new();
    let (mut child, terminal) = on_terminal(&user, UP);
    let mut vt = Vt::new(COLUMNS);
    let mut seen = Vec::new();
    while show(&terminal, &mut vt) {
        seen.push(vt.lines());
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let is_summary = |line: &String| line.starts_with("up: ") && line.contains(" steps, ");
    let last = seen.pop().unwrap();
    assert!(!last.iter().any(is_summary), "the block is gone: {last:#?}");
    let closing = last
        .iter()
        .find(|line| line.contains(" created, 1 changed in "));
    assert!(closing.is_some(), "{last:#?}");

    let first = seen.iter().position(|lines| lines.iter().any(is_summary));
    let until = seen.iter().rposition(|lines| lines.iter().any(is_summary));
    let (first, until) = (first.unwrap(), until.unwrap());
    let shown = &seen[first..=until];
    assert!(shown.len() > 10, "the block is drawn as time goes on");
    for lines in shown {
        let summaries = lines.iter().filter(|line| is_summary(line)).count();
        assert_eq!(summaries, 1, "{lines:#?}");
        let wide = lines.iter().find(|line| line.chars().count() >= COLUMNS);
        assert_eq!(wide, None, "{lines:#?}");
    }
    let is_at_work = |line: &String| line.contains("creating vpc-network");
    let network = shown
        .iter()
        .find_map(|lines| lines.iter().find(|line| is_at_work(line)));
    assert!(
        network.is_some_and(|line| line.contains("s  vpc-network  ")),
        "{network:?}"
    );
    let left = shown
        .iter()
        .flatten()
        .find(|line| is_summary(line) && line.ends_with(" left"));
    assert!(left.is_some(), "the first run has a time left");
}

#[test]
fn a_question_that_is_not_answered_with_yes_changes_nothing() {
    let user = User::new();
    let asked = ["up", "--emulate", "--through", "nat"];
    // A word, and the end of the input (Ctrl-D).
    for answer in [&b"no\n"[..], b"\x04"] {
        let (mut child, mut terminal) = on_terminal(&user, &asked);
        shown(&mut terminal, "[y/N]");
        terminal.write_all(answer).unwrap();
        shown(&mut terminal, "cancelled, nothing was changed");
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(journal(&user), "");
    }
    let (mut child, mut terminal) = on_terminal(&user, &asked);
    shown(&mut terminal, "[y/N]");
    terminal.write_all(b"yes\n").unwrap();
    shown(&mut terminal, "3 created, 1 changed in ");
    assert_eq!(child.wait().unwrap().code(), Some(0));

    // The project's id is asked for before anything is deleted, even with --yes.
    let before = journal(&user);
    let (mut child, mut terminal) =
        on_terminal(&user, &["down", "--emulate", "--yes", "--delete-project"]);
    shown(&mut terminal, "Type the project id");
    terminal.write_all(b"another-project\n").unwrap();
    shown(&mut terminal, "cancelled, nothing was changed");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(journal(&user), before);
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out));
}
