//! `doctor` and the checks that `up` runs first: nothing is changed, each failure is found alone, and a run that would fail does not
//! begin.

use emulator::RequestRecord;
use serde_json::{Value, json};

use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::{User, below};
use crate::common::rewriting::Rewriting;

/// A change of an answer of the cloud.
pub type Change = fn(&str, &mut Value);

/// What is wrong, alone: a name, the cloud's answer as it is changed, flags, variables, and the check that fails.
pub struct Wrong {
    pub name: &'static str,
    pub change: Change,
    pub flags: &'static [&'static str],
    pub variables: &'static [(&'static str, &'static str)],
    pub check: &'static str,
}

const NOTHING: Wrong = Wrong {
    name: "",
    change: |_, _| {},
    flags: &[],
    variables: &[],
    check: "",
};

/// Sets a quota's limit.
fn limit(body: &mut Value, metric: &str, limit: f64) {
    let quotas = body["quotas"].as_array_mut().into_iter().flatten();
    for quota in quotas.filter(|quota| quota["metric"] == metric) {
        quota["limit"] = limit.into();
    }
}

/// Leaves only the permissions of which something holds.
fn keep_permissions(body: &mut Value, keep: fn(&str) -> bool) {
    if let Some(held) = body["permissions"].as_array_mut() {
        held.retain(|one| keep(one.as_str().unwrap()));
    }
}

/// Gives a policy this one rule.
fn rule(path: &str, body: &mut Value, constraint: &str, rule: Value) {
    if path.ends_with(&format!("/policies/{constraint}:getEffectivePolicy")) {
        body["spec"]["rules"] = json!([rule]);
    }
}

/// Each failure alone.
pub const WRONG: &[Wrong] = &[
    Wrong {
        name: "credentials",
        flags: &[],
        variables: &[
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "false"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere"),
        ],
        check: "credentials",
        ..NOTHING
    },
    Wrong {
        name: "project",
        change: |path, body| {
            if path.ends_with("/v1/projects/egress-demo") {
                body["lifecycleState"] = json!("DELETE_REQUESTED");
            }
        },
        check: "project",
        ..NOTHING
    },
    Wrong {
        name: "billing",
        change: |path, body| {
            if path.ends_with("/billingInfo") {
                body["billingEnabled"] = json!(false);
            }
        },
        check: "billing",
        ..NOTHING
    },
    Wrong {
        name: "network-admin",
        change: |path, body| {
            if path.ends_with(":testIamPermissions") {
                keep_permissions(body, |one| {
                    let is_read = one.ends_with(".get") || one.ends_with(".list");
                    let beyond = ["compute.firewalls.", "compute.networkEndpointGroups."];
                    is_read || !beyond.iter().any(|beginning| one.starts_with(beginning))
                });
            }
        },
        check: "permissions",
        ..NOTHING
    },
    Wrong {
        name: "viewer",
        change: |path, body| {
            if path.ends_with(":testIamPermissions") {
                keep_permissions(body, |one| one.ends_with(".get") || one.ends_with(".list"));
            }
        },
        check: "permissions",
        ..NOTHING
    },
    Wrong {
        name: "quota-region",
        change: |path, body| {
            if path.ends_with("/regions/us-central1") {
                limit(body, "CPUS", 8.0);
            }
        },
        check: "quota",
        ..NOTHING
    },
    Wrong {
        name: "quota-project",
        change: |path, body| {
            if path.ends_with("/compute/v1/projects/egress-demo") {
                limit(body, "NETWORKS", 0.0);
            }
        },
        check: "quota",
        ..NOTHING
    },
    Wrong {
        name: "machine-type",
        flags: &["--set", "machine_type=e2-standard-5"],
        check: "machines",
        ..NOTHING
    },
    Wrong {
        name: "zone",
        change: |path, body| {
            if path.ends_with("/zones/us-central1-a") {
                body["status"] = json!("DOWN");
            }
        },
        check: "machines",
        ..NOTHING
    },
    Wrong {
        name: "ranges",
        change: |path, body| {
            if path.ends_with("/global/routes") {
                body["items"] = json!([{"name": "peering-route-1", "destRange": "10.1.0.0/20", "nextHopPeering": "to-the-office",
                    "network": "https://www.googleapis.com/compute/v1/projects/egress-demo/global/networks/vpc-network"}]);
            }
        },
        check: "ranges",
        ..NOTHING
    },
    Wrong {
        name: "bindings",
        change: |path, body| {
            rule(
                path,
                body,
                "container.managed.disableRBACSystemBindings",
                json!({"enforce": true}),
            )
        },
        check: "policies",
        ..NOTHING
    },
    Wrong {
        name: "locations",
        change: |path, body| {
            let allowed = json!({"values": {"allowedValues": ["europe-west1"]}});
            rule(path, body, "gcp.resourceLocations", allowed)
        },
        check: "policies",
        ..NOTHING
    },
];

