//! What a person sees: each screen on terminals of 80 and of 120 columns, compared with the texts in `fixtures/screens/`, in which
//! the digits of times and ports are zeros. No line is wider than its terminal, except for a word or a command that is not divided.
//!
//! After a change that is meant: `UPDATE_SCREENS=1 cargo test --test integration screens::` writes the texts anew.

use std::fs;
use std::path::PathBuf;

use super::doctor::{WITHOUT_APIS, WRONG, with_apis};
use crate::common::cloud::Cloud;
use crate::common::program::User;
use crate::common::source::root;
use crate::common::terminal::{Terminal, until};

/// The widths of the terminals.
const WIDTHS: [usize; 2] = [80, 120];

/// The part of a screen that is the same each time.
type Part = fn(&[String]) -> Vec<String>;

fn whole(lines: &[String]) -> Vec<String> {
    lines.to_vec()
}

/// From the first line that begins or ends so on.
fn from(lines: &[String], is_first: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = lines.iter().skip_while(|line| !is_first(line));
    // Which steps were the slowest is another matter each time.
    let mut is_slowest = false;
    let same = lines.filter(|line| {
        is_slowest = line.starts_with("slowest: ") || (is_slowest && line.starts_with("  "));
        !is_slowest
    });
    same.cloned().collect()
}

fn from_counts(lines: &[String]) -> Vec<String> {
    from(lines, |line| line.contains(" steps: "))
}

fn closing(lines: &[String]) -> Vec<String> {
    let words = [" created", " removed", " failed"];
    from(lines, |line| {
        line.starts_with(|c: char| c.is_ascii_digit())
            && words.iter().any(|word| line.contains(word))
    })
}

fn from_stopping(lines: &[String]) -> Vec<String> {
    from(lines, |line| line.starts_with("stopping: "))
}

/// The resources are deleted in an order that follows from when they were created.
fn of_down(lines: &[String]) -> Vec<String> {
    let is_row = |line: &&String| line.starts_with("  -  ");
    let mut rows: Vec<&String> = lines.iter().filter(is_row).collect();
    rows.sort();
    let mut rows = rows.into_iter();
    let sorted = lines.iter().map(|line| match is_row(&line) {
        true => rows.next().unwrap_or(line),
        false => line,
    });
    sorted.cloned().collect()
}

/// The checks of one verdict, and the counts.
fn of_verdict(lines: &[String], wanted: &str) -> Vec<String> {
    let mut is_wanted = false;
    let kept = lines.iter().filter(|line| {
        let counts = line.contains(" checks: ");
        if counts
            || ["PASS", "WARN", "FAIL", "SKIP"]
                .iter()
                .any(|verdict| line.starts_with(verdict))
        {
            is_wanted = line.starts_with(wanted);
        }
        is_wanted || counts
    });
    kept.cloned().collect()
}

fn of_doctor(lines: &[String]) -> Vec<String> {
    of_verdict(lines, "FAIL")
}

/// What could not be read.
fn of_unread(lines: &[String]) -> Vec<String> {
    of_verdict(lines, "SKIP")
}

fn from_error(lines: &[String]) -> Vec<String> {
    from(lines, |line| line.starts_with("error: "))
}

/// A person's account and terminal.
struct Desk {
    user: User,
    width: usize,
}

impl Desk {
    fn new(width: usize) -> Desk {
        Desk {
            // All of a text is on the screen.
            user: User::new().with("PAGER", "cat"),
            width,
        }
    }

    /// Runs a command, and compares a part of what is shown then.
    fn sees(&self, name: &str, args: &[&str], code: i32, part: Part) {
        let mut terminal = Terminal::start(&self.user, self.width, args);
        terminal.ends(code);
        self.compares(name, &part(&terminal.written_lines()));
    }

    /// The same of a command that asks.
    fn answers(&self, name: &str, args: &[&str], answer: &str, code: i32, part: Part) {
        let mut terminal = Terminal::start(&self.user, self.width, args);
        terminal.shows("[y/N]");
        terminal.types(format!("{answer}\n").as_bytes());
        terminal.ends(code);
        self.compares(name, &part(&terminal.written_lines()));
    }

    fn compares(&self, name: &str, lines: &[String]) {
        // The block leaves empty lines behind.
        let end = lines.iter().rposition(|line| !line.is_empty());
        let lines = &lines[..end.map_or(0, |end| end + 1)];
        assert!(!lines.is_empty(), "{name}: nothing is shown");
        for line in lines {
            fits(name, line, self.width);
        }
        let shown: String = lines.iter().map(|line| masked(line) + "\n").collect();
        let file = folder().join(format!("{name}-{}.txt", self.width));
        if std::env::var_os("UPDATE_SCREENS").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&file, shown).unwrap();
            return;
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            shown == kept,
            "{} is\n{shown}\nnot\n{kept}\nUPDATE_SCREENS=1 writes it anew",
            file.display()
        );
    }
}

fn folder() -> PathBuf {
    root().join("fixtures/screens")
}

/// That a line fits. A word that is longer than the terminal does not; nor does a command, which is copied whole.
#[track_caller]
fn fits(name: &str, line: &str, width: usize) {
    let text = line.trim_start();
    let is_command = text.starts_with(['`']) || text.starts_with("provision ");
    let is_undivided = !text.contains(' ') || is_command;
    assert!(
        line.chars().count() <= width || is_undivided,
        "{name}: wider than {width}: {line}"
    );
}

