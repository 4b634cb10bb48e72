//! What a step can be: a plain Google resource (a row of the table) or one of a few behaviours.
//!
//! A kind looks, compares, creates, changes and removes one thing. It does not know steps, their order, the journal or
//! the screen, and no kind knows another. The one `match` on what a kind is stands here.

pub mod checks;
mod clusters;
mod definitions;
mod difference;
mod dispatch;
mod evidence;
pub mod iam_policy;
mod injection;
mod isolation;
mod kubernetes;
mod leftovers;
pub mod live_snapshot;
mod mesh;
pub mod nodes;
mod object;
pub mod own;
mod own_mesh;
mod ownership;
mod path_template;
mod pods;
mod ready;
mod records;
mod refused;
mod residents;
mod resource;
mod resource_id;
pub mod resource_spec;
pub mod resource_table;
mod restart;
mod revision;
mod services;
mod step;
mod unhealthy;
pub mod waits;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::google::{Api, Client, Operation, Watch};
use checks::Check;
pub use clusters::Clusters;
pub use difference::{FieldDiff, same_name};
use iam_policy::IamPolicySpec;
use path_template::PathError;
pub use resource_id::ResourceId;
use resource_spec::ResourceSpec;
pub use step::{Step, bind, check};
use waits::Wait;

/// What every kind needs to reach Google and the clusters there.
#[derive(Clone)]
pub struct Clients {
    /// The client.
    pub client: Client,
    /// Who is told of retries and progress.
    pub watch: Arc<dyn Watch>,
    /// Connections to clusters.
    pub clusters: Clusters,
}

/// What a look found.
#[derive(Debug, Clone)]
pub enum Observed {
    /// Nothing there, or none of the parts asked for.
    Absent,
    /// There, but not at rest; says why.
    Settling(String),
    /// There, and waiting will not mend it; says why.
    Broken(String),
    /// There.
    Here(Value),
}

/// What became of a request that changes something.
#[derive(Debug)]
pub enum MutationResult {
    /// Done with the answer.
    Now,
    /// Google goes on with it; this is how to ask.
    Wait(Operation),
}

