//! What stands in the way of a plan: the steps that cannot be carried out. Pure.

use crate::engine::change::Change;
use crate::engine::failure::StepFailure;
use crate::engine::obstacle::{not_replaced, obstacle};
use crate::engine::state::State;
use crate::kinds::{ResourceId, Step};
use crate::ui::plan::Plan;

/// The steps that cannot be carried out, with their failures, in the order of the steps. A resource whose last request is open may
/// be half-made: it is judged when that request has ended. Pure.
pub fn obstacles(plan: &Plan, steps: &[Step], state: &State) -> Vec<(String, StepFailure)> {
    let found = steps.iter().filter_map(|step| {
        let resource = ResourceId::new(step.kind, step.at.clone());
        let is_open = state
            .get(&resource.key())
            .is_some_and(|tracked| tracked.open.is_some());
        let change = plan.change(&step.id).filter(|_| !is_open)?;
        let failure = match (plan.replaced.get(&step.id), change) {
            (Some(because), Change::Foreign(_)) => {
                not_replaced(step.kind, &resource.short(), because.as_deref())
            }
            _ => obstacle(&step.id, step.kind, &resource.short(), change)?,
        };
        Some((step.id.clone(), failure))
    });
    found.collect()
}
