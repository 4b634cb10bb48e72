//! What an earlier run left: open requests in the journal, resources with the names of the steps that the journal does not record,
//! and what GKE left in the network.

use futures_util::future::join_all;

use super::super::ending::command;
use super::inputs::Inputs;
use crate::google::{ApiError, Class};
use crate::kinds::{Observed, ResourceId, Step};
use crate::ui::doctor::Finding;

/// The most names in a line.
const NAMED: usize = 3;

/// What was found.
#[derive(Debug, Default)]
struct Found {
    /// Requests that the journal has as open.
    open: usize,
    /// Resources that no journal records.
    unrecorded: Vec<String>,
    /// What GKE left in the network without a cluster of ours.
    of_gke: Vec<String>,
    /// The first read that failed.
    unread: Option<ApiError>,
}

/// Reads every resource that the journal does not record.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let state = &inputs.session.state;
    let mut found = Found {
        open: state
            .resources
            .iter()
            .filter(|one| one.open.is_some())
            .count(),
        ..Found::default()
    };
    let is_unrecorded = |step: &&Step| {
        // Members and records are parts of what is not ours, and all environments share what a project has once.
        let kind = step.kind;
        let is_single = kind.parts(&step.want).is_empty() && !kind.is_project_wide();
        let key = ResourceId::new(kind, step.at.clone()).key();
        step.lookup.is_none()
            && is_single
            && kind.is_deletable()
            && !kind.is_in_cluster()
            && state.get(&key).is_none()
    };
    let steps = inputs.ready.steps.iter().filter(is_unrecorded);
    let looks = steps.map(|step| async move {
        let look = step.kind.look(&inputs.clients, &step.at, &step.want, &[]);
        (step, look.await)
    });
    for (step, look) in join_all(looks).await {
        match look {
            Ok(Observed::Absent) => {}
            Ok(_) => found.unrecorded.push(step.id.clone()),
            Err(error) => found.note(error),
        }
    }
    let has_cluster = state
        .ours()
        .any(|ours| ours.resource.kind == "container.cluster");
    let network = inputs
        .ready
        .steps
        .iter()
        .find(|step| is_searched(step) && !has_cluster);
    if let Some(step) = network {
        match step.kind.leftovers(&inputs.clients, &step.at).await {
            Ok(left) => found.of_gke = left.found.iter().map(ResourceId::short).collect(),
            Err(error) => found.note(error),
        }
    }
    let verb = |verb: &str| command(inputs.session, verb);
    vec![verdict(&found, &verb)]
}

/// Whether GKE's leftovers in it are this environment's: a network that is only looked up may have clusters of others, whose rules
/// are in use, and `down` does not delete it. Pure.
fn is_searched(step: &Step) -> bool {
    step.kind.name() == "compute.network" && step.lookup.is_none()
}

impl Found {
    /// An API that is off, a resource that does not exist and a name that cannot be built yet have no leftovers.
    fn note(&mut self, error: ApiError) {
        let is_nothing = [Class::ApiDisabled, Class::NotFound, Class::BadRequest];
        if !is_nothing.contains(&error.class) {
            self.unread.get_or_insert(error);
        }
    }
}

/// Pure; `command` is a command for the same environment.
fn verdict(found: &Found, command: &dyn Fn(&str) -> String) -> Finding {
    let names = |names: &[String]| {
        let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
        match names.len() - named.len() {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    };
    if found.open > 0 {
        return Finding::warn(
            match found.open {
                1 => "the last run did not learn how 1 request ended".to_owned(),
                open => format!("the last run did not learn how {open} requests ended"),
            },
            format!(
                "`{}` continues it, `{}` removes what it made",
                command("up"),
                command("down")
            ),
        );
    }
    if !found.unrecorded.is_empty() {
        return Finding::warn(
            format!(
                "{} resources have the names of the steps and are not in the journal: {}",
                found.unrecorded.len(),
                names(&found.unrecorded)
            ),
            format!(
                "if an earlier run made them, `{}` records them; otherwise use other names: --env NAME",
                command("adopt")
            ),
        );
    }
    if !found.of_gke.is_empty() {
        return Finding::warn(
            format!("GKE left {} in the network", names(&found.of_gke)),
            format!("`{}` removes them with the network", command("down")),
        );
    }
    match &found.unread {
        Some(error) => Finding::skip(
            format!(
                "not everything could be read: {}",
                error.message.trim_end_matches('.')
            ),
            error.hint(),
        ),
        None => Finding::pass("nothing of an earlier run that the journal does not record"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::super::testing::refused;
    use super::*;
    use crate::steps::Lookup;
    use crate::ui::doctor::Verdict::{Pass, Skip, Warn};

    #[test]
    fn what_is_left_is_named_with_the_command() {
        let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("r{n}")).collect() };
        let found = Found::default;
        for (found, expected, words) in [
            (found(), Pass, "nothing"),
            (Found { open: 2, ..found() }, Warn, "how 2 requests ended"),
            (
                Found {
                    unrecorded: names(5),
                    ..found()
                },
                Warn,
                "r0, r1, r2 and 2 more",
            ),
            (
                Found {
                    of_gke: names(1),
                    ..found()
                },
                Warn,
                "GKE left r0",
            ),
            (
                Found {
                    unread: Some(refused(Class::PermissionDenied)),
                    ..found()
                },
                Skip,
                "it is refused",
            ),
        ] {
            let finding = verdict(&found, &|verb| format!("provision {verb}"));
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
        let mut found = found();
        found.note(refused(Class::ApiDisabled));
        assert!(found.unread.is_none());
    }

    #[test]
    fn a_network_of_others_is_not_searched() {
        let of =
            |kind: &str| Step::sample(kind, &json!({"project": "p", "network": "n"}), json!({}));
        assert!(is_searched(&of("compute.network")));
        assert!(!is_searched(&of("compute.subnetwork")));
        let lookup = Some(Lookup {
            at: Map::new(),
            params: Vec::new(),
        });
        assert!(!is_searched(&Step {
            lookup,
            ..of("compute.network")
        }));
    }
}
