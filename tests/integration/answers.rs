//! What an answer of Google's means: who has to act, whether waiting helps, and whether anything was seen at all. The answers are
//! those of `fixtures/errors.json`, given instead of the cloud's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::common::cloud::{Cloud, pointed_at};
use crate::common::middle::request::Asked;
use crate::common::program::{Said, User};
use crate::common::refusing::{Refusing, error};
use crate::common::rewriting::Rewriting;

const ZONE: &str = "/locations/us-central1-a";

/// Runs `up` through a chapter.
fn up(user: &User, chapter: &str) -> Said {
    user.run(&["up", "--yes", "--through", chapter])
}

fn is(asked: &Asked, method: &str, end: &str) -> bool {
    !asked.cluster && asked.method == method && asked.path.ends_with(end)
}

#[test]
fn an_organization_policy_is_named_and_not_tried_again() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    let said = "Constraint constraints/compute.requireVpcFlowLogs violated for project 482019375512. Subnetwork must have VPC Flow Logs enabled.";
    refusing.answers(move |asked| {
        let body = json!({"error": {"code": 412, "message": said, "errors": [
            {"message": said, "domain": "global", "reason": "conditionNotMet", "location": "If-Match", "locationType": "header"}]}});
        is(asked, "POST", "/subnetworks").then_some((412, body))
    });
    let told = up(&refusing.user(), "network").ends(1).err;
    assert_eq!(refusing.count("POST"), 1, "{told}");
    assert!(told.contains(said), "{told}");
    assert!(
        told.contains(
            "hint: the organization policy constraints/compute.requireVpcFlowLogs forbids it"
        ),
        "{told}"
    );
    assert!(told.contains("left: nothing new"), "{told}");
}

#[test]
fn a_quota_is_not_waited_for_as_if_it_were_a_rate() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    refusing.answers(|asked| {
        let retry =
            json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "86401s"}]);
        let message = "Maximum number of service accounts on project reached.";
        is(asked, "POST", "/serviceAccounts")
            .then(|| error(429, "RESOURCE_EXHAUSTED", message, retry))
    });
    let told = up(&refusing.user(), "service-accounts").ends(1).err;
    let accounts = told.matches("Maximum number of service accounts").count();
    assert_eq!(
        refusing.count("POST"),
        accounts,
        "each is tried once: {told}"
    );
    assert!(told.contains("hint: request more quota"), "{told}");
}

#[test]
fn a_member_that_a_policy_forbids_is_named_with_the_constraint() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    refusing.answers(|asked| {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [{
            "type": "constraints/iam.allowedPolicyMemberDomains",
            "subject": "orgpolicy:projects/egress-demo?configvalue=sa-gateway-nodes%40egress-demo.iam.gserviceaccount.com",
            "description": "User sa-gateway-nodes@egress-demo.iam.gserviceaccount.com is not in permitted organization."}]}]);
        let message = "One or more users named in the policy do not belong to a permitted customer.";
        is(asked, "POST", ":setIamPolicy").then(|| error(400, "FAILED_PRECONDITION", message, details))
    });
    let told = up(&refusing.user(), "service-accounts").ends(1).err;
    assert_eq!(refusing.count("POST"), 1, "{told}");
    assert!(
        told.contains("constraints/iam.allowedPolicyMemberDomains: User sa-gateway-nodes@egress-demo.iam.gserviceaccount.com"),
        "{told}"
    );
    assert!(told.contains("(roles/orgpolicy.policyAdmin)"), "{told}");
}

#[test]
fn somebody_elses_account_is_named_and_not_waited_for() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    refusing.answers(|asked| {
        let message =
            "Service account old-job@other-project.iam.gserviceaccount.com does not exist.";
        is(asked, "POST", ":setIamPolicy")
            .then(|| error(400, "INVALID_ARGUMENT", message, Value::Null))
    });
    let told = up(&refusing.user(), "service-accounts").ends(1).err;
    assert_eq!(refusing.count("POST"), 1, "{told}");
    assert!(
        told.contains("hint: no step creates old-job@other-project.iam.gserviceaccount.com"),
        "{told}"
    );
}

