//! Whether a request fits its method: path parameters, query and body, refused in Google's words.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    discovery::{Matched, Media, Parameter},
    pattern::fits_pattern,
    schema::{self, Direction, Violation},
};

/// Parameters that every Google front end takes although no document lists them.
const SYSTEM: &[&str] = &[
    "$alt",
    "$fields",
    "$prettyPrint",
    "$userProject",
    "userProject",
    "prettyprint",
];

/// A request that fits its method.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// Query parameters by name, decoded; booleans as `true` and `false`, whatever case they came in.
    pub query: BTreeMap<String, Vec<String>>,
    /// The body without output-only fields; null if the method takes none.
    pub body: Value,
}

/// Checks a request. `query` is decoded; `body` is none when the request had none (or only the content of an object).
///
/// # Errors
/// Everything that is wrong with it, as Google words it; a 400.
pub fn check(
    matched: &Matched,
    query: &[(String, String)],
    body: Option<&Value>,
) -> Result<Checked, Vec<Violation>> {
    let mut violations = Vec::new();
    let mut checked = Checked {
        query: read_query(matched, query, &mut violations),
        body: Value::Null,
    };
    for (name, value) in &matched.params {
        if let Some(pattern) = matched
            .method
            .parameters
            .get(name)
            .and_then(|parameter| parameter.pattern.as_deref())
            && !fits_pattern(pattern, value)
        {
            let message = format!(
                "Invalid value for field '{name}': '{value}'. Must be a match of regex '{pattern}'"
            );
            violations.push(Violation {
                field: name.clone(),
                message,
                reason: "invalid",
            });
        }
    }
    match (&matched.method.request, body) {
        (Some(name), body) => match read_body(matched, name, body) {
            Ok(body) => checked.body = body,
            Err(more) => violations.extend(more),
        },
        (None, Some(Value::Object(map))) if map.is_empty() => {}
        (None, None | Some(Value::Null)) => {}
        (None, Some(value)) => {
            let fields: Vec<&String> = value
                .as_object()
                .into_iter()
                .flat_map(|map| map.keys())
                .collect();
            violations.extend(fields.into_iter().map(|name| Violation {
                field: name.clone(),
                message: format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
                ),
                reason: "invalid",
            }));
        }
    }
    if violations.is_empty() {
        Ok(checked)
    } else {
        Err(violations)
    }
}

fn read_body(
    matched: &Matched,
    schema_name: &str,
    body: Option<&Value>,
) -> Result<Value, Vec<Violation>> {
    let method = &matched.method.id;
    // The content of an object may come with no words about it at all.
    if matched.media != Media::None && body.is_none() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let direction = Direction::Request {
        method,
        creates: matched.method.http_method == "POST",
    };
    match body {
        None | Some(Value::Null) => schema::fit(
            matched.document,
            schema_name,
            &Value::Object(serde_json::Map::new()),
            direction,
        ),
        Some(value @ Value::Object(_)) => {
            schema::fit(matched.document, schema_name, value, direction)
        }
        Some(_) => Err(vec![Violation {
            field: String::new(),
            message:
                "Invalid JSON payload received. Unknown name \"\": Root element must be a message."
                    .to_owned(),
            reason: "invalid",
        }]),
    }
}

