//! The control plane's addresses, and the fields of a cluster that hold them.

use serde_json::{Value, json};

use super::footprint::NetworkFootprint;
use super::location::Location;
use crate::names;

/// Sets the addresses: public ones from the ranges reserved for documentation, the private one from the control plane's range.
pub fn give(cluster: &mut Value, place: &Location, footprint: &NetworkFootprint) {
    let hash = names::hash(&footprint.hash);
    let public = format!(
        "{}.{}",
        if hash.is_multiple_of(2) {
            "203.0.113"
        } else {
            "198.51.100"
        },
        2 + (hash >> 8) % 250
    );
    let private = footprint
        .master
        .and_then(|range| range.hosts().nth(1))
        .map_or("10.128.0.2".to_owned(), |host| host.to_string());
    cluster["endpoint"] = json!(public);
    // The authority's certificate is written in when the cluster runs, and has one.
    cluster["masterAuth"] = json!({"clientCertificateConfig": {}});
    cluster["privateClusterConfig"]["publicEndpoint"] = json!(public);
    cluster["privateClusterConfig"]["privateEndpoint"] = json!(private);
    let long: String = names::long_hex(&footprint.hash).chars().take(36).collect();
    let dns = format!(
        "gke-{long}-{}.{}.gke.goog",
        place.project.number, place.location
    );
    cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"] = json!(dns);
    let addresses = &mut cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"];
    addresses["publicEndpoint"] = json!(public);
    addresses["privateEndpoint"] = json!(private);
    if footprint.master.is_some() {
        addresses["privateEndpointSubnetwork"] = json!(format!(
            "projects/{}/regions/{}/subnetworks/{}",
            place.project.id,
            place.region(),
            footprint.master_subnetwork()
        ));
    }
    if cluster.pointer("/privateClusterConfig/enablePrivateEndpoint") == Some(&json!(true)) {
        cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["enablePublicEndpoint"] =
            json!(false);
    }
    set_endpoints(cluster);
}

/// Copies public and global access from `ipEndpointsConfig` to the older fields for it.
pub fn set_endpoints(cluster: &mut Value) {
    let private_config = cluster["privateClusterConfig"].clone();
    let ip = &mut cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"];
    let public = ip["enablePublicEndpoint"] != json!(false);
    let global = ip["globalAccess"] == json!(true);
    if public {
        ip["publicEndpoint"] = private_config["publicEndpoint"].clone();
    } else if let Some(fields) = ip.as_object_mut() {
        fields.remove("publicEndpoint");
    }
    let address = if public {
        "publicEndpoint"
    } else {
        "privateEndpoint"
    };
    cluster["endpoint"] = private_config[address].clone();
    cluster["privateClusterConfig"]["enablePrivateEndpoint"] = json!(!public);
    if global {
        cluster["privateClusterConfig"]["masterGlobalAccessConfig"] = json!({"enabled": true});
    }
}
