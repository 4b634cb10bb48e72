//! Parses an AuthorizationPolicy from JSON.

use serde_json::Value;

use super::condition::{Attribute, Condition};
use super::{AuthorizationQuery, Peer};
use crate::field::strange;
use crate::object::{Object, Unknown, texts};
use crate::selector::Selector;

/// What a policy does with requests that its rules match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthorizationAction {
    Allow,
    Deny,
    /// Asks an authorizer outside the proxy.
    Custom,
    /// Writes a record and does not decide.
    Audit,
}

/// A rule: one of `from`, one of `to`, all of `when`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthorizationRule {
    /// Envoy's name of the rule: `ns[istio-egress]-policy[name]-rule[0]`.
    pub name: String,
    index: usize,
    from: Vec<Vec<Condition>>,
    to: Vec<Vec<Condition>>,
    when: Vec<Condition>,
}

/// An AuthorizationPolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationPolicy {
    /// The policy.
    pub object: Object,
    pub(super) selector: Selector,
    pub(super) action: AuthorizationAction,
    /// Evaluated for the log, never enforced.
    pub(super) dry_run: bool,
    /// The policy selects by target references, not by workload labels.
    pub(super) targeted: bool,
    pub(super) rules: Vec<AuthorizationRule>,
    pub(super) unknown: Vec<Unknown>,
}

/// The fields of `source`, each with its attribute and the corresponding negative field.
const SOURCE: &[(&str, &str, Attribute)] = &[
    ("principals", "notPrincipals", Attribute::Principal),
    (
        "requestPrincipals",
        "notRequestPrincipals",
        Attribute::Token,
    ),
    ("namespaces", "notNamespaces", Attribute::Namespace),
    (
        "serviceAccounts",
        "notServiceAccounts",
        Attribute::ServiceAccount,
    ),
    ("ipBlocks", "notIpBlocks", Attribute::SourceAddress),
    (
        "remoteIpBlocks",
        "notRemoteIpBlocks",
        Attribute::RemoteAddress,
    ),
];

/// The fields of `operation`, in the same form.
const OPERATION: &[(&str, &str, Attribute)] = &[
    ("hosts", "notHosts", Attribute::Host),
    ("methods", "notMethods", Attribute::Method),
    ("paths", "notPaths", Attribute::Path),
    ("ports", "notPorts", Attribute::Port),
];

/// Parses a policy and collects what of it is not covered.
struct AuthorizationPolicyReader<'a> {
    object: &'a Object,
    unknown: Vec<Unknown>,
}

