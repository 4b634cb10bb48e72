//! An environment that exists: it stays where it is, changes as asked, and is carried out on no other cloud than its own.

use provision::google::{Api, Call};

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::{Cloud, FIREWALLS, PROJECT, variables};
use crate::common::program::{Said, User, says_as_wanted};

const NETWORK: [&str; 4] = ["up", "--yes", "--through", "network"];

#[test]
fn a_journal_is_carried_out_on_no_other_cloud_than_its_own() {
    let (ours, theirs) = (Cloud::new(), Cloud::new());
    ours.run(&NETWORK).ends(0);
    // Somebody else has a network of the same name there.
    theirs.run(&NETWORK).ends(0);
    let before = theirs.inventory();
    for verb in [
        &["down", "--yes"][..],
        &["up", "--yes"],
        &["plan"],
        &["status"],
    ] {
        let mut there = ours.user.command(verb);
        there.envs(variables(theirs.address()));
        let said = Said::of(there.output().unwrap(), ours.user.home()).ends(2);
        let names = said.err.matches("the emulator ").count();
        assert!(names >= 2, "both are named: {}", said.err);
    }
    assert_eq!(theirs.inventory(), before);
    // Nor on Google Cloud: no request is sent, and no credentials are looked for.
    let mut google = ours.user.command(&["down", "--yes"]);
    for (name, _) in variables(ours.address()) {
        google.env_remove(name);
    }
    let said = Said::of(google.output().unwrap(), ours.user.home()).ends(2);
    assert!(said.err.contains("would use Google Cloud"), "{}", said.err);
    ours.run(&["down", "--yes"]).ends(0);
    // What is gone belongs to nobody: the folder may be used for another cloud.
    let mut there = ours.user.command(&["plan"]);
    there.envs(variables(theirs.address()));
    Said::of(there.output().unwrap(), ours.user.home()).ends(3);
}

#[test]
fn an_emulator_is_the_same_one_with_its_state_file_however_it_is_reached() {
    let user = User::new();
    let state = user
        .home()
        .join(".local/state/provision/egress-demo/emulator.json");
    user.run(&["up", "--yes", "--emulate", "--through", "network"])
        .ends(0);
    // Without its state file the environment's own emulator is empty, and still its own. Its APIs are off, so that what the journal
    // records was not seen, which is no absence.
    std::fs::remove_file(&state).unwrap();
    let said = user
        .run(&["plan", "--emulate", "--through", "network"])
        .ends(1);
    assert!(said.err.contains("it was not seen"), "{}", said.err);
    user.run(&["up", "--yes", "--emulate", "--through", "network"])
        .ends(0);
    user.run(&["down", "--yes", "--emulate"]).ends(0);
}

#[test]
fn what_exists_is_not_moved_by_a_setting_and_a_flag_that_would_is_refused() {
    let user = User::new();
    let up = ["up", "--yes", "--emulate", "--through", "network"];
    let first = user
        .run(
            &[
                &up[..],
                &["--project", "first-proj", "--zone", "europe-west1-b"],
            ]
            .concat(),
        )
        .ends(0);
    let place = "environment default, project first-proj, zone europe-west1-b, EMULATOR";
    assert_eq!(first.place, place);
    for (name, value) in [
        ("CLOUDSDK_CORE_PROJECT", "other-proj"),
        ("CLOUDSDK_COMPUTE_REGION", "us-east1"),
        ("CLOUDSDK_COMPUTE_ZONE", "us-east1-b"),
    ] {
        let mut plan = user.command(&["plan", "--emulate", "--through", "network"]);
        let said = Said::of(plan.env(name, value).output().unwrap(), user.home()).ends(0);
        assert_eq!(said.place, place, "{name}");
        assert!(says_as_wanted(&said.out), "{name}: {}", said.out);
    }
    for (flag, value, exists) in [
        ("--zone", "europe-west1-c", "zone europe-west1-b"),
        ("--region", "us-east1", "europe-west1"),
    ] {
        let said = user.run(&[&up[..], &[flag, value]].concat()).ends(2);
        assert!(
            said.err.contains(value) && said.err.contains(exists),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("provision down") && said.err.contains("--env"),
            "{}",
            said.err
        );
    }
    // Another project is another environment.
    let other = user
        .run(&[
            "plan",
            "--emulate",
            "--project",
            "other-proj",
            "--through",
            "network",
        ])
        .ends(3);
    assert!(other.place.contains("project other-proj"), "{}", other.err);
    user.run(&["down", "--yes", "--emulate"]).ends(0);
    // Nothing exists any more: the settings count again.
    let after = user.run(&["plan", "--emulate", "--through", "network"]);
    assert!(
        after
            .place
            .contains("project egress-demo, zone us-central1-a"),
        "{}",
        after.place
    );
}

