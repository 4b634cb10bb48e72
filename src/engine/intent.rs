//! A request that changes something, before it is in the journal: data.

use super::entry::ChangeVerb;
use crate::kinds::{Kind, ResourceId};

/// What is to be announced.
pub struct Intent<'a> {
    /// The thing.
    pub thing: &'a ResourceId,
    /// Its kind.
    pub kind: Kind,
    /// What happens to it.
    pub verb: ChangeVerb,
    /// The parts of a set that it concerns.
    pub parts: Vec<String>,
    /// Things that the same request makes or removes inside it.
    pub inside: Vec<ResourceId>,
    /// The id of the same request, announced before and cut off.
    pub request: Option<String>,
}
