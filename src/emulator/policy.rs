//! IAM policies: read, and replaced as a whole under an etag.
//!
//! Policies grant and deny nothing here: every caller may do everything. Which roles exist is a list, see [`super::roles`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use super::answer::ErrorResponse;
use super::bindings;
use super::etag;
use super::members::{self, Standing};
use super::names;
use super::roles;
use super::world::{Project, World};

/// What a policy is attached to.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The key of the policy in the state.
    key: String,
    /// The bindings of a policy that has not been set yet.
    seed: Vec<(String, Vec<String>)>,
    /// What it is, which decides about the roles and members that can be bound.
    of: Of,
}

/// What a policy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Project,
    Subnetwork,
    Account,
}

impl Resource {
    /// A project: its policy has members from the start, among them Google's own service agents and an
    /// account that was deleted.
    pub fn project(project: &Project) -> Resource {
        Resource {
            key: names::key(
                "cloudresourcemanager",
                &format!("projects/{}/iamPolicy", project.id),
            ),
            seed: seed(project),
            of: Of::Project,
        }
    }

    /// A subnetwork, by its path.
    pub fn subnetwork(path: &str) -> Resource {
        Resource {
            // Beside the subnetworks and not below them, where lists would find it.
            key: names::key("iam", &format!("subnetworkPolicies/{path}")),
            seed: Vec::new(),
            of: Of::Subnetwork,
        }
    }

    /// A service account, by its full name `projects/p/serviceAccounts/e`.
    pub fn account(name: &str) -> Resource {
        Resource {
            key: names::key("iam", &format!("{name}/iamPolicy")),
            seed: Vec::new(),
            of: Of::Account,
        }
    }

    /// The id of the project that it is in.
    fn owner(&self) -> &str {
        names::segment(&self.key, "projects").unwrap_or_default()
    }

    /// The key under which the policy is stored once it has been set.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The bindings of a project of some age: one user, Google's agents, and a deleted account.
fn seed(project: &Project) -> Vec<(String, Vec<String>)> {
    let number = project.number;
    let agent =
        |domain: &str| format!("serviceAccount:service-{number}@{domain}.iam.gserviceaccount.com");
    let deleted = format!(
        "deleted:serviceAccount:terraform@{}.iam.gserviceaccount.com?uid=10{number}4711001",
        project.id
    );
    let rows: [(&str, Vec<String>); 8] = [
        (
            "roles/anthosservicemesh.serviceAgent",
            vec![agent("gcp-sa-servicemesh")],
        ),
        ("roles/compute.serviceAgent", vec![agent("compute-system")]),
        (
            "roles/container.defaultNodeServiceAgent",
            vec![agent("gcp-sa-gkenode")],
        ),
        (
            "roles/container.serviceAgent",
            vec![agent("container-engine-robot")],
        ),
        (
            "roles/editor",
            vec![
                format!("serviceAccount:{number}-compute@developer.gserviceaccount.com"),
                format!("serviceAccount:{number}@cloudservices.gserviceaccount.com"),
            ],
        ),
        ("roles/gkehub.serviceAgent", vec![agent("gcp-sa-gkehub")]),
        ("roles/owner", vec!["user:owner@example.com".to_owned()]),
        ("roles/storage.objectViewer", vec![deleted]),
    ];
    rows.into_iter()
        .map(|(role, members)| (role.to_owned(), members))
        .collect()
}

/// Whether the policy grants a role to a member without a condition.
pub fn grants(world: &World, resource: &Resource, role: &str, member: &str) -> bool {
    let policy = stored(world, resource);
    let mut bindings = policy["bindings"].as_array().into_iter().flatten();
    bindings.any(|binding| {
        let mut members = binding["members"].as_array().into_iter().flatten();
        binding["role"] == role
            && binding.get("condition").is_none()
            && members.any(|one| *one == member)
    })
}

/// The policy. Below version 3 a caller sees conditional bindings only as roles with another name.
///
/// # Errors
/// 400 for a version that does not exist.
pub fn get(world: &World, resource: &Resource, version: i64) -> Result<Value, ErrorResponse> {
    if ![0, 1, 3].contains(&version) {
        return Err(ErrorResponse::bad_request(
            "Request contains an invalid argument.",
        ));
    }
    let mut policy = stored(world, resource);
    if version < 3 {
        for binding in policy["bindings"].as_array_mut().into_iter().flatten() {
            bindings::hide_condition(binding);
        }
        policy["version"] = json!(1);
    }
    // A policy without bindings has neither those nor a version.
    if policy["bindings"].as_array().is_none_or(Vec::is_empty) {
        return Ok(json!({"etag": policy["etag"]}));
    }
    Ok(policy)
}

/// Replaces the policy by `body.policy`.
///
/// # Errors
/// 409 for a stale etag; 400 for a member that does not exist, and then nothing of it is set.
pub fn set(world: &mut World, resource: &Resource, body: &Value) -> Result<Value, ErrorResponse> {
    let sent = &body["policy"];
    let before = stored(world, resource);
    if let Some(sent) = sent["etag"].as_str().filter(|etag| !etag.is_empty())
        && !etag::same(sent, before["etag"].as_str().unwrap_or_default())
    {
        return Err(ErrorResponse::aborted(
            "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
        ));
    }
    let version = sent["version"].as_i64().unwrap_or(0);
    let mut sent_bindings = Vec::new();
    for binding in sent["bindings"].as_array().into_iter().flatten() {
        check_role(world, resource, binding)?;
        check_public(resource, binding)?;
        if binding.get("condition").is_some() && version != 3 {
            return Err(ErrorResponse::bad_request(
                "Conditional policy bindings need a policy of version 3.",
            ));
        }
        sent_bindings.push(binding.clone());
    }
    check_members(world, resource.owner(), &sent["bindings"])?;
    let mut policy = json!({
        "version": if sent_bindings.iter().any(|one| one.get("condition").is_some()) { 3 } else { 1 },
        "etag": fresh_etag(world),
        "bindings": bindings::normal(sent_bindings),
    });
    // Without a mask that names it, the audit configuration stays as it is.
    let masked = body["updateMask"]
        .as_str()
        .is_some_and(|mask| mask.contains("auditConfigs"));
    let audit = if masked { sent } else { &before };
    if let Some(audit) = audit.get("auditConfigs") {
        policy["auditConfigs"] = audit.clone();
    }
    world.put(resource.key.clone(), policy);
    get(world, resource, 3)
}

/// Which of the requested permissions the caller has: all of them.
///
/// # Errors
/// 400 for a wildcard.
pub fn test(body: &Value) -> Result<Value, ErrorResponse> {
    let asked = body["permissions"].as_array().cloned().unwrap_or_default();
    if asked
        .iter()
        .filter_map(Value::as_str)
        .any(|one| one.contains('*'))
    {
        return Err(ErrorResponse::bad_request(
            "Permissions with wildcards are not allowed.",
        ));
    }
    Ok(if asked.is_empty() {
        json!({})
    } else {
        json!({"permissions": asked})
    })
}

/// Refuses a list of bindings with an invalid member; the policy is of `project` or something in it.
///
/// # Errors
/// 400; the whole list is refused.
pub fn check_members(world: &World, project: &str, bindings: &Value) -> Result<(), ErrorResponse> {
    let members: Vec<String> = bindings
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|binding| binding["members"].as_array().into_iter().flatten())
        .filter_map(|member| member.as_str().map(str::to_owned))
        .collect();
    for member in members {
        match members::standing(world, project, &member) {
            Standing::Fine => {}
            Standing::NoAccount(email) => {
                let message = format!("Service account {email} does not exist.");
                return Err(ErrorResponse::bad_request(message));
            }
            Standing::NoPool(pool) => {
                let message = format!(
                    "Identity Pool does not exist ({pool}). Please check that you specified a valid resource name as returned \
                     in the `name` attribute in the configuration API."
                );
                return Err(ErrorResponse::bad_request(message));
            }
            Standing::NoType => {
                let message = format!(
                    "The member {member} is of an unknown type. Please set a valid type prefix for the member."
                );
                return Err(ErrorResponse::bad_request(message));
            }
        }
    }
    Ok(())
}

