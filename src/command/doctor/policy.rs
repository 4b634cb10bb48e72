//! An effective policy of an organization, and what decisions about one have in common. It decides nothing.

use serde_json::Value;

use crate::kinds::Step;

/// An effective policy. What is not stated is allowed.
#[derive(Debug, Default)]
pub struct Policy {
    /// A switch that is on.
    pub is_enforced: bool,
    /// A list that allows nothing.
    pub denies_all: bool,
    /// The values that a list allows; all if there are none.
    pub allowed: Vec<String>,
    /// The values that a list denies.
    pub denied: Vec<String>,
}

impl Policy {
    /// The policy in an answer of `getEffectivePolicy`.
    pub fn of(policy: &Value) -> Policy {
        let rules = policy.pointer("/spec/rules").and_then(Value::as_array);
        let rules: Vec<&Value> = rules.into_iter().flatten().collect();
        let any = |key: &str| rules.iter().any(|rule| rule[key] == true);
        let values = |key: &str| -> Vec<String> {
            let lists = rules
                .iter()
                .filter_map(|rule| rule["values"][key].as_array());
            let texts = lists.flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        Policy {
            is_enforced: any("enforce"),
            denies_all: any("denyAll"),
            allowed: values("allowedValues"),
            denied: values("deniedValues"),
        }
    }
}

/// The steps of a kind that create something.
pub fn made<'a>(steps: &'a [Step], kind: &'static str) -> impl Iterator<Item = &'a Step> {
    steps
        .iter()
        .filter(move |step| step.kind.name() == kind && step.lookup.is_none())
}

/// What the administrator of the policies can do.
pub fn exempt(more: &str) -> String {
    format!("{more}an administrator of the organization's policies exempts the project")
}
