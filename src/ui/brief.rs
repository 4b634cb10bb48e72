//! Values of resources in few words, for the overview of a plan: `tcp:443` for a protocol with its port, a role with its members, a
//! range alone. What has no such form is shown as in the whole plan.

use serde_json::Value;

use super::plan::shown;

/// A value in few words.
pub fn brief(value: &Value) -> String {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let of_each = |form: fn(&Value) -> Option<String>| {
        let each: Option<Vec<String>> = items.iter().map(form).collect();
        each.filter(|each| !each.is_empty())
    };
    if let Some(each) = of_each(protocol) {
        return each.join(", ");
    }
    if let Some(each) = of_each(range) {
        return each.join(" ");
    }
    match bindings(items) {
        Some(text) => text,
        None => shown(value),
    }
}

/// A protocol with its ports, as gcloud writes it.
fn protocol(item: &Value) -> Option<String> {
    let protocol = item.get("IPProtocol")?.as_str()?;
    let ports = item.get("ports").and_then(Value::as_array);
    let ports: Vec<String> = ports
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|port| format!("{protocol}:{port}"))
        .collect();
    Some(match ports.is_empty() {
        true => protocol.to_owned(),
        false => ports.join(", "),
    })
}

/// A range of an allow list.
fn range(item: &Value) -> Option<String> {
    Some(item.get("cidrBlock")?.as_str()?.to_owned())
}

/// Roles with their members; those with the same members stand together.
fn bindings(items: &[Value]) -> Option<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for item in items {
        let role = item.get("role")?.as_str()?.to_owned();
        let members = item.get("members")?.as_array()?;
        let members: Vec<String> = members
            .iter()
            .filter_map(Value::as_str)
            .map(member)
            .collect();
        let members = members.join(" ");
        match groups.iter_mut().find(|(to, _)| *to == members) {
            Some((_, roles)) => roles.push(role),
            None => groups.push((members, vec![role])),
        }
    }
    let each = groups
        .iter()
        .map(|(members, roles)| format!("{} to {members}", roles.join(" ")));
    Some(each.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

/// A member of a policy; the account of a step has the step's name.
fn member(text: &str) -> String {
    let step = text
        .strip_prefix("serviceAccount:${")
        .and_then(|rest| rest.strip_suffix(".email}"));
    match step {
        Some(step) => step.to_owned(),
        None => shown(&text.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_said_in_few_words() {
        let to = |member: &str| json!([member]);
        for (value, said) in [
            (
                json!([{"IPProtocol": "tcp", "ports": ["443", "8000-8080"]}, {"IPProtocol": "icmp"}]),
                "tcp:443, tcp:8000-8080, icmp",
            ),
            (
                json!([{"cidrBlock": "192.0.2.1/32", "displayName": "office"}, {"cidrBlock": "192.0.2.2/32"}]),
                "192.0.2.1/32 192.0.2.2/32",
            ),
            (
                json!([
                    {"role": "roles/a", "members": to("serviceAccount:${nodes.email}")},
                    {"role": "roles/b", "members": to("serviceAccount:${nodes.email}")},
                    {"role": "roles/c", "members": to("group:x@example.com")},
                ]),
                "roles/a roles/b to nodes, roles/c to group:x@example.com",
            ),
            (
                json!(["10.0.0.0/8", "192.0.2.0/24"]),
                "10.0.0.0/8 192.0.2.0/24",
            ),
            (json!([]), "nothing"),
            (json!([{"other": 1}]), "other 1"),
            (json!(null), "nothing"),
            (json!(3), "3"),
        ] {
            assert_eq!(brief(&value), said, "{value}");
        }
    }
}