/// 403 of an API that is disabled, in the project that the request is charged to.
fn disabled(asked: &Asked, consumer: &str) -> Option<(u16, Value)> {
    let api = asked.api();
    let refused = ["container", "iam", "cloudresourcemanager", "gkehub", "dns"];
    if asked.cluster || !refused.contains(&api) {
        return None;
    }
    let service = format!("{api}.googleapis.com");
    let message = format!("{service} has not been used in project 1 before or it is disabled.");
    let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com", "metadata": {"consumer": consumer, "service": service}}]);
    Some(error(403, "PERMISSION_DENIED", &message, details))
}

#[test]
fn what_nobody_could_look_at_is_not_absent() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    let user = refusing.user();
    up(&user, "cluster").ends(0);
    for (consumer, hint) in [
        (
            "projects/764086051850",
            "gcloud auth application-default set-quota-project",
        ),
        (
            "projects/somebody-elses",
            "gcloud auth application-default set-quota-project",
        ),
        ("projects/egress-demo", "enable the API"),
    ] {
        refusing.answers(move |asked| disabled(asked, consumer));
        let plan = user.run(&["plan", "--through", "cluster"]).ends(1);
        assert!(plan.out.contains(" not seen"), "{consumer}: {}", plan.out);
        assert!(!plan.out.contains("to create"), "{consumer}: {}", plan.out);
        assert!(plan.err.contains(hint), "{consumer}: {}", plan.err);
        let status = user.run(&["status"]).ends(1).out;
        let cluster = status
            .lines()
            .find(|line| line.contains("container.cluster"));
        let cluster = cluster.unwrap_or_else(|| panic!("{status}"));
        assert!(
            cluster.contains("not seen") || cluster.contains("not asked"),
            "{consumer}: {status}"
        );
        for args in [
            &["kubeconfig"][..],
            &["explain", "--live", "--matrix"],
            &["verify"],
            &["authorize"],
        ] {
            let told = user.run(args).ends(1).err;
            assert!(told.contains(hint), "{consumer} {args:?}: {told}");
            assert!(
                !told.contains("does not exist yet"),
                "{consumer} {args:?}: {told}"
            );
        }
    }
    // In a project in which nothing was created, a disabled API has nothing to show.
    let nobody = refusing.user();
    let plan = nobody.run(&["plan", "--through", "cluster"]).ends(3);
    assert!(plan.out.contains("to create"), "{}", plan.out);
    let told = nobody.run(&["kubeconfig"]).ends(1).err;
    assert!(told.contains("does not exist yet"), "{told}");
}

#[test]
fn a_cluster_registered_elsewhere_is_asked_for_once() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    refusing.answers(|asked| {
        let name = "projects/egress-demo/locations/us-central1/operations/operation-held";
        let message = "intend to register the cluster with resource: //gkehub.googleapis.com/projects/egress-demo/locations/us-central1/memberships/cluster1, \
                       but the cluster is already registered with resource: //gkehub.googleapis.com/projects/egress-demo/locations/global/memberships/platform";
        if is(asked, "POST", "/memberships") {
            return Some((200, json!({"name": name, "done": false})));
        }
        let ended = json!({"name": name, "done": true, "error": {"code": 6, "message": message}});
        is(asked, "GET", "/operation-held").then_some((200, ended))
    });
    let told = up(&refusing.user(), "mesh").ends(1).err;
    assert_eq!(refusing.count("POST"), 1, "{told}");
    assert!(
        told.contains("as membership platform in global of project egress-demo"),
        "{told}"
    );
}

