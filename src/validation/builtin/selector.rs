//! Label selectors.

use crate::at::At;
use crate::builtin::metadata;
use crate::fault::Faults;
use crate::names;

/// Judges a selector.
pub fn check(selector: &At<'_>, faults: &mut Faults) {
    metadata::labels(&selector.get("matchLabels"), faults);
    for one in selector.get("matchExpressions").items() {
        let (key, operator, values) = (one.get("key"), one.get("operator"), one.get("values"));
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                faults.required(
                    &values,
                    "must be specified when `operator` is 'In' or 'NotIn'",
                );
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                faults.forbidden(
                    &values,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "Exists" | "DoesNotExist" => {}
            word => {
                faults.invalid(&operator, "not a valid selector operator");
                let known = ["In", "NotIn", "Exists", "DoesNotExist"];
                if let Some(fault) = faults.0.pop() {
                    faults.0.push(fault.meant(word, known));
                }
            }
        }
        if let Some(why) = names::qualified(key.text()) {
            faults.invalid(&key, &why);
        }
        for value in values.items() {
            if let Some(why) = names::label_value(value.text()) {
                faults.invalid(&value, &why);
            }
        }
    }
}

/// Whether the selector selects nothing in particular.
pub fn is_empty(selector: &At<'_>) -> bool {
    selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty()
}

/// Whether the selector selects these labels; none if it cannot be read.
pub fn selects(selector: &At<'_>, labels: &At<'_>) -> Option<bool> {
    let label = |key: &str| labels.value.get(key).and_then(|value| value.as_str());
    let mut all = selector
        .get("matchLabels")
        .entries()
        .iter()
        .all(|(key, value)| label(key) == Some(value.text()));
    for one in selector.get("matchExpressions").items() {
        let found = label(one.get("key").text());
        let values = one.get("values").items();
        let listed = found.is_some_and(|found| values.iter().any(|value| value.text() == found));
        all &= match one.get("operator").text() {
            "In" if !values.is_empty() => listed,
            "NotIn" if !values.is_empty() => !listed,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            _ => return None,
        };
    }
    Some(all)
}
