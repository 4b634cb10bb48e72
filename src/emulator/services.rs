//! Service Usage: which APIs a project has enabled.
//!
//! Enabling an API enables what it needs, and takes an operation; enabling one that is enabled takes none. There are no
//! quotas and no consumer overrides. Enabling Compute Engine makes the project's default network, and no default account.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{ErrorResponse, Response};
use super::catalogue::{self, Api};
use super::names;
use super::operation::{Dialect, Effect, Failure, Start};
use super::request::Request;
use super::world::{Project, World};
use super::{billing, compute, lro, paging, project_lookup};

/// The name of the operation that Google answers with when there is nothing to do. It cannot be polled.
const NOTHING: &str = "operations/noop.DONE_OPERATION";

/// The package of the answers' types.
const TYPES: &str = "type.googleapis.com/google.api.serviceusage.v1";

/// How many services one batch may name. Source: the reference of `BatchEnableServicesRequest.serviceIds`.
const BATCH: usize = 20;

/// Serves one call.
///
/// # Errors
/// What Google would refuse.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    if request.method_id == "serviceusage.operations.get" {
        let name = request.param("name");
        let operation = world.poll(&names::key("serviceusage", name));
        return operation
            .map(|found| lro::quiet(&found, name).into())
            .ok_or_else(|| ErrorResponse::not_found(format!("Operation {name} not found.")));
    }
    let name = request
        .params
        .get("name")
        .or_else(|| request.params.get("parent"));
    let project = project_lookup::named(world, name.map_or("", String::as_str))?;
    let service = names::leaf(request.param("name")).to_owned();
    match request.method_id.as_str() {
        "serviceusage.services.get" => Ok(print(world, &project, find(&service)?).into()),
        "serviceusage.services.list" => list(world, &project, request),
        "serviceusage.services.batchGet" => batch_get(world, &project, request),
        "serviceusage.services.enable" => enable(world, &project, &[service], Form::One),
        "serviceusage.services.batchEnable" => {
            let ids = request.body["serviceIds"].as_array().into_iter().flatten();
            let ids: Vec<String> = ids
                .filter_map(|id| id.as_str().map(str::to_owned))
                .collect();
            enable(world, &project, &ids, Form::Batch)
        }
        "serviceusage.services.disable" => disable(world, &project, &service, request),
        other => Err(ErrorResponse::not_served(other)),
    }
}

/// Whether an API can be used in a project, as far as Service Usage says.
pub fn is_enabled(world: &World, project: &Project, api: &Api) -> bool {
    let disabled = world.get(&disabled_key(project, api)).is_some();
    world.enabled_since(&project.id, &api.host()).is_some() || (api.at_first && !disabled)
}

/// The key of a note that an API is disabled that every project has from the start.
fn disabled_key(project: &Project, api: &Api) -> String {
    names::key(
        "serviceusage",
        &format!("projects/{}/disabledServices/{}", project.id, api.host()),
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    Batch,
}

/// The service of a full name (`compute.googleapis.com`). A short name is not one of Google's.
fn find(service: &str) -> Result<&'static Api, ErrorResponse> {
    let full = service.ends_with(".googleapis.com");
    catalogue::find(service).filter(|_| full).ok_or_else(|| {
        ErrorResponse::forbidden(format!(
            "Not found or permission denied for service(s): {service}."
        ))
    })
}

/// A service as it is now. Its name has the project's number, whatever the request had.
fn print(world: &World, project: &Project, api: &Api) -> Value {
    print_as(project, api, is_enabled(world, project, api))
}

fn print_as(project: &Project, api: &Api, enabled: bool) -> Value {
    let parent = format!("projects/{}", project.number);
    json!({
        "name": format!("{parent}/services/{}", api.host()),
        "parent": parent,
        "config": {
            "name": api.host(),
            "title": api.title,
            "documentation": {"summary": format!("What {} is for.", api.title)},
            "quota": {},
            "authentication": {},
            "usage": {"requirements": ["serviceusage.googleapis.com/tos/cloud"]},
            "monitoring": {},
        },
        "state": if enabled { "ENABLED" } else { "DISABLED" },
    })
}

fn list(world: &World, project: &Project, request: &Request) -> Result<Response, ErrorResponse> {
    let wanted = match request.query("filter").unwrap_or_default() {
        "" => None,
        "state:ENABLED" => Some(true),
        "state:DISABLED" => Some(false),
        _ => {
            return Err(ErrorResponse::bad_request(
                "Request contains an invalid argument.",
            ));
        }
    };
    let mut found: Vec<&Api> = catalogue::all()
        .filter(|api| wanted.is_none_or(|wanted| wanted == is_enabled(world, project, api)))
        .collect();
    found.sort_by_key(|api| names::hash(&api.host()));
    let (page, next) = paging::page(found, request, 50, 200)?;
    let services: Vec<Value> = page
        .into_iter()
        .map(|api| print(world, project, api))
        .collect();
    let mut answer = json!({});
    if !services.is_empty() {
        answer["services"] = json!(services);
    }
    if let Some(token) = next {
        answer["nextPageToken"] = json!(token);
    }
    Ok(answer.into())
}

fn batch_get(
    world: &World,
    project: &Project,
    request: &Request,
) -> Result<Response, ErrorResponse> {
    let asked = request.query.get("names").into_iter().flatten();
    let found: Result<Vec<Value>, ErrorResponse> = asked
        .map(|name| Ok(print(world, project, find(names::leaf(name))?)))
        .collect();
    Ok(json!({"services": found?}).into())
}

