//! What makes pods from a template: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob.

use serde_json::json;

use crate::at::At;
use crate::builtin::{metadata, pod, selector, share};
use crate::fault::{Faults, Reason};

pub fn deployment(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    counted(&spec, faults);
    always(&spec, "deployment", faults);
    strategy(&spec.get("strategy"), faults);
    share::not_negative(&spec.get("minReadySeconds"), faults);
    share::not_negative(&spec.get("revisionHistoryLimit"), faults);
    let deadline = spec.get("progressDeadlineSeconds");
    share::not_negative(&deadline, faults);
    let seconds = deadline.int().unwrap_or(600);
    if seconds <= spec.get("minReadySeconds").int().unwrap_or_default() {
        faults.invalid_value(
            &deadline,
            &json!(seconds),
            "must be greater than minReadySeconds",
        );
    }
}

pub fn replica_set(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    counted(&spec, faults);
    always(&spec, "replicaset", faults);
    share::not_negative(&spec.get("minReadySeconds"), faults);
}

pub fn stateful_set(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    counted(&spec, faults);
    always(&spec, "statefulset", faults);
    let known = ["OrderedReady", "Parallel"];
    share::one_of(&spec.get("podManagementPolicy"), &known, faults);
    share::not_negative(&spec.get("minReadySeconds"), faults);
}

pub fn daemon_set(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    always(&spec, "daemonset", faults);
    let known = ["RollingUpdate", "OnDelete"];
    share::one_of(&spec.at("updateStrategy.type"), &known, faults);
    share::not_negative(&spec.get("minReadySeconds"), faults);
}

pub fn job(object: &At<'_>, faults: &mut Faults) {
    run(&object.get("spec"), faults);
}

pub fn cron_job(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    if spec.get("schedule").text().is_empty() {
        faults.required(&spec.get("schedule"), "");
    }
    let known = ["Allow", "Forbid", "Replace"];
    share::one_of(&spec.get("concurrencyPolicy"), &known, faults);
    let template = spec.get("jobTemplate");
    metadata::described(&template.get("metadata"), faults);
    run(&template.get("spec"), faults);
}

/// Judges the specification of a Job.
fn run(spec: &At<'_>, faults: &mut Faults) {
    for field in [
        "parallelism",
        "completions",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        share::not_negative(&spec.get(field), faults);
    }
    let template = spec.get("template");
    metadata::described(&template.get("metadata"), faults);
    pod::spec(&template.get("spec"), faults);
    let policy = template.at("spec.restartPolicy");
    match policy.text() {
        "OnFailure" | "Never" => {}
        "" | "Always" => {
            let at = At {
                value: &json!("Always"),
                path: policy.path.clone(),
            };
            faults.add(
                &at,
                Reason::Required,
                "Required value: valid values: \"OnFailure\", \"Never\"",
            );
        }
        // The specification of the pod has refused it.
        _ => {}
    }
}

fn counted(spec: &At<'_>, faults: &mut Faults) {
    share::not_negative(&spec.get("replicas"), faults);
}

/// Judges the selector and the template of pods that always run.
fn always(spec: &At<'_>, kind: &str, faults: &mut Faults) {
    let (select, template) = (spec.get("selector"), spec.get("template"));
    let labels = template.at("metadata.labels");
    let mismatch = "`selector` does not match template `labels`";
    if select.is_set() {
        let before = faults.0.len();
        selector::check(&select, faults);
        if selector::is_empty(&select) {
            faults.invalid(&select, &format!("empty selector is invalid for {kind}"));
        } else if faults.0.len() > before {
            faults.invalid(&select, "invalid label selector");
        } else if selector::selects(&select, &labels) == Some(false) {
            faults.invalid(&labels, mismatch);
        }
    } else {
        // No selector selects nothing.
        faults.required(&select, "");
        faults.invalid(&labels, mismatch);
    }
    metadata::described(&template.get("metadata"), faults);
    let inner = template.get("spec");
    pod::spec(&inner, faults);
    let policy = inner.get("restartPolicy");
    if matches!(policy.text(), "Never" | "OnFailure") {
        faults.unsupported(&policy, &["Always"]);
    }
    if inner.get("activeDeadlineSeconds").is_set() {
        let why = "activeDeadlineSeconds in pod template is not supported";
        faults.forbidden(&inner.get("activeDeadlineSeconds"), why);
    }
}

fn strategy(strategy: &At<'_>, faults: &mut Faults) {
    let (kind, rolling) = (strategy.get("type"), strategy.get("rollingUpdate"));
    match kind.text_or("RollingUpdate") {
        "Recreate" => {
            if rolling.is_set() {
                faults.forbidden(
                    &rolling,
                    "may not be specified when strategy `type` is 'Recreate'",
                );
            }
        }
        "RollingUpdate" => {
            let (less, more) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
            share::positive(&less, faults);
            share::positive(&more, faults);
            if share::is_zero(&less) && share::is_zero(&more) {
                faults.invalid(&less, "may not be 0 when `maxSurge` is 0");
            }
            share::at_most_all(&less, faults);
        }
        _ => faults.unsupported(&kind, &["Recreate", "RollingUpdate"]),
    }
}
