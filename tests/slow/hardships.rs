//! What Google's services do on an ordinary day and a script does not expect: accounts that come and go from view, APIs that are
//! on and refuse, policies and clusters that somebody else changes meanwhile, things that are not empty, answers that got lost.
//! Each is made to happen, is seen to have happened, and is survived without a fixed pause.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::cloud::{Cloud, PROJECT, between, pointed_at};
use crate::common::faulty::Faulty;
use crate::common::faulty::fault::Fault;
use crate::common::faulty::plan::Plan;
use crate::common::faulty::truth::{doubles, orphans};
use crate::common::program::User;
use provision::google::{Api, Call};
use serde_json::{Value, json};

const UP: &[&str] = &["up", "--yes", "--through", "cluster"];
const DOWN: &[&str] = &["down", "--yes"];

fn policy_call(verb: &str, body: Value) -> Call {
    Call::post(
        Api::CloudResourceManager,
        format!("v1/projects/{PROJECT}:{verb}"),
    )
    .json(body)
}

fn policy(cloud: &Cloud) -> Value {
    cloud.call(policy_call(
        "getIamPolicy",
        json!({"options": {"requestedPolicyVersion": 3}}),
    ))
}

/// How often a cloud answered so.
fn answered(cloud: &Cloud, method: &str, words: &str, status: u16) -> usize {
    let fits = |seen: &&emulator::RequestRecord| {
        seen.method == method && seen.path.contains(words) && seen.status == status
    };
    cloud.seen().iter().filter(fits).count()
}

#[test]
fn accounts_that_flicker_and_apis_that_are_on_and_refuse() {
    let cloud = Cloud::new();
    cloud.run(UP).ends(0);
    // A read after it was made that does not find it.
    let account = "/serviceAccounts/sa-gateway-nodes@";
    let seen = cloud.seen();
    let made = seen.iter().position(|seen| {
        seen.method == "POST" && seen.body["accountId"] == "sa-gateway-nodes" && seen.status == 200
    });
    let missed = seen
        .iter()
        .skip(made.unwrap())
        .filter(|seen| seen.method == "GET" && seen.path.contains(account) && seen.status == 404);
    assert!(missed.count() > 0);
    // Whichever was asked first refused: each a moment after it was switched on.
    let refused = seen.iter().filter(|seen| seen.status == 403);
    assert!(refused.count() > 0);
    assert_eq!(doubles(&cloud), [""; 0]);
}

#[test]
fn refusals_that_time_mends_are_waited_out() {
    let binding = "POST iam v1/projects/*/serviceAccounts/*:setIamPolicy";
    let policy = "POST cloudresourcemanager v1/projects/*:setIamPolicy";
    let bucket = "PUT storage storage/v1/b/*/iam";
    let cluster = "POST container v1/projects/*/locations/*/clusters";
    let operation = "GET container v1/projects/*/locations/*/operations/*";
    let network = "POST compute compute/v1/projects/*/global/networks";
    let account = "GET iam v1/projects/*/serviceAccounts/*";
    // What befalls requests of this kind, and which of them. The chapters up to the cluster, and all of them.
    let (most, all) = ("cluster", "direct-access");
    let cases = [
        (binding, Fault::MemberTooEarly, 0, 4, all),
        (binding, Fault::PoolTooEarly, 0, 4, all),
        (policy, Fault::MemberTooEarly, 0, 4, most),
        (policy, Fault::Conflict, 0, 4, most),
        (bucket, Fault::MemberTooEarly, 0, 4, all),
        (network, Fault::ApiDisabled, 0, 6, most),
        (network, Fault::Conflict, 0, 3, most),
        (cluster, Fault::NotJson, 0, 4, most),
        (cluster, Fault::Conflict, 0, 3, most),
        (operation, Fault::ApiDisabled, 0, 3, most),
        // Found, not found, found again.
        (account, Fault::Unseen, 7, 3, most),
    ];
    let next = AtomicUsize::new(0);
    let each = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (kind, fault, nth, times, chapter) = *case;
            let cloud = Cloud::new();
            let faulty = Faulty::new(cloud.address());
            let user = pointed_at(User::new(), faulty.address());
            faulty.plans(Plan::at(kind, nth, times, fault));
            user.run(&["up", "--yes", "--through", chapter]).ends(0);
            assert_eq!(faulty.hits().len(), times, "{fault:?} {kind}");
            assert_eq!(doubles(&cloud), [""; 0], "{fault:?} {kind}");
            user.run(DOWN).ends(0);
            assert_eq!(cloud.there("compute", ""), [""; 0], "{fault:?} {kind}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(each);
        }
    });
}

