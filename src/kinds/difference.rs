//! The difference between what a step states and the live resource: pure, and only for the fields that the step states.
//!
//! Beside plain equality there are three further equalities, each because Google's answer differs in form from the request: a
//! link equals its path and its last segment, a 64-bit integer equals its string, and a missing field equals its default
//! (container and IAM omit defaults, compute returns them; facts recorded in fixtures/recorded).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::resource_spec::{ListSemantics, ResourceSpec, UpdateMethod};

/// One field that differs from what the step states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// The path of the field, with dots; items of keyed lists as `nats[nat-config]`.
    pub path: String,
    /// The live value.
    pub have: Value,
    /// The value that the step states.
    pub want: Value,
    /// Whether the API does not allow the field to change.
    pub fixed: bool,
    /// The other owner of a Kubernetes object's field that an apply would take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl FieldDiff {
    /// A part of a set that is missing.
    pub fn missing(part: String) -> FieldDiff {
        FieldDiff {
            path: part,
            have: Value::Null,
            want: true.into(),
            fixed: false,
            owner: None,
        }
    }
}

/// Every field of `want` that `live` does not have.
pub fn diff(row: &ResourceSpec, want: &Value, live: &Value) -> Vec<FieldDiff> {
    let mut found = Vec::new();
    compare(row, &DiffPath::default(), want, Some(live), &mut found);
    found
}

