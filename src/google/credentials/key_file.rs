//! What is wrong with a service account key, in words that contain nothing of it. A library that parses secrets may quote them in
//! its errors, so that none of its texts is used. It accepts nothing: the library decides whether a key works.

use serde_json::Value;
use thiserror::Error;

/// The fields without which a key is of no use.
const NEEDED: [&str; 3] = ["client_email", "private_key", "token_uri"];
/// The first line of the key format that Google issues (PKCS #8), and the beginning of every last line.
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END";

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyProblem {
    /// A field is missing, or has no text.
    #[error("it has no {0}, or it is not a text")]
    Field(&'static str),
    /// `\n` as two characters.
    #[error(
        "its private_key has the two characters \\n instead of line ends: a program has escaped the file once more"
    )]
    Escaped,
    /// No first line.
    #[error("its private_key does not begin with {BEGIN}")]
    Begin,
    /// No last line.
    #[error("its private_key is cut: the line -----END PRIVATE KEY----- is missing")]
    Cut,
    /// One line.
    #[error("its private_key is one line: its line ends were lost or replaced by spaces")]
    OneLine,
    /// Something else.
    #[error("its private_key cannot be decoded: it was changed since Google issued it")]
    Damaged,
}

impl KeyProblem {
    /// The problem of a key that the library has refused. Pure.
    pub fn of(key: &Value) -> KeyProblem {
        let is_missing = |name: &&&str| !key[**name].is_string();
        if let Some(name) = NEEDED.iter().find(is_missing) {
            return KeyProblem::Field(name);
        }
        let private = key["private_key"].as_str().unwrap_or_default().trim();
        let begins = private.starts_with(BEGIN);
        let lines = private.lines().count();
        match (private.contains("\\n"), begins, private.contains(END)) {
            (true, ..) => KeyProblem::Escaped,
            (_, false, _) => KeyProblem::Begin,
            (_, _, false) => KeyProblem::Cut,
            _ if lines < 3 => KeyProblem::OneLine,
            _ => KeyProblem::Damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_named_and_nothing_is_quoted() {
        let whole =
            "-----BEGIN PRIVATE KEY-----\nTUlJQ2FuYXJ5\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        for (private, expected) in [
            (json!(whole.replace('\n', "\\n")), KeyProblem::Escaped),
            (json!(whole.replace('\n', " ")), KeyProblem::OneLine),
            (json!(whole.replace('\n', "")), KeyProblem::OneLine),
            (json!(&whole[..40]), KeyProblem::Cut),
            (json!(&whole[30..]), KeyProblem::Begin),
            (
                json!(whole.replace("PRIVATE", "RSA PRIVATE")),
                KeyProblem::Begin,
            ),
            (json!(whole.replace("TUlJ", "%%%%")), KeyProblem::Damaged),
            (json!(""), KeyProblem::Begin),
            (json!(["TUlJQ2FuYXJ5"]), KeyProblem::Field("private_key")),
        ] {
            let key =
                json!({"client_email": "a@b", "token_uri": "https://x", "private_key": private});
            let problem = KeyProblem::of(&key);
            assert_eq!(problem, expected, "{key}");
            for part in ["TUlJ", "c2Vj"] {
                assert!(!problem.to_string().contains(part), "{problem}");
            }
        }
    }
}