impl AuthorizationPolicyReader<'_> {
    fn not_covered(&mut self, field: String) {
        let object = self.object.clone();
        self.unknown.push(Unknown { object, field });
    }

    fn strange(&mut self, value: &Value, path: &str, known: &[&str]) {
        let strange = strange(self.object, value, path, known);
        self.unknown.extend(strange);
    }

    /// The alternatives in a list of `from` or `to`.
    fn alternatives(
        &mut self,
        list: &Value,
        within: &str,
        place: &str,
        fields: &[(&str, &str, Attribute)],
    ) -> Vec<Vec<Condition>> {
        let items = list.as_array().into_iter().flatten().enumerate();
        for (index, item) in items.clone() {
            self.strange(item, &format!("{place}[{index}]"), &[within]);
        }
        let read = items.map(|(index, item)| {
            self.conditions(&item[within], &format!("{place}[{index}].{within}"), fields)
        });
        read.collect()
    }

    fn conditions(
        &mut self,
        object: &Value,
        place: &str,
        fields: &[(&str, &str, Attribute)],
    ) -> Vec<Condition> {
        let known = |name: &str| {
            fields
                .iter()
                .any(|(wanted, forbidden, _)| [wanted, forbidden].contains(&&name))
        };
        for name in object
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .filter(|name| !known(name))
        {
            self.not_covered(format!("{place}.{name}"));
        }
        let mut conditions = Vec::new();
        for (wanted, forbidden, attribute) in fields {
            let lists = [wanted, forbidden].map(|name| self.values(object, place, name, attribute));
            let [values, not_values] = lists;
            conditions.extend(Condition::read(attribute.clone(), values, not_values));
        }
        conditions
    }

    fn values(
        &mut self,
        object: &Value,
        place: &str,
        name: &str,
        attribute: &Attribute,
    ) -> Vec<String> {
        let mut values = texts(object, &format!("/{name}"));
        for (index, value) in values.iter_mut().enumerate() {
            match attribute {
                // Templates (`/a/{*}`) have their own syntax.
                Attribute::Path if value.contains('{') => {
                    self.not_covered(format!("{place}.{name}[{index}]"))
                }
                Attribute::ServiceAccount if !value.contains('/') => {
                    *value = format!("{}/{value}", self.object.namespace)
                }
                _ => {}
            }
        }
        values
    }

    fn rule(&mut self, index: usize, rule: &Value) -> AuthorizationRule {
        let place = format!("spec.rules[{index}]");
        self.strange(rule, &place, &["from", "to", "when"]);
        let mut when = Vec::new();
        for (at, condition) in rule["when"].as_array().into_iter().flatten().enumerate() {
            let attribute = Attribute::of_key(condition["key"].as_str().unwrap_or_default());
            let place = format!("{place}.when[{at}]");
            self.strange(condition, &place, &["key", "values", "notValues"]);
            if attribute == Attribute::NotCovered {
                self.not_covered(format!("{place}.key"));
            }
            let lists = ["values", "notValues"]
                .map(|name| self.values(condition, &place, name, &attribute));
            let [values, not_values] = lists;
            when.extend(Condition::read(attribute, values, not_values));
        }
        AuthorizationRule {
            name: format!(
                "ns[{}]-policy[{}]-rule[{index}]",
                self.object.namespace, self.object.name
            ),
            index,
            from: self.alternatives(&rule["from"], "source", &format!("{place}.from"), SOURCE),
            to: self.alternatives(&rule["to"], "operation", &format!("{place}.to"), OPERATION),
            when,
        }
    }
}

impl AuthorizationPolicy {
    /// Parses a policy; also returns what of it is not covered.
    pub fn read(object: &Value) -> (AuthorizationPolicy, Vec<Unknown>) {
        let name = Object::of(object);
        let spec = &object["spec"];
        let mut reader = AuthorizationPolicyReader {
            object: &name,
            unknown: Vec::new(),
        };
        let known = [
            "selector",
            "action",
            "rules",
            "provider",
            "targetRef",
            "targetRefs",
        ];
        reader.strange(spec, "spec", &known);
        let action = match spec["action"].as_str() {
            None | Some("ALLOW") => AuthorizationAction::Allow,
            Some("DENY") => AuthorizationAction::Deny,
            Some("AUDIT") => AuthorizationAction::Audit,
            Some("CUSTOM") => AuthorizationAction::Custom,
            Some(_) => {
                reader.not_covered("spec.action".to_owned());
                AuthorizationAction::Audit
            }
        };
        let targets = ["targetRef", "targetRefs"]
            .into_iter()
            .filter(|field| !spec[*field].is_null());
        let targets: Vec<&str> = targets.collect();
        for field in &targets {
            reader.not_covered(format!("spec.{field}"));
        }
        let rules = spec["rules"].as_array().into_iter().flatten().enumerate();
        let rules = rules
            .map(|(index, rule)| reader.rule(index, rule))
            .collect();
        let annotation = object
            .pointer("/metadata/annotations/istio.io~1dry-run")
            .and_then(Value::as_str);
        let unknown = reader.unknown;
        let policy = AuthorizationPolicy {
            selector: Selector::read(&spec["selector"]),
            action,
            dry_run: annotation.is_some_and(is_true),
            targeted: !targets.is_empty(),
            rules,
            unknown: unknown.clone(),
            object: name,
        };
        (policy, unknown)
    }
}

