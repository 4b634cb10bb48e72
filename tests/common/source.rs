//! Reads Rust source as far as house rules need it: what is comment, what is text, what is test, and which paths of the
//! crate it names. Not a parser: what the compiler accepts and `cargo fmt` has laid out is all it meets.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
pub struct File {
    /// Its path from the project's root.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every readable file below a folder or at a path, in the order of paths. What is not text is left out.
pub fn files(below: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).unwrap().display().to_string();
            found.push(File { path, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The files of `src/` that are compiled into the program: those that a `#[cfg(test)] mod x;` names, by itself or with a `path`, are
/// left out, and build scripts, which speak to cargo on their standard output.
pub fn program() -> Vec<File> {
    let all = files("src");
    let only_tests: Vec<PathBuf> = all
        .iter()
        .flat_map(|file| {
            let folder = Path::new(&file.path).parent().unwrap();
            let after = file.text.split("#[cfg(test)]\nmod ").skip(1);
            let named = after
                .filter_map(|rest| rest.split_once(';'))
                .filter(|(name, _)| !name.contains(' '));
            let by_path = file.text.split("#[cfg(test)]\n#[path = \"").skip(1);
            let by_path = by_path.filter_map(|rest| rest.split_once('"'));
            named
                .map(|(name, _)| folder.join(format!("{name}.rs")))
                .chain(by_path.map(|(name, _)| folder.join(name)))
                .collect::<Vec<_>>()
        })
        .collect();
    all.into_iter()
        .filter(|file| !only_tests.contains(&PathBuf::from(&file.path)))
        .filter(|file| !file.path.ends_with("/build.rs"))
        .collect()
}

/// What is to be blanked.
#[derive(Clone, Copy, PartialEq)]
pub enum Blank {
    /// Comments.
    Comments,
    /// Comments, and what stands between quotes.
    CommentsAndText,
}

/// The source with spaces where comments, or comments and texts, stood; lines stay where they were.
pub fn code(text: &str, blank: Blank) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, hidden) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if let Some(length) = raw(rest).filter(|_| !code.ends_with(is_word)) {
            (length, blank == Blank::CommentsAndText)
        } else if first == '"' {
            (quoted(rest), blank == Blank::CommentsAndText)
        } else if let Some(length) = character(rest) {
            (length, blank == Blank::CommentsAndText)
        } else {
            (first.len_utf8(), false)
        };
        let (token, after) = rest.split_at(length);
        match hidden {
            true => code.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            false => code.push_str(token),
        }
        rest = after;
    }
    code
}

/// The length of `r"…"` or `r#"…"#` at the start, if there is one.
fn raw(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(1 + hashes + 1 + body.find(&end)? + end.len())
}

/// The length of the string literal at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the character literal at the start; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let after = text.strip_prefix('\'')?;
    let length = if after.starts_with('\\') {
        2
    } else {
        after.chars().next()?.len_utf8()
    };
    after.get(length..)?.starts_with('\'').then_some(length + 2)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The source up to its tests, which stand at the foot of a file.
pub fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {")
        .map_or(text, |at| &text[..at])
}

/// Every path that begins with `crate::` or leads to the crate's root through `super`, without that beginning:
/// `use crate::engine::{event, run::Book};` is `engine::event` and `engine::run::Book`.
pub fn paths(text: &str, depth: usize) -> Vec<String> {
    let code = code(text, Blank::CommentsAndText);
    let up = "super::".repeat(depth);
    let prefixes = ["crate::", up.as_str()].into_iter();
    prefixes
        .filter(|prefix| !prefix.is_empty())
        .flat_map(|prefix| paths_after(&code, prefix))
        .collect()
}

/// Every path that follows a prefix, without it. The code has no comments and no texts any more.
pub fn paths_after(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if !code[..at].ends_with(|c: char| is_word(c) || c == ':') {
            tree("", &code[at + prefix.len()..], &mut found);
        }
    }
    found
}

/// The paths of a use tree at the start of `text`; returns what follows it.
fn tree<'a>(before: &str, text: &'a str, found: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = inner.trim_start();
            if let Some(after) = inner.strip_prefix('}') {
                return after;
            }
            let after = tree(before, inner, found).trim_start();
            // `as other` and commas lead to the next.
            let next = after.find([',', '}']).unwrap_or(after.len());
            inner = after[next..].strip_prefix(',').unwrap_or(&after[next..]);
            if inner.is_empty() {
                return inner;
            }
        }
    }
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let path = if before.is_empty() {
        word.to_owned()
    } else {
        format!("{before}::{word}")
    };
    match after
        .strip_prefix("::")
        .filter(|after| after.starts_with(|c: char| is_word(c) || c == '{'))
    {
        Some(after) => tree(&path, after, found),
        None => {
            found.push(path);
            after
        }
    }
}
