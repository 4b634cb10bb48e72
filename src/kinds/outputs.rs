//! The values of outputs, read from live resources. A value is a field of a Google resource that its row lists as an output, a
//! value that a request of its own reads, the resource's name, or any field of an object in a cluster. Nothing is changed.

use serde_json::{Map, Value};

use super::Kind;
use super::clusters::Clients;
use super::resource_id::ResourceId;
use super::spec::Observed;
use crate::google::ApiError;
use crate::text::did_you_mean;

/// Why a step's kind has no such field for an output; none if it has. Pure.
pub fn missing_field(kind: Kind, field: &str) -> Option<String> {
    let first = field.split('.').next().unwrap_or_default();
    let name = kind.name();
    if !kind.is_deletable() {
        return Some(format!("{name} has no values for outputs"));
    }
    // Objects have whatever fields their own definition says.
    let known = || kind.outputs().iter().chain(kind.derived()).copied();
    if kind.is_in_cluster() || first == NAME || known().any(|output| output == first) {
        return None;
    }
    let near = did_you_mean(first, known().chain([NAME]));
    Some(format!("{name} gives no `{first}`{near}"))
}

/// The output that every resource has.
const NAME: &str = "name";

/// The resource of a kind at `at`, as it is now; `None` if it does not exist.
///
/// # Errors
/// Google or the cluster does not answer, or denies access.
pub async fn read(
    clients: &Clients,
    kind: Kind,
    at: &Map<String, Value>,
) -> Result<Option<Value>, ApiError> {
    match kind.is_in_cluster() {
        true => {
            let seen = kind.look(clients, at, &Value::Null, &[]).await;
            seen.map(|seen| match seen {
                Observed::Here(mut live) => Some(live["live"].take()),
                _ => None,
            })
        }
        false => kind.read(clients, at).await,
    }
}

/// The value of a field of a live resource; `None` if it has no such field.
///
/// # Errors
/// The request that reads a derived value fails.
pub async fn value(
    clients: &Clients,
    kind: Kind,
    at: &Map<String, Value>,
    live: &Value,
    field: &str,
) -> Result<Option<Value>, ApiError> {
    if kind.derived().contains(&field) {
        return kind.derive(clients, at, field).await;
    }
    let fields = match kind.is_in_cluster() {
        true => live.clone(),
        false => Value::Object(kind.outputs_of(live)),
    };
    let found = field
        .split('.')
        .try_fold(&fields, |value, key| value.get(key));
    // Some APIs answer with the full path under `name`.
    let resource = ResourceId::new(kind, at.clone());
    match (found, field) {
        (_, NAME) if !kind.is_in_cluster() => Ok(Some(resource.short().into())),
        (found, _) => Ok(found.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_a_kind_does_not_give_is_told_with_the_nearest() {
        for (kind, field, expected) in [
            ("compute.network", "selfLink", None),
            ("compute.network", "name", None),
            (
                "compute.network",
                "selfLnk",
                Some("compute.network gives no `selfLnk`, did you mean `selfLink`?"),
            ),
            ("compute.router", "natAddresses", None),
            ("kubernetes.object", "spec.clusterIP", None),
            (
                "kubernetes.ready",
                "name",
                Some("kubernetes.ready has no values for outputs"),
            ),
        ] {
            let kind = Kind::named(kind).unwrap();
            assert_eq!(missing_field(kind, field).as_deref(), expected);
        }
    }
}
