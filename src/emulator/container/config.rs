//! How GKE prints what was sent: defaults filled in, proto3's zeros left out, settings with two fields in both.

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use crate::answer::ErrorResponse;

/// Fields that are printed even when they are false: they know the difference between false and not said.
const EXPLICIT: &[&str] = &[
    "allowExternalTraffic",
    "enableK8sCertsViaDns",
    "enableK8sTokensViaDns",
    "enablePublicEndpoint",
    "gcpPublicCidrsAccessEnabled",
    "insecureKubeletReadonlyPortEnabled",
];

/// `sent` over `base`: objects field by field, anything else replaced.
pub fn merged(mut base: Value, sent: &Value) -> Value {
    json::merge(&mut base, sent);
    base
}

/// Without the zeros that proto3 does not print: false, 0 and empty text, at any depth. An empty message stays.
pub fn printed(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter(|(name, value)| EXPLICIT.contains(&name.as_str()) || !is_zero(value));
            Value::Object(kept.map(|(name, value)| (name, printed(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(printed).collect()),
        other => other,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}

/// Who may reach the control plane's addresses, as it was sent: the newer field, or the older one.
pub fn sent_networks(cluster: &Value) -> Value {
    let newer =
        cluster.pointer("/controlPlaneEndpointsConfig/ipEndpointsConfig/authorizedNetworksConfig");
    let older = cluster.get("masterAuthorizedNetworksConfig");
    newer
        .filter(|value| !is_bare(value))
        .or(older)
        .cloned()
        .unwrap_or_else(|| json!({}))
}

fn is_bare(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty)
}

/// What GKE makes of it.
///
/// # Errors
/// 400 for a block that is no range. The text is not recorded.
pub fn authorized_networks(sent: &Value, private: bool) -> Result<Value, ErrorResponse> {
    for block in sent["cidrBlocks"].as_array().into_iter().flatten() {
        let text = block["cidrBlock"].as_str().unwrap_or_default();
        let range: Option<Ipv4Net> = text.parse().ok();
        if range.is_none_or(|range| range.addr() != range.network()) {
            return Err(ErrorResponse::bad_request(format!(
                "Invalid master authorized networks: network \"{text}\" is not a valid CIDR block."
            )));
        }
    }
    let mut networks = sent.clone();
    if sent["enabled"] == json!(true) {
        networks["gcpPublicCidrsAccessEnabled"] =
            json!(sent["gcpPublicCidrsAccessEnabled"] == json!(true));
        networks["privateEndpointEnforcementEnabled"] = json!(true);
    } else {
        networks = if private {
            json!({"privateEndpointEnforcementEnabled": true})
        } else {
            json!({"gcpPublicCidrsAccessEnabled": true})
        };
    }
    Ok(networks)
}

/// Writes the networks into both of their homes.
pub fn set_networks(cluster: &mut Value, networks: &Value) {
    cluster["masterAuthorizedNetworksConfig"] = networks.clone();
    cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["authorizedNetworksConfig"] =
        networks.clone();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_left_out_and_empty_messages_are_not() {
        let told = json!({"autopilot": {"enabled": false}, "initialNodeCount": 0, "description": "", "x": [],
            "dns": {"allowExternalTraffic": false}, "pools": [{"initialNodeCount": 0, "name": "n"}]});
        let want = json!({"autopilot": {}, "dns": {"allowExternalTraffic": false}, "pools": [{"name": "n"}]});
        assert_eq!(printed(told), want);
    }

    #[test]
    fn authorized_networks_are_printed_as_recorded() {
        let cases = [
            (
                json!({}),
                false,
                json!({"gcpPublicCidrsAccessEnabled": true}),
            ),
            (
                json!({}),
                true,
                json!({"privateEndpointEnforcementEnabled": true}),
            ),
            (
                json!({"enabled": true, "cidrBlocks": [{"cidrBlock": "203.0.113.99/32"}]}),
                true,
                json!({"enabled": true, "cidrBlocks": [{"cidrBlock": "203.0.113.99/32"}],
                    "gcpPublicCidrsAccessEnabled": false, "privateEndpointEnforcementEnabled": true}),
            ),
        ];
        for (sent, private, want) in cases {
            assert_eq!(authorized_networks(&sent, private).unwrap(), want, "{sent}");
        }
        for bad in ["203.0.113.99", "203.0.113.99/24", "x"] {
            let sent = json!({"enabled": true, "cidrBlocks": [{"cidrBlock": bad}]});
            assert!(authorized_networks(&sent, true).is_err(), "{bad}");
        }
    }
}
