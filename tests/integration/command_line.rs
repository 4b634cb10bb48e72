//! Bad input, and output that nobody or a program reads: what is typed, what is said in full, and the exit code.

use std::fs;
use std::process::Command;

use crate::common::program::{Said, User, below};
use crate::common::source::files;
use serde_json::Value;

/// A first run that is over in a moment.
const UP: &[&str] = &["up", "--emulate", "--yes", "--through", "network"];

#[test]
fn a_project_that_does_not_fit_is_told_with_its_source() {
    let file = ".config/gcloud/configurations/config_default";
    let user = User::new();
    fs::create_dir_all(user.home().join(file).parent().unwrap()).unwrap();
    fs::write(
        user.home().join(file),
        "[core]\nproject = example.com:from-file\n",
    )
    .unwrap();
    let said = user.run(&["plan"]).ends(2);
    let begins = |source: &str| format!("error: {source}: `example.com:");
    let expected = begins(&format!("~/{file}"));
    assert!(said.err.starts_with(&expected), "{}", said.err);

    let user = user.with("CLOUDSDK_CORE_PROJECT", "example.com:from-env");
    let said = user.run(&["plan"]).ends(2);
    let expected = begins("CLOUDSDK_CORE_PROJECT");
    assert!(said.err.starts_with(&expected), "{}", said.err);

    let said = user
        .run(&["plan", "--project", "example.com:from-flag"])
        .ends(2);
    assert!(said.err.starts_with(&begins("--project")), "{}", said.err);
}

#[test]
fn bad_input_is_told_before_anything_is_done() {
    // (what is typed, what is said)
    let cases = [
        (
            "plan --emulate --through netwrok",
            "error: unknown chapter `netwrok`, did you mean `network`?\n",
        ),
        (
            "up --emulate --yes --through zebra",
            "error: unknown chapter `zebra`, the nearest are `mesh`, `network` or `nat`\n",
        ),
        (
            "up --emulate --yes --set clustr=a",
            "error: unknown parameter `clustr`, did you mean `cluster`?\n",
        ),
        (
            "up --emulate --yes --set cluster",
            "error: --set cluster: missing `=`\nhint: write --set NAME=VALUE; `provision steps` lists the names\n",
        ),
        (
            "up --emulate --yes --set nodes=0",
            "error: parameter `nodes`: `0` is not a whole number from 1 to 1000\n",
        ),
        (
            "up --emulate --yes --set control_plane=manged",
            "error: parameter `control_plane`: unknown value `manged`, did you mean `managed`?\n",
        ),
        (
            "up --emulate --yes --region us-central1 --zone europe-west1-b",
            "error: parameter `zone`: `europe-west1-b` is not in the region `us-central1`\n",
        ),
        (
            "up --emulate --yes --set subnet_range=10.0.0.0/99",
            "error: parameter `subnet_range`: `10.0.0.0/99` is not an IPv4 range, such as 10.0.0.0/24\n",
        ),
        (
            "up --emulate --yes --set subnet_range=10.0.0.1/24",
            "error: parameter `subnet_range`: `10.0.0.1/24` has host bits set, did you mean `10.0.0.0/24`?\n",
        ),
        (
            "up --emulate --yes --set subnet_range=10.1.0.0/24",
            "error: parameters `subnet_range` (10.1.0.0/24) and `pods_range` (10.1.0.0/16) overlap\n",
        ),
        (
            "up --emulate --yes --authorized-network 1.2.3",
            "error: parameter `authorized_networks`: `1.2.3` is not an IPv4 range, such as 10.0.0.0/24\n",
        ),
        (
            "up --yes",
            "error: no project is set\nhint: set one with --project or CLOUDSDK_CORE_PROJECT, or try --emulate\n",
        ),
        (
            "up --yes --project egress-demo",
            "error: no region is set\nhint: set one with --region or CLOUDSDK_COMPUTE_REGION\n",
        ),
        (
            "up --yes --project egress-demo --region us-central1",
            "error: no zone is set\nhint: set one with --zone or CLOUDSDK_COMPUTE_ZONE\n",
        ),
        (
            "up --emulate --yes --project ../elsewhere",
            "error: --project: `../elsewhere` is not a project id\nhint: a project id has 6 to 30 lowercase letters, digits and hyphens; it is not the project's name or number\n",
        ),
        (
            "up --emulate --yes --project example.com:demo",
            "error: --project: `example.com:demo` is the id of a project of the domain example.com, and such projects are not supported: the names of its accounts and of its identity pool do not follow from its id\nhint: use a project whose id has no domain\n",
        ),
        (
            "up --emulate --yes --set network_project=example.com:host",
            "error: parameter `network_project`: `example.com:host` is the id of a project of the domain example.com, and such projects are not supported: the names of its accounts and of its identity pool do not follow from its id\n",
        ),
        (
            "up --emulate",
            "error: `provision up` changes resources, and there is no terminal to ask for confirmation\nhint: check `provision plan` or `provision status`, then pass --yes\n",
        ),
        (
            "down --emulate",
            "error: `provision down` changes resources, and there is no terminal to ask for confirmation\nhint: check `provision plan` or `provision status`, then pass --yes\n",
        ),
        (
            "steps --steps nowhere",
            "error: cannot read nowhere: No such file or directory (os error 2)\n",
        ),
        (
            "up --yess",
            "error: unexpected argument '--yess' found\n\n  tip: a similar argument exists: '--yes'\n\nUsage: provision up --yes [FILE]\n\nFor more information, try '--help'.\n",
        ),
        (
            "upp",
            "error: unrecognized subcommand 'upp'\n\n  tip: a similar subcommand exists: 'up'\n\nUsage: provision [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n",
        ),
    ];
    let user = User::new();
    for (typed, expected) in cases {
        let said = user.run(&typed.split(' ').collect::<Vec<_>>()).ends(2);
        assert_eq!(
            (said.out.as_str(), said.err.as_str()),
            ("", expected),
            "{typed}"
        );
    }
    let spaces = user
        .run(&["up", "--emulate", "--yes", "--project", "my project"])
        .ends(2);
    assert!(
        spaces
            .err
            .starts_with("error: --project: `my project` is not a project id\n"),
        "{}",
        spaces.err
    );
    assert_eq!(
        below(user.home()),
        [user.home()],
        "bad input leaves no trace"
    );
}

