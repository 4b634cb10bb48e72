//! `pilot-agent request`: the admin interface of the proxy, as clients use it to see its configuration.
//!
//! Of Envoy's answers there are names, outbound clusters with their type and DestinationRule, and how
//! long it buffers the lines of its log. Statistics and connections are not emulated.

use serde_json::{Value, json};

use super::exec_context::ExecContext;
use super::run::ProgramResult;
use egress::envoy_cluster::{Discovery, EnvoyCluster};

/// `pilot-agent request GET PATH`.
pub fn pilot_agent(arguments: &[String], seat: &ExecContext) -> ProgramResult {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ["request", method, path] = words.as_slice() else {
        return ProgramResult::failed(
            1,
            "Error: the emulated pilot-agent has only pilot-agent request GET PATH\n",
        );
    };
    if !method.eq_ignore_ascii_case("get") {
        return ProgramResult::failed(
            1,
            format!("Error: the emulated proxy accepts GET, not {method}\n"),
        );
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let clusters = seat.network.clusters(&seat.from);
    match path.trim_start_matches('/') {
        "clusters" => ProgramResult::said(listed(&clusters)),
        "config_dump" => ProgramResult::said(format!("{:#}\n", config_dump(&clusters, query))),
        "ready" => ProgramResult::said("LIVE\n"),
        "server_info" => ProgramResult::said(format!(
            "{:#}\n",
            json!({
                "state": "LIVE",
                "version": "emulated",
                "command_line_options": {"file_flush_interval": format!("{:.3}s", seat.flush.as_secs_f64())},
            })
        )),
        other => ProgramResult::failed(
            1,
            format!(
                "Error: /{other} is not available in the emulated proxy, which has clusters, config_dump, ready and server_info\n"
            ),
        ),
    }
}

/// The list of clusters in text: a line for each that there is.
fn listed(clusters: &[EnvoyCluster]) -> String {
    let lines = clusters.iter().map(|cluster| {
        format!("{cluster}::observability_name::{cluster};\n{cluster}::added_via_api::true\n")
    });
    lines.collect()
}

/// What Envoy keeps of a cluster, without what is not known here.
fn dynamic(cluster: &EnvoyCluster) -> Value {
    let mut told = json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": cluster.to_string(),
        "type": cluster.discovery.to_string(),
    });
    if cluster.discovery == Discovery::Eds {
        told["eds_cluster_config"] =
            json!({"eds_config": {"ads": {}}, "service_name": cluster.to_string()});
    }
    if let Some(rule) = &cluster.destination_rule {
        let (namespace, name) = (&rule.namespace, &rule.name);
        // Where istioctl reads the DestinationRule's name from.
        let config = format!(
            "/apis/networking.istio.io/v1alpha3/namespaces/{namespace}/destination-rule/{name}"
        );
        told["metadata"] = json!({"filter_metadata": {"istio": {"config": config}}});
    }
    json!({"version_info": "emulated", "cluster": told})
}

fn config_dump(clusters: &[EnvoyCluster], query: &str) -> Value {
    let mut dynamics: Vec<Value> = clusters.iter().map(dynamic).collect();
    if query
        .split('&')
        .any(|pair| pair == "resource=dynamic_active_clusters")
    {
        for one in &mut dynamics {
            one["@type"] =
                json!("type.googleapis.com/envoy.admin.v3.ClustersConfigDump.DynamicCluster");
        }
        return json!({"configs": dynamics});
    }
    json!({"configs": [{
        "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
        "version_info": "emulated",
        "dynamic_active_clusters": dynamics,
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress::object::Object;

    #[test]
    fn a_cluster_is_told_by_name_type_and_rule() {
        let cluster = EnvoyCluster {
            host: "gw.istio-egress.svc.cluster.local".to_owned(),
            port: 80,
            subset: "mTLS".to_owned(),
            discovery: Discovery::Eds,
            destination_rule: Some(Object::new("DestinationRule", "istio-egress", "target")),
        };
        let name = "outbound|80|mTLS|gw.istio-egress.svc.cluster.local";
        let clusters = [cluster];
        let whole = config_dump(&clusters, "");
        let one = config_dump(&clusters, "resource=dynamic_active_clusters");
        for told in [
            &whole["configs"][0]["dynamic_active_clusters"][0]["cluster"],
            &one["configs"][0]["cluster"],
        ] {
            assert_eq!(
                (&told["name"], &told["type"]),
                (&json!(name), &json!("EDS"))
            );
            let config = &told["metadata"]["filter_metadata"]["istio"]["config"];
            assert!(
                config
                    .as_str()
                    .unwrap()
                    .ends_with("/istio-egress/destination-rule/target")
            );
        }
        assert!(listed(&clusters).starts_with(&format!("{name}::observability_name::{name};")));
    }
}
