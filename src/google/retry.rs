//! Whether a failed call is sent again, and when. Pure: the clock and the dice are the caller's.
//!
//! It repeats only what cannot do harm, and only what is nobody's decision: a lost connection, a server fault, a rate
//! limit. This is the one file that knows the crate `backoff`, for the arithmetic of its delays alone; the crate is no
//! longer maintained (RUSTSEC-2025-0012), and [`delays`] is all that would have to be written to do without it.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;
use backoff::{ExponentialBackoffBuilder, SystemClock};

use super::{ApiError, Class, Departed};

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Return the error.
    GiveUp,
    /// Send it again after this pause.
    Again(Duration),
}

/// A call is not sent more often than this.
pub const ATTEMPTS: u32 = 12;
/// A call is not repeated for longer than this. Google's rate limits are counted by the minute.
pub const PATIENCE: Duration = Duration::from_secs(90);
const FIRST: Duration = Duration::from_millis(200);
const CAP: Duration = Duration::from_secs(15);

/// Decides on a call that failed with `error` for the `attempt`th time (from 1), `waited` after it was first sent.
/// `jitter` between 0 and 1 spreads the pauses of calls that failed together over half their length.
pub fn verdict(
    error: &ApiError,
    repeatable: bool,
    attempt: u32,
    waited: Duration,
    jitter: f64,
) -> Verdict {
    let harmless = match error.class {
        // Refused before it was looked at.
        Class::RateLimited => true,
        Class::LostConnection | Class::ServerFault => {
            repeatable || error.left_machine == Departed::No
        }
        _ => false,
    };
    if !harmless || attempt >= ATTEMPTS {
        return Verdict::GiveUp;
    }
    let pause = delays(FIRST, CAP)
        .nth(attempt.saturating_sub(1) as usize)
        .unwrap_or(CAP);
    let pause = pause.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
    let pause = pause.max(error.retry_after.unwrap_or_default());
    if waited.saturating_add(pause) > PATIENCE {
        Verdict::GiveUp
    } else {
        Verdict::Again(pause)
    }
}

/// Pauses that begin with `first`, double, and stay at `cap`; without end and without chance.
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
