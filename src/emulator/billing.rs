//! Cloud Billing: whether a project is paid for. It knows no prices.

use serde_json::{Value, json};

use super::answer::{ErrorResponse, Response};
use super::names;
use super::project_lookup;
use super::request::Request;
use super::world::{Project, World};

/// The billing account of every project that is not linked to another one.
const ACCOUNT: &str = "billingAccounts/01A2B3-C4D5E6-F7A8B9";

/// Serves one call.
///
/// # Errors
/// What Google would refuse.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    match request.method_id.as_str() {
        "cloudbilling.projects.getBillingInfo" => {
            let project = project_lookup::named(world, request.param("name"))?;
            Ok(info(world, &project).into())
        }
        "cloudbilling.projects.updateBillingInfo" => update(world, request),
        "cloudbilling.billingAccounts.list" => {
            let account = json!({"name": ACCOUNT, "open": true, "displayName": "My Billing Account", "currencyCode": "USD"});
            Ok(json!({"billingAccounts": [account]}).into())
        }
        other => Err(ErrorResponse::not_served(other)),
    }
}

/// Whether billing is enabled for the project.
pub fn enabled(world: &World, project: &Project) -> bool {
    info(world, project)["billingEnabled"] == json!(true)
}

/// Removes the billing account: a project that was just created has none.
pub fn unlink(world: &mut World, project: &Project) {
    put(world, project, "");
}

fn update(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let project = project_lookup::named(world, request.param("name"))?;
    let account = request.text("billingAccountName").unwrap_or_default();
    let (prefix, id) = account.split_once('/').unwrap_or(("billingAccounts", "-"));
    if prefix != "billingAccounts" || id.is_empty() {
        return Err(ErrorResponse::bad_request(
            "Request contains an invalid argument.",
        ));
    }
    put(world, &project, account);
    Ok(info(world, &project).into())
}

fn put(world: &mut World, project: &Project, account: &str) {
    world.put(key(project), render(project, account));
}

fn info(world: &World, project: &Project) -> Value {
    let linked = world.get(&key(project)).cloned();
    linked.unwrap_or_else(|| render(project, ACCOUNT))
}

fn key(project: &Project) -> String {
    names::key(
        "cloudbilling",
        &format!("projects/{}/billingInfo", project.id),
    )
}

/// Unlike most services this one prints fields that are empty or false.
fn render(project: &Project, account: &str) -> Value {
    let id = &project.id;
    json!({
        "name": format!("projects/{id}/billingInfo"),
        "projectId": id,
        "billingAccountName": account,
        "billingEnabled": !account.is_empty(),
    })
}
