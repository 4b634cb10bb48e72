//! What `kubectl get` shows: tables that the server makes. Which columns a kind has is in [`super::columns`].

use serde_json::{Value, json};

use super::columns::{self, Cell};
use super::object;
use super::resource::Resource;
use crate::clock::Millis;

/// The table of some objects, as printed; `include` says how much of each object goes along.
pub fn table(
    resource: &Resource,
    objects: &[Value],
    include: Option<&str>,
    now: Millis,
    metadata: &Value,
) -> Value {
    let columns = columns::of(resource);
    let definitions: Vec<Value> = columns
        .iter()
        .map(|column| {
            let format = if column.name == "Name" { "name" } else { "" };
            json!({"name": column.name, "type": column.kind, "format": format, "description": "", "priority": column.priority})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|column| cell(&column.cell, object, now)).collect();
            let mut row = json!({"cells": cells});
            match include {
                Some("None") => {}
                Some("Object") => row["object"] = object.clone(),
                _ => {
                    row["object"] = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]});
                }
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn cell(cell: &Cell, object: &Value, now: Millis) -> Value {
    match cell {
        Cell::Of(make) => make(object),
        Cell::Age(path) => {
            let at = at(object, path)
                .first()
                .and_then(|at| at.as_str())
                .and_then(|at| at.parse::<jiff::Timestamp>().ok());
            json!(at.map_or_else(
                || "<unknown>".to_owned(),
                |at| age(now - at.as_millisecond())
            ))
        }
        Cell::At(path) => match at(object, path).as_slice() {
            [] => json!(""),
            [Value::Array(items)] => json!(json!(items).to_string()),
            [one] => (*one).clone(),
            many => json!(
                many.iter()
                    .map(|one| object::plain(one))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
        },
    }
}

/// What is at a simple JSONPath: fields, and a filter on one field of a list's items.
fn at<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.trim_start_matches('.');
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let Some((test, more)) = filter.split_once(")]") else {
                return Vec::new();
            };
            let Some((field, wanted)) = test.split_once("==") else {
                return Vec::new();
            };
            let wanted = wanted.trim_matches(|c| c == '"' || c == '\'');
            let items = found.into_iter().filter_map(Value::as_array).flatten();
            found = items.filter(|item| item[field] == wanted).collect();
            rest = more;
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (field, more) = rest.split_at(end);
        found = found
            .into_iter()
            .filter_map(|value| value.get(field))
            .collect();
        rest = more;
    }
    found
}

/// A span of time as kubectl prints it: `45s`, `2m30s`, `3h`, `2d4h`.
fn age(span: Millis) -> String {
    let seconds = (span / 1000).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{small_unit}")
        }
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () => two(days / 365, "y", days % 365, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_kubectl_tells_them() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (3600, "60m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600, "9h"),
            (49 * 3600, "2d1h"),
            (9 * 86_400, "9d"),
            (731 * 86_400, "2y1d"),
        ];
        for (seconds, want) in cases {
            assert_eq!(age(seconds * 1000), want, "{seconds}");
        }
    }

    #[test]
    fn paths_find_fields_and_conditions() {
        let object = json!({"spec": {"hosts": ["a"]}, "status": {"conditions": [{"type": "Stalled", "status": "False"}, {"type": "Reconciled", "status": "True"}]}});
        assert_eq!(
            at(
                &object,
                ".status.conditions[?(@.type==\"Reconciled\")].status"
            ),
            [&json!("True")]
        );
        assert_eq!(
            cell(&Cell::At(".spec.hosts".into()), &object, 0),
            json!("[\"a\"]")
        );
        assert_eq!(cell(&Cell::At(".spec.none".into()), &object, 0), json!(""));
    }
}
