//! Where a global flag has an effect: in which verbs, and beside which other flag. One table; the refusal of a flag without an
//! effect, the help, the completion scripts and the manual page derive from it.
//!
//! It does not check values: that is done where a value is used. A flag about the output (`--output`, `--color`, `--verbose`) or
//! the state folder is accepted everywhere, so it has no row.

use clap::Command;

use super::embedded::pace;
use crate::cli::Global;
use crate::error::CommandError;

/// The verbs that read no steps and touch no environment.
const WITHOUT_ENVIRONMENT: &[&str] = &["emulator", "completions", "man"];
/// The same, and `environments`, which lists those of every place.
const WITHOUT_PLACE: &[&str] = &["emulator", "completions", "man", "environments"];
/// The same, and `token`, whose output is the same for every environment.
const WITHOUT_STEPS: &[&str] = &["emulator", "completions", "man", "token", "environments"];

/// The same, and `steps`, which prints the steps as they are written.
const WITHOUT_SESSION: &[&str] = &[
    "emulator",
    "completions",
    "man",
    "token",
    "steps",
    "environments",
];

/// The verbs that send nothing to Google.
const WITHOUT_CLOUD: &[&str] = &[
    "emulator",
    "completions",
    "man",
    "steps",
    "environments",
    "config",
];
/// The same, and `token`, which calls no API.
const WITHOUT_CALLS: &[&str] = &[
    "emulator",
    "completions",
    "man",
    "steps",
    "environments",
    "config",
    "token",
];

/// Where one flag has an effect.
struct FlagRule {
    /// The flag's name, without the dashes.
    flag: &'static str,
    /// Whether the command line has it.
    given: fn(&Global) -> bool,
    /// The verbs in which it has no effect.
    unused_in: &'static [&'static str],
    /// The flag that must stand beside it.
    beside: Option<Beside>,
}

/// A flag without which another one has no effect.
struct Beside {
    /// Its name, without the dashes.
    flag: &'static str,
    /// Whether the command line has it.
    given: fn(&Global) -> bool,
    /// The verbs in which the other one has an effect by itself.
    except_in: &'static [&'static str],
    /// What to do if it is missing.
    hint: &'static str,
}

const RULES: &[FlagRule] = &[
    FlagRule {
        flag: "project",
        given: |global| global.project.is_some(),
        unused_in: WITHOUT_ENVIRONMENT,
        beside: None,
    },
    FlagRule {
        flag: "region",
        given: |global| global.region.is_some(),
        unused_in: WITHOUT_PLACE,
        beside: None,
    },
    FlagRule {
        flag: "zone",
        given: |global| global.zone.is_some(),
        unused_in: WITHOUT_PLACE,
        beside: None,
    },
    FlagRule {
        flag: "env",
        given: |global| global.env.is_some(),
        unused_in: WITHOUT_SESSION,
        beside: None,
    },
    FlagRule {
        flag: "emulate",
        given: |global| global.emulate,
        unused_in: WITHOUT_ENVIRONMENT,
        beside: None,
    },
    FlagRule {
        flag: "kubeconfig",
        given: |global| global.kubeconfig.is_some(),
        unused_in: WITHOUT_SESSION,
        beside: Some(Beside {
            flag: "emulate",
            given: |global| global.emulate,
            except_in: &[],
            hint: "add --emulate: Google's APIs are emulated, and the Kubernetes objects go to that cluster; on Google Cloud no kubeconfig is needed",
        }),
    },
    FlagRule {
        flag: "context",
        given: |global| global.context.is_some(),
        unused_in: WITHOUT_SESSION,
        beside: Some(Beside {
            flag: "kubeconfig",
            given: |global| global.kubeconfig.is_some(),
            except_in: &[],
            hint: "name the file that has the context: --emulate --kubeconfig FILE --context NAME",
        }),
    },
    FlagRule {
        flag: "pace",
        given: |global| global.pace.is_some(),
        unused_in: &["completions", "man", "token", "steps", "environments"],
        beside: Some(Beside {
            flag: "emulate",
            given: |global| global.emulate,
            except_in: &["emulator"],
            hint: "add --emulate, or remove --pace: it sets how long the emulator's operations take, and Google's take as long as they take",
        }),
    },
    FlagRule {
        flag: "steps",
        given: |global| global.steps.is_some(),
        unused_in: WITHOUT_STEPS,
        beside: None,
    },
    FlagRule {
        flag: "overlay",
        given: |global| global.overlay.is_some(),
        unused_in: WITHOUT_STEPS,
        beside: None,
    },
    FlagRule {
        flag: "set",
        given: |global| !global.set.is_empty(),
        unused_in: WITHOUT_SESSION,
        beside: None,
    },
    FlagRule {
        flag: "authorized-network",
        given: |global| !global.authorized_network.is_empty(),
        unused_in: WITHOUT_SESSION,
        beside: None,
    },
    FlagRule {
        flag: "record",
        given: |global| global.record.is_some(),
        unused_in: WITHOUT_CALLS,
        beside: None,
    },
    FlagRule {
        flag: "impersonate-service-account",
        given: |global| global.impersonate_service_account.is_some(),
        unused_in: WITHOUT_CLOUD,
        beside: None,
    },
    FlagRule {
        flag: "billing-project",
        given: |global| global.billing_project.is_some(),
        unused_in: WITHOUT_CALLS,
        beside: None,
    },
];

