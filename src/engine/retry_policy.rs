//! How long a refusal is retried, by its class. Pure; the transport's own retries belong to the client.
//!
//! Sources: an account is visible everywhere within about a minute, an API within minutes after it was enabled, and a cluster's
//! operation has no known bound (recorded and reported; none of these is documented with a bound).

use std::time::Duration;

use crate::google::{Class, retry};

/// How long to retry, if at all. `within` is the step's own limit.
pub fn patience(class: Class, within: Duration) -> Option<Duration> {
    let at_most = |limit: Duration| Some(within.min(limit));
    let minutes = |n: u64| at_most(Duration::from_secs(n * 60));
    match class {
        Class::Busy => Some(within),
        Class::NotReady | Class::AccountNotVisible | Class::AlreadyExists => minutes(3),
        Class::IdentityPoolMissing => minutes(2),
        // A front end that does not know an API yet returns an answer that is not JSON.
        Class::ApiDisabled | Class::NotJson => minutes(5),
        // Service agents get their access, and the fleet learns of a membership, within minutes (reported).
        Class::AgentNotReady | Class::MembershipNotVisible => minutes(5),
        Class::PolicyConflict => minutes(1),
        // The transport has retried as long where it may; what it may not repeat is repeated here, where its intent is known.
        Class::LostConnection | Class::ServerFault => at_most(retry::PATIENCE),
        _ => None,
    }
}

/// The reason that is reported while a refusal is waited out.
pub fn reason(class: Class) -> &'static str {
    match class {
        Class::Busy => "another operation is in progress on it",
        Class::NotReady => "something it refers to is not ready",
        Class::AccountNotVisible => "the service account is not visible everywhere yet",
        Class::IdentityPoolMissing => "the identity pool does not exist yet",
        Class::ApiDisabled | Class::NotJson => "the API was enabled and is not usable yet",
        Class::AgentNotReady => "a service agent has no access yet, which passes within minutes",
        Class::MembershipNotVisible => "the fleet does not know the membership yet",
        Class::NotFound => "what it belongs to is not visible everywhere yet",
        Class::AlreadyExists => "it already exists, but is not visible yet",
        Class::PolicyConflict => "another client changed it at the same time",
        Class::LostConnection => "the answer was lost",
        Class::ServerFault => "Google returned a server error",
        _ => "it was refused temporarily",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_is_waited_out_for_longer_than_the_step_allows() {
        let second = Duration::from_secs(1);
        let hour = Duration::from_secs(3600);
        // (class, limit in minutes where the step has an hour)
        let cases = [
            (Class::Busy, Some(60)),
            (Class::NotReady, Some(3)),
            (Class::AlreadyExists, Some(3)),
            (Class::AccountNotVisible, Some(3)),
            (Class::IdentityPoolMissing, Some(2)),
            (Class::ApiDisabled, Some(5)),
            (Class::NotJson, Some(5)),
            (Class::PolicyConflict, Some(1)),
            (Class::LostConnection, Some(2)),
            (Class::ServerFault, Some(2)),
            (Class::AgentNotReady, Some(5)),
            (Class::MembershipNotVisible, Some(5)),
            (Class::OrgPolicy, None),
            (Class::MemberForbidden, None),
            (Class::ServicePerimeter, None),
            (Class::QuotaProject, None),
            (Class::OutOfMachines, None),
            (Class::NodesNotRegistered, None),
            (Class::NameTaken, None),
            (Class::RegisteredElsewhere, None),
            (Class::PermissionDenied, None),
            (Class::Unauthenticated, None),
            (Class::QuotaExceeded, None),
            (Class::BillingDisabled, None),
            (Class::BadRequest, None),
            (Class::InUse, None),
            (Class::Deadline, None),
        ];
        for (class, minutes) in cases {
            let minute = |n: u64| Duration::from_secs(60 * n);
            let within_an_hour = patience(class, hour);
            assert!(within_an_hour <= minutes.map(minute), "{class:?}");
            assert_eq!(within_an_hour.is_some(), minutes.is_some(), "{class:?}");
            assert!(patience(class, second) <= Some(second), "{class:?}");
        }
    }

    #[test]
    fn a_refusal_on_record_is_waited_out_as_long_as_its_row_says() {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../fixtures/errors.json")).unwrap();
        let mut stated = 0;
        for row in &rows {
            let Some(minutes) = row["patience"].as_u64() else {
                continue;
            };
            let class: Class = serde_json::from_value(row["class"].clone()).unwrap();
            let patience = patience(class, Duration::from_secs(3600));
            let minute = Duration::from_secs(60);
            assert_eq!(
                patience.map_or(0, |long| long.as_secs() / 60),
                minutes,
                "{row}"
            );
            assert!(patience.is_none_or(|long| long >= minute), "{row}");
            stated += 1;
        }
        assert!(stated > 20, "{stated}");
    }
}
