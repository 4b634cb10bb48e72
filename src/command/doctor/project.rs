//! Whether the projects of the steps exist. A project that does not exist and one that may not be seen give the same answer, so
//! that a second request tells them apart: the permissions of a project can be asked for without any. No record shows either answer.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::inputs::Inputs;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::ui::doctor::Finding;

const GET: &str = "resourcemanager.projects.get";

/// Reads each project.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let all = inputs.projects().into_iter().map(|project| async move {
        let path = format!("v1/projects/{}", segment(&project));
        let read = inputs
            .send(Call::get(Api::CloudResourceManager, &path))
            .await;
        let is_refused = |error: &ApiError| error.class == Class::PermissionDenied;
        let is_there = match read.as_ref().is_err_and(is_refused) {
            true => {
                let test = Call::post(
                    Api::CloudResourceManager,
                    format!("{path}:testIamPermissions"),
                );
                let test = test.json(json!({"permissions": [GET]})).repeatable();
                inputs.send(test).await.is_ok()
            }
            false => false,
        };
        let command = format!("gcloud projects describe {project}");
        verdict(&project, read, is_there).gcloud(command)
    });
    let mut findings = join_all(all).await;
    // What is about the credentials is said once.
    findings.dedup_by(|one, other| one.says == other.says);
    findings
}

/// Pure.
fn verdict(project: &str, read: Result<Value, ApiError>, is_there: bool) -> Finding {
    match read {
        Ok(read) => {
            let text = |key: &str| read.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("lifecycleState") {
                "ACTIVE" => Finding::pass(format!(
                    "{project} is active, number {}",
                    text("projectNumber")
                )),
                "" => Finding::skip(
                    format!("the answer about {project} was not understood"),
                    None,
                ),
                state => Finding::fail(
                    format!("{project} is {state}"),
                    format!(
                        "restore it with `gcloud projects undelete {project}`, or name another project with --project"
                    ),
                ),
            }
        }
        Err(error) if error.class == Class::PermissionDenied && is_there => {
            unread(project, &error, GET)
        }
        Err(error) if [Class::PermissionDenied, Class::NotFound].contains(&error.class) => {
            Finding::fail(
                format!(
                    "{project} does not exist, or these credentials may not see it: {}",
                    error.message.trim_end_matches('.')
                ),
                "correct the id, or let its owner grant the roles that `provision doctor` names",
            )
        }
        // Nothing else would get an answer.
        Err(error) if error.class == Class::LostConnection => Finding::fail(
            format!("Google does not answer: {}", error.message),
            error.hint().unwrap_or_default(),
        ),
        // Nothing else would get another answer. Without a token the check of the credentials fails.
        Err(error) if error.class == Class::Unauthenticated && error.http.is_some() => {
            Finding::fail(
                format!(
                    "Google refuses the credentials: {}",
                    error.message.trim_end_matches('.')
                ),
                error.hint().unwrap_or_default(),
            )
        }
        Err(error) => unread(project, &error, GET),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip};

    #[test]
    fn a_project_must_be_active_and_visible() {
        let project = |state: &str| Ok(json!({"lifecycleState": state, "projectNumber": "7"}));
        for (read, is_there, expected) in [
            (project("ACTIVE"), false, Pass),
            (project("DELETE_REQUESTED"), false, Fail),
            (project(""), false, Skip),
            (Err(refused(Class::PermissionDenied)), false, Fail),
            (Err(refused(Class::PermissionDenied)), true, Skip),
            (Err(refused(Class::NotFound)), false, Fail),
            (Err(refused(Class::ApiDisabled)), false, Skip),
            (Err(refused(Class::ServerFault)), false, Skip),
            (Err(refused(Class::LostConnection)), false, Fail),
        ] {
            let finding = verdict("p", read, is_there);
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }

    #[test]
    fn credentials_that_google_refuses_are_a_failure() {
        let refused = |http| ApiError {
            http,
            ..refused(Class::Unauthenticated)
        };
        let finding = verdict("p", Err(refused(Some(401))), false);
        assert_eq!(finding.verdict, Fail);
        assert_eq!(
            finding.says,
            "Google refuses the credentials: it is refused"
        );
        let advice = finding.advice.unwrap_or_default();
        assert!(advice.contains("application-default login"), "{advice}");
        // Without a token the check of the credentials has failed already.
        assert_eq!(verdict("p", Err(refused(None)), false).verdict, Skip);
    }
}
