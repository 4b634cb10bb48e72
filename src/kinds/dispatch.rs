//! What a kind does: each verb, and the one `match` on who does it.

use serde_json::{Map, Value};

use super::checks::{self, CheckResult};
use super::{
    Clients, Kind, MutationResult, Observed, ResourceId, clusters, iam_policy, kubernetes,
    leftovers, object, path_template, records, residents, resource, restart, services,
};
use crate::google::{ApiError, Operation};

impl Kind {
    /// Looks whether a claim holds; none where the kind is none.
    pub async fn check(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<Result<CheckResult, ApiError>> {
        match self {
            Kind::Claim(claim) => Some(checks::look(claim, door, at, want).await),
            _ => None,
        }
    }

    /// What decides otherwise than a claim expected, where that can be said.
    pub async fn hint(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<String> {
        match self {
            Kind::Claim(claim) => checks::hint(claim, door, at, want).await,
            _ => None,
        }
    }

    /// Looks at the thing. A set counts as absent while none of `parts` is in it. `want` is null where no step wants it any more.
    pub async fn look(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        if self.is_in_cluster() {
            let look = || self.seen(door, at, want, parts);
            return clusters::steadily(door, look).await;
        }
        self.seen(door, at, want, parts).await
    }

    /// Makes the thing.
    pub async fn create(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        match self {
            Kind::Resource(row) => resource::create(row, door, at, want, request).await,
            Kind::Members(policy) => iam_policy::add(policy, door, at, want).await,
            Kind::Records => records::add(door, at, want).await,
            Kind::Services => services::enable(door, at, want).await,
            Kind::Object => object::upload(door, at, want).await,
            Kind::Kubernetes => {
                clusters::steadily(door, || kubernetes::apply(door, at, want)).await
            }
            Kind::Restart => clusters::steadily(door, || restart::restart(door, at, want)).await,
            Kind::Wait(_) | Kind::Claim(_) => Err(ApiError::unsent(
                self.name(),
                "there is nothing here to wait for",
            )),
        }
    }

    /// Changes the fields that differ.
    pub async fn update(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        live: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        match self {
            Kind::Resource(row) => resource::update(row, door, at, want, live, request).await,
            _ => self.create(door, at, want, request).await,
        }
    }

    /// Removes the thing, or the named parts of a set.
    pub async fn delete(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        parts: &[String],
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        match self {
            Kind::Resource(row) => resource::delete(row, door, at, request).await,
            Kind::Members(policy) => iam_policy::remove(policy, door, at, parts).await,
            Kind::Records => records::remove(door, at, parts).await,
            Kind::Object => object::delete(door, at).await,
            Kind::Kubernetes => {
                clusters::steadily(door, || residents::none(door, at)).await?;
                clusters::steadily(door, || kubernetes::delete(door, at)).await
            }
            // Other things in the project may have come to rely on an API: it stays on.
            Kind::Services | Kind::Restart | Kind::Wait(_) | Kind::Claim(_) => {
                Ok(MutationResult::Now)
            }
        }
    }

    /// The operation that still runs on the thing: how to find again a request whose answer was lost.
    pub async fn running(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Option<Operation>, ApiError> {
        match self {
            Kind::Resource(row) => resource::running(row, door, at).await,
            _ => Ok(None),
        }
    }

    /// What others left inside the thing that is ours to clear away before it can go; only with their maker's marks.
    pub async fn leftovers(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Vec<ResourceId>, ApiError> {
        match self {
            Kind::Resource(row) if row.leftovers => {
                leftovers::inside(door, &path_template::path(row.path, at)?, at).await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn seen(
        &self,
        door: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        let live = match self {
            Kind::Resource(row) => return resource::look(row, door, at).await,
            Kind::Kubernetes => return kubernetes::look(door, at, want).await,
            Kind::Restart => return restart::look(door, at, want).await,
            Kind::Wait(wait) => return wait.look(door, at, want).await,
            Kind::Claim(claim) => {
                let seen = checks::look(claim, door, at, want).await?;
                return Ok(match seen.holds {
                    true => Observed::Here(seen.seen.into()),
                    false => Observed::Settling(seen.seen),
                });
            }
            Kind::Object => object::look(door, at).await?,
            Kind::Members(policy) => iam_policy::look(policy, door, at).await?,
            Kind::Records => records::look(door, at).await?,
            Kind::Services => services::look(door, at, parts).await?,
        };
        Ok(match live {
            Some(live) if parts.is_empty() || !self.present(parts, &live).is_empty() => {
                Observed::Here(live)
            }
            _ => Observed::Absent,
        })
    }
}
