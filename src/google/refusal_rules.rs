//! Which class an answer of Google's has: one table. Pure.
//!
//! A refusal is recognized by names (reasons, codes, types of violations), by code, and by fragments of its text that have stayed
//! the same over the years; never by a whole sentence.

use super::Class;
use super::details::QUOTA_FAILURE;
use super::envelope::Refusal;
use super::quota;
use super::retry::PATIENCE;

/// A condition on a rejected request; a field that is not stated matches anything.
struct RefusalPattern {
    http: Option<u16>,
    /// A reason, status, code, condition or type of violation, in any of Google's spellings. One that ends with `/` is the
    /// beginning of such a name.
    name: Option<&'static str>,
    /// Words of the message, all of which must occur.
    words: &'static [&'static str],
    class: Class,
}

const ANY: RefusalPattern = RefusalPattern {
    http: None,
    name: None,
    words: &[],
    class: Class::Other,
};

const fn named(name: &'static str, class: Class) -> RefusalPattern {
    RefusalPattern {
        name: Some(name),
        class,
        ..ANY
    }
}

const fn coded(http: u16, class: Class) -> RefusalPattern {
    RefusalPattern {
        http: Some(http),
        class,
        ..ANY
    }
}

const fn both(http: u16, name: &'static str, class: Class) -> RefusalPattern {
    RefusalPattern {
        http: Some(http),
        name: Some(name),
        class,
        ..ANY
    }
}

/// Words that have one meaning in any answer, whatever its code.
const fn anywhere(words: &'static [&'static str], class: Class) -> RefusalPattern {
    RefusalPattern {
        words,
        class,
        ..ANY
    }
}

const fn worded(http: u16, words: &'static [&'static str], class: Class) -> RefusalPattern {
    RefusalPattern {
        http: Some(http),
        words,
        class,
        ..ANY
    }
}

/// The first matching rule decides. Precise names come first, then sentences for the services that give no name (or
/// one as general as `forbidden`), then the bare HTTP code.
#[rustfmt::skip]
const RULES: &[RefusalPattern] = &[
    // What others decide. Their names and words have one meaning under any code: a constraint is refused with 400, 403 or 412, or
    // in an operation's error. They come first, because the same answer often has a general name too (`conditionNotMet`).
    named("VPC_SERVICE_CONTROLS", Class::ServicePerimeter),
    named("SECURITY_POLICY_VIOLATED", Class::ServicePerimeter),
    anywhere(&["prohibited by organization's policy"], Class::ServicePerimeter),
    named("constraints/iam.allowedPolicyMemberDomains", Class::MemberForbidden),
    named("constraints/iam.managed.allowedPolicyMembers", Class::MemberForbidden),
    anywhere(&["do not belong to a permitted customer"], Class::MemberForbidden),
    named("constraints/", Class::OrgPolicy),
    named("CUSTOM_ORG_POLICY_VIOLATION", Class::OrgPolicy),
    anywhere(&["constraints/"], Class::OrgPolicy),
    anywhere(&["denied by", "org polic"], Class::OrgPolicy),
    anywhere(&["requires a quota project"], Class::QuotaProject),
    // What waiting in one place does not change.
    named("GCE_STOCKOUT", Class::OutOfMachines),
    named("ZONE_RESOURCE_POOL_EXHAUSTED", Class::OutOfMachines),
    named("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", Class::OutOfMachines),
    anywhere(&["does not have enough resources"], Class::OutOfMachines),
    anywhere(&["nodes out of", "have registered"], Class::NodesNotRegistered),
    anywhere(&["already registered with resource"], Class::RegisteredElsewhere),
    anywhere(&["bucket name is not available"], Class::NameTaken),
    worded(403, &["storage.buckets.get access", "it may not exist"], Class::NameTaken),
    // What passes by itself within minutes.
    anywhere(&["hub default service account does not have access"], Class::AgentNotReady),
    anywhere(&["not fully initialized with the default service accounts"], Class::AgentNotReady),
    anywhere(&["does not match a current membership"], Class::MembershipNotVisible),
    // Names with a single meaning, whatever the HTTP code.
    named("SERVICE_DISABLED", Class::ApiDisabled),
    named("accessNotConfigured", Class::ApiDisabled),
    named("BILLING_DISABLED", Class::BillingDisabled),
    // A number that is reached is a quota, although some services call it a rate.
    anywhere(&["Maximum number of"], Class::QuotaExceeded),
    // The status text of a cluster or an operation of GKE, which has the code only in its words.
    anywhere(&["[GCE_QUOTA_EXCEEDED]"], Class::QuotaExceeded),
    named("dailyLimitExceeded", Class::QuotaExceeded),
    anywhere(&["exceeded", "per day"], Class::QuotaExceeded),
    named("rateLimitExceeded", Class::RateLimited),
    named("userRateLimitExceeded", Class::RateLimited),
    worded(429, &["per minute"], Class::RateLimited),
    named("quotaExceeded", Class::QuotaExceeded),
    named("GCE_QUOTA_EXCEEDED", Class::QuotaExceeded),
    named(QUOTA_FAILURE, Class::QuotaExceeded),
    named("CLUSTER_ALREADY_HAS_OPERATION", Class::Busy),
    named("resourceNotReady", Class::NotReady),
    named("resourceInUseByAnotherResource", Class::InUse),
    named("containerNotEmpty", Class::ContainerNotEmpty),
    // Sentences. A service that was never used and one that was disabled give the same sentence.
    worded(403, &["has not been used in project", "it is disabled"], Class::ApiDisabled),
    worded(403, &["cannot be used for API calls"], Class::ApiDisabled),
    worded(403, &["API is not enabled for this project"], Class::ApiDisabled),
    worded(400, &["should enable service:"], Class::ApiDisabled),
    anywhere(&["Insufficient", "quota to satisfy"], Class::QuotaExceeded),
    worded(429, &["concurrent operations quota"], Class::Busy),
    worded(400, &["Billing account for project", "not found"], Class::BillingDisabled),
    worded(400, &["Billing must be enabled"], Class::BillingDisabled),
    worded(400, &["running incompatible operation"], Class::Busy),
    worded(400, &["Please wait and try again"], Class::Busy),
    worded(400, &["is already being used by"], Class::InUse),
    worded(400, &["Service account", "does not exist"], Class::AccountNotVisible),
    worded(400, &["Identity Pool does not exist"], Class::IdentityPoolMissing),
    // Not recorded; this is how Cloud Storage rejects the deletion of a bucket that contains objects.
    worded(409, &["bucket you tried to delete is not empty"], Class::ContainerNotEmpty),
    // A code together with its name.
    both(409, "ABORTED", Class::PolicyConflict),
    coded(400, Class::BadRequest),
    coded(401, Class::Unauthenticated),
    coded(403, Class::PermissionDenied),
    coded(404, Class::NotFound),
    coded(408, Class::ServerFault),
    coded(409, Class::AlreadyExists),
    coded(412, Class::PolicyConflict),
    coded(429, Class::RateLimited),
    // What is not implemented now will not be implemented a second later, and what an emulator could not store it
    // cannot store a second later either.
    coded(501, Class::Other),
    coded(507, Class::Other),
];