/// Whether a text means true to Go's `ParseBool`, with which Istio reads the annotation.
fn is_true(text: &str) -> bool {
    ["1", "t", "T", "true", "TRUE", "True"].contains(&text)
}

/// Why a rule does not match: the first condition that is not met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unmet<'a> {
    rule: &'a AuthorizationRule,
    condition: &'a Condition,
    /// The rule needs HTTP, and the connection has none.
    needs_http: bool,
}

impl Unmet<'_> {
    /// The reason, in a clause.
    pub fn text(&self, asked: &AuthorizationQuery<'_>) -> String {
        let (index, condition) = (self.rule.index, self.condition.text());
        match self.needs_http {
            true => format!("rule {index} needs HTTP ({condition}), and this is a TCP connection"),
            false => format!(
                "rule {index} is for {condition}; this is {}",
                self.condition.found(asked)
            ),
        }
    }
}

/// The first condition that is not met; without HTTP, conditions that need it are skipped.
fn first_unmet<'a>(all: &'a [Condition], asked: &AuthorizationQuery<'_>) -> Option<&'a Condition> {
    let left_out = |condition: &Condition| asked.http.is_none() && condition.attribute.needs_http();
    all.iter()
        .find(|condition| !(left_out(condition) || condition.holds(asked)))
}

/// If none of the alternatives is met, the unmet condition of the first one.
fn unmet_of<'a>(
    alternatives: &'a [Vec<Condition>],
    asked: &AuthorizationQuery<'_>,
) -> Option<&'a Condition> {
    let mut unmet = alternatives.iter().map(|all| first_unmet(all, asked));
    let first = unmet.next()??;
    unmet.all(|other| other.is_some()).then_some(first)
}

impl AuthorizationRule {
    /// Why the rule does not match; `None` if it matches.
    pub fn unmet(
        &self,
        action: AuthorizationAction,
        asked: &AuthorizationQuery<'_>,
    ) -> Option<Unmet<'_>> {
        let tcp = asked.http.is_none();
        let because = |condition, needs_http| Unmet {
            rule: self,
            condition,
            needs_http,
        };
        if tcp && action == AuthorizationAction::Allow {
            let mut every = self.from.iter().chain(&self.to).flatten().chain(&self.when);
            if let Some(condition) = every.find(|condition| condition.attribute.needs_http()) {
                return Some(because(condition, true));
            }
        }
        let unmet = unmet_of(&self.from, asked)
            .or_else(|| unmet_of(&self.to, asked))
            .or_else(|| first_unmet(&self.when, asked));
        unmet.map(|condition| because(condition, false))
    }

    /// Whether a caller of this identity can match the rule at all.
    pub fn possible(&self, peer: Option<&Peer>) -> bool {
        let nobody = std::net::IpAddr::from([0, 0, 0, 0]);
        let asked = AuthorizationQuery {
            peer,
            source: nobody,
            remote: nobody,
            http: None,
            port: 0,
            server_name: "",
        };
        let fits = |all: &[Condition]| {
            let mut identities = all
                .iter()
                .filter(|condition| condition.attribute.is_identity());
            identities.all(|condition| condition.holds(&asked))
        };
        (self.from.is_empty() || self.from.iter().any(|all| fits(all))) && fits(&self.when)
    }

    /// The rule, in a clause: `rule 0 is for namespace team-x, host example.com, port 8080`.
    pub fn text(&self) -> String {
        let all = |conditions: &[Condition]| {
            conditions
                .iter()
                .map(Condition::text)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let one_of = |alternatives: &[Vec<Condition>]| {
            alternatives
                .iter()
                .map(|conditions| all(conditions))
                .collect::<Vec<_>>()
                .join(" or ")
        };
        let parts = [one_of(&self.from), one_of(&self.to), all(&self.when)];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        match parts.is_empty() {
            true => format!("rule {} is for everything", self.index),
            false => format!("rule {} is for {}", self.index, parts.join(", ")),
        }
    }
}
