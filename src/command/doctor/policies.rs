//! The policies of an organization that are known to stop a run, as far as they are in force in the project. A policy that the steps
//! satisfy is no finding.

use futures_util::future::join_all;
use serde_json::Value;

use super::inputs::Inputs;
use super::locations;
use super::policy::{Policy, exempt, made};
use super::unread::unread_beyond_steps;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::kinds::Step;
use crate::ui::doctor::Finding;

/// Decides whether a policy stops the steps in a region: what it forbids, and what to do.
type Decide = fn(&Policy, &[Step], &str) -> Option<Finding>;

/// A constraint and who decides. Source: Google's list of organization policy constraints.
const CONSTRAINTS: &[(&str, Decide)] = &[
    (
        "compute.disableInternetNetworkEndpointGroup",
        internet_groups,
    ),
    ("compute.requireShieldedVm", shielded),
    ("compute.requireVpcFlowLogs", flow_logs),
    ("compute.restrictCloudNATUsage", nat),
    ("compute.vmExternalIpAccess", external_addresses),
    (
        "container.managed.disableRBACSystemBindings",
        system_bindings,
    ),
    ("gcp.resourceLocations", locations::decide),
    ("iam.allowedPolicyMemberDomains", domains),
    ("iam.disableServiceAccountCreation", accounts),
    ("storage.uniformBucketLevelAccess", uniform_buckets),
];

/// Reads each policy in each project in which a step creates something.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let region = inputs.param("region").unwrap_or_default();
    let own = &inputs.session.project;
    let of_projects = inputs.projects().into_iter().map(|project| {
        let steps = inputs.of_project(&project);
        (project, steps)
    });
    let of_projects = of_projects
        .filter(|(project, steps)| project == own || steps.iter().any(|one| one.lookup.is_none()));
    let all = of_projects.map(|(project, steps)| {
        let region = region.as_str();
        async move { of_one(inputs, &project, region, &steps).await }
    });
    let mut findings = join_all(all).await.concat();
    // An API that is off, or a permission that is missing, is said once.
    findings.dedup_by(|one, other| one.says == other.says);
    findings
}

/// Reads each policy in a project.
async fn of_one(inputs: &Inputs<'_>, project: &str, region: &str, steps: &[Step]) -> Vec<Finding> {
    let all = CONSTRAINTS.iter().map(|(constraint, decide)| async move {
        let path = format!(
            "v2/projects/{}/policies/{constraint}:getEffectivePolicy",
            segment(project)
        );
        let read = inputs.send(Call::get(Api::OrgPolicy, path)).await;
        (*constraint, *decide, read)
    });
    let read = join_all(all).await;
    verdicts(project, region, steps, read)
}

