//! What a step can be: a plain Google resource (a row of the table) or one of a few behaviours.
//!
//! A kind looks, compares, creates, changes and removes one thing. It does not know steps, their order, the journal or
//! the screen, and no kind knows another. The one `match` on what a kind is stands here.

pub mod claims;
mod clusters;
mod difference;
mod evidence;
mod fill;
mod kubernetes;
mod leftovers;
pub mod members;
mod mesh;
mod object;
mod ready;
mod records;
mod rest;
mod restart;
pub mod row;
mod services;
pub mod table;
mod thing;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::google::{Api, ApiError, Client, Operation, Watch};
use claims::{Claim, Seen};
pub use clusters::Clusters;
pub use difference::{Field, same_name};
use members::Policy;
use row::Row;
pub use thing::Thing;

/// What every kind needs to reach Google and the clusters there.
#[derive(Clone)]
pub struct Door {
    /// The client.
    pub client: Client,
    /// Who is told of retries and progress.
    pub watch: Arc<dyn Watch>,
    /// Connections to clusters.
    pub clusters: Clusters,
}

/// What a look found.
#[derive(Debug, Clone)]
pub enum Look {
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
pub enum Sent {
    /// Done with the answer.
    Now,
    /// Google goes on with it; this is how to ask.
    Wait(Operation),
}

/// What a step can be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A plain resource.
    Resource(&'static Row),
    /// Bindings of an IAM policy, all of them in one read-modify-write.
    Members(&'static Policy),
    /// Records of a DNS zone, all of them in one change.
    Records,
    /// APIs of a project, switched on in one batch.
    Services,
    /// An object in a bucket, with its content.
    Object,
    /// A Kubernetes object.
    Kubernetes,
    /// Waiting for a Kubernetes object to be in a condition.
    Ready,
    /// A restart of a namespace's workloads.
    Restart,
    /// Waiting for the managed mesh.
    Mesh,
    /// A check of the tutorial: nothing to make, something to hold.
    Claim(&'static Claim),
}

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Kind> {
        let rows = table::ROWS.iter().map(|row| Kind::Resource(row));
        let policies = members::POLICIES.iter().map(Kind::Members);
        let claims = claims::ALL.iter().map(Kind::Claim);
        rows.chain(policies).chain(claims).chain([
            Kind::Records,
            Kind::Services,
            Kind::Object,
            Kind::Kubernetes,
            Kind::Ready,
            Kind::Restart,
            Kind::Mesh,
        ])
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::all().find(|kind| kind.name() == name)
    }

    /// The name that steps use.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Resource(row) => row.kind,
            Kind::Members(policy) => policy.kind,
            Kind::Records => records::KIND,
            Kind::Services => services::KIND,
            Kind::Object => object::KIND,
            Kind::Kubernetes => kubernetes::KIND,
            Kind::Ready => ready::KIND,
            Kind::Restart => restart::KIND,
            Kind::Mesh => mesh::KIND,
            Kind::Claim(claim) => claim.kind,
        }
    }

