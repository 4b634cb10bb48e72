//! Where a pod runs, and therefore which machine's identity the firewall sees: node pools, and which of them accept a pod.

use json::{list, text};
use serde_json::Value;

use super::firewall::Machine;
use super::object::{Labels, labels, texts};

/// The label that GKE puts on every node.
const POOL: &str = "cloud.google.com/gke-nodepool";

/// A node pool, in the form of container v1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The labels of its nodes.
    labels: Labels,
    /// Taints that repel pods: key, value, effect. `PREFER_NO_SCHEDULE` repels none.
    taints: Vec<(String, String, String)>,
    /// The machine's properties for the firewall.
    pub machine: Machine,
}

impl Pool {
    /// Parses an item of container v1's `nodePools[]`.
    pub fn read(value: &Value) -> Pool {
        let name = text(value, "/name").to_owned();
        let mut labels = labels(value, "/config/labels");
        labels.insert(POOL.to_owned(), name.clone());
        let taints = list(value, "/config/taints").map(|taint| {
            let field = |pointer| text(taint, pointer).to_owned();
            // The spelling of container v1, and that of Kubernetes.
            let effect = match text(taint, "/effect") {
                "NO_SCHEDULE" => "NoSchedule",
                "NO_EXECUTE" => "NoExecute",
                _ => "PreferNoSchedule",
            };
            (field("/key"), field("/value"), effect.to_owned())
        });
        // A pool without its own account uses the project's default account, whose address is not in the object.
        let account = match text(value, "/config/serviceAccount") {
            "" => "default",
            account => account,
        };
        Pool {
            taints: taints
                .filter(|(_, _, effect)| effect != "PreferNoSchedule")
                .collect(),
            machine: Machine {
                service_accounts: vec![account.to_owned()],
                tags: texts(value, "/config/tags"),
                address: None,
            },
            labels,
            name,
        }
    }

    /// Whether a pod with this `spec` may run on the pool.
    pub fn takes(&self, spec: &Value) -> bool {
        self.selected(spec)
            && self
                .taints
                .iter()
                .all(|(key, value, effect)| tolerates(spec, key, value, effect))
    }

    /// `nodeSelector` and required node affinity. Labels of individual nodes (zone, host name) are assumed to match.
    fn selected(&self, spec: &Value) -> bool {
        let known = |key: &str| !key.contains("kubernetes.io/") || self.labels.contains_key(key);
        let selector = labels(spec, "/nodeSelector");
        let by_selector = selector
            .iter()
            .all(|(key, value)| !known(key) || self.labels.get(key) == Some(value));
        let required = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        let mut terms = list(spec, required).peekable();
        let by_affinity = terms.peek().is_none()
            || terms.any(|term| {
                list(term, "/matchExpressions")
                    .filter(|each| known(text(each, "/key")))
                    .all(|each| self.meets(each))
            });
        by_selector && by_affinity
    }

    fn meets(&self, expression: &Value) -> bool {
        let value = self.labels.get(text(expression, "/key"));
        let values = texts(expression, "/values");
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
        match text(expression, "/operator") {
            "In" => value.is_some_and(|value| values.contains(value)),
            "NotIn" => !value.is_some_and(|value| values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => number(value) > number(values.first()),
            "Lt" => value.is_some() && number(value) < number(values.first()),
            _ => false,
        }
    }
}

/// Whether the tolerations of a pod's spec tolerate the taint `key=value:effect`.
pub fn tolerates(spec: &Value, key: &str, value: &str, effect: &str) -> bool {
    list(spec, "/tolerations").any(|toleration| {
        let field = |pointer| text(toleration, pointer);
        let exists = field("/operator") == "Exists";
        let same_key = field("/key") == key || (field("/key").is_empty() && exists);
        let same_value = exists || field("/value") == value;
        let same_effect = field("/effect").is_empty() || field("/effect") == effect;
        same_key && same_value && same_effect
    })
}

/// The pool of a node object, by its label.
pub fn pool_of(node: &Value) -> Option<String> {
    labels(node, "/metadata/labels").remove(POOL)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_runs_where_labels_and_taints_let_it() {
        let plain =
            Pool::read(&json!({"name": "default-pool", "config": {"serviceAccount": "app@p"}}));
        let taint = json!([{"key": "dedicated", "value": "gateway", "effect": "NO_SCHEDULE"}]);
        let gateway = Pool::read(
            &json!({"name": "gateway", "config": {"serviceAccount": "gw@p", "taints": taint}}),
        );
        assert_eq!(gateway.machine.service_accounts, ["gw@p"]);
        let affinity = |operator: &str, values: Value| {
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": POOL, "operator": operator, "values": values}]}]}}})
        };
        let tolerations = json!([{"key": "dedicated", "operator": "Equal", "value": "gateway"}]);
        // (spec, in the default pool, in the gateway pool)
        let cases = [
            (json!({}), true, false),
            (json!({"tolerations": tolerations}), true, true),
            (json!({"tolerations": [{"operator": "Exists"}]}), true, true),
            (
                json!({"tolerations": [{"key": "dedicated", "value": "other"}]}),
                true,
                false,
            ),
            (
                json!({"affinity": affinity("In", json!(["gateway"])), "tolerations": tolerations}),
                false,
                true,
            ),
            (
                json!({"affinity": affinity("NotIn", json!(["gateway"]))}),
                true,
                false,
            ),
            (
                json!({"affinity": affinity("In", json!(["gateway"]))}),
                false,
                false,
            ),
            (json!({"nodeSelector": {POOL: "default-pool"}}), true, false),
            (json!({"nodeSelector": {"disk": "ssd"}}), false, false),
            (
                json!({"nodeSelector": {"kubernetes.io/os": "linux"}}),
                true,
                false,
            ),
        ];
        for (spec, in_plain, in_gateway) in cases {
            assert_eq!(
                (plain.takes(&spec), gateway.takes(&spec)),
                (in_plain, in_gateway),
                "{spec}"
            );
        }
    }
}
