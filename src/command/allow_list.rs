//! The allow list of a cluster's API server: the part of a step that states it, and whether the live cluster has it. Nothing is
//! changed; `authorize` and `up` change the list.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::output::{note, say};
use super::session::{Prepared, Session};
use crate::engine::entry::now;
use crate::google::NoWatch;
use crate::kinds::{Clients, Observed, Step};
use crate::ui::json_line;

/// The step with nothing but its allow list, if its kind has one.
pub fn only(step: &Step) -> Option<Step> {
    let path = step.kind.allow_list()?;
    // The switch beside the list is kept too: a list that is off allows everyone.
    let (holder, _) = path.rsplit_once('.')?;
    let value = at(&step.want, holder)?;
    let want = holder.split('.').rev().fold(value.clone(), |inner, key| {
        Value::Object(Map::from_iter([(key.to_owned(), inner)]))
    });
    Some(Step {
        want,
        ..step.clone()
    })
}

/// The ranges in a body with an allow list.
pub fn networks(want: &Value) -> Vec<String> {
    match want {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if key == "cidrBlock" => vec![text.clone()],
                value => networks(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(networks).collect(),
        _ => Vec::new(),
    }
}

/// Reports the ranges of the run that a living cluster of ours does not allow yet, before the run reports anything else: from here,
/// the cluster's API server does not answer. `adds` is the sentence's end: what adds them. An error is left to the run.
pub async fn note_missing(session: &Session, ready: &Prepared, adds: &str) {
    let clients = Clients {
        client: ready.client.clone(),
        watch: Arc::new(NoWatch),
        clusters: ready.clusters(false),
    };
    let lives = |step: &&Step| session.state.ours().any(|ours| ours.is_of(step));
    for step in ready.steps.iter().filter(lives) {
        let Some(list) = only(step) else { continue };
        let seen = step.kind.look(&clients, &step.at, &list.want, &[]).await;
        let Ok(Observed::Here(live)) = seen else {
            continue;
        };
        let there = step.kind.allow_list().and_then(|path| at(&live, path));
        let there = there.map(networks).unwrap_or_default();
        let mut missing = networks(&list.want);
        missing.retain(|network| !there.contains(network));
        if missing.is_empty() {
            continue;
        }
        if session.json() {
            let told = json!({
                "event": "not-on-allow-list", "step": step.id, "networks": missing, "at": now(),
            });
            say(&json_line(&told));
        } else {
            let (id, missing) = (&step.id, missing.join(", "));
            note(&format!(
                "note: {missing} is not on the allow list of {id}, whose API server does not answer it yet: {adds}"
            ));
        }
    }
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}
