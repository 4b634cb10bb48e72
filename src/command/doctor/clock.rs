//! Whether this machine's clock is right, by the time in an answer of the server. Google accepts a request that a service account's key
//! signs only within some minutes of its own time; other credentials are not signed with a time.

use jiff::{SignedDuration, Timestamp};

use super::inputs::Inputs;
use crate::google::{Api, Identity, outside};
use crate::ui::doctor::Finding;

/// A difference that matters to nobody.
const FINE: SignedDuration = SignedDuration::from_secs(30);
/// From here on a signed request is taken as refused. No source states the limit: it is an assumption (`docs/live-check.md`).
const FATAL: SignedDuration = SignedDuration::from_mins(10);

/// Reads the server's time.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let client = inputs.client();
    let (said, identity) = tokio::join!(
        outside::time(client, Api::CloudResourceManager),
        client.auth().identity()
    );
    let now = Timestamp::now();
    let is_signed = identity.ok().flatten().is_some_and(|one| is_signed(&one));
    vec![verdict(
        said.map_err(|error| error.to_string()),
        now,
        is_signed,
    )]
}

/// Whether tokens are asked for with requests that have this machine's time and a signature. Pure.
fn is_signed(identity: &Identity) -> bool {
    let by = identity.by.as_deref();
    identity.kind == "service_account" || by.is_some_and(is_signed)
}

/// Pure.
fn verdict(said: Result<Timestamp, String>, now: Timestamp, is_signed: bool) -> Finding {
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
        by if by >= FATAL && is_signed => Finding::fail(
            format!("{says}: Google refuses requests that a service account's key signs"),
            advice,
        ),
        _ => Finding::warn(says, advice),
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
            let said: Result<Timestamp, String> = said
                .map(|time| time.parse().unwrap())
                .map_err(str::to_owned);
            let finding = verdict(said.clone(), now, true);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
            // Nothing is refused for its time where nothing is signed.
            let finding = verdict(said, now, false);
            assert_ne!(finding.verdict, Fail, "{finding:?}");
        }
    }

    #[test]
    fn the_key_of_a_service_account_signs() {
        let of = |kind: &str, by: Option<Identity>| Identity {
            account: None,
            kind: kind.to_owned(),
            found: String::new(),
            by: by.map(Box::new),
        };
        assert!(is_signed(&of("service_account", None)));
        assert!(!is_signed(&of("authorized_user", None)));
        let key = of("service_account", None);
        assert!(is_signed(&of("impersonated_service_account", Some(key))));
    }
}
