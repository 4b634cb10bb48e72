//! What to do about credentials that yield no token, by the words of the token endpoint. Pure.
//!
//! Sources: the texts of the token endpoint as its users quote them (`invalid_rapt`: github.com/cline/cline/issues/4080,
//! `Invalid JWT`: github.com/googleapis/google-api-php-client/issues/1501, `Invalid JWT Signature`:
//! github.com/googleapis/google-cloud-python/issues/10004), and <https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation>.
//! The text for a key that was disabled and not deleted is unknown; the hint names both.

use super::error::{Asked, AuthError, Refused, TokenError};
use crate::google::{Class, connection_advice};

/// From how many seconds on a clock is wrong: Google accepts a few minutes, and an answer takes a while.
const SKEW: i64 = 60;

impl AuthError {
    /// What to do, if the cause is known.
    pub fn hint(&self) -> Option<String> {
        of(self)
    }
}

fn of(error: &AuthError) -> Option<String> {
    match error {
        AuthError::NothingFound { tried } => nothing(tried),
        AuthError::Refresh { source, .. } => match source.as_ref() {
            TokenError::Refused(refused) => refusal(refused),
            TokenError::Unreachable {
                asked,
                words,
                connects,
                proxy,
                ..
            } => lost(asked, words, *connects, proxy.is_some()),
            TokenError::Unreadable { asked, .. } => match asked {
                Asked::Metadata => Some(CLOUD_SHELL.to_owned()),
                _ => None,
            },
            TokenError::Gcloud { .. } => {
                Some("run `gcloud auth login`, then the same command again".to_owned())
            }
            TokenError::Subject { .. } => Some(
                "the credentials of another provider need its token first; in a CI job, check that the step that gets it has run"
                    .to_owned(),
            ),
            TokenError::Signature => None,
        },
        AuthError::File { .. } => Some(
            "repair or remove the file, or name another one in GOOGLE_APPLICATION_CREDENTIALS; `gcloud auth application-default login` writes a new one"
                .to_owned(),
        ),
        AuthError::Impersonation { .. } => {
            Some("name a service account by its e-mail address: NAME@PROJECT.iam.gserviceaccount.com".to_owned())
        }
        AuthError::TokenFile { .. } => None,
    }
}

const CLOUD_SHELL: &str = "in Cloud Shell, reload the page and authorize it again, or run `gcloud auth application-default login`; a Compute Engine VM needs a service account";

