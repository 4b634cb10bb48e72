//! The metadata server: who a pod is, and a token for it where the account lets the pod act as it.

use std::net::IpAddr;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::json;

use super::{Google, Identity, TOKEN, members};
use crate::{Result, vpc};

/// What the metadata server calls a token's reach.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

impl Google {
    /// Answers a request to the metadata server.
    pub(super) async fn metadata(
        &self,
        request: &Request<Incoming>,
        from: IpAddr,
    ) -> Result<Response<Full<Bytes>>> {
        let is_asked_properly = request
            .headers()
            .get("metadata-flavor")
            .is_some_and(|value| value == "Google");
        let path = request.uri().path();
        if path == "/" {
            return says(200, "text/plain", "computeMetadata/\n".to_owned());
        }
        if !is_asked_properly {
            return says(
                403,
                "text/plain",
                "Missing required header \"Metadata-Flavor\": \"Google\"\n".to_owned(),
            );
        }
        let Some(identity) = self.identity(from).await? else {
            return says(
                404,
                "text/plain",
                format!("no pod has the address {from}\n"),
            );
        };
        let asked = path
            .strip_prefix("/computeMetadata/v1/")
            .unwrap_or_default();
        let account = asked
            .strip_prefix("instance/service-accounts/")
            .map(|rest| rest.replacen(&identity.email, "default", 1));
        let recursive = request
            .uri()
            .query()
            .is_some_and(|query| query.to_lowercase().contains("recursive=true"));
        let text = |text: String| says(200, "application/text", text);
        match (
            asked,
            account
                .as_deref()
                .map(|account| account.trim_end_matches('/')),
        ) {
            ("project/project-id", _) => text(vpc::PROJECT.to_owned()),
            ("project/numeric-project-id", _) => text("123456789012".to_owned()),
            ("instance/zone", _) => text("projects/123456789012/zones/us-central1-a".to_owned()),
            ("universe/universe-domain", _) => text("googleapis.com".to_owned()),
            (_, Some("")) if recursive => says(
                200,
                "application/json",
                json!({"default": of(&identity), identity.email.as_str(): of(&identity)})
                    .to_string(),
            ),
            (_, Some("")) => text(format!("default/\n{}/\n", identity.email)),
            (_, Some("default")) if recursive => {
                says(200, "application/json", of(&identity).to_string())
            }
            (_, Some("default")) => text("aliases\nemail\nscopes\ntoken\n".to_owned()),
            (_, Some("default/email")) => text(identity.email),
            (_, Some("default/scopes")) => text(format!("{SCOPE}\n")),
            (_, Some("default/token")) => self.token(&identity).await,
            _ => says(404, "text/plain", "404 page not found\n".to_owned()),
        }
    }

    /// A token, if the Google account lets the Kubernetes account act as it.
    async fn token(&self, identity: &Identity) -> Result<Response<Full<Bytes>>> {
        let path = format!(
            "/iam.googleapis.com/v1/projects/-/serviceAccounts/{}:getIamPolicy",
            identity.email
        );
        let policy = self.emulator.json("POST", &path).await?.unwrap_or_default();
        let acts =
            members(&policy, "roles/iam.workloadIdentityUser").contains(&identity.member.as_str());
        let is_itself = identity.email.ends_with(".svc.id.goog");
        if acts || is_itself {
            let token = json!({"access_token": format!("{TOKEN}{}", identity.email), "expires_in": 3599, "token_type": "Bearer"});
            return says(200, "application/json", token.to_string());
        }
        let why = "Unable to generate access token; IAM returned 403 Forbidden: Permission 'iam.serviceAccounts.getAccessToken' \
                   denied on resource (or it may not exist).\n";
        says(403, "text/plain", why.to_owned())
    }
}

fn of(identity: &Identity) -> serde_json::Value {
    json!({"aliases": ["default"], "email": identity.email, "scopes": [SCOPE]})
}

fn says(status: u16, kind: &str, body: String) -> Result<Response<Full<Bytes>>> {
    let builder = Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("metadata-flavor", "Google");
    Ok(builder
        .header("server", "Metadata Server for VM")
        .body(Full::new(body.into()))?)
}
