//! Who owns a resource, by the journal and by the live resource. Pure.

use serde_json::Value;

use super::change::Ownership;
use super::desired::DesiredResource;
use super::state::TrackedResource;
use crate::kinds::Kind;

/// The owner of a resource, as far as the journal records it; `force` takes over the fields of Kubernetes objects.
pub fn whose<'a>(
    kind: Kind,
    force: bool,
    tracked: Option<&TrackedResource>,
    parts: &'a [String],
) -> Ownership<'a> {
    Ownership {
        ours: tracked.is_some_and(TrackedResource::is_ours),
        parts,
        taken_over: kind.has_field_managers() && force,
        shared: kind.is_shared(),
        shared_list: kind.allow_list(),
        adopt: false,
    }
}

/// What the journal records of the resource, unless the live resource is another one, which another client recreated.
pub fn still_ours<'a>(
    kind: Kind,
    want: &Value,
    tracked: Option<&'a TrackedResource>,
    live: &Value,
) -> Option<&'a TrackedResource> {
    tracked.filter(|tracked| {
        let made = tracked.made.as_deref();
        !made.is_some_and(|made| kind.is_anothers(want, live, made))
    })
}

/// Whether something wanted exists and is not ours: the resource, or a part of a set.
pub fn is_theirs(wanted: &DesiredResource, whose: Ownership<'_>, live: &Value) -> bool {
    let kind = wanted.kind;
    if !kind.is_deletable() {
        return false;
    }
    match kind.parts(&wanted.want) {
        none if none.is_empty() => !whose.ours,
        parts => kind
            .present(&parts, live)
            .iter()
            .any(|part| !whose.parts.contains(part)),
    }
}
