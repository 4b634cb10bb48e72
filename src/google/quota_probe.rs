//! One request: whether calls can count against a project, because its Service Usage API is on and this user may use it. It is sent
//! with the header that the other calls would have, and never repeated here.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION};

use super::http::CONNECT;
use super::quota::{self, Probe};
use super::{Api, Call, Endpoints, Token, segment};

/// The size limit of the answer, in bytes. Google's has a few kilobytes.
const LONGEST: usize = 1 << 20;

/// Asks for the state of a project's Service Usage API.
pub(super) async fn ask(
    http: &reqwest::Client,
    endpoints: &Endpoints,
    project: String,
    token: &Token,
) -> Probe {
    let name = Api::ServiceUsage.host();
    let path = format!("v1/projects/{}/services/{name}", segment(&project));
    let call = Call::get(Api::ServiceUsage, path);
    let (Ok(url), Some(bearer)) = (endpoints.url(&call), token.bearer()) else {
        return Probe::Nothing;
    };
    let request = http
        .get(url)
        .timeout(CONNECT)
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, bearer)
        .header(quota::HEADER, project);
    let Ok(mut answer) = request.send().await else {
        return Probe::Nothing;
    };
    match answer.status() {
        status if status.is_success() => {}
        status if is_final(status) => return Probe::Refused,
        _ => return Probe::Nothing,
    }
    let mut body = Vec::new();
    while let Ok(Some(part)) = answer.chunk().await {
        body.extend_from_slice(&part);
        if body.len() > LONGEST {
            return Probe::Nothing;
        }
    }
    serde_json::from_slice(&body).map_or(Probe::Nothing, Probe::Answered)
}

/// Whether a code says that the project or the user is the cause. A refused token and too many calls say nothing about them.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && ![401, 408, 429].contains(&status.as_u16())
}
