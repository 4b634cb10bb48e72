//! An error with what caused it, as one line. The only place where a chain of causes becomes text; what an error says itself
//! is its own `Display`. What must not stand in a chain is taken out here too.

use std::error::Error;

/// The error and its causes, the outermost first.
pub fn errors<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// `error: cause: cause of the cause`. A cause that was said already, because the error before it repeats its words, is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = String::new();
    for error in errors(error) {
        let said = error.to_string();
        if words.is_empty() {
            words = said;
        } else if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
    }
    words
}

/// A YAML error without the lines around its place, which may hold somebody's token or key.
pub fn without_snippet(error: serde_saphyr::Error) -> serde_saphyr::Error {
    match error {
        serde_saphyr::Error::WithSnippet { error, .. } => *error,
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot open it")]
        Silent(#[source] io::Error),
        #[error("cannot open it: {0}")]
        Repeats(#[source] io::Error),
        #[error(transparent)]
        Transparent(io::Error),
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = || io::Error::other(io::Error::other("disk full"));
        for (error, expected) in [
            (Outer::Silent(cause()), "cannot open it: disk full"),
            (Outer::Repeats(cause()), "cannot open it: disk full"),
            (Outer::Transparent(cause()), "disk full"),
        ] {
            assert_eq!(chain(&error), expected);
        }
    }
}
