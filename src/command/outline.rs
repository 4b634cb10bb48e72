//! The outline of a run for its screen: chapters, order, and how long each step usually takes: as it took this user the last time,
//! otherwise as the table of usual durations has it. Nothing is measured here.

use std::collections::BTreeMap;

use super::session::Session;
use crate::engine::replace::replacing;
use crate::engine::replacement::Replacement;
use crate::engine::state::{State, TrackedResource};
use crate::engine::task::{Task, TaskGoal};
use crate::engine::tasks;
use crate::google::{Api, Endpoints, Environment, process_env};
use crate::kinds::{ResourceId, Step};
use crate::ui::duration::Usual;
use crate::ui::outline::{Outline, OutlineStep, deletion_of};
use crate::ui::usual::{Goal, usual};

/// How long a step takes that finds its resource as it left it.
const FOUND: Usual = Usual {
    low: 0,
    high: 1_000,
};

/// How much faster than Google the other side works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// So many times.
    Times(u32),
    /// It takes no time, or nobody knows.
    Unknown,
}

impl Speed {
    /// The speed of what this session speaks to.
    pub fn of(session: &Session) -> Speed {
        match session.global.emulate {
            true => Speed::of_pace(session.global.pace.as_deref().unwrap_or("0")),
            // An emulator of another process.
            false if is_emulated(session) => Speed::Unknown,
            false => Speed::Times(1),
        }
    }

    /// The speed of an emulator at this pace. Pure.
    fn of_pace(pace: &str) -> Speed {
        match pace.parse() {
            Ok(emulator::Pace::Real(times)) => Speed::Times(times.max(1)),
            Ok(emulator::Pace::Zero) | Err(_) => Speed::Unknown,
        }
    }
}

/// Whether the APIs are those of an emulator, of this process or of another one on this machine.
pub fn is_emulated(session: &Session) -> bool {
    let environment: Environment<'_> = &process_env;
    let is_here = |endpoints: Endpoints| endpoints.is_loopback(Api::Container);
    session.global.emulate || Endpoints::from_env(environment).is_ok_and(is_here)
}

/// The outline of a run that carries out these tasks.
pub fn outline(session: &Session, tasks: &[Task], state: &State) -> Outline {
    of_tasks(tasks, state, Speed::of(session))
}

/// The outline of an `up` of another process that carries out the same steps. The journal that was read may be older than the run.
pub fn outline_of(session: &Session, through: Option<&str>, replace: &[String]) -> Outline {
    // Steps that do not fit together are the other run's error to report.
    let tasks = session.steps(through).ok().and_then(|selection| {
        let is_check = |step: &&Step| !step.kind.is_check();
        let steps: Vec<Step> = selection.steps.iter().filter(is_check).cloned().collect();
        let tasks = tasks::present(&steps, &selection.graph).ok()?;
        let stays = session.own.is_some();
        let replaced = Replacement::of(&steps, &selection.graph, replace, stays);
        replacing(tasks, &selection.graph, &session.state, &replaced, stays).ok()
    });
    outline(session, &tasks.unwrap_or_default(), &session.state)
}