#[test]
fn bad_steps_are_told_with_file_and_line() {
    let step = |id: &str, kind: &str, key: &str, rest: &str| {
        format!(
            "---\nstep: {id}\nsays: A thing.\nkind: {kind}\nat:\n  project: ${{param.project}}\n  {key}: x\n{rest}"
        )
    };
    let net = |id: &str, rest: &str| step(id, "compute.network", "network", rest);
    let cases = [
        (
            step("a", "compute.netwrok", "network", ""),
            "5: a: unknown kind `compute.netwrok`, did you mean `compute.network`?",
        ),
        (
            step("a", "compute.network", "netwrk", ""),
            "5: a: `at` has no `network`, which compute.network needs\n5: a: unknown key `netwrk` in `at`, did you mean `network`?",
        ),
        (
            net("a", "wants: {}\n"),
            "11: unknown field `wants`, did you mean `want`?",
        ),
        (
            net("a", "want:\n  description: ${param.projct}\n"),
            "12: unknown parameter `projct`, did you mean `project`?",
        ),
        (
            net("a", "want:\n  description: ${aa.selfLink}\n"),
            "12: unknown step `aa`, did you mean `a`?",
        ),
        (
            net("a", "") + &net("b", "want:\n  description: ${a.selfLnk}\n"),
            "12: b: `a` (compute.network) gives no `selfLnk`, did you mean `selfLink`?",
        ),
        (
            "---\nstep: a\nsays: A check.\nkind: check.analysis\nat: {project: p, location: l, cluster: c, namespace: n}\nwant: {codes: []}\n"
                .to_owned()
                + &net("b", "needs: [a]\n"),
            "11: b: needs the check `a`; a check creates nothing",
        ),
        (
            net("a", "") + &net("a", ""),
            "12: step `a` is defined twice, first at bad/10-one.yaml:5",
        ),
        (
            net("a", "needs: [b]\n") + &net("b", "needs: [a]\n"),
            "5: dependency cycle: a needs b needs a",
        ),
        (
            net("a", "within: soon\n"),
            "11: `soon` is not a duration of at most 6h, such as 90s, 30m or 1h",
        ),
        (
            net("a", "when: {colour: red}\n"),
            "11: unknown parameter `colour`, known are `project`",
        ),
        (
            "---\nstep: [\n".to_owned(),
            "5: unsupported YAML: unclosed bracket '['",
        ),
    ];
    let user = User::new();
    let folder = user.home().join("bad");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("params.yaml"),
        "param: project\nsays: The project.\nof: project-id\n",
    )
    .unwrap();
    for (steps, expected) in cases {
        fs::write(
            folder.join("10-one.yaml"),
            format!("chapter: one\ntitle: One\nsays: A chapter.\n{steps}"),
        )
        .unwrap();
        let said = user.run(&["plan", "--emulate", "--steps", "bad"]).ends(2);
        let expected: String = expected
            .lines()
            .map(|line| format!("error: bad/10-one.yaml:{line}\n"))
            .collect();
        assert_eq!(
            (said.out.as_str(), said.err.as_str()),
            ("", expected.as_str()),
            "{steps}"
        );
    }
}

