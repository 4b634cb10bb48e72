//! Which pods an object of a kind that is not covered applies to, as far as its selectors are understood. A selector that is
//! not understood selects every pod.
//!
//! The notations are those of Kubernetes and Istio, of Cilium (label keys with a source, the namespace as a label) and of
//! Calico (an expression; conjunctions of simple comparisons are understood).

use serde_json::{Value, json};

use crate::object::Labels;
use crate::selector::Selector;

/// The label by which Cilium selects pods of a namespace.
const CILIUM_NAMESPACE: &str = "io.kubernetes.pod.namespace";

/// A pod as selectors see it.
#[derive(Debug, Clone, Copy)]
pub struct SelectedPod<'p> {
    /// Its namespace.
    pub namespace: &'p str,
    /// The labels of the namespace.
    pub namespace_labels: &'p Labels,
    /// Its labels.
    pub labels: &'p Labels,
}

/// Pods that an object applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Pods with these labels, in namespaces with these labels.
    Pods {
        /// The selector of namespaces.
        namespaces: Selector,
        /// The selector of pods.
        pods: Selector,
    },
    /// Possibly any pod: the selector is not understood.
    Anything,
}

impl Selection {
    /// Every pod.
    pub fn all() -> Selection {
        Selection::Pods {
            namespaces: Selector::default(),
            pods: Selector::default(),
        }
    }

    /// A selector of pods in Kubernetes' or Istio's notation; an absent one selects every pod.
    pub fn of_pods(selector: &Value) -> Selection {
        Selection::both(&Value::Null, selector)
    }

    /// Selectors of namespaces and of pods, in Kubernetes' notation.
    pub fn both(namespaces: &Value, pods: &Value) -> Selection {
        match Selector::is_understood(namespaces) && Selector::is_understood(pods) {
            true => Selection::Pods {
                namespaces: Selector::read(namespaces),
                pods: Selector::read(pods),
            },
            false => Selection::Anything,
        }
    }

    /// A selector of endpoints, in Cilium's notation.
    pub fn of_endpoints(selector: &Value) -> Selection {
        if !Selector::is_understood(selector) {
            return Selection::Anything;
        }
        let mut expressions = Vec::new();
        let labels = selector["matchLabels"].as_object().into_iter().flatten();
        let labels =
            labels.map(|(key, value)| json!({"key": key, "operator": "In", "values": [value]}));
        let stated = selector["matchExpressions"]
            .as_array()
            .into_iter()
            .flatten();
        for mut expression in labels.chain(stated.cloned()) {
            let key = expression["key"].as_str().unwrap_or_default();
            let key = key
                .strip_prefix("k8s:")
                .or(key.strip_prefix("any:"))
                .unwrap_or(key);
            if key.contains(':') || key.starts_with("io.cilium.") {
                return Selection::Anything;
            }
            expression["key"] = key.into();
            expressions.push(expression);
        }
        Selection::Pods {
            namespaces: Selector::default(),
            pods: Selector::read(&json!({"matchExpressions": expressions})),
        }
    }

    /// Selectors of namespaces and of pods, in Calico's notation: expressions.
    pub fn of_expressions(namespaces: &Value, pods: &Value) -> Selection {
        match (expression(namespaces), expression(pods)) {
            (Some(namespaces), Some(pods)) => Selection::both(&namespaces, &pods),
            _ => Selection::Anything,
        }
    }

    /// Whether it may select a pod.
    pub fn selects(&self, pod: SelectedPod) -> bool {
        let Selection::Pods { namespaces, pods } = self else {
            return true;
        };
        let mut labels = pod.labels.clone();
        labels.insert(CILIUM_NAMESPACE.to_owned(), pod.namespace.to_owned());
        let mut own = pod.namespace_labels.clone();
        let name = "kubernetes.io/metadata.name".to_owned();
        own.insert(name, pod.namespace.to_owned());
        namespaces.matches(&own) && pods.matches(&labels)
    }
}

