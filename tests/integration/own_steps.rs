//! A user's own steps: a copy of the program's, and a few files that are laid over them.

use std::fs;

use crate::common::program::{Said, User, below};

/// A chapter that supersedes a rule of the tutorial.
const RULE: &str = "chapter: my-rules\ntitle: My rules\nsays: Rules of ours.\n---\n\
    step: health-checks-of-mine\nsays: A range of ours too.\nkind: compute.firewall\n\
    at: {project: \"${param.project}\", firewall: mine}\n\
    want:\n  network: ${vpc-network.selfLink}\n  direction: INGRESS\n  sourceRanges: [\"${param.office}\"]\n  allowed: [{IPProtocol: tcp}]\n";

fn plan(user: &User, flags: &[&str]) -> String {
    let args = [&["plan", "--emulate", "--output", "json"], flags].concat();
    // When it ran, and how long it took, is no part of the plan.
    let said = user.run(&args).ends(3).out;
    let lines = said
        .lines()
        .filter(|line| !line.contains("\"run-finished\"") && !line.contains("\"finished\""));
    let mut lines: Vec<String> = lines
        .map(|line| {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            event.as_object_mut().unwrap().remove("at");
            event.to_string()
        })
        .collect();
    // Steps run side by side.
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn what_was_exported_gives_the_same_plan() {
    let user = User::new();
    let said = user.run(&["steps", "--export", "mine/steps"]).ends(0);
    assert!(
        said.out
            .contains(" files in mine/steps: change them, then use them with --steps mine/steps;"),
        "{}",
        said.out
    );
    for name in [
        "params.yaml",
        "20-network.yaml",
        "manifests/egress-gateway.yaml",
        "README.md",
    ] {
        assert!(
            user.home().join("mine/steps").join(name).is_file(),
            "{name}"
        );
    }
    assert_eq!(plan(&user, &["--steps", "mine/steps"]), plan(&user, &[]));
    let listed = |flags: &[&str]| user.run(&[&["steps"], flags].concat()).ends(0).out;
    assert_eq!(listed(&["--steps", "mine/steps"]), listed(&[]));
}

#[test]
fn an_export_overwrites_nothing() {
    let user = User::new();
    let mine = user.home().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("notes"), "mine").unwrap();
    fs::write(user.home().join("file"), "mine").unwrap();
    for (args, expected) in [
        (
            &["--export", "mine"][..],
            "error: mine is not empty, so nothing is written\n",
        ),
        (&["--export", "file"], "error: file: "),
        (
            &["--export", "new", "--overlay", "mine"],
            "error: --export writes the built-in steps, so --overlay has no effect beside it\n",
        ),
        (
            &["--export", ""],
            "error: a value is required for '--export <DIR>'",
        ),
    ] {
        let said = user.run(&[&["steps"], args].concat()).ends(2);
        assert!(said.err.starts_with(expected), "{args:?}: {}", said.err);
    }
    assert_eq!(below(user.home()).len(), 4, "{:?}", below(user.home()));
}

#[test]
fn a_few_files_over_the_steps_are_a_copy_with_these_files() {
    let user = User::new();
    let over = user.home().join("over");
    fs::create_dir_all(over.join("manifests")).unwrap();
    fs::write(over.join("91-my-rules.yaml"), RULE).unwrap();
    fs::write(
        over.join("params.yaml"),
        "param: office\nsays: Our office.\nof: cidr\ndefault: 192.0.2.0/24\n---\n\
         param: nodes\nsays: Fewer.\nof: integer\nmin: 1\nmax: 2\ndefault: 2\n",
    )
    .unwrap();
    let below_it = fs::read_to_string("steps/manifests/strict-mtls.yaml").unwrap();
    let changed = below_it.replace("STRICT", "PERMISSIVE");
    assert_ne!(changed, below_it);
    fs::write(over.join("manifests/strict-mtls.yaml"), &changed).unwrap();
    let laid = plan(&user, &["--overlay", "over"]);
    assert!(laid.contains("health-checks-of-mine"), "a chapter is added");
    assert!(laid.contains("192.0.2.0/24"), "a parameter is added");
    assert!(laid.contains("PERMISSIVE"), "a manifest is replaced");

    // The same by hand: parameters are added to the copy, the other files copied into it.
    user.run(&["steps", "--export", "copy"]).ends(0);
    let copy = user.home().join("copy");
    for name in ["91-my-rules.yaml", "manifests/strict-mtls.yaml"] {
        fs::copy(over.join(name), copy.join(name)).unwrap();
    }
    let params = fs::read_to_string(copy.join("params.yaml")).unwrap();
    let office = "---\nparam: office\nsays: Our office.\nof: cidr\ndefault: 192.0.2.0/24\n";
    fs::write(copy.join("params.yaml"), params + office).unwrap();
    assert_eq!(plan(&user, &["--steps", "copy", "--set", "nodes=2"]), laid);
    // Over a folder, too.
    user.run(&["steps", "--export", "plain"]).ends(0);
    assert_eq!(
        plan(&user, &["--steps", "plain", "--overlay", "over"]),
        laid
    );
    let limit = user.run(&["plan", "--emulate", "--overlay", "over", "--set", "nodes=3"]);
    let said = limit.ends(2).err;
    assert!(
        said.contains("`3` is not a whole number from 1 to 2"),
        "{said}"
    );
}

#[test]
fn the_steps_of_an_overlay_supersede_whatever_their_number() {
    let user = User::new();
    let over = user.home().join("over");
    fs::create_dir(&over).unwrap();
    let nat = fs::read_to_string("steps/22-nat.yaml").unwrap();
    let router = nat.split("---\n").nth(1).unwrap();
    let mine = router
        .replace("step: nat-router", "step: my-router")
        .replace("nat-config", "my-config");
    let mine = format!("chapter: mine\ntitle: Mine\nsays: Mine.\n---\n{mine}");
    fs::write(over.join("05-mine.yaml"), mine).unwrap();
    let laid = plan(&user, &["--overlay", "over"]);
    assert!(
        laid.contains("my-config") && !laid.contains("nat-config"),
        "{laid}"
    );
}

#[test]
fn an_overlay_without_a_file_is_refused_by_its_name() {
    let user = User::new();
    fs::create_dir(user.home().join("over")).unwrap();
    let refused = |folder: &str| -> Said {
        user.run(&["plan", "--emulate", "--overlay", folder])
            .ends(2)
    };
    assert_eq!(
        refused("over").err,
        "error: nothing to lay over the steps in over: it has no YAML file\n"
    );
    assert_eq!(
        refused("nowhere").err,
        "error: cannot read nowhere: No such file or directory (os error 2)\n"
    );
}
