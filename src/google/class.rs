//! The class of a failure, decided by one table, and the advice for the user, in another.

use super::envelope::Refusal;

/// The failures that a caller handles differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Class {
    /// The resource does not exist; for an operation: Google no longer knows it.
    NotFound,
    /// The resource already exists.
    AlreadyExists,
    /// Another client changed it since it was read (409 ABORTED, 412): read again, recompute, write again.
    PolicyConflict,
    /// It cannot be deleted while another resource uses it.
    InUse,
    /// Another operation is running on the same resource; it will end later.
    Busy,
    /// It, or a resource that it refers to, is still being created or deleted.
    NotReady,
    /// The API is not enabled, or was enabled too recently to be usable.
    ApiDisabled,
    /// The project has no billing account.
    BillingDisabled,
    /// The caller lacks a permission; a project that does not exist gives the same error.
    PermissionDenied,
    /// There are no credentials, or they were rejected.
    Unauthenticated,
    /// The project's quota is not sufficient; waiting does not help.
    QuotaExceeded,
    /// Too many calls; waiting helps.
    RateLimited,
    /// A policy names a service account that IAM does not know, or does not know everywhere yet.
    AccountNotVisible,
    /// A policy names a workload identity pool that no cluster has created yet.
    IdentityPoolMissing,
    /// It cannot be deleted before its content.
    ContainerNotEmpty,
    /// The request is invalid.
    BadRequest,
    /// An error on Google's side.
    ServerFault,
    /// The connection could not be made, or it broke.
    LostConnection,
    /// The answer was not JSON, as from a front end that does not know the API yet.
    NotJson,
    /// An operation was not done within its time limit.
    Deadline,
    /// None of these.
    Other,
}

/// A condition on a rejected request; a field that is not stated matches anything.
struct RefusalPattern {
    http: Option<u16>,
    /// A reason, status or operation code, in any of Google's spellings.
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
    // Names with a single meaning, whatever the HTTP code.
    named("SERVICE_DISABLED", Class::ApiDisabled),
    named("accessNotConfigured", Class::ApiDisabled),
    named("BILLING_DISABLED", Class::BillingDisabled),
    named("rateLimitExceeded", Class::RateLimited),
    named("userRateLimitExceeded", Class::RateLimited),
    named("quotaExceeded", Class::QuotaExceeded),
    named("GCE_QUOTA_EXCEEDED", Class::QuotaExceeded),
    named("CLUSTER_ALREADY_HAS_OPERATION", Class::Busy),
    named("resourceNotReady", Class::NotReady),
    named("resourceInUseByAnotherResource", Class::InUse),
    named("containerNotEmpty", Class::ContainerNotEmpty),
    // Sentences. A service that was never used and one that was disabled give the same sentence.
    worded(403, &["has not been used in project", "it is disabled"], Class::ApiDisabled),
    worded(403, &["cannot be used for API calls"], Class::ApiDisabled),
    worded(403, &["Insufficient", "quota to satisfy request"], Class::QuotaExceeded),
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
            Some(rule) => rule.class,
            None if (500..600).contains(&code) => Class::ServerFault,
            None => Class::Other,
        }
    }

    /// The advice for the user.
    pub fn hint(self) -> &'static str {
        match self {
            Class::ApiDisabled => {
                "enable the API, or wait a few minutes if it was just enabled, then run the same command again"
            }
            Class::BillingDisabled => {
                "link a billing account to the project (https://console.cloud.google.com/billing/linkedaccount)"
            }
            Class::PermissionDenied => {
                "check the project id, and grant the account a role with the permission that is named above; then run the same command again"
            }
            Class::Unauthenticated => {
                "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account key"
            }
            Class::QuotaExceeded => {
                "request more quota at https://console.cloud.google.com/iam-admin/quotas, or delete what is not needed"
            }
            Class::RateLimited => {
                "run the same command again in a minute; nothing is created twice"
            }
            Class::Busy | Class::NotReady => {
                "another operation is still running on it; run the same command again when it is done"
            }
            Class::InUse => {
                "delete the resource that uses it, named above, then run the same command again"
            }
            Class::ContainerNotEmpty => "delete its contents, then run the same command again",
            Class::PolicyConflict => {
                "another client changed it at the same time; run the same command again"
            }
            Class::AlreadyExists => {
                "a resource with this name already exists; `provision status` shows whether provision created it"
            }
            Class::AccountNotVisible => {
                "a new service account takes up to two minutes to become visible everywhere; run the same command again"
            }
            Class::IdentityPoolMissing => {
                "Google creates the pool with the project's first cluster that uses Workload Identity; run again when that cluster is running"
            }
            Class::LostConnection => {
                "check the network (and HTTPS_PROXY); run the same command again to continue"
            }
            Class::ServerFault | Class::Deadline => {
                "see https://status.cloud.google.com; run the same command again to continue"
            }
            Class::NotJson => {
                "the API may have just been enabled, or a proxy answered; run again in a few minutes"
            }
            Class::NotFound => {
                "a resource that it needs was not found; `provision plan` shows what is missing"
            }
            Class::BadRequest => {
                "change the step or its parameters as the error says, then run again"
            }
            Class::Other => {
                "run the same command again; if it fails in the same way, the error above says why"
            }
        }
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
                    .any(|said| same(name, said))
            })
            && self
                .words
                .iter()
                .all(|words| refusal.message.contains(words))
    }
}

/// Google writes the same name as `resourceNotReady` in an answer and `RESOURCE_NOT_READY` in an operation.
fn same(a: &str, b: &str) -> bool {
    let letters = |s: &'_ str| {
        s.bytes()
            .filter(|b| *b != b'_')
            .map(|b| b.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

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
