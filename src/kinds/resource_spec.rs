//! What a plain Google resource is, as data: one [`ResourceSpec`], which contains no code.
//!
//! The facts that a row states (paths, verbs, id parameters, request ids, field names) are compared with Google's discovery
//! documents by `tests/integration/rows.rs`. What the documents do not contain (which list is a set, which requests must not run
//! concurrently) is documented here, with the reason.

use super::derived_output::DerivedOutput;
use super::permissions::Permissions;
use crate::google::{Api, Dialect};

/// A kind of Google resource that is created, read, updated and deleted at one path.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSpec {
    /// The name that steps use, for example `compute.network`.
    pub kind: &'static str,
    /// A description, for `provision steps` and the docs.
    pub says: &'static str,
    /// The API that serves it.
    pub api: Api,
    /// The collection in Google's discovery document, for example `networks`; `tests/integration/rows.rs` looks its methods up there.
    pub collection: &'static str,
    /// The resource's path below the API's base; `{x}` is filled from the step's `at`.
    pub path: &'static str,
    /// The permissions that its requests need.
    pub permissions: Permissions,
    /// Further permissions that a field needs if a step states it as true, by the field's path.
    pub permissions_if: &'static [(&'static str, &'static [&'static str])],
    /// The most characters that its name may have.
    pub longest_name: usize,
    /// Whether a project has it only once, so that all environments of the project share it.
    pub project_wide: bool,
    /// The map in it that lists the memberships that use it; while it has an entry, `down` keeps the resource.
    pub users: Option<&'static str>,
    /// How it is created.
    pub create: CreateMethod,
    /// How it is changed.
    pub update: UpdateMethod,
    /// How the API reports an unfinished request; `None` if the answer is final.
    pub dialect: Option<Dialect>,
    /// Whether create, update and delete take a `requestId`, which makes repeating them safe.
    pub request_id: bool,
    /// The field that shows whether it is ready.
    pub settled: Option<ReadyField>,
    /// How many reads in a row must find it before other resources may rely on it.
    pub reads: u32,
    /// Fields that cannot change once it exists; a difference in them stops the step.
    pub fixed: &'static [&'static str],
    /// Fields of the live resource that an update must contain although they do not change.
    pub carries: &'static [&'static str],
    /// Fields that have their default if the step does not state them: without this, a setting that a parameter switched on would
    /// stay on. Items of lists are left out of the path.
    pub unstated: &'static [&'static str],
    /// Lists in which the order, or more than the order, is irrelevant.
    pub lists: &'static [(&'static str, ListSemantics)],
    /// Fields of the answer that other steps may refer to; only these are written to the journal.
    pub outputs: &'static [&'static str],
    /// An output that is no field of the answer, and that a request of its own reads.
    pub derived: Option<&'static DerivedOutput>,
    /// Outputs that are known before the resource exists, and their templates; `{x}` is filled from the step's `at`.
    pub predicts: &'static [(&'static str, &'static str)],
    /// What two requests must not change at the same time; `{x}` is filled from the step's `at`.
    pub lock: Option<&'static str>,
    /// What it belongs to, if some of Google's replicas learn of that late; see [`KindSpec::late_holder`].
    ///
    /// [`KindSpec::late_holder`]: super::spec::KindSpec::late_holder
    pub late_holder: Option<&'static str>,
    /// The kind whose create request may create this resource too, and the list that contains it there.
    pub inside: Option<&'static ParentCreate>,
    /// The list of networks that may reach it, which `provision authorize` keeps up to date.
    pub allow_list: Option<&'static str>,
    /// Whether others leave resources inside it that this program must delete before it can be deleted.
    pub leftovers: bool,
    /// Whether a system of Google's holds something because of it, and removes that some time after its deletion.
    pub withdraws: bool,
}

/// How a resource is created.
#[derive(Debug, Clone, Copy)]
pub enum CreateMethod {
    /// POST to the collection that contains it.
    Post {
        /// The position of the name.
        id: NameIn,
        /// The field of the body that contains the resource, if the resource is not the body itself.
        wrap: Option<&'static str>,
        /// Query parameters, filled from `at`.
        query: &'static [(&'static str, &'static str)],
    },
    /// PATCH of the resource itself with `allowMissing=true`.
    PatchAllowMissing,
    /// Not by this program, which only deletes what others left.
    Never,
}

/// The position of a new resource's name in the create request.
#[derive(Debug, Clone, Copy)]
pub enum NameIn {
    /// In the resource, under this field.
    Field(&'static str),
    /// Beside the wrapped resource, in this field of the body.
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
    /// PUT of `{"update": {"desiredX": …}}`, one for each field that differs; all others are fixed.
    Desired(&'static [DesiredField]),
    /// A request of its own for each field that differs; all others are fixed.
    PerField(&'static [FieldUpdate]),
    /// Not at all.
    Never,
}

/// A field that is changed under another name: [`UpdateMethod::Desired`].
#[derive(Debug, Clone, Copy)]
pub struct DesiredField {
    /// The field of the resource.
    pub field: &'static str,
    /// Its name in the update.
    pub desired: &'static str,
}

/// How one field of a resource is changed.
#[derive(Debug, Clone, Copy)]
pub struct FieldUpdate {
    /// The path of the field in the resource, with dots.
    pub field: &'static str,
    /// A custom method of the resource, called with POST (`setSize`); without one, PUT of the resource.
    pub method: Option<&'static str>,
    /// Where the request's body has the value, with dots.
    pub body: &'static str,
}

/// The field that shows whether a resource is ready.
#[derive(Debug, Clone, Copy)]
pub struct ReadyField {
    /// The path of the field, with dots.
    pub field: &'static str,
    /// The values of a ready resource.
    pub good: &'static [&'static str],
    /// The values of a resource that works and needs somebody's attention: it is used, with a warning.
    pub degraded: &'static [&'static str],
    /// The values of a resource that works while Google changes it: only a change of ours waits.
    pub changing: &'static [&'static str],
    /// The values that waiting does not change.
    pub bad: &'static [&'static str],
    /// The field with the reason, if the resource has one.
    pub why: Option<&'static str>,
}

/// The meaning of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSemantics {
    /// The same items in any order.
    Set,
    /// Items identified by this field; others' items are left unchanged.
    Keyed(&'static str),
    /// Contains our items; others' items may be in it and are kept. If the step states that it is empty, it is empty.
    Holds,
}

/// The kind whose create request may create a resource too.
#[derive(Debug, Clone, Copy)]
pub struct ParentCreate {
    /// The parent's kind.
    pub parent: &'static str,
    /// The list in the parent's body.
    pub field: &'static str,
}
