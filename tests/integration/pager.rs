//! The pager of a long plan, on a pseudo-terminal; and `status` there.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::common::program::{User, script};
use crate::common::terminal::{COLUMNS, Terminal};

/// More lines than the terminal has.
const LONG: [&str; 2] = ["plan", "--emulate"];
/// Fewer.
const SHORT: [&str; 4] = ["plan", "--emulate", "--through", "nat"];
/// The last line of a plan on a terminal.
const LAST: &str = "each change with its reason and values: provision plan -v --emulate";

/// A user with a pager of this text for a shell.
fn with_pager(text: &str) -> User {
    let user = User::new();
    let program = pager(&user);
    script(&program, &format!("#!/bin/sh\n{text}\n"));
    let program = program.display().to_string();
    user.with("PAGER", program).with("PATH", "/usr/bin:/bin")
}

fn pager(user: &User) -> PathBuf {
    user.home().join("pager")
}

/// What the pager has read.
fn paged(user: &User) -> Option<String> {
    fs::read_to_string(user.home().join("paged")).ok()
}

fn occurs(terminal: &Terminal, text: &str) -> usize {
    terminal.raw().matches(text).count()
}

#[test]
fn a_plan_that_is_higher_than_the_terminal_is_shown_in_the_users_pager() {
    let user = with_pager("cat > \"$HOME/paged\"; echo shown");
    let mut terminal = Terminal::start(&user, COLUMNS, &LONG);
    terminal.ends(3);
    let text = paged(&user).unwrap();
    assert!(text.lines().count() > 24, "{text}");
    assert!(text.ends_with(&format!("{LAST}\n")), "{text}");
    assert_eq!(occurs(&terminal, "shown"), 1);
    assert_eq!(occurs(&terminal, LAST), 0, "the pager shows it");
    fs::remove_file(user.home().join("paged")).unwrap();

    // Not a text that fits, not in a pipe, not before a question, not for a program.
    let mut short = Terminal::start(&user, COLUMNS, &SHORT);
    short.ends(3);
    assert_eq!(occurs(&short, LAST.trim_end_matches(" --emulate")), 1);
    assert_eq!(paged(&user), None);
    let piped = user.run(&LONG).ends(3);
    assert!(piped.out.contains("80 steps: "), "{}", piped.out);
    user.run(&["plan", "--emulate", "--output", "json"]).ends(3);
    let mut asked = Terminal::start(&user, COLUMNS, &["up", "--emulate"]);
    asked.shows("[y/N]");
    asked.types(b"no\n");
    asked.ends(1);
    assert_eq!(paged(&user), None);
}

#[test]
fn a_pager_that_is_left_early_fails_nothing_and_one_that_does_not_work_is_replaced() {
    // It ends after the first line, and its pipe with it.
    let user = with_pager("head -n 1 > \"$HOME/paged\"; exit 0");
    let mut terminal = Terminal::start(&user, COLUMNS, &LONG);
    terminal.ends(3);
    assert!(paged(&user).is_some());
    assert_eq!(occurs(&terminal, LAST), 0);
    for broken in ["exit 1", "kill -9 $$"] {
        let user = with_pager(broken);
        let mut terminal = Terminal::start(&user, COLUMNS, &LONG);
        terminal.ends(3);
        assert_eq!(occurs(&terminal, LAST), 1, "{broken}");
    }
    for none in ["/there/is/no/pager", "cat", ""] {
        let user = User::new().with("PAGER", none);
        let mut terminal = Terminal::start(&user, COLUMNS, &LONG);
        terminal.ends(3);
        assert_eq!(occurs(&terminal, LAST), 1, "{none}");
    }
}

#[test]
fn less_is_the_pager_of_a_user_who_names_none() {
    if Command::new("less").arg("--version").output().is_err() {
        let said = "less is not installed: it was not tested as the pager";
        let _ = writeln!(std::io::stderr(), "{said}");
        return;
    }
    let user = User::new().with("PATH", "/usr/bin:/bin");
    let mut terminal = Terminal::start(&user, COLUMNS, &LONG);
    // The first page, and less waits for a key.
    terminal.shows("project");
    terminal.shows(":");
    terminal.types(b"q");
    terminal.ends(3);
    assert_eq!(occurs(&terminal, LAST), 0);
}

#[test]
fn an_interrupt_in_the_pager_is_the_pagers() {
    // As less does, it takes the interrupt for itself.
    let user = with_pager(
        "trap 'echo heard' INT\ncat > \"$HOME/paged\"\necho begun\nuntil read key; do :; done < /dev/tty",
    );
    let mut terminal = Terminal::start(&user, COLUMNS, &LONG);
    terminal.shows("begun");
    for _ in 0..2 {
        terminal.types(b"\x03");
        terminal.shows("heard");
    }
    terminal.types(b"\n");
    terminal.ends(3);
    assert_eq!(occurs(&terminal, "stopping"), 0, "{}", terminal.raw());
}

#[test]
fn status_fits_the_terminal_and_leaves_nothing_but_its_rows() {
    let user = User::new();
    user.run(&["up", "--emulate", "--yes", "--through", "firewall"])
        .ends(0);
    let piped = user.run(&["status", "--emulate"]).ends(0).out;
    let row = "allow-ingress-gcp-health-checker  compute.firewall           as wanted  ours  -";
    assert!(piped.contains(row), "{piped}");
    for columns in [COLUMNS, 60, 200] {
        let mut terminal = Terminal::start(&user, columns, &["status", "--emulate"]);
        terminal.ends(0);
        let lines = terminal.written_lines();
        // The place, in as many lines as it takes, then the table.
        let head = lines.iter().position(|line| line.starts_with("STEP  "));
        let head = head.unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(head == 1 || columns < COLUMNS, "{lines:#?}");
        assert_eq!(lines.len() - head, piped.lines().count(), "{lines:#?}");
        let wide = lines.iter().find(|line| line.chars().count() > columns);
        assert_eq!(wide, None, "{columns}");
        let ours = "  as wanted  ours";
        let shown = lines.iter().filter(|line| line.contains(ours)).count();
        assert_eq!(shown, piped.matches(ours).count());
    }
}
