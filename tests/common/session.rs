//! Rows of commands for a shell, and a user who types them one after the other.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// How long a row may take whose outcome takes time.
const PATIENCE: Duration = Duration::from_secs(20);

/// What kubectl says before the output of `exec -it`: the reader has a terminal, and does not see it.
const NO_TERMINAL: &str = "Unable to use a TTY";

/// How a command ended.
#[derive(Debug, PartialEq)]
enum End {
    /// By itself, with this code; none where a signal did it.
    With(Option<i32>),
    /// It ran until ctrl-c. What it ends with then is the business of whatever stands between: shells, dispatchers.
    Interrupted,
}

/// A command and what is expected of it; the columns are told in `fixtures/kubectl/tutorial.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    #[serde(default)]
    pub line: usize,
    pub run: String,
    #[serde(default)]
    code: i32,
    #[serde(default)]
    again: bool,
    #[serde(default)]
    follows: bool,
    #[serde(default)]
    says: Vec<String>,
}

/// The rows of a table.
pub fn rows(table: &str) -> Vec<Row> {
    serde_saphyr::from_multiple(table).unwrap()
}

/// How a shell is started that types commands: folder, environment.
pub struct Session<'a> {
    pub folder: &'a Path,
    pub environment: Vec<(String, String)>,
}

impl Session<'_> {
    /// Runs a row; says what is wrong with what it did.
    pub fn wrong(&self, row: &Row) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (said, ended) = self.run(row);
            if self.fits(row, &said) && self.ends_well(row, &ended) {
                return None;
            }
            if !row.again || Instant::now() > until {
                return Some(format!(
                    "line {}\n$ {}\n{said}-> {ended:?}, not {} with {:?}\n",
                    row.line, row.run, row.code, row.says
                ));
            }
        }
    }

    fn fits(&self, row: &Row, said: &str) -> bool {
        let lines = said.split_inclusive('\n');
        let with_terminal: String = lines
            .filter(|line| !line.starts_with(NO_TERMINAL))
            .collect();
        row.says.iter().all(|text| match text.strip_prefix('!') {
            Some(unwanted) => !said.contains(unwanted),
            None => with_terminal.contains(text),
        })
    }

    fn ends_well(&self, row: &Row, ended: &End) -> bool {
        match *ended {
            End::Interrupted => row.follows,
            End::With(code) => !row.follows && code == Some(row.code),
        }
    }

    /// What a row says, on both its outputs, and how it ends. One that follows is interrupted when it has said enough.
    fn run(&self, row: &Row) -> (String, End) {
        let mut child = self.start(&row.run);
        let lines = lines(&mut child);
        let until = Instant::now() + PATIENCE;
        let mut said = String::new();
        let waits = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => said.push_str(&line),
                Err(error) => break error == RecvTimeoutError::Timeout,
            }
            if row.follows && self.fits(row, &said) {
                break true;
            }
        };
        if waits {
            // The group: the shell and what it runs, as a terminal does it.
            let group = format!("-{}", child.id());
            let kill = Command::new("kill")
                .args(["-s", "INT", "--", &group])
                .status();
            assert!(kill.unwrap().success(), "{}", row.run);
        }
        let code = child.wait().unwrap().code();
        (
            said,
            if waits {
                End::Interrupted
            } else {
                End::With(code)
            },
        )
    }

    fn start(&self, commands: &str) -> Child {
        Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{commands}")])
            .current_dir(self.folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap()
    }
}

/// The lines that a process writes, as they come.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line).into_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}
