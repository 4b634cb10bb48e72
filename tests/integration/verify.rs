//! `verify`: every claim of the steps holds after every chapter, none does when what it claims is broken, and what a reader is
//! told of it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::cloud::{Cloud, FIREWALLS, pointed_at};
use crate::common::kubernetes::BlockingClient;
use crate::common::mutation::Change;
use crate::common::program::{Said, User, below};
use crate::common::rewriting::Rewriting;
use provision::google::{Api, Call};
use serde::Deserialize;
use serde_json::{Value, json};

const TABLE: &str = include_str!("../../fixtures/claims.yaml");
/// How long the cluster may take over what it does by itself: pods that come and go.
const PATIENCE: Duration = Duration::from_secs(20);

/// A row of the table: who does what, and which claims then do not hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    claim: String,
    through: String,
    change: Change,
    #[serde(default)]
    also: BTreeSet<String>,
}

impl Row {
    fn broken(&self) -> BTreeSet<String> {
        let mut broken = self.also.clone();
        broken.insert(self.claim.clone());
        broken
    }
}

/// The program's events.
fn events(said: &Said) -> Vec<Value> {
    let lines = said.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The claims that do not hold, by what `verify` tells programs; its code agrees.
fn unmet(said: &Said) -> BTreeSet<String> {
    let events = events(said);
    let claimed = events.iter().filter(|event| event["event"] == "claimed");
    let unmet = claimed.filter(|event| event["holds"] == false);
    let unmet: BTreeSet<String> = unmet
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .collect();
    let code = if unmet.is_empty() { 0 } else { 3 };
    assert_eq!(said.code, Some(code), "{}\n{}", said.out, said.err);
    unmet
}

/// The chapters in their order, each with its claims.
fn chapters() -> Vec<(String, Vec<String>)> {
    let said = User::new().run(&["steps", "--output", "json"]).ends(0);
    let mut chapters: Vec<(String, Vec<String>)> = Vec::new();
    for line in said.out.lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| step[key].as_str().unwrap().to_owned();
        if chapters
            .last()
            .is_none_or(|(name, _)| *name != text("chapter"))
        {
            chapters.push((text("chapter"), Vec::new()));
        }
        if text("kind").starts_with("check.") {
            chapters.last_mut().unwrap().1.push(text("id"));
        }
    }
    chapters
}

/// Looks until exactly these claims do not hold; says what did not instead.
fn until_unmet(cloud: &Cloud, through: &str, expected: &BTreeSet<String>) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let said = cloud.run(&["verify", "--output", "json", "--through", through]);
        let unmet = unmet(&said);
        if unmet == *expected {
            return Ok(());
        }
        if Instant::now() > until {
            let odd: Vec<&String> = unmet.symmetric_difference(expected).collect();
            let events = events(&said).into_iter();
            let told = events.filter(|event| odd.iter().any(|claim| event["step"] == **claim));
            let told: Vec<String> = told.map(|event| event.to_string()).collect();
            return Err(format!(
                "{unmet:?} do not hold, not {expected:?}\n{}",
                told.join("\n")
            ));
        }
    }
}

#[test]
fn every_claim_holds_after_its_chapter_and_fails_when_what_it_claims_is_broken() {
    let rows: Vec<Row> = serde_saphyr::from_multiple(TABLE).unwrap();
    let chapters = chapters();
    let claims: BTreeSet<&String> = chapters.iter().flat_map(|(_, claims)| claims).collect();
    let told: BTreeSet<&String> = rows.iter().map(|row| &row.claim).collect();
    assert_eq!(
        told, claims,
        "each claim of the steps has a row, and no other has"
    );

    let cloud = Cloud::new();
    let mut wrong = Vec::new();
    let mut rows_of = rows.iter().peekable();
    for (chapter, _) in &chapters {
        // What somebody changed and changed back is his as well.
        cloud
            .run(&["up", "--yes", "--force-conflicts", "--through", chapter])
            .ends(0);
        cloud.run(&["verify", "--through", chapter]).ends(0);
        let cluster = rows_of
            .peek()
            .is_some_and(|row| row.through == *chapter)
            .then(|| BlockingClient::of(&cloud));
        while let Some((row, cluster)) = rows_of
            .next_if(|row| row.through == *chapter)
            .zip(cluster.as_ref())
        {
            let undo = row.change.make(&cloud, cluster);
            let broken = until_unmet(&cloud, chapter, &row.broken());
            undo.make(&cloud, cluster);
            wrong.extend(broken.err().map(|why| format!("{}: {why}", row.claim)));
        }
        // That each is changed back, the rows after it show; the last one is looked at here.
        let mended = until_unmet(&cloud, chapter, &BTreeSet::new());
        wrong.extend(mended.err().map(|why| format!("after {chapter}: {why}")));
    }
    assert!(rows_of.next().is_none(), "rows out of the chapters' order");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));

    let began = Instant::now();
    let said = cloud.run(&["verify"]).ends(0);
    let took = began.elapsed();
    let _ = writeln!(std::io::stderr(), "a whole verify takes {took:.1?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(
        said.out.ends_with("\n20 of 20 checks hold\n"),
        "{}",
        said.out
    );
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = below(folder).into_iter().filter(|path| path.is_file());
    let mut files: Vec<_> = files
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