/// The flags about credentials, which the emulator asks for none of.
const OF_CREDENTIALS: &[&str] = &["impersonate-service-account", "billing-project"];

/// The global flags that may be given once. clap refuses a second one on the same side of the verb, but lets the one after the
/// verb replace the one before it.
const ONCE: &[&str] = &[
    "project",
    "region",
    "zone",
    "env",
    "kubeconfig",
    "context",
    "pace",
    "state-dir",
    "steps",
    "overlay",
    "record",
    "impersonate-service-account",
    "billing-project",
    "output",
    "color",
];

/// Checks that each given flag has an effect in `verb`, and that none is given twice. `words` is the command line.
///
/// # Errors
/// The first flag that has no effect, and what it needs.
pub fn check(global: &Global, verb: &str, words: &[String]) -> Result<(), CommandError> {
    for rule in RULES.iter().filter(|rule| (rule.given)(global)) {
        let flag = rule.flag;
        if rule.unused_in.contains(&verb) {
            return Err(CommandError::usage(
                format!("--{flag} has no effect on `provision {verb}`"),
                &format!(
                    "remove it; `provision {verb} --help` lists the flags that have an effect"
                ),
            ));
        }
        if global.emulate && OF_CREDENTIALS.contains(&flag) {
            return Err(CommandError::usage(
                format!("--{flag} has no effect with --emulate"),
                "remove one of them: the emulator asks for no credentials",
            ));
        }
        if let Some(beside) = &rule.beside
            && !beside.except_in.contains(&verb)
            && !(beside.given)(global)
        {
            return Err(CommandError::usage(
                format!("--{flag} requires --{}", beside.flag),
                beside.hint,
            ));
        }
    }
    if let Some(flag) = ONCE.iter().find(|flag| times(flag, words) > 1) {
        return Err(CommandError::usage(
            format!("--{flag} is given twice"),
            "give it once, before or after the verb",
        ));
    }
    // A wrong pace is refused by every verb, not only by those that start the emulator.
    pace(global).map(|_| ())
}

/// How often a flag stands on a command line. A value cannot begin with `--` unless it follows a `=`, and `--` ends the flags.
fn times(flag: &str, words: &[String]) -> usize {
    let is_flag = |word: &&String| {
        let rest = word
            .strip_prefix("--")
            .and_then(|word| word.strip_prefix(flag));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let flags = words.iter().take_while(|word| *word != "--");
    flags.filter(is_flag).count()
}

/// The command with a help that knows the rules: a verb does not list a flag that has no effect on it, and a flag that needs
/// another one says so.
pub fn described(command: Command) -> Command {
    let command = RULES.iter().fold(command, |command, rule| {
        let Some(beside) = &rule.beside else {
            return command;
        };
        let id = id(rule.flag);
        command.mut_arg(id, |arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let mut needs = format!("needs --{}", beside.flag);
            if !beside.except_in.is_empty() {
                needs = format!("{needs}, except with `{}`", beside.except_in.join("`, `"));
            }
            arg.help(format!("{help} [{needs}]"))
        })
    });
    RULES.iter().fold(command, |command, rule| {
        let hidden = command
            .get_arguments()
            .find(|arg| arg.get_id().as_str() == id(rule.flag))
            .map(|arg| arg.clone().hide(true));
        let Some(hidden) = hidden else {
            return command;
        };
        rule.unused_in.iter().fold(command, |command, verb| {
            command.mut_subcommand(verb, |sub| sub.arg(hidden.clone()))
        })
    })
}

