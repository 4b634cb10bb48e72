//! HorizontalPodAutoscaler, v2.

use crate::at::At;
use crate::builtin::share;
use crate::fault::Faults;
use crate::names;

/// The types of a metric and their fields.
const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

pub fn autoscaler(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    let (least, most) = (spec.get("minReplicas"), spec.get("maxReplicas"));
    let scalable = spec
        .get("metrics")
        .items()
        .iter()
        .any(|metric| matches!(metric.get("type").text(), "Object" | "External"));
    if least.int().is_some_and(|least| least < 1) {
        faults.invalid(&least, "must be greater than or equal to 1");
    }
    if most.int().unwrap_or_default() < 1 {
        faults.invalid_value(
            &most,
            &most.int().unwrap_or_default().into(),
            "must be greater than 0",
        );
    }
    if let (Some(low), Some(high)) = (least.int(), most.int())
        && low > high
    {
        faults.invalid(&most, "must be greater than or equal to `minReplicas`");
    }
    let target = spec.get("scaleTargetRef");
    for field in ["kind", "name"] {
        let field = target.get(field);
        if field.text().is_empty() {
            faults.required(&field, "");
        } else if let Some(why) = names::path_segment(field.text()) {
            faults.invalid(&field, &why);
        }
    }
    for metric in spec.get("metrics").items() {
        source(&metric, faults);
    }
    if least.int() == Some(0) && !scalable {
        faults.forbidden(
            &spec.get("metrics"),
            "must specify at least one Object or External metric to support scaling to zero replicas",
        );
    }
    for direction in ["scaleUp", "scaleDown"] {
        rules(&spec.get("behavior").get(direction), faults);
    }
}

fn source(metric: &At<'_>, faults: &mut Faults) {
    let kind = metric.get("type");
    if kind.text().is_empty() {
        return faults.required(&kind, "must specify a metric source type");
    }
    let Some((_, own)) = SOURCES.iter().find(|(name, _)| *name == kind.text()) else {
        return faults.unsupported(&kind, &SOURCES.map(|(name, _)| name));
    };
    for (_, field) in SOURCES.iter().filter(|(_, field)| field != own) {
        if metric.get(field).is_set() {
            faults.forbidden(
                &metric.get(field),
                "must populate the given metric source only",
            );
        }
    }
    let source = metric.get(own);
    if !source.is_set() {
        return faults.required(
            &source,
            "must populate information for the given metric source",
        );
    }
    if own.to_lowercase().ends_with("resource") && source.get("name").text().is_empty() {
        faults.required(&source.get("name"), "must specify a resource name");
    }
    let target = source.get("target");
    let kind = target.get("type");
    match kind.text() {
        "Utilization" | "Value" | "AverageValue" => {}
        "" => faults.required(&kind, "must specify a metric target type"),
        word => {
            let known = ["Utilization", "Value", "AverageValue"];
            faults.invalid(&kind, "must be either Utilization, Value, or AverageValue");
            if let Some(fault) = faults.0.pop() {
                faults.0.push(fault.meant(word, known));
            }
        }
    }
    let (share, average) = (target.get("averageUtilization"), target.get("averageValue"));
    if share.int().is_some_and(|share| share < 1) {
        faults.invalid(&share, "must be greater than 0");
    }
    match *own {
        "resource" | "containerResource" if !share.is_set() && !average.is_set() => {
            let why = "must set either a target raw value or a target utilization";
            faults.required(&share, why);
        }
        "resource" | "containerResource" if share.is_set() && average.is_set() => {
            let why = "may not set both a target raw value and a target utilization";
            faults.forbidden(&average, why);
        }
        "pods" if !average.is_set() => {
            faults.required(&average, "must specify a positive target averageValue");
        }
        _ => {}
    }
    if matches!(*own, "pods" | "object" | "external") && source.at("metric.name").text().is_empty()
    {
        faults.required(&source.at("metric.name"), "must specify a metric name");
    }
}

fn rules(rules: &At<'_>, faults: &mut Faults) {
    let window = rules.get("stabilizationWindowSeconds");
    match window.int() {
        Some(seconds) if seconds < 0 => {
            faults.invalid(&window, "must be greater than or equal to zero")
        }
        Some(seconds) if seconds > 3600 => {
            faults.invalid(&window, "must be less than or equal to 3600")
        }
        _ => {}
    }
    share::one_of(
        &rules.get("selectPolicy"),
        &["Disabled", "Max", "Min"],
        faults,
    );
    for policy in rules.get("policies").items() {
        if !matches!(policy.get("type").text(), "Pods" | "Percent") {
            faults.unsupported(&policy.get("type"), &["Percent", "Pods"]);
        }
        for field in ["value", "periodSeconds"] {
            let field = policy.get(field);
            let number = field.int().unwrap_or_default();
            if number <= 0 {
                faults.invalid_value(&field, &number.into(), "must be greater than zero");
            }
        }
        if policy
            .get("periodSeconds")
            .int()
            .is_some_and(|seconds| seconds > 1800)
        {
            faults.invalid(
                &policy.get("periodSeconds"),
                "must be less than or equal to 1800",
            );
        }
    }
}