#[test]
fn the_folder_of_steps_is_remembered_and_its_parameters_stop_no_other() {
    let user = User::new();
    let param = "param: region\n";
    let added = "param: extra\nsays: A value.\nof: text\ndefault: x\n---\nparam: region\n";
    let folder = changed_steps(user.home(), &[("params.yaml", param, added)]);
    let through = ["--emulate", "--through", "network"];
    let flags = ["--steps", &folder, "--set", "extra=y"];
    user.run(&[&["up", "--yes"], &through[..], &flags].concat())
        .ends(0);
    let config = user.run(&["config", "--emulate"]).ends(0).out;
    let row = |name: &str| {
        let line = config
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_default().to_owned()
    };
    assert!(
        row("steps").contains("changed-steps") && row("steps").contains("remembered"),
        "{config}"
    );
    assert!(
        row("extra").contains("y ") && row("extra").contains("remembered from the run of"),
        "{config}"
    );
    // Other steps do not know the parameter, and do not stop for it.
    user.run(&["config", "--emulate", "--unset", "steps"])
        .ends(0);
    user.run(&[&["plan"], &through[..]].concat()).ends(0);
    let config = user.run(&["config", "--emulate"]).ends(0).out;
    assert!(config.contains("these steps do not use it"), "{config}");
}

#[test]
fn values_are_shown_with_their_source_and_forgotten_on_request() {
    let user = User::new().with("CLOUDSDK_COMPUTE_ZONE", "us-east1-b");
    let config = |args: &[&str]| {
        let said = user.run(&[&["config", "--emulate", "--output", "json"], args].concat());
        let lines = said.ends(0).out;
        let rows = lines.lines().map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            (text("name"), (row["value"].clone(), text("from")))
        });
        rows.collect::<std::collections::BTreeMap<_, _>>()
    };
    let source = |name: &str, args: &[&str]| config(args)[name].1.clone();
    assert_eq!(source("zone", &[]), "environment CLOUDSDK_COMPUTE_ZONE");
    assert_eq!(source("nodes", &[]), "default");
    assert_eq!(source("nodes", &["--set", "nodes=2"]), "flag --set");
    assert_eq!(source("project", &[]), "default of --emulate");
    let through = ["--yes", "--emulate", "--through", "network"];
    user.run(&[&["up"], &through[..], &["--set", "nodes=2"]].concat())
        .ends(0);
    assert!(source("nodes", &[]).starts_with("remembered from the run of 20"));
    assert!(source("zone", &[]).starts_with("remembered from the run of 20"));
    // A run that did not get past its checks is not remembered.
    user.run(&[&["up"], &through[..], &["--set", "nodes=many"]].concat())
        .ends(2);
    user.run(
        &[
            &["up"],
            &through[..],
            &["--set", "subnet_range=10.9.0.0/24"],
        ]
        .concat(),
    )
    .ends(1);
    assert_eq!(config(&[])["nodes"].0, "2");
    assert_eq!(source("subnet_range", &[]), "default");

    let unknown = user
        .run(&["config", "--emulate", "--unset", "noddes"])
        .ends(2);
    assert!(
        unknown.err.contains("did you mean `nodes`"),
        "{}",
        unknown.err
    );
    let lives = user
        .run(&["config", "--emulate", "--unset", "zone"])
        .ends(2);
    assert!(lives.err.contains("exists there"), "{}", lives.err);
    user.run(&["config", "--emulate", "--unset", "nodes"])
        .ends(0);
    assert_eq!(source("nodes", &[]), "default");
    user.run(&["config", "--emulate", "--unset", "nodes"])
        .ends(2);

    user.run(&[&["up"], &through[..], &["--set", "nodes=2"]].concat())
        .ends(0);
    user.run(&["down", "--yes", "--emulate"]).ends(0);
    assert_eq!(source("nodes", &[]), "default");
    assert_eq!(source("zone", &[]), "environment CLOUDSDK_COMPUTE_ZONE");
}

