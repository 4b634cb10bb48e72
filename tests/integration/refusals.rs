//! Flags without an effect, values that mean nothing, and folders of steps that cannot be used: each is refused before anything is
//! done, and the refusal says what is wrong where.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use crate::common::program::{Said, User, below};

#[test]
fn a_flag_without_an_effect_and_a_value_without_a_meaning_are_refused() {
    // (what is typed, what is said)
    let cases = [
        (
            "plan --pace nonsense",
            "error: --pace requires --emulate\nhint: add --emulate, or remove --pace: it sets how long the emulator's operations take, and Google's take as long as they take\n",
        ),
        ("--pace real plan", "error: --pace requires --emulate\n"),
        ("plan --emulate --pace nonsense", "error: --pace nonsense: "),
        (
            "explain team-x http://example.com/ --emulate --pace nonsense",
            "error: --pace nonsense: ",
        ),
        ("emulator --pace nonsense", "error: --pace nonsense: "),
        (
            "plan --emulate --context a",
            "error: --context requires --kubeconfig\nhint: name the file that has the context: --emulate --kubeconfig FILE --context NAME\n",
        ),
        (
            "plan --kubeconfig a",
            "error: --kubeconfig requires --emulate\n",
        ),
        (
            "completions bash --steps a",
            "error: --steps has no effect on `provision completions`\nhint: remove it; `provision completions --help` lists the flags that have an effect\n",
        ),
        (
            "man --set nodes=1",
            "error: --set has no effect on `provision man`\n",
        ),
        (
            "--set nodes=1 steps",
            "error: --set has no effect on `provision steps`\n",
        ),
        (
            "emulator --project demo-project",
            "error: --project has no effect on `provision emulator`\n",
        ),
        (
            "--project demo-a plan --emulate --project demo-b",
            "error: --project is given twice\nhint: give it once, before or after the verb\n",
        ),
        (
            "up --emulate --yes --set =1",
            "error: --set =1: missing the parameter's name before `=`\nhint: write --set NAME=VALUE; `provision steps` lists the names\n",
        ),
        (
            "up --emulate --yes --set nodes=1 --set nodes=2",
            "error: --set nodes is given twice: `1` and `2`\n",
        ),
        (
            "up --emulate --yes --set project=other-project",
            "error: --set project=other-project: the project is egress-demo\nhint: write --project other-project: the project decides which journal is used\n",
        ),
        (
            "explain team-x http://example.com/ --method GETT",
            "error: --method GETT: not a method of HTTP, did you mean `GET`?\nhint: use one of GET, HEAD, ",
        ),
        (
            "explain team-x http://example.com/ --authorized-network 1.2.3",
            "error: parameter `authorized_networks`: `1.2.3` is not an IPv4 range",
        ),
    ];
    let user = User::new();
    for (typed, expected) in cases {
        let said = user.run(&typed.split(' ').collect::<Vec<_>>()).ends(2);
        assert_eq!(said.out, "", "{typed}");
        assert!(said.err.starts_with(expected), "{typed}: {}", said.err);
    }
    for flag in [
        "--project",
        "--region",
        "--zone",
        "--through",
        "--set",
        "--authorized-network",
        "--steps",
        "--state-dir",
        "--pace",
    ] {
        let said = user.run(&["plan", "--emulate", flag, ""]).ends(2);
        let expected = format!("error: a value is required for '{flag} <");
        assert!(said.err.starts_with(&expected), "{flag}: {}", said.err);
    }
    assert_eq!(
        below(user.home()),
        [user.home()],
        "bad input leaves no trace"
    );
}

#[test]
fn flags_about_the_output_and_the_state_are_accepted_by_every_verb() {
    let user = User::new();
    let flags = [
        "--output",
        "json",
        "--color",
        "never",
        "--state-dir",
        "s",
        "-v",
    ];
    for verb in [
        &["steps"][..],
        &["completions", "bash"],
        &["man"],
        &["emulator", "env"],
        &["token", "--emulate"],
        &["explain", "team-x", "http://example.com/"],
    ] {
        user.run(&[verb, &flags].concat()).ends(0);
        user.run(&[&flags, verb].concat()).ends(0);
    }
}

/// Runs the program as a user whom file modes bind; root reads everything.
fn run_bound(user: &User, args: &[&str]) -> Said {
    let program = user.command(args);
    let root = rustix::process::geteuid().is_root();
    let mut command = match root {
        true => Command::new("setpriv"),
        false => Command::new("env"),
    };
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        chown(user.home(), Some(65534), Some(65534)).unwrap();
    }
    command
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .current_dir(user.home());
    Said::of(command.output().unwrap(), user.home())
}

#[test]
fn a_folder_of_steps_that_cannot_be_used_is_named() {
    let user = User::new();
    let at = |name: &str| user.home().join(name);
    fs::create_dir(at("empty")).unwrap();
    fs::create_dir(at("parameters")).unwrap();
    fs::write(
        at("parameters/params.yaml"),
        "param: project\nsays: The project.\nof: project-id\n",
    )
    .unwrap();
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("closed")).unwrap();
    fs::create_dir_all(at("half/manifests")).unwrap();
    for closed in ["closed", "half/manifests"] {
        fs::set_permissions(at(closed), fs::Permissions::from_mode(0o000)).unwrap();
    }
    for (folder, expected) in [
        (
            "empty",
            "error: no steps in empty: it has no file NN-CHAPTER.yaml with a step\n",
        ),
        (
            "parameters",
            "error: no steps in parameters: it has no file NN-CHAPTER.yaml with a step\n",
        ),
        (
            "file",
            "error: cannot read file: Not a directory (os error 20)\n",
        ),
        (
            "nowhere",
            "error: cannot read nowhere: No such file or directory (os error 2)\n",
        ),
        (
            "closed",
            "error: cannot read closed: Permission denied (os error 13)\n",
        ),
        (
            "half",
            "error: cannot read half/manifests: Permission denied (os error 13)\n",
        ),
    ] {
        for verb in [&["plan", "--emulate"][..], &["steps"]] {
            let said = run_bound(&user, &[verb, &["--steps", folder]].concat()).ends(2);
            assert_eq!((said.out.as_str(), said.err.as_str()), ("", expected));
        }
    }
    for closed in ["closed", "half/manifests"] {
        fs::set_permissions(at(closed), fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert!(!at(".local").exists(), "bad input leaves no trace");
}
