//! An object in a bucket, with its content, which is compared by the MD5 that Cloud Storage computes.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::clusters::Clients;
use super::difference::FieldDiff;
use super::path_template;
use super::permissions::{self, Permissions};
use super::spec::{Effect, KindSpec, MutationResult, Observed};
use crate::google::{Api, ApiError, Call, Class};

/// The path of the object.
const PATH: &str = "b/{bucket}/o/{object}";

/// An object in a bucket.
#[derive(Debug)]
pub struct StorageObject;

#[async_trait]
impl KindSpec for StorageObject {
    fn name(&self) -> &'static str {
        "storage.object"
    }

    fn api(&self) -> Api {
        Api::Storage
    }

    fn template(&self) -> &'static str {
        PATH
    }

    fn effect(&self) -> Effect {
        Effect::Resource
    }

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        permissions::OBJECT
    }

    fn diff(&self, want: &Value, live: &Value) -> Vec<FieldDiff> {
        diff(want, live)
    }

    /// Reads the object's metadata.
    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _want: &Value,
        _parts: &[String],
    ) -> Result<Observed, ApiError> {
        let call = Call::get(Api::Storage, path_template::path(PATH, at)?);
        match clients.client.send(&call, &*clients.watch).await {
            Ok(live) => Ok(Observed::Here(live)),
            Err(error) if error.class == Class::NotFound => Ok(Observed::Absent),
            Err(error) => Err(error),
        }
    }

    /// Uploads the content. Safe to repeat: the same name gets the same bytes.
    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let name = text(at.get("object")).unwrap_or_default();
        let kind = text(want.get("contentType"));
        let kind = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
        let call = Call::post(Api::Storage, path_template::path("b/{bucket}/o", at)?)
            .query("name", name)
            .upload(&kind, content(want).as_bytes().to_vec())
            .repeatable();
        let sent = clients.client.send(&call, &*clients.watch).await;
        sent.map(|_| MutationResult::Now)
    }

    /// Deletes the object. An object that is already gone is a success.
    async fn delete(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _parts: &[String],
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        let call = Call::delete(Api::Storage, path_template::path(PATH, at)?);
        match clients.client.send(&call, &*clients.watch).await {
            Err(error) if error.class == Class::NotFound => Ok(MutationResult::Now),
            sent => sent.map(|_| MutationResult::Now),
        }
    }
}

/// Differences in the content type and the content. Pure.
fn diff(want: &Value, live: &Value) -> Vec<FieldDiff> {
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
        // The output of `openssl md5 -binary | base64` for it.
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
