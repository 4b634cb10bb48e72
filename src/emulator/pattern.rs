//! Patterns of Google's discovery documents, each compiled once.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex_lite::Regex;

/// Whether the whole of `text` matches a pattern of a discovery document; a pattern that cannot be read fits everything.
pub fn fits_pattern(pattern: &str, text: &str) -> bool {
    static COMPILED: OnceLock<Mutex<HashMap<String, Option<Regex>>>> = OnceLock::new();
    let mut compiled = COMPILED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let regex = compiled
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(&format!("^(?:{pattern})$")).ok());
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_documents_can_be_read() {
        for document in crate::discovery::documents() {
            for parameter in document
                .methods
                .values()
                .flat_map(|method| method.parameters.values())
            {
                if let Some(pattern) = &parameter.pattern {
                    assert!(Regex::new(pattern).is_ok(), "{}: {pattern}", document.api);
                }
            }
        }
        assert!(!fits_pattern("[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?", "a_b"));
    }
}
