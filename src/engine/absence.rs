//! Whether a refusal proves that a resource does not exist. Pure.
//!
//! A refusal is never an absence by itself: whoever may not look has not seen that nothing is there. An API that is disabled in the
//! project is the one exception, because it has no resources to show; and not even that counts against the journal, because a
//! resource outlives the API that created it.

use super::failure::Failure;
use super::state::{State, TrackedResource};
use crate::google::{ApiError, Class};
use crate::kinds::{Kind, ResourceId, Step};

/// Whether the error proves that the resource does not exist. `tracked` is what the journal records of it.
pub fn proves_absence(error: &ApiError, tracked: Option<&TrackedResource>) -> bool {
    error.class == Class::ApiDisabled && !tracked.is_some_and(TrackedResource::is_ours)
}

/// The same for the resource of a step.
pub fn proves_absence_of(error: &ApiError, state: &State, step: &Step) -> bool {
    let tracked = state.ours().find(|tracked| tracked.is_of(step));
    proves_absence(error, tracked)
}

/// The failure of a read that saw nothing. What the journal records as created is said not to be seen.
pub fn not_seen(
    kind: Kind,
    resource: &ResourceId,
    tracked: Option<&TrackedResource>,
    error: &ApiError,
) -> Failure {
    let failure = Failure::of(&format!("read {} {}", kind.name(), resource.short()), error);
    match tracked.is_some_and(TrackedResource::is_ours) {
        true => failure.leaving(format!(
            "whether {} exists is unknown: it was not seen, and is recorded as created by provision",
            resource.short()
        )),
        false => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::entry::Entry;
    use serde_json::json;

    #[test]
    fn only_a_disabled_api_proves_anything_and_never_against_the_journal() {
        let at = json!({"project": "p", "network": "n"});
        let resource = ResourceId {
            kind: "compute.network".to_owned(),
            at: at.as_object().cloned().unwrap_or_default(),
        };
        let mut state = State::default();
        let adopted = Entry::Adopted {
            at: "2026-01-01T00:00:00Z".to_owned(),
            step: "net".to_owned(),
            resource,
            parts: Vec::new(),
            why: String::new(),
        };
        state.take_alone(&adopted).unwrap();
        let ours = state.ours().next();
        for (class, tracked, expected) in [
            (Class::ApiDisabled, None, true),
            (Class::ApiDisabled, ours, false),
            (Class::QuotaProject, None, false),
            (Class::PermissionDenied, None, false),
            (Class::ServicePerimeter, None, false),
            (Class::Unauthenticated, None, false),
        ] {
            let error = ApiError {
                class,
                ..ApiError::unsent("x", "words")
            };
            assert_eq!(proves_absence(&error, tracked), expected, "{class:?}");
        }
    }
}
