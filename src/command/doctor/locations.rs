//! Whether the constraint `gcp.resourceLocations` permits the places of the steps: the region, and the location of each bucket. It does
//! not know which locations Google counts to a group, beyond those that begin with its name.

use serde_json::Value;

use super::policy::{Policy, exempt, made};
use crate::kinds::Step;
use crate::ui::doctor::Finding;

/// Whether a place is one of a list's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum IsIn {
    No,
    /// It may be in a group of which only Google knows the members.
    Unknown,
    Yes,
}

/// Whether a location is in a list of the constraint, in small letters. A value is a location, or a group of Google's such as
/// `in:us-locations`. The group of a region or of a continent contains the locations that begin with its name; of another group
/// (`in:eu-locations` without the United Kingdom) only Google knows the members. Pure.
fn is_in(values: &[String], place: &str) -> IsIn {
    let of_value = |value: &String| {
        let value = value.to_lowercase();
        let Some(group) = value.strip_prefix("in:") else {
            return match value.strip_prefix("is:").unwrap_or(&value) == place {
                true => IsIn::Yes,
                false => IsIn::No,
            };
        };
        let group = group.trim_end_matches("-locations");
        let is_region = group.ends_with(|c: char| c.is_ascii_digit());
        let is_inside = place
            .strip_prefix(group)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        match (is_inside, is_region) {
            (true, _) => IsIn::Yes,
            (false, true) => IsIn::No,
            (false, false) => IsIn::Unknown,
        }
    };
    values.iter().map(of_value).max().unwrap_or(IsIn::No)
}

/// Whether the policy allows a location. Pure.
fn is_allowed(policy: &Policy, place: &str) -> IsIn {
    let denied = match policy.denies_all {
        true => IsIn::Yes,
        false => is_in(&policy.denied, place),
    };
    let allowed = match policy.allowed.is_empty() {
        true => IsIn::Yes,
        false => is_in(&policy.allowed, place),
    };
    match (denied, allowed) {
        (IsIn::Yes, _) | (_, IsIn::No) => IsIn::No,
        (IsIn::No, IsIn::Yes) => IsIn::Yes,
        _ => IsIn::Unknown,
    }
}

/// The region, and the location of each bucket. Source of a bucket's default: the reference of `buckets.insert`.
pub fn decide(policy: &Policy, steps: &[Step], region: &str) -> Option<Finding> {
    let buckets = made(steps, "storage.bucket").map(|step| {
        let stated = step.want.get("location").and_then(Value::as_str);
        let location = stated.unwrap_or("us").to_lowercase();
        let named = format!("{} of {}", location.to_uppercase(), step.id);
        (location, named)
    });
    let region = (region.to_owned(), format!("region {region}"));
    let judged: Vec<(IsIn, String)> = std::iter::once(region)
        .chain(buckets)
        .map(|(place, named)| (is_allowed(policy, &place), named))
        .collect();
    let of = |sought: IsIn| -> Vec<&str> {
        let those = judged.iter().filter(|(found, _)| *found == sought);
        those.map(|(_, named)| named.as_str()).collect()
    };
    let (forbidden, unknown) = (of(IsIn::No), of(IsIn::Unknown));
    let stated = match (policy.denies_all, policy.allowed.is_empty()) {
        (true, _) => "denies all locations".to_owned(),
        (false, false) => format!("allows {} alone", policy.allowed.join(", ")),
        (false, true) => format!("denies {}", policy.denied.join(", ")),
    };
    let is_region = judged.first().is_some_and(|(found, _)| *found != IsIn::Yes);
    let is_bucket = judged.iter().skip(1).any(|(found, _)| *found != IsIn::Yes);
    let mut more = String::new();
    if is_region {
        more += "choose an allowed region with --region, ";
    }
    if is_bucket {
        more += "state an allowed `location` in a patch of the bucket (`--overlay DIR`), ";
    }
    let advice = exempt(&(more + "or "));
    match (forbidden.as_slice(), unknown.as_slice()) {
        ([], []) => None,
        ([], unknown) => Some(Finding::warn(
            format!(
                "{stated}; whether that permits {} is not known here",
                unknown.join(", ")
            ),
            advice,
        )),
        (forbidden, _) => Some(Finding::fail(
            format!("{stated}, which forbids {}", forbidden.join(", ")),
            advice,
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Warn};

    #[test]
    fn a_location_is_allowed_or_not_or_only_google_knows() {
        let at = || json!({"project": "p"});
        let default = Step::sample("storage.bucket", &at(), json!({}));
        let near = Step::sample("storage.bucket", &at(), json!({"location": "us-central1"}));
        let allow = |value: &str| json!({"values": {"allowedValues": [value]}});
        let deny = |value: &str| json!({"values": {"deniedValues": [value]}});
        for (rule, bucket, expected, words) in [
            (
                allow("in:us-central1-locations"),
                &default,
                Fail,
                "forbids US of storage.bucket",
            ),
            (allow("in:us-central1-locations"), &near, Pass, ""),
            (allow("in:us-locations"), &default, Pass, ""),
            (allow("in:eu-locations"), &near, Warn, "region us-central1"),
            (deny("in:us-locations"), &near, Fail, "region us-central1"),
            (deny("in:us-east1-locations"), &default, Pass, ""),
            (deny("US"), &default, Fail, "forbids US of storage.bucket"),
            (deny("in:northamerica-locations"), &near, Warn, "denies in:"),
        ] {
            let steps = std::slice::from_ref(bucket);
            let policy = Policy::of(&json!({"spec": {"rules": [rule]}}));
            let found = decide(&policy, steps, "us-central1");
            let verdict = found.as_ref().map_or(Pass, |found| found.verdict);
            assert_eq!(verdict, expected, "{rule}: {found:?}");
            let says = found.map(|found| found.says).unwrap_or_default();
            assert!(says.contains(words), "{rule}: {says}");
        }
    }
}
