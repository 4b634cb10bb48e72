//! Which of its endpoints a cluster's API server is reached by: its IP address, or its DNS endpoint. Pure.
//!
//! The DNS endpoint is a name of Google's (`gke-….us-central1-a.gke.goog`) in front of the API server. It answers under Google's
//! own certificate whoever has `container.clusters.connect`, from any address. GKE names it for every cluster, and lets requests from
//! outside through only if `allowExternalTraffic` is true. Source: the messages of the API `container.v1` in gcloud 528, and the
//! recorded clusters in `fixtures/recorded`, whose names have this form.

use serde_json::Value;

use crate::google::{Api, Endpoints};

/// The field that opens the DNS endpoint, as users write it.
pub const FIELD: &str = "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic";

const OPEN: &str = "/controlPlaneEndpointsConfig/dnsEndpointConfig/allowExternalTraffic";
const NAME: &str = "/controlPlaneEndpointsConfig/dnsEndpointConfig/endpoint";
const NETWORKS: &str = "/controlPlaneEndpointsConfig/ipEndpointsConfig/authorizedNetworksConfig";
/// The domain of all DNS endpoints. A token is sent to no other name.
const DOMAIN: &str = ".gke.goog";

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterEndpoint {
    /// By its IP address, under the cluster's own authority.
    Address,
    /// The same, because the DNS endpoint is not open yet: this run opens it, and the list of networks is not empty yet.
    AddressForNow,
    /// By this name, under the authorities that the machine trusts.
    Name(String),
}

/// Why a cluster is not reached by its DNS endpoint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    /// It lets nothing from outside through, and no network may use the address.
    #[error("the DNS endpoint of the cluster is closed: {FIELD} is false")]
    Closed,
    /// Google's answer has no name, or another one than documented.
    #[error("{0:?} is no DNS endpoint below gke.goog")]
    Foreign(String),
}

/// Whether a step wants its cluster to be reached by the DNS endpoint.
pub fn is_by_name(want: &Value) -> bool {
    want.pointer(OPEN) == Some(&Value::Bool(true))
}

/// How to reach a cluster, as GKE describes it.
///
/// # Errors
/// The DNS endpoint is wanted and cannot be used.
pub fn choose(live: &Value, by_name: bool) -> Result<ClusterEndpoint, EndpointError> {
    match (by_name, is_by_name(live)) {
        (false, _) => Ok(ClusterEndpoint::Address),
        (true, true) => name(live).map(|name| ClusterEndpoint::Name(name.to_owned())),
        (true, false) if is_closed_to_all(live) => Err(EndpointError::Closed),
        (true, false) => Ok(ClusterEndpoint::AddressForNow),
    }
}

/// The DNS endpoint for a file that outlives this run: only while it is open.
///
/// # Errors
/// It is closed, or no name of Google's.
pub fn open_name(live: &Value) -> Result<&str, EndpointError> {
    match is_by_name(live) {
        true => name(live),
        false => Err(EndpointError::Closed),
    }
}

/// The address of the Kubernetes API behind a DNS endpoint: `https://NAME`. An emulator serves the name as a folder, as it serves the
/// hosts of Google's APIs.
pub fn server(name: &str, endpoints: &Endpoints) -> String {
    match endpoints.is_loopback(Api::Container) {
        true => format!("{}/{name}", endpoints.origin(Api::Container)),
        false => format!("https://{name}"),
    }
}

