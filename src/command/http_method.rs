//! The method of a request that `explain` traces: one that HTTP knows, as it is written in a request.

use crate::error::CommandError;
use crate::text::did_you_mean;

/// The methods that people use, which are suggested for a mistyped one.
const COMMON: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// The others of IANA's registry (https://www.iana.org/assignments/http-methods), read in 2024.
const OTHERS: &[&str] = &[
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// Checks that HTTP knows a method. The case counts, as it does in a request and in a policy.
///
/// # Errors
/// Another text, with the method that was probably meant.
pub fn check(method: &str) -> Result<(), CommandError> {
    if COMMON.contains(&method) || OTHERS.contains(&method) {
        return Ok(());
    }
    let near = did_you_mean(method, COMMON.iter().copied());
    Err(CommandError::usage(
        format!("--method {method}: not a method of HTTP{near}"),
        &format!("use one of {}", COMMON.join(", ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_http_does_not_know_is_refused() {
        for (method, expected) in [
            ("GET", None),
            ("PROPFIND", None),
            (
                "GETT",
                Some("--method GETT: not a method of HTTP, did you mean `GET`?"),
            ),
            (
                "get",
                Some("--method get: not a method of HTTP, did you mean `GET`?"),
            ),
            (
                "G T",
                Some("--method G T: not a method of HTTP, did you mean `GET`?"),
            ),
            ("ZEBRA", Some("--method ZEBRA: not a method of HTTP")),
        ] {
            let refused = check(method).err().map(|error| error.errors.join(""));
            assert_eq!(refused.as_deref(), expected);
        }
    }
}
