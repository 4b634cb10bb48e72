//! What the checks of `doctor` read: the session, the steps and the clients. It sends nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::super::session::{Prepared, Session};
use crate::google::{Api, ApiError, Call, Client, NoWatch};
use crate::kinds::permissions::Permissions;
use crate::kinds::{Clients, Step};

/// What every check reads.
pub struct Inputs<'a> {
    /// The environment.
    pub session: &'a Session,
    /// The steps and the client.
    pub ready: &'a Prepared,
    /// The clients of kinds.
    pub clients: Clients,
}

impl<'a> Inputs<'a> {
    pub fn new(session: &'a Session, ready: &'a Prepared) -> Inputs<'a> {
        Inputs {
            session,
            ready,
            clients: Clients {
                client: ready.client.clone(),
                watch: Arc::new(NoWatch),
                clusters: ready.clusters(false),
            },
        }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.ready.client
    }

    /// Sends a call.
    pub async fn send(&self, call: Call) -> Result<Value, ApiError> {
        self.client().send(&call, &NoWatch).await
    }

    /// Whether the cloud is a server on this machine.
    pub fn is_loopback(&self) -> bool {
        let endpoints = self.client().endpoints();
        endpoints.is_loopback(Api::CloudResourceManager)
    }

    /// The value of a parameter that is a text.
    pub fn param(&self, name: &str) -> Option<String> {
        let params = self.session.resolved().ok()?;
        params.get(name)?.as_str().map(str::to_owned)
    }

    /// The projects that the steps are about, the session's own first.
    pub fn projects(&self) -> Vec<String> {
        let own = &self.session.project;
        let others: BTreeSet<&str> = self
            .ready
            .steps
            .iter()
            .filter_map(|step| step.at.get("project")?.as_str())
            .filter(|project| project != own)
            .collect();
        let others = others.into_iter().map(str::to_owned);
        std::iter::once(own.clone()).chain(others).collect()
    }

    /// The steps that are about a project.
    pub fn of_project(&self, project: &str) -> Vec<Step> {
        of_project(&self.ready.steps, &self.session.project, project)
    }

    /// The permissions that the steps need, by project.
    pub fn permissions(&self) -> BTreeMap<String, BTreeSet<&'static str>> {
        let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for step in &self.ready.steps {
            let project = step.at.get("project").and_then(Value::as_str);
            let project = project.unwrap_or(&self.session.project).to_owned();
            found.entry(project).or_default().extend(needed(step));
        }
        found
    }
}

/// The steps that are about a project; those that name none are about `own`. Pure.
fn of_project(steps: &[Step], own: &str, project: &str) -> Vec<Step> {
    let is_its = |step: &&Step| {
        let named = step.at.get("project").and_then(Value::as_str);
        named.unwrap_or(own) == project
    };
    steps.iter().filter(is_its).cloned().collect()
}

/// The permissions that `up` and `down` need for a step. What a step only looks up is read. What is in a cluster is deleted with
/// it, and what is kept is not deleted at all. Pure.
pub fn needed(step: &Step) -> Vec<&'static str> {
    let Permissions {
        read,
        change,
        delete,
    } = step.kind.permissions(&step.at);
    let is_deleted = step.kind.is_deletable() && !step.keep && !step.kind.is_in_cluster();
    let mut all = read.to_vec();
    all.extend(step.kind.permissions_for(&step.want));
    if step.lookup.is_none() {
        all.extend(change);
        all.extend(delete.iter().filter(|_| is_deleted));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_project_has_its_own_steps() {
        let of = |at: Value| Step::sample("compute.subnetwork", &at, json!({}));
        let steps = [
            of(json!({"project": "p"})),
            of(json!({"project": "host"})),
            of(json!({})),
        ];
        let found = |project: &str| of_project(&steps, "p", project).len();
        assert_eq!((found("p"), found("host"), found("x")), (2, 1, 0));
    }
}
