//! Runs the program as a user does: the built binary, an environment of nothing but what the test says, whole output out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A user's account on a machine: a home folder and nothing else.
pub struct User {
    home: TempDir,
    env: Vec<(String, String)>,
}

/// What a run said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What went to stdout.
    pub out: String,
    /// What went to stderr, without the line that says where the run acts.
    pub err: String,
    /// That line, if there is one: environment, project, zone, and the cloud.
    pub place: String,
}

impl User {
    /// A new account.
    pub fn new() -> User {
        User {
            home: tempfile::tempdir().unwrap(),
            env: Vec::new(),
        }
    }

    /// The same account with one variable more.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> User {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The program, ready to run: no input, output to pipes.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provision"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .current_dir(self.home());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end where no file may grow beyond so many blocks of 512 bytes, and being told so is an error: what a full
    /// disk looks like to a program.
    pub fn run_with_blocks(&self, blocks: u32, args: &[&str]) -> Said {
        let program = self.command(args);
        let mut limited = Command::new("sh");
        limited
            .args([
                "-c",
                r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#,
                "sh",
            ])
            .arg(blocks.to_string())
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .current_dir(self.home());
        Said::of(limited.output().unwrap(), self.home())
    }

    /// Runs it to its end; one that has not ended after so many seconds is ended.
    pub fn run_within(&self, seconds: &str, args: &[&str]) -> Said {
        let program = self.command(args);
        let mut bounded = Command::new("timeout");
        bounded
            .arg(seconds)
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .current_dir(self.home());
        Said::of(bounded.output().unwrap(), self.home())
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap(), self.home())
    }
}

impl Said {
    /// The output, with `~` for the home folder.
    pub fn of(output: Output, home: &Path) -> Said {
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(&home.display().to_string(), "~")
        };
        let err = text(output.stderr);
        let (place, err) = match err.split_once('\n') {
            Some((first, rest)) if first.starts_with("environment ") => (first, rest),
            _ => ("", err.as_str()),
        };
        Said {
            code: output.status.code(),
            out: text(output.stdout),
            err: err.to_owned(),
            place: place.to_owned(),
        }
    }

    /// The same, if it ended with this code; the test fails with everything that was said otherwise.
    #[track_caller]
    pub fn ends(self, code: i32) -> Said {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }
}

/// Writes a program that a shell runs.
pub fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Everything below a folder, folders included.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(path) = all.get(next).cloned() {
        all.extend(
            fs::read_dir(path)
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path()),
        );
        next += 1;
    }
    all
}

/// Whether a plan says of every step that it is as wanted, and of nothing else.
pub fn says_as_wanted(plan: &str) -> bool {
    plan.lines().count() == 1 && plan.ends_with(" as wanted\n") && !plan.contains(',')
}
