//! How long a refusal is worth waiting out, by its class. Pure; the transport's own retries are the client's matter.
//!
//! Sources: an account is seen everywhere within about a minute, an API within minutes of being switched on, a cluster's
//! operation takes as long as it takes (facts recorded and reported; none of these is documented with a bound).

use std::time::Duration;

use crate::google::Class;

/// How long to go on asking, if at all. `within` is the step's own limit.
pub fn patience(class: Class, within: Duration) -> Option<Duration> {
    let minutes = |n: u64| Some(Duration::from_secs(n * 60));
    match class {
        Class::Busy => Some(within),
        Class::NotReady => Some(within.min(Duration::from_secs(3 * 60))),
        Class::AccountNotVisible => minutes(3),
        Class::IdentityPoolMissing => minutes(2),
        Class::ApiDisabled => minutes(5),
        _ => None,
    }
}

/// What a reader is told while a refusal is waited out.
pub fn reason(class: Class) -> &'static str {
    match class {
        Class::Busy => "another operation runs on it",
        Class::NotReady => "something it refers to is not ready",
        Class::AccountNotVisible => "the service account is not visible everywhere yet",
        Class::IdentityPoolMissing => "the identity pool is not there yet",
        Class::ApiDisabled => "the API was switched on and is not usable yet",
        _ => "it was refused for now",
    }
}