#[test]
fn a_cluster_that_was_never_completed_is_made_again_alone() {
    let cloud = Cloud::new();
    let refusing = Refusing::new(&cloud);
    let deleted = Arc::new(AtomicBool::new(false));
    let gone = deleted.clone();
    let begun = AtomicBool::new(false);
    refusing.answers(move |asked| {
        let message = "Try a different location, or try again later: Google Compute Engine does not have enough resources available to fulfill request: us-central1-a.";
        let condition = json!([{"code": "GCE_STOCKOUT", "message": message}]);
        if gone.load(Ordering::SeqCst) {
            return None;
        }
        if is(asked, "POST", &format!("{ZONE}/clusters")) {
            begun.store(true, Ordering::SeqCst);
            return Some((200, json!({"name": "operation-held", "status": "RUNNING"})));
        }
        if !begun.load(Ordering::SeqCst) {
            return None;
        }
        if is(asked, "GET", "/operation-held") {
            let ended = json!({"name": "operation-held", "status": "DONE", "statusMessage": message, "clusterConditions": condition});
            return Some((200, ended));
        }
        if is(asked, "DELETE", "/clusters/cluster1") {
            gone.store(true, Ordering::SeqCst);
            return Some((200, json!({"name": "operation-gone", "status": "DONE"})));
        }
        let dead = json!({"name": "cluster1", "status": "ERROR", "statusMessage": message, "conditions": condition});
        is(asked, "GET", "/clusters/cluster1").then_some((200, dead))
    });
    let user = refusing.user();
    let told = up(&user, "cluster").ends(1).err;
    assert!(
        told.contains("hint: the zone has no free machines"),
        "{told}"
    );
    let made = cloud.there("compute", "/networks/").len();
    assert!(!deleted.load(Ordering::SeqCst));
    let plan = user.run(&["plan", "--through", "cluster"]).ends(3);
    assert!(
        plan.err.contains("deleted and created again"),
        "{}",
        plan.err
    );
    let said = up(&user, "cluster").ends(0);
    assert!(
        said.err.contains("cluster1 was never completed"),
        "{}",
        said.err
    );
    assert!(deleted.load(Ordering::SeqCst));
    assert_eq!(cloud.there("compute", "/networks/").len(), made);
    assert!(!cloud.there("container", "/clusters/cluster1").is_empty());
}

#[test]
fn a_cluster_that_runs_is_used_whatever_google_does_to_it() {
    let cloud = Cloud::new();
    let state = Arc::new(std::sync::Mutex::new(""));
    let shown = state.clone();
    let between = Rewriting::new(cloud.address(), move |path, body| {
        let state = *shown.lock().unwrap();
        if !state.is_empty() && path.ends_with("/clusters/cluster1") && body["name"] == "cluster1" {
            body["status"] = json!(state);
            body["statusMessage"] = json!("The cluster has lost connectivity to its nodes.");
        }
    });
    let user = pointed_at(User::new(), between.address());
    up(&user, "egress-gateway").ends(0);
    *state.lock().unwrap() = "DEGRADED";
    let said = up(&user, "egress-gateway").ends(0);
    assert!(
        said.err
            .contains("DEGRADED: The cluster has lost connectivity to its nodes."),
        "{}",
        said.err
    );
    assert!(!said.err.contains("provision down"), "{}", said.err);
    *state.lock().unwrap() = "RECONCILING";
    let said = up(&user, "egress-gateway").ends(0);
    assert!(said.out.contains("as wanted"), "{}", said.out);
}

#[test]
fn a_cluster_that_google_is_changing_is_changed_afterwards() {
    let cloud = Cloud::new();
    // How many more reads show the cluster in the middle of an upgrade, and whether an update was sent before the last of them.
    let upgrade = Arc::new(std::sync::Mutex::new((0, false)));
    let shown = upgrade.clone();
    let between = Rewriting::new(cloud.address(), move |path, body| {
        let mut upgrade = shown.lock().unwrap();
        if upgrade.0 == 0 || !path.ends_with("/clusters/cluster1") {
            return;
        }
        if body["name"] == "cluster1" {
            body["status"] = json!("RECONCILING");
            upgrade.0 -= 1;
        } else if body["operationType"] == "UPDATE_CLUSTER" {
            upgrade.1 = true;
        }
    });
    let user = pointed_at(User::new(), between.address());
    up(&user, "cluster").ends(0);
    *upgrade.lock().unwrap() = (12, false);
    let args = [
        "up",
        "--yes",
        "--through",
        "cluster",
        "--set",
        "endpoint=dns",
        "--verbose",
    ];
    let said = user.run(&args).ends(0);
    assert_eq!(*upgrade.lock().unwrap(), (0, false), "{}", said.err);
    let told = "cluster1: Google is changing it, and accepts no other change meanwhile";
    assert!(said.err.contains(told), "{}", said.err);
    let plan = user.run(&["plan", "--through", "cluster"]).ends(0);
    assert!(
        crate::common::program::says_as_wanted(&plan.out),
        "{}",
        plan.out
    );
}