#[test]
fn nothing_is_written_for_a_plan_that_cannot_be_carried_out() {
    let cloud = Cloud::new();
    let through = ["up", "--yes", "--through", "firewall"];
    cloud.run(&through).ends(0);
    // The rules name the range too: they could be changed, and then allowed a range without nodes.
    let moved = [&through[..], &["--set", "subnet_range=10.9.0.0/24"]].concat();
    let (said, sent) = cloud.changes(&moved);
    let said = said.ends(1);
    assert_eq!(sent, []);
    assert!(
        said.err
            .contains("differs in fields that cannot be changed"),
        "{}",
        said.err
    );
    assert!(said.err.contains("nothing was changed"), "{}", said.err);
    // The values of such a run are not remembered.
    let plan = cloud.run(&["plan", "--through", "firewall"]).ends(0);
    assert!(says_as_wanted(&plan.out), "{}", plan.out);
    let plan = cloud
        .run(&[
            "plan",
            "--through",
            "firewall",
            "--set",
            "subnet_range=10.9.0.0/24",
        ])
        .ends(3);
    assert!(plan.out.contains("1 in the way"), "{}", plan.out);
    let (said, sent) = cloud.changes(&[&moved[..], &["--keep-going"]].concat());
    said.ends(1);
    assert!(!sent.is_empty());
}

#[test]
fn what_no_step_asks_for_any_more_is_shown_and_deleted() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).ends(0);
    let home = cloud.user.home();
    // A rule, an object in the cluster and a member of a policy are revoked in the steps.
    let steps = changed_steps(home, &[]);
    let edit = |file: &str, edited: &dyn Fn(String) -> String| {
        let path = std::path::Path::new(&steps).join(file);
        let text = edited(std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, text).unwrap();
    };
    let without = |text: String, id: &str| {
        let line = format!("step: {id}\n");
        let documents: Vec<&str> = text.split("\n---\n").collect();
        let kept = documents
            .iter()
            .filter(|document| !document.contains(&line));
        let kept: Vec<&str> = kept.copied().collect();
        assert_eq!(kept.len(), documents.len() - 1, "{id}");
        kept.join("\n---\n")
    };
    edit("26-firewall.yaml", &|text| {
        without(text, "allow-egress-to-konnectivity")
    });
    edit("30-cluster.yaml", &|text| {
        let line = "  - allow-egress-to-konnectivity\n";
        assert!(text.contains(line));
        text.replace(line, "")
    });
    edit("54-authorization.yaml", &|text| {
        without(text, "allow-team-y-teapot")
    });
    edit("24-service-accounts.yaml", &|text| {
        let (before, after) = text
            .split_once("    - role: roles/monitoring.viewer")
            .unwrap();
        let (_, after) = after.split_once("    - role").unwrap();
        format!("{before}    - role{after}")
    });
    let flags = ["--steps", &steps];
    let plan = cloud.run(&[&["plan"], &flags[..]].concat()).ends(3);
    for words in ["no step asks for it any more: will be deleted", "to delete"] {
        assert!(plan.out.contains(words), "{}", plan.out);
    }
    let status = cloud.run(&[&["status"], &flags[..]].concat()).ends(0);
    assert!(status.out.contains("no step"), "{}", status.out);
    // A run that stops at a chapter deletes nothing: later chapters may ask for it.
    let early = cloud.run(&[&["up", "--yes", "--through", "network"], &flags[..]].concat());
    assert!(!early.ends(0).out.contains("removed"));
    let before = cloud.inventory().len();
    let up = cloud.run(&[&["up", "--yes"], &flags[..]].concat()).ends(0);
    assert!(up.out.contains("removed"), "{}", up.out);
    assert_eq!(cloud.inventory().len(), before - 1);
    let rule = format!("{FIREWALLS}/allow-egress-to-konnectivity");
    assert!(!cloud.try_call(Call::get(Api::Compute, rule)));
    let policy = cloud.call(
        Call::post(
            Api::CloudResourceManager,
            format!("v1/projects/{PROJECT}:getIamPolicy"),
        )
        .json(serde_json::json!({})),
    );
    assert!(
        !policy.to_string().contains("roles/monitoring.viewer"),
        "{policy}"
    );
    let plan = cloud.run(&[&["plan"], &flags[..]].concat()).ends(0);
    assert!(says_as_wanted(&plan.out), "{}", plan.out);
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
}

