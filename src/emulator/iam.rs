//! IAM: service accounts, the policies on them, and the predefined roles that are worth describing.
//!
//! A new account is not visible everywhere at once: for a while reads find it and do not find it in turn, creating it
//! again says that it exists, and a policy that names it is refused. It has no keys and cannot be undeleted.

use serde_json::{Value, json};

use super::account_visibility::{SINCE, is_young, key_of};
use super::answer::{ErrorResponse, Response};
use super::members;
use super::names;
use super::paging;
use super::policy;
use super::project_lookup;
use super::request::Request;
use super::roles;
use super::world::World;

/// Serves one call.
///
/// # Errors
/// What Google would refuse.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let method = request.method_id.strip_prefix("iam.").unwrap_or_default();
    if let Some(method) = method.strip_prefix("roles.") {
        return roles::serve(method, request);
    }
    match method {
        "projects.serviceAccounts.create" => return create(world, request),
        "projects.serviceAccounts.list" => return list(world, request),
        _ => {}
    }
    let name = request
        .params
        .get("name")
        .or_else(|| request.params.get("resource"));
    let (name, key) = find(world, name.map_or("", String::as_str))?;
    // A deletion goes to where the account is stored and never misses it.
    if method == "projects.serviceAccounts.delete" {
        return delete(world, &name, &key);
    }
    seen(world, &name, &key)?;
    match method {
        "projects.serviceAccounts.get" => Ok(print(world, &key).into()),
        "projects.serviceAccounts.patch" => patch(world, request, &key),
        "projects.serviceAccounts.enable" => Ok(set_disabled(world, &key, false)),
        "projects.serviceAccounts.disable" => Ok(set_disabled(world, &key, true)),
        "projects.serviceAccounts.getIamPolicy" => {
            let version = request
                .query("options.requestedPolicyVersion")
                .and_then(|text| text.parse().ok());
            policy::get(
                world,
                &policy::Resource::account(&name),
                version.unwrap_or(1),
            )
            .map(Response::from)
        }
        "projects.serviceAccounts.setIamPolicy" => {
            policy::set(world, &policy::Resource::account(&name), &request.body).map(Response::from)
        }
        "projects.serviceAccounts.testIamPermissions" => {
            policy::test(&request.body).map(Response::from)
        }
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}

/// The account's own name and key. `projects/-` stands for the project that the address names; a unique id does for an address.
fn find(world: &mut World, name: &str) -> Result<(String, String), ErrorResponse> {
    let unknown = || ErrorResponse::not_found("Unknown service account");
    let asked = names::segment(name, "projects")
        .unwrap_or_default()
        .to_owned();
    let account = names::leaf(name).to_owned();
    let project = if asked == "-" {
        None
    } else {
        Some(project_lookup::named(world, &asked)?)
    };
    let key = if account.contains('@') {
        key_of(&account).ok_or_else(unknown)?
    } else {
        let is_it = |(_, value): &(String, Value)| value["uniqueId"] == json!(account);
        world
            .inventory()
            .into_iter()
            .find(is_it)
            .map(|(key, _)| key)
            .ok_or_else(unknown)?
    };
    let owner = names::segment(&key, "projects").unwrap_or_default();
    let elsewhere = project.is_some_and(|project| project.id != owner);
    if elsewhere || world.get(&key).is_none() {
        return Err(unknown());
    }
    Ok((names::path(&key).to_owned(), key))
}

/// One read of an account: while it is new, every second read does not find it, beginning with the first.
fn seen(world: &mut World, name: &str, key: &str) -> Result<(), ErrorResponse> {
    let young = world
        .get(key)
        .is_some_and(|account| is_young(world, account));
    let unique_id = world
        .get(key)
        .map(|account| account["uniqueId"].to_string())
        .unwrap_or_default();
    if young && world.count(&format!("iam.read/{unique_id}")) % 2 == 1 {
        return Err(ErrorResponse::not_found(format!(
            "Service account {name} does not exist."
        )));
    }
    Ok(())
}

