//! Which Services of a cluster Traffic Director makes something for: those with ports and a selector.
//!
//! A Service without a selector (`default/kubernetes`) and one that is only a name elsewhere (`ExternalName`) get nothing, a headless one
//! gets what others get, and one with several ports gets one backend service: own knowledge, no record.

use std::collections::BTreeSet;

use serde_json::Value;

/// The Services that ask for a backend service, as `namespace/name`. `all` are the objects of a cluster's store under
/// `services/`, by their key.
pub fn wanted<'a>(all: impl IntoIterator<Item = (&'a str, &'a Value)>) -> BTreeSet<String> {
    let asking = all.into_iter().filter(|(_, service)| asks(service));
    asking
        .filter_map(|(key, _)| key.strip_prefix("services/"))
        .map(str::to_owned)
        .collect()
}

fn asks(service: &Value) -> bool {
    let spec = &service["spec"];
    let has_ports = spec["ports"]
        .as_array()
        .is_some_and(|ports| !ports.is_empty());
    let has_selector = spec["selector"]
        .as_object()
        .is_some_and(|selector| !selector.is_empty());
    has_ports && has_selector && spec["type"] != "ExternalName"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_with_ports_and_a_selector_asks_for_a_backend_service() {
        let ports = json!([{"port": 80}]);
        let selector = json!({"app": "a"});
        let cases = [
            (
                "plain",
                json!({"spec": {"ports": ports, "selector": selector}}),
                true,
            ),
            (
                "headless",
                json!({"spec": {"ports": ports, "selector": selector, "clusterIP": "None"}}),
                true,
            ),
            ("no selector", json!({"spec": {"ports": ports}}), false),
            (
                "empty selector",
                json!({"spec": {"ports": ports, "selector": {}}}),
                false,
            ),
            ("no ports", json!({"spec": {"selector": selector}}), false),
            (
                "a name elsewhere",
                json!({"spec": {"ports": ports, "selector": selector, "type": "ExternalName"}}),
                false,
            ),
        ];
        for (case, service, expected) in cases {
            let found = wanted([("services/team-x/test", &service)]);
            let names: Vec<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(names == ["team-x/test"], expected, "{case}");
        }
    }
}
