//! The Kubernetes versions on offer.

use serde_json::{Value, json};

/// Channel, its default version, the versions it has. Numbers are of the form Google uses; they age, and nothing depends on them.
const CHANNELS: &[(&str, &str, &[&str])] = &[
    (
        "RAPID",
        "1.35.1-gke.1396002",
        &["1.35.1-gke.1396002", "1.34.4-gke.1047000"],
    ),
    (
        "REGULAR",
        "1.34.4-gke.1047000",
        &["1.34.4-gke.1047000", "1.33.8-gke.1026000"],
    ),
    (
        "STABLE",
        "1.33.8-gke.1026000",
        &["1.33.8-gke.1026000", "1.32.11-gke.1123000"],
    ),
    (
        "EXTENDED",
        "1.33.8-gke.1026000",
        &["1.33.8-gke.1026000", "1.30.14-gke.1150000"],
    ),
];

/// The version of a new cluster in a channel; without one, REGULAR's.
pub fn of_channel(channel: Option<&str>) -> &'static str {
    let find = |name: &str| {
        CHANNELS
            .iter()
            .find(|(channel, ..)| *channel == name)
            .map(|row| row.1)
    };
    channel
        .and_then(find)
        .or_else(|| find("REGULAR"))
        .unwrap_or_default()
}

/// The answer to getServerConfig.
pub fn server_config() -> Value {
    let mut all: Vec<&str> = CHANNELS
        .iter()
        .flat_map(|(_, _, versions)| versions.iter().copied())
        .collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.dedup();
    let channels: Vec<Value> = CHANNELS
        .iter()
        .map(|(channel, default, versions)| json!({"channel": channel, "defaultVersion": default, "validVersions": versions}))
        .collect();
    json!({
        "channels": channels,
        "defaultClusterVersion": of_channel(None),
        "defaultImageType": "COS_CONTAINERD",
        "validImageTypes": ["COS_CONTAINERD", "UBUNTU_CONTAINERD", "WINDOWS_LTSC_CONTAINERD"],
        "validMasterVersions": all,
        "validNodeVersions": all,
    })
}
