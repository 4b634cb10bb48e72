//! The findings of the analyzers in a namespace, by the codes that istioctl uses. The program's own notes do not count.

use serde_json::Value;

use super::check::{Check, CheckTarget, in_cluster};
use super::result::CheckResult;
use crate::google::ApiError;
use crate::kinds::live_objects;
use egress::analyze::analyze;

/// The findings of the analyzers in a namespace.
pub static CHECK: Check = Check {
    kind: "check.analysis",
    path: in_cluster!("namespaces/{namespace}/analysis"),
    optional: &[],
    fields: &["codes"],
    look: |target, want| Box::pin(look(target, want)),
    hint: None,
};

/// Analyzes the live objects and compares the codes with `want`.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let wanted = want.get("codes").and_then(Value::as_array);
    let wanted: Vec<String> = wanted
        .into_iter()
        .flatten()
        .filter_map(|code| code.as_str().map(str::to_owned))
        .collect();
    let objects = live_objects::objects(&place.cluster).await?;
    let found = analyze(&objects, Some(place.text("namespace")));
    let mut seen: Vec<String> = found
        .iter()
        .filter(|finding| finding.code.is_istio())
        .map(|finding| format!("{} {}: {}", finding.code, finding.object, finding.message))
        .collect();
    seen.sort();
    let codes = seen
        .iter()
        .map(|line| line.split(' ').next().unwrap_or_default());
    let same = codes.eq(wanted.iter().map(String::as_str));
    let words = |lines: &[String]| match lines {
        [] => "nothing found".to_owned(),
        lines => lines.join("; "),
    };
    Ok(CheckResult {
        holds: same,
        expected: words(&wanted),
        seen: words(&seen),
    })
}