#[test]
fn colour_is_for_terminals_and_for_who_asks_for_it() {
    let user = User::new();
    let escapes = |args: &[&str], no_color: &str| {
        let mut command = user.command(args);
        command.env("NO_COLOR", no_color);
        let said = Said::of(command.output().unwrap(), user.home()).ends(3);
        said.out.contains('\u{1b}')
    };
    for (when, no_color, expected) in [
        ("auto", "", false),
        ("auto", "1", false),
        ("never", "", false),
        ("always", "", true),
        ("always", "1", true),
    ] {
        assert_eq!(
            escapes(&["plan", "--emulate", "--color", when], no_color),
            expected,
            "{when} {no_color:?}"
        );
    }
}

#[test]
fn json_is_an_object_a_line_and_each_has_its_event() {
    let user = User::new();
    let lines = |args: &[&str], code: i32| -> Vec<String> {
        let said = user
            .run(&[args, &["--emulate", "--output", "json"]].concat())
            .ends(code);
        assert_eq!(said.err, "", "{args:?}");
        let events = said.out.lines().map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["event"]
                .as_str()
                .unwrap_or_else(|| panic!("{args:?}: {line}"))
                .to_owned()
        });
        events.collect()
    };
    for (args, code) in [
        (&["plan"][..], 3),
        (&["up", "--yes"], 0),
        (&["up", "--yes"], 0),
        (&["plan"], 0),
        (&["down", "--yes"], 0),
        (&["down", "--yes"], 0),
    ] {
        let events = lines(args, code);
        assert_eq!(
            events.first().map(String::as_str),
            Some("run-started"),
            "{args:?}"
        );
        assert_eq!(
            events.last().map(String::as_str),
            Some("run-finished"),
            "{args:?}"
        );
    }
    for args in [&["status", "--emulate"][..], &["steps"]] {
        let said = user.run(&[args, &["--output", "json"]].concat()).ends(0);
        assert!(said.out.lines().count() > 20);
        assert!(
            said.out
                .lines()
                .all(|line| serde_json::from_str::<Value>(line).unwrap().is_object()),
            "{}",
            said.out
        );
    }
}

#[test]
fn nobody_reading_stops_nothing() {
    let user = User::new();
    // A pipe whose reader is gone before the first word.
    let unread = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command: Command = user.command(args);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        command.status().unwrap().code()
    };
    assert_eq!(unread(&["steps", "--markdown"]), Some(0));
    assert_eq!(unread(&["plan", "--emulate"]), Some(3));
    assert_eq!(unread(UP), Some(0));
    assert_eq!(
        unread(&["up", "--emulate", "--yes", "--output", "json"]),
        Some(0)
    );
    assert_eq!(
        unread(&["plan", "--emulate"]),
        Some(0),
        "the runs that nobody heard have done what they were asked"
    );
    assert_eq!(
        unread(&["plan", "--emulate", "--through", "zebra"]),
        Some(2)
    );
}

#[test]
fn the_document_of_the_tutorial_is_what_the_program_says() {
    let said = User::new().run(&["steps", "--markdown"]).ends(0).out;
    let kept = include_str!("../../docs/tutorial.md");
    assert!(
        said == kept,
        "docs/tutorial.md is stale: cargo run -- steps --markdown > docs/tutorial.md"
    );
}

/// A hint that names a verb which is not there cannot be followed.
#[test]
fn every_verb_that_is_named_is_there() {
    let help = User::new().run(&["--help"]).ends(0).out;
    let verbs: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    assert!(verbs.contains(&"up") && verbs.contains(&"adopt"), "{help}");
    let mut named = 0;
    for file in ["src", "steps", "docs", "README.md"]
        .into_iter()
        .flat_map(files)
    {
        for (at, _) in file.text.match_indices("`provision ") {
            let rest = &file.text[at + "`provision ".len()..];
            let word: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase())
                .collect();
            if !word.is_empty() {
                named += 1;
                assert!(
                    verbs.contains(&&*word),
                    "{} names `provision {word}`",
                    file.path
                );
            }
        }
    }
    assert!(named > 40, "{named}");
}

#[test]
fn a_plan_fits_a_terminal_of_80_columns() {
    let user = User::new();
    for flags in [&[][..], &["--set", "control_plane=in-cluster"]] {
        let plan = user
            .run(&[&["plan", "--emulate"], flags].concat())
            .ends(3)
            .out;
        // A name or a value without a blank is not broken.
        let wide = |line: &&str| line.chars().count() > 80 && line.trim().contains(' ');
        assert_eq!(plan.lines().find(wide), None);
    }
}