    /// What it is.
    pub fn says(&self) -> &'static str {
        match self {
            Kind::Resource(row) => row.says,
            Kind::Members(policy) => policy.says,
            Kind::Records => records::SAYS,
            Kind::Services => services::SAYS,
            Kind::Object => object::SAYS,
            Kind::Kubernetes => kubernetes::SAYS,
            Kind::Ready => ready::SAYS,
            Kind::Restart => restart::SAYS,
            Kind::Mesh => mesh::SAYS,
            Kind::Claim(claim) => claim.says,
        }
    }

    /// The API that serves it.
    pub fn api(&self) -> Api {
        match self {
            Kind::Resource(row) => row.api,
            Kind::Members(policy) => policy.api,
            Kind::Records => Api::Dns,
            Kind::Services => Api::ServiceUsage,
            Kind::Object => Api::Storage,
            Kind::Kubernetes | Kind::Ready | Kind::Restart | Kind::Claim(_) => Api::Container,
            Kind::Mesh => Api::GkeHub,
        }
    }

    /// Its path below the API's base, with `{x}` where `at` goes in.
    pub fn template(&self) -> &'static str {
        match self {
            Kind::Resource(row) => row.path,
            Kind::Members(policy) => policy.path,
            Kind::Records => records::PATH,
            Kind::Services => services::PATH,
            Kind::Object => object::PATH,
            Kind::Kubernetes | Kind::Ready => kubernetes::PATH,
            Kind::Restart => restart::PATH,
            Kind::Mesh => mesh::PATH,
            Kind::Claim(claim) => claim.path,
        }
    }

    /// The keys that `at` must have.
    pub fn keys(&self) -> Vec<&'static str> {
        let query: &[(&str, &'static str)] = match self {
            Kind::Resource(Row {
                create: row::Create::Post { query, .. },
                ..
            }) => query,
            _ => &[],
        };
        let mut keys = fill::keys(self.template());
        keys.extend(query.iter().flat_map(|(_, template)| fill::keys(template)));
        keys.dedup();
        keys
    }

    /// Keys that `at` may have beside those.
    pub fn optional_keys(&self) -> &'static [&'static str] {
        match self {
            // Objects of the whole cluster have none.
            Kind::Kubernetes | Kind::Ready => &["namespace"],
            Kind::Claim(claim) => claim.optional,
            _ => &[],
        }
    }

    /// The kind of thing that it lives in and goes with.
    pub fn lives_in(&self) -> Option<&'static str> {
        match self {
            Kind::Resource(row) => row.inside.as_ref().map(|inside| inside.parent),
            Kind::Kubernetes | Kind::Ready | Kind::Restart => Some("container.cluster"),
            _ => None,
        }
    }

    /// Whether it is a check: nothing that is made or done.
    pub fn is_claim(&self) -> bool {
        matches!(self, Kind::Claim(_))
    }

    /// What `want` may say, where that is a short list.
    pub fn fields(&self) -> Option<&'static [&'static str]> {
        match self {
            Kind::Claim(claim) => Some(claim.fields),
            _ => None,
        }
    }

    /// Looks whether a claim holds; none where the kind is none.
    pub async fn check(
        &self,
        door: &Door,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<Result<Seen, ApiError>> {
        match self {
            Kind::Claim(claim) => Some(claims::look(claim, door, at, want).await),
            _ => None,
        }
    }

    /// Whether it is something that is done, with nothing to remove afterwards.
    pub fn is_done_not_made(&self) -> bool {
        matches!(
            self,
            Kind::Ready | Kind::Restart | Kind::Mesh | Kind::Services | Kind::Claim(_)
        )
    }

    /// Fields of what is there that other steps may refer to.
    pub fn gives(&self) -> &'static [&'static str] {
        match self {
            Kind::Resource(row) => row.gives,
            Kind::Kubernetes => &["uid", "version"],
            _ => &[],
        }
    }

    /// The row, where the kind is a plain resource.
    pub fn row(&self) -> Option<&'static Row> {
        match self {
            Kind::Resource(row) => Some(row),
            _ => None,
        }
    }

    /// Its path, filled; an error names the key that is missing.
    pub fn path(&self, at: &Map<String, Value>) -> Result<String, String> {
        let path = fill::fill(self.template(), at)?;
        let namespace = at.get("namespace").and_then(Value::as_str);
        Ok(match (self, namespace, path.rsplit_once('/')) {
            (Kind::Kubernetes | Kind::Ready, Some(namespace), Some((kind, name))) => {
                format!("{kind}/{namespace}/{name}").replace("%2F", "/")
            }
            (Kind::Kubernetes | Kind::Ready, ..) => path.replace("%2F", "/"),
            _ => path,
        })
    }

    /// What must not be changed by two requests at once.
    pub fn lock(&self, at: &Map<String, Value>) -> Option<String> {
        match self {
            Kind::Resource(row) => row.lock.and_then(|lock| fill::fill(lock, at).ok()),
            // A policy or a zone is read, changed and written whole.
            Kind::Members(_) | Kind::Records => self.path(at).ok(),
            _ => None,
        }
    }

    /// Whether a request that was cut off can be sent again under the same request id.
    pub fn takes_request_id(&self) -> bool {
        self.row().is_some_and(|row| row.request_id)
    }

    /// The parts of a thing that is a set, as the journal names them; empty where the thing is one.
    pub fn parts(&self, want: &Value) -> Vec<String> {
        match self {
            Kind::Members(_) => members::parts(want),
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
            Kind::Members(_) => members::parts(live),
            Kind::Records => records::parts(live),
            Kind::Services => services::enabled(live),
            _ => Vec::new(),
        }
    }

    /// Looks at the thing. A set counts as absent while none of `parts` is in it. `want` is null where no step wants it any more.
    pub async fn look(
        &self,
        door: &Door,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Look, ApiError> {
        let live = match self {
            Kind::Resource(row) => return rest::look(row, door, at).await,
            Kind::Kubernetes => return kubernetes::look(door, at, want).await,
            Kind::Ready => return ready::look(door, at, want).await,
            Kind::Restart => return restart::look(door, at, want).await,
            Kind::Mesh => return mesh::look(door, at).await,
            Kind::Claim(claim) => {
                let seen = claims::look(claim, door, at, want).await?;
                return Ok(match seen.holds {
                    true => Look::Here(seen.seen.into()),
                    false => Look::Settling(seen.seen),
                });
            }
            Kind::Object => object::look(door, at).await?,
            Kind::Members(policy) => members::look(policy, door, at).await?,
            Kind::Records => records::look(door, at).await?,
            Kind::Services => services::look(door, at, parts).await?,
        };
        Ok(match live {
            Some(live) if parts.is_empty() || !self.present(parts, &live).is_empty() => {
                Look::Here(live)
            }
            _ => Look::Absent,
        })
    }

    /// The fields of `want` that `live` does not have. Pure.
    pub fn between(&self, want: &Value, live: &Value) -> Vec<Field> {
        match self {
            Kind::Resource(row) => difference::between(row, want, live),
            Kind::Object => object::between(want, live),
            Kind::Records => records::between(want, live),
            Kind::Kubernetes => kubernetes::between(live),
            Kind::Ready | Kind::Restart | Kind::Mesh | Kind::Claim(_) => Vec::new(),
            Kind::Members(_) | Kind::Services => {
                let there = self.parts_of_live(live);
                let missing = self
                    .parts(want)
                    .into_iter()
                    .filter(|part| !there.contains(part));
                missing
                    .map(|part| Field {
                        path: part,
                        have: Value::Null,
                        want: true.into(),
                        fixed: false,
                    })
                    .collect()
            }
        }
    }

    /// Makes the thing.
    pub async fn create(
        &self,
        door: &Door,
        at: &Map<String, Value>,
        want: &Value,
        request: &str,
    ) -> Result<Sent, ApiError> {
        match self {
            Kind::Resource(row) => rest::create(row, door, at, want, request).await,
            Kind::Members(policy) => members::add(policy, door, at, want).await,
            Kind::Records => records::add(door, at, want).await,
            Kind::Services => services::enable(door, at, want).await,
            Kind::Object => object::upload(door, at, want).await,
            Kind::Kubernetes => kubernetes::apply(door, at, want).await,
            Kind::Restart => restart::restart(door, at, want).await,
            Kind::Ready | Kind::Mesh | Kind::Claim(_) => Err(ApiError::unsent(
                self.name(),
                "there is nothing here to wait for",
            )),
        }
    }

    /// Changes the fields that differ.
    pub async fn update(
        &self,
        door: &Door,
        at: &Map<String, Value>,
        want: &Value,
        live: &Value,
        request: &str,
    ) -> Result<Sent, ApiError> {
        match self {
            Kind::Resource(row) => rest::update(row, door, at, want, live, request).await,
            _ => self.create(door, at, want, request).await,
        }
    }

    /// Removes the thing, or the named parts of a set.
    pub async fn delete(
        &self,
        door: &Door,
        at: &Map<String, Value>,
        parts: &[String],
        request: &str,
    ) -> Result<Sent, ApiError> {
        match self {
            Kind::Resource(row) => rest::delete(row, door, at, request).await,
            Kind::Members(policy) => members::remove(policy, door, at, parts).await,
            Kind::Records => records::remove(door, at, parts).await,
            Kind::Object => object::delete(door, at).await,
            Kind::Kubernetes => kubernetes::delete(door, at).await,
            // Other things in the project may have come to rely on an API: it stays on.
            Kind::Services | Kind::Ready | Kind::Restart | Kind::Mesh | Kind::Claim(_) => {
                Ok(Sent::Now)
            }
        }
    }

    /// The operation that still runs on the thing: how to find again a request whose answer was lost.
    pub async fn running(
        &self,
        door: &Door,
        at: &Map<String, Value>,
    ) -> Result<Option<Operation>, ApiError> {
        match self {
            Kind::Resource(row) => rest::running(row, door, at).await,
            _ => Ok(None),
        }
    }

    /// What others left inside the thing that is ours to clear away before it can go; only with their maker's marks.
    pub async fn leftovers(
        &self,
        door: &Door,
        at: &Map<String, Value>,
    ) -> Result<Vec<Thing>, ApiError> {
        match self {
            Kind::Resource(row) if row.leftovers => {
                leftovers::inside(door, &fill::path(row.path, at)?, at).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What others may know of the thing: of a row, the fields it gives.
    pub fn give(&self, live: &Value) -> Map<String, Value> {
        if let Kind::Kubernetes = self {
            return kubernetes::give(live);
        }
        let known = self
            .gives()
            .iter()
            .filter_map(|field| Some(((*field).to_owned(), live.get(field)?.clone())));
        known.collect()
    }
}