/// States in `want` what the live cluster has, so that a change of another field does not close its DNS endpoint.
pub fn keep(live: &Value, want: &mut Value) {
    if is_by_name(live) {
        want["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["allowExternalTraffic"] =
            true.into();
    }
}

fn name(live: &Value) -> Result<&str, EndpointError> {
    let name = live
        .pointer(NAME)
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    match name.ends_with(DOMAIN) && name.len() > DOMAIN.len() && name.chars().all(is_host) {
        true => Ok(name),
        false => Err(EndpointError::Foreign(name.to_owned())),
    }
}

/// Whether the list of networks is on and empty, so that the address answers nobody from outside.
fn is_closed_to_all(live: &Value) -> bool {
    let Some(list) = live.pointer(NETWORKS) else {
        return false;
    };
    let networks = list["cidrBlocks"].as_array().map_or(0, Vec::len);
    list["enabled"] == true && networks == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::difference::{diff, patch};
    use crate::kinds::resource_table::ROWS;
    use serde_json::json;

    fn cluster(open: bool, name: &str, networks: Value) -> Value {
        json!({"controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {"allowExternalTraffic": open, "endpoint": name},
            "ipEndpointsConfig": {"authorizedNetworksConfig": networks},
        }})
    }

    #[test]
    fn the_dns_endpoint_is_used_if_it_is_wanted_and_open() {
        use ClusterEndpoint::{Address, AddressForNow, Name};
        let name = "gke-0123456789abcdef0123456789abcdef0123-1234.us-central1-a.gke.goog";
        let here = json!({"enabled": true, "cidrBlocks": [{"cidrBlock": "203.0.113.7/32"}]});
        let nobody = json!({"enabled": true});
        let everybody = json!({"gcpPublicCidrsAccessEnabled": true});
        for (wanted, live, expected) in [
            (false, cluster(true, name, here.clone()), Ok(Address)),
            (false, cluster(false, name, nobody.clone()), Ok(Address)),
            (
                true,
                cluster(true, name, nobody.clone()),
                Ok(Name(name.to_owned())),
            ),
            (true, cluster(false, name, here), Ok(AddressForNow)),
            (true, cluster(false, name, everybody), Ok(AddressForNow)),
            (
                true,
                cluster(false, name, nobody),
                Err(EndpointError::Closed),
            ),
            // A cluster of a version before DNS endpoints.
            (true, json!({"endpoint": "192.0.2.1"}), Ok(AddressForNow)),
        ] {
            assert_eq!(choose(&live, wanted), expected, "{live}");
        }
    }

    #[test]
    fn a_step_opens_and_closes_it_with_the_list_of_networks() {
        let row = ROWS.iter().find(|row| row.kind == "container.cluster");
        let row = row.unwrap();
        let stated = |networks: Value, dns: Value| {
            let list =
                json!({"authorizedNetworksConfig": {"enabled": true, "cidrBlocks": networks}});
            let mut config = json!({ "ipEndpointsConfig": list });
            if !dns.is_null() {
                config["dnsEndpointConfig"] = dns;
            }
            json!({ "controlPlaneEndpointsConfig": config })
        };
        let list = json!([{"cidrBlock": "203.0.113.7/32"}]);
        let on = json!({"enabled": true, "cidrBlocks": list});
        let by_name = stated(json!([]), json!({"allowExternalTraffic": true}));
        let by_address = stated(list.clone(), Value::Null);
        // (want, live, the request; null if nothing differs)
        for (want, live, expected) in [
            (&by_name, cluster(false, "", on.clone()), by_name.clone()),
            (
                &by_name,
                cluster(true, "", json!({"enabled": true})),
                Value::Null,
            ),
            (
                &by_address,
                cluster(true, "", json!({"enabled": true})),
                stated(list.clone(), json!({"allowExternalTraffic": false})),
            ),
            (&by_address, cluster(false, "", on.clone()), Value::Null),
            (
                &by_address,
                json!({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"authorizedNetworksConfig": on}}}),
                Value::Null,
            ),
        ] {
            let fields = diff(row, want, &live);
            assert!(fields.iter().all(|field| !field.fixed), "{fields:?}");
            let sent = match fields.is_empty() {
                true => Value::Null,
                false => Value::Object(patch(row, &fields, want, &live)),
            };
            assert_eq!(sent, expected, "{live}");
        }
    }

    #[test]
    fn what_is_open_stays_open_if_only_the_list_is_changed() {
        for (open, expected) in [(true, json!(true)), (false, Value::Null)] {
            let mut want = json!({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {}}});
            keep(&cluster(open, "", Value::Null), &mut want);
            let stated = want.pointer(OPEN).cloned().unwrap_or_default();
            assert_eq!(stated, expected);
        }
    }

    #[test]
    fn a_token_goes_to_no_name_of_others() {
        for name in [
            "",
            ".gke.goog",
            "gke.goog",
            "gke-1.us-central1.gke.goog.example.com",
            "evil.example.com/.gke.goog",
            "user@x.gke.goog",
            "x.gke.goog:8443",
            "xgke.goog",
        ] {
            let live = cluster(true, name, Value::Null);
            assert_eq!(
                open_name(&live),
                Err(EndpointError::Foreign(name.to_owned()))
            );
        }
        let closed = cluster(false, "x.us-central1.gke.goog", Value::Null);
        assert_eq!(open_name(&closed), Err(EndpointError::Closed));
    }

    #[test]
    fn an_emulator_serves_the_name_as_a_folder() {
        let (name, here) = ("x.us-central1.gke.goog", "http://127.0.0.1:9");
        let endpoints = Endpoints::emulator(here);
        assert_eq!(server(name, &endpoints), format!("{here}/{name}"));
        let google = Endpoints::from_env(&|_| None).unwrap();
        assert_eq!(server(name, &google), format!("https://{name}"));
    }
}
