//! The program at work: watched by its journal and its words, killed, or waited for.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::program::Said;
use crate::lab::Lab;

/// How long a run may take to come where a test waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run that has begun. It is killed when it is dropped.
pub struct UnderWay {
    child: Child,
    home: PathBuf,
}

impl Lab {
    /// Begins a run.
    pub fn begin(&self, args: &[&str]) -> UnderWay {
        let home = self.user.home().to_owned();
        let to = |name: &str| Stdio::from(File::create(home.join(name)).unwrap());
        let child = self
            .program(args)
            .stdout(to("out.txt"))
            .stderr(to("err.txt"))
            .spawn()
            .unwrap();
        UnderWay { child, home }
    }

    /// The journal's lines.
    pub fn journal(&self) -> Vec<String> {
        let path = ".local/state/provision/egress-demo/journal.jsonl";
        let text = fs::read_to_string(self.user.home().join(path)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl UnderWay {
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.home.join(name)).unwrap_or_default()
    }

    /// What it has said on stderr so far.
    pub fn err(&self) -> String {
        self.text("err.txt")
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until something is so; false where the run ended before.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut test: impl FnMut(&UnderWay) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while !test(self) {
            if self.has_ended() {
                return test(self);
            }
            assert!(
                Instant::now() < end,
                "not within {} s: {what}\n{}",
                PATIENCE.as_secs(),
                self.text("err.txt")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Waits until it has said something.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let said = self.until(words, |run| {
            run.text("err.txt").contains(words) || run.text("out.txt").contains(words)
        });
        assert!(
            said,
            "ended without `{words}`:\n{}{}",
            self.text("out.txt"),
            self.text("err.txt")
        );
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(mut self) -> Said {
        self.until("its end", |_| false);
        Said {
            place: String::new(),
            code: self.child.wait().unwrap().code(),
            out: self.text("out.txt"),
            err: self.text("err.txt"),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // One that has ended is as wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