/// Where the metadata server exists and has no token, somebody has to log in; elsewhere there is none.
fn nothing(tried: &[(&'static str, TokenError)]) -> Option<String> {
    let server_answers = tried.iter().any(|(_, error)| match error {
        TokenError::Unreachable {
            asked, connects, ..
        } => *asked == Asked::Metadata && !connects,
        TokenError::Refused(refused) => refused.asked == Asked::Metadata,
        TokenError::Unreadable { asked, .. } => *asked == Asked::Metadata,
        _ => false,
    });
    server_answers.then(|| CLOUD_SHELL.to_owned())
}

/// What to do about a server that gave no answer: the same advice as for Google's APIs.
fn lost(asked: &Asked, words: &str, connects: bool, has_proxy: bool) -> Option<String> {
    match asked {
        Asked::Metadata => Some(CLOUD_SHELL.to_owned()),
        _ if connection_advice::is_untrusted(words) => {
            Some(connection_advice::CERTIFICATE.to_owned())
        }
        _ => connects.then(|| connection_advice::of_network(has_proxy).to_owned()),
    }
}

fn refusal(refused: &Refused) -> Option<String> {
    let says = |words: &str| {
        let words = words.to_lowercase();
        let all = [
            Some(&refused.words),
            refused.code.as_ref(),
            refused.subtype.as_ref(),
        ];
        all.into_iter()
            .flatten()
            .any(|said| said.to_lowercase().contains(&words))
    };
    if refused.http >= 500 || refused.http == 429 {
        return Some(
            "see https://status.cloud.google.com; run the same command again to continue"
                .to_owned(),
        );
    }
    match &refused.asked {
        Asked::Key { account } => Some(of_key(account, refused.ahead, &says)),
        Asked::Login { command } => Some(of_login(command, &says)),
        Asked::Federation => Some(of_federation(refused.ahead, &says)),
        Asked::Impersonation { account } => Some(of_impersonation(account, refused, &says)),
        Asked::Subject => Some(
            "the identity provider gave no token: in GitHub Actions, the job needs `permissions: id-token: write`"
                .to_owned(),
        ),
        Asked::Metadata => Some(CLOUD_SHELL.to_owned()),
    }
}

fn of_key(account: &str, ahead: Option<i64>, says: &dyn Fn(&str) -> bool) -> String {
    if says("reasonable timeframe") || says("short-lived token") {
        return clock(ahead).unwrap_or_else(|| {
            "set this machine's clock: the time of the request is not that of Google".to_owned()
        });
    }
    if says("account not found") {
        return format!(
            "the service account {account} was deleted or disabled: enable it, or use another one"
        );
    }
    if says("invalid jwt signature")
        || says("invalid signature for token")
        || says("key was disabled")
    {
        return format!(
            "the key was deleted or disabled: `gcloud iam service-accounts keys list --iam-account {account}` lists those that work; download a new one, or use credentials without a key"
        );
    }
    if let Some(clock) = clock(ahead) {
        return clock;
    }
    format!(
        "check the service account {account} and its key, or run `gcloud auth application-default login` and unset GOOGLE_APPLICATION_CREDENTIALS"
    )
}

fn of_login(command: &str, says: &dyn Fn(&str) -> bool) -> String {
    if says("rapt") {
        return format!(
            "your organization asks for a new login after some hours: run `{command}`, then the same command again"
        );
    }
    if says("expired or revoked") {
        return format!(
            "the login has expired or was revoked: run `{command}`, then the same command again"
        );
    }
    if says("invalid_client")
        || says("deleted_client")
        || says("disabled_client")
        || says("unauthorized_client")
    {
        return format!(
            "the OAuth client of the login was deleted, disabled or changed: run `{command}`"
        );
    }
    if says("account_disabled") || says("account has been deleted") || says("account disabled") {
        return "the account of the login was deleted or disabled: log in with another one"
            .to_owned();
    }
    format!("run `{command}`, then the same command again")
}

fn of_federation(ahead: Option<i64>, says: &dyn Fn(&str) -> bool) -> String {
    if says("attribute condition") {
        return "the provider's attribute condition rejects this identity: compare it with the token's claims, or use the repository and branch that it allows".to_owned();
    }
    if says("invalid_target") {
        return "the workload identity pool or its provider in `audience` does not exist, or was disabled or deleted: compare it with `gcloud iam workload-identity-pools providers list`".to_owned();
    }
    if says("stale") || says("expired") || says("issued in the future") || says("not yet valid") {
        let clock = clock(ahead).map_or_else(String::new, |clock| format!("; {clock}"));
        return format!(
            "the identity provider's token has expired: get a new one, and run the same command again{clock}"
        );
    }
    if says("audience") {
        return "the token's audience is not one that the provider allows: compare it with the provider's allowed audiences".to_owned();
    }
    "compare the credential file with the provider: its issuer, its allowed audiences and its attribute condition".to_owned()
}

fn of_impersonation(account: &str, refused: &Refused, says: &dyn Fn(&str) -> bool) -> String {
    // Whose project it is, the message says: gcloud's own cannot be changed.
    if let Some(
        class @ (Class::QuotaProject
        | Class::ServicePerimeter
        | Class::OrgPolicy
        | Class::BillingDisabled
        | Class::QuotaExceeded),
    ) = refused.class
    {
        return class.hint().to_owned();
    }
    if refused.class == Some(Class::ApiDisabled) {
        return "enable iamcredentials.googleapis.com in the project that is named above, wait a minute, then run the same command again".to_owned();
    }
    match refused.http {
        404 => format!("the service account {account} does not exist"),
        403 => format!(
            "grant roles/iam.serviceAccountTokenCreator on the service account {account} to the identity that impersonates it (for an external identity roles/iam.workloadIdentityUser); a new grant takes some minutes"
        ),
        400 if says("lifetime") => format!(
            "a token of {account} may not live longer than an hour unless the organization policy iam.allowServiceAccountCredentialLifetimeExtension allows it: change token_lifetime_seconds"
        ),
        _ => format!("check that the service account {account} exists and is enabled"),
    }
}

/// The advice about a wrong clock. `ahead` is in seconds.
fn clock(ahead: Option<i64>) -> Option<String> {
    let ahead = ahead.filter(|ahead| ahead.abs() > SKEW)?;
    let side = match ahead > 0 {
        true => "ahead of",
        false => "behind",
    };
    Some(format!(
        "this machine's clock is {} s {side} Google's: set it, then run the same command again",
        ahead.abs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::envelope::Refusal;

    /// A refusal: who was asked, HTTP code, `error`, `error_description`, and the clock.
    fn refused(asked: Asked, http: u16, code: &str, words: &str, ahead: i64) -> AuthError {
        let class = matches!(asked, Asked::Impersonation { .. }).then(|| {
            let body = serde_json::json!({"error": {"message": words, "status": code}});
            Class::of(&Refusal::of_answer(http, body.to_string().as_bytes()))
        });
        AuthError::Refresh {
            identity: "someone".into(),
            source: Box::new(TokenError::Refused(Box::new(Refused {
                host: "oauth2.googleapis.com".into(),
                asked,
                http,
                code: Some(code.into()),
                words: words.into(),
                subtype: None,
                class,
                ahead: Some(ahead),
            }))),
        }
    }

    #[test]
    fn each_refusal_has_the_advice_of_its_cause() {
        let key = || Asked::Key {
            account: "a@p.iam.gserviceaccount.com".into(),
        };
        let login = || Asked::Login {
            command: "gcloud auth application-default login",
        };
        let other = || Asked::Impersonation {
            account: "t@p.iam.gserviceaccount.com".into(),
        };
        let short = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values and use a clock with skew to account for clock differences between systems.";
        #[rustfmt::skip]
        let cases = [
            (key(), 400, "invalid_grant", short, 7200, "clock is 7200 s ahead of Google's"),
            (key(), 400, "invalid_grant", short, -7200, "clock is 7200 s behind Google's"),
            (key(), 400, "invalid_grant", "Invalid JWT Signature.", 7200, "the key was deleted or disabled"),
            (key(), 400, "invalid_grant", "no", 7200, "clock is 7200 s ahead of Google's"),
            (key(), 400, "invalid_grant", short, 3, "set this machine's clock"),
            (key(), 400, "invalid_grant", "Invalid JWT Signature.", 0, "the key was deleted or disabled"),
            (key(), 400, "invalid_grant", "Invalid grant: account not found", 0, "was deleted or disabled: enable it"),
            (key(), 401, "invalid_client", "no", 0, "check the service account a@p"),
            (login(), 400, "invalid_grant", "reauth related error (invalid_rapt)", 0, "asks for a new login after some hours"),
            (login(), 400, "invalid_grant", "reauth related error (rapt_required)", 0, "asks for a new login after some hours"),
            (login(), 400, "invalid_grant", "Token has been expired or revoked.", 0, "has expired or was revoked"),
            (login(), 401, "deleted_client", "The OAuth client was deleted.", 0, "OAuth client of the login"),
            (login(), 400, "invalid_grant", "Bad Request", 0, "run `gcloud auth application-default login`"),
            (login(), 503, "unavailable", "", 0, "status.cloud.google.com"),
            (Asked::Federation, 400, "invalid_target", "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist.", 0, "does not exist, or was disabled"),
            (Asked::Federation, 403, "unauthorized_client", "The given credential is rejected by the attribute condition.", 0, "attribute condition rejects"),
            (Asked::Federation, 400, "invalid_grant", "ID Token issued at 1 is stale to sign-in.", 0, "has expired: get a new one"),
            (Asked::Federation, 400, "invalid_grant", "The audience in ID Token [x] does not match the expected audience.", 0, "allowed audiences"),
            (Asked::Federation, 400, "invalid_request", "Invalid value for \"subject_token\"", 0, "compare the credential file"),
            (other(), 403, "IAM_PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).", 0, "roles/iam.serviceAccountTokenCreator on the service account t@p"),
            (other(), 403, "SERVICE_DISABLED", "IAM Service Account Credentials API has not been used in project 1 before or it is disabled.", 0, "enable iamcredentials.googleapis.com"),
            (other(), 403, "SERVICE_DISABLED", "IAM Service Account Credentials API has not been used in project 764086051850 before or it is disabled.", 0, "set-quota-project"),
            (other(), 403, "VPC_SERVICE_CONTROLS", "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x", 0, "VPC Service Controls perimeter"),
            (other(), 404, "NOT_FOUND", "Not found; Gaia id not found for email t@p", 0, "t@p.iam.gserviceaccount.com does not exist"),
            (other(), 400, "INVALID_ARGUMENT", "The requested lifetime is longer than allowed", 0, "token_lifetime_seconds"),
            (Asked::Subject, 403, "", "", 0, "id-token: write"),
            (Asked::Metadata, 404, "", "", 0, "in Cloud Shell, reload"),
        ];
        for (asked, http, code, words, ahead, expected) in cases {
            let told = format!("{asked:?} {http} {code} {words}");
            let hint = of(&refused(asked, http, code, words, ahead)).unwrap();
            assert!(hint.contains(expected), "{told}: {hint}");
        }
    }

    #[test]
    fn a_token_endpoint_out_of_reach_has_the_advice_of_googles_apis() {
        for (words, connects, proxy, expected) in [
            (
                "invalid peer certificate: UnknownIssuer",
                true,
                Some("p:1 (HTTPS_PROXY)"),
                Some("name its CA certificate file in SSL_CERT_FILE"),
            ),
            (
                "connection refused",
                true,
                Some("p:1 (HTTPS_PROXY)"),
                Some("check that the proxy runs"),
            ),
            ("dns error", true, None, Some("set HTTPS_PROXY")),
            ("connection reset", false, None, None),
        ] {
            let lost = TokenError::Unreachable {
                host: "oauth2.googleapis.com".into(),
                words: words.into(),
                asked: Asked::Federation,
                connects,
                timed_out: false,
                proxy: proxy.map(str::to_owned),
            };
            let told = lost.to_string();
            assert!(told.contains(words), "{told}");
            assert!(told.contains(proxy.unwrap_or_default()), "{told}");
            assert_eq!(lost.is_network(), !words.contains("certificate"), "{words}");
            let hint = of(&AuthError::Refresh {
                identity: "someone".into(),
                source: Box::new(lost),
            });
            let hint = hint.unwrap_or_default();
            assert_eq!(hint.is_empty(), expected.is_none(), "{words}: {hint}");
            assert!(hint.contains(expected.unwrap_or_default()), "{hint}");
        }
    }

    #[test]
    fn a_metadata_server_that_gives_nothing_is_told_from_none() {
        let nothing = |connects| AuthError::NothingFound {
            tried: vec![(
                "metadata server",
                TokenError::Unreachable {
                    host: "metadata.google.internal".into(),
                    words: "EOF".into(),
                    asked: Asked::Metadata,
                    connects,
                    timed_out: false,
                    proxy: None,
                },
            )],
        };
        assert!(of(&nothing(false)).unwrap().contains("reload the page"));
        assert_eq!(of(&nothing(true)), None);
    }
}
