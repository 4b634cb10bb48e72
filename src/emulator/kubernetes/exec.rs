//! Commands in containers: a few that need nothing but themselves. Any other ends as a command that is not there does.

use serde_json::{Value, json};

use super::call::Call;
use super::log;
use super::resource::Resource;
use super::status::Status;
use super::write::plain;

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Whether the client sends input.
    pub stdin: bool,
    /// Whether output and errors are one.
    pub tty: bool,
    /// The Kubernetes service account that the pod runs as.
    pub account: String,
}

/// What a command has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What it wrote to its output.
    pub stdout: String,
    /// What it wrote to its errors.
    pub stderr: String,
    /// How it ended.
    pub code: u8,
}

/// What a request wants to run.
///
/// # Errors
/// 400 for no command, or a container that is not there or does not run.
pub fn run(call: &Call, _: &Resource, pod: &Value) -> Result<Run, Status> {
    let container = log::container(call, pod)?;
    log::running(pod, &container)?;
    let command = call.queries("command");
    if command.is_empty() {
        return Err(Status::bad_request(
            "you must specify at least one command for the container",
        ));
    }
    Ok(Run {
        namespace: plain(&pod["metadata"]["namespace"]),
        pod: plain(&pod["metadata"]["name"]),
        container,
        command,
        stdin: call.flag("stdin"),
        tty: call.flag("tty"),
        account: plain(&pod["spec"]["serviceAccountName"]),
    })
}

/// Whether the command reads its input to the end before it does anything.
pub fn reads(command: &[String]) -> bool {
    matches!(program(command), ("cat", []))
        || matches!(program(command), ("cat", [only]) if only == "-")
}

/// The program without the directory it is in, and its arguments.
fn program(command: &[String]) -> (&str, &[String]) {
    match command {
        [first, rest @ ..] => (first.rsplit('/').next().unwrap_or(first), rest),
        [] => ("", &[]),
    }
}

/// What the command does with this input; `identity` is the Google account that the metadata server gives the pod.
pub fn outcome(command: &[String], input: &str, identity: &str) -> Outcome {
    let (name, arguments) = program(command);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (name, words.as_slice()) {
        ("true", _) => Outcome::default(),
        ("false", _) => Outcome {
            code: 1,
            ..Outcome::default()
        },
        ("echo", ["-n", words @ ..]) => Outcome {
            stdout: words.join(" "),
            ..Outcome::default()
        },
        ("echo", words) => Outcome {
            stdout: format!("{}\n", words.join(" ")),
            ..Outcome::default()
        },
        ("cat", [] | ["-"]) => Outcome {
            stdout: input.to_owned(),
            ..Outcome::default()
        },
        ("cat", files) => {
            let missing: Vec<String> = files
                .iter()
                .map(|file| format!("cat: {file}: No such file or directory\n"))
                .collect();
            Outcome {
                stderr: missing.concat(),
                code: 1,
                ..Outcome::default()
            }
        }
        ("gcloud", ["auth", "list", ..]) => Outcome {
            stdout: format!("ACTIVE  ACCOUNT\n*       {identity}\n"),
            stderr:
                "\nTo set the active account, run:\n    $ gcloud config set account `ACCOUNT`\n\n"
                    .to_owned(),
            code: 0,
        },
        _ => Outcome {
            stderr: format!(
                "{name}: not in the emulated container, which knows true, false, echo, cat and gcloud auth list\n"
            ),
            code: 127,
            ..Outcome::default()
        },
    }
}

/// The last word on the error channel.
pub fn verdict(code: u8) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_what_they_do_and_others_are_not_found() {
        let cases = [
            (vec!["true"], "", "", 0),
            (vec!["/bin/echo", "a", "b"], "", "a b\n", 0),
            (vec!["cat"], "in\n", "in\n", 0),
            (vec!["cat", "/none"], "", "", 1),
            (
                vec!["gcloud", "auth", "list"],
                "",
                "ACTIVE  ACCOUNT\n*       sa@p\n",
                0,
            ),
            (vec!["curl", "http://example.com"], "", "", 127),
        ];
        for (command, input, stdout, code) in cases {
            let command: Vec<String> = command.into_iter().map(str::to_owned).collect();
            let outcome = outcome(&command, input, "sa@p");
            assert_eq!(
                (outcome.stdout.as_str(), outcome.code),
                (stdout, code),
                "{command:?}"
            );
            assert_eq!(
                outcome.code > 1,
                outcome.stderr.contains("not in the emulated container")
            );
        }
        assert_eq!(verdict(127)["details"]["causes"][0]["message"], "127");
    }
}