#[test]
fn one_run_at_a_time_changes_the_emulator_that_environments_share() {
    let user = User::new();
    let network = ["up", "--yes", "--emulate", "--through", "network"];
    user.run(&network).ends(0);
    let project = user.home().join(".local/state/provision/egress-demo");
    let other = std::fs::File::open(project).unwrap();
    other.lock().unwrap();
    let blue = [&network[..], &["--env", "blue"]].concat();
    let said = user.run(&blue).ends(4);
    assert!(
        said.err.contains("another run changes the emulator of"),
        "{}",
        said.err
    );
    // Who only looks does not wait.
    let plan = user.run(&["plan", "--emulate", "--through", "network"]);
    assert!(says_as_wanted(&plan.ends(0).out));
    drop(other);
    user.run(&blue).ends(0);
    let listed = user.run(&["environments", "--output", "json"]).ends(0).out;
    let names: Vec<String> = listed
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            object["environment"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, ["default", "blue"]);
    user.run(&["down", "--yes", "--emulate", "--env", "blue"])
        .ends(0);
    let plan = user.run(&["plan", "--emulate", "--through", "network"]);
    assert!(says_as_wanted(&plan.ends(0).out));
}

/// A folder of steps: a network, and a bucket that is kept or not.
fn with_bucket(home: &std::path::Path, bucket: &str) -> String {
    let folder = home.join("bucket-steps");
    std::fs::create_dir_all(&folder).unwrap();
    let params = "param: project\nsays: The project.\nof: project-id\n";
    std::fs::write(folder.join("params.yaml"), params).unwrap();
    let chapter = format!(
        "chapter: data\ntitle: Data\nsays: A bucket.\n---\n\
         step: services\nsays: The APIs.\nkind: services\nat: {{project: \"${{param.project}}\"}}\n\
         want: {{services: [compute.googleapis.com]}}\n---\n\
         step: network\nsays: The network.\nkind: compute.network\nneeds: [services]\n\
         at: {{project: \"${{param.project}}\", network: vpc}}\nwant: {{autoCreateSubnetworks: false}}\n{bucket}"
    );
    std::fs::write(folder.join("10-data.yaml"), chapter).unwrap();
    folder.display().to_string()
}

#[test]
fn what_was_kept_stays_even_when_its_step_is_gone() {
    let cloud = Cloud::new();
    let home = cloud.user.home();
    let bucket = |keep: &str| {
        format!(
            "---\nstep: data\nsays: The data.\nkind: storage.bucket\nat: {{project: \"${{param.project}}\", bucket: kept-data-1}}\n\
             want: {{location: US}}\n{keep}"
        )
    };
    let up = |text: &str| {
        let steps = with_bucket(home, text);
        cloud.run(&["up", "--yes", "--steps", &steps]).ends(0)
    };
    let there = || !cloud.there("storage", "kept-data-1").is_empty();
    up(&bucket(""));
    assert!(there());
    // The step keeps it from now on: nothing is changed, and it is remembered.
    up(&bucket("keep: true\n"));
    let gone = up("");
    assert!(there() && !gone.out.contains("removed"), "{}", gone.out);
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(there() && !down.out.contains("left:"), "{}", down.out);
    assert!(cloud.there("compute", "/networks/vpc").is_empty());
    // All else is gone, so nothing is remembered any more.
    let config = cloud.run(&["config"]).ends(0);
    assert!(config.out.contains("the program's own"), "{}", config.out);
}
