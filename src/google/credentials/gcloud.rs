//! gcloud's login, by `gcloud auth print-access-token`. Nothing of gcloud's files is read here.

use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::error::TokenError;
use super::grant::Grant;
use super::program;
use crate::recording::without_secrets;
use crate::text::beginning;

/// gcloud takes a second or two.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long its token is valid. gcloud does not say it; it renews a token before it prints it, and Google's are valid for an hour.
const VALID: SignedDuration = SignedDuration::from_hours(1);
/// gcloud prints the token of the account that it is told to impersonate. It is told nobody: an empty variable comes before the
/// property (`_GetPropertyWithoutCallback` in gcloud's `core/properties.py`), and the program impersonates by itself.
const IMPERSONATE: &str = "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT";

/// A token of the account that gcloud is logged in with.
///
/// # Errors
/// gcloud is not there, does not answer, or says why there is none.
pub(super) async fn token() -> Result<Grant, TokenError> {
    of(Command::new("gcloud")).await
}

async fn of(mut gcloud: Command) -> Result<Grant, TokenError> {
    gcloud
        .args(["auth", "print-access-token", "--quiet"])
        .env(IMPERSONATE, "");
    let failed = |why: String| TokenError::Gcloud {
        words: format!("`gcloud auth print-access-token`: {why}"),
    };
    let ended = program::run(gcloud, PATIENCE).await.map_err(failed)?;
    match (ended.code, ended.out.trim()) {
        (Some(0), "") => Err(failed("it printed no token".to_owned())),
        (Some(0), token) => Ok(Grant {
            token: token.to_owned(),
            expires: Timestamp::now().checked_add(VALID).ok(),
            account: None,
            refresh_token: None,
        }),
        _ => Err(failed(reason(&ended.err))),
    }
}

/// The line in which gcloud says why it failed.
fn reason(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next();
    let line = lines.find(|line| line.starts_with("ERROR:")).or(first);
    match line {
        Some(line) => beginning(&without_secrets(line)),
        None => "it failed without a word".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gclouds_own_line_is_told_without_secrets() {
        for (said, expected) in [
            ("", "it failed without a word"),
            ("\nYou are not logged in.\nmore", "You are not logged in."),
            (
                "WARNING: old\nERROR: (gcloud.auth.print-access-token) invalid_grant\nPlease run:",
                "ERROR: (gcloud.auth.print-access-token) invalid_grant",
            ),
            (
                "ERROR: refused: refresh_token=1//0abc-def&x=1 ya29.abc-def",
                "ERROR: refused: refresh_token=(a secret)&x=1 (a secret)",
            ),
        ] {
            assert_eq!(reason(said), expected, "{said}");
        }
    }
}
