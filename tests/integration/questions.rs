//! The question before a run that changes something, on a pseudo-terminal: each answer, none, and an interrupt.

use std::fs;

use crate::common::program::{User, says_as_wanted};
use crate::common::terminal::Terminal;

const UP: [&str; 4] = ["up", "--emulate", "--through", "nat"];
const PLAN: [&str; 4] = ["plan", "--emulate", "--through", "nat"];
/// Wide enough for every question.
const COLUMNS: usize = 120;
/// What is asked, for these four steps.
const ASKED: &str =
    "Create 3, change 1 in project egress-demo, zone us-central1-a, EMULATOR? [y/N]";
const CANCELLED: &str = "cancelled, nothing was changed";

fn journal(user: &User) -> String {
    let folder = user.home().join(".local/state/provision/egress-demo");
    fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default()
}

#[test]
fn a_question_that_is_not_answered_with_yes_changes_nothing() {
    let user = User::new();
    // A word, nothing, a word that only begins like it, the end of the input (Ctrl-D), and an interrupt (Ctrl-C).
    for (answer, code, said) in [
        (&b"no\n"[..], 1, CANCELLED),
        (b"\n", 1, CANCELLED),
        (b"yesterday\n", 1, CANCELLED),
        (b"\x04", 1, CANCELLED),
        (b"\x03", 130, "^C"),
    ] {
        let mut terminal = Terminal::start(&user, COLUMNS, &UP);
        terminal.shows(ASKED);
        terminal.types(answer);
        terminal.shows(said);
        terminal.ends(code);
        assert_eq!(journal(&user), "", "{answer:?}");
    }
    user.run(&PLAN).ends(3);
}

#[test]
fn a_question_that_is_answered_with_yes_begins_the_run() {
    for answer in [&b"yes\n"[..], b"y\n"] {
        let user = User::new();
        let mut terminal = Terminal::start(&user, COLUMNS, &UP);
        terminal.shows(ASKED);
        terminal.types(answer);
        terminal.shows("3 created, 1 changed in ");
        terminal.ends(0);
        assert!(says_as_wanted(&user.run(&PLAN).ends(0).out));
        // There is nothing to ask a second time.
        let mut again = Terminal::start(&user, COLUMNS, &UP);
        again.ends(0);
        assert!(!again.raw().contains("[y/N]"), "{}", again.raw());
    }
}

#[test]
fn down_asks_too_and_deletes_nothing_without_a_yes() {
    let user = User::new();
    user.run(&[&UP[..], &["--yes"]].concat()).ends(0);
    let before = journal(&user);
    let down = ["down", "--emulate"];
    for (answer, code) in [(&b"no\n"[..], 1), (b"\x04", 1), (b"\x03", 130)] {
        let mut terminal = Terminal::start(&user, COLUMNS, &down);
        terminal.shows("Delete 3 in project egress-demo, zone us-central1-a, EMULATOR? [y/N]");
        terminal.types(answer);
        terminal.ends(code);
        assert_eq!(journal(&user), before, "{answer:?}");
    }
    // The project's id is asked for before anything is deleted, even with --yes.
    let mut terminal = Terminal::start(
        &user,
        COLUMNS,
        &["down", "--emulate", "--yes", "--delete-project"],
    );
    terminal.shows("Type the project id");
    terminal.types(b"another-project\n");
    terminal.shows(CANCELLED);
    terminal.ends(1);
    assert_eq!(journal(&user), before);
    assert!(says_as_wanted(&user.run(&PLAN).ends(0).out));

    let mut terminal = Terminal::start(&user, COLUMNS, &down);
    terminal.shows("[y/N]");
    terminal.types(b"yes\n");
    terminal.shows("3 removed");
    terminal.ends(0);
    user.run(&PLAN).ends(3);
}
