//! From tokens to steps.

use super::script_error::ScriptError;
use super::words::{Piece, Redirect, Token, Word, bare};

/// How many commands a loop may be written out to.
const LONGEST: usize = 100_000;

/// A step of a compiled script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A command.
    Run(Vec<Word>, Redirect),
    /// A variable is given a value.
    Set(String, Word),
    /// On to another step.
    Jump(usize),
    /// On to another step if the last command failed, or if it did not.
    JumpIf {
        /// Which.
        failed: bool,
        /// Where to.
        to: usize,
    },
    /// What came before counts as a success: a condition that did not hold.
    Succeed,
}

struct Compiler<'a> {
    tokens: &'a [Token],
    at: usize,
    steps: Vec<Step>,
    /// Whether `{1..4}` is four words.
    braces: bool,
    /// Whether a failure ends the script (`-e`).
    strict: bool,
}

/// The steps of a script.
///
/// # Errors
/// A token as a shell's error message has it.
pub fn compile(tokens: &[Token], braces: bool, strict: bool) -> Result<Vec<Step>, ScriptError> {
    let mut compiler = Compiler {
        tokens,
        at: 0,
        steps: Vec::new(),
        braces,
        strict,
    };
    compiler.list(&[])?;
    let end = compiler.steps.len();
    // Where a failure ends the script the jump goes to its end, which is only known now.
    for step in &mut compiler.steps {
        if let Step::JumpIf { to, .. } = step
            && *to == usize::MAX
        {
            *to = end;
        }
    }
    Ok(compiler.steps)
}

const KEYWORDS: &[&str] = &[
    "do", "done", "then", "else", "elif", "fi", "in", "case", "esac", "function", "{", "}", "!",
];

