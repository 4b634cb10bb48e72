//! The DNS endpoint of an emulated cluster: its name is a folder of the emulator's one port, as the hosts of Google's APIs are
//! (`http://127.0.0.1:PORT/gke-….us-central1-a.gke.goog/api/v1/…`). No name service on this machine knows the name.
//!
//! A closed endpoint answers 403, as people report it (gke-labs/kube-agents, pull request 648; zenml-io/zenml, pull request 4934);
//! the words are ours. Whether the caller has `container.clusters.connect` is not looked at: the emulator checks no credentials.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, Uri};
use serde_json::Value;

use super::handle::ClusterHandle;
use super::hosting::Hosting;
use super::server;
use crate::world::World;

/// The domain of all DNS endpoints.
const DOMAIN: &str = ".gke.goog";

/// What a request to a DNS endpoint meets.
pub enum DnsEndpoint {
    /// The cluster behind it.
    Open(Arc<ClusterHandle>),
    /// The cluster lets no requests from outside through.
    Closed,
    /// No cluster that runs has this name.
    Unknown,
}

/// The DNS endpoint in a path, and the path behind it.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    name.ends_with(DOMAIN).then_some((name, rest))
}

/// The cluster with this DNS endpoint.
pub fn find(world: &World, hosting: &Hosting, name: &str) -> DnsEndpoint {
    let with_name = |config: &Value| config["endpoint"] == name;
    let found = hosting.serving().find_map(|(key, serving)| {
        let config = world
            .get(key)?
            .pointer("/controlPlaneEndpointsConfig/dnsEndpointConfig")?;
        with_name(config).then(|| (config["allowExternalTraffic"] == true, serving.handle()))
    });
    match found {
        Some((true, handle)) => DnsEndpoint::Open(handle),
        Some((false, _)) => DnsEndpoint::Closed,
        None => DnsEndpoint::Unknown,
    }
}

/// Answers a request whose path begins with the name, by the cluster's API.
pub async fn respond(handle: Arc<ClusterHandle>, mut request: Request) -> Response<Body> {
    let target = request.uri().path_and_query().map(|all| all.as_str());
    let target = target.unwrap_or_default().trim_start_matches('/');
    let rest = target.find('/').map_or("/", |at| &target[at..]);
    let Ok(uri) = rest.parse::<Uri>() else {
        return page(StatusCode::BAD_REQUEST, "Bad Request");
    };
    *request.uri_mut() = uri;
    server::respond(handle, request).await
}

/// The answer for an endpoint that leads nowhere.
pub fn refused(endpoint: &DnsEndpoint) -> Response<Body> {
    match endpoint {
        DnsEndpoint::Closed => page(StatusCode::FORBIDDEN, "Forbidden"),
        _ => page(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn page(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{words}\n")));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_first_folder_of_a_path() {
        for (path, expected) in [
            (
                "/x.us-central1-a.gke.goog/api/v1/namespaces",
                Some("/api/v1/namespaces"),
            ),
            ("/x.us-central1-a.gke.goog", Some("")),
            ("/container.googleapis.com/v1/x.gke.goog", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(split(path).map(|(_, rest)| rest), expected, "{path}");
        }
    }
}