fn enable(
    world: &mut World,
    project: &Project,
    ids: &[String],
    form: Form,
) -> Result<Response, ErrorResponse> {
    if ids.is_empty() || ids.len() > BATCH {
        let message = format!("The number of services to enable must be between 1 and {BATCH}.");
        return Err(ErrorResponse::bad_request(message));
    }
    let asked: Result<Vec<&Api>, ErrorResponse> = ids.iter().map(|id| find(id)).collect();
    let asked = asked?;
    let response = enabled_response(project, &asked, form);
    if asked.iter().all(|api| is_enabled(world, project, api)) {
        return Ok(json!({"name": NOTHING, "done": true, "response": response}).into());
    }
    let all: BTreeSet<&str> = asked.iter().flat_map(|api| api.with_needs()).collect();
    let missing: Vec<&Api> = all
        .iter()
        .filter_map(|name| catalogue::find(name))
        .filter(|api| !is_enabled(world, project, api))
        .collect();
    let failure = unpaid(world, project, &missing);
    let mut effects: Vec<Effect> = missing
        .iter()
        .flat_map(|api| {
            let enable = Effect::Enable {
                project: project.id.clone(),
                service: api.host(),
            };
            [
                enable,
                Effect::Remove {
                    key: disabled_key(project, api),
                },
            ]
        })
        .collect();
    // Compute Engine makes a project's default network when it is first enabled there.
    if failure.is_none() && missing.iter().any(|api| api.name == "compute") {
        effects.extend(compute::default_network(world, &project.id));
    }
    let names: Vec<String> = asked
        .iter()
        .map(|api| format!("services/{}/projectSettings/{}", api.host(), project.number))
        .collect();
    let extra = json!({
        "metadata": {"@type": format!("{TYPES}.OperationMetadata"), "resourceNames": names},
        "response": response,
    });
    Ok(begin(world, project, "enable", effects, failure, extra))
}

fn enabled_response(project: &Project, asked: &[&Api], form: Form) -> Value {
    let mut services = asked.iter().map(|api| print_as(project, api, true));
    match form {
        Form::One => json!({
            "@type": format!("{TYPES}.EnableServiceResponse"),
            "service": services.next(),
        }),
        Form::Batch => json!({
            "@type": format!("{TYPES}.BatchEnableServicesResponse"),
            "services": services.collect::<Vec<_>>(),
        }),
    }
}

/// Services that cost money need a billing account; the operation fails without one, not the request.
fn unpaid(world: &World, project: &Project, missing: &[&Api]) -> Option<Failure> {
    let billed: Vec<String> = missing
        .iter()
        .filter(|api| api.billed)
        .map(|api| api.host())
        .collect();
    if billed.is_empty() || billing::enabled(world, project) {
        return None;
    }
    let message = format!(
        "Billing account for project '{}' is not found. Billing must be enabled for activation of service(s) '{}' to proceed.",
        project.number,
        billed.join(",")
    );
    // google.rpc.Code FAILED_PRECONDITION.
    Some(Failure {
        code: "9".to_owned(),
        http: 400,
        message,
    })
}

fn disable(
    world: &mut World,
    project: &Project,
    service: &str,
    request: &Request,
) -> Result<Response, ErrorResponse> {
    let api = find(service)?;
    let users: Vec<&Api> = catalogue::all()
        .filter(|other| other.name != api.name && is_enabled(world, project, other))
        .filter(|other| other.with_needs().contains(api.name))
        .collect();
    if !users.is_empty() && request.body["disableDependentServices"] != json!(true) {
        let hosts: Vec<String> = users.iter().map(|api| api.host()).collect();
        // The text is not recorded; the status and the reason are documented.
        return Err(ErrorResponse::failed_precondition(format!(
            "The service {} is depended on by the following active service(s): {}; Please specify \
             disable_dependent_services=true if you want to proceed with disabling all services.",
            api.host(),
            hosts.join(",")
        )));
    }
    let effects = users
        .into_iter()
        .chain([api])
        .flat_map(|api| {
            let note = Effect::Put {
                key: disabled_key(project, api),
                value: json!({"state": "DISABLED"}),
            };
            let off = Effect::Disable {
                project: project.id.clone(),
                service: api.host(),
            };
            [Some(off), api.at_first.then_some(note)]
                .into_iter()
                .flatten()
        })
        .collect();
    let extra = json!({
        "metadata": {"@type": "type.googleapis.com/google.protobuf.Empty"},
        "response": {
            "@type": format!("{TYPES}.DisableServiceResponse"),
            "service": print_as(project, api, false),
        },
    });
    Ok(begin(world, project, "disable", effects, None, extra))
}

fn begin(
    world: &mut World,
    project: &Project,
    verb: &str,
    effects: Vec<Effect>,
    failure: Option<Failure>,
    extra: Value,
) -> Response {
    let serial = world.count("serviceusage").to_string();
    let name = format!(
        "operations/acat.p2-{}-{}",
        project.number,
        lro::uuid(&serial)
    );
    let operation = world.begin(Start {
        key: names::key("serviceusage", &name),
        dialect: Dialect::ServiceUsage,
        verb: verb.to_owned(),
        target: names::key("serviceusage", &format!("projects/{}", project.id)),
        duration: world.duration("serviceusage.services.enable"),
        effects,
        failure,
        extra,
    });
    lro::quiet(&operation, &name).into()
}