impl Compiler<'_> {
    fn keyword(&self) -> Option<&str> {
        self.tokens.get(self.at).and_then(bare)
    }

    fn separators(&mut self) {
        while let Some(Token::Operator(";" | "\n")) = self.tokens.get(self.at) {
            self.at += 1;
        }
    }

    /// Commands up to one of these words, which is left where it is.
    fn list(&mut self, ends: &[&str]) -> Result<(), ScriptError> {
        loop {
            self.separators();
            match self.keyword() {
                Some(word) if ends.contains(&word) => return Ok(()),
                None if self.at >= self.tokens.len() => {
                    return match ends.first() {
                        None => Ok(()),
                        Some(end) => Err(ScriptError::UnexpectedEnd {
                            expecting: (*end).to_owned(),
                        }),
                    };
                }
                _ => self.chain()?,
            }
        }
    }

    /// Commands joined by `&&` and `||`.
    fn chain(&mut self) -> Result<(), ScriptError> {
        let mut alone = true;
        let mut pending = Vec::new();
        loop {
            self.item()?;
            self.land(&mut pending);
            let failed = match self.tokens.get(self.at) {
                Some(Token::Operator("&&")) => true,
                Some(Token::Operator("||")) => false,
                _ => break,
            };
            self.at += 1;
            alone = false;
            while let Some(Token::Operator("\n")) = self.tokens.get(self.at) {
                self.at += 1;
            }
            pending.push(self.steps.len());
            self.steps.push(Step::JumpIf { failed, to: 0 });
        }
        if self.strict && alone {
            self.steps.push(Step::JumpIf {
                failed: true,
                to: usize::MAX,
            });
        }
        Ok(())
    }

    /// Lets the jumps at these places lead here.
    fn land(&mut self, pending: &mut Vec<usize>) {
        let here = self.steps.len();
        for at in pending.drain(..) {
            if let Some(Step::JumpIf { to, .. } | Step::Jump(to)) = self.steps.get_mut(at) {
                *to = here;
            }
        }
    }

    fn wants(&mut self, word: &str) -> Result<(), ScriptError> {
        self.separators();
        match self.keyword() {
            Some(found) if found == word => {
                self.at += 1;
                Ok(())
            }
            Some(found) => Err(ScriptError::Unexpected {
                found: found.to_owned(),
                expecting: Some(word.to_owned()),
            }),
            None => Err(ScriptError::UnexpectedEnd {
                expecting: word.to_owned(),
            }),
        }
    }

    fn item(&mut self) -> Result<(), ScriptError> {
        match self.keyword() {
            Some("for") => self.each(),
            Some("while") => self.again(true),
            Some("until") => self.again(false),
            Some("if") => self.choice(),
            Some(word) if KEYWORDS.contains(&word) => Err(ScriptError::Unexpected {
                found: word.to_owned(),
                expecting: None,
            }),
            _ => self.command(),
        }
    }

    /// `for NAME in WORDS; do LIST; done`, written out.
    fn each(&mut self) -> Result<(), ScriptError> {
        self.at += 1;
        let name = self
            .keyword()
            .ok_or(ScriptError::BadLoopVariable)?
            .to_owned();
        self.at += 1;
        self.wants("in")?;
        let mut values: Vec<Word> = Vec::new();
        while let Some(Token::Word(word)) = self.tokens.get(self.at) {
            values.extend(self.spread(word));
            self.at += 1;
        }
        self.wants("do")?;
        let body = self.at;
        for value in &values {
            self.at = body;
            self.steps.push(Step::Set(name.clone(), value.clone()));
            self.list(&["done"])?;
            if self.steps.len() > LONGEST {
                return Err(ScriptError::NotEmulated("a loop of this length".to_owned()));
            }
        }
        if values.is_empty() {
            let before = self.steps.len();
            self.list(&["done"])?;
            self.steps.truncate(before);
        }
        self.wants("done")
    }

    /// `while LIST; do LIST; done`; `until` goes on while it fails.
    fn again(&mut self, while_good: bool) -> Result<(), ScriptError> {
        self.at += 1;
        let start = self.steps.len();
        self.list(&["do"])?;
        self.wants("do")?;
        let mut out = vec![self.steps.len()];
        self.steps.push(Step::JumpIf {
            failed: while_good,
            to: 0,
        });
        self.list(&["done"])?;
        self.wants("done")?;
        self.steps.push(Step::Jump(start));
        self.land(&mut out);
        self.steps.push(Step::Succeed);
        Ok(())
    }

    /// `if LIST; then LIST; else LIST; fi`.
    fn choice(&mut self) -> Result<(), ScriptError> {
        self.at += 1;
        self.list(&["then"])?;
        self.wants("then")?;
        let mut otherwise = vec![self.steps.len()];
        self.steps.push(Step::JumpIf {
            failed: true,
            to: 0,
        });
        self.list(&["fi", "else"])?;
        let mut end = vec![self.steps.len()];
        self.steps.push(Step::Jump(0));
        self.land(&mut otherwise);
        if self.keyword() == Some("else") {
            self.at += 1;
            self.list(&["fi"])?;
        } else {
            self.steps.push(Step::Succeed);
        }
        self.wants("fi")?;
        self.land(&mut end);
        Ok(())
    }

    /// Assignments, or a command.
    fn command(&mut self) -> Result<(), ScriptError> {
        let (mut words, mut redirect) = (Vec::new(), Redirect::default());
        loop {
            match self.tokens.get(self.at) {
                Some(Token::Word(word)) => match assignment(word).filter(|_| words.is_empty()) {
                    Some((name, value)) => self.steps.push(Step::Set(name, value)),
                    None => words.push(word.clone()),
                },
                Some(Token::Redirect(more)) => redirect = redirect.and(*more),
                _ => break,
            }
            self.at += 1;
        }
        if let Some(Token::Operator(operator)) =
            self.tokens.get(self.at).filter(|_| words.is_empty())
            && ["&&", "||"].contains(operator)
        {
            return Err(ScriptError::Unexpected {
                found: (*operator).to_owned(),
                expecting: None,
            });
        }
        if !words.is_empty() {
            self.steps.push(Step::Run(words, redirect));
        }
        Ok(())
    }

    /// `{1..4}` and `{a,b}` as bash spreads them.
    fn spread(&self, word: &Word) -> Vec<Word> {
        let plain = |text: String| {
            vec![Piece::Text {
                text,
                quoted: false,
            }]
        };
        let text = match word.as_slice() {
            [
                Piece::Text {
                    text,
                    quoted: false,
                },
            ] if self.braces => text,
            _ => return vec![word.clone()],
        };
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let range = inner
            .and_then(|inner| inner.split_once(".."))
            .and_then(|(from, to)| {
                let (from, to): (i64, i64) = (from.parse().ok()?, to.parse().ok()?);
                (from <= to && to - from < 10_000).then_some(from..=to)
            });
        match (inner, range) {
            (_, Some(range)) => range.map(|number| plain(number.to_string())).collect(),
            (Some(inner), None) if inner.contains(',') => {
                inner.split(',').map(|one| plain(one.to_owned())).collect()
            }
            _ => vec![word.clone()],
        }
    }
}

/// `NAME=VALUE`.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Piece::Text {
        text,
        quoted: false,
    }) = word.first()
    else {
        return None;
    };
    let (name, first) = text.split_once('=')?;
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut value = word.clone();
    value[0] = Piece::Text {
        text: first.to_owned(),
        quoted: false,
    };
    named.then(|| (name.to_owned(), value))
}
