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
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<Result<CheckResult, ApiError>> {
        match self {
            Kind::Check(check) => Some(checks::look(check, clients, at, want).await),
            _ => None,
        }
    }

    /// What decides otherwise than a claim expected, where that can be said.
    pub async fn hint(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<String> {
        match self {
            Kind::Check(check) => checks::hint(check, clients, at, want).await,
            _ => None,
        }
    }

    /// Looks at the thing. A set counts as absent while none of `parts` is in it. `want` is null where no step wants it any more.
    pub async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        if self.is_in_cluster() {
            let look = || self.seen(clients, at, want, parts);
            return clusters::steadily(clients, look).await;
        }
        self.seen(clients, at, want, parts).await
    }

    /// Makes the thing.
    pub async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        match self {
            Kind::Resource(row) => resource::create(row, clients, at, want, request).await,
            Kind::Members(policy) => iam_policy::add(policy, clients, at, want).await,
            Kind::Records => records::add(clients, at, want).await,
            Kind::Services => services::enable(clients, at, want).await,
            Kind::Object => object::upload(clients, at, want).await,
            Kind::Kubernetes => {
                clusters::steadily(clients, || kubernetes::apply(clients, at, want)).await
            }
            Kind::Restart => {
                clusters::steadily(clients, || restart::restart(clients, at, want)).await
            }
            Kind::Wait(_) | Kind::Check(_) => Err(ApiError::unsent(
                self.name(),
                "a wait or a check changes nothing",
            )),
        }
    }

    /// Changes the fields that differ.
    pub async fn update(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        live: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        match self {
            Kind::Resource(row) => resource::update(row, clients, at, want, live, request).await,
            _ => self.create(clients, at, want, request).await,
        }
    }

    /// Removes the thing, or the named parts of a set.
    pub async fn delete(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        parts: &[String],
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        match self {
            Kind::Resource(row) => resource::delete(row, clients, at, request).await,
            Kind::Members(policy) => iam_policy::remove(policy, clients, at, parts).await,
            Kind::Records => records::remove(clients, at, parts).await,
            Kind::Object => object::delete(clients, at).await,
            Kind::Kubernetes => {
                clusters::steadily(clients, || residents::none(clients, at)).await?;
                clusters::steadily(clients, || kubernetes::delete(clients, at)).await
            }
            // Other things in the project may have come to rely on an API: it stays on.
            Kind::Services | Kind::Restart | Kind::Wait(_) | Kind::Check(_) => {
                Ok(MutationResult::Now)
            }
        }
    }

    /// The operation that still runs on the thing: how to find again a request whose answer was lost.
    pub async fn running(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Option<Operation>, ApiError> {
        match self {
            Kind::Resource(row) => resource::running(row, clients, at).await,
            _ => Ok(None),
        }
    }

    /// What others left inside the thing that is ours to clear away before it can go; only with their maker's marks.
    pub async fn leftovers(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Vec<ResourceId>, ApiError> {
        match self {
            Kind::Resource(row) if row.leftovers => {
                leftovers::inside(clients, &path_template::path(row.path, at)?, at).await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn seen(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        let live = match self {
            Kind::Resource(row) => return resource::look(row, clients, at).await,
            Kind::Kubernetes => return kubernetes::look(clients, at, want).await,
            Kind::Restart => return restart::look(clients, at, want).await,
            Kind::Wait(wait) => return wait.look(clients, at, want).await,
            Kind::Check(check) => {
                let seen = checks::look(check, clients, at, want).await?;
                return Ok(match seen.holds {
                    true => Observed::Here(seen.seen.into()),
                    false => Observed::Settling(seen.seen),
                });
            }
            Kind::Object => object::look(clients, at).await?,
            Kind::Members(policy) => iam_policy::look(policy, clients, at).await?,
            Kind::Records => records::look(clients, at).await?,
            Kind::Services => services::look(clients, at, parts).await?,
        };
        Ok(match live {
            Some(live) if parts.is_empty() || !self.present(parts, &live).is_empty() => {
                Observed::Here(live)
            }
            _ => Observed::Absent,
        })
    }
}
