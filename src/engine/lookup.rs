//! One step that only looks up a resource which exists already: it reads the resource and compares it with what the step needs. It
//! sends nothing that changes anything, and writes nothing to the journal, so `down` and `adopt` never take the resource for ours.

use serde_json::Map;

use super::change::{Change, MissingResource};
use super::desired::{Converged, DesiredResource};
use super::event::{Event, StepOutcome};
use super::failure::Failure;
use super::obstacle::obstacle;
use super::wait::at_rest;
use super::worker::Worker;
use crate::google::Class;
use crate::kinds::Observed;

/// Looks up the resource. If it is missing or differs from what the step needs, that is a difference of a run that only reads, and
/// a failure of a run that `acts`.
///
/// # Errors
/// It could not be read; of a run that acts, also that it is missing or differs.
pub async fn look_up(
    worker: &Worker,
    wanted: &DesiredResource,
    acts: bool,
) -> Result<Converged, Failure> {
    let DesiredResource {
        resource,
        kind,
        want,
        ..
    } = wanted;
    let parts = kind.parts(want);
    let look = kind.look_up(&worker.clients, &resource.at, want, &parts);
    let mut found = worker.unless_stopped(look).await?;
    if acts && let Ok(Observed::Settling(_)) = found {
        found = Ok(at_rest(worker, *kind, resource, want, &parts).await?);
    }
    let missing = |why: String| {
        let params = wanted
            .lookup
            .iter()
            .flat_map(|lookup| lookup.params.clone());
        Change::Missing(MissingResource {
            why,
            params: params.collect(),
        })
    };
    let (change, live) = match found {
        // No step of this run makes such an answer another one: what is looked up is not created by a step.
        Err(error)
            if matches!(
                error.class,
                Class::NotFound | Class::ApiDisabled | Class::PermissionDenied | Class::NameTaken
            ) =>
        {
            (missing(error.message), None)
        }
        Err(error) => {
            let what = format!("look up {} {}", kind.name(), resource.short());
            return Err(Failure::of(&what, &error));
        }
        Ok(Observed::Absent) => (missing("it does not exist".to_owned()), None),
        Ok(Observed::Settling(why) | Observed::Broken(why)) => (missing(why), None),
        Ok(Observed::Here(live)) if wanted.unknown.is_empty() => {
            let fields = kind.diff(want, &live);
            let change = match fields.is_empty() {
                true => Change::None,
                false => Change::Unfit(fields),
            };
            (change, Some(live))
        }
        Ok(Observed::Here(live)) => (Change::Waits(wanted.unknown.clone()), Some(live)),
    };
    worker.emit(Event::Looked {
        step: worker.step.clone(),
        change: change.clone(),
        ours: false,
        want: want.clone(),
        inside: None,
    });
    if let (true, Some(failure)) = (
        acts,
        obstacle(&worker.step, *kind, &resource.short(), &change),
    ) {
        return Err(Failure::Failed(failure));
    }
    Ok(Converged {
        outcome: match acts {
            true => StepOutcome::Unchanged,
            false => StepOutcome::Looked,
        },
        differs: change.is_difference(),
        outputs: live.map_or_else(Map::new, |live| kind.outputs_of(&live)),
    })
}
