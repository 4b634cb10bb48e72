//! A program that prints the token of an identity provider (`credential_source.executable`,
//! <https://google.aip.dev/auth/4117>). It is run only if `GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES` is 1: whoever can write a
//! credential file must not be able to run a program by it.
//!
//! It has no terminal: the interactive mode of workforce pools is not supported.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::error::{CredentialFileError, TokenError};
use super::program;
use crate::text::beginning;

/// Why a program gave no token.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ProgramError(String);

impl ProgramError {
    fn new(words: impl Into<String>) -> ProgramError {
        ProgramError(words.into())
    }
}

/// The variable without which no program is run.
pub(super) const ALLOWED: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";
/// How long the program may run, if the file does not say so, in milliseconds.
const PATIENCE: u64 = 30_000;
/// What a file may say.
const BOUNDS: std::ops::RangeInclusive<u64> = 5_000..=120_000;

/// A program.
#[derive(Clone)]
pub(super) struct Executable {
    words: Vec<String>,
    patience: Duration,
    /// A file in which it leaves its last answer.
    output: Option<PathBuf>,
}

impl Executable {
    /// Reads its description.
    ///
    /// # Errors
    /// The variable does not allow it, or the description is incomplete.
    pub fn read(described: &Value, allowed: bool) -> Result<Executable, CredentialFileError> {
        use CredentialFileError::Unsupported;
        if !allowed {
            return Err(Unsupported(
                "it names a program to run, and GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is not 1; set it if you trust the file",
            ));
        }
        let command = described["command"].as_str().unwrap_or_default();
        let words = split(command).filter(|words| !words.is_empty());
        let patience = match &described["timeout_millis"] {
            Value::Null => PATIENCE,
            said => said
                .as_u64()
                .filter(|said| BOUNDS.contains(said))
                .ok_or(Unsupported(
                    "its executable.timeout_millis is not between 5000 and 120000",
                ))?,
        };
        Ok(Executable {
            words: words.ok_or(Unsupported(
                "its executable.command is empty, or a quote in it is open",
            ))?,
            patience: Duration::from_millis(patience),
            output: described["output_file"].as_str().map(PathBuf::from),
        })
    }

    /// The token: that of the program's last answer while it is valid, otherwise that of a new one.
    ///
    /// # Errors
    /// The program failed, or has said why there is no token.
    pub async fn token(
        &self,
        audience: &str,
        token_type: &str,
        account: Option<&str>,
    ) -> Result<String, TokenError> {
        if let Some(text) = self.kept().await
            && let Ok(answer) = serde_json::from_str::<Value>(&text)
            // Without a time it counts as expired.
            && answer["expiration_time"].is_i64()
            && let Ok(token) = token_in(&answer, Timestamp::now().as_second())
        {
            return Ok(token);
        }
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .env("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", audience)
            .env("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE", token_type)
            .env("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0")
            .env("GOOGLE_EXTERNAL_ACCOUNT_REVOKE", "0");
        if let Some(account) = account {
            command.env("GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL", account);
        }
        if let Some(output) = &self.output {
            command.env("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", output);
        }
        let run = program::run(command, self.patience).await;
        let failed = |why: ProgramError| TokenError::Subject {
            words: format!("the program {}: {why}", self.words[0]),
        };
        // What it says on its standard error may be anything, a secret too.
        let program::Ended {
            code,
            out: mut text,
            ..
        } = run.map_err(|why| failed(ProgramError(why)))?;
        if code == Some(0)
            && text.trim().is_empty()
            && let Some(kept) = self.kept().await
        {
            text = kept;
        }
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if code != Some(0) && answer["success"] != false {
            let code = code.map_or_else(
                || "by a signal".to_owned(),
                |code| format!("with code {code}"),
            );
            return Err(failed(ProgramError(format!("it ended {code}"))));
        }
        token_in(&answer, Timestamp::now().as_second()).map_err(failed)
    }

    async fn kept(&self) -> Option<String> {
        tokio::fs::read_to_string(self.output.as_ref()?).await.ok()
    }
}