/// One of Calico's expressions as a selector of Kubernetes; `None` if it is not understood.
fn expression(written: &Value) -> Option<Value> {
    let written = match written {
        Value::Null => "",
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if written.is_empty() {
        return Some(json!({}));
    }
    let parts = written.split("&&").map(|part| comparison(part.trim()));
    let parts: Option<Vec<Option<Value>>> = parts.collect();
    let expressions: Vec<Value> = parts?.into_iter().flatten().collect();
    Some(json!({"matchExpressions": expressions}))
}

/// A comparison: `Some(None)` for one that always holds, `None` for one that is not understood.
fn comparison(part: &str) -> Option<Option<Value>> {
    if matches!(part, "all()" | "global()") {
        return Some(None);
    }
    let is_key = |key: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
        !key.is_empty() && key.bytes().all(letter)
    };
    let of_has = |part: &str| {
        let key = part.strip_prefix("has(")?.strip_suffix(')')?.trim();
        is_key(key).then(|| key.to_owned())
    };
    if let Some(key) = of_has(part) {
        return Some(Some(json!({"key": key, "operator": "Exists"})));
    }
    if let Some(key) = part.strip_prefix('!').map(str::trim).and_then(of_has) {
        return Some(Some(json!({"key": key, "operator": "DoesNotExist"})));
    }
    let (key, operator, value) = match (part.split_once("=="), part.split_once("!=")) {
        (Some((key, value)), None) => (key, "In", value),
        (None, Some((key, value))) => (key, "NotIn", value),
        _ => return None,
    };
    let (key, value) = (key.trim(), value.trim());
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    let value = quoted('\'').or_else(|| quoted('"'))?;
    let plain = is_key(key) && !value.contains(['\'', '"']);
    plain.then(|| Some(json!({"key": key, "operator": operator, "values": [value]})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pairs = text
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn selects(selection: &Selection, pod: &str) -> bool {
        let (own, namespace) = (labels(pod), labels("team=a"));
        selection.selects(SelectedPod {
            namespace: "ns",
            namespace_labels: &namespace,
            labels: &own,
        })
    }

    #[test]
    fn what_is_not_understood_selects_everything() {
        let expressions = |text: &str| Selection::of_expressions(&Value::Null, &json!(text));
        // (selection, labels of a pod, whether it may be selected)
        for (selection, pod, expected) in [
            (
                Selection::of_pods(&json!({"matchLabels": {"app": "web"}})),
                "app=web",
                true,
            ),
            (
                Selection::of_pods(&json!({"matchLabels": {"app": "web"}})),
                "app=db",
                false,
            ),
            (
                Selection::of_pods(&json!({"matchLabels": {"app": 1}})),
                "app=db",
                true,
            ),
            (
                Selection::of_pods(&json!({"matchNames": ["x"]})),
                "app=db",
                true,
            ),
            (Selection::of_pods(&json!(["x"])), "app=db", true),
            (
                Selection::of_pods(
                    &json!({"matchExpressions": [{"key": "app", "operator": "Gt"}]}),
                ),
                "app=db",
                true,
            ),
            (
                Selection::both(&json!({"matchLabels": {"team": "a"}}), &json!({})),
                "",
                true,
            ),
            (
                Selection::both(&json!({"matchLabels": {"team": "b"}}), &json!({})),
                "",
                false,
            ),
            (
                Selection::both(
                    &json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}}),
                    &json!({}),
                ),
                "",
                false,
            ),
            (
                Selection::of_endpoints(&json!({"matchLabels": {"k8s:app": "web"}})),
                "app=db",
                false,
            ),
            (
                Selection::of_endpoints(&json!({"matchLabels": {"any:app": "web"}})),
                "app=web",
                true,
            ),
            (
                Selection::of_endpoints(
                    &json!({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "ns"}}),
                ),
                "",
                true,
            ),
            (
                Selection::of_endpoints(
                    &json!({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "x"}}),
                ),
                "",
                false,
            ),
            (
                Selection::of_endpoints(&json!({"matchLabels": {"reserved:host": ""}})),
                "",
                true,
            ),
            (
                Selection::of_endpoints(
                    &json!({"matchLabels": {"io.cilium.k8s.policy.serviceaccount": "a"}}),
                ),
                "",
                true,
            ),
            (expressions("app == 'web'"), "app=web", true),
            (expressions("app == 'web'"), "app=db", false),
            (
                expressions("app == \"web\" && tier != 'x'"),
                "app=web tier=x",
                false,
            ),
            (expressions("has(app) && !has(tier)"), "app=web", true),
            (
                expressions("has(app) && !has(tier)"),
                "app=web tier=x",
                false,
            ),
            (expressions("all()"), "", true),
            (expressions(""), "", true),
            (expressions("app == 'web' || app == 'db'"), "app=x", true),
            (expressions("app in {'web'}"), "app=x", true),
            (expressions("app contains 'web'"), "app=x", true),
            (expressions("!(app == 'web')"), "app=web", true),
        ] {
            assert_eq!(selects(&selection, pod), expected, "{selection:?} {pod}");
        }
    }
}
