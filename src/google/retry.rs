//! Whether a failed call is sent again, and when. Pure: the caller provides the clock and the randomness.
//!
//! It repeats only what is harmless, and only what needs no decision by the caller: a lost connection, a server
//! fault, a rate limit. This is the only file that uses the crate `backoff`, and only for the arithmetic of its
//! delays; the crate is no longer maintained (RUSTSEC-2025-0012), and [`delays`] is all that would have to be
//! rewritten without it.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;
use backoff::{ExponentialBackoffBuilder, SystemClock};

use super::{ApiError, Class, MayHaveApplied};

/// What to do after a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Return the error.
    GiveUp,
    /// Send it again after this pause.
    Again(Duration),
}

/// The maximum time for which a call is repeated. Google's rate limits are per minute. Only time counts: with the pauses below, a
/// call is sent some fifteen times at most.
pub const PATIENCE: Duration = Duration::from_secs(90);
const FIRST: Duration = Duration::from_millis(200);
const CAP: Duration = Duration::from_secs(15);

/// Decides about a call that failed with `error` on the given `attempt` (from 1), `waited` after it was first sent.
/// `jitter` between 0 and 1 spreads the pauses of calls that failed together over half their length.
pub fn verdict(
    error: &ApiError,
    repeatable: bool,
    attempt: u32,
    waited: Duration,
    jitter: f64,
) -> RetryDecision {
    let harmless = match error.class {
        // Rejected before it was processed.
        Class::RateLimited => true,
        Class::LostConnection | Class::ServerFault => {
            repeatable || error.left_machine == MayHaveApplied::No
        }
        _ => false,
    };
    if !harmless {
        return RetryDecision::GiveUp;
    }
    let pause = delays(FIRST, CAP)
        .nth(attempt.saturating_sub(1) as usize)
        .unwrap_or(CAP);
    let pause = pause.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
    let pause = pause.max(error.retry_after.unwrap_or_default());
    if waited.saturating_add(pause) > PATIENCE {
        RetryDecision::GiveUp
    } else {
        RetryDecision::Again(pause)
    }
}

/// The next pause: the caller's own, or the one that Google requests if that is longer. None if the request is for more than what is
/// `left` of the caller's patience.
pub fn requested(own: Duration, asked: Option<Duration>, left: Duration) -> Option<Duration> {
    let asked = asked.unwrap_or_default();
    (asked <= left).then(|| own.max(asked))
}

/// Pauses that begin with `first`, double, and stay at `cap`; endless and without randomness.
pub fn delays(first: Duration, cap: Duration) -> impl Iterator<Item = Duration> {
    let mut backoff: ExponentialBackoff<SystemClock> = ExponentialBackoffBuilder::new()
        .with_initial_interval(first)
        .with_max_interval(cap)
        .with_multiplier(2.0)
        .with_randomization_factor(0.0)
        .with_max_elapsed_time(None)
        .build();
    std::iter::from_fn(move || backoff.next_backoff())
}

#[cfg(test)]
mod tests {
    use super::super::{Api, Call};
    use super::*;

    fn error(class: Class, may_have_applied: MayHaveApplied) -> ApiError {
        ApiError::unanswered(
            &Call::get(Api::Dns, "x"),
            class,
            may_have_applied,
            "m".into(),
        )
    }

