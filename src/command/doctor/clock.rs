//! Whether this machine's clock is right, by the time in an answer of the server. Google accepts a signed request for a token only
//! within some minutes of its own time.

use jiff::{SignedDuration, Timestamp};

use super::inputs::Inputs;
use crate::google::{Api, outside};
use crate::ui::doctor::Finding;

/// A difference that matters to nobody.
const FINE: SignedDuration = SignedDuration::from_secs(30);
/// From here on a token is refused. Source: Google's documentation of service accounts' requests says that a clock may differ by
/// some minutes at most; ten is what its libraries assume.
const FATAL: SignedDuration = SignedDuration::from_mins(10);

/// Reads the server's time.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let said = outside::time(inputs.client(), Api::CloudResourceManager).await;
    let said = said.map_err(|error| error.to_string());
    vec![verdict(said, Timestamp::now())]
}

/// Pure.
fn verdict(said: Result<Timestamp, String>, now: Timestamp) -> Finding {
    let said = match said {
        Ok(said) => said,
        Err(error) => {
            return Finding::skip(format!("the server's time is not known: {error}"), None);
        }
    };
    let ahead = now.duration_since(said);
    let way = if ahead.is_negative() {
        "behind"
    } else {
        "ahead"
    };
    let says = format!("this machine's clock is {} s {way}", ahead.abs().as_secs());
    let advice = "set the clock, or switch time synchronization on";
    match ahead.abs() {
        by if by <= FINE => Finding::pass("this machine's clock is right"),
        by if by < FATAL => Finding::warn(says, advice),
        _ => Finding::fail(format!("{says}: Google refuses to issue tokens"), advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip, Warn};

    #[test]
    fn a_clock_may_differ_a_little() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (said, expected, words) in [
            (Ok("2026-11-30T12:00:20Z"), Pass, "right"),
            (Ok("2026-11-30T12:02:00Z"), Warn, "120 s behind"),
            (Ok("2026-11-30T11:58:00Z"), Warn, "120 s ahead"),
            (Ok("2026-11-30T11:00:00Z"), Fail, "3600 s ahead"),
            (Err("no route"), Skip, "no route"),
        ] {
            let said = said
                .map(|time| time.parse().unwrap())
                .map_err(str::to_owned);
            let finding = verdict(said, now);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
    }
}
