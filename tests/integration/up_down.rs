//! The whole program against a cloud that counts: what `up` makes, what `down` leaves, and what neither touches. Crashes and
//! refusals by Google are elsewhere.

use crate::common::cloud::{Cloud, FIREWALLS, PROJECT, between};
use crate::common::program::says_as_wanted;
use provision::google::{Api, Call};
use serde_json::{Value, json};

const UP: &[&str] = &["up", "--yes"];
const DOWN: &[&str] = &["down", "--yes"];

/// What a clean `up` may send to change something; see `docs/architecture.md` for how it gets by with so little.
const BUDGET: usize = 30;

#[test]
fn up_makes_everything_once_and_down_leaves_nothing_of_it() {
    let cloud = Cloud::new();
    let (said, sent) = cloud.changes(UP);
    said.ends(0);
    // An API that was switched on a moment ago refuses some calls, and nothing comes of those.
    let (taken, refused): (Vec<_>, Vec<_>) = sent.iter().partition(|seen| seen.status < 400);
    println!(
        "a clean up sends {} requests that change something; {} more were refused",
        taken.len(),
        refused.len()
    );
    assert!(
        taken.len() <= BUDGET,
        "{:#?}",
        taken.iter().map(|seen| &seen.path).collect::<Vec<_>>()
    );
    assert!(
        refused.iter().all(|seen| seen.status == 403),
        "{refused:#?}"
    );
    let built = cloud.inventory();

    let (said, sent) = cloud.changes(UP);
    assert!(
        said.ends(0)
            .out
            .split(" in ")
            .next()
            .is_some_and(|said| said.ends_with(" as wanted") && !said.contains(',')),
        "a second up has nothing to do"
    );
    assert_eq!(sent, [], "a second up changes nothing");
    let (said, sent) = cloud.changes(&["plan"]);
    let plan = said.ends(0).out;
    assert!(says_as_wanted(&plan), "{plan}");
    assert_eq!(sent, []);

    let said = cloud.run(DOWN).ends(0);
    assert!(
        said.out.contains(" removed, 1 kept in ") && said.out.lines().count() == 1,
        "{}",
        said.out
    );
    // What `down` leaves on purpose: the project's policy without ours, and what Google gives nobody a way to remove.
    let left: Vec<String> = cloud.inventory().into_keys().collect();
    assert_eq!(
        left,
        [
            "//cloudresourcemanager.googleapis.com/projects/egress-demo/iamPolicy",
            "//gkehub.googleapis.com/projects/egress-demo/locations/global/fleets/default",
            "//iam.googleapis.com/projects/egress-demo/locations/global/workloadIdentityPools/egress-demo.svc.id.goog",
        ]
    );
    let policy = policy(&cloud).to_string();
    assert!(!policy.contains("serviceAccount:sa-"), "{policy}");
    let (said, sent) = cloud.changes(DOWN);
    said.ends(0);
    assert_eq!(sent, [], "a second down changes nothing");

    cloud.run(UP).ends(0);
    assert_eq!(
        between(&cloud.inventory(), &built),
        [""; 0],
        "up, down, up makes what up makes"
    );
}

/// The project's policy as it is.
fn policy(cloud: &Cloud) -> Value {
    let call = Call::post(
        Api::CloudResourceManager,
        format!("v1/projects/{PROJECT}:getIamPolicy"),
    );
    cloud.call(call.json(json!({"options": {"requestedPolicyVersion": 3}})))
}