    #[test]
    fn what_is_repeated() {
        use Class::*;
        use MayHaveApplied::*;
        // class, departed, repeatable, attempt, waited s, again?
        let cases = [
            (LostConnection, No, false, 1, 0, true),
            (LostConnection, Unknown, false, 1, 0, false),
            (LostConnection, Yes, false, 1, 0, false),
            (LostConnection, Yes, true, 1, 0, true),
            (ServerFault, Yes, false, 1, 0, false),
            (ServerFault, Yes, true, 1, 0, true),
            (RateLimited, No, false, 1, 0, true),
            // However often it was sent: the time decides.
            (RateLimited, No, false, 40, 0, true),
            (RateLimited, No, false, 1, 90, false),
            (ServerFault, Yes, true, 1, 89, true),
            (ServerFault, Yes, true, 1, 90, false),
        ];
        for (class, may_have_applied, repeatable, attempt, waited, again) in cases {
            let waited = Duration::from_secs(waited);
            let verdict = verdict(
                &error(class, may_have_applied),
                repeatable,
                attempt,
                waited,
                1.0,
            );
            assert_eq!(
                verdict != RetryDecision::GiveUp,
                again,
                "{class:?} {may_have_applied:?} {repeatable}"
            );
        }
        // Everything that the caller decides is left to the caller, even where repeating would be harmless.
        let repeated = [LostConnection, ServerFault, RateLimited];
        for class in Class::ALL.iter().filter(|class| !repeated.contains(class)) {
            assert_eq!(
                verdict(&error(*class, No), true, 1, Duration::ZERO, 0.0),
                RetryDecision::GiveUp,
                "{class:?}"
            );
        }
    }

    #[test]
    fn the_pauses_double_are_spread_and_end_within_patience() {
        let pause = |attempt, jitter| {
            verdict(
                &error(Class::RateLimited, MayHaveApplied::No),
                false,
                attempt,
                Duration::ZERO,
                jitter,
            )
        };
        let ms = |ms| RetryDecision::Again(Duration::from_millis(ms));
        assert_eq!(
            [pause(1, 1.0), pause(2, 1.0), pause(3, 1.0)],
            [ms(200), ms(400), ms(800)]
        );
        assert_eq!(
            [pause(1, 0.0), pause(1, 0.5), pause(11, 1.0)],
            [ms(100), ms(150), ms(15_000)]
        );

        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        while let RetryDecision::Again(pause) = verdict(
            &error(Class::RateLimited, MayHaveApplied::No),
            false,
            attempt,
            waited,
            1.0,
        ) {
            waited += pause;
            attempt += 1;
        }
        // Long enough for a limit per minute, and the pauses are long enough for the time to end it.
        assert!(
            waited > PATIENCE - CAP && waited <= PATIENCE && attempt < 20,
            "{waited:?} {attempt}"
        );
    }

    #[test]
    fn what_google_asks_for_is_kept_if_there_is_time() {
        let asked = |seconds| ApiError {
            retry_after: Some(Duration::from_secs(seconds)),
            ..error(Class::RateLimited, MayHaveApplied::No)
        };
        let now = Duration::ZERO;
        assert_eq!(
            verdict(&asked(7), false, 1, now, 1.0),
            RetryDecision::Again(Duration::from_secs(7))
        );
        assert_eq!(
            verdict(&asked(0), false, 1, now, 1.0),
            RetryDecision::Again(Duration::from_millis(200))
        );
        assert_eq!(
            verdict(&asked(91), false, 1, now, 1.0),
            RetryDecision::GiveUp
        );
        assert_eq!(
            verdict(&asked(u64::MAX), false, 1, now, 1.0),
            RetryDecision::GiveUp
        );
    }

    #[test]
    fn a_callers_pause_is_at_least_the_requested_one() {
        let second = Duration::from_secs;
        for (own, asked, left, expected) in [
            (2, None, 60, Some(2)),
            (2, Some(1), 60, Some(2)),
            (2, Some(30), 60, Some(30)),
            (2, Some(61), 60, None),
            // Without a request the caller decides.
            (2, None, 1, Some(2)),
        ] {
            let pause = requested(second(own), asked.map(second), second(left));
            assert_eq!(pause, expected.map(second), "{own} {asked:?} {left}");
        }
    }

    #[test]
    fn polls_start_fast_and_stay_at_the_cap() {
        let ms: Vec<_> = delays(Duration::from_millis(50), Duration::from_secs(2))
            .take(8)
            .map(|pause| pause.as_millis())
            .collect();
        assert_eq!(ms, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
    }
}
