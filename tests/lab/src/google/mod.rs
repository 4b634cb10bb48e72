//! Google, as a pod meets it: the metadata server of its node, and Cloud Storage behind Private Google Access.
//!
//! What is there, and who may do what, is the emulator's: it is asked for every policy and every object. Only what the emulator
//! leaves to the network is done here: whose pod a connection comes from, and whose token a request bears.

mod emulator;
mod metadata;
mod storage;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::answer::respond;
use crate::api::Api;
use crate::layout::{Lab, METADATA_SERVER};
use crate::{Result, vpc};
use emulator::Emulator;

/// The addresses of `private.googleapis.com`.
const PRIVATE: &str = "199.36.153.8/30";
/// What a token of this metadata server begins with; the account's address follows.
const TOKEN: &str = "lab-token-of-";

/// Google's side, for the server that stands outside.
#[derive(Clone)]
pub struct Google {
    lab: Lab,
    emulator: Emulator,
}

/// Who a pod is to Google.
struct Identity {
    email: String,
    /// `PROJECT.svc.id.goog[NAMESPACE/ACCOUNT]`.
    member: String,
}

impl Google {
    /// Google as the emulator of a laboratory has it.
    #[must_use]
    pub fn new(lab: &Lab) -> Google {
        Google {
            lab: lab.clone(),
            emulator: Emulator::new(vpc::socket(lab)),
        }
    }

    /// Whether a connection is meant for Google.
    pub(crate) fn is_meant(&self, meant: SocketAddr, server_name: Option<&str>) -> bool {
        let is_private = PRIVATE
            .parse::<ipnet::Ipv4Net>()
            .is_ok_and(|range| match meant.ip() {
                IpAddr::V4(address) => range.contains(&address),
                IpAddr::V6(_) => false,
            });
        is_private
            || meant.ip().to_string() == METADATA_SERVER
            || server_name.is_some_and(|name| name.ends_with(".googleapis.com"))
    }

    /// Answers a request that came from an address.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        from: IpAddr,
        meant: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let answered = if meant.ip().to_string() == METADATA_SERVER {
            self.metadata(&request, from).await
        } else {
            self.storage(request).await
        };
        let mut answered = answered.unwrap_or_else(|error| {
            let body = json!({"error": {"code": 503, "message": format!("the laboratory's emulator: {error}"), "status": "UNAVAILABLE"}});
            respond(&hyper::Method::GET, 503, "google", &body)
        });
        answered.headers_mut().insert(
            "x-answered-by",
            hyper::header::HeaderValue::from_static("google"),
        );
        answered
    }

    /// Whose pod has this address, to Google: the Google account that its Kubernetes account names, else the latter.
    async fn identity(&self, address: IpAddr) -> Result<Option<Identity>> {
        let api = tokio::time::timeout(Duration::from_secs(10), Api::connect(&self.lab)).await??;
        let pods = api
            .get(&format!(
                "/api/v1/pods?fieldSelector=status.podIP%3D{address}"
            ))
            .await?;
        let pod = pods["items"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|pod| pod["spec"]["hostNetwork"] != true);
        let Some(pod) = pod.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()) else {
            return Ok(None);
        };
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = pod["spec"]["serviceAccountName"]
            .as_str()
            .unwrap_or("default");
        let account = api
            .get(&format!(
                "/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
            ))
            .await?;
        let pool = format!("{}.svc.id.goog", vpc::PROJECT);
        let named = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].as_str();
        Ok(Some(Identity {
            email: named.unwrap_or(&pool).to_owned(),
            member: format!("serviceAccount:{pool}[{namespace}/{name}]"),
        }))
    }
}

/// The members that a policy gives a role to.
fn members<'a>(policy: &'a Value, role: &str) -> Vec<&'a str> {
    let bindings = policy["bindings"].as_array().into_iter().flatten();
    let of_role = bindings.filter(|binding| binding["role"] == role);
    of_role
        .flat_map(|binding| binding["members"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect()
}
