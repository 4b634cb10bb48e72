//! Whether the caller has exactly the permissions that `up` and `down` need, by `testIamPermissions`.
//!
//! It does not see permissions that are granted on a resource inside a project alone.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::inputs::Inputs;
use super::roles::roles_of;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::ui::doctor::Finding;

/// The most permissions of one request. Source: the reference of `testIamPermissions` of other services; the one of projects states
/// no limit.
const AT_ONCE: usize = 100;
/// The most permissions that are found one by one to be unknown. With more, the answer is about something else.
const UNKNOWN: usize = 8;

/// Tests the permissions in each project.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let all = inputs
        .permissions()
        .into_iter()
        .map(|(project, needed)| async move {
            let needed: Vec<&str> = needed.into_iter().collect();
            let tested = test(inputs, &project, &needed).await;
            verdict(&project, &needed, tested)
        });
    join_all(all).await
}

/// What tests have shown so far. A request with a permission that IAM does not know for a project is refused as a whole
/// (googleapis/google-cloud-java, issue 722), so that it is divided until that permission is alone.
#[derive(Debug, Default)]
struct Tested<'a> {
    /// Those that the caller has.
    held: BTreeSet<String>,
    /// Those that IAM refuses to test.
    unknown: Vec<&'a str>,
    /// The lists that are still to be tested.
    open: Vec<&'a [&'a str]>,
}

