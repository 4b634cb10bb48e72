//! A rehearsal in the user's own cluster (`--emulate --kubeconfig`): what must be true before the first change.
//!
//! Nothing is changed here: not the cluster, not the emulator, not the journal.

use super::own_cluster::{kubectl, quoted};
use super::session::{Prepared, Session};
use super::signals;
use crate::engine::change::Change;
use crate::engine::event::{Event, RunOutcome};
use crate::engine::failure::differences;
use crate::engine::journal::JournalAccess;
use crate::engine::run::run;
use crate::engine::state::State;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::kinds::FieldDiff;
use crate::kinds::Step;
use crate::kinds::nodes::RequiredPool;
use crate::ui::plain;

/// The kind of step that waits for Istio's kinds of objects.
const DEFINITIONS: &str = "kubernetes.definitions";
/// The kind of step that waits for nodes.
const NODES: &str = "kubernetes.nodes";
/// The kind of step whose resource is an object in the cluster.
const OBJECT: &str = "kubernetes.object";

/// Reads everything before the first change: whether the cluster has Istio's kinds of objects and the nodes that the steps want,
/// and whether objects that exist under our names are ours. Google's half is read too, because objects refer to it.
///
/// # Errors
/// What is missing or in the way, one line each.
pub async fn before(
    session: &Session,
    ready: &Prepared,
    state: &State,
    adopts: bool,
) -> Result<(), CommandError> {
    let Some(own) = &session.own else {
        return Ok(());
    };
    let several = ready
        .steps
        .iter()
        .filter(|step| step.kind.name() == "container.cluster");
    if several.count() > 1 {
        return Err(CommandError::usage(
            "the steps contain several clusters, but --kubeconfig names one",
            "use steps that contain one cluster",
        ));
    }
    let tasks = tasks::present(&ready.steps, &ready.graph)?;
    let tasks = match adopts {
        true => tasks::adopting(tasks),
        false => tasks,
    };
    let mut found = Preflight::default();
    let ended = run(
        &ready.client,
        ready.clusters(session.force),
        tasks,
        JournalAccess::Read(state),
        |event| found.record(event, &ready.steps, session.force),
        session.deletion_patience,
        signals::listen(),
    )
    .await;
    if ended.how() == RunOutcome::Interrupted {
        return Err(CommandError {
            exit: Exit::Interrupted,
            errors: Vec::new(),
            hint: None,
        });
    }
    let kubectl = kubectl(&own.identity);
    if !found.istio.is_empty() {
        return Err(CommandError::failed(
            format!("the cluster has no Istio: {}", found.istio.join("; ")),
            &format!(
                "install it (`istioctl install --kubeconfig {} --context {}`), then run again",
                quoted(&own.identity.file),
                quoted(&own.identity.context)
            ),
        ));
    }
    // Steps are read concurrently; a command to copy must be the same each time.
    found.pools.sort_by(|a, b| a.name.cmp(&b.name));
    if !found.pools.is_empty() {
        let lack = own
            .lacks(&found.pools)
            .await
            .map_err(|error| CommandError {
                exit: Exit::Failed,
                errors: vec![format!("cannot read the cluster's nodes: {error}")],
                hint: error.hint(),
            })?;
        if let Some(lack) = lack {
            let hint = match lack.kubectl.as_slice() {
                [] => {
                    "add nodes: one for the applications, and one for the gateway alone".to_owned()
                }
                all => {
                    let all = all.iter().map(|one| format!("{kubectl} {one}"));
                    all.collect::<Vec<_>>().join(" && ")
                }
            };
            let error = format!(
                "the cluster's nodes do not match the steps: {}",
                lack.says.join("; ")
            );
            return Err(CommandError::failed(error, &hint));
        }
    }
    if found.errors.is_empty() {
        return Ok(());
    }
    Err(CommandError {
        exit: Exit::Failed,
        errors: found.errors,
        hint: Some(found.hint.unwrap_or_else(|| {
            "nothing was changed: delete or rename the conflicting objects; if an earlier rehearsal created them and its journal is lost, run `provision adopt` with the same flags; `provision up --adopt` takes them over where it can, and `provision down` then removes them".to_owned()
        })),
    })
}

/// The findings before the first change.
#[derive(Default)]
struct Preflight {
    /// Missing parts of Istio.
    istio: Vec<String>,
    /// Pools that lack something.
    pools: Vec<RequiredPool>,
    /// What cannot be read, and what is not ours.
    errors: Vec<String>,
    hint: Option<String>,
}

