//! Whose credentials a run uses: found before its first request, so that credentials that do not work are one error and not one for
//! each step.

use crate::error::CommandError;
use crate::google::{Api, AuthError, Client, Identity};

/// What to do where the cause says nothing more precise.
const LOG_IN: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a credential file";
const NETWORK: &str = "check the network (and HTTPS_PROXY); run the same command again to continue";

/// The identity of a client's calls; none if they are sent without credentials.
///
/// # Errors
/// There are no credentials that yield a token, and the cloud is not a server on this machine, which may ask for none.
pub async fn of(client: &Client) -> Result<Option<Identity>, CommandError> {
    match client.auth().identity().await {
        Ok(identity) => Ok(identity),
        Err(error) if error.nothing_found() && client.endpoints().is_loopback(Api::Compute) => {
            Ok(None)
        }
        Err(error) => Err(CommandError::failed(&error, &advice(&error))),
    }
}

/// What to do about credentials that give no token.
pub fn advice(error: &AuthError) -> String {
    let general = match error.is_network() {
        true => NETWORK,
        false => LOG_IN,
    };
    error.hint().unwrap_or_else(|| general.to_owned())
}
