//! Runs a program that yields credentials, for a limited time. It has no input and no terminal, and a process group of its own, which
//! is ended with it: what a program leaves behind must not hold its output open forever.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);
/// How long what an ended program has printed may take to arrive. It is in the pipe already.
const ARRIVES: Duration = Duration::from_secs(1);
/// The size limit of what it prints, in bytes.
const LONGEST: u64 = 1 << 20;

/// How a program ended, and what it has printed. What is not UTF-8 is as good as nothing.
pub(super) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a program to its end. After `patience` it is ended, with everything that it has started in its process group.
///
/// # Errors
/// Why it did not start or has not ended, in words that follow the name of the program.
pub(super) async fn run(command: Command, patience: Duration) -> Result<Ended, String> {
    let done = tokio::task::spawn_blocking(move || blocking(command, patience)).await;
    done.unwrap_or_else(|_| Err("it could not be awaited".to_owned()))
}

fn blocking(mut command: Command, patience: Duration) -> Result<Ended, String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    let out = Printed::read(child.stdout.take());
    let err = Printed::read(child.stderr.take());
    let until = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let until = until.min(Instant::now() + ARRIVES);
                let arrived = out.ends(until) && err.ends(until);
                if !arrived {
                    end_group(&child);
                }
                return Ok(Ended {
                    code: status.code(),
                    out: out.text(),
                    err: err.text(),
                });
            }
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) => {
                end_group(&child);
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it has not ended within {} s", patience.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Ends what is left of a program's process group, which has the program's id.
fn end_group(child: &Child) {
    // It may have ended by itself meanwhile.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// What a program prints, while another thread reads it.
struct Printed {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Printed {
    fn read(from: Option<impl Read + Send + 'static>) -> Printed {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (ended, end) = channel();
        let into = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            let mut from = from.map(|from| from.take(LONGEST));
            while let Some(from) = &mut from
                && let Ok(read @ 1..) = from.read(&mut buffer)
            {
                let mut all = into.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend_from_slice(&buffer[..read]);
            }
            let _ = ended.send(());
        });
        Printed { bytes, end }
    }

    /// Whether everything has arrived, at the latest at this time.
    fn ends(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.end.recv_timeout(left).is_ok()
    }

    fn text(self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_does_not_hold_the_run() {
        let began = Instant::now();
        let script = "sleep 60 & echo $!; echo why >&2; exit 3";
        let ended = run(shell(script), Duration::from_secs(30)).await;
        let ended = ended.unwrap_or_else(|why| panic!("{why}"));
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        assert_eq!((ended.code, ended.err.as_str()), (Some(3), "why\n"));
        // It was ended too; a moment may pass until its parent, init, has noticed.
        let state = format!("/proc/{}/stat", ended.out.trim());
        let is_running = || {
            let stat = std::fs::read_to_string(&state).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_running() {
            assert!(Instant::now() < deadline, "it still runs");
            std::thread::sleep(LOOK);
        }
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended() {
        let began = Instant::now();
        let patience = Duration::from_millis(50);
        let ended = run(shell("sleep 60 & wait"), patience).await;
        assert!(ended.is_err_and(|why| why.contains("has not ended")));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