impl Preflight {
    fn record(&mut self, event: &Event, steps: &[Step], force: bool) {
        match event {
            Event::Looked {
                step, change, ours, ..
            } => {
                let Some(step) = steps.iter().find(|one| one.id == *step) else {
                    return;
                };
                match (change, step.kind.name()) {
                    (Change::Pending(why), DEFINITIONS) => self.istio.push(why.clone()),
                    (Change::Pending(_), NODES) => {
                        self.pools.push(RequiredPool::of(&step.at, &step.want))
                    }
                    (change, OBJECT) if !ours => {
                        self.errors.extend(foreign_object(step, change, force));
                    }
                    _ => {}
                }
            }
            Event::Failed {
                step, error, hint, ..
            } => {
                self.errors.push(format!("{step}: {error}"));
                self.hint = self.hint.take().or_else(|| hint.clone());
            }
            _ => {}
        }
    }
}

/// Why an object of the cluster that is not ours is in the way; none if it is not. A namespace is in the way even if it is as
/// wanted: objects in it would affect everyone who uses it. With `force`, fields of others may be changed. Pure.
fn foreign_object(step: &Step, change: &Change, force: bool) -> Option<String> {
    let is_namespace = step.at.get("kind").is_some_and(|kind| kind == "Namespace");
    let fields: &[FieldDiff] = match change {
        Change::Conflict(fields) | Change::Fixed(fields) | Change::Foreign(fields) => fields,
        // No field manager owns these fields, but the object is still not ours.
        Change::Update(fields) if !force => fields,
        Change::None if is_namespace => &[],
        Change::Waits(_) if is_namespace => &[],
        _ => return None,
    };
    let name = step.kind.path(&step.at).unwrap_or_default();
    let name = name.split_once("/clusters/").map_or("", |(_, name)| name);
    let name = name.split_once('/').map_or(name, |(_, name)| name);
    let differs = differences(fields);
    let differs = match differs.is_empty() {
        true => String::new(),
        false => format!(": {}", plain(&differs)),
    };
    Some(format!(
        "{}: {name} already exists in the cluster and was not created by provision{differs}",
        step.id
    ))
}

/// The words for the cluster in the question.
pub fn and_in(session: &Session) -> String {
    let own = session.own.as_ref();
    own.map_or_else(String::new, |own| {
        let user = own.user.as_deref().unwrap_or("unknown");
        format!(
            " and in your own cluster ({}, user {user})",
            own.identity.words()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, namespace: Option<&str>, name: &str) -> Step {
        let mut at = json!({"project": "p", "location": "z", "cluster": "c", "apiVersion": "v1", "kind": kind, "name": name});
        if let Some(namespace) = namespace {
            at["namespace"] = namespace.into();
        }
        Step {
            id: "step".to_owned(),
            ..Step::sample("kubernetes.object", &at, Value::Null)
        }
    }

    #[test]
    fn what_is_in_the_way_is_what_differs_and_every_namespace() {
        let fields = vec![FieldDiff {
            path: "spec.mode".to_owned(),
            have: json!("a"),
            want: json!("b"),
            fixed: false,
            owner: None,
        }];
        let there = |what: &str| {
            Some(format!(
                "step: {what} already exists in the cluster and was not created by provision"
            ))
        };
        let service = object("Service", Some("n"), "s");
        let namespace = object("Namespace", None, "n");
        let differs = |what| there(what).map(|told| told + ": spec.mode is \"a\", wanted \"b\"");
        for (step, change, expected) in [
            (&service, Change::Create, None),
            (&service, Change::None, None),
            (&service, Change::Waits(Vec::new()), None),
            (
                &service,
                Change::Foreign(fields.clone()),
                differs("v1/Service/n/s"),
            ),
            (&service, Change::Adopt(fields.clone()), None),
            (
                &service,
                Change::Update(fields.clone()),
                differs("v1/Service/n/s"),
            ),
            (&namespace, Change::Adopt(Vec::new()), None),
            (
                &service,
                Change::Conflict(fields.clone()),
                differs("v1/Service/n/s"),
            ),
            (&namespace, Change::Create, None),
            (&namespace, Change::None, there("v1/Namespace/n")),
            (
                &namespace,
                Change::Waits(Vec::new()),
                there("v1/Namespace/n"),
            ),
            (
                &namespace,
                Change::Foreign(fields.clone()),
                differs("v1/Namespace/n"),
            ),
        ] {
            assert_eq!(foreign_object(step, &change, false), expected, "{change:?}");
        }
        assert_eq!(
            foreign_object(&service, &Change::Update(fields), true),
            None
        );
    }
}