/// Renames an account that is being deleted in all policies, as Google does: `deleted:serviceAccount:…?uid=…`.
pub fn bury(world: &mut World, email: &str, unique_id: &str) {
    let alive = json!(format!("serviceAccount:{email}"));
    let dead = json!(format!("deleted:serviceAccount:{email}?uid={unique_id}"));
    let holders: Vec<String> = world
        .inventory()
        .into_iter()
        .filter(|(_, value)| value["bindings"].is_array())
        .map(|(key, _)| key)
        .collect();
    for key in holders {
        let etag = fresh_etag(world);
        let Some(policy) = world.edit(&key) else {
            continue;
        };
        let mut changed = false;
        for member in policy["bindings"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .flat_map(|binding| binding["members"].as_array_mut().into_iter().flatten())
        {
            if *member == alive {
                *member = dead.clone();
                changed = true;
            }
        }
        // A client that read the policy before would write the old name back.
        if changed && key.contains("/iamPolicy") {
            policy["etag"] = json!(etag);
        }
    }
}

fn stored(world: &World, resource: &Resource) -> Value {
    if let Some(policy) = world.get(&resource.key) {
        return policy.clone();
    }
    let bindings: Vec<Value> = resource
        .seed
        .iter()
        .map(|(role, members)| json!({"role": role, "members": members}))
        .collect();
    // ACAB is the etag of an empty policy that was never set.
    let etag = if bindings.is_empty() {
        "ACAB".to_owned()
    } else {
        serial_etag(names::hash(&resource.key), 0)
    };
    json!({"version": 1, "etag": etag, "bindings": bindings})
}

/// A role must exist, and be one of those that can be bound on such a resource. Both texts are as users quote them
/// (stackdriver-metrics-export, issue 7: a role that does not exist; alphagov/govuk-infrastructure, pull request 3662: one that exists
/// and is about something else; terraform-provider-google, pull request 6923: no role at all).
fn check_role(world: &World, resource: &Resource, binding: &Value) -> Result<(), ErrorResponse> {
    let role = binding["role"].as_str().unwrap_or_default();
    let named = ["roles/", "projects/", "organizations/"]
        .iter()
        .any(|prefix| role.starts_with(prefix));
    if !named {
        return Err(ErrorResponse::bad_request(format!(
            "Role ({role}) does not exist in the resource's hierarchy."
        )));
    }
    let fits = match resource.of {
        Of::Project => roles::grantable_on_project(role),
        Of::Subnetwork => roles::exists(role),
        Of::Account => roles::grantable_on_account(role),
    };
    // What is bound already may stay: a client writes back what it has read.
    if !fits && !is_bound(world, resource, role) {
        let refusal =
            ErrorResponse::bad_request(format!("Role {role} is not supported for this resource."));
        return Err(roles::refused(role, refusal));
    }
    Ok(())
}

fn is_bound(world: &World, resource: &Resource, role: &str) -> bool {
    let before = stored(world, resource);
    let mut bindings = before["bindings"].as_array().into_iter().flatten();
    bindings.any(|binding| binding["role"] == role)
}

/// Neither a project nor an account can be opened to everybody. Source for projects: the reference of setIamPolicy; the message is as
/// users quote it, with a detail of the kind that gcloud prints (terraform-provider-google, pull request 859 and issue 4276). The type in
/// the detail is ours. Whether IAM refuses it for accounts is not documented, and its words are not known: the detail is Resource
/// Manager's, so it is left out there.
fn check_public(resource: &Resource, binding: &Value) -> Result<(), ErrorResponse> {
    let mut members = binding["members"].as_array().into_iter().flatten();
    let public = members.find(|one| {
        ["allUsers", "allAuthenticatedUsers"]
            .iter()
            .any(|all| *one == all)
    });
    let Some(member) = public else {
        return Ok(());
    };
    let refusal = ErrorResponse::bad_request("Request contains an invalid argument.");
    match resource.of {
        Of::Subnetwork => Ok(()),
        Of::Account => Err(refusal),
        Of::Project => Err(refusal.with_detail(json!({
            "@type": "type.googleapis.com/google.cloudresourcemanager.v1.ProjectIamPolicyError",
            "member": member,
            "role": binding["role"],
            "type": "MEMBER_NOT_SUPPORTED",
        }))),
    }
}

/// An etag that no policy has had yet.
fn fresh_etag(world: &mut World) -> String {
    let serial = world.count("policy");
    serial_etag(names::hash(&serial.to_string()), serial)
}

/// Eight bytes in the URL-safe alphabet, as IAM prints its etags.
fn serial_etag(noise: u64, serial: u64) -> String {
    let (noise, low) = (noise.to_be_bytes(), serial.to_be_bytes());
    URL_SAFE.encode([7, 6, noise[0], noise[1], noise[2], low[5], low[6], low[7]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pace;
    use crate::clock::Clock;

    #[test]
    fn audit_configuration_survives_a_write_that_does_not_name_it() {
        let mut world = World::new(Clock::At(0), Pace::Zero);
        let project = world.project("demo-proj").unwrap();
        let resource = Resource::project(&project);
        let audit = json!([{"service": "allServices"}]);
        let body = |mask: &str| {
            let policy = json!({"bindings": [{"role": "roles/owner", "members": ["user:a@b"]}], "auditConfigs": audit});
            json!({"policy": policy, "updateMask": mask})
        };
        assert!(
            set(&mut world, &resource, &body("bindings"))
                .unwrap()
                .get("auditConfigs")
                .is_none()
        );
        let set_it = set(&mut world, &resource, &body("bindings,auditConfigs")).unwrap();
        assert_eq!(set_it["auditConfigs"], audit);
        let again = json!({"policy": {"bindings": set_it["bindings"]}});
        assert_eq!(
            set(&mut world, &resource, &again).unwrap()["auditConfigs"],
            audit
        );
    }

    #[test]
    fn only_resource_manager_explains_with_its_own_detail() {
        let mut world = World::new(Clock::At(0), Pace::Zero);
        let project = world.project("demo-proj").unwrap();
        let body =
            |role: &str| json!({"policy": {"bindings": [{"role": role, "members": ["allUsers"]}]}});
        let account = "projects/demo-proj/serviceAccounts/sa@demo-proj.iam.gserviceaccount.com";
        for (resource, role, explained) in [
            (Resource::project(&project), "roles/viewer", true),
            (
                Resource::account(account),
                "roles/iam.serviceAccountUser",
                false,
            ),
        ] {
            let refusal = set(&mut world, &resource, &body(role)).unwrap_err();
            let told = refusal.envelope("iam").to_string();
            assert!(
                told.contains("Request contains an invalid argument."),
                "{told}"
            );
            assert_eq!(told.contains("ProjectIamPolicyError"), explained, "{told}");
        }
        let path = "projects/demo-proj/regions/us-central1/subnetworks/s";
        let subnetwork = Resource::subnetwork(path);
        assert_eq!(subnetwork.owner(), "demo-proj");
        assert!(set(&mut world, &subnetwork, &body("roles/compute.networkUser")).is_ok());
    }
}
