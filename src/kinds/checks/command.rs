//! The output of a command in a pod.

use serde_json::Value;

use super::check::{Check, CheckTarget, ONLY_GKE, WITHIN, in_cluster};
use super::pods;
use super::result::CheckResult;
use crate::google::ApiError;
use crate::kinds::cluster_error::of_cluster;

/// A command in a pod.
pub static CHECK: Check = Check {
    kind: "check.command",
    path: in_cluster!("namespaces/{namespace}/pods/{pods}/{container}/{command}"),
    optional: &[],
    fields: &["prints", "exit", ONLY_GKE],
    look: |target, want| Box::pin(look(target, want)),
    hint: None,
};

/// Runs the command of `at`, split at blanks, and searches its output for what `want` states.
async fn look(place: &CheckTarget<'_>, want: &Value) -> Result<CheckResult, ApiError> {
    let prints = want
        .get("prints")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let exit = want.get("exit").and_then(Value::as_i64).unwrap_or(0);
    let expected = match exit {
        0 => prints.to_owned(),
        exit => format!("{prints} exit {exit}"),
    };
    let container = match pods::container(place).await? {
        Ok(container) => container,
        Err(error) => return Ok(CheckResult::not(expected, error.to_string())),
    };
    let command: Vec<String> = place
        .text("command")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let ran = place.cluster.exec(&container, &command, WITHIN).await;
    let ran = ran.map_err(of_cluster)?;
    let said = if ran.code == 0 {
        &ran.stdout
    } else {
        &ran.stderr
    };
    if ran.code == exit && ran.stdout.contains(prints) {
        return Ok(CheckResult::same(expected.clone(), expected));
    }
    let seen = match (said.trim(), ran.code) {
        (said, 0) => said.to_owned(),
        (said, code) => format!("exit {code}: {said}"),
    };
    Ok(CheckResult::not(expected, seen))
}
