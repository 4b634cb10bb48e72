//! A request that changes something, before it is in the journal: data.

use super::entry::ChangeVerb;
use crate::kinds::{Kind, ResourceId};

/// A request to announce.
pub struct Intent<'a> {
    /// The resource.
    pub resource: &'a ResourceId,
    /// The resource's kind.
    pub kind: Kind,
    /// What the request does to it.
    pub verb: ChangeVerb,
    /// The parts of a set that it concerns.
    pub parts: Vec<String>,
    /// Resources inside it that the same request creates or deletes.
    pub inside: Vec<ResourceId>,
    /// The request's id, if it was announced before and cut off.
    pub request: Option<String>,
}