/// The same for a known speed. Pure.
pub fn of_tasks(tasks: &[Task], state: &State, speed: Speed) -> Outline {
    let inside = inside(tasks);
    let keys: BTreeMap<String, String> = tasks
        .iter()
        .map(|task| match task.goal {
            TaskGoal::Absent { replaced: true, .. } => (task.id(), deletion_of(&task.step.id)),
            _ => (task.id(), task.step.id.clone()),
        })
        .collect();
    let key = |id: &String| keys.get(id).unwrap_or(id).clone();
    let steps = tasks.iter().map(|task| {
        let (expected, if_sent) = match &task.goal {
            TaskGoal::Present { with, replaced, .. } => {
                let tracked = tracked(&task.step, state);
                let create = creation(&task.step, tracked, speed);
                let is_there = tracked.is_some_and(|tracked| {
                    let is_made = tracked.open.is_none() && tracked.made.is_some();
                    tracked.is_ours() && is_made && replaced.is_none()
                });
                // One that comes along with its parent takes no time of its own.
                let expected = match is_there || with.is_some() {
                    true => FOUND,
                    false => create,
                };
                (expected, create)
            }
            TaskGoal::Absent { with, .. } => {
                let delete = match speed {
                    Speed::Times(times) => usual(task.step.kind.name(), Goal::Delete).faster(times),
                    Speed::Unknown => Usual::default(),
                };
                let stays = *with || task.step.keep || !task.step.kind.is_deletable();
                (if stays { Usual::default() } else { delete }, delete)
            }
            TaskGoal::Found | TaskGoal::Check { .. } => (FOUND, FOUND),
        };
        let step = OutlineStep {
            chapter: task.step.chapter.clone(),
            after: task.after.iter().map(key).collect(),
            expected,
            if_sent,
            inside: inside.get(&task.id()).cloned(),
        };
        (key(&task.id()), step)
    });
    Outline {
        steps: steps.collect(),
        estimates: speed != Speed::Unknown,
    }
}

/// What is deleted with each task's resource, in words: `2 pools and 48 objects`. Pure.
pub fn inside(tasks: &[Task]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    // What is deleted before its parent is not deleted with it.
    let early = tasks.iter().filter_map(|task| match &task.goal {
        TaskGoal::Absent {
            tracked,
            early: true,
            ..
        } => Some(&tracked.resource),
        _ => None,
    });
    let early: Vec<&ResourceId> = early.collect();
    for task in tasks {
        let TaskGoal::Absent { inside, .. } = &task.goal else {
            continue;
        };
        let inside = inside.iter().filter(|resource| !early.contains(resource));
        let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for resource in inside {
            let noun = match resource.kind.as_str() {
                "container.nodePool" => (0, "pool"),
                kind if kind.starts_with("kubernetes.") => (1, "object"),
                "storage.object" => (1, "object"),
                "dns.records" => (2, "record set"),
                _ => (3, "setting"),
            };
            *counts.entry(noun).or_default() += 1;
        }
        let said = counts.iter().map(|((_, noun), number)| match number {
            1 => format!("1 {noun}"),
            _ => format!("{number} {noun}s"),
        });
        let said = said.collect::<Vec<_>>().join(" and ");
        if !said.is_empty() {
            all.insert(task.id(), said);
        }
    }
    all
}

/// What the journal records of a step's resource.
fn tracked<'a>(step: &Step, state: &'a State) -> Option<&'a TrackedResource> {
    let mut newest = state.resources.iter().rev();
    newest.find(|tracked| tracked.is_of(step))
}

/// How long it takes to create it.
fn creation(step: &Step, tracked: Option<&TrackedResource>, speed: Speed) -> Usual {
    match (tracked.and_then(|tracked| tracked.took), speed) {
        (Some(took), _) => Usual::around(took),
        (None, Speed::Times(times)) => usual(step.kind.name(), Goal::Create).faster(times),
        (None, Speed::Unknown) => Usual::default(),
    }
}

#[cfg(test)]
mod tests {

    use serde_json::{Value, json};

    use super::*;
    use crate::engine::entry::{ChangeVerb, Entry};
    use crate::kinds::ResourceId;

    fn task(id: &str, kind: &str, after: &[&str]) -> Task {
        let at = json!({"project": "p", "location": "z", "cluster": "c"});
        Task {
            step: Step {
                id: id.to_owned(),
                chapter: "cluster".to_owned(),
                ..Step::sample(kind, &at, Value::Null)
            },
            after: after.iter().map(|id| (*id).to_owned()).collect(),
            goal: TaskGoal::Present {
                inside: Vec::new(),
                with: None,
                adopt: false,
                prunes: false,
                replaced: None,
            },
        }
    }

