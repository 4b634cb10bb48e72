//! What a check says that could not read. It decides nothing about what it did not see.

use super::roles;
use crate::google::{Api, ApiError, Class};
use crate::ui::doctor::Finding;

/// The same for an API that no step uses: no run switches it on, so that a check of `project` says how to. Pure.
pub fn unread_beyond_steps(
    what: &str,
    error: &ApiError,
    permission: &str,
    (api, project): (Api, &str),
) -> Finding {
    let finding = unread(what, error, permission);
    let advice = match error.class {
        Class::ApiDisabled => Some(format!(
            "no step needs that API; to check it, `gcloud services enable {} --project {project}`",
            api.host()
        )),
        _ => finding.advice.clone(),
    };
    Finding { advice, ..finding }
}

/// A check that could not read; `permission` is what the request needs. Pure.
pub fn unread(what: &str, error: &ApiError, permission: &str) -> Finding {
    let message = error.message.trim_end_matches('.');
    match error.class {
        Class::PermissionDenied => Finding::skip(
            format!("{what} could not be read: {message}"),
            Some(format!(
                "the request needs {permission}, which {} has",
                roles::role_of(permission)
            )),
        )
        .missing(vec![permission.to_owned()]),
        Class::ApiDisabled => {
            // The first sentence names the API and the project; the others are about a console.
            let first = message.split(". ").next().unwrap_or_default();
            let advice = "once the API is on, `provision doctor` checks it";
            Finding::skip(
                format!("{what} could not be read: {first}"),
                Some(advice.to_owned()),
            )
        }
        // The check of the credentials says why.
        Class::Unauthenticated => Finding::skip(
            format!("{what} could not be read without credentials that work"),
            None,
        ),
        _ => Finding::skip(format!("{what} could not be read: {message}"), error.hint()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;

    #[test]
    fn what_no_run_switches_on_is_named_with_the_command() {
        let at = (Api::OrgPolicy, "p");
        let off = refused(Class::ApiDisabled);
        let finding = unread_beyond_steps("x", &off, "orgpolicy.policy.get", at);
        let advice = finding.advice.unwrap_or_default();
        let command = "`gcloud services enable orgpolicy.googleapis.com --project p`";
        assert!(advice.contains(command), "{advice}");
        let denied = refused(Class::PermissionDenied);
        let finding = unread_beyond_steps("x", &denied, "orgpolicy.policy.get", at);
        // The role of the organization's policies is not granted on a project.
        let advice = finding.advice.unwrap_or_default();
        assert!(advice.contains("roles/storage.admin"), "{advice}");
        assert_eq!(finding.says, "x could not be read: it is refused");
    }
}
