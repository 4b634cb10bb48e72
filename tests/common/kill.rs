//! Kills the program: at a request that changes something, before it arrives or after it took effect with the answer lost, at
//! the first question after it, or in the middle of a write to its journal.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::cloud::{Cloud, PROJECT, pointed_at};
use super::middle::request::Asked;
use super::middle::{Fate, Middle, Watch};
use super::program::User;

/// What ends a process that writes beyond what its files may be, on Linux.
const SIGXFSZ: i32 = 25;

/// Where the program dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// At the n-th request that changes something, from 1, Google's and the cluster's together.
    Request(usize, When),
    /// When it writes this byte of its journal, from 0, not counting what was there before; what stands before it is on disk.
    Write(u64),
}

/// Which side of the request the program dies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The cloud never hears of it.
    Before,
    /// The cloud has done it; the program never hears the answer.
    After,
    /// Something runs, and the program asks on: it dies at the next request that changes nothing.
    Asking,
}

/// Stands before a cloud, counts, and kills.
pub struct Killer {
    inner: Arc<Inner>,
    middle: Middle,
}

#[derive(Default)]
struct Inner {
    journal: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    changes: usize,
    /// The program, and where it dies.
    victim: Option<(Child, usize, When)>,
    killed: bool,
    /// Requests that the journal did not hold when they arrived.
    unannounced: Vec<String>,
}

impl Killer {
    /// Before a cloud. With a journal, each change is looked up there when it arrives.
    pub fn new(cloud: &Cloud, journal: Option<PathBuf>) -> Killer {
        let inner = Arc::new(Inner {
            journal,
            state: Mutex::default(),
        });
        let middle = Middle::new(cloud.address(), inner.clone());
        Killer { inner, middle }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.middle.address()
    }

    /// A user whose program comes this way.
    pub fn user(&self) -> User {
        pointed_at(User::new(), self.address())
    }

    /// How many requests that change something have arrived.
    pub fn changes(&self) -> usize {
        self.inner.state.lock().unwrap().changes
    }

    /// Those that the journal did not hold when they arrived.
    pub fn unannounced(&self) -> Vec<String> {
        self.inner.state.lock().unwrap().unannounced.clone()
    }

    /// Runs the program and kills it. Says whether it came that far.
    pub fn kill(&self, point: Point, user: &User, args: &[&str]) -> bool {
        let program = user.command(args);
        match point {
            Point::Request(nth, when) => self.kill_at_request(nth, when, program),
            Point::Write(byte) => {
                let path = journal_of(user);
                let there = fs::metadata(&path).map_or(0, |journal| journal.len());
                // The log of events would be cut at the same size: where a folder has its name there is none.
                let log = path.with_file_name("events.jsonl");
                let _ = fs::remove_file(&log);
                fs::create_dir_all(&log).unwrap();
                let mut limited = Command::new("prlimit");
                limited
                    .arg(format!("--fsize={}", there + byte))
                    .arg(program.get_program())
                    .args(program.get_args())
                    .env_clear()
                    .envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))))
                    .current_dir(user.home());
                let died = limited.output().unwrap().status.signal();
                fs::remove_dir(&log).unwrap();
                died == Some(SIGXFSZ)
            }
        }
    }

    fn kill_at_request(&self, nth: usize, when: When, mut program: Command) -> bool {
        let pid = {
            // No request is looked at before the victim is known.
            let mut state = self.inner.state.lock().unwrap();
            let child = program
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let pid = child.id();
            state.victim = Some((child, state.changes + nth, when));
            pid
        };
        loop {
            let mut state = self.inner.state.lock().unwrap();
            let (child, ..) = state.victim.as_mut().unwrap();
            assert_eq!(child.id(), pid);
            if child.try_wait().unwrap().is_some() {
                state.victim = None;
                return std::mem::take(&mut state.killed);
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Watch for Inner {
    fn comes(&self, asked: &Asked, body: &[u8]) -> Fate {
        let dies = if asked.changes() {
            self.announced(asked, &String::from_utf8_lossy(body));
            self.dies(true, When::Before)
        } else {
            self.dies(false, When::Asking)
        };
        if dies { Fate::Broken } else { Fate::Passes }
    }

    fn loses(&self, asked: &Asked) -> bool {
        asked.changes() && self.dies(false, When::After)
    }
}

impl Inner {
    /// Counts a change; kills the program if this is where it dies `when`. Says whether it did.
    fn dies(&self, counts: bool, when: When) -> bool {
        let mut state = self.state.lock().unwrap();
        if counts {
            state.changes += 1;
        }
        let changes = state.changes;
        match &mut state.victim {
            Some((child, nth, planned)) if *nth == changes && *planned == when => {
                child.kill().unwrap();
                child.wait().unwrap();
                state.killed = true;
                true
            }
            _ => false,
        }
    }

    /// Looks the request up in the journal: by its id, or, where the API takes none, by each name in the place of the intent.
    fn announced(&self, asked: &Asked, body: &str) {
        let Some(path) = &self.journal else { return };
        let journal = fs::read_to_string(path).unwrap_or_default();
        let said = format!("{} {} {body}", asked.path, asked.query);
        let is_of = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap_or_default();
            let id = entry["request"].as_str().unwrap_or_default();
            let place = entry["thing"]["at"].as_object().into_iter().flatten();
            // Which cluster it is says the address.
            let of_cluster = ["project", "location", "cluster"];
            let mut names = place.filter(|(k, _)| !asked.cluster || !of_cluster.contains(&&***k));
            entry["entry"] == "intent"
                && match asked.query.contains("requestId=") {
                    true => asked.query.contains(id),
                    false => names.all(|(_, name)| said.contains(name.as_str().unwrap_or("?"))),
                }
        };
        if !journal.lines().any(is_of) {
            let said = format!("{} {}", asked.method, asked.path);
            self.state.lock().unwrap().unannounced.push(said);
        }
    }
}

/// Where a user's journal is.
pub fn journal_of(user: &User) -> PathBuf {
    let state = user.home().join(".local/state/provision");
    state.join(PROJECT).join("journal.jsonl")
}
