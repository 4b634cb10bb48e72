//! What a check says that could not read. It decides nothing about what it did not see.

use super::roles;
use crate::google::{ApiError, Class};
use crate::ui::doctor::Finding;

/// A check that could not read; `permission` is what the request needs. Pure.
pub fn unread(what: &str, error: &ApiError, permission: &str) -> Finding {
    let message = error.message.trim_end_matches('.');
    match error.class {
        Class::PermissionDenied => Finding::skip(
            format!("{what} could not be read, because {permission} is missing"),
            Some(format!("{} has it", roles::role_of(permission))),
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