#[test]
fn what_a_lost_answer_made_is_ours_and_made_once() {
    let kinds = [
        "POST iam v1/projects/*/serviceAccounts",
        "POST dns dns/v1/projects/*/managedZones",
        "POST dns dns/v1/projects/*/managedZones/*/changes",
        "POST container v1/projects/*/locations/*/clusters",
        "POST compute compute/v1/projects/*/global/networks",
        "POST cloudresourcemanager v1/projects/*:setIamPolicy",
    ];
    for fault in [Fault::AnswerLost, Fault::CutOff] {
        let cloud = Cloud::new();
        for verb in [UP, DOWN] {
            cloud.run(verb).ends(0);
        }
        let empty = cloud.inventory();
        for kind in kinds {
            let faulty = Faulty::new(cloud.address());
            let user = pointed_at(User::new(), faulty.address());
            faulty.plans(Plan::at(kind, 0, 1, fault));
            user.run(UP).ends(0);
            assert_eq!(faulty.hits().len(), 1, "{fault:?} {kind}");
            assert_eq!(orphans(&cloud, &user, &empty), [""; 0], "{fault:?} {kind}");
            faulty.plans(Plan::Calm);
            user.run(DOWN).ends(0);
            let left = cloud.there("compute", "");
            assert_eq!(left, [""; 0], "{fault:?} {kind}");
        }
        // Those that take no request id said that it already existed.
        assert!(answered(&cloud, "POST", "/serviceAccounts", 409) > 0);
        assert!(answered(&cloud, "POST", "/clusters", 409) > 0);
    }
}

#[test]
fn a_policy_with_another_writer_keeps_what_both_wrote() {
    let cloud = Cloud::new();
    let (over, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let theirs = |n: usize| format!("user:other-{n}@example.com");
    let conflicts = || answered(&cloud, "POST", ":setIamPolicy", 409);
    cloud.run(&["up", "--yes", "--through", "project"]).ends(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // What loses against another write is thrown away whole, and read again.
            while !over.load(Ordering::Relaxed) {
                let mut changed = policy(&cloud);
                let number = written.load(Ordering::Relaxed);
                let bindings = changed["bindings"].as_array_mut().unwrap();
                bindings.push(json!({"role": "roles/viewer", "members": [theirs(number)]}));
                if cloud.try_call(policy_call("setIamPolicy", json!({"policy": changed}))) {
                    written.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for verb in [UP, DOWN, UP] {
            cloud.run(verb).ends(0);
        }
        over.store(true, Ordering::Relaxed);
    });
    let (after, written) = (policy(&cloud).to_string(), written.into_inner());
    println!(
        "{written} writes of another, {} lost against one",
        conflicts()
    );
    assert!(written > 0);
    for number in 0..written {
        assert!(after.contains(&theirs(number)), "{number} of {written}");
    }
    assert!(
        after.contains("serviceAccount:sa-gateway-nodes@"),
        "{after}"
    );
}

#[test]
fn a_cluster_that_somebody_else_changes_is_waited_for() {
    let cloud = Cloud::new();
    let faulty = Faulty::new(cloud.address());
    let user = pointed_at(User::new(), faulty.address());
    user.run(UP).ends(0);
    let cluster = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1");
    let body = json!({"update": {"desiredLoggingService": "none"}});
    // Nobody asks how far it is: it ends when its time has come, and until then nothing else may begin.
    cloud.call(Call::put(Api::Container, cluster).json(body));
    let delete = "DELETE container v1/projects/*/locations/*/clusters/*";
    faulty.plans(Plan::at(delete, 0, 4, Fault::Busy));
    user.run(DOWN).ends(0);
    assert_eq!(faulty.hits().len(), 4);
    assert_eq!(cloud.there("container", ""), [""; 0]);
}

#[test]
fn a_zone_with_somebody_elses_record_is_told_and_left() {
    let cloud = Cloud::new();
    cloud
        .run(&["up", "--yes", "--through", "google-apis"])
        .ends(0);
    let zone = format!("projects/{PROJECT}/managedZones/private-gcr-io");
    let record =
        json!([{"name": "theirs.gcr.io.", "type": "A", "ttl": 300, "rrdatas": ["192.0.2.1"]}]);
    let change =
        |body: Value| cloud.call(Call::post(Api::Dns, format!("{zone}/changes")).json(body));
    change(json!({ "additions": record }));
    let said = cloud.run(DOWN).ends(1);
    for words in [
        "error: private-gcr-io: delete dns.managedZone private-gcr-io: ",
        "hint: delete its contents, then run the same command again",
        "left: private-gcr-io still exists",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    assert_eq!(cloud.there("dns", "/rrsets/theirs.gcr.io./A").len(), 1);
    assert_eq!(cloud.there("dns", "/managedZones/private-pkg-dev"), [""; 0]);

    let before = cloud.inventory();
    change(json!({ "deletions": record }));
    cloud.run(DOWN).ends(0);
    assert_eq!(
        cloud.there("dns", ""),
        [""; 0],
        "{:?}",
        between(&before, &cloud.inventory())
    );
}
