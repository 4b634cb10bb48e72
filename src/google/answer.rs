//! The result of a call: an answer, or the reason why there is none. Pure except for the types; nothing is sent or
//! decided here.

use std::error::Error as _;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::connection_advice;
use super::envelope::Refusal;
use super::{ApiError, Call, Class, MayHaveApplied};
use crate::text::chain;

/// The JSON of a complete answer, `null` if it is empty, or the error that the answer reports.
pub(super) fn read(
    call: &Call,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, ApiError> {
    let code = status.as_u16();
    if !status.is_success() {
        let mut refusal = Refusal::of_answer(code, body);
        if let Some(to) = headers.get(LOCATION).filter(|_| status.is_redirection()) {
            let to = String::from_utf8_lossy(to.as_bytes());
            refusal.message = format!("a redirect to {to} was not followed");
        }
        // Whoever asks for more time gets it; the class of a refusal depends on it too.
        refusal.retry_after = retry_after(headers).max(refusal.retry_after);
        return Err(ApiError::refused(call, refusal));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|cause| {
        let words = Refusal::of_answer(code, body).message;
        let error = ApiError::unanswered(call, Class::NotJson, MayHaveApplied::Yes, words);
        ApiError {
            http: Some(code),
            ..error.caused_by(cause)
        }
    })
}

/// The error of an answer that was cut off.
pub(super) fn cut_off(call: &Call, error: reqwest::Error) -> ApiError {
    let message = format!("the answer was cut off: {}", causes(&error));
    ApiError::unanswered(call, Class::LostConnection, MayHaveApplied::Yes, message)
        .caused_by(error.without_url())
}

/// The error of an answer that is longer than the limit.
pub(super) fn too_long(call: &Call, status: StatusCode, longest: usize) -> ApiError {
    let message = format!("an answer longer than {} MiB was not read", longest >> 20);
    let error = ApiError::unanswered(call, Class::NotJson, MayHaveApplied::Yes, message);
    ApiError {
        http: Some(status.as_u16()),
        ..error
    }
}

/// An error of the connection. A request that failed before a connection existed cannot have arrived.
pub(super) fn missing(call: &Call, error: reqwest::Error) -> ApiError {
    let may_have_applied = if error.is_connect() || error.is_builder() {
        MayHaveApplied::No
    } else {
        MayHaveApplied::Unknown
    };
    let message = if error.is_timeout() && !error.is_connect() {
        format!("no answer within {} s", call.patience().as_secs())
    } else {
        causes(&error)
    };
    // A certificate that is rejected now will be rejected on the next try too.
    if connection_advice::is_untrusted(&message) {
        let advice = connection_advice::CERTIFICATE;
        return ApiError::unanswered(
            call,
            Class::Other,
            may_have_applied,
            format!("{message}; {advice}"),
        )
        .caused_by(error.without_url());
    }
    ApiError::unanswered(call, Class::LostConnection, may_have_applied, message)
        .caused_by(error.without_url())
}

/// The causes of reqwest's error without its own message, which contains the address; the address may contain an id.
pub(super) fn causes(error: &reqwest::Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

/// `Retry-After` in seconds, the only form that Google's APIs use.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
