//! The policies that apply to a workload, and their combined decision.

use std::rc::Rc;
use std::sync::Arc;

use super::policy::{AuthorizationAction, AuthorizationPolicy, AuthorizationRule};
use super::{AuthorizationQuery, Peer};
use crate::object::{Labels, Object, Unknown};
use crate::trace::Decision;

/// The decision of a workload's policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationVerdict {
    /// Whether the request passes, and the deciding policy.
    pub ruling: Decision,
    /// The response code details of a denial in the proxy's log: `rbac_access_denied_matched_policy[none]`; empty otherwise.
    pub details: String,
    /// The parts of the policies that are not covered and may have decided.
    pub unknown: Vec<Unknown>,
}

/// The policies that apply to a workload.
#[derive(Debug, Clone)]
pub struct Applied<'a> {
    held: Rc<[&'a AuthorizationPolicy]>,
    /// Their rules by name, in Envoy's order.
    rules: Vec<(&'a AuthorizationPolicy, &'a AuthorizationRule)>,
    /// The ALLOW policies, with or without rules; `None` if there are none.
    allows: Option<Arc<[Object]>>,
    /// Whether there are CUSTOM policies.
    customs: bool,
    /// Other policies of the namespaces, and why they do not apply.
    others: Rc<[(Object, String)]>,
    unknown: Rc<[Unknown]>,
}

/// The policies that apply to a workload with these labels: those of its namespace and of the mesh's root namespace that
/// select it.
pub fn applying<'a>(
    policies: &'a [AuthorizationPolicy],
    namespace: &str,
    labels: &Labels,
    root_namespace: &str,
) -> Applied<'a> {
    let mut asked: Vec<&AuthorizationPolicy> = policies
        .iter()
        .filter(|policy| [namespace, root_namespace].contains(&policy.object.namespace.as_str()))
        .collect();
    asked.sort_by(|a, b| a.object.cmp(&b.object));
    let (mut held, mut rules, mut allows) = (Vec::new(), Vec::new(), Vec::new());
    let (mut others, mut unknown, mut customs) = (Vec::new(), Vec::new(), false);
    for policy in asked {
        let why_not = match policy {
            policy if policy.targeted => "applies to its targetRefs",
            policy if !policy.selector.matches(labels) => "selects other workloads",
            policy if policy.dry_run => "is a dry run",
            policy if policy.action == AuthorizationAction::Audit => {
                // An action that is not known counts as one.
                let field = |each: &&Unknown| each.field == "spec.action";
                unknown.extend(policy.unknown.iter().filter(field).cloned());
                "audits, and decides nothing"
            }
            policy => {
                unknown.extend(policy.unknown.iter().cloned());
                customs |= policy.action == AuthorizationAction::Custom;
                if policy.action == AuthorizationAction::Allow {
                    allows.push(policy.object.clone());
                }
                rules.extend(policy.rules.iter().map(|rule| (policy, rule)));
                held.push(policy);
                continue;
            }
        };
        if policy.targeted {
            unknown.extend(policy.unknown.iter().cloned());
        }
        others.push((policy.object.clone(), why_not.to_owned()));
    }
    Applied {
        held: held.into(),
        rules,
        allows: (!allows.is_empty()).then(|| allows.into()),
        customs,
        others: others.into(),
        unknown: unknown.into(),
    }
}

impl<'a> Applied<'a> {
    /// Whether no policy applies.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The rules of an action that match the request.
    fn matching(
        &self,
        action: AuthorizationAction,
        asked: &AuthorizationQuery<'_>,
    ) -> impl Iterator<Item = (&'a AuthorizationPolicy, &'a AuthorizationRule)> {
        let rules = self
            .rules
            .iter()
            .copied()
            .filter(move |(policy, _)| policy.action == action);
        rules.filter(move |(_, rule)| rule.unmet(action, asked).is_none())
    }