const FAILING: &str = include_str!("../../fixtures/verify-failing.txt");

#[test]
fn a_claim_that_does_not_hold_is_told_with_what_decides() {
    let cloud = Cloud::new();
    cloud
        .run(&["up", "--yes", "--through", "test-application"])
        .ends(0);
    let before = files(cloud.user.home());
    let rule = format!("{FIREWALLS}/allow-egress-gcp-apis");
    let opens = |range: &str| {
        let body = json!({"name": "allow-egress-gcp-apis", "destinationRanges": [range]});
        cloud.call(Call::patch(Api::Compute, rule.clone()).json(body));
    };
    let verify = ["verify", "--through", "test-application"];
    opens("0.0.0.0/0");

    let said = cloud.run(&verify).ends(3);
    assert_eq!(said.out, FAILING);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80));
    assert!(!said.out.contains('\u{1b}'));
    let colour = cloud.run(&[&verify[..], &["--color", "always"]].concat());
    assert!(colour.out.contains("\u{1b}["), "{}", colour.out);

    let json = [&verify[..], &["--output", "json"]].concat();
    let told = events(&cloud.run(&json).ends(3));
    let claimed =
        |event: &&Value| event["step"] == "check-no-way-out" && event["event"] == "claimed";
    let claimed = told.iter().find(claimed).unwrap();
    assert_eq!(claimed["holds"], false);
    let hint = claimed["hint"].as_str().unwrap();
    assert!(
        hint.ends_with("it is allowed by firewall allow-egress-gcp-apis"),
        "{hint}"
    );
    let holds =
        |event: &&Value| event["step"] == "check-sidecar-team-x" && event["event"] == "claimed";
    let holds = told.iter().find(holds).unwrap();
    assert_eq!((&holds["holds"], holds.get("hint")), (&json!(true), None));
    let finished = told.last().unwrap();
    assert_eq!(finished["event"], "run-finished");
    assert_eq!(finished["tally"]["unmet"], 1);
    assert_eq!(finished["tally"]["holds"], 4);

    // Without a wait it is told at once; with one it is looked at again, and what comes true meanwhile holds.
    assert!(
        told.iter().all(|event| event["event"] != "waiting"),
        "{told:?}"
    );
    let began = Instant::now();
    cloud.run(&[&json[..], &["--settle", "1"]].concat()).ends(3);
    assert!(began.elapsed() >= Duration::from_secs(1));
    let settle = [&json[..], &["--settle", "600"]].concat();
    let mut child = cloud.user.command(&settle).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut waited = false;
    for line in lines {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == "waiting" && !waited {
            waited = true;
            assert_eq!(event["step"], "check-no-way-out");
            opens("199.36.153.8/30");
        }
    }
    assert!(waited);
    assert_eq!(child.wait().unwrap().code(), Some(0));

    // It only looks.
    assert_eq!(files(cloud.user.home()), before);
    assert_eq!(cloud.changes(&verify).1.len(), 0);
}

#[test]
fn what_cannot_be_asked_is_said_once() {
    let user = User::new();
    let said = user.run(&["verify", "--emulate"]).ends(1);
    assert_eq!(said.out, "");
    assert_eq!(
        said.err,
        "error: nothing to check: cluster cluster1 not found in us-central1-a of project egress-demo\n\
         hint: `provision up` creates it; `provision explain` predicts the result of a request without it\n"
    );
    // No chapter before the cluster's has anything to check.
    let said = user
        .run(&["verify", "--emulate", "--through", "nat"])
        .ends(0);
    assert_eq!(said.out, "these chapters have no check\n");
    let said = user
        .run(&["verify", "--emulate", "--through", "rooting"])
        .ends(2);
    assert!(
        said.err.starts_with("error: unknown chapter `rooting`, "),
        "{}",
        said.err
    );
    assert!(said.err.contains("`routing`"), "{}", said.err);

    // The APIs are on, and there is no cluster yet.
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "network"]).ends(0);
    let said = cloud.run(&["verify"]).ends(1);
    assert!(
        said.err.contains("cluster cluster1 not found in"),
        "{}",
        said.err
    );

    // A cluster that lets nobody in.
    cloud.run(&["up", "--yes", "--through", "cluster"]).ends(0);
    let closed = Rewriting::new(cloud.address(), |path, answer| {
        if path.ends_with("/clusters/cluster1") && answer["endpoint"].is_string() {
            answer["endpoint"] = json!("127.0.0.1:1");
        }
    });
    let user = pointed_at(User::new(), closed.address());
    let said = user.run(&["verify"]).ends(1);
    assert_eq!(said.err.lines().count(), 2, "{}", said.err);
    assert!(
        said.err
            .starts_with("error: cannot reach cluster cluster1: "),
        "{}",
        said.err
    );
    assert!(
        said.err
            .contains("\nhint: the API server answers only authorized networks"),
        "{}",
        said.err
    );
}
