//! Errors for a live resource that cannot become the desired one: the reason, the fields, and what to do. Pure.

use super::change::{Change, MissingResource};
use super::failure::{NOTHING, StepError, StepFailure, differences};
use crate::kinds::{FieldDiff, Kind};

/// Why a resource, with the name that messages show, cannot be changed as this step wants it; none if it can.
pub fn obstacle(step: &str, kind: Kind, short: &str, change: &Change) -> Option<StepFailure> {
    let (why, fields, hint) = match change {
        // The resource exists and is not ours.
        Change::Foreign(fields) => (
            "already exists and was not created by provision",
            fields,
            not_ours(kind, fields).to_owned(),
        ),
        Change::Conflict(fields) => (
            "has fields that another field manager owns",
            fields,
            "remove these fields from the step, or take them over with --force-conflicts"
                .to_owned(),
        ),
        Change::Fixed(fields) => (
            "differs in fields that cannot be changed",
            fields,
            format!(
                "change the step to match the live resource, or delete and recreate it, and what uses it, with `provision up --replace {step}`; `provision plan` shows what that is"
            ),
        ),
        Change::Unfit(fields) => (
            "exists, and is not as this step needs it",
            fields,
            "provision only looks it up: set the parameters to the values that it has, or change it yourself"
                .to_owned(),
        ),
        Change::Missing(missing) => return Some(absent(kind, short, missing)),
        Change::None
        | Change::Create
        | Change::Update(_)
        | Change::Replace(_)
        | Change::Delete
        | Change::Adopt(_)
        | Change::Waits(_)
        | Change::Pending(_) => return None,
    };
    let error = format!("{} {short} {why}: {}", kind.name(), differences(fields));
    Some(StepFailure {
        error: StepError::State(error),
        hint: Some(hint),
        left: format!("{short} is unchanged"),
    })
}

/// Why a resource that exists and is not ours, with the name that messages show, is not replaced. `because` is the step whose
/// resource it uses, if the user did not name it itself.
pub fn not_replaced(kind: Kind, short: &str, because: Option<&str>) -> StepFailure {
    let name = kind.name();
    let error = match because {
        None => format!("{name} {short} was not created by provision, so it is not replaced"),
        Some(step) => format!(
            "{name} {short} was not created by provision, and it uses {step}, which cannot be replaced before it is deleted"
        ),
    };
    let hint = "delete it, or take it over with `provision up --adopt` first; if an earlier run created it, run `provision adopt`";
    StepFailure {
        error: StepError::State(error),
        hint: Some(hint.to_owned()),
        left: format!("{short} is unchanged"),
    }
}

/// The failure of a step that only looks up a resource which cannot be read.
fn absent(kind: Kind, short: &str, missing: &MissingResource) -> StepFailure {
    let error = format!(
        "{} {short} cannot be looked up: {}",
        kind.name(),
        missing.why
    );
    let flags = missing
        .params
        .iter()
        .map(|name| format!("--set {name}=..."));
    let flags = flags.collect::<Vec<_>>().join(" ");
    let hint = match flags.is_empty() {
        true => "provision does not create it: create it first".to_owned(),
        false => {
            format!("provision does not create it: create it first, or name another with {flags}")
        }
    };
    StepFailure {
        error: StepError::State(error),
        hint: Some(hint),
        left: NOTHING.to_owned(),
    }
}

fn not_ours(kind: Kind, fields: &[FieldDiff]) -> &'static str {
    if fields.iter().any(|field| field.fixed) {
        "delete or rename the existing resource, or use another project (--project): it cannot be changed to match the step"
    } else if kind.has_field_managers() {
        "delete it, take over its fields with --force-conflicts, or take over the whole object with `provision up --adopt`; `provision down` then removes it"
    } else {
        "delete or rename the existing resource, or use another project (--project); `provision up --adopt` takes it over, and `provision down` then removes it"
    }
}