#[test]
fn chapter_by_chapter_is_the_same_as_at_once() {
    let at_once = Cloud::new();
    at_once.run(UP).ends(0);
    let by_chapter = Cloud::new();
    let steps = by_chapter.run(&["steps", "--output", "json"]).ends(0).out;
    let mut chapters: Vec<String> = steps
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["chapter"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    chapters.dedup();
    assert!(chapters.len() > 5, "{chapters:?}");
    for chapter in &chapters {
        let (said, sent) = by_chapter.changes(&["up", "--yes", "--through", chapter]);
        // What changes inside the cluster is seen below.
        let inside = said.ends(0).out.contains("created");
        assert!(!sent.is_empty() || inside, "{chapter} makes something");
        let plan = by_chapter.run(&["plan", "--through", chapter]).ends(0);
        assert!(plan.out.ends_with(" as wanted\n"), "{}", plan.out);
    }
    assert_eq!(
        between(&by_chapter.inventory(), &at_once.inventory()),
        [""; 0]
    );
    let objects = at_once.objects();
    assert!(objects.len() > 30, "{:?}", objects.keys());
    assert_eq!(between(&by_chapter.objects(), &objects), [""; 0]);

    let versions = at_once.versions();
    at_once.run(UP).ends(0);
    assert_eq!(at_once.versions(), versions, "another up touches no object");
}

#[test]
fn a_member_that_google_marked_as_deleted_stays_as_it_is() {
    let cloud = Cloud::new();
    let accounts = format!("v1/projects/{PROJECT}/serviceAccounts");
    cloud.run(&["up", "--yes", "--through", "project"]).ends(0);
    cloud.call(
        Call::post(Api::Iam, &accounts)
            .json(json!({"accountId": "formerly-here", "serviceAccount": {}})),
    );
    let email = format!("formerly-here@{PROJECT}.iam.gserviceaccount.com");
    let mut policy_before = policy(&cloud);
    let bindings = policy_before["bindings"].as_array_mut().unwrap();
    // A role of ours, so that their member stands in the binding that ours go into.
    bindings.push(
        json!({"role": "roles/logging.logWriter", "members": [format!("serviceAccount:{email}")]}),
    );
    let set = Call::post(
        Api::CloudResourceManager,
        format!("v1/projects/{PROJECT}:setIamPolicy"),
    );
    cloud.call(set.json(json!({ "policy": policy_before })));
    cloud.call(Call::delete(Api::Iam, format!("{accounts}/{email}")));
    let deleted = |cloud: &Cloud| -> Vec<String> {
        let all = policy(cloud)["bindings"].as_array().unwrap().clone();
        let members = all
            .iter()
            .flat_map(|binding| binding["members"].as_array().unwrap().clone());
        let marked = members.filter_map(|member| Some(member.as_str()?.to_owned()));
        marked
            .filter(|member| member.starts_with(&format!("deleted:serviceAccount:{email}?uid=")))
            .collect()
    };
    let marked = deleted(&cloud);
    assert_eq!(marked.len(), 1, "{}", policy(&cloud));

    for verb in [UP, UP, DOWN] {
        cloud.run(verb).ends(0);
        assert_eq!(deleted(&cloud), marked, "{verb:?}");
    }
}

/// Somebody's firewall rule in a network.
fn rule(name: &str, network: &str) -> Call {
    Call::post(Api::Compute, FIREWALLS).json(json!({
        "name": name, "network": format!("projects/{PROJECT}/global/networks/{network}"), "direction": "INGRESS",
        "sourceRanges": ["192.0.2.0/24"], "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
    }))
}

#[test]
fn a_rule_of_our_name_that_somebody_else_made_is_told_and_left_alone() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "project"]).ends(0);
    let networks = format!("projects/{PROJECT}/global/networks");
    let theirs = json!({"name": "theirs", "autoCreateSubnetworks": false});
    cloud.call(Call::post(Api::Compute, networks).json(theirs));
    cloud.call(rule("allow-egress-gcp-apis", "theirs"));
    let before = cloud.there("compute", "");
    let live = || {
        cloud.call(Call::get(
            Api::Compute,
            format!("{FIREWALLS}/allow-egress-gcp-apis"),
        ))
    };
    let rule = live();

    let said = cloud.run(UP).ends(1);
    for words in [
        "compute.firewall allow-egress-gcp-apis already exists and was not created by provision: ",
        "hint: delete or rename the existing resource, or use another project",
        "left: allow-egress-gcp-apis is unchanged",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    // What does not need it was made all the same, what needs it was not.
    assert_eq!(
        cloud
            .there("compute", "/firewalls/allow-egress-to-api-server")
            .len(),
        1
    );
    assert_eq!(cloud.there("container", "/clusters/"), [""; 0]);
    assert_eq!(live(), rule);

    cloud.run(DOWN).ends(0);
    assert_eq!(live(), rule);
    assert_eq!(cloud.there("compute", ""), before);
}