/// Pure.
fn verdicts(
    project: &str,
    region: &str,
    steps: &[Step],
    read: Vec<(&str, Decide, Result<Value, ApiError>)>,
) -> Vec<Finding> {
    let command = |constraint: &str| {
        format!("gcloud org-policies describe {constraint} --project {project} --effective")
    };
    let (mut findings, mut checked) = (Vec::new(), 0);
    for (constraint, decide, read) in read {
        match read {
            Ok(policy) => {
                checked += 1;
                let found = decide(&Policy::of(&policy), steps, region);
                findings.extend(found.map(|finding| {
                    let says = format!("constraints/{constraint} {}", finding.says);
                    Finding { says, ..finding }.gcloud(command(constraint))
                }));
            }
            // An organization may not have every constraint.
            Err(error) if error.class == Class::NotFound => {}
            // The others would get the same answer.
            Err(error) => {
                let what = "the organization's policies";
                let at = (Api::OrgPolicy, project);
                let finding = unread_beyond_steps(what, &error, "orgpolicy.policy.get", at);
                findings.push(finding.gcloud(command(constraint)));
                return findings;
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::pass(format!(
            "none of {checked} policies of the organization stops the steps in {project}"
        )));
    }
    findings
}

fn internet_groups(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let is_managed = made(steps, "gkehub.membershipFeature").next().is_some();
    let mut objects = made(steps, "kubernetes.object");
    let leaves = objects.any(|step| {
        step.at
            .get("kind")
            .is_some_and(|kind| kind == "ServiceEntry")
    });
    (policy.is_enforced && is_managed && leaves).then(|| {
        Finding::fail(
            "forbids internet endpoint groups, with which a managed mesh reaches the hosts of a ServiceEntry",
            exempt(""),
        )
    })
}

fn shielded(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let mut nodes = made(steps, "container.nodePool");
    let is_secure = |step: &Step| {
        step.want
            .pointer("/config/shieldedInstanceConfig/enableSecureBoot")
            == Some(&true.into())
    };
    (policy.is_enforced && nodes.any(|step| !is_secure(step))).then(|| {
        Finding::warn(
            "demands Shielded VMs: GKE's nodes are Shielded unless a step switches that off, but start without Secure Boot",
            exempt("if GKE refuses the nodes, "),
        )
    })
}

fn flow_logs(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let mut subnets = made(steps, "compute.subnetwork");
    let has_logs = |step: &Step| step.want.pointer("/logConfig/enable") == Some(&true.into());
    (!policy.allowed.is_empty() && subnets.any(|step| !has_logs(step))).then(|| {
        Finding::fail(
            format!("demands flow logs of a subnetwork ({})", policy.allowed.join(", ")),
            exempt("state `logConfig` in a patch of the subnetwork (`--overlay DIR`), use an existing subnetwork (--set subnet=NAME), or "),
        )
    })
}

fn nat(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let has_nat = made(steps, "compute.router").any(|step| step.want.get("nats").is_some());
    match (has_nat, policy.denies_all, policy.allowed.is_empty()) {
        (true, true, _) => Some(Finding::fail(
            "forbids Cloud NAT",
            exempt("use an existing router (--set nat_router=NAME), or "),
        )),
        (true, false, false) => Some(Finding::warn(
            format!("allows Cloud NAT for {} alone", policy.allowed.join(", ")),
            exempt("if the subnetwork of the steps is not among them, "),
        )),
        _ => None,
    }
}

fn external_addresses(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let is_private = |step: &Step| {
        step.want
            .pointer("/privateClusterConfig/enablePrivateNodes")
            == Some(&true.into())
    };
    let is_restricted = policy.denies_all || !policy.allowed.is_empty();
    let mut clusters = made(steps, "container.cluster");
    (is_restricted && clusters.any(|step| !is_private(step))).then(|| {
        Finding::fail(
            "forbids external addresses of machines, and a cluster of the steps has public nodes",
            exempt("state `privateClusterConfig.enablePrivateNodes`, or "),
        )
    })
}

/// What must be off. Source: the fields of `RBACBindingConfig` in the discovery document. Google's text of the constraint is not
/// known here; one field may be enough.
const BINDINGS: [&str; 2] = [
    "enableInsecureBindingSystemAuthenticated",
    "enableInsecureBindingSystemUnauthenticated",
];

fn system_bindings(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let is_off = |step: &Step, field: &str| {
        let path = format!("/rbacBindingConfig/{field}");
        step.want.pointer(&path) == Some(&false.into())
    };
    let accepts = |step: &Step| BINDINGS.iter().any(|field| !is_off(step, field));
    (policy.is_enforced && made(steps, "container.cluster").any(accepts)).then(|| {
        let fields = BINDINGS.map(|field| format!("`{field}: false`"));
        Finding::fail(
            "forbids clusters that accept RBAC bindings to system:authenticated or system:unauthenticated, which is GKE's default",
            exempt(&format!(
                "state {} below `rbacBindingConfig` in a patch of `cluster` (`--overlay DIR`), or ",
                fields.join(" and ")
            )),
        )
    })
}

fn domains(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let has_members = steps
        .iter()
        .any(|step| step.kind.name().ends_with("Members") && step.lookup.is_none());
    let is_restricted = policy.denies_all || !policy.allowed.is_empty();
    (is_restricted && has_members).then(|| {
        Finding::warn(
            "allows only members of some organizations in policies: service accounts of the organization's own projects are among them",
            exempt("if Google refuses a member, "),
        )
    })
}

fn accounts(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let is_new = made(steps, "iam.serviceAccount").next().is_some();
    (policy.is_enforced && is_new)
        .then(|| Finding::fail("forbids new service accounts", exempt("")))
}

fn uniform_buckets(policy: &Policy, steps: &[Step], _: &str) -> Option<Finding> {
    let path = "/iamConfiguration/uniformBucketLevelAccess/enabled";
    let is_uniform = |step: &Step| step.want.pointer(path) == Some(&true.into());
    let mut buckets = made(steps, "storage.bucket");
    (policy.is_enforced && buckets.any(|step| !is_uniform(step))).then(|| {
        Finding::fail(
            "demands uniform access of a bucket",
            exempt("state `iamConfiguration.uniformBucketLevelAccess` in a patch of the bucket (`--overlay DIR`), or "),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::refused;
    use super::*;
    use crate::ui::doctor::Verdict::{self, Fail, Pass, Skip, Warn};

    fn steps() -> Vec<Step> {
        let at = || json!({"project": "p", "kind": "ServiceEntry"});
        let private = json!({"privateClusterConfig": {"enablePrivateNodes": true}});
        vec![
            Step::sample("compute.subnetwork", &at(), json!({})),
            Step::sample("compute.router", &at(), json!({"nats": [{"name": "n"}]})),
            Step::sample("container.cluster", &at(), private),
            Step::sample("container.nodePool", &at(), json!({})),
            Step::sample("gkehub.membershipFeature", &at(), json!({})),
            Step::sample("kubernetes.object", &at(), json!({})),
            Step::sample("iam.serviceAccount", &at(), json!({})),
            Step::sample("iam.projectMembers", &at(), json!({})),
            Step::sample("storage.bucket", &at(), json!({})),
        ]
    }

    fn decided(constraint: &str, rule: Value, steps: &[Step]) -> Vec<Finding> {
        let (name, decide) = CONSTRAINTS
            .iter()
            .find(|(name, _)| *name == constraint)
            .unwrap();
        let policy = json!({"spec": {"rules": [rule]}});
        verdicts(
            "p",
            "us-central1",
            steps,
            vec![(*name, *decide, Ok(policy))],
        )
    }

    #[test]
    fn each_policy_that_stops_the_steps_is_found_and_no_other() {
        let enforce = json!({"enforce": true});
        let values = |allowed: &[&str]| json!({"values": {"allowedValues": allowed}});
        let cases: [(&str, Value, Verdict); 14] = [
            (
                "compute.disableInternetNetworkEndpointGroup",
                enforce.clone(),
                Fail,
            ),
            ("compute.requireShieldedVm", enforce.clone(), Warn),
            ("compute.requireVpcFlowLogs", values(&["ESSENTIAL"]), Fail),
            (
                "compute.restrictCloudNATUsage",
                json!({"denyAll": true}),
                Fail,
            ),
            (
                "compute.restrictCloudNATUsage",
                values(&["under:folders/1"]),
                Warn,
            ),
            // The nodes of the steps are private.
            ("compute.vmExternalIpAccess", json!({"denyAll": true}), Pass),
            (
                "container.managed.disableRBACSystemBindings",
                enforce.clone(),
                Fail,
            ),
            (
                "gcp.resourceLocations",
                values(&["us-central1", "us"]),
                Pass,
            ),
            (
                "gcp.resourceLocations",
                values(&["in:us-central1-locations", "US"]),
                Pass,
            ),
            ("gcp.resourceLocations", values(&["in:eu-locations"]), Warn),
            ("gcp.resourceLocations", values(&["europe-west1"]), Fail),
            ("iam.allowedPolicyMemberDomains", values(&["C0abc"]), Warn),
            ("iam.disableServiceAccountCreation", enforce.clone(), Fail),
            ("storage.uniformBucketLevelAccess", enforce.clone(), Fail),
        ];
        for (constraint, rule, expected) in cases {
            let found = decided(constraint, rule, &steps());
            assert_eq!(found[0].verdict, expected, "{constraint}: {found:?}");
            assert_eq!(found.len(), 1);
        }
        for (constraint, _) in CONSTRAINTS {
            for rule in [json!({"enforce": false}), json!({"allowAll": true})] {
                let found = decided(constraint, rule, &steps());
                assert_eq!(found[0].verdict, Pass, "{constraint}: {found:?}");
            }
            // Of no steps nothing is stopped, but a region is a region.
            if *constraint != "gcp.resourceLocations" {
                let found = decided(constraint, json!({"enforce": true, "denyAll": true}), &[]);
                assert_eq!(found[0].verdict, Pass, "{constraint}: {found:?}");
            }
        }
        let public = [Step::sample(
            "container.cluster",
            &json!({"project": "p"}),
            json!({}),
        )];
        let found = decided(
            "compute.vmExternalIpAccess",
            json!({"denyAll": true}),
            &public,
        );
        assert_eq!(found[0].verdict, Fail);
    }

    #[test]
    fn both_sorts_of_insecure_bindings_must_be_off() {
        let cluster = |want: Value| {
            [Step::sample(
                "container.cluster",
                &json!({"project": "p"}),
                want,
            )]
        };
        let found = |off: &[&str]| {
            let fields: serde_json::Map<String, Value> = off
                .iter()
                .map(|field| ((*field).to_owned(), json!(false)))
                .collect();
            decided(
                "container.managed.disableRBACSystemBindings",
                json!({"enforce": true}),
                &cluster(json!({"rbacBindingConfig": fields})),
            )
        };
        assert_eq!(found(&BINDINGS)[0].verdict, Pass);
        let one = found(&BINDINGS[..1]);
        assert_eq!(one[0].verdict, Fail);
        let advice = one[0].advice.as_deref().unwrap_or_default();
        assert!(BINDINGS.iter().all(|field| advice.contains(field)));
    }

    #[test]
    fn what_may_not_be_read_is_said_once() {
        let read = |class| {
            let rows = CONSTRAINTS.iter();
            let rows = rows.map(|(name, decide)| (*name, *decide, Err(refused(class))));
            verdicts("p", "r", &steps(), rows.collect())
        };
        let denied = read(Class::PermissionDenied);
        assert_eq!((denied.len(), denied[0].verdict), (1, Skip));
        assert_eq!(denied[0].missing, ["orgpolicy.policy.get"]);
        let unknown = read(Class::NotFound);
        assert_eq!((unknown.len(), unknown[0].verdict), (1, Pass));
    }
}