impl Class {
    /// The class of a rejected request.
    pub(super) fn of(refusal: &Refusal) -> Class {
        // A front end that does not know an API yet answers with HTML. An overloaded one does the same, and then its
        // HTTP code is what matters.
        let code = refusal.http.unwrap_or_default();
        if !refusal.json && (400..500).contains(&code) && ![401, 408, 429].contains(&code) {
            return Class::NotJson;
        }
        match RULES.iter().find(|rule| rule.fits(refusal)) {
            // An operation does not fail because of too many calls: what is exhausted is a resource.
            Some(rule) if refusal.operation && rule.class == Class::RateLimited => {
                Class::QuotaExceeded
            }
            // A rate passes within the time for which a call is repeated; what is asked to wait for a day is no rate.
            Some(rule)
                if rule.class == Class::RateLimited
                    && refusal.retry_after.is_some_and(|pause| pause > PATIENCE) =>
            {
                Class::QuotaExceeded
            }
            // A quota per minute is a quota and a rate: what is asked to wait for a moment passes.
            Some(rule)
                if rule.name == Some(QUOTA_FAILURE)
                    && code == 429
                    && !refusal.operation
                    && refusal.retry_after.is_some_and(|pause| pause <= PATIENCE) =>
            {
                Class::RateLimited
            }
            Some(rule)
                if rule.class == Class::ApiDisabled
                    && refusal.consumer.as_deref().is_some_and(quota::is_googles) =>
            {
                Class::QuotaProject
            }
            Some(rule) => rule.class,
            None if (500..600).contains(&code) => Class::ServerFault,
            None => Class::Other,
        }
    }

    /// The class that words of an operation or a resource have: those of a cluster's state, for example.
    pub fn of_words(words: &str) -> Class {
        Class::of(&Refusal {
            message: words.to_owned(),
            json: true,
            operation: true,
            ..Refusal::default()
        })
    }
}