/// The token in a program's answer, or why there is none. `now` is in seconds since 1970.
fn token_in(answer: &Value, now: i64) -> Result<String, ProgramError> {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    if answer["version"] != 1 {
        return Err(ProgramError::new("its answer is not JSON with `version` 1"));
    }
    match answer["success"].as_bool() {
        Some(true) => {}
        // These are meant for the reader.
        Some(false) => {
            let words = format!("it says: {} (code {})", text("message"), text("code"));
            return Err(ProgramError(beginning(&words)));
        }
        None => return Err(ProgramError::new("its answer has no `success`")),
    }
    if answer["expiration_time"]
        .as_i64()
        .is_some_and(|at| at <= now)
    {
        return Err(ProgramError::new("the token that it printed has expired"));
    }
    let field = match text("token_type") {
        "urn:ietf:params:oauth:token-type:jwt" | "urn:ietf:params:oauth:token-type:id_token" => {
            "id_token"
        }
        "urn:ietf:params:oauth:token-type:saml2" => "saml_response",
        _ => {
            return Err(ProgramError::new(
                "the `token_type` of its answer is not one that Google takes",
            ));
        }
    };
    match text(field) {
        "" => Err(ProgramError(format!("its answer has no `{field}`"))),
        token => Ok(token.to_owned()),
    }
}

/// The words of a command line, as a POSIX shell splits them; nothing is expanded. None if a quote is open.
fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next()?),
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_line_is_split_as_a_shell_does() {
        for (line, words) in [
            ("/bin/a  -b c", Some(&["/bin/a", "-b", "c"][..])),
            ("a 'b c' \"d 'e'\"", Some(&["a", "b c", "d 'e'"])),
            ("a b\\ c '' \"x\\\"y\"", Some(&["a", "b c", "", "x\"y"])),
            ("$HOME/*", Some(&["$HOME/*"])),
            ("", Some(&[])),
            ("a 'b", None),
            ("a\\", None),
        ] {
            let words = words.map(|words| words.iter().map(|w| (*w).to_owned()).collect());
            assert_eq!(split(line), words, "{line}");
        }
    }

    #[test]
    fn an_answer_is_a_token_or_a_reason() {
        let jwt = "urn:ietf:params:oauth:token-type:jwt";
        let saml = "urn:ietf:params:oauth:token-type:saml2";
        let ok = |more: Value| {
            let mut answer =
                json!({"version": 1, "success": true, "token_type": jwt, "id_token": "t"});
            for (key, value) in more.as_object().unwrap() {
                answer[key] = value.clone();
            }
            answer
        };
        for (answer, expected) in [
            (ok(json!({})), Ok("t")),
            (ok(json!({"expiration_time": 101})), Ok("t")),
            (
                ok(json!({"token_type": saml, "saml_response": "s"})),
                Ok("s"),
            ),
            (ok(json!({"expiration_time": 100})), Err("has expired")),
            (ok(json!({"token_type": saml})), Err("no `saml_response`")),
            (ok(json!({"token_type": "x"})), Err("`token_type`")),
            (ok(json!({"version": 2})), Err("`version` 1")),
            (json!(null), Err("`version` 1")),
            (json!({"version": 1}), Err("no `success`")),
            (
                json!({"version": 1, "success": false, "code": "401", "message": "ask again"}),
                Err("it says: ask again (code 401)"),
            ),
        ] {
            match (token_in(&answer, 100), expected) {
                (Ok(token), Ok(expected)) => assert_eq!(token, expected),
                (Err(why), Err(expected)) => assert!(why.to_string().contains(expected), "{why}"),
                (got, _) => panic!("{answer}: {got:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended() {
        let sleeper = Executable {
            words: ["sleep", "60"].map(str::to_owned).to_vec(),
            patience: Duration::from_millis(50),
            output: None,
        };
        let began = std::time::Instant::now();
        let error = sleeper.token("a", "t", None).await.unwrap_err();
        assert!(error.to_string().contains("has not ended"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
