//! Rules of VirtualServices that no request reaches, by comparison with earlier rules, as Istio's validation compares them.
//!
//! Of HTTP rules, a prefix that begins with an earlier rule's prefix counts as a repetition, if nothing else distinguishes the two.

use std::collections::BTreeMap;

use json::{list, text};
use serde_json::Value;

use super::config::Config;
use super::{Code, Finding};
use crate::object::Object;

/// Rules that no request reaches, and matches that repeat those of an earlier rule.
pub fn rules(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, value) in &config.virtual_services {
        for kind in ["http", "tls", "tcp"] {
            repeated(&service.object, kind, value, &mut found);
        }
        shadowed(&service.object, value, &mut found);
    }
    found
}

const FIRST: &str = "the more specific rule first, or remove this rule";

/// Rules behind one without matches, and matches that an earlier rule has too.
fn repeated(object: &Object, kind: &str, value: &Value, found: &mut Vec<Finding>) {
    let mut earlier: Vec<(usize, Value)> = Vec::new();
    let mut all_of: Option<usize> = None;
    for (index, rule) in list(value, &format!("/spec/{kind}")).enumerate() {
        let place = format!("spec.{kind}[{index}]");
        let matches: Vec<Value> = list(rule, "/match").map(without_name).collect();
        if let Some(first) = all_of {
            let message =
                format!("{place} is never reached: spec.{kind}[{first}] matches every request");
            found.push(Finding::new(
                Code::VirtualServiceUnreachableRule,
                object,
                message,
                FIRST,
            ));
            continue;
        }
        if matches.is_empty() {
            all_of = Some(index);
            continue;
        }
        let mut again = 0;
        for (at, own) in matches.iter().enumerate() {
            match earlier.iter().find(|(_, other)| other == own) {
                Some((first, _)) => {
                    again += 1;
                    let message =
                        format!("{place}.match[{at}] repeats a match of spec.{kind}[{first}]");
                    found.push(Finding::new(
                        Code::VirtualServiceIneffectiveMatch,
                        object,
                        message,
                        "each match once",
                    ));
                }
                None => earlier.push((index, own.clone())),
            }
        }
        if again == matches.len() {
            let message = format!("{place} is never reached: earlier rules have all its matches");
            found.push(Finding::new(
                Code::VirtualServiceUnreachableRule,
                object,
                message,
                FIRST,
            ));
        }
    }
}

/// A match without its name and without empty fields, which have no effect.
fn without_name(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(fields) = block.as_object_mut() {
        fields.remove("name");
        fields.retain(|_, value| !crate::field::empty(value));
    }
    block
}

/// A match of an HTTP rule by a prefix of the path, as Istio's validation compares it.
struct ByPrefix {
    rule: usize,
    at: usize,
    prefix: String,
    port: u64,
    method: String,
    authority: String,
    /// Headers, query parameters and excluded headers.
    names: [BTreeMap<String, String>; 3],
}

impl ByPrefix {
    fn read(rule: usize, at: usize, value: &Value) -> Option<ByPrefix> {
        let prefix = text(value, "/uri/prefix");
        let names = |field: &str| {
            let all = value.get(field).and_then(Value::as_object);
            let all = all.into_iter().flatten();
            all.map(|(name, value)| (name.clone(), condition(value)))
                .collect()
        };
        let method = match condition(&value["method"]) {
            // A match without a method is compared as if it were for GET.
            none if none.is_empty() => "exact:GET".to_owned(),
            method => method,
        };
        (!prefix.is_empty()).then(|| ByPrefix {
            rule,
            at,
            prefix: prefix.to_owned(),
            port: value["port"].as_u64().unwrap_or_default(),
            method,
            authority: condition(&value["authority"]),
            names: ["headers", "queryParams", "withoutHeaders"].map(names),
        })
    }

    /// Whether every request of `later` is one of this match, as far as this comparison sees it.
    fn covers(&self, later: &ByPrefix) -> bool {
        let narrower = |own: &str, later: &str| own.starts_with(later);
        let same_names = |(own, theirs): (&BTreeMap<_, String>, &BTreeMap<_, String>)| {
            own.len() == theirs.len()
                && own.iter().all(|(name, value)| {
                    theirs.get(name).is_some_and(|other| narrower(value, other))
                })
        };
        later.prefix.starts_with(&self.prefix)
            && self.port == later.port
            && narrower(&self.method, &later.method)
            && narrower(&self.authority, &later.authority)
            && self.names.iter().zip(&later.names).all(same_names)
    }
}

/// An exact value or a prefix; a regular expression counts as no condition.
fn condition(value: &Value) -> String {
    match (text(value, "/exact"), text(value, "/prefix")) {
        ("", "") => String::new(),
        ("", prefix) => format!("prefix:{prefix}"),
        (exact, _) => format!("exact:{exact}"),
    }
}

/// Matches whose prefix begins with the prefix of an earlier match.
fn shadowed(object: &Object, value: &Value, found: &mut Vec<Finding>) {
    let mut seen: Vec<Value> = Vec::new();
    let mut by_prefix: Vec<ByPrefix> = Vec::new();
    for (index, rule) in list(value, "/spec/http").enumerate() {
        if list(rule, "/match").next().is_none() {
            break;
        }
        for (at, written) in list(rule, "/match").enumerate() {
            let own = without_name(written);
            if !seen.contains(&own) {
                seen.push(own);
                by_prefix.extend(ByPrefix::read(index, at, written));
            }
        }
    }
    for (at, first) in by_prefix.iter().enumerate() {
        for later in by_prefix.iter().skip(at + 1) {
            if later.prefix != first.prefix && first.covers(later) {
                let message = format!(
                    "spec.http[{}].match[{}] with the prefix {} is not used: spec.http[{}].match[{}] with the prefix {} comes first",
                    later.rule, later.at, later.prefix, first.rule, first.at, first.prefix
                );
                found.push(Finding::new(
                    Code::VirtualServiceIneffectiveMatch,
                    object,
                    message,
                    "the rule with the longer prefix first",
                ));
            }
        }
    }
}