    /// Whether the request passes, with the deciding policy and rule; without them if none matches.
    fn decide(
        &self,
        asked: &AuthorizationQuery<'_>,
    ) -> (
        bool,
        Option<(&'a AuthorizationPolicy, &'a AuthorizationRule)>,
    ) {
        if let Some(denying) = self.matching(AuthorizationAction::Deny, asked).next() {
            return (false, Some(denying));
        }
        match self.matching(AuthorizationAction::Allow, asked).next() {
            Some(allowing) => (true, Some(allowing)),
            None => (self.allows.is_none(), None),
        }
    }

    /// Decides, with the reason and why the other policies did not decide.
    pub fn rule(&self, asked: &AuthorizationQuery<'_>) -> AuthorizationVerdict {
        let (passes, by) = self.decide(asked);
        let because = match (passes, by) {
            (false, Some((_, rule))) => format!("denies it: {}", rule.text()),
            (true, Some((_, rule))) => format!("allows it: {}", rule.text()),
            (false, None) => "there are ALLOW policies and none matches".to_owned(),
            (true, None) => "no policy applies, so it passes".to_owned(),
        };
        let matched = by.map_or("none", |(_, rule)| &rule.name);
        let details = match passes {
            true => String::new(),
            false => format!("rbac_access_denied_matched_policy[{matched}]"),
        };
        let by = by.map(|(policy, _)| &policy.object);
        let others = self.held.iter().filter(|policy| by != Some(&policy.object));
        let others = others.map(|policy| (policy.object.clone(), why_not(policy, asked)));
        let others = others.chain(self.others.iter().cloned()).collect();
        AuthorizationVerdict {
            ruling: Decision {
                passes,
                by: by.cloned(),
                because,
                others,
                together: self.allows().filter(|_| !passes && by.is_none()),
            },
            details,
            unknown: self.unknown(asked),
        }
    }

    /// What may have decided and is not covered: parts of the policies, and the authorizers that the request is sent to,
    /// which are outside the objects. A CUSTOM policy without a provider is one of them: Istio then denies what its rules
    /// match (`pilot/pkg/security/authz/builder`), which is not recorded here.
    pub fn unknown(&self, asked: &AuthorizationQuery<'_>) -> Vec<Unknown> {
        let mut unknown = self.unknown.to_vec();
        if !self.customs {
            return unknown;
        }
        let authorizers = self
            .matching(AuthorizationAction::Custom, asked)
            .map(|(policy, _)| Unknown {
                object: policy.object.clone(),
                field: "spec.provider".to_owned(),
            });
        unknown.extend(authorizers);
        unknown
    }

    /// The ALLOW policies, which refuse together what none of them matches.
    pub fn allows(&self) -> Option<Arc<[Object]>> {
        self.allows.clone()
    }

    /// [`Applied::rule`] without texts: whether the request passes, and the deciding policy.
    pub fn briefly(&self, asked: &AuthorizationQuery<'_>) -> (bool, Option<&'a Object>) {
        let (passes, by) = self.decide(asked);
        (passes, by.map(|(policy, _)| &policy.object))
    }

    /// The same policies without the rules that a caller of this identity cannot match. The decision for that caller, and its
    /// reason, are the same.
    pub fn narrowed(&self, peer: Option<&Peer>) -> Applied<'a> {
        let possible = self
            .rules
            .iter()
            .copied()
            .filter(|(_, rule)| rule.possible(peer));
        Applied {
            held: Rc::clone(&self.held),
            rules: possible.collect(),
            allows: self.allows.clone(),
            customs: self.customs,
            others: Rc::clone(&self.others),
            unknown: Rc::clone(&self.unknown),
        }
    }
}

/// Why a policy that applies did not decide.
fn why_not(policy: &AuthorizationPolicy, asked: &AuthorizationQuery<'_>) -> String {
    let mut reasons = policy
        .rules
        .iter()
        .map(|rule| rule.unmet(policy.action, asked));
    match (reasons.next(), policy.action) {
        (None, _) => "has no rules, so it matches nothing".to_owned(),
        (Some(Some(first)), _) if reasons.all(|reason| reason.is_some()) => first.text(asked),
        (_, AuthorizationAction::Custom) => {
            "calls an external authorizer that is not known here".to_owned()
        }
        (_, AuthorizationAction::Deny) => "denies it too".to_owned(),
        _ => "allows it, which does not decide".to_owned(),
    }
}