/// The fields to send so that `live` becomes `want`: whole top-level fields, which keep the items that others put into shared
/// lists.
pub fn patch(
    row: &ResourceSpec,
    fields: &[FieldDiff],
    want: &Value,
    live: &Value,
) -> Map<String, Value> {
    let mut body = Map::new();
    for field in fields {
        let top = field.path.split(['.', '[']).next().unwrap_or_default();
        let there = live.get(top).unwrap_or(&Value::Null);
        if let Some(wanted) = want.get(top) {
            body.insert(top.to_owned(), merge(row, top, wanted, there));
        }
    }
    // The defaults of fields that the step does not state. Those in items of lists are sent by leaving them out of the item.
    let mut body = Value::Object(body);
    let is_unstated = |field: &&FieldDiff| row.unstated.contains(&field.path.as_str());
    for field in fields.iter().filter(is_unstated) {
        let keys = field.path.split('.');
        *keys.fold(&mut body, |value, key| &mut value[key]) = field.want.clone();
    }
    match body {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Whether two strings name the same resource: as links, as paths, or as a bare name.
pub fn same_name(a: &str, b: &str) -> bool {
    fn path(s: &str) -> &str {
        s.find("projects/").map_or(s, |at| &s[at..])
    }
    let (a, b) = (path(a), path(b));
    let last = |s: &str| s.rsplit('/').next().map(str::to_owned);
    match (a.contains('/'), b.contains('/')) {
        (true, false) => a.contains("projects/") && last(a).as_deref() == Some(b),
        (false, true) => b.contains("projects/") && last(b).as_deref() == Some(a),
        _ => a == b,
    }
}

/// The current position of a comparison: the path as shown, and the path as rows write it (without items of lists).
#[derive(Default, Clone)]
struct DiffPath {
    shown: String,
    plain: String,
}

impl DiffPath {
    fn field(&self, name: &str) -> DiffPath {
        let join = |base: &str| {
            if base.is_empty() {
                name.to_owned()
            } else {
                format!("{base}.{name}")
            }
        };
        DiffPath {
            shown: join(&self.shown),
            plain: join(&self.plain),
        }
    }

    fn item(&self, name: &str) -> DiffPath {
        DiffPath {
            shown: format!("{}[{name}]", self.shown),
            plain: self.plain.clone(),
        }
    }
}

fn compare(
    row: &ResourceSpec,
    spot: &DiffPath,
    want: &Value,
    have: Option<&Value>,
    found: &mut Vec<FieldDiff>,
) {
    match (want, have) {
        (Value::Object(fields), Some(Value::Object(there))) => {
            for (name, value) in fields {
                compare(row, &spot.field(name), value, there.get(name), found);
            }
            reset(row, spot, fields, there, found);
        }
        (Value::Object(fields), None) if fields.values().any(|value| !is_default(value)) => {
            for (name, value) in fields {
                compare(row, &spot.field(name), value, None, found);
            }
        }
        (Value::Array(items), Some(Value::Array(there))) => {
            compare_list(row, spot, items, there, found)
        }
        (want, None | Some(Value::Null)) if is_default(want) => {}
        (want, Some(have)) if same(want, have) => {}
        (want, have) => differs(row, spot, want, have, found),
    }
}

/// The fields that must have their default because the step does not state them, and do not have it.
fn reset(
    row: &ResourceSpec,
    spot: &DiffPath,
    want: &Map<String, Value>,
    have: &Map<String, Value>,
    found: &mut Vec<FieldDiff>,
) {
    for path in row.unstated {
        let inside = match spot.plain.as_str() {
            "" => Some(*path),
            plain => path
                .strip_prefix(plain)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(inside) = inside else { continue };
        let (top, below) = inside.split_once('.').unwrap_or((inside, ""));
        let below = below.split('.').filter(|key| !key.is_empty());
        let live = below
            .clone()
            .try_fold(have.get(top), |value, key| value.map(|v| v.get(key)))
            .flatten();
        if want.contains_key(top) || live.is_none_or(is_default) {
            continue;
        }
        let spot = below.fold(spot.field(top), |spot, key| spot.field(key));
        let default = match live {
            Some(Value::Bool(_)) => Value::from(false),
            _ => Value::Null,
        };
        differs(row, &spot, &default, live, found);
    }
}

fn compare_list(
    row: &ResourceSpec,
    spot: &DiffPath,
    want: &[Value],
    have: &[Value],
    found: &mut Vec<FieldDiff>,
) {
    let matches = |wanted: &Value, there: &Value| {
        let mut inner = Vec::new();
        compare(row, spot, wanted, Some(there), &mut inner);
        inner.is_empty()
    };
    match list_rule(row, &spot.plain) {
        Some(ListSemantics::Keyed(key)) => {
            for item in want {
                let name = item.get(key).unwrap_or(&Value::Null);
                let shown = spot.item(
                    name.as_str()
                        .map_or("?", |n| n.rsplit('/').next().unwrap_or(n)),
                );
                match have
                    .iter()
                    .find(|there| there.get(key).is_some_and(|k| same(name, k)))
                {
                    Some(there) => compare(row, &shown, item, Some(there), found),
                    None => differs(row, &shown, item, None, found),
                }
            }
        }
        Some(ListSemantics::Holds) if want.is_empty() && !have.is_empty() => {
            let (none, there) = (Value::from(want), Value::from(have));
            differs(row, spot, &none, Some(&there), found);
        }
        Some(ListSemantics::Holds) => {
            for item in want
                .iter()
                .filter(|item| !have.iter().any(|there| matches(item, there)))
            {
                differs(row, spot, item, None, found);
            }
        }
        Some(ListSemantics::Set) => {
            let all = want
                .iter()
                .all(|item| have.iter().any(|there| matches(item, there)));
            if !all || want.len() != have.len() {
                differs(
                    row,
                    spot,
                    &Value::from(want),
                    Some(&Value::from(have)),
                    found,
                );
            }
        }
        None => {
            let same =
                want.len() == have.len() && want.iter().zip(have).all(|(w, h)| matches(w, h));
            if !same {
                differs(
                    row,
                    spot,
                    &Value::from(want),
                    Some(&Value::from(have)),
                    found,
                );
            }
        }
    }
}

fn differs(
    row: &ResourceSpec,
    spot: &DiffPath,
    want: &Value,
    have: Option<&Value>,
    found: &mut Vec<FieldDiff>,
) {
    found.push(FieldDiff {
        path: spot.shown.clone(),
        have: have.cloned().unwrap_or(Value::Null),
        want: want.clone(),
        fixed: is_fixed(row, &spot.plain),
        owner: None,
    });
}

fn is_fixed(row: &ResourceSpec, plain: &str) -> bool {
    let top = plain.split('.').next().unwrap_or_default();
    let is_in = |field: &str| plain == field || plain.starts_with(&format!("{field}."));
    let listed = row.fixed.iter().any(|field| is_in(field));
    listed
        || match row.update {
            UpdateMethod::Never => true,
            UpdateMethod::Desired(updates) => !updates.iter().any(|one| one.field == top),
            UpdateMethod::PerField(updates) => !updates.iter().any(|one| is_in(one.field)),
            UpdateMethod::Patch | UpdateMethod::PatchMask => false,
        }
}

fn list_rule(row: &ResourceSpec, plain: &str) -> Option<ListSemantics> {
    row.lists
        .iter()
        .find(|(path, _)| *path == plain)
        .map(|(_, rule)| *rule)
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_default),
    }
}

fn same(want: &Value, have: &Value) -> bool {
    match (want, have) {
        (Value::String(a), Value::String(b)) => a == b || same_name(a, b),
        (Value::Number(n), Value::String(s)) | (Value::String(s), Value::Number(n)) => {
            n.to_string() == *s
        }
        _ => want == have,
    }
}

/// `want` merged into `live`: keyed lists, and lists that contain our items and others', keep the others' items.
fn merge(row: &ResourceSpec, plain: &str, want: &Value, live: &Value) -> Value {
    match (want, live) {
        (Value::Object(fields), _) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| {
                    let there = live.get(name).unwrap_or(&Value::Null);
                    (
                        name.clone(),
                        merge(row, &format!("{plain}.{name}"), value, there),
                    )
                })
                .collect(),
        ),
        (Value::Array(items), Value::Array(there)) => match list_rule(row, plain) {
            Some(ListSemantics::Keyed(key)) => {
                let ours =
                    |there: &Value| items.iter().find(|item| item.get(key) == there.get(key));
                let kept = there.iter().map(|item| ours(item).unwrap_or(item).clone());
                let new = items
                    .iter()
                    .filter(|item| !there.iter().any(|t| t.get(key) == item.get(key)));
                kept.chain(new.cloned()).collect()
            }
            Some(ListSemantics::Holds) if items.is_empty() => want.clone(),
            Some(ListSemantics::Holds) => {
                let new = items.iter().filter(|item| !there.contains(item));
                there.iter().chain(new).cloned().collect()
            }
            Some(ListSemantics::Set) | None => want.clone(),
        },
        _ => want.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::resource_table::ROWS;
    use serde_json::json;

    fn row(kind: &str) -> &'static ResourceSpec {
        ROWS.iter().find(|row| row.kind == kind).unwrap()
    }

    #[test]
    fn says_what_differs_and_nothing_else() {
        let link = "https://www.googleapis.com/compute/v1/projects/p/global/networks/vpc";
        // (kind, want, live, the paths that differ; `!` marks a fixed field)
        let cases = [
            (
                "compute.network",
                json!({"autoCreateSubnetworks": false}),
                json!({}),
                "",
            ),
            (
                "compute.network",
                json!({"autoCreateSubnetworks": false}),
                json!({"autoCreateSubnetworks": true}),
                "!autoCreateSubnetworks",
            ),
            (
                "compute.network",
                json!({"routingConfig": {"routingMode": "REGIONAL"}}),
                json!({"routingConfig": {"routingMode": "GLOBAL"}}),
                "routingConfig.routingMode",
            ),
            (
                "compute.firewall",
                json!({"network": "projects/p/global/networks/vpc"}),
                json!({"network": link}),
                "",
            ),
            (
                "compute.firewall",
                json!({"network": "projects/q/global/networks/vpc"}),
                json!({"network": link}),
                "!network",
            ),
            (
                "compute.firewall",
                json!({"sourceRanges": ["a", "b"]}),
                json!({"sourceRanges": ["b", "a"]}),
                "",
            ),
            (
                "compute.firewall",
                json!({"sourceRanges": ["a"]}),
                json!({"sourceRanges": ["b", "a"]}),
                "sourceRanges",
            ),
            (
                "compute.firewall",
                json!({"allowed": [{"IPProtocol": "tcp", "ports": ["443"]}]}),
                json!({"allowed": [{"IPProtocol": "tcp"}]}),
                "allowed",
            ),
            (
                "compute.router",
                json!({"nats": [{"name": "n", "type": "PUBLIC"}]}),
                json!({"nats": [{"name": "other"}, {"name": "n", "type": "PUBLIC", "x": 1}]}),
                "",
            ),
            (
                "compute.router",
                json!({"nats": [{"name": "n"}]}),
                json!({}),
                "nats",
            ),
            (
                "compute.router",
                json!({"nats": [{"name": "n"}]}),
                json!({"nats": [{"name": "m"}]}),
                "nats[n]",
            ),
            (
                "container.cluster",
                json!({"network": link}),
                json!({"network": "vpc"}),
                "",
            ),
            (
                "container.cluster",
                json!({"releaseChannel": {"channel": "REGULAR"}}),
                json!({"releaseChannel": {"channel": "RAPID"}}),
                "!releaseChannel.channel",
            ),
            (
                "container.nodePool",
                json!({"initialNodeCount": 1}),
                json!({"initialNodeCount": "1"}),
                "",
            ),
            (
                "container.nodePool",
                json!({"initialNodeCount": 0}),
                json!({}),
                "",
            ),
        ];
        for (kind, want, live, expected) in cases {
            let paths: Vec<String> = diff(row(kind), &want, &live)
                .into_iter()
                .map(|f| format!("{}{}", if f.fixed { "!" } else { "" }, f.path))
                .collect();
            assert_eq!(paths.join(" "), expected, "{kind}: {want} against {live}");
        }
    }

    #[test]
    fn an_allow_list_grows_and_keeps_the_others() {
        let list = |blocks: Value| {
            json!({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"authorizedNetworksConfig":
                {"enabled": true, "cidrBlocks": blocks}}}})
        };
        let live = list(json!([{"cidrBlock": "198.51.100.1/32", "displayName": "office"}]));
        let want = list(json!([{"cidrBlock": "203.0.113.9/32"}]));
        let fields = diff(row("container.cluster"), &want, &live);
        assert_eq!(fields.len(), 1);
        assert!(!fields[0].fixed);
        let body = patch(row("container.cluster"), &fields, &want, &live);
        let blocks = list(
            json!([{"cidrBlock": "198.51.100.1/32", "displayName": "office"}, {"cidrBlock": "203.0.113.9/32"}]),
        );
        assert_eq!(Value::Object(body), blocks);
    }

    #[test]
    fn a_nat_beside_ours_survives_the_patch() {
        let live = json!({"nats": [{"name": "theirs", "type": "PRIVATE"}]});
        let want = json!({"nats": [{"name": "nat-config"}], "network": "x"});
        let fields = diff(row("compute.router"), &json!({"nats": want["nats"]}), &live);
        let body = patch(row("compute.router"), &fields, &want, &live);
        assert_eq!(
            Value::Object(body),
            json!({"nats": [{"name": "theirs", "type": "PRIVATE"}, {"name": "nat-config"}]})
        );
    }
}
