//! The question before a run that changes something, from what it would do: the words are in `ui/question.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::allow_list::networks;
use super::known_environments::DEFAULT;
use super::outline::outline;
use super::output::note;
use super::own_cluster;
use super::rehearsal;
use super::session::Session;
use crate::engine::change::Change;
use crate::engine::state::State;
use crate::engine::task::{Task, TaskGoal};
use crate::kinds::Step;
use crate::ui::duration::Usual;
use crate::ui::plan::Plan;
use crate::ui::question::{Where, question};

/// Ranges that let everybody in.
const EVERYBODY: &[&str] = &["0.0.0.0/0", "::/0"];

/// The time that these tasks usually take, if something is known about it.
pub fn takes(session: &Session, tasks: &[Task], state: &State) -> Option<Usual> {
    outline(session, tasks, state).left(&BTreeSet::new(), &BTreeMap::new())
}

/// The question of `up`.
pub fn of_plan(session: &Session, steps: &[Step], plan: &Plan, takes: Option<Usual>) -> String {
    let count = |wanted: &dyn Fn(&Change) -> bool| {
        let mut changes = steps.iter().filter_map(|step| plan.change(&step.id));
        changes.by_ref().filter(|change| wanted(change)).count()
    };
    let counts = [
        (count(&|change| matches!(change, Change::Create)), "create"),
        (
            count(&|change| matches!(change, Change::Replace(_))),
            "replace",
        ),
        (
            count(&|change| matches!(change, Change::Update(_))),
            "change",
        ),
        (
            count(&|change| matches!(change, Change::Adopt(_))),
            "take over",
        ),
        (count(&|change| matches!(change, Change::Delete)), "delete"),
    ];
    asked(session, &counts, takes)
}

/// The question of `down`.
pub fn of_tasks(session: &Session, tasks: &[Task], takes: Option<Usual>) -> String {
    let is_kept = |task: &&Task| task.step.keep || !task.step.kind.is_deletable();
    // As they are counted at the end of the run: what is deleted with another resource is, too.
    let is_deleted = |task: &&Task| match task.goal {
        TaskGoal::Absent { with: true, .. } => true,
        TaskGoal::Absent { with: false, .. } => !is_kept(task),
        _ => false,
    };
    let counts = [(tasks.iter().filter(is_deleted).count(), "delete")];
    asked(session, &counts, takes)
}

fn asked(session: &Session, counts: &[(usize, &str)], takes: Option<Usual>) -> String {
    let given = session.given();
    let place = Where {
        environment: (session.environment != DEFAULT).then_some(&*session.environment),
        project: &session.project,
        zone: given.get("zone").and_then(|zone| zone.value.as_str()),
        emulated: session.global.emulate,
        more: &rehearsal::and_in(session),
    };
    question(counts, &place, takes)
}

/// Warns of what is chosen and seldom meant: an API server that every machine on the internet may reach, and a control plane that
/// Google has deprecated.
pub fn warn_of_choices(session: &Session, steps: &[Step]) {
    if session.json() {
        return;
    }
    warn_of_everybody(steps);
    if chooses_in_cluster(session) {
        note(
            "warning: control_plane=in-cluster: Google has deprecated in-cluster control planes on GKE in favour of managed ones (https://docs.cloud.google.com/service-mesh/deprecations)",
        );
    }
}

/// Whether the mesh has a control plane on Google's cluster that the user installs. In a cluster of the user's own that is the only
/// sort of control plane, and Google's deprecation does not concern it. The emulator stands for Google.
fn chooses_in_cluster(session: &Session) -> bool {
    let (name, in_cluster) = own_cluster::IN_CLUSTER;
    let rehearses = session.own.is_some() || session.requested_cluster.is_some();
    let params = session.resolved();
    !rehearses
        && params.is_ok_and(|params| params.get(name).is_some_and(|value| value == in_cluster))
}

/// Warns if every machine on the internet may reach a cluster's API server.
fn warn_of_everybody(steps: &[Step]) {
    for step in steps.iter().filter(|step| step.kind.allow_list().is_some()) {
        let open = networks(&step.want).into_iter();
        for range in open.filter(|range| EVERYBODY.contains(&range.as_str())) {
            note(&format!(
                "warning: {}: {range} is on the allow list, so every machine on the internet may reach the API server; name your own ranges with --authorized-network",
                step.id
            ));
        }
    }
}
