//! Whether a live resource of a row can be used: by the state that it gives itself. Pure.

use serde_json::Value;

use super::resource_spec::{ReadyField, ResourceSpec};
use super::spec::Observed;

/// Whether a live resource is ready. Pure.
pub fn of(row: &ResourceSpec, live: Value) -> Observed {
    let Some(settled) = &row.settled else {
        return Observed::Here(live);
    };
    let state = text(&live, settled.field);
    let usable = [settled.good, settled.degraded, settled.changing];
    if usable.iter().any(|states| states.contains(&state)) {
        return Observed::Here(live);
    }
    let why = said(settled, &live, state);
    if settled.bad.contains(&state) {
        Observed::Broken(why)
    } else {
        Observed::Settling(why)
    }
}

/// The text at a path with dots; empty if there is none.
fn text<'a>(live: &'a Value, path: &str) -> &'a str {
    let found = path.split('.').try_fold(live, |v, key| v.get(key));
    found.and_then(Value::as_str).unwrap_or_default()
}

/// The state of a resource and the reason that it gives.
fn said(settled: &ReadyField, live: &Value, state: &str) -> String {
    match settled.why.map(|path| text(live, path)) {
        Some(why) if !why.is_empty() => format!("{state}: {why}"),
        _ if state.is_empty() => format!("no {} yet", settled.field),
        _ => state.to_owned(),
    }
}

/// What to warn about a resource that works and needs somebody's attention.
pub fn warning(row: &ResourceSpec, live: &Value) -> Option<String> {
    let settled = row.settled.as_ref()?;
    let state = text(live, settled.field);
    let is_degraded = settled.degraded.contains(&state);
    is_degraded.then(|| said(settled, live, state))
}

/// Whether Google is changing a resource that works meanwhile.
pub fn is_being_changed(row: &ResourceSpec, live: &Value) -> bool {
    let settled = row.settled.as_ref();
    settled.is_some_and(|settled| settled.changing.contains(&text(live, settled.field)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::resource_table::ROWS;
    use serde_json::json;

    #[test]
    fn rest_is_read_from_the_field_the_row_names() {
        let cases = [
            ("container.cluster", json!({"status": "RUNNING"}), "here"),
            (
                "container.cluster",
                json!({"status": "PROVISIONING"}),
                "settling PROVISIONING",
            ),
            (
                "container.cluster",
                json!({"status": "ERROR", "statusMessage": "no quota"}),
                "broken ERROR: no quota",
            ),
            ("container.cluster", json!({"status": "DEGRADED"}), "here"),
            (
                "container.cluster",
                json!({"status": "RECONCILING"}),
                "here",
            ),
            (
                "container.nodePool",
                json!({"status": "RECONCILING"}),
                "here",
            ),
            (
                "gkehub.membership",
                json!({"state": {"code": "READY"}}),
                "here",
            ),
            ("gkehub.membership", json!({}), "settling no state.code yet"),
            ("compute.network", json!({}), "here"),
        ];
        for (kind, live, expected) in cases {
            let row = ROWS.iter().find(|row| row.kind == kind).unwrap();
            let said = match of(row, live.clone()) {
                Observed::Absent => "absent".to_owned(),
                Observed::Here(_) => "here".to_owned(),
                Observed::Settling(why) => format!("settling {why}"),
                Observed::Broken(why) => format!("broken {why}"),
            };
            assert_eq!(said, expected, "{kind} {live}");
        }
    }

    #[test]
    fn a_cluster_that_works_is_warned_about_or_left_to_google() {
        let row = ROWS
            .iter()
            .find(|row| row.kind == "container.cluster")
            .unwrap();
        let live = |status: &str| json!({"status": status, "statusMessage": "no contact"});
        let warned = warning(row, &live("DEGRADED"));
        assert_eq!(warned.as_deref(), Some("DEGRADED: no contact"));
        assert_eq!(warning(row, &live("RUNNING")), None);
        assert!(is_being_changed(row, &live("RECONCILING")));
        assert!(!is_being_changed(row, &live("DEGRADED")));
    }
}
