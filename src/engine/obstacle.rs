//! Errors for a live resource that cannot become the desired one: the reason, the fields, and what to do.

use super::desired::DesiredResource;
use super::failure::{Failure, differences};
use crate::kinds::FieldDiff;

/// The resource exists and is not ours.
pub fn foreign(wanted: &DesiredResource, fields: &[FieldDiff]) -> Failure {
    let hint = if fields.iter().any(|field| field.fixed) {
        "delete or rename the existing resource, or use another project: it cannot be changed to match the step"
    } else if wanted.kind.has_field_managers() {
        "delete it, take over its fields with --force-conflicts, or take over the whole object with `provision up --adopt`; `provision down` then removes it"
    } else {
        "delete or rename the existing resource, or use another project; `provision up --adopt` takes it over, and `provision down` then removes it"
    };
    in_the_way(
        wanted,
        "already exists and was not created by provision",
        fields,
        hint,
    )
}

/// Another field manager owns some of the fields that differ.
pub fn conflict(wanted: &DesiredResource, fields: &[FieldDiff]) -> Failure {
    let hint = "remove these fields from the step, or take them over with --force-conflicts";
    in_the_way(
        wanted,
        "has fields that another field manager owns",
        fields,
        hint,
    )
}

/// Some of the fields that differ cannot be changed.
pub fn fixed(wanted: &DesiredResource, fields: &[FieldDiff]) -> Failure {
    let hint = "change the step to match the live resource, or run `provision down` and `provision up` to recreate it";
    in_the_way(
        wanted,
        "differs in fields that cannot be changed",
        fields,
        hint,
    )
}

fn in_the_way(wanted: &DesiredResource, why: &str, fields: &[FieldDiff], hint: &str) -> Failure {
    let (kind, short) = (wanted.kind.name(), wanted.resource.short());
    let error = format!("{kind} {short} {why}: {}", differences(fields));
    Failure::new(error, hint).leaving(format!("{short} is unchanged"))
}
