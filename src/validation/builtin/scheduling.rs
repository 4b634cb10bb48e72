//! Where a pod may run: tolerations, spread and affinity.

use serde_json::Value;

use crate::at::At;
use crate::builtin::{selector, share};
use crate::fault::Faults;
use crate::names;

pub fn check(spec: &At<'_>, faults: &mut Faults) {
    for one in spec.get("tolerations").items() {
        toleration(&one, faults);
    }
    for one in spec.get("topologySpreadConstraints").items() {
        let skew = one.get("maxSkew");
        if skew.int().unwrap_or_default() <= 0 {
            faults.invalid_value(
                &skew,
                &skew.int().unwrap_or_default().into(),
                "must be greater than zero",
            );
        }
        if one.get("topologyKey").text().is_empty() {
            faults.required(&one.get("topologyKey"), "can not be empty");
        }
        let known = ["DoNotSchedule", "ScheduleAnyway"];
        let otherwise = one.get("whenUnsatisfiable");
        if !known.contains(&otherwise.text()) {
            faults.unsupported(&otherwise, &known);
        }
        selector::check(&one.get("labelSelector"), faults);
    }
    let affinity = spec.get("affinity");
    for kind in ["podAffinity", "podAntiAffinity"] {
        pods(&affinity.get(kind), faults);
    }
    nodes(&affinity.get("nodeAffinity"), faults);
}

fn toleration(one: &At<'_>, faults: &mut Faults) {
    let (key, operator) = (one.get("key"), one.get("operator"));
    let (value, effect) = (one.get("value"), one.get("effect"));
    if let Some(why) = names::qualified(key.text()).filter(|_| !key.text().is_empty()) {
        faults.invalid(&key, &why);
    }
    if key.text().is_empty() && operator.text() != "Exists" {
        faults.invalid(
            &operator,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    let seconds = one.get("tolerationSeconds");
    if seconds.is_set() && effect.text() != "NoExecute" {
        faults.invalid(
            &effect,
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    match operator.text() {
        "" | "Equal" => {
            if let Some(why) = names::label_value(value.text()) {
                faults.invalid_value(&operator, value.value, &why);
            }
        }
        "Exists" if !value.text().is_empty() => {
            faults.invalid_value(
                &operator,
                value.value,
                "value must be empty when `operator` is 'Exists'",
            );
        }
        "Exists" => {}
        _ => faults.unsupported(&operator, &["Equal", "Exists"]),
    }
    let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    share::one_of(&effect, &known, faults);
}

fn pods(affinity: &At<'_>, faults: &mut Faults) {
    let required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution");
    let preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution");
    let preferred = preferred.items().into_iter().map(|one| {
        weight(&one, faults);
        one.get("podAffinityTerm")
    });
    let preferred: Vec<At<'_>> = preferred.collect();
    for term in required.items().iter().chain(&preferred) {
        if term.get("topologyKey").text().is_empty() {
            faults.required(&term.get("topologyKey"), "can not be empty");
        }
        selector::check(&term.get("labelSelector"), faults);
        selector::check(&term.get("namespaceSelector"), faults);
    }
}

fn weight(one: &At<'_>, faults: &mut Faults) {
    let weight = one.get("weight");
    let number = weight.int().unwrap_or_default();
    if !(1..=100).contains(&number) {
        faults.invalid_value(&weight, &Value::from(number), "must be in the range 1-100");
    }
}

fn nodes(affinity: &At<'_>, faults: &mut Faults) {
    let required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required.get("nodeSelectorTerms");
    if required.is_set() && terms.is_empty() {
        faults.required(&terms, "must have at least one node selector term");
    }
    let preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution");
    let preferred = preferred.items().into_iter().map(|one| {
        weight(&one, faults);
        one.get("preference")
    });
    let preferred: Vec<At<'_>> = preferred.collect();
    for term in terms.items().iter().chain(&preferred) {
        for one in term.get("matchExpressions").items() {
            expression(&one, faults);
        }
    }
}

fn expression(one: &At<'_>, faults: &mut Faults) {
    let (operator, values) = (one.get("operator"), one.get("values"));
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            faults.required(
                &values,
                "must be specified when `operator` is 'In' or 'NotIn'",
            );
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            faults.forbidden(
                &values,
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            );
        }
        "Gt" | "Lt" if values.len() != 1 => {
            faults.required(
                &values,
                "must be specified single value when `operator` is 'Lt' or 'Gt'",
            );
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        word => {
            faults.invalid(&operator, "not a valid selector operator");
            let known = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
            if let Some(fault) = faults.0.pop() {
                faults.0.push(fault.meant(word, known));
            }
        }
    }
    if let Some(why) = names::qualified(one.get("key").text()) {
        faults.invalid(&one.get("key"), &why);
    }
}