fn read_query(
    matched: &Matched,
    query: &[(String, String)],
    violations: &mut Vec<Violation>,
) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let own = |name: &str| {
        matched
            .method
            .parameters
            .get(name)
            .filter(|parameter| parameter.location == "query")
    };
    for (sent, value) in query {
        if SYSTEM.contains(&sent.as_str()) {
            continue;
        }
        // A parameter of a message's field has the field's proto name, too: `update_mask`.
        let name = &match own(sent) {
            None => own_name(matched, sent).unwrap_or_else(|| sent.clone()),
            Some(_) => sent.clone(),
        };
        let Some(parameter) = own(name).or_else(|| matched.document.parameters.get(name)) else {
            let message = format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found in request message."
            );
            violations.push(Violation {
                field: name.clone(),
                message,
                reason: "invalid",
            });
            continue;
        };
        match read_parameter(parameter, value) {
            Ok(value) => found.entry(name.clone()).or_default().push(value),
            Err(kind) => violations.push(Violation {
                field: name.clone(),
                message: format!("Invalid value at '{name}' ({kind}), \"{value}\""),
                reason: "invalid",
            }),
        }
        if !parameter.repeated && found.get(name).is_some_and(|values| values.len() > 1) {
            let message = format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Proto field is not repeating, cannot start list."
            );
            violations.push(Violation {
                field: name.clone(),
                message,
                reason: "invalid",
            });
        }
    }
    for (name, parameter) in &matched.method.parameters {
        let needed = parameter.required || parameter.stated_required;
        if parameter.location == "query" && needed && !found.contains_key(name) {
            violations.push(Violation {
                field: name.clone(),
                message: format!("Required parameter: {name}"),
                reason: "required",
            });
        }
    }
    found
}

/// The name of the method's query parameter whose proto name this is.
fn own_name(matched: &Matched, sent: &str) -> Option<String> {
    let mut own = matched.method.parameters.iter();
    own.find(|(name, parameter)| parameter.location == "query" && schema::snake(name) == sent)
        .map(|(name, _)| name.clone())
}

