//! Pages of compute's lists: filtered, cut to size, and continued by a token.

use serde_json::{Value, json};

use super::filter::Filter;
use super::scope;
use crate::answer::{ErrorResponse, Response};
use crate::request::Request;

/// A page of `items`, selected by the request's `filter`, `maxResults` and `pageToken`. An empty list has no field `items`.
pub fn page(
    request: &Request,
    kind: &str,
    collection: &str,
    items: Vec<Value>,
) -> Result<Response, ErrorResponse> {
    let filter = Filter::of(request)?;
    let wanted: Vec<Value> = items
        .into_iter()
        .filter(|item| filter.holds(item))
        .collect();
    // 500 is both the default and the most; the token is the place where the next page begins.
    let size = request
        .query("maxResults")
        .and_then(|text| text.parse().ok())
        .unwrap_or(500)
        .clamp(1, 500);
    let from: usize = match request.query("pageToken") {
        None | Some("") => 0,
        Some(token) => token.parse().map_err(|_| {
            ErrorResponse::invalid(format!(
                "Invalid value for field 'pageToken': '{token}'. The page token is invalid."
            ))
        })?,
    };
    let page: Vec<&Value> = wanted.iter().skip(from).take(size).collect();
    let mut body = json!({"kind": kind, "id": collection});
    if !page.is_empty() {
        body["items"] = json!(page);
    }
    if wanted.len() > from + size {
        body["nextPageToken"] = json!((from + size).to_string());
    }
    body["selfLink"] = json!(scope::link(collection));
    Ok(body.into())
}
