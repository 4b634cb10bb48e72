//! Whether a proxy writes an access log: decided by Telemetry objects, otherwise by the mesh's configuration.
//!
//! As in Istio, the object nearest to the workload that says anything about access logs decides: one that selects it, else its
//! namespace's, else the root namespace's; among several the oldest. Filters by expression are not evaluated: such a log has
//! all lines.

use serde_json::Value;

use super::cluster::Cluster;
use super::selectors;

/// The namespace whose objects hold for all.
const ROOT: &str = "istio-system";

/// Whether the proxy of a pod in `namespace` with these labels logs what it sends out.
pub fn logs(cluster: &Cluster, namespace: &str, labels: &Value) -> bool {
    let mut said: Vec<(u8, &Value)> = cluster
        .store
        .list("telemetries.telemetry.istio.io/")
        .into_iter()
        .filter_map(|(_, object)| Some((nearness(object, namespace, labels)?, object)))
        .filter(|(_, object)| entries(object).next().is_some())
        .collect();
    let age = |object: &Value| {
        (
            object["metadata"]["creationTimestamp"].to_string(),
            object["metadata"]["name"].to_string(),
        )
    };
    said.sort_by_key(|(near, object)| (*near, age(object)));
    match said.first() {
        Some((_, object)) => entries(object).any(writes),
        None => configured(cluster),
    }
}

/// How near an object is to a workload: 0 is nearest; none where it is not about it.
fn nearness(object: &Value, namespace: &str, labels: &Value) -> Option<u8> {
    let own = object["metadata"]["namespace"] == namespace;
    let chosen = &object["spec"]["selector"]["matchLabels"];
    let selective = chosen.as_object().is_some_and(|labels| !labels.is_empty());
    match (own, selective) {
        (true, true) => selectors::selects(&object["spec"]["selector"], labels).then_some(0),
        (true, false) => Some(1),
        (false, false) if object["metadata"]["namespace"] == ROOT => Some(2),
        _ => None,
    }
}

/// What an object says about access logs, as far as it is about requests that go out.
fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    let all = object["spec"]["accessLogging"]
        .as_array()
        .into_iter()
        .flatten();
    all.filter(|entry| entry["match"]["mode"] != "SERVER")
}

/// Whether an entry lets Envoy write to its standard output. Without a provider it is about the mesh's default ones, which is
/// Envoy's own log.
fn writes(entry: &Value) -> bool {
    let providers = entry["providers"]
        .as_array()
        .filter(|providers| !providers.is_empty());
    let envoy = providers
        .is_none_or(|providers| providers.iter().any(|provider| provider["name"] == "envoy"));
    envoy && entry["disabled"] != true
}

/// Whether the mesh's configuration names a file: `accessLogFile` in the ConfigMap of its revision.
fn configured(cluster: &Cluster) -> bool {
    let Some(revision) = &cluster.mesh else {
        return false;
    };
    let map = cluster
        .store
        .get(&format!("configmaps/{ROOT}/istio-{revision}"));
    let mesh = map
        .and_then(|map| map["data"]["mesh"].as_str())
        .unwrap_or_default();
    let mut files = mesh
        .lines()
        .filter_map(|line| line.trim().strip_prefix("accessLogFile:"));
    files.any(|file| !file.trim().trim_matches(['"', '\'']).is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(objects: &[(&str, Value)]) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.mesh = Some("asm-managed".to_owned());
        for (key, object) in objects {
            let (namespace, name) = key.split_once('/').unwrap();
            let mut object = object.clone();
            object["metadata"]["namespace"] = json!(namespace);
            object["metadata"]["name"] = json!(name);
            let plural = if object.get("data").is_some() {
                "configmaps"
            } else {
                "telemetries.telemetry.istio.io"
            };
            cluster.store.put(&format!("{plural}/{key}"), object);
        }
        cluster
    }

    #[test]
    fn the_nearest_object_decides_and_nothing_means_no_log() {
        let on = json!({"spec": {"accessLogging": [{"providers": [{"name": "envoy"}]}]}});
        let off = json!({"spec": {"accessLogging": [{"providers": [{"name": "envoy"}], "disabled": true}]}});
        let other = json!({"spec": {"accessLogging": [{"providers": [{"name": "stackdriver"}]}]}});
        let metrics = json!({"spec": {"metrics": [{}]}});
        let mut chosen = on.clone();
        chosen["spec"]["selector"] = json!({"matchLabels": {"app": "test"}});
        let mut server = on.clone();
        server["spec"]["accessLogging"][0]["match"] = json!({"mode": "SERVER"});
        let file = json!({"data": {"mesh": "accessLogFile: /dev/stdout\nmtls: {}\n"}});
        let empty = json!({"data": {"mesh": "accessLogFile: \"\"\n"}});
        let root = |object: &Value| ("istio-system/mesh-default", object.clone());
        let own = |object: &Value| ("team-x/own", object.clone());
        let map = |object: &Value| ("istio-system/istio-asm-managed", object.clone());
        // (objects, whether team-x's test logs)
        let cases = [
            (vec![], false),
            (vec![root(&on)], true),
            (vec![root(&other)], false),
            (vec![root(&server)], false),
            (vec![root(&on), own(&off)], false),
            (vec![root(&off), own(&on)], true),
            (vec![root(&on), own(&metrics)], true),
            (vec![own(&off), ("team-x/chosen", chosen.clone())], true),
            (vec![("team-y/own", on.clone())], false),
            (vec![map(&file)], true),
            (vec![map(&file), root(&off)], false),
            (vec![map(&empty)], false),
        ];
        for (objects, want) in cases {
            let found = logs(&cluster(&objects), "team-x", &json!({"app": "test"}));
            assert_eq!(found, want, "{objects:?}");
        }
    }
}
