//! Whose credentials a run uses, and until when. The token is fetched and never shown.

use jiff::Timestamp;

use super::inputs::Inputs;
use crate::google::AuthError;
use crate::ui::doctor::{Finding, Verdict};

/// What was found.
struct Found {
    origin: String,
    has_token: bool,
    expires: Option<Timestamp>,
}

/// Fetches a token.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let auth = inputs.client().auth();
    let found = async {
        let token = auth.token().await?;
        Ok(Found {
            origin: auth.identity().await?.map_or_else(
                || "none (CLOUDSDK_AUTH_DISABLE_CREDENTIALS)".to_owned(),
                |identity| identity.to_string(),
            ),
            has_token: token.is_some(),
            expires: token.and_then(|token| token.expires()),
        })
    };
    let found: Result<Found, AuthError> = found.await;
    // A server on this machine may need none, but a file that is named must work.
    let has_none = matches!(found, Err(AuthError::NothingFound { .. }));
    let needs_none = inputs.is_loopback() && (has_none || found.is_ok());
    let hint = found.as_ref().err().and_then(AuthError::hint);
    let found = found.map_err(|error| error.to_string());
    let mut finding = verdict(needs_none, found, Timestamp::now());
    // The advice by cause, where the cause is known.
    if let (Verdict::Fail, Some(hint)) = (finding.verdict, hint) {
        finding.advice = Some(hint);
    }
    vec![finding.gcloud("gcloud auth list")]
}

/// Pure.
fn verdict(needs_none: bool, found: Result<Found, String>, now: Timestamp) -> Finding {
    match found {
        Ok(found) if !found.has_token && needs_none => {
            Finding::pass("none, and a server on this machine needs none")
        }
        Ok(found) if !found.has_token => Finding::fail(
            found.origin,
            "unset CLOUDSDK_AUTH_DISABLE_CREDENTIALS: Google answers nobody without credentials",
        ),
        Ok(Found {
            origin, expires, ..
        }) => match expires {
            None => Finding::pass(format!(
                "{origin}; how long its token is valid is not known here"
            )),
            Some(expires) if expires <= now => Finding::fail(
                format!("{origin}: its token expired at {}", clock(expires)),
                "log in again: `gcloud auth application-default login`",
            ),
            Some(expires) => Finding::pass(format!(
                "{origin}; its token is valid until {}",
                clock(expires)
            )),
        },
        Err(error) if needs_none => Finding::pass(format!(
            "none, and a server on this machine needs none ({error})"
        )),
        Err(error) => Finding::fail(
            error,
            "log in with `gcloud auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS",
        ),
    }
}

fn clock(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass};

    #[test]
    fn a_run_needs_a_token_that_is_valid() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let found = |has_token: bool, expires: Option<&str>| {
            Ok(Found {
                origin: "a key".to_owned(),
                has_token,
                expires: expires.map(|time| time.parse().unwrap()),
            })
        };
        let cases: [(bool, Result<Found, String>, Verdict, &str); 7] = [
            (true, found(false, None), Pass, "needs none"),
            (false, found(false, None), Fail, "a key"),
            (false, found(true, None), Pass, "not known"),
            (
                false,
                found(true, Some("2026-11-30T12:30:00Z")),
                Pass,
                "valid until 2026-11-30 12:30 UTC",
            ),
            (
                false,
                found(true, Some("2026-11-30T11:30:00Z")),
                Fail,
                "expired at",
            ),
            (false, Err("no credentials".to_owned()), Fail, "no cred"),
            (true, Err("no credentials".to_owned()), Pass, "needs none"),
        ];
        for (needs_none, found, expected, words) in cases {
            let finding = verdict(needs_none, found, now);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
    }
}
