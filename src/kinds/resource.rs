//! How the resource of a row is read, created, changed and deleted. This module knows no particular resource: everything that
//! differs is in the row.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::clusters::Clients;
use super::difference::{self, FieldDiff};
use super::permissions::Permissions;
use super::resource_spec::{
    CreateMethod, DesiredField, FieldUpdate, NameIn, ParentCreate, ResourceSpec, UpdateMethod,
};
use super::spec::{Effect, FoundLeftovers, HeldResources, KindSpec, MutationResult, Observed};
use super::{leftovers, mesh_resources, path_template, readiness};
use crate::google::{Api, ApiError, Call, Class, Operation};

#[async_trait]
impl KindSpec for ResourceSpec {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn api(&self) -> Api {
        self.api
    }

    fn template(&self) -> &'static str {
        self.path
    }

    fn effect(&self) -> Effect {
        Effect::Resource
    }

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        self.permissions
    }

    fn permissions_for(&self, want: &Value) -> Vec<&'static str> {
        let is_true = |path: &str| {
            let field = path.split('.').try_fold(want, |value, key| value.get(key));
            field == Some(&Value::Bool(true))
        };
        let needed = self.permissions_if.iter().filter(|(path, _)| is_true(path));
        needed
            .flat_map(|(_, permissions)| permissions.iter().copied())
            .collect()
    }

    fn keys(&self) -> Vec<&'static str> {
        let query: &[(&str, &'static str)] = match self.create {
            CreateMethod::Post { query, .. } => query,
            CreateMethod::PatchAllowMissing | CreateMethod::Never => &[],
        };
        let templates = query.iter().map(|(_, template)| *template);
        let mut keys: Vec<&str> = std::iter::once(self.path)
            .chain(templates)
            .flat_map(path_template::keys)
            .collect();
        keys.dedup();
        keys
    }

    fn parent(&self) -> Option<&'static str> {
        self.inside.as_ref().map(|inside| inside.parent)
    }

    fn is_project_wide(&self) -> bool {
        self.project_wide
    }

    fn longest_name(&self) -> Option<usize> {
        Some(self.longest_name)
    }

    fn users(&self, live: &Value) -> Vec<String> {
        let users = self.users.and_then(|field| live.get(field)?.as_object());
        // A key is a membership's full name; its last part identifies it for people.
        let names = users.into_iter().flatten();
        let names = names.map(|(key, _)| key.rsplit('/').next().unwrap_or(key));
        names.map(|name| format!("membership {name}")).collect()
    }

    fn created_with_parent(&self) -> Option<&'static ParentCreate> {
        self.inside
    }

    fn outputs(&self) -> &'static [&'static str] {
        self.outputs
    }

    fn derived(&self) -> &'static [&'static str] {
        self.derived
            .map_or(&[], |derived| std::slice::from_ref(&derived.name))
    }

    fn predict(&self, at: &Map<String, Value>, output: &str) -> Option<Value> {
        let (_, template) = self.predicts.iter().find(|(field, _)| *field == output)?;
        path_template::fill(template, at).ok().map(Value::from)
    }

    fn lock(&self, at: &Map<String, Value>) -> Option<String> {
        path_template::fill(self.lock?, at).ok()
    }

    fn reads(&self) -> u32 {
        self.reads
    }

    fn late_holder(&self) -> Option<&'static str> {
        self.late_holder
    }

    fn warning(&self, live: &Value) -> Option<String> {
        readiness::warning(self, live)
    }

    fn is_being_changed(&self, live: &Value) -> bool {
        readiness::is_being_changed(self, live)
    }

    fn allow_list(&self) -> Option<&'static str> {
        self.allow_list
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn diff(&self, want: &Value, live: &Value) -> Vec<FieldDiff> {
        difference::diff(self, want, live)
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _want: &Value,
        _parts: &[String],
    ) -> Result<Observed, ApiError> {
        let live = self.read(clients, at).await?;
        Ok(live.map_or(Observed::Absent, |live| readiness::of(self, live)))
    }

    async fn look_up(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _want: &Value,
        _parts: &[String],
    ) -> Result<Observed, ApiError> {
        let call = Call::get(self.api, path_template::path(self.path, at)?);
        let live = clients.client.send(&call, &*clients.watch).await?;
        Ok(readiness::of(self, live))
    }

    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        create(self, clients, at, want, request).await
    }

    async fn update(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        live: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        update(self, clients, at, want, live, request).await
    }

    /// Deletes the resource. A resource that is already gone is a success.
    async fn delete(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _parts: &[String],
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        let call = Call::delete(self.api, path_template::path(self.path, at)?);
        match send(self, clients, call, request).await {
            Err(error) if error.class == Class::NotFound => Ok(MutationResult::Now),
            sent => sent,
        }
    }

    async fn running(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Option<Operation>, ApiError> {
        running(self, clients, at).await
    }

    async fn leftovers(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<FoundLeftovers, ApiError> {
        match self.leftovers {
            true => leftovers::inside(clients, &path_template::path(self.path, at)?, at).await,
            false => Ok(FoundLeftovers::default()),
        }
    }

    async fn withdrawal(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<HeldResources, ApiError> {
        match self.withdraws {
            true => mesh_resources::held(clients, at).await,
            false => Ok(HeldResources::default()),
        }
    }

    async fn derive(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        name: &str,
    ) -> Result<Option<Value>, ApiError> {
        let Some(derived) = self.derived.filter(|derived| derived.name == name) else {
            return Ok(None);
        };
        let path = path_template::path(self.path, at)?;
        let call = Call::get(self.api, format!("{path}/{}", derived.method));
        let answer = clients.client.send(&call, &*clients.watch).await?;
        Ok(Some(derived.of(&answer)))
    }

    async fn read(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
    ) -> Result<Option<Value>, ApiError> {
        let call = Call::get(self.api, path_template::path(self.path, at)?);
        match clients.client.send(&call, &*clients.watch).await {
            Ok(live) => Ok(Some(live)),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Sends the request that creates the resource.
async fn create(
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
            // An account's path ends in its e-mail address; its id is the part before the `@`.
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
async fn update(
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
        // The engine compares again after each request, and sends the next one if another field differs.
        UpdateMethod::Desired(updates) => {
            let differs = |one: &&DesiredField| body.get(one.field).is_some();
            let Some(one) = updates.iter().find(differs) else {
                let why = "no field that can be changed differs";
                return Err(ApiError::unsent(&own, why));
            };
            let value = body.get(one.field).cloned();
            Call::put(row.api, own).json(json!({ "update": { one.desired: value } }))
        }
        UpdateMethod::PerField(updates) => {
            let differs = |one: &&FieldUpdate| {
                let below = format!("{}.", one.field);
                fields
                    .iter()
                    .any(|field| field.path == one.field || field.path.starts_with(&below))
            };
            let Some(one) = updates.iter().find(differs) else {
                let why = "no field that can be changed differs";
                return Err(ApiError::unsent(&own, why));
            };
            let value = one
                .field
                .split('.')
                .try_fold(want, |value, key| value.get(key));
            let body = one.body.rsplit('.').fold(
                value.cloned().unwrap_or_default(),
                |value, key| json!({ key: value }),
            );
            match one.method {
                Some(method) => Call::post(row.api, format!("{own}:{method}")).json(body),
                None => Call::put(row.api, own).json(body),
            }
        }
    };
    // Setting the same fields to the same values twice has the effect of setting them once.
    send(row, clients, call.repeatable(), request).await
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

/// The operation that is still running on the resource, if there is one: this finds a request whose answer was lost.
///
/// Compute names the target in `targetLink`, as does container (by project number), the fleet in `metadata.target`: the
/// resource's own part of the path decides.
async fn running(
    row: &ResourceSpec,
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<Option<Operation>, ApiError> {
    let Some(dialect) = row.dialect else {
        return Ok(None);
    };
    let own = path_template::path(row.path, at)?;
    // projects/P/global, projects/P/regions/R, v1/projects/P/locations/L: the part before the collection.
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
        // A request that such an operation would have answered: its path determines where to ask.
        let asked = Call::delete(row.api, own.clone());
        if let Ok(Some(operation)) = Operation::of(dialect, &asked, operation) {
            return Ok(Some(operation));
        }
    }
    Ok(None)
}

/// The names of the top-level fields of a body, in the form of `updateMask`.
fn mask(body: &Value) -> String {
    let names = body.as_object().into_iter().flat_map(Map::keys).cloned();
    names.collect::<Vec<_>>().join(",")
}