/// The value in one spelling, or the type it should have had.
fn read_parameter(parameter: &Parameter, value: &str) -> Result<String, &'static str> {
    match parameter.kind.as_str() {
        // gcloud writes booleans as Python prints them.
        "boolean" => match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok("true".to_owned()),
            "false" | "0" => Ok("false".to_owned()),
            _ => Err("TYPE_BOOL"),
        },
        "integer" => value
            .parse::<i64>()
            .map(|number| number.to_string())
            .map_err(|_| "TYPE_INT32"),
        _ if !parameter.values.is_empty() && !parameter.values.iter().any(|one| one == value) => {
            Err("TYPE_ENUM")
        }
        _ => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::discovery::route;

    fn said(http_method: &str, path: &str, query: &str, body: Value) -> Result<Checked, String> {
        let matched = route(http_method, path).unwrap();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let body = (!body.is_null()).then_some(&body);
        check(&matched, &query, body).map_err(|found| {
            found
                .into_iter()
                .map(|one| one.message)
                .collect::<Vec<_>>()
                .join("\n")
        })
    }

    const NETWORKS: &str = "/compute.googleapis.com/compute/v1/projects/p/global/networks";
    const CLUSTERS: &str = "/container.googleapis.com/v1/projects/p/locations/z/clusters";

    #[test]
    fn what_does_not_fit_is_refused_in_googles_words() {
        let cases = [
            (
                "POST",
                NETWORKS,
                "",
                json!({"name": "n", "autoCreateSubnets": false}),
                "Invalid JSON payload received. Unknown name \"autoCreateSubnets\": Cannot find field.",
            ),
            (
                "POST",
                NETWORKS,
                "",
                json!({"name": "n", "routingConfig": {"mode": "X"}}),
                "Invalid JSON payload received. Unknown name \"mode\" at 'routing_config': Cannot find field.",
            ),
            (
                "POST",
                NETWORKS,
                "",
                json!({"name": "N"}),
                "Invalid value for field 'resource.name': 'N'. Must be a match of regex '[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?'",
            ),
            (
                "POST",
                NETWORKS,
                "",
                json!({}),
                "Required field 'name' not specified",
            ),
            (
                "POST",
                NETWORKS,
                "",
                json!({"name": "n", "mtu": "x"}),
                "Invalid value at 'mtu' (TYPE_INT32), \"x\"",
            ),
            (
                "POST",
                NETWORKS,
                "requestIds=1",
                json!({"name": "n"}),
                "Invalid JSON payload received. Unknown name \"requestIds\": Cannot bind query parameter. Field 'requestIds' could not be found in request message.",
            ),
            (
                "POST",
                CLUSTERS,
                "",
                json!({"cluster": {"nodePools": [{"config": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}]}}),
                "Invalid value at 'cluster.node_pools[0].config.taints[0].effect' (type.googleapis.com/google.container.v1.NodeTaint.Effect), \"NoSchedule\"",
            ),
            (
                "POST",
                CLUSTERS,
                "",
                json!({"cluster": {"name": ["a"]}}),
                "Invalid JSON payload received. Unknown name \"name\" at 'cluster': Proto field is not repeating, cannot start list.",
            ),
            (
                "POST",
                CLUSTERS,
                "",
                json!({"cluster": {"name": true}}),
                "Invalid value at 'cluster.name' (TYPE_STRING), true",
            ),
            (
                "POST",
                CLUSTERS,
                "",
                json!({"cluster": {"nodePools": {}}}),
                "Invalid value at 'cluster.node_pools' (type.googleapis.com/google.container.v1.Cluster.NodePools), {}",
            ),
            (
                "POST",
                CLUSTERS,
                "",
                Value::Null,
                "Required field 'cluster' not specified",
            ),
            (
                "POST",
                CLUSTERS,
                "",
                json!([]),
                "Invalid JSON payload received. Unknown name \"\": Root element must be a message.",
            ),
            (
                "GET",
                CLUSTERS,
                "",
                json!({"a": 1}),
                "Invalid JSON payload received. Unknown name \"a\": Cannot find field.",
            ),
            (
                "POST",
                "/gkehub.googleapis.com/v1/projects/p/locations/r/memberships",
                "",
                json!({}),
                "Required parameter: membershipId",
            ),
            (
                "GET",
                "/gkehub.googleapis.com/v1/projects/p/locations/r/features",
                "returnPartialSuccess=yes",
                Value::Null,
                "Invalid value at 'returnPartialSuccess' (TYPE_BOOL), \"yes\"",
            ),
            (
                "POST",
                "/gkehub.googleapis.com/v1/projects/p/locations/r/memberships",
                "membershipId=a&membershipId=b",
                json!({}),
                "Invalid JSON payload received. Unknown name \"membershipId\": Proto field is not repeating, cannot start list.",
            ),
        ];
        for (http_method, path, query, body, want) in cases {
            assert_eq!(
                said(http_method, path, query, body.clone()).unwrap_err(),
                want,
                "{http_method} {path} {body}"
            );
        }
    }

    #[test]
    fn output_only_fields_are_ignored_and_null_is_absent() {
        let router = "/compute.googleapis.com/compute/v1/projects/p/regions/r/routers/a";
        let sent = json!({"id": "1", "creationTimestamp": "t", "selfLink": "s", "description": null, "nats": [{"name": "n"}]});
        let checked = said("PATCH", router, "alt=json", sent).unwrap();
        assert_eq!(checked.body, json!({"nats": [{"name": "n"}]}));
    }

    #[test]
    fn whole_numbers_come_as_numbers_or_strings() {
        for mtu in [json!(1460), json!("1460")] {
            assert!(
                said("POST", NETWORKS, "", json!({"name": "n", "mtu": mtu})).is_ok(),
                "{mtu}"
            );
        }
        for bad in [
            json!(1.5),
            json!(4_294_967_296_u64),
            json!("1.5"),
            json!(""),
        ] {
            assert!(
                said("POST", NETWORKS, "", json!({"name": "n", "mtu": bad})).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn booleans_in_queries_come_in_any_case() {
        let features = "/gkehub.googleapis.com/v1/projects/p/locations/r/features/f";
        let checked = said(
            "GET",
            features,
            "returnPartialSuccess=True&alt=json",
            Value::Null,
        )
        .unwrap();
        assert_eq!(checked.query["returnPartialSuccess"], ["true"]);
    }

    #[test]
    fn a_query_parameter_has_its_proto_name_too() {
        let path = "/gkehub.googleapis.com/v1/projects/p/locations/global/features/f";
        for (query, want) in [
            ("update_mask=labels", Ok("labels")),
            ("updateMask=labels", Ok("labels")),
            ("update_masks=labels", Err(())),
        ] {
            let checked = said("PATCH", path, query, json!({}));
            let mask = checked.map(|found| found.query["updateMask"][0].clone());
            assert_eq!(mask.as_deref().map_err(|_| ()), want, "{query}");
        }
    }
}
