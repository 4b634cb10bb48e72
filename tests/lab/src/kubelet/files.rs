//! What the downward API says of a pod, and how names in an argument are replaced.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pod::Pod;
use super::text;

/// A field of a pod by its path: `metadata.labels['app']`, `status.podIP`, `spec.serviceAccountName`.
pub(super) fn field(pod: &Pod, path: &str) -> String {
    match path {
        "status.podIP" | "status.podIPs" => return pod.address.clone(),
        "status.hostIP" | "status.hostIPs" => return pod.node.address(),
        _ => {}
    }
    if let Some((map, key)) = path
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"))
    {
        return of_map(&pod.object, map)
            .get(key)
            .cloned()
            .unwrap_or_default();
    }
    if path == "metadata.labels" || path == "metadata.annotations" {
        let lines = of_map(&pod.object, path)
            .into_iter()
            .map(|(key, value)| format!("{key}={}\n", Value::from(value)));
        return lines.collect();
    }
    text(&pod.object, &format!("/{}", path.replace('.', "/")))
}

fn of_map(object: &Value, path: &str) -> BTreeMap<String, String> {
    let map = object
        .pointer(&format!("/{}", path.replace('.', "/")))
        .and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// `$(NAME)` becomes the variable's value where there is one. Pure.
pub(super) fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("$(") {
        let Some(length) = rest[start..].find(')') else {
            break;
        };
        let name = &rest[start + 2..start + length];
        done.push_str(&rest[..start]);
        match variables.get(name) {
            Some(value) => done.push_str(value),
            None => done.push_str(&rest[start..=start + length]),
        }
        rest = &rest[start + length + 1..];
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_an_argument_become_their_values() {
        let variables = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        for (text, expected) in [
            ("x$(A)y$(A)", "x1y1"),
            ("$(B) $A $(", "$(B) $A $("),
            ("plain", "plain"),
        ] {
            assert_eq!(expanded(text, &variables), expected);
        }
    }
}