#[test]
fn a_strangers_rule_keeps_our_network_until_it_is_gone() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "nat"]).ends(0);
    cloud.call(rule("their-rule", "vpc-network"));
    let said = cloud.run(DOWN).ends(1);
    assert!(
        said.err.contains("vpc-network") && said.err.contains("their-rule"),
        "{}",
        said.err
    );
    assert!(
        said.out.contains(
            "left:\n  compute.network projects/egress-demo/global/networks/vpc-network\n"
        ),
        "{}",
        said.out
    );
    assert_eq!(cloud.there("compute", "/firewalls/their-rule").len(), 1);
    assert_eq!(
        cloud.there("compute", "/subnetworks/"),
        [""; 0],
        "what nobody else uses is gone"
    );

    cloud.call(Call::delete(
        Api::Compute,
        format!("{FIREWALLS}/their-rule"),
    ));
    cloud.run(DOWN).ends(0);
    assert_eq!(cloud.there("compute", ""), [""; 0]);
}

#[test]
fn what_was_deleted_behind_our_back_is_made_again() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "firewall"]).ends(0);
    let built = cloud.inventory();
    cloud.call(Call::delete(
        Api::Compute,
        format!("{FIREWALLS}/global-deny-egress-all"),
    ));
    assert_eq!(between(&cloud.inventory(), &built).len(), 1);
    let plan = cloud.run(&["plan", "--through", "firewall"]).ends(3);
    assert!(plan.out.contains("global-deny-egress-all"), "{}", plan.out);
    let (said, sent) = cloud.changes(&["up", "--yes", "--through", "firewall"]);
    said.ends(0);
    let sent: Vec<String> = sent
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect();
    assert_eq!(
        sent,
        [format!(
            "POST /compute.googleapis.com/compute/v1/{FIREWALLS}"
        )]
    );
    assert_eq!(between(&cloud.inventory(), &built), [""; 0]);
}

#[test]
fn authorize_adds_a_network_and_takes_none_away() {
    let cloud = Cloud::new();
    let said = cloud.run(&["authorize"]).ends(1);
    assert_eq!(
        said.err,
        "error: cluster: the cluster does not exist yet\nhint: `provision up` creates it, with this machine's address on its allow list\n"
    );
    cloud
        .run(&["up", "--yes", "--authorized-network", "198.51.100.7/32"])
        .ends(0);
    let cluster = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1");
    let listed = || -> Vec<Value> {
        let live = cloud.call(Call::get(Api::Container, &cluster));
        let list =
            &live["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["authorizedNetworksConfig"];
        assert_eq!(list["enabled"], true);
        list["cidrBlocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block["cidrBlock"].clone())
            .collect()
    };
    assert_eq!(listed(), ["198.51.100.7/32"]);
    let (said, sent) = cloud.changes(&["authorize", "--authorized-network", "203.0.113.0/24"]);
    assert!(
        said.ends(0)
            .out
            .ends_with("on the allow list: 203.0.113.0/24\n")
    );
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!(listed(), ["198.51.100.7/32", "203.0.113.0/24"]);
    let (said, sent) = cloud.changes(&["authorize", "--authorized-network", "203.0.113.0/24"]);
    said.ends(0);
    assert_eq!(sent, [], "what is on the list is not sent again");
}

#[test]
fn without_its_journal_up_finds_everything_and_down_touches_nothing() {
    let cloud = Cloud::new();
    cloud.run(UP).ends(0);
    let built = cloud.inventory();
    std::fs::remove_dir_all(cloud.user.home().join(".local")).unwrap();

    let (said, sent) = cloud.changes(UP);
    assert!(!said.ends(0).out.contains("created"));
    assert_eq!(sent, [], "what is as wanted is not made again");
    let (said, sent) = cloud.changes(DOWN);
    assert!(
        said.ends(0)
            .out
            .contains("no resources in this project are recorded as created by provision")
    );
    assert_eq!(sent, [], "what nobody remembers to be ours is not removed");
    assert_eq!(between(&cloud.inventory(), &built), [""; 0]);
}