    /// A journal with the cluster's create, and its end if it took this many milliseconds.
    fn journal(took: Option<u64>) -> State {
        let cluster = ResourceId {
            kind: "container.cluster".to_owned(),
            at: task("cluster", "container.cluster", &[]).step.at,
        };
        let (at, key) = ("2026-01-01T00:00:00Z".to_owned(), cluster.key());
        let mut state = State::default();
        let intent = Entry::Intent {
            at: at.clone(),
            step: "cluster".to_owned(),
            resource: cluster,
            verb: ChangeVerb::Create,
            request: "r".to_owned(),
            parts: Vec::new(),
            inside: Vec::new(),
        };
        state.take_alone(&intent).unwrap();
        if let Some(took) = took {
            state.take_alone(&Entry::Done { at, key, took }).unwrap();
        }
        state
    }

    #[test]
    fn a_step_takes_as_long_as_the_last_time_or_as_the_table_says() {
        let tasks = [task("cluster", "container.cluster", &["network"])];
        let table = Usual::seconds(240, 600);
        let last = Usual::around(300_000);
        for (state, speed, expected, if_sent) in [
            (State::default(), Speed::Times(1), table, table),
            (
                State::default(),
                Speed::Times(60),
                table.faster(60),
                table.faster(60),
            ),
            (
                State::default(),
                Speed::Unknown,
                Usual::default(),
                Usual::default(),
            ),
            // An open request is waited for.
            (journal(None), Speed::Times(1), table, table),
            // One that is there is only looked at.
            (journal(Some(300_000)), Speed::Times(1), FOUND, last),
            (journal(Some(300_000)), Speed::Unknown, FOUND, last),
        ] {
            let outline = of_tasks(&tasks, &state, speed);
            let step = &outline.steps["cluster"];
            assert_eq!(
                (step.expected, step.if_sent),
                (expected, if_sent),
                "{speed:?}"
            );
            assert_eq!(outline.estimates, speed != Speed::Unknown);
            assert_eq!(step.after, ["network".to_owned()].into());
        }
    }

    #[test]
    fn what_comes_along_takes_no_time_of_its_own() {
        let mut pool = task("pool", "container.nodePool", &["cluster"]);
        pool.goal = TaskGoal::Present {
            inside: Vec::new(),
            with: Some("cluster".to_owned()),
            prunes: false,
            adopt: false,
            replaced: None,
        };
        let outline = of_tasks(&[pool], &State::default(), Speed::Times(1));
        let step = &outline.steps["pool"];
        assert_eq!(step.expected, FOUND);
        assert_eq!(step.if_sent, Usual::seconds(60, 120));
    }

    #[test]
    fn what_is_deleted_with_a_cluster_is_counted() {
        let cluster = journal(Some(1)).resources.remove(0);
        let resource = |kind: &str| ResourceId {
            kind: kind.to_owned(),
            at: cluster.resource.at.clone(),
        };
        let mut task = task("cluster", "container.cluster", &[]);
        let mut said = |kinds: &[&str]| {
            task.goal = TaskGoal::Absent {
                tracked: Box::new(cluster.clone()),
                inside: kinds.iter().map(|kind| resource(kind)).collect(),
                with: false,
                early: false,
                replaced: false,
            };
            inside(std::slice::from_ref(&task)).remove("cluster")
        };
        let pool = "container.nodePool";
        let object = "kubernetes.object";
        for (kinds, expected) in [
            (&[][..], None),
            (&[pool], Some("1 pool")),
            (&[object, pool, object, pool], Some("2 pools and 2 objects")),
        ] {
            assert_eq!(said(kinds).as_deref(), expected);
        }
    }

    #[test]
    fn the_pace_of_the_emulator_is_its_speed() {
        for (pace, speed) in [
            ("0", Speed::Unknown),
            ("real", Speed::Times(1)),
            ("real/60", Speed::Times(60)),
            ("nonsense", Speed::Unknown),
        ] {
            assert_eq!(Speed::of_pace(pace), speed, "{pace}");
        }
    }
}
