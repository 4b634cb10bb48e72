//! An object in a bucket with its content, compared by the MD5 that Cloud Storage computes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::difference::FieldDiff;
use super::{Clients, MutationResult, path_template};
use crate::google::{Api, ApiError, Call, Class};

/// The name that steps use.
pub const KIND: &str = "storage.object";
/// The object.
pub const PATH: &str = "b/{bucket}/o/{object}";

/// Reads the object's metadata.
pub async fn look(clients: &Clients, at: &Map<String, Value>) -> Result<Option<Value>, ApiError> {
    match clients
        .client
        .send(
            &Call::get(Api::Storage, path_template::path(PATH, at)?),
            &*clients.watch,
        )
        .await
    {
        Ok(live) => Ok(Some(live)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Content type and content. Pure.
pub fn diff(want: &Value, live: &Value) -> Vec<FieldDiff> {
    let field = |path: &str, have: &Value, want: Value| FieldDiff {
        path: path.to_owned(),
        have: have.clone(),
        want,
        fixed: false,
        owner: None,
    };
    let mut found = Vec::new();
    if live["contentType"] != want["contentType"] {
        found.push(field(
            "contentType",
            &live["contentType"],
            want["contentType"].clone(),
        ));
    }
    let md5: Value = STANDARD.encode(Md5::digest(content(want))).into();
    if live["md5Hash"] != md5 {
        found.push(field("md5Hash", &live["md5Hash"], md5));
    }
    found
}

/// Uploads the content. Safe to repeat: the same name gets the same bytes.
pub async fn upload(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<MutationResult, ApiError> {
    let name = at.get("object").and_then(Value::as_str).unwrap_or_default();
    let kind = want
        .get("contentType")
        .and_then(Value::as_str)
        .unwrap_or("application/octet-stream");
    let call = Call::post(Api::Storage, path_template::path("b/{bucket}/o", at)?)
        .query("name", name)
        .upload(kind, content(want).as_bytes().to_vec())
        .repeatable();
    clients
        .client
        .send(&call, &*clients.watch)
        .await
        .map(|_| MutationResult::Now)
}

/// Deletes the object. Already gone is gone.
pub async fn delete(
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<MutationResult, ApiError> {
    match clients
        .client
        .send(
            &Call::delete(Api::Storage, path_template::path(PATH, at)?),
            &*clients.watch,
        )
        .await
    {
        Err(error) if error.class == Class::NotFound => Ok(MutationResult::Now),
        sent => sent.map(|_| MutationResult::Now),
    }
}

fn content(want: &Value) -> &str {
    want.get("content")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_is_compared_by_its_md5() {
        let want = json!({"contentType": "text/plain", "content": "Hello, World!\n"});
        // What `openssl md5 -binary | base64` says of it.
        let live = json!({"contentType": "text/plain", "md5Hash": "vqglL/ToD0FxnqE83wBycw=="});
        assert_eq!(diff(&want, &live), []);
        assert_eq!(
            diff(&want, &json!({"contentType": "text/plain", "md5Hash": "x"}))[0].path,
            "md5Hash"
        );
        assert_eq!(
            diff(
                &want,
                &json!({"contentType": "text/html", "md5Hash": live["md5Hash"]})
            )[0]
            .path,
            "contentType"
        );
    }
}