/// What a step can be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A plain resource.
    Resource(&'static ResourceSpec),
    /// Bindings of an IAM policy, all of them in one read-modify-write.
    Members(&'static IamPolicySpec),
    /// Records of a DNS zone, all of them in one change.
    Records,
    /// APIs of a project, switched on in one batch.
    Services,
    /// An object in a bucket, with its content.
    Object,
    /// A Kubernetes object.
    Kubernetes,
    /// A restart of a namespace's workloads.
    Restart,
    /// Waiting for what others bring about.
    Wait(&'static Wait),
    /// A check of the tutorial: nothing to make, something to hold.
    Check(&'static Check),
}

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Kind> {
        let rows = resource_table::ROWS.iter().map(|spec| Kind::Resource(spec));
        let policies = iam_policy::POLICIES.iter().map(Kind::Members);
        let behaviours = [
            Kind::Records,
            Kind::Services,
            Kind::Object,
            Kind::Kubernetes,
            Kind::Restart,
        ];
        let waits = waits::WAITS.iter().map(Kind::Wait);
        let named_checks = checks::ALL.iter().map(Kind::Check);
        rows.chain(policies)
            .chain(behaviours)
            .chain(waits)
            .chain(named_checks)
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::all().find(|kind| kind.name() == name)
    }

    /// The name that steps use.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Resource(spec) => spec.kind,
            Kind::Members(policy) => policy.kind,
            Kind::Records => records::KIND,
            Kind::Services => services::KIND,
            Kind::Object => object::KIND,
            Kind::Kubernetes => kubernetes::KIND,
            Kind::Restart => restart::KIND,
            Kind::Wait(wait) => wait.kind,
            Kind::Check(check) => check.kind,
        }
    }

    /// The API that serves it.
    pub fn api(&self) -> Api {
        match self {
            Kind::Resource(spec) => spec.api,
            Kind::Members(policy) => policy.api,
            Kind::Records => Api::Dns,
            Kind::Services => Api::ServiceUsage,
            Kind::Object => Api::Storage,
            Kind::Kubernetes | Kind::Restart | Kind::Check(_) => Api::Container,
            Kind::Wait(wait) => wait.api,
        }
    }

    /// Its path below the API's base, with `{x}` where `at` goes in.
    pub fn template(&self) -> &'static str {
        match self {
            Kind::Resource(spec) => spec.path,
            Kind::Members(policy) => policy.path,
            Kind::Records => records::PATH,
            Kind::Services => services::PATH,
            Kind::Object => object::PATH,
            Kind::Kubernetes => kubernetes::PATH,
            Kind::Restart => restart::PATH,
            Kind::Wait(wait) => wait.path,
            Kind::Check(check) => check.path,
        }
    }

    /// The keys that `at` must have.
    pub fn keys(&self) -> Vec<&'static str> {
        let query: &[(&str, &'static str)] = match self {
            Kind::Resource(ResourceSpec {
                create: resource_spec::CreateMethod::Post { query, .. },
                ..
            }) => query,
            _ => &[],
        };
        let mut keys = path_template::keys(self.template());
        keys.extend(
            query
                .iter()
                .flat_map(|(_, template)| path_template::keys(template)),
        );
        keys.dedup();
        keys
    }

    /// Keys that `at` may have beside those.
    pub fn optional_keys(&self) -> &'static [&'static str] {
        match self {
            // Objects of the whole cluster have none.
            Kind::Kubernetes => &["namespace"],
            Kind::Wait(wait) => wait.optional,
            Kind::Check(check) => check.optional,
            _ => &[],
        }
    }

    /// The kind of thing that it lives in and goes with.
    pub fn lives_in(&self) -> Option<&'static str> {
        match self {
            Kind::Resource(spec) => spec.inside.as_ref().map(|inside| inside.parent),
            _ if self.is_in_cluster() => Some("container.cluster"),
            _ => None,
        }
    }

    /// Whether it is a check: nothing that is made or done.
    pub fn is_claim(&self) -> bool {
        matches!(self, Kind::Check(_))
    }

    /// What `want` may say, where that is a short list.
    pub fn fields(&self) -> Option<&'static [&'static str]> {
        match self {
            Kind::Check(check) => Some(check.fields),
            _ => None,
        }
    }

    /// Whether it is asked of a cluster's Kubernetes API.
    pub fn is_in_cluster(&self) -> bool {
        match self {
            Kind::Kubernetes | Kind::Restart => true,
            Kind::Wait(wait) => wait.is_in_cluster(),
            _ => false,
        }
    }

    /// Whether it only waits for what others bring about.
    pub fn is_wait(&self) -> bool {
        matches!(self, Kind::Wait(_))
    }

    /// Whether it is something that is done, with nothing to remove afterwards.
    pub fn is_done_not_made(&self) -> bool {
        self.is_wait() || matches!(self, Kind::Restart | Kind::Services | Kind::Check(_))
    }

    /// Fields of what is there that other steps may refer to.
    pub fn outputs(&self) -> &'static [&'static str] {
        match self {
            Kind::Resource(spec) => spec.outputs,
            Kind::Kubernetes => &["uid", "version"],
            Kind::Wait(wait) => wait.outputs,
            _ => &[],
        }
    }

    /// The row, where the kind is a plain resource.
    pub fn resource_spec(&self) -> Option<&'static ResourceSpec> {
        match self {
            Kind::Resource(spec) => Some(spec),
            _ => None,
        }
    }

    /// Its path, filled; an error names the key that is missing.
    pub fn path(&self, at: &Map<String, Value>) -> Result<String, PathError> {
        let path = path_template::fill(self.template(), at)?;
        let namespace = at.get("namespace").and_then(Value::as_str);
        // An object's version has a slash of its own, and its namespace a place in the path.
        let is_object = self.template().contains("{apiVersion}");
        Ok(match (namespace, path.rsplit_once('/')) {
            (Some(namespace), Some((kind, name))) if is_object => {
                format!("{kind}/{namespace}/{name}").replace("%2F", "/")
            }
            _ if is_object => path.replace("%2F", "/"),
            _ => path,
        })
    }

    /// What must not be changed by two requests at once.
    pub fn lock(&self, at: &Map<String, Value>) -> Option<String> {
        match self {
            Kind::Resource(spec) => spec
                .lock
                .and_then(|lock| path_template::fill(lock, at).ok()),
            // A policy or a zone is read, changed and written whole.
            Kind::Members(_) | Kind::Records => self.path(at).ok(),
            _ => None,
        }
    }

    /// The parts of a thing that is a set, as the journal names them; empty where the thing is one.
    pub fn parts(&self, want: &Value) -> Vec<String> {
        match self {
            Kind::Members(_) => iam_policy::parts(want),
            Kind::Records => records::parts(want),
            Kind::Services => services::parts(want),
            _ => Vec::new(),
        }
    }

    /// Those of `parts` that are there.
    pub fn present(&self, parts: &[String], live: &Value) -> Vec<String> {
        let there = self.parts_of_live(live);
        parts
            .iter()
            .filter(|part| there.contains(part))
            .cloned()
            .collect()
    }

    fn parts_of_live(&self, live: &Value) -> Vec<String> {
        match self {
            Kind::Members(_) => iam_policy::parts(live),
            Kind::Records => records::parts(live),
            Kind::Services => services::enabled(live),
            _ => Vec::new(),
        }
    }

    /// The fields of `want` that `live` does not have. Pure.
    pub fn diff(&self, want: &Value, live: &Value) -> Vec<FieldDiff> {
        match self {
            Kind::Resource(spec) => difference::diff(spec, want, live),
            Kind::Object => object::diff(want, live),
            Kind::Records => records::diff(want, live),
            Kind::Kubernetes => kubernetes::diff(live),
            Kind::Restart | Kind::Wait(_) | Kind::Check(_) => Vec::new(),
            Kind::Members(_) | Kind::Services => {
                let there = self.parts_of_live(live);
                let missing = self
                    .parts(want)
                    .into_iter()
                    .filter(|part| !there.contains(part));
                missing
                    .map(|part| FieldDiff {
                        path: part,
                        have: Value::Null,
                        want: true.into(),
                        fixed: false,
                        owner: None,
                    })
                    .collect()
            }
        }
    }

    /// What others may know of the thing: of a row, the fields it gives.
    pub fn outputs_of(&self, live: &Value) -> Map<String, Value> {
        if let Kind::Kubernetes = self {
            return kubernetes::give(live);
        }
        let known = self
            .outputs()
            .iter()
            .filter_map(|field| Some(((*field).to_owned(), live.get(field)?.clone())));
        known.collect()
    }
}
