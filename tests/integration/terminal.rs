//! A run on a real (pseudo-)terminal: what it shows there, and that what becomes of the terminal, or of the pipe that it writes to,
//! does not decide over the run.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::path::PathBuf;
use std::process::Command;

use crate::common::program::{User, says_as_wanted};
use crate::common::terminal::{COLUMNS, ROWS, Terminal, until};

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
const PLAN: &[&str] = &["plan", "--emulate", "--through", "nat"];
/// When something happens to a terminal: before a block is drawn, while one is drawn, and after permanent lines.
const PHASES: [&str; 3] = ["start", "vpc-network", "created"];
/// What a pipe holds that nobody reads.
const PIPE: usize = 65536;

fn folder(user: &User) -> PathBuf {
    user.home().join(".local/state/provision/egress-demo")
}

fn journal(user: &User) -> String {
    fs::read_to_string(folder(user).join("journal.jsonl")).unwrap_or_default()
}

fn is_done(user: &User) -> bool {
    journal(user)
        .lines()
        .last()
        .is_some_and(|last| last.contains("\"how\":\"done\""))
}

/// Waits for a phase of the run.
fn reaches(phase: &str, user: &User, terminal: &mut Terminal) {
    match phase {
        "start" => until("the run begins", || journal(user).contains("\"intent\"")),
        text => terminal.shows(text),
    }
}

#[test]
fn a_run_outlives_the_terminal_that_is_closed() {
    // A terminal that controls the run reports that it is closed; after `setsid` alone, only writing to it fails.
    std::thread::scope(|scope| {
        for phase in PHASES {
            for controls in [true, false] {
                scope.spawn(move || closed_in(phase, controls));
            }
        }
    });
}

fn closed_in(phase: &str, controls: bool) {
    let user = User::new();
    let mut terminal = match controls {
        true => Terminal::start(&user, COLUMNS, UP),
        false => Terminal::start_detached(&user, UP),
    };
    reaches(phase, &user, &mut terminal);
    let Terminal {
        mut child, master, ..
    } = terminal;
    drop(master);
    let ended = child.wait().unwrap();
    let last = journal(&user);
    let last = last.lines().last().unwrap_or_default();
    let case = format!("{phase}, controlled: {controls}");
    assert!(is_done(&user), "{case}: {ended}: {last}");
    assert_eq!(ended.code(), Some(0), "{case}");
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out), "{case}");
}

#[test]
fn a_run_outlives_the_tmux_that_is_killed() {
    if Command::new("tmux").arg("-V").output().is_err() {
        let said = "tmux is not installed: a run in it was not tested";
        let _ = writeln!(std::io::stderr(), "{said}");
        return;
    }
    std::thread::scope(|scope| {
        for phase in PHASES {
            scope.spawn(move || killed_in_tmux(phase));
        }
    });
}

fn killed_in_tmux(phase: &str) {
    let user = User::new();
    let tmux = |args: &[&str]| {
        let socket = user.home().join("tmux");
        let mut command = Command::new("tmux");
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]);
        command.args(args).env_remove("TMUX").env("TERM", "xterm");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let program = user.command(UP);
    let words = [program.get_program()]
        .into_iter()
        .chain(program.get_args());
    let words: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
    let home = format!("HOME={}", user.home().display());
    let size = ["-x", &COLUMNS.to_string(), "-y", &ROWS.to_string()].map(str::to_owned);
    let mut start = vec!["new-session", "-d"];
    start.extend(size.iter().map(String::as_str));
    start.extend(["env", "-i", "TERM=screen", &home]);
    start.extend(&words);
    tmux(&start);
    until(phase, || match phase {
        "start" => journal(&user).contains("\"intent\""),
        text => tmux(&["capture-pane", "-p"]).contains(text),
    });
    assert!(!is_done(&user), "{phase}: the run goes on without it");
    tmux(&["kill-server"]);
    until("the run ends", || is_done(&user));
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out), "{phase}");
}

#[test]
fn a_terminal_that_takes_no_text_does_not_stop_the_run() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, COLUMNS, UP);
    terminal.shows("services");
    // Ctrl-S stops a terminal, and Ctrl-Q lets it go on.
    terminal.types(b"\x13");
    until("the run ends", || is_done(&user));
    assert_eq!(
        terminal.child.try_wait().unwrap(),
        None,
        "the text is still to be shown"
    );
    terminal.types(b"\x11");
    terminal.ends(0);
    let text = terminal.raw();
    assert!(text.contains("3 created, 1 changed in "), "{text}");
}

/// A pipe that holds so much that nothing fits any more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&[b'.'; PIPE]).unwrap();
    (reader, writer)
}

#[test]
fn a_pipe_that_nobody_reads_does_not_stop_the_run() {
    std::thread::scope(|scope| {
        for (out, err) in [(false, true), (true, false), (true, true)] {
            scope.spawn(move || with_full_pipes(out, err));
        }
    });
}

/// A run that cannot write a word from its start on.
fn with_full_pipes(out: bool, err: bool) {
    let user = User::new();
    let mut command = user.command(&["up", "--emulate", "--yes", "--through", "nat"]);
    let pipe_of = |full: bool| match full {
        true => full_pipe(),
        false => pipe().unwrap(),
    };
    let (out_reader, out_writer) = pipe_of(out);
    let (err_reader, err_writer) = pipe_of(err);
    command.stdout(out_writer).stderr(err_writer);
    let mut child = command.spawn().unwrap();
    // Only the child has the other ends.
    drop(command);
    until("the run ends", || is_done(&user));
    // What it has to say is said as soon as somebody reads.
    let read = |mut reader: PipeReader| {
        std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        })
    };
    let (said, told) = (read(out_reader), read(err_reader));
    let (said, told) = (said.join().unwrap(), told.join().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(said.contains("3 created, 1 changed in "), "{said}");
    let told = told.trim_start_matches('.');
    assert!(told.starts_with("environment default, "), "{told}");
    assert!(
        told.ends_with("Next: provision status --emulate\n"),
        "{told}"
    );
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out));
}

#[test]
fn the_block_stays_as_long_as_anything_runs_and_no_line_is_wrapped() {
    let user = User::new();
    let mut terminal = Terminal::start(&user, COLUMNS, UP);
    let mut seen = Vec::new();
    while terminal.read() {
        seen.push(terminal.lines());
    }
    terminal.ends(0);
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
