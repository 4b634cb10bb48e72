//! Etags and fingerprints: base64 of eight bytes that depend on the content.
//!
//! Google declares them as bytes, so a client may send one back in the other base64 alphabet: they are compared decoded.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::names;

/// The etag of a content.
pub fn of(content: &str) -> String {
    STANDARD.encode(names::hash(content).to_be_bytes())
}

/// Whether two etags are the same bytes.
pub fn same(one: &str, other: &str) -> bool {
    one == other || decoded(one).is_some_and(|bytes| decoded(other) == Some(bytes))
}

fn decoded(etag: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(etag)
        .or_else(|_| URL_SAFE.decode(etag))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_bytes_in_either_alphabet() {
        assert!(same("BwYuqEzS+4k=", "BwYuqEzS-4k="));
        assert!(!same("BwYuqEzS+4k=", "BwYuqEzS+4o="));
        assert!(!same("BwYuqEzS+4k=", ""));
        assert!(same(&of("x"), &of("x")));
        assert!(!same(&of("x"), &of("y")));
    }
}
