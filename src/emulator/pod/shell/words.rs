//! A script's text as words and operators: quotes, backslashes, variables.

use super::script_error::ScriptError;

/// A piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands; `quoted` text is not expanded further.
    Text {
        /// The text.
        text: String,
        /// Whether it stood in quotes.
        quoted: bool,
    },
    /// A variable; `?` is the last command's exit code.
    Variable(String),
}

/// A word: its pieces in order.
pub type Word = Vec<Piece>;

/// A part of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// `;`, a line's end, `&&`, `||`.
    Operator(&'static str),
    /// A redirection that the shell knows.
    Redirect(Redirect),
}

/// Where output goes instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redirect {
    /// The output goes nowhere.
    pub out_nowhere: bool,
    /// The errors go nowhere.
    pub err_nowhere: bool,
    /// The errors go where the output goes.
    pub err_to_out: bool,
}

impl Redirect {
    /// Both.
    pub fn and(self, other: Redirect) -> Redirect {
        Redirect {
            out_nowhere: self.out_nowhere || other.out_nowhere,
            err_nowhere: self.err_nowhere || other.err_nowhere,
            err_to_out: self.err_to_out || other.err_to_out,
        }
    }
}

const REDIRECTS: &[(&str, Redirect)] = &[
    ("2>&1", redirect(false, false, true)),
    ("2>/dev/null", redirect(false, true, false)),
    ("2> /dev/null", redirect(false, true, false)),
    (">/dev/null", redirect(true, false, false)),
    ("> /dev/null", redirect(true, false, false)),
    ("1>/dev/null", redirect(true, false, false)),
    ("&>/dev/null", redirect(true, true, false)),
    ("&> /dev/null", redirect(true, true, false)),
];

const fn redirect(out_nowhere: bool, err_nowhere: bool, err_to_out: bool) -> Redirect {
    Redirect {
        out_nowhere,
        err_nowhere,
        err_to_out,
    }
}

const OPERATORS: &[&str] = &["&&", "||", ";", "\n"];

/// What a shell has and this one does not support.
const UNKNOWN: &[&str] = &["|", "&", "(", ")", "<", ">", "`", "$(", "${#", "*", "[["];

/// Reads a script.
///
/// # Errors
/// Unsupported syntax, or a quote that does not end.
pub fn read(script: &str) -> Result<Vec<Token>, ScriptError> {
    let mut tokens = Vec::new();
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let line_goes_on = rest.strip_prefix("\\\n");
        if let Some(after) = line_goes_on {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Ok(tokens);
        }
        if rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        if let Some((text, redirect)) = REDIRECTS.iter().find(|(text, _)| rest.starts_with(text)) {
            tokens.push(Token::Redirect(*redirect));
            rest = &rest[text.len()..];
            continue;
        }
        if let Some(operator) = OPERATORS
            .iter()
            .find(|operator| rest.starts_with(**operator))
        {
            tokens.push(Token::Operator(operator));
            rest = &rest[operator.len()..];
            continue;
        }
        let (word, after) = word(rest)?;
        tokens.push(Token::Word(word));
        rest = after;
    }
}

/// The word at the beginning of `rest`, and what follows it.
fn word(mut rest: &str) -> Result<(Word, &str), ScriptError> {
    let mut pieces = Word::new();
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace()
            || first == ';'
            || OPERATORS.iter().any(|one| rest.starts_with(one))
        {
            break;
        }
        if let Some(unknown) = UNKNOWN.iter().find(|unknown| rest.starts_with(**unknown)) {
            return Err(ScriptError::NotEmulated((*unknown).to_owned()));
        }
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '\'' => {
                let end = after.find('\'').ok_or(ScriptError::UnterminatedQuote)?;
                text(&mut pieces, &after[..end], true);
                &after[end + 1..]
            }
            '"' => double(&mut pieces, after)?,
            '\\' => {
                let next = after.chars().next().map_or(0, char::len_utf8);
                text(&mut pieces, &after[..next], true);
                &after[next..]
            }
            '$' => variable(&mut pieces, after)?,
            _ => {
                text(&mut pieces, &rest[..first.len_utf8()], false);
                after
            }
        };
    }
    Ok((pieces, rest))
}

/// What stands in double quotes: text and variables.
fn double<'a>(pieces: &mut Word, mut rest: &'a str) -> Result<&'a str, ScriptError> {
    // An empty pair is a word too.
    text(pieces, "", true);
    loop {
        let first = rest.chars().next().ok_or(ScriptError::UnterminatedQuote)?;
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '"' => return Ok(after),
            '$' => variable(pieces, after)?,
            '`' => return Err(ScriptError::NotEmulated("`".to_owned())),
            '\\' if after.starts_with(['"', '\\', '$', '`']) => {
                text(pieces, &after[..1], true);
                &after[1..]
            }
            _ => {
                text(pieces, &rest[..first.len_utf8()], true);
                after
            }
        };
    }
}

/// A variable behind its dollar sign; a dollar sign alone is one.
fn variable<'a>(pieces: &mut Word, rest: &'a str) -> Result<&'a str, ScriptError> {
    if rest.starts_with('(') {
        return Err(ScriptError::NotEmulated("$(".to_owned()));
    }
    if let Some(after) = rest.strip_prefix('?') {
        pieces.push(Piece::Variable("?".to_owned()));
        return Ok(after);
    }
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if let Some(inner) = rest.strip_prefix('{') {
        let (name, after) = inner.split_once('}').ok_or(ScriptError::BadSubstitution)?;
        if !is_name(name) && name != "?" {
            return Err(ScriptError::NotEmulated(format!("${{{name}}}")));
        }
        pieces.push(Piece::Variable(name.to_owned()));
        return Ok(after);
    }
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    match &rest[..end] {
        "" => text(pieces, "$", true),
        name => pieces.push(Piece::Variable(name.to_owned())),
    }
    Ok(&rest[end..])
}

fn text(pieces: &mut Word, more: &str, is_quoted: bool) {
    match pieces.last_mut() {
        Some(Piece::Text { text, quoted }) if *quoted == is_quoted => text.push_str(more),
        _ => pieces.push(Piece::Text {
            text: more.to_owned(),
            quoted: is_quoted,
        }),
    }
}

/// A word that is nothing but unquoted text: a keyword may stand there.
pub fn bare(token: &Token) -> Option<&str> {
    let Token::Word(word) = token else {
        return None;
    };
    match word.as_slice() {
        [
            Piece::Text {
                text,
                quoted: false,
            },
        ] => Some(text),
        _ => None,
    }
}
