//! Whether the caller has exactly the permissions that `up` and `down` need, by `testIamPermissions`.
//!
//! It does not see permissions that are granted on a resource inside a project alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::inputs::Inputs;
use super::roles::roles_of;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::ui::doctor::Finding;

/// The most permissions of one request. Source: the reference of `testIamPermissions` of other services; the one of projects states
/// no limit.
const AT_ONCE: usize = 100;
/// The most permissions that a line names of one role.
const NAMED: usize = 3;

/// Tests the permissions in each project.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (project, needed) in inputs.permissions() {
        let needed: Vec<&str> = needed.into_iter().collect();
        let held = held(inputs, &project, &needed).await;
        findings.push(verdict(&project, &needed, held));
    }
    findings
}

/// The permissions of `needed` that the caller has.
async fn held(
    inputs: &Inputs<'_>,
    project: &str,
    needed: &[&str],
) -> Result<BTreeSet<String>, ApiError> {
    let mut found = BTreeSet::new();
    for part in needed.chunks(AT_ONCE) {
        let path = format!("v1/projects/{}:testIamPermissions", segment(project));
        let call = Call::post(Api::CloudResourceManager, path)
            .json(json!({ "permissions": part }))
            .repeatable();
        let answer = inputs.send(call).await?;
        let held = answer.get("permissions").and_then(Value::as_array);
        let held = held.into_iter().flatten().filter_map(Value::as_str);
        found.extend(held.map(str::to_owned));
    }
    Ok(found)
}

/// Whether the owners of a project have it on the buckets of the project, and not on the project.
fn is_of_bucket(permission: &str) -> bool {
    let of_project = [
        "storage.buckets.create",
        "storage.buckets.delete",
        "storage.buckets.list",
    ];
    permission.starts_with("storage.") && !of_project.contains(&permission)
}

/// Pure.
fn verdict(project: &str, needed: &[&str], held: Result<BTreeSet<String>, ApiError>) -> Finding {
    let held = match held {
        Ok(held) => held,
        Err(error) => {
            // Nobody needs a permission to ask for their own.
            let advice = match error.class {
                Class::PermissionDenied => {
                    Some("the check of the project says whether it exists".to_owned())
                }
                _ => error.hint(),
            };
            let message = error.message.trim_end_matches('.');
            return Finding::skip(
                format!("the permissions in {project} could not be tested: {message}"),
                advice,
            );
        }
    };
    let missing: Vec<&str> = needed
        .iter()
        .filter(|permission| !held.contains(**permission))
        .copied()
        .collect();
    if missing.is_empty() {
        return Finding::pass(format!(
            "all {} that `up` and `down` need in {project}",
            needed.len()
        ));
    }
    let names = missing.iter().map(|name| (*name).to_owned()).collect();
    let says = format!(
        "{} of {} are missing in {project}: {}",
        missing.len(),
        needed.len(),
        by_role(&missing)
    );
    let roles: Vec<&str> = roles_of(&missing).into_keys().collect();
    if missing.iter().all(|permission| is_of_bucket(permission)) {
        return Finding::warn(
            says,
            format!(
                "an owner of the project has them on its buckets; anyone else needs {}",
                roles.join(", ")
            ),
        )
        .missing(names);
    }
    let first = roles.first().copied().unwrap_or_default();
    Finding::fail(
        says,
        format!(
            "an administrator of {project} grants the roles, each with `gcloud projects add-iam-policy-binding {project} --member MEMBER --role {first}`"
        ),
    )
    .missing(names)
}

/// The roles that carry the permissions, each with some of them.
fn by_role(missing: &[&str]) -> String {
    let roles = roles_of(missing).into_iter().map(|(role, permissions)| {
        let named: Vec<&str> = permissions.iter().take(NAMED).copied().collect();
        let more = match permissions.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let why = match role {
            "roles/compute.securityAdmin" | "roles/compute.loadBalancerAdmin" => {
                ", which roles/compute.networkAdmin lacks"
            }
            _ => "",
        };
        format!("{role} has {}{more}{why}", named.join(", "))
    });
    roles.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip, Warn};

    #[test]
    fn what_is_missing_is_named_with_the_role_that_has_it() {
        let needed = [
            "compute.firewalls.create",
            "compute.networks.create",
            "storage.buckets.setIamPolicy",
        ];
        let held = |held: &[&str]| -> Result<BTreeSet<String>, ApiError> {
            Ok(held.iter().map(|name| (*name).to_owned()).collect())
        };
        let lost = || Err(refused(Class::LostConnection));
        for (held, expected, words) in [
            (held(&needed), Pass, "all 3"),
            (
                held(&needed[1..]),
                Fail,
                "1 of 3 are missing in p: roles/compute.securityAdmin has compute.firewalls.create, which roles/compute.networkAdmin lacks",
            ),
            (
                held(&[]),
                Fail,
                "roles/compute.networkAdmin has compute.networks.create",
            ),
            (held(&needed[..2]), Warn, "roles/storage.admin"),
            (lost(), Skip, "could not be tested"),
        ] {
            let finding = verdict("p", &needed, held);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
        let finding = verdict("p", &needed, held(&needed[1..]));
        assert_eq!(finding.missing, ["compute.firewalls.create"]);
    }
}
