//! What is there and cannot become what is wanted: why, in which fields, and the way out.

use super::failure::{Failure, differences};
use super::present::DesiredResource;
use crate::kinds::{FieldDiff, Kind};

/// It is there and not ours.
pub fn foreign(wanted: &DesiredResource, fields: &[FieldDiff]) -> Failure {
    let hint = if fields.iter().any(|field| field.fixed) {
        "remove or rename what stands in the way, or use another project: it cannot become as wanted"
    } else if let Kind::Kubernetes = wanted.kind {
        "remove it, have its fields taken over with --force-conflicts, or the whole of it with `provision up --adopt`, and `down` then removes it"
    } else {
        "remove or rename what stands in the way, or use another project; `provision up --adopt` takes it over, and `down` then removes it"
    };
    in_the_way(wanted, "is there already and is not ours", fields, hint)
}

/// Somebody else owns some of the fields that differ.
pub fn conflict(wanted: &DesiredResource, fields: &[FieldDiff]) -> Failure {
    let hint =
        "leave them to their owner by changing the step, or take them over with --force-conflicts";
    in_the_way(wanted, "has fields that somebody else owns", fields, hint)
}

/// Nobody can change some of the fields that differ.
pub fn fixed(wanted: &DesiredResource, fields: &[FieldDiff]) -> Failure {
    let hint =
        "change the step to what is there, or `provision down` and `provision up` to make it anew";
    in_the_way(wanted, "differs in what cannot be changed", fields, hint)
}

fn in_the_way(wanted: &DesiredResource, why: &str, fields: &[FieldDiff], hint: &str) -> Failure {
    let (kind, short) = (wanted.kind.name(), wanted.thing.short());
    let error = format!("{kind} {short} {why}: {}", differences(fields));
    Failure::new(error, hint).leaving(format!("{short} as it was"))
}