/// A line in which times and ports are zeros.
fn masked(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        let is_seconds = bare.ends_with('s')
            && digits > 0
            && bare
                .chars()
                .all(|c| c.is_ascii_digit() || "ms.".contains(c));
        let is_clock = bare.len() == 5 && bare.contains(':') && digits == 4;
        let is_date = digits >= 8 && bare.starts_with("20") && bare.matches('-').count() == 2;
        let zeros = |text: &str| -> String {
            let zero = |c: char| if c.is_ascii_digit() { '0' } else { c };
            text.chars().map(zero).collect()
        };
        match bare.rsplit_once(':') {
            _ if is_seconds => word.replace(bare, "0.0s"),
            _ if is_clock || is_date => zeros(word),
            Some((host, port)) if host == "127.0.0.1" => {
                let port: String = zeros(port);
                format!("{host}:{port}")
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn times_and_ports_are_masked() {
    for (line, masked_line) in [
        ("69 created in 3.8s", "69 created in 0.0s"),
        ("  (for 1m05s); next", "  (for 0.0s); next"),
        (
            "run of 2026-11-30T08:47:11.493Z",
            "run of 0000-00-00T00:00:00.000Z",
        ),
        ("up 2026-11-30 08:47", "up 0000-00-00 00:00"),
        (
            "cluster-endpoint  127.0.0.1:39893",
            "cluster-endpoint  127.0.0.1:00000",
        ),
        (
            "10.0.0.0/24 tcp:443 steps 80",
            "10.0.0.0/24 tcp:443 steps 80",
        ),
    ] {
        assert_eq!(masked(line), masked_line);
    }
}

#[test]
fn every_screen_is_as_it_is_kept() {
    std::thread::scope(|scope| {
        for width in WIDTHS {
            scope.spawn(move || screens(width));
        }
    });
}

fn screens(width: usize) {
    let desk = Desk::new(width);
    desk.sees("steps", &["steps"], 0, whole);
    desk.sees("plan", &["plan", "--emulate"], 3, whole);
    let details = ["plan", "--emulate", "-v", "--through", "network"];
    desk.sees("plan-details", &details, 3, whole);
    let everybody = ["--through", "cluster", "--authorized-network", "0.0.0.0/0"];
    let everybody = [&["plan", "--emulate"][..], &everybody].concat();
    desk.sees("plan-everybody", &everybody, 3, whole);
    // Of the whole plan, every line fits.
    let mut all = Terminal::start(&desk.user, width, &["plan", "--emulate", "-v"]);
    all.ends(3);
    for line in all.written_lines() {
        fits("plan -v", &line, width);
    }
    let up = ["up", "--emulate"];
    desk.answers("question", &up, "no", 1, from_counts);
    desk.sees("up", &["up", "--emulate", "--yes"], 0, closing);
    desk.sees("plan-as-wanted", &["plan", "--emulate"], 0, whole);
    desk.sees("status", &["status", "--emulate"], 0, whole);
    desk.sees("config", &["config", "--emulate"], 0, whole);
    desk.sees("output", &["output", "--emulate"], 0, whole);
    desk.sees("verify", &["verify", "--emulate"], 0, whole);
    let denied = ["explain", "team-x", "http://httpbin.org/"];
    desk.sees("explain", &denied, 0, whole);
    desk.sees("explain-matrix", &["explain", "--matrix"], 0, whole);
    desk.sees("analyze", &["analyze"], 0, whole);
    let moved = ["--emulate", "--set", "subnet_range=10.9.0.0/24"];
    desk.sees(
        "plan-in-the-way",
        &[&["plan"][..], &moved].concat(),
        3,
        whole,
    );
    let refused = [&["up", "--yes"][..], &moved].concat();
    desk.sees("up-refused", &refused, 1, from_error);
    // A second environment, with long names.
    let second = [
        "up",
        "--emulate",
        "--yes",
        "--through",
        "network",
        "--env",
        "staging-of-the-team",
        "--project",
        "my-project-with-a-long-name",
        "--zone",
        "northamerica-northeast1-a",
    ];
    desk.sees("up-second", &second, 0, closing);
    desk.sees("environments", &["environments"], 0, whole);
    let down = ["down", "--emulate", "--project", "egress-demo"];
    desk.answers("down-question", &down, "no", 1, of_down);
    let down = [&down[..], &["--yes"]].concat();
    desk.sees("down", &down, 0, closing);
    doctor(&desk);
    interrupt(width);
}

/// What `doctor` shows where everything is right, and where one thing is wrong.
fn doctor(desk: &Desk) {
    desk.sees("doctor", &["doctor", "--emulate"], 0, whole);
    let cloud: Cloud = with_apis();
    for wrong in WRONG {
        let (user, _rewriting) = wrong.user(&cloud);
        let desk = Desk {
            user,
            width: desk.width,
        };
        let name = format!("doctor-{}", wrong.name);
        desk.sees(&name, &wrong.args(), 1, of_doctor);
    }
    let (user, _rewriting) = WITHOUT_APIS.user(&cloud);
    let desk = Desk {
        user,
        width: desk.width,
    };
    desk.sees("doctor-without-apis", &["doctor"], 0, of_unread);
}

/// The end of a run that is interrupted while Google enables the APIs.
fn interrupt(width: usize) {
    let desk = Desk::new(width);
    let up = ["up", "--emulate", "--yes", "--through", "project"];
    let up = [&up[..], &["--pace", "real"]].concat();
    let mut terminal = Terminal::start(&desk.user, width, &up);
    let journal = desk.user.home();
    let journal = journal.join(".local/state/provision/egress-demo/journal.jsonl");
    let is_sent = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"sent\""));
    until("the request is sent", is_sent);
    terminal.shows("changing the enabled APIs");
    terminal.types(b"\x03");
    terminal.ends(130);
    let lines = terminal.written_lines();
    desk.compares("interrupt", &from_stopping(&lines));
}