/// clap's id of a flag, which is the name of its field.
fn id(flag: &str) -> String {
    flag.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::command::Cli;

    /// The flags that are accepted everywhere.
    const EVERYWHERE: &[&str] = &["state-dir", "output", "color", "verbose"];

    fn globals() -> Vec<String> {
        let command = Cli::command();
        let globals = command.get_arguments().filter(|arg| arg.is_global_set());
        globals
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect()
    }

    fn verbs() -> Vec<String> {
        let command = Cli::command();
        let names = command.get_subcommands().map(clap::Command::get_name);
        names.map(str::to_owned).collect()
    }

    /// A flag as it is typed, with a value that is valid.
    fn typed(flag: &str) -> Vec<&str> {
        match flag {
            "project" => vec!["--project", "demo-project"],
            "region" => vec!["--region", "us-east1"],
            "zone" => vec!["--zone", "us-east1-b"],
            "env" => vec!["--env", "blue"],
            "emulate" => vec!["--emulate"],
            "kubeconfig" => vec!["--kubeconfig", "file"],
            "context" => vec!["--context", "name"],
            "pace" => vec!["--pace", "real"],
            "state-dir" => vec!["--state-dir", "folder"],
            "steps" => vec!["--steps", "folder"],
            "overlay" => vec!["--overlay", "folder"],
            "record" => vec!["--record", "recording.json"],
            "set" => vec!["--set", "a=b"],
            "authorized-network" => vec!["--authorized-network", "192.0.2.0/24"],
            "impersonate-service-account" => {
                vec![
                    "--impersonate-service-account",
                    "a@p.iam.gserviceaccount.com",
                ]
            }
            "billing-project" => vec!["--billing-project", "payer"],
            "output" => vec!["--output", "json"],
            "color" => vec!["--color", "never"],
            "verbose" => vec!["--verbose"],
            other => {
                panic!("--{other}: say what it looks like, and add a rule or a line to EVERYWHERE")
            }
        }
    }

    /// What a verb requires beside the flags.
    fn arguments(verb: &str) -> &'static [&'static str] {
        match verb {
            "explain" => &["team-x", "http://example.com/"],
            "completions" => &["bash"],
            _ => &[],
        }
    }

    fn refusal(words: &[&str]) -> Option<String> {
        let words: Vec<String> = ["provision"]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect();
        let matches = described(Cli::command()).try_get_matches_from(&words);
        let matches = matches.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let cli = Cli::from_arg_matches(&matches).unwrap();
        let verb = matches.subcommand_name().unwrap();
        check(&cli.global, verb, &words)
            .err()
            .map(|error| error.errors.join(""))
    }

    #[test]
    fn each_flag_is_accepted_or_refused_by_each_verb_as_the_table_says() {
        for flag in globals() {
            let rule = RULES.iter().find(|rule| rule.flag == flag);
            assert_ne!(rule.is_some(), EVERYWHERE.contains(&&*flag), "--{flag}");
            for verb in verbs() {
                let beside = rule.and_then(|rule| rule.beside.as_ref());
                // Everything that the flag needs, and what that needs.
                let mut needed: Vec<&str> = Vec::new();
                let mut next = beside;
                while let Some(beside) = next.filter(|next| !next.except_in.contains(&&*verb)) {
                    needed.extend(typed(beside.flag));
                    let above = RULES.iter().find(|rule| rule.flag == beside.flag);
                    next = above.and_then(|rule| rule.beside.as_ref());
                }
                let typed = typed(&flag);
                let before = [&*typed, &*needed, &[&*verb], arguments(&verb)].concat();
                let after = [&[&*verb], arguments(&verb), &*typed, &*needed].concat();
                let unused = rule.is_some_and(|rule| rule.unused_in.contains(&&*verb));
                for words in [before, after] {
                    let refused = refusal(&words);
                    assert_eq!(refused.is_some(), unused, "{words:?}: {refused:?}");
                }
                let alone = [&[&*verb], arguments(&verb), &*typed].concat();
                let refused = refusal(&alone);
                assert_eq!(
                    refused.is_some(),
                    unused || !needed.is_empty(),
                    "{alone:?}: {refused:?}"
                );
            }
        }
    }

    #[test]
    fn every_rule_names_what_is_there() {
        let (globals, verbs) = (globals(), verbs());
        for rule in RULES {
            assert!(globals.contains(&rule.flag.to_owned()), "--{}", rule.flag);
            let except = rule.beside.iter().flat_map(|beside| beside.except_in);
            for verb in rule.unused_in.iter().chain(except) {
                assert!(verbs.contains(&(*verb).to_owned()), "{verb}");
            }
        }
        for flag in ONCE {
            assert!(globals.contains(&(*flag).to_owned()), "--{flag}");
        }
    }

    #[test]
    fn the_help_of_a_verb_lists_the_flags_that_have_an_effect() {
        for verb in verbs() {
            let mut command = described(Cli::command());
            command.build();
            let sub = command.find_subcommand_mut(&verb).unwrap();
            let help = sub.render_long_help().to_string();
            for rule in RULES {
                let unused = rule.unused_in.contains(&&*verb);
                let typed = format!("--{} ", rule.flag);
                let mut lines = help.lines().map(|line| format!("{} ", line.trim_start()));
                assert_eq!(
                    lines.any(|line| line.starts_with(&typed)),
                    !unused,
                    "{verb}: --{}\n{help}",
                    rule.flag
                );
            }
        }
        let help = described(Cli::command()).render_long_help().to_string();
        assert!(
            help.contains("[needs --emulate, except with `emulator`]"),
            "{help}"
        );
        assert!(help.contains("[needs --kubeconfig]"), "{help}");
    }

    #[test]
    fn a_flag_on_both_sides_of_the_verb_is_refused() {
        for (words, refused) in [
            (&["--project", "a", "plan", "--project", "b"][..], true),
            (&["--project=a", "plan", "--project", "b"], true),
            (&["--output", "json", "plan", "--output=text"], true),
            (&["--set", "a=1", "plan", "--set", "b=2"], false),
            (&["--emulate", "plan", "--emulate"], false),
            (&["--set=--project", "plan", "--project", "b"], false),
            (&["plan", "--billing-project", "a", "--emulate"], true),
        ] {
            assert_eq!(refusal(words).is_some(), refused, "{words:?}");
        }
    }
}
