//! Why a script is refused.

/// Why a script is refused, with dash's messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The emulated shell does not support it.
    #[error("{0} is not supported by the emulated shell")]
    NotEmulated(String),
    /// A quote does not end.
    #[error("unterminated quoted string")]
    UnterminatedQuote,
    /// `${` without its end.
    #[error("bad substitution")]
    BadSubstitution,
    /// `for` without a name.
    #[error("syntax error: bad for loop variable")]
    BadLoopVariable,
    /// A word that is not allowed where it is.
    #[error("syntax error: \"{found}\" unexpected{}", expectation(.expecting.as_deref()))]
    Unexpected {
        /// The word.
        found: String,
        /// The only word that is allowed there, if there is only one.
        expecting: Option<String>,
    },
    /// The script ends before a required word.
    #[error("syntax error: end of file unexpected{}", expectation(Some(.expecting)))]
    UnexpectedEnd {
        /// That word.
        expecting: String,
    },
}

fn expectation(word: Option<&str>) -> String {
    word.map_or_else(String::new, |word| format!(" (expecting \"{word}\")"))
}
