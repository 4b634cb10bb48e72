//! Where a request of compute's acts: a project, and in it globally, in a region or in a zone.

use serde_json::Value;

use crate::answer::ErrorResponse;
use crate::names;
use crate::request::Request;

/// A scope and the collection in it that a method is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The project's id.
    pub project: String,
    /// `projects/p/global`, `projects/p/regions/r`, `projects/p/zones/z`; `projects/p` for lists of everything.
    pub path: String,
    /// `networks`: the second word of the method's id.
    pub collection: String,
}

impl Scope {
    /// Reads the scope from the path's parameters.
    pub fn of(request: &Request) -> Scope {
        let project = request.param("project").to_owned();
        let collection = request
            .method_id
            .split('.')
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let own = |name: &str| collection == format!("{name}s");
        let place = match (request.param("region"), request.param("zone")) {
            ("", "") if request.method_id.ends_with(".aggregatedList") => String::new(),
            ("", "") if matches!(collection.as_str(), "projects" | "regions" | "zones") => {
                String::new()
            }
            ("", "") => "/global".to_owned(),
            (region, "") if !own("region") => format!("/regions/{region}"),
            ("", zone) if !own("zone") => format!("/zones/{zone}"),
            _ => String::new(),
        };
        Scope {
            path: format!("projects/{project}{place}"),
            project,
            collection,
        }
    }

    /// `projects/p/global/networks/n`.
    pub fn member(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.path, self.collection)
    }

    /// The region, if that is the scope.
    pub fn region(&self) -> Option<&str> {
        names::segment(&self.path, "regions")
    }

    /// The name of the resource that a GET, PATCH or DELETE is about: the path's parameter named after the collection.
    pub fn name<'a>(&self, request: &'a Request) -> &'a str {
        request.param(&self.singular())
    }

    /// The name of one member: `network`, `address`, `securityPolicy`.
    pub fn singular(&self) -> String {
        let plural = self.collection.as_str();
        if let Some(stem) = plural.strip_suffix("ies") {
            return format!("{stem}y");
        }
        let stem = plural.strip_suffix("sses").map(|stem| format!("{stem}ss"));
        stem.unwrap_or_else(|| plural.strip_suffix('s').unwrap_or(plural).to_owned())
    }
}

/// A resource's key.
pub fn key(path: &str) -> String {
    names::key("compute", path)
}

/// A resource's link as compute prints it: its own host is not in it.
pub fn link(path: &str) -> String {
    format!("https://www.googleapis.com/compute/v1/{path}")
}

/// What is said of a resource that is not there.
pub fn missing(path: &str) -> ErrorResponse {
    ErrorResponse::not_found(format!("The resource '{path}' was not found"))
}

/// The canonical path that `field` of a body refers to. Google takes a full link, `projects/…` and `global/…`; a host is ignored.
///
/// # Errors
/// 400 for a text that is no reference.
pub fn reference(
    scope: &Scope,
    body: &Value,
    field: &str,
) -> Result<Option<String>, ErrorResponse> {
    let Some(text) = body.get(field).and_then(Value::as_str) else {
        return Ok(None);
    };
    let path = names::path(text);
    if path.starts_with("projects/") {
        return Ok(Some(path.to_owned()));
    }
    if path.starts_with("global/") || path.starts_with("regions/") {
        return Ok(Some(format!("projects/{}/{path}", scope.project)));
    }
    Err(ErrorResponse::invalid(format!(
        "Invalid value for field 'resource.{field}': '{text}'. The URL is malformed."
    )))
}
