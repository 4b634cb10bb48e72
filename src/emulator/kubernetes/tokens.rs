//! Bearer tokens. The emulator has no accounts, so it accepts any token, except one that states an expiry in the past.

use axum::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Whether a request has a token that is accepted at `now`, in seconds since 1970.
pub fn is_good(headers: &HeaderMap, now: u64) -> bool {
    let value = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = value.and_then(|value| value.split_once(' '));
    bearer.is_some_and(|(scheme, token)| {
        let token = token.trim();
        scheme.eq_ignore_ascii_case("bearer")
            && !token.is_empty()
            && expires(token).is_none_or(|expires| now < expires)
    })
}

/// When a token expires, in seconds since 1970. Only a JSON web token states it.
fn expires(token: &str) -> Option<u64> {
    let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else {
        return None;
    };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["exp"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_it_says_that_it_is_not() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"exp": 1000}"#);
        let jwt = format!("Bearer e30.{claims}.c2ln");
        for (header, now, expected) in [
            ("", 0, false),
            ("Bearer ", 0, false),
            ("Basic abc", 0, false),
            ("Bearer ya29.opaque", 5000, true),
            ("bearer a.b.c", 5000, true),
            (jwt.as_str(), 999, true),
            (jwt.as_str(), 1000, false),
        ] {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(AUTHORIZATION, header.parse().unwrap());
            }
            assert_eq!(is_good(&headers, now), expected, "{header} {now}");
        }
    }
}
