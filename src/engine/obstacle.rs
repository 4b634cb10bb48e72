//! Errors for a live resource that cannot become the desired one: the reason, the fields, and what to do. Pure.

use super::change::Change;
use super::failure::{StepError, StepFailure, differences};
use crate::kinds::{FieldDiff, Kind};

/// Why a resource, with the name that messages show, cannot be changed as a step wants it; none if it can.
pub fn obstacle(kind: Kind, short: &str, change: &Change) -> Option<StepFailure> {
    let (why, fields, hint) = match change {
        // The resource exists and is not ours.
        Change::Foreign(fields) => (
            "already exists and was not created by provision",
            fields,
            not_ours(kind, fields),
        ),
        Change::Conflict(fields) => (
            "has fields that another field manager owns",
            fields,
            "remove these fields from the step, or take them over with --force-conflicts",
        ),
        Change::Fixed(fields) => (
            "differs in fields that cannot be changed",
            fields,
            "change the step to match the live resource, or run `provision down` and `provision up` to recreate it",
        ),
        Change::None
        | Change::Create
        | Change::Update(_)
        | Change::Delete
        | Change::Adopt(_)
        | Change::Waits(_)
        | Change::Pending(_) => return None,
    };
    let error = format!("{} {short} {why}: {}", kind.name(), differences(fields));
    Some(StepFailure {
        error: StepError::State(error),
        hint: Some(hint.to_owned()),
        left: format!("{short} is unchanged"),
    })
}

fn not_ours(kind: Kind, fields: &[FieldDiff]) -> &'static str {
    if fields.iter().any(|field| field.fixed) {
        "delete or rename the existing resource, or use another project: it cannot be changed to match the step"
    } else if kind.has_field_managers() {
        "delete it, take over its fields with --force-conflicts, or take over the whole object with `provision up --adopt`; `provision down` then removes it"
    } else {
        "delete or rename the existing resource, or use another project; `provision up --adopt` takes it over, and `provision down` then removes it"
    }
}