/// What a project of Google's answers in which these two APIs are off, as they are in a new project. No step enables them.
pub const WITHOUT_APIS: Wrong = Wrong {
    name: "without-apis",
    change: |path, body| {
        for (end, service, title) in [
            (
                "/billingInfo",
                "cloudbilling.googleapis.com",
                "Cloud Billing API",
            ),
            (
                ":getEffectivePolicy",
                "orgpolicy.googleapis.com",
                "Organization Policy API",
            ),
        ] {
            if path.ends_with(end) {
                *body = off(service, title);
            }
        }
    },
    ..NOTHING
};

/// Google's refusal of a request to an API that is off.
fn off(service: &str, title: &str) -> Value {
    let message = format!(
        "{title} has not been used in project egress-demo before or it is disabled. Enable it by visiting https://x then retry."
    );
    json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
            "metadata": {"consumer": "projects/egress-demo", "service": service}}]}})
}

impl Wrong {
    /// A user who meets it, and what stands between them and the cloud.
    pub fn user(&self, cloud: &Cloud) -> (User, Rewriting) {
        let rewriting = Rewriting::new(cloud.address(), self.change);
        let mut user = pointed_at(User::new(), rewriting.address()).with("PAGER", "cat");
        for (name, value) in self.variables {
            user = user.with(name, *value);
        }
        (user, rewriting)
    }

    /// The command that finds it.
    pub fn args(&self) -> Vec<&'static str> {
        [&["doctor"], self.flags].concat()
    }
}

/// A cloud in which the APIs are on, so that everything can be read.
pub fn with_apis() -> Cloud {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "project"]).ends(0);
    cloud
}

