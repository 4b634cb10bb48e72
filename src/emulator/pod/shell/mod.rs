//! `sh -c` and `bash -c`, as far as they are used around curl: lists, `for`, `while`, `until`, `if`, variables, `/dev/null`.
//!
//! A script is compiled to a flat program whose steps are commands and jumps. The caller runs the commands one at a time,
//! so that each sees the present world. Pipes, substitution of commands, files, functions and arithmetic
//! are refused by name before anything runs.

mod compile;
mod script_error;
mod words;

use std::collections::BTreeMap;

use compile::Step;
pub use script_error::ScriptError;
pub use words::Redirect;
use words::{Piece, Word};

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Where its output goes.
    pub redirect: Redirect,
}

/// A script that its shell refuses, as the shell prints it: `sh: 1: unterminated quoted string`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shell}: 1: {source}")]
pub struct ShellError {
    /// The shell's name.
    shell: String,
    /// What is wrong with the script.
    source: ScriptError,
}

/// A script at work.
#[derive(Debug)]
pub struct Shell {
    steps: Vec<Step>,
    at: usize,
    status: u8,
    variables: BTreeMap<String, String>,
}

impl Shell {
    /// The script of a command, if it is a shell's: `sh -c SCRIPT`.
    ///
    /// # Errors
    /// The shell's error about the script.
    pub fn of(command: &[String]) -> Option<Result<Shell, ShellError>> {
        let [shell, flags, script, ..] = command else {
            return None;
        };
        let name = shell.rsplit('/').next().unwrap_or(shell);
        if !["sh", "bash", "dash"].contains(&name)
            || !["-c", "-ec", "-lc"].contains(&flags.as_str())
        {
            return None;
        }
        let compiled = words::read(script)
            .and_then(|tokens| compile::compile(&tokens, name == "bash", flags == "-ec"));
        let shell = compiled.map(|steps| Shell {
            steps,
            at: 0,
            status: 0,
            variables: BTreeMap::new(),
        });
        Some(shell.map_err(|source| ShellError {
            shell: name.to_owned(),
            source,
        }))
    }

    /// The next command, given how the one before ended; none at the end.
    pub fn next(&mut self, status: u8) -> Option<Command> {
        self.status = status;
        loop {
            let step = self.steps.get(self.at)?.clone();
            self.at += 1;
            match step {
                Step::Run(words, redirect) => {
                    let words: Vec<String> = words.iter().map(|word| self.expanded(word)).collect();
                    if words.first().map(String::as_str) == Some("exit") {
                        self.at = self.steps.len();
                        self.status = words
                            .get(1)
                            .and_then(|code| code.parse().ok())
                            .unwrap_or(self.status);
                        return None;
                    }
                    return Some(Command { words, redirect });
                }
                Step::Set(name, word) => {
                    let value = self.expanded(&word);
                    self.variables.insert(name, value);
                }
                Step::Jump(to) => self.at = to,
                Step::JumpIf { failed, to } => {
                    if (self.status != 0) == failed {
                        self.at = to;
                    }
                }
                Step::Succeed => self.status = 0,
            }
        }
    }

    /// Whether the script may run for ever: it has a `while` or an `until`.
    pub fn may_never_end(&self) -> bool {
        let back = |(at, step): (usize, &Step)| matches!(step, Step::Jump(to) if *to <= at);
        self.steps.iter().enumerate().any(back)
    }

    /// How the script ended.
    pub fn status(&self) -> u8 {
        self.status
    }

    fn expanded(&self, word: &Word) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text { text, .. } => text.clone(),
            Piece::Variable(name) if name == "?" => self.status.to_string(),
            Piece::Variable(name) => self.variables.get(name).cloned().unwrap_or_default(),
        };
        word.iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script in which `false` fails and `fails N` does so N times; the commands, and the exit code.
    fn commands(shell: &str, script: &str) -> (Vec<String>, u8) {
        let command = [shell, "-c", script].map(str::to_owned);
        let mut shell = Shell::of(&command).unwrap().unwrap();
        let (mut told, mut status) = (Vec::new(), 0);
        while let Some(command) = shell.next(status) {
            status = u8::from(command.words[0] == "false");
            let quiet = if command.redirect.out_nowhere {
                " >"
            } else {
                ""
            };
            told.push(command.words.join(" ") + quiet);
            assert!(told.len() < 100, "{script} does not end");
        }
        (told, shell.status())
    }

    #[test]
    fn scripts_run_as_a_shell_runs_them() {
        // (shell, script, commands in order, exit code)
        let cases: &[(&str, &str, &[&str], u8)] = &[
            ("sh", "curl -s 'a b' \"c\"", &["curl -s a b c"], 0),
            ("sh", "a; b\nc # not d", &["a", "b", "c"], 0),
            ("sh", "a && b || c", &["a", "b"], 0),
            ("sh", "false && b || c", &["false", "c"], 0),
            ("sh", "false; echo $?", &["false", "echo 1"], 0),
            ("sh", "a; false", &["a", "false"], 1),
            (
                "sh",
                "for i in 1 2; do curl x$i; sleep 1; done",
                &["curl x1", "sleep 1", "curl x2", "sleep 1"],
                0,
            ),
            (
                "bash",
                "for i in {1..3}\ndo a \"${i}\"\ndone",
                &["a 1", "a 2", "a 3"],
                0,
            ),
            ("sh", "for i in {1..3}; do a $i; done", &["a {1..3}"], 0),
            (
                "sh",
                "for i in a b; do for j in c d; do x $i$j; done; done",
                &["x ac", "x ad", "x bc", "x bd"],
                0,
            ),
            (
                "sh",
                "u=http://x; curl $u >/dev/null 2>&1",
                &["curl http://x >"],
                0,
            ),
            (
                "sh",
                "if false; then a; else b; fi; c",
                &["false", "b", "c"],
                0,
            ),
            ("sh", "if a; then b; fi", &["a", "b"], 0),
            ("sh", "if false; then b; fi", &["false"], 0),
            ("sh", "until a; do b; done; c", &["a", "c"], 0),
            ("sh", "while false; do b; done", &["false"], 0),
            ("sh", "a; exit 3; b", &["a"], 3),
            ("sh", "a \\\n  b", &["a b"], 0),
            (
                "sh",
                "curl -w '%{http_code}\\n' x",
                &["curl -w %{http_code}\\n x"],
                0,
            ),
        ];
        for (shell, script, want, code) in cases {
            let (told, status) = commands(shell, script);
            assert_eq!(
                (told, status),
                (want.iter().map(|one| (*one).to_owned()).collect(), *code),
                "{script}"
            );
        }
    }

    #[test]
    fn what_is_not_known_is_refused_before_anything_runs() {
        let cases = [
            ("curl x | head", "| is not supported by the emulated shell"),
            (
                "curl $(hostname)",
                "$( is not supported by the emulated shell",
            ),
            ("a > file", "> is not supported by the emulated shell"),
            ("echo 'a", "unterminated quoted string"),
            (
                "for i in 1; do a",
                "syntax error: end of file unexpected (expecting \"done\")",
            ),
            ("done", "syntax error: \"done\" unexpected"),
            ("a &", "& is not supported by the emulated shell"),
        ];
        for (script, why) in cases {
            let command = ["/bin/sh", "-c", script].map(str::to_owned);
            let error = Shell::of(&command).unwrap().unwrap_err();
            assert_eq!(error.to_string(), format!("sh: 1: {why}"), "{script}");
        }
        assert!(Shell::of(&["sh".to_owned()]).is_none());
    }
}
