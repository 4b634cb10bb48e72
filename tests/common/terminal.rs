//! A pseudo-terminal of a size, with the program on it: what it shows, what is typed, and what happens when it is closed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::program::User;
use super::vt::Vt;

/// The rows of every terminal.
pub const ROWS: usize = 24;
/// The columns of most terminals.
pub const COLUMNS: usize = 80;
/// How long a condition is awaited.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);

/// A process on a pseudo-terminal.
pub struct Terminal {
    /// The process.
    pub child: Child,
    /// The terminal's other end.
    pub master: File,
    columns: usize,
    /// Everything that was written so far.
    seen: Vec<u8>,
    /// How much of it `shows` has looked at.
    looked_at: usize,
}

impl Terminal {
    /// Starts the program on a terminal of its own with this many columns.
    pub fn start(user: &User, columns: usize, args: &[&str]) -> Terminal {
        Terminal::run(&user.command(args), columns, true)
    }

    /// The same, but the terminal does not control the process (`setsid` alone): it is not told when the terminal is closed.
    pub fn start_detached(user: &User, args: &[&str]) -> Terminal {
        Terminal::run(&user.command(args), COLUMNS, false)
    }

    /// Starts any process on a terminal of its own, with the environment and the folder of this command.
    pub fn run(program: &Command, columns: usize, controls: bool) -> Terminal {
        // A child that inherits the other end of its terminal, or of another test's, keeps it open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        // A test that waits for a text in vain has to end.
        ioctl_fionbio(&master, true).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = || {
            let file = OpenOptions::new().read(true).write(true).open(&name);
            Stdio::from(file.unwrap())
        };
        let mut command = Command::new("/usr/bin/setsid");
        if controls {
            command.arg("--ctty");
        }
        let size = format!("stty rows {ROWS} cols {columns}; exec \"$0\" \"$@\"");
        command
            .args(["sh", "-c", &size])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .env("TERM", "xterm");
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        let set = program
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command.envs(set);
        let child = command
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn();
        Terminal {
            child: child.unwrap(),
            master: File::from(master),
            columns,
            seen: Vec::new(),
            looked_at: 0,
        }
    }

    /// Types.
    pub fn types(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    /// Reads until a text was shown, after what the last call waited for.
    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        loop {
            let rest = &self.seen[self.looked_at..];
            let found = rest.windows(text.len()).position(|w| w == text.as_bytes());
            if let Some(at) = found {
                self.looked_at += at + text.len();
                return;
            }
            assert!(self.read(), "no {text}: {}", self.raw());
        }
    }

    /// Reads what was written since the last time; false at the end of the run.
    #[track_caller]
    pub fn read(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        let mut part = [0; 65536];
        loop {
            match self.master.read(&mut part) {
                Ok(read) if read > 0 => {
                    self.seen.extend(&part[..read]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < until, "nothing more: {}", self.raw());
                    std::thread::sleep(PAUSE);
                }
                // The end of a pseudo-terminal is an error.
                _ => return false,
            }
        }
    }

    /// Everything that was written, as it was written.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// What is shown now, line by line as it was written: a line that the terminal has wrapped is one.
    pub fn written_lines(&self) -> Vec<String> {
        self.screen().written_lines()
    }

    /// What is shown now, as the terminal shows it.
    pub fn lines(&self) -> Vec<String> {
        self.screen().lines()
    }

    fn screen(&self) -> Vt {
        let mut vt = Vt::new(self.columns);
        vt.write(&self.seen);
        vt
    }

    /// Reads to the end of the run.
    #[track_caller]
    pub fn ends(&mut self, code: i32) {
        while self.read() {}
        let ended = self.child.wait().unwrap();
        assert_eq!(ended.code(), Some(code), "{}", self.raw());
    }
}

/// Waits for a condition, such as a line of a journal.
#[track_caller]
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        // What is awaited is a file's content, which nothing reports.
        std::thread::sleep(PAUSE);
    }
}
