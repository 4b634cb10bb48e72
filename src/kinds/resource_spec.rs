//! What a plain Google resource is, as data: one `Row`, and nothing in it that could run.
//!
//! The facts a row states (paths, verbs, id parameters, request ids, field names) are held against Google's discovery
//! documents by `tests/integration/rows.rs`; what the documents cannot say (which list is a set, what may not run side by side) stands
//! here with its reason.

use crate::google::{Api, Dialect};

/// A kind of Google resource that is created, read, updated and deleted at one path.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSpec {
    /// The name that steps use, for example `compute.network`.
    pub kind: &'static str,
    /// What it is, for `provision steps` and the docs.
    pub says: &'static str,
    /// The API that serves it.
    pub api: Api,
    /// The collection in Google's discovery document, for example `networks`; `tests/integration/rows.rs` looks its methods up there.
    pub collection: &'static str,
    /// The resource's path below the API's base; `{x}` is filled from the step's `at`.
    pub path: &'static str,
    /// How it comes into being.
    pub create: CreateMethod,
    /// How it is changed.
    pub update: UpdateMethod,
    /// How the API says "not yet"; none where its answer is the end of it.
    pub dialect: Option<Dialect>,
    /// Whether create, update and delete take a `requestId`, which makes repeating them safe.
    pub request_id: bool,
    /// The field that tells whether it has come to rest.
    pub settled: Option<ReadyField>,
    /// How many reads in a row must find it before others may rely on it.
    pub reads: u32,
    /// Fields that cannot be changed once it exists; a difference there stops the step.
    pub fixed: &'static [&'static str],
    /// Fields of what is there that a change must carry although they do not change.
    pub carries: &'static [&'static str],
    /// Lists in which order, or more than order, means nothing.
    pub lists: &'static [(&'static str, ListSemantics)],
    /// Fields of the answer that other steps may refer to; only these are journalled.
    pub outputs: &'static [&'static str],
    /// Outputs that are known before the resource exists, and their templates; `{x}` is filled from the step's `at`.
    pub predicts: &'static [(&'static str, &'static str)],
    /// What must not be changed by two requests at once; `{x}` is filled from the step's `at`.
    pub lock: Option<&'static str>,
    /// The kind whose create may bring this resource along, and the list it goes into.
    pub inside: Option<&'static ParentCreate>,
    /// The list of networks that may reach it, which `provision authorize` keeps up to date.
    pub allow_list: Option<&'static str>,
    /// Whether others leave things inside it that are ours to clear away before it can go.
    pub leftovers: bool,
}

/// How a resource comes into being.
#[derive(Debug, Clone, Copy)]
pub enum CreateMethod {
    /// POST to the collection above it.
    Post {
        /// Where the name goes.
        id: NameIn,
        /// The field of the body that holds the resource, where it is not the body itself.
        wrap: Option<&'static str>,
        /// Query parameters, filled from `at`.
        query: &'static [(&'static str, &'static str)],
    },
    /// PATCH of the resource itself with `allowMissing=true`.
    PatchAllowMissing,
    /// Not by this program: it only clears away what others left.
    Never,
}

/// Where a new resource's name stands in the request that creates it.
#[derive(Debug, Clone, Copy)]
pub enum NameIn {
    /// In the resource, under this field.
    Field(&'static str),
    /// Beside the wrapped resource, under this field of the body.
    Beside(&'static str),
    /// In the query.
    Query(&'static str),
}

/// How a resource is changed.
#[derive(Debug, Clone, Copy)]
pub enum UpdateMethod {
    /// PATCH with the fields that differ.
    Patch,
    /// PATCH with the fields that differ, named in `updateMask`.
    PatchMask,
    /// PUT of `{"update": {"desiredX": …}}` for the one field named; all others are fixed.
    Desired {
        /// The field of the resource.
        field: &'static str,
        /// Its name in the update.
        desired: &'static str,
    },
    /// Not at all.
    Never,
}

/// The field that tells whether a resource has come to rest.
#[derive(Debug, Clone, Copy)]
pub struct ReadyField {
    /// Path of the field, with dots.
    pub field: &'static str,
    /// Values at rest.
    pub good: &'static [&'static str],
    /// Values that waiting does not mend.
    pub bad: &'static [&'static str],
    /// The field that says why, where the resource has one.
    pub why: Option<&'static str>,
}

/// What a list means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSemantics {
    /// The same items in any order.
    Set,
    /// Items known by this field; items of others are left alone.
    Keyed(&'static str),
    /// Ours must be in it; others' may be too, and stay.
    Holds,
}

/// The kind whose create may bring a resource along.
#[derive(Debug, Clone, Copy)]
pub struct ParentCreate {
    /// The parent's kind.
    pub parent: &'static str,
    /// The list in the parent's body.
    pub field: &'static str,
}
