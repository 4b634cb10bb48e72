//! Whether the projects of the steps exist. A project that does not exist and one that may not be seen give the same answer, so
//! that a second request tells them apart: the permissions of a project can be asked for without any.

use serde_json::{Value, json};

use super::inputs::Inputs;
use super::unread::unread;
use crate::google::{Api, ApiError, Call, Class, segment};
use crate::ui::doctor::Finding;

const GET: &str = "resourcemanager.projects.get";

/// Reads each project.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for project in inputs.projects() {
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
        findings.push(verdict(&project, read, is_there).gcloud(command));
    }
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
}