impl<'a> Tested<'a> {
    /// Takes the answer to a list.
    fn take(
        &mut self,
        part: &'a [&'a str],
        answer: Result<Value, ApiError>,
    ) -> Result<(), ApiError> {
        match answer {
            Ok(answer) => {
                let held = answer.get("permissions").and_then(Value::as_array);
                let held = held.into_iter().flatten().filter_map(Value::as_str);
                self.held.extend(held.map(str::to_owned));
            }
            Err(error) if error.class == Class::BadRequest && self.unknown.len() < UNKNOWN => {
                match part {
                    [alone] => self.unknown.push(alone),
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        self.open.extend([second, first]);
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Tests which permissions of `needed` the caller has.
async fn test<'a>(
    inputs: &Inputs<'_>,
    project: &str,
    needed: &'a [&'a str],
) -> Result<Tested<'a>, ApiError> {
    let mut tested = Tested::default();
    let lists = needed.chunks(AT_ONCE);
    let answers = lists.map(|part| async move { (part, ask(inputs, project, part).await) });
    for (part, answer) in join_all(answers).await {
        tested.take(part, answer)?;
    }
    while let Some(part) = tested.open.pop() {
        tested.take(part, ask(inputs, project, part).await)?;
    }
    Ok(tested)
}

async fn ask(inputs: &Inputs<'_>, project: &str, part: &[&str]) -> Result<Value, ApiError> {
    let path = format!("v1/projects/{}:testIamPermissions", segment(project));
    let call = Call::post(Api::CloudResourceManager, path)
        .json(json!({ "permissions": part }))
        .repeatable();
    inputs.send(call).await
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
fn verdict(project: &str, needed: &[&str], tested: Result<Tested<'_>, ApiError>) -> Finding {
    let tested = match tested {
        Ok(tested) => tested,
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
        .filter(|name| !tested.held.contains(**name) && !tested.unknown.contains(name))
        .copied()
        .collect();
    let unknown = match tested.unknown.as_slice() {
        [] => String::new(),
        unknown => format!(
            "; IAM does not test these on a project: {}",
            unknown.join(", ")
        ),
    };
    if missing.is_empty() {
        let count = match tested.unknown.len() {
            0 => format!("all {}", needed.len()),
            others => format!("{} of the {}", needed.len() - others, needed.len()),
        };
        return Finding::pass(format!(
            "{count} that `up` and `down` need in {project}{unknown}"
        ));
    }
    // The permissions are listed with `-v` and in JSON.
    let names = missing.iter().map(|name| (*name).to_owned()).collect();
    let roles: Vec<&str> = roles_of(&missing).into_keys().collect();
    let says = format!(
        "{} of {} are missing in {project}; they are in {}{unknown}",
        missing.len(),
        needed.len(),
        roles.join(", ")
    );
    if missing.iter().all(|permission| is_of_bucket(permission)) {
        return Finding::warn(
            says,
            "an owner of the project has them on its buckets; anyone else needs the role",
        )
        .missing(names);
    }
    Finding::fail(
        says,
        format!(
            "an administrator of {project} grants the roles: `{}`{}",
            grant(project, &roles),
            beyond_network_admin(&roles)
        ),
    )
    .missing(names)
}

/// The command that grants roles, as a shell takes it. Pure.
fn grant(project: &str, roles: &[&str]) -> String {
    let one = |role: &str| {
        format!("gcloud projects add-iam-policy-binding {project} --member MEMBER --role {role}")
    };
    match roles {
        [role] => one(role),
        _ => format!("for ROLE in {}; do {}; done", roles.join(" "), one("$ROLE")),
    }
}

/// Why the role of network administrators is not enough. Pure.
fn beyond_network_admin(roles: &[&str]) -> &'static str {
    let beyond = [
        "roles/compute.securityAdmin",
        "roles/compute.loadBalancerAdmin",
    ];
    match roles.iter().any(|role| beyond.contains(role)) {
        true => "; roles/compute.networkAdmin cannot change firewall rules or endpoint groups",
        false => "",
    }
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
        let held = |held: &[&str]| -> Result<Tested<'static>, ApiError> {
            Ok(Tested {
                held: held.iter().map(|name| (*name).to_owned()).collect(),
                ..Tested::default()
            })
        };
        let lost = || Err(refused(Class::LostConnection));
        for (held, expected, words) in [
            (held(&needed), Pass, "all 3"),
            (
                held(&needed[1..]),
                Fail,
                "1 of 3 are missing in p; they are in roles/compute.securityAdmin",
            ),
            (
                held(&[]),
                Fail,
                "they are in roles/compute.networkAdmin, roles/compute.securityAdmin, roles/storage.admin",
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
        let advice = finding.advice.unwrap_or_default();
        let why = "roles/compute.networkAdmin cannot change firewall rules";
        assert!(advice.contains(why), "{advice}");
        // The command grants all that is missing.
        let finding = verdict("p", &needed, held(&[]));
        let advice = finding.advice.unwrap_or_default();
        let command = "`for ROLE in roles/compute.networkAdmin roles/compute.securityAdmin roles/storage.admin; do gcloud projects add-iam-policy-binding p --member MEMBER --role $ROLE; done`";
        assert!(advice.contains(command), "{advice}");
    }

    #[test]
    fn a_permission_that_iam_does_not_know_hides_no_other() {
        let needed = ["a.b.c", "d.e.f", "of.another.level", "g.h.i", "j.k.l"];
        let mut tested = Tested {
            open: vec![&needed[..]],
            ..Tested::default()
        };
        let mut requests = 0;
        while let Some(part) = tested.open.pop() {
            requests += 1;
            let answer = match part.contains(&"of.another.level") {
                true => Err(refused(Class::BadRequest)),
                false => Ok(json!({"permissions": part})),
            };
            tested.take(part, answer).unwrap();
        }
        assert_eq!(tested.held.len(), 4);
        assert_eq!(tested.unknown, ["of.another.level"]);
        assert!(requests < 9, "{requests}");
        let finding = verdict("p", &needed, Ok(tested));
        assert_eq!(finding.verdict, Pass);
        assert!(finding.says.contains("of.another.level"), "{finding:?}");
        // An answer that refuses everything is about something else.
        let many: Vec<&str> = (0..100).map(|_| "a.b.c").collect();
        let mut tested = Tested {
            open: vec![&many[..]],
            ..Tested::default()
        };
        let mut requests = 0;
        let end = loop {
            let part = tested.open.pop().unwrap();
            requests += 1;
            if let Err(error) = tested.take(part, Err(refused(Class::BadRequest))) {
                break error;
            }
        };
        assert_eq!(end.class, Class::BadRequest);
        assert!(requests < 40, "{requests}");
    }
}