impl RefusalPattern {
    fn fits(&self, refusal: &Refusal) -> bool {
        // An operation may have no code. This does not contradict a sentence, but it does not match a bare code.
        let unsaid = refusal.http.is_none() && !self.words.is_empty();
        self.http
            .is_none_or(|http| unsaid || refusal.http == Some(http))
            && self.name.is_none_or(|name| {
                [&refusal.reason, &refusal.status]
                    .into_iter()
                    .flatten()
                    .chain(&refusal.names)
                    .any(|said| same(name, said))
            })
            && self
                .words
                .iter()
                .all(|words| refusal.message.contains(words))
    }
}

/// Google writes the same name as `resourceNotReady` in an answer and `RESOURCE_NOT_READY` in an operation.
fn same(name: &str, said: &str) -> bool {
    let letters = |s: &'_ str| {
        s.bytes()
            .filter(|b| *b != b'_')
            .map(|b| b.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    match name.ends_with('/') {
        true => said.starts_with(name),
        false => letters(name) == letters(said),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::{Api, ApiError, Call};
    use super::*;

    /// Google's recorded errors and the class that each should have; see fixtures/README.md.
    fn recorded() -> Vec<(String, Refusal, Class)> {
        let rows: Vec<Value> =
            serde_json::from_str(include_str!("../../fixtures/errors.json")).unwrap();
        rows.into_iter()
            .map(|row| {
                let http = u16::try_from(row["http"].as_u64().unwrap()).unwrap();
                let body = &row["body"];
                let text = body
                    .as_str()
                    .map_or_else(|| body.to_string(), str::to_owned);
                let refusal = if row["operation"].is_string() {
                    Refusal::of_operation(body)
                } else {
                    Refusal::of_answer(http, text.as_bytes())
                };
                let name = format!("{}: {}", row["origin"], row["call"]);
                (
                    name,
                    refusal,
                    serde_json::from_value(row["class"].clone()).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn every_refusal_on_record_has_its_class() {
        for (name, refusal, class) in recorded() {
            assert_eq!(Class::of(&refusal), class, "{name}: {refusal:?}");
        }
    }

    #[test]
    fn every_rule_decides_something_on_record() {
        let deciding: BTreeSet<usize> = recorded()
            .iter()
            .filter_map(|(_, refusal, _)| RULES.iter().position(|rule| rule.fits(refusal)))
            .collect();
        let idle: Vec<usize> = (0..RULES.len()).filter(|i| !deciding.contains(i)).collect();
        let idle: Vec<_> = idle
            .iter()
            .map(|i| (RULES[*i].http, RULES[*i].name, RULES[*i].words))
            .collect();
        assert!(
            idle.is_empty(),
            "rules without a case in fixtures/errors.json: {idle:?}"
        );
    }

    /// Whether the class has no text of Google's: it is decided by the connection, the clock, or the lack of anything better.
    fn is_made_here(class: Class) -> bool {
        matches!(
            class,
            Class::LostConnection | Class::Deadline | Class::Other
        )
    }

    #[test]
    fn every_class_is_reached_by_a_text_that_somebody_met() {
        let invented = |name: &str| {
            name.starts_with("\"no record") || name.starts_with("\"the emulator's own")
        };
        for class in Class::ALL.iter().copied() {
            let real = recorded()
                .into_iter()
                .any(|(name, _, of)| of == class && !invented(&name));
            assert!(real || is_made_here(class), "{class:?}");
        }
    }

    #[test]
    fn the_hint_of_a_refusal_names_what_to_do() {
        let rows: Vec<Value> =
            serde_json::from_str(include_str!("../../fixtures/errors.json")).unwrap();
        let call = Call::post(Api::Compute, "projects/example-project/global/networks");
        let mut hinted = 0;
        for (row, (name, refusal, _)) in rows.iter().zip(recorded()) {
            let Some(words) = row["hint"].as_str() else {
                continue;
            };
            let error = ApiError::refused(&call, refusal);
            let hint = error.hint().unwrap();
            assert!(hint.contains(words), "{name}: {hint}");
            if let Some(says) = row["says"].as_str() {
                assert!(error.message.contains(says), "{name}: {}", error.message);
            }
            hinted += 1;
        }
        assert!(hinted > 20, "{hinted}");
    }

    #[test]
    fn any_answer_has_a_class() {
        for http in 100..=599 {
            for json in [false, true] {
                let refusal = Refusal {
                    http: Some(http),
                    json,
                    ..Refusal::default()
                };
                let class = Class::of(&refusal);
                assert_eq!(
                    class == Class::ServerFault,
                    (http >= 500 && ![501, 507].contains(&http)) || http == 408,
                    "{http}"
                );
            }
        }
    }
}
