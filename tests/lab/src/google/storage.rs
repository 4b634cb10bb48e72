//! Cloud Storage: the emulator's objects, for those whom the bucket's policy lets read them.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use serde_json::json;

use super::{Google, TOKEN, members};
use crate::Result;
use crate::answer::respond;

/// The roles that let somebody read an object, of those that the tutorial knows.
const READERS: &[&str] = &[
    "roles/storage.objectViewer",
    "roles/storage.objectAdmin",
    "roles/storage.admin",
];

impl Google {
    /// Answers a request to one of Google's APIs. Only Cloud Storage is served to pods.
    pub(super) async fn storage(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>> {
        let host = request
            .headers()
            .get("host")
            .and_then(|host| host.to_str().ok());
        let host = host
            .or_else(|| request.uri().host())
            .unwrap_or_default()
            .to_owned();
        let method = request.method().clone();
        if host.split(':').next() != Some("storage.googleapis.com") {
            return Ok(respond(
                &method,
                404,
                "google",
                &json!({"error": {"code": 404, "message": format!("{host} is not served here")}}),
            ));
        }
        let bearer = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let email = bearer
            .and_then(|value| value.strip_prefix("Bearer ")?.strip_prefix(TOKEN))
            .map(str::to_owned);
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        if let Some(refusal) = self.refusal(&path, email.as_deref(), &method).await? {
            return Ok(refusal);
        }
        let (head, body) = request.into_parts();
        let mut builder = Request::builder()
            .method(head.method)
            .uri(format!("/storage.googleapis.com{path}"))
            .header("host", "127.0.0.1");
        for (name, value) in &head.headers {
            if ![
                "host",
                "authorization",
                "accept-encoding",
                "connection",
                "content-length",
            ]
            .contains(&name.as_str())
            {
                builder = builder.header(name, value);
            }
        }
        let body = body.collect().await?.to_bytes();
        let mut answer = self.emulator.send(builder.body(Full::new(body))?).await?;
        for name in ["connection", "transfer-encoding"] {
            answer.headers_mut().remove(name);
        }
        Ok(answer)
    }

    /// Why a request is refused; none where it is not.
    async fn refusal(
        &self,
        path: &str,
        email: Option<&str>,
        method: &Method,
    ) -> Result<Option<Response<Full<Bytes>>>> {
        let refuse = |code: u16, message: String| {
            let body = json!({"error": {"code": code, "message": message, "errors": [{"message": message, "domain": "global", "reason": "forbidden"}]}});
            Ok(Some(respond(method, code, "google", &body)))
        };
        let Some(bucket) = path
            .split_once("/b/")
            .and_then(|(_, rest)| rest.split(['/', '?']).next())
        else {
            return Ok(None);
        };
        let Some(email) = email else {
            return refuse(
                401,
                format!(
                    "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage bucket {bucket}."
                ),
            );
        };
        let policy = self
            .emulator
            .json(
                "GET",
                &format!("/storage.googleapis.com/storage/v1/b/{bucket}/iam"),
            )
            .await?
            .unwrap_or_default();
        let caller = format!("serviceAccount:{email}");
        if READERS
            .iter()
            .any(|role| members(&policy, role).contains(&caller.as_str()))
        {
            return Ok(None);
        }
        refuse(
            403,
            format!(
                "{email} does not have storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist)."
            ),
        )
    }
}