fn create(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let project = project_lookup::named(world, request.param("name"))?;
    let id = request.text("accountId").unwrap_or_default();
    if !(6..=30).contains(&id.len()) {
        let message = format!("The account ID \"{id}\" does not have a length between 6 and 30.");
        return Err(ErrorResponse::bad_request(message));
    }
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !id.starts_with(|c: char| c.is_ascii_lowercase())
        || !id.ends_with(lower)
        || !id.chars().all(|c| lower(c) || c == '-')
    {
        let message = format!("Service account ID \"{id}\" must match [a-z]([-a-z0-9]*[a-z0-9]).");
        return Err(ErrorResponse::bad_request(message));
    }
    check_texts(&request.body["serviceAccount"])?;
    let email = format!("{id}@{}", names::account_domain(&project.id));
    let name = format!("projects/{}/serviceAccounts/{email}", project.id);
    let key = names::key("iam", &name);
    if world.get(&key).is_some() {
        let message = format!(
            "Service account {id} already exists within project projects/{}.",
            project.id
        );
        return Err(ErrorResponse::already_exists(message));
    }
    let unique_id = format!("10{}", world.next_id());
    let mut account = json!({
        "name": name,
        "projectId": project.id,
        "uniqueId": unique_id,
        "email": email,
        "etag": "MDEwMjE5MjA=",
        "oauth2ClientId": unique_id,
    });
    for field in ["displayName", "description"] {
        if let Some(text) = request.body["serviceAccount"][field]
            .as_str()
            .filter(|text| !text.is_empty())
        {
            account[field] = json!(text);
        }
    }
    account[SINCE] = json!(world.now());
    world.count(&members::accounts_of(&project.id));
    world.put(key.clone(), account);
    Ok(print(world, &key).into())
}

fn list(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let project = project_lookup::named(world, request.param("name"))?;
    let collection = names::key("iam", &format!("projects/{}/serviceAccounts", project.id));
    let keys: Vec<String> = world
        .list(&collection)
        .into_iter()
        .filter(|(_, account)| !is_young(world, account))
        .map(|(key, _)| key.to_owned())
        .collect();
    let (page, next) = paging::page(keys, request, 20, 100)?;
    let mut answer = json!({});
    if !page.is_empty() {
        answer["accounts"] = page.iter().map(|key| print(world, key)).collect();
    }
    if let Some(token) = next {
        answer["nextPageToken"] = json!(token);
    }
    Ok(answer.into())
}

fn delete(world: &mut World, name: &str, key: &str) -> Result<Response, ErrorResponse> {
    let account = world.remove(key).unwrap_or_default();
    world.remove(policy::Resource::account(name).key());
    let text = |field: &str| account[field].as_str().unwrap_or_default().to_owned();
    policy::bury(world, &text("email"), &text("uniqueId"));
    Ok(json!({}).into())
}

/// The limits of an account's texts, in bytes of UTF-8: field, its name in a refusal, limit. The text about the display name is quoted by
/// users (broadinstitute/sam, pull request 210); the reference of both fields in `iam.v1`'s discovery document gives the limits.
const TEXTS: &[(&str, &str, usize)] = &[
    ("displayName", "display_name", 100),
    ("description", "description", 256),
];

fn check_texts(account: &Value) -> Result<(), ErrorResponse> {
    for (field, name, most) in TEXTS {
        let length = account[*field].as_str().unwrap_or_default().len();
        if length > *most {
            return Err(ErrorResponse::bad_request(format!(
                "The {name} length ({length}) is longer than the maximum allowed length {most}."
            )));
        }
    }
    Ok(())
}

/// PATCH. The mask names the fields of the account. The answer has the account's name, and the fields that the mask names.
///
/// # Errors
/// 400 for a mask that names nothing, or a field that cannot change.
fn patch(world: &mut World, request: &Request, key: &str) -> Result<Response, ErrorResponse> {
    let invalid = || ErrorResponse::bad_request("Request contains an invalid argument.");
    let mask = request.text("updateMask").unwrap_or_default();
    let fields: Result<Vec<&str>, ErrorResponse> = mask
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
        .map(|field| match field {
            "display_name" | "displayName" => Ok("displayName"),
            "description" => Ok("description"),
            _ => Err(invalid()),
        })
        .collect();
    let fields = fields?;
    if fields.is_empty() {
        // That the mask must name something: own knowledge, no record. The words are those of other requests.
        return Err(invalid());
    }
    let sent = &request.body["serviceAccount"];
    check_texts(sent)?;
    for field in &fields {
        let value = sent[*field].clone();
        if let Some(account) = world.edit(key).and_then(Value::as_object_mut) {
            match value.as_str().unwrap_or_default() {
                "" => account.remove(*field),
                text => account.insert((*field).to_owned(), json!(text)),
            };
        }
    }
    let account = print(world, key);
    let mut answer = json!({"name": account["name"]});
    for field in fields {
        if let Some(value) = account.get(field) {
            answer[field] = value.clone();
        }
    }
    Ok(answer.into())
}

fn set_disabled(world: &mut World, key: &str, disabled: bool) -> Response {
    if let Some(account) = world.edit(key).and_then(Value::as_object_mut) {
        // Printed only when it is true.
        account.remove("disabled");
        if disabled {
            account.insert("disabled".to_owned(), json!(true));
        }
    }
    json!({}).into()
}

fn print(world: &World, key: &str) -> Value {
    let mut account = world.get(key).cloned().unwrap_or_default();
    if let Some(fields) = account.as_object_mut() {
        fields.remove(SINCE);
    }
    account
}