/// The events of a run, by check.
fn events(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn offline_everything_passes_or_is_not_asked_and_nothing_is_changed() {
    let user = User::new();
    let said = user.run(&["doctor", "--emulate"]).ends(0);
    assert!(
        !said.out.contains("FAIL") && !said.out.contains("WARN"),
        "{}",
        said.out
    );
    for check in [
        "credentials",
        "project",
        "billing",
        "permissions",
        "apis",
        "policies",
    ] {
        assert!(
            said.out.contains(&format!("PASS  {check}: ")),
            "{}",
            said.out
        );
    }
    let left = below(user.home());
    assert!(left.iter().all(|path| path.is_dir()), "{left:?}");
}

#[test]
fn each_failure_is_found_alone() {
    let cloud = with_apis();
    for wrong in WRONG {
        let (user, _rewriting) = wrong.user(&cloud);
        let args = [&wrong.args()[..], &["--output", "json"]].concat();
        let said = user.run(&args).ends(1);
        let failed: Vec<Value> = events(&said.out)
            .into_iter()
            .filter(|event| event["verdict"] == "FAIL")
            .collect();
        assert_eq!(failed.len(), 1, "{}: {}", wrong.name, said.out);
        assert_eq!(failed[0]["check"], wrong.check, "{}", wrong.name);
        assert!(failed[0]["do"].is_string(), "{}", failed[0]);
    }
}

#[test]
fn an_api_that_no_step_enables_is_named_with_the_command() {
    let cloud = with_apis();
    let (user, _rewriting) = WITHOUT_APIS.user(&cloud);
    let said = user.run(&["doctor", "--output", "json"]).ends(0);
    for (check, service) in [("billing", "cloudbilling"), ("policies", "orgpolicy")] {
        let events = events(&said.out);
        let found = events.iter().find(|event| event["check"] == check).unwrap();
        assert_eq!(found["verdict"], "SKIP", "{found}");
        let command =
            format!("`gcloud services enable {service}.googleapis.com --project egress-demo`");
        assert!(found["do"].as_str().unwrap().contains(&command), "{found}");
    }
}

#[test]
fn credentials_that_google_refuses_end_with_a_failure() {
    let cloud = with_apis();
    let rewriting = Rewriting::new(cloud.address(), |path, body| {
        if !path.contains("/emulator") {
            let message = "Request had invalid authentication credentials.";
            *body =
                json!({"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}});
        }
    });
    let user = pointed_at(User::new(), rewriting.address());
    let said = user.run(&["doctor", "--output", "json"]).ends(1);
    let failed: Vec<Value> = events(&said.out)
        .into_iter()
        .filter(|event| event["verdict"] == "FAIL")
        .collect();
    assert_eq!(failed.len(), 1, "{}", said.out);
    assert_eq!(failed[0]["check"], "project");
    let says = failed[0]["says"].as_str().unwrap();
    assert!(
        says.contains("invalid authentication credentials"),
        "{says}"
    );
    let advice = failed[0]["do"].as_str().unwrap();
    assert!(advice.contains("application-default login"), "{advice}");
}

#[test]
fn a_doctor_changes_nothing_and_sees_what_a_run_left() {
    let cloud = with_apis();
    let (said, sent) = cloud.changes(&["doctor"]);
    let said = said.ends(0);
    assert!(sent.is_empty(), "{sent:#?}");
    assert!(said.out.contains("PASS  leftovers: "), "{}", said.out);
    cloud.run(&["up", "--yes", "--through", "network"]).ends(0);
    // Another machine, without the journal.
    let other = pointed_at(User::new(), cloud.address());
    let said = other.run(&["doctor"]).ends(0);
    let left = "WARN  leftovers: 2 resources have the names of the steps and are not in the journal: vpc-network, subnet-gke";
    assert!(said.out.contains(left), "{}", said.out);
    // With the journal the same is no finding, and its ranges are taken by itself.
    let said = cloud.run(&["doctor"]).ends(0);
    assert!(said.out.contains("PASS  leftovers: "), "{}", said.out);
    assert!(said.out.contains("PASS  ranges: "), "{}", said.out);
}

#[test]
fn a_run_that_would_fail_does_not_begin() {
    let cloud = Cloud::new();
    let billing = WRONG.iter().find(|wrong| wrong.name == "billing").unwrap();
    let (user, _rewriting) = billing.user(&cloud);
    let before = cloud.seen().len();
    let said = user.run(&["up", "--yes", "--through", "project"]).ends(1);
    let told = "error: billing: no open billing account pays for egress-demo\nhint: link one with";
    assert!(said.err.starts_with(told), "{}", said.err);
    let is_quick = |seen: &RequestRecord| {
        [
            "/emulator",
            "/billingInfo",
            "/projects/egress-demo",
            ":testIamPermissions",
        ]
        .iter()
        .any(|end| seen.path.ends_with(end))
    };
    let seen: Vec<RequestRecord> = cloud.seen().into_iter().skip(before).collect();
    assert!(seen.iter().all(is_quick), "{seen:#?}");
    // Who knows better goes on.
    let args = ["up", "--yes", "--keep-going", "--through", "project"];
    let said = user.run(&args).ends(0);
    assert!(
        said.err.contains("warning: billing: no open"),
        "{}",
        said.err
    );
}
