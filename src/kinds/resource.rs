//! How a row is looked at, created, changed and deleted. Knows no particular resource: whatever differs is in the row.

use serde_json::{Map, Value, json};

use super::resource_spec::{CreateMethod, NameIn, ResourceSpec, UpdateMethod};
use super::{Clients, MutationResult, Observed, difference, path_template};
use crate::google::{ApiError, Call, Class, Operation};

/// Reads the resource and says whether it has come to rest.
pub async fn look(
    row: &ResourceSpec,
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<Observed, ApiError> {
    let path = path_template::path(row.path, at)?;
    match clients
        .client
        .send(&Call::get(row.api, path), &*clients.watch)
        .await
    {
        Ok(live) => Ok(rest_of(row, live)),
        Err(error) if error.class == Class::NotFound => Ok(Observed::Absent),
        Err(error) => Err(error),
    }
}

/// Whether a live resource has come to rest. Pure.
fn rest_of(row: &ResourceSpec, live: Value) -> Observed {
    let Some(settled) = &row.settled else {
        return Observed::Here(live);
    };
    let text = |path: &str| {
        path.split('.')
            .try_fold(&live, |v, key| v.get(key))
            .and_then(Value::as_str)
    };
    let state = text(settled.field).unwrap_or_default();
    if settled.good.contains(&state) {
        return Observed::Here(live);
    }
    let why = match settled.why.and_then(text) {
        Some(why) if !why.is_empty() => format!("{state}: {why}"),
        _ if state.is_empty() => format!("no {} yet", settled.field),
        _ => state.to_owned(),
    };
    if settled.bad.contains(&state) {
        Observed::Broken(why)
    } else {
        Observed::Settling(why)
    }
}

/// Sends the request that makes the resource.
pub async fn create(
    row: &ResourceSpec,
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
    request: &str,
) -> Result<MutationResult, ApiError> {
    let own = path_template::path(row.path, at)?;
    let call = match &row.create {
        CreateMethod::Never => {
            let why = format!(
                "a step cannot create {}: provision only deletes it",
                row.says
            );
            return Err(ApiError::unsent(&own, why));
        }
        CreateMethod::PatchAllowMissing => Call::patch(row.api, own)
            .query("allowMissing", "true")
            .query("updateMask", mask(want))
            .json(want.clone())
            .repeatable(),
        CreateMethod::Post { id, wrap, query } => {
            let (collection, name) = own.rsplit_once('/').unwrap_or(("", &own));
            // An account's path ends in its e-mail address; its id is what stands before the `@`.
            let name = name.split('@').next().unwrap_or(name).to_owned();
            let mut resource = want.clone();
            if let NameIn::Field(field) = id {
                resource[*field] = name.clone().into();
            }
            let mut body = match wrap {
                Some(wrap) => json!({ *wrap: resource }),
                None => resource,
            };
            if let NameIn::Beside(field) = id {
                body[*field] = name.clone().into();
            }
            let mut call = Call::post(row.api, collection).json(body);
            if let NameIn::Query(parameter) = id {
                call = call.query(*parameter, &name);
            }
            for (parameter, template) in *query {
                call = call.query(*parameter, path_template::path(template, at)?);
            }
            call
        }
    };
    send(row, clients, call, request).await
}

/// Sends the request that changes the fields that differ.
pub async fn update(
    row: &ResourceSpec,
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
    live: &Value,
    request: &str,
) -> Result<MutationResult, ApiError> {
    let fields = difference::diff(row, want, live);
    let mut body = difference::patch(row, &fields, want, live);
    for field in row.carries {
        if let Some(value) = live.get(*field) {
            body.insert((*field).to_owned(), value.clone());
        }
    }
    let body = Value::Object(body);
    let own = path_template::path(row.path, at)?;
    let call = match row.update {
        UpdateMethod::Patch | UpdateMethod::Never => Call::patch(row.api, own).json(body),
        UpdateMethod::PatchMask => Call::patch(row.api, own)
            .query("updateMask", mask(&body))
            .json(body),
        UpdateMethod::Desired { field, desired } => {
            Call::put(row.api, own).json(json!({ "update": { desired: body.get(field).cloned() } }))
        }
    };
    // The same fields set to the same values twice are set once.
    send(row, clients, call.repeatable(), request).await
}

/// Sends the request that removes the resource. Already gone is gone.
pub async fn delete(
    row: &ResourceSpec,
    clients: &Clients,
    at: &Map<String, Value>,
    request: &str,
) -> Result<MutationResult, ApiError> {
    let call = Call::delete(row.api, path_template::path(row.path, at)?);
    match send(row, clients, call, request).await {
        Err(error) if error.class == Class::NotFound => Ok(MutationResult::Now),
        sent => sent,
    }
}

async fn send(
    row: &ResourceSpec,
    clients: &Clients,
    call: Call,
    request: &str,
) -> Result<MutationResult, ApiError> {
    let call = if row.request_id {
        call.query("requestId", request).repeatable()
    } else {
        call
    };
    let answer = clients.client.send(&call, &*clients.watch).await?;
    let operation = match row.dialect {
        Some(dialect) => Operation::of(dialect, &call, &answer)?,
        None => None,
    };
    Ok(operation.map_or(MutationResult::Now, MutationResult::Wait))
}

/// The operation that still runs on the resource, if there is one: how to find again a request whose answer was lost.
///
/// Compute names its target in `targetLink`, container too (by project number), the fleet in `metadata.target`: the
/// resource's own part of the path decides.
pub async fn running(
    row: &ResourceSpec,
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<Option<Operation>, ApiError> {
    let Some(dialect) = row.dialect else {
        return Ok(None);
    };
    let own = path_template::path(row.path, at)?;
    // projects/P/global, projects/P/regions/R, v1/projects/P/locations/L: what stands before the collection.
    let words: Vec<&str> = own.split('/').collect();
    let place = words
        .iter()
        .position(|w| *w == "global" || *w == "regions" || *w == "zones" || *w == "locations");
    let Some(place) = place else { return Ok(None) };
    let scope_length = if words[place] == "global" {
        place + 1
    } else {
        place + 2
    };
    let (scope, target) = (
        words[..scope_length].join("/"),
        words[scope_length..].join("/"),
    );

    let call = Call::get(row.api, format!("{scope}/operations"));
    let answer = clients.client.send(&call, &*clients.watch).await?;
    let operations = answer
        .get("items")
        .or_else(|| answer.get("operations"))
        .and_then(Value::as_array);
    let on_us = |operation: &&Value| {
        let link = operation
            .get("targetLink")
            .or_else(|| operation.pointer("/metadata/target"));
        link.and_then(Value::as_str)
            .is_some_and(|link| link.ends_with(&format!("/{target}")))
    };
    for operation in operations.into_iter().flatten().filter(on_us) {
        // The request that would have been answered with it: its path tells where to ask.
        let asked = Call::delete(row.api, own.clone());
        if let Ok(Some(operation)) = Operation::of(dialect, &asked, operation) {
            return Ok(Some(operation));
        }
    }
    Ok(None)
}

/// The names of the top-level fields of a body, as `updateMask` wants them.
fn mask(body: &Value) -> String {
    let names = body.as_object().into_iter().flat_map(Map::keys).cloned();
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::resource_table::ROWS;

    #[test]
    fn rest_is_read_from_the_field_the_row_names() {
        let cases = [
            ("container.cluster", json!({"status": "RUNNING"}), "here"),
            (
                "container.cluster",
                json!({"status": "PROVISIONING"}),
                "settling PROVISIONING",
            ),
            (
                "container.cluster",
                json!({"status": "ERROR", "statusMessage": "no quota"}),
                "broken ERROR: no quota",
            ),
            (
                "gkehub.membership",
                json!({"state": {"code": "READY"}}),
                "here",
            ),
            ("gkehub.membership", json!({}), "settling no state.code yet"),
            ("compute.network", json!({}), "here"),
        ];
        for (kind, live, expected) in cases {
            let row = ROWS.iter().find(|row| row.kind == kind).unwrap();
            let said = match rest_of(row, live.clone()) {
                Observed::Absent => "absent".to_owned(),
                Observed::Here(_) => "here".to_owned(),
                Observed::Settling(why) => format!("settling {why}"),
                Observed::Broken(why) => format!("broken {why}"),
            };
            assert_eq!(said, expected, "{kind} {live}");
        }
    }
}
