//! A kubeconfig that is there already: one cluster, user and context are laid into it, and nothing else changes.
//!
//! The text is edited line by line, so that comments, order and other tools' ways of writing stay; what came of it is read
//! again and held against the merged content. Where that fails (a file in one line, for example) the content is written anew.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::engine::private::private_folder;
use crate::text::without_snippet;

/// The lists of named entries.
pub(super) const LISTS: [&str; 3] = ["clusters", "users", "contexts"];
/// The fields beside them.
pub(super) const FIELDS: [&str; 3] = ["apiVersion", "kind", "current-context"];
/// The longest file that is read, in bytes: thousands of clusters.
const LONGEST: u64 = 16 << 20;
/// As many links as the system itself follows.
const LINKS: usize = 40;

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeResult {
    /// It is as it was, and ours.
    Kept,
    /// The same content in another form.
    Rewritten,
}

/// Why a kubeconfig stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum KubefileError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no file: a folder, a device.
    #[error("not a file")]
    NotAFile,
    /// It is longer than anybody reads.
    #[error("{length} bytes; the limit is {LONGEST}")]
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// It is no YAML. Without the lines around the place, which may hold somebody's token.
    #[error(transparent)]
    Parse(serde_saphyr::Error),
    /// What came of it cannot be written as YAML.
    #[error(transparent)]
    Write(#[from] serde_saphyr::ser::Error),
    /// It is YAML of something else.
    #[error("not a kubeconfig")]
    NotAKubeconfig,
    /// One of its lists is none.
    #[error("`{list}` is not a list")]
    NotAList {
        /// Which.
        list: &'static str,
    },
    /// It was written to between the reading and the writing.
    #[error("another program has just changed it; run again")]
    Changed,
}

impl From<serde_saphyr::Error> for KubefileError {
    fn from(error: serde_saphyr::Error) -> KubefileError {
        KubefileError::Parse(without_snippet(error))
    }
}

/// Lays `ours`, a kubeconfig with one entry a list, into `file`; makes it where it is not. It is replaced whole, so that
/// nobody ever reads half of it, and a kill at any instant leaves the old one or the new one.
pub fn merge(file: &Path, ours: &Value) -> Result<MergeResult, KubefileError> {
    merge_while(file, ours, || {})
}

/// The same, while somebody else does something between the reading and the writing.
pub(super) fn merge_while(
    file: &Path,
    ours: &Value,
    somebody: impl FnOnce(),
) -> Result<MergeResult, KubefileError> {
    let file = meant(file)?;
    let there = read(&file)?;
    let (text, merged) = merged(&there, ours)?;
    somebody();
    if read(&file)? != there {
        return Err(KubefileError::Changed);
    }
    replace(&file, text.as_bytes())?;
    Ok(merged)
}

/// The text with ours in it. Pure.
pub(super) fn merged(there: &str, ours: &Value) -> Result<(String, MergeResult), KubefileError> {
    let parse = |text: &str| serde_saphyr::from_str::<Value>(text);
    let yaml = |value: &Value| serde_saphyr::to_string(value);
    let before = match there.trim().is_empty() {
        true => Value::Null,
        false => parse(there)?,
    };
    let (content, text) = if before.is_null() {
        // Nothing but comments, perhaps.
        (ours.clone(), Some(format!("{there}{}", yaml(ours)?)))
    } else {
        (laid(before, ours)?, edited(there, ours))
    };
    match text.filter(|text| parse(text).is_ok_and(|read| read == content)) {
        Some(text) => Ok((text, MergeResult::Kept)),
        None => Ok((yaml(&content)?, MergeResult::Rewritten)),
    }
}

/// The content with ours in it: entries of the same name are replaced, all others stay. Pure.
fn laid(there: Value, ours: &Value) -> Result<Value, KubefileError> {
    let mut merged = match there {
        Value::Object(fields) if fields.get("kind").is_none_or(|kind| kind == "Config") => {
            Value::Object(fields)
        }
        _ => return Err(KubefileError::NotAKubeconfig),
    };
    for list in LISTS {
        let mut entries = match merged.get(list) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries.clone(),
            Some(_) => return Err(KubefileError::NotAList { list }),
        };
        for new in ours[list].as_array().into_iter().flatten() {
            match entries
                .iter_mut()
                .find(|entry| entry["name"] == new["name"])
            {
                Some(old) => *old = new.clone(),
                None => entries.push(new.clone()),
            }
        }
        merged[list] = entries.into();
    }
    for field in FIELDS {
        merged[field] = ours[field].clone();
    }
    Ok(merged)
}

/// The text with ours in it, edited by lines; none where it is not written as kubectl writes it. Pure.
fn edited(there: &str, ours: &Value) -> Option<String> {
    let mut lines: Vec<String> = there.split_inclusive('\n').map(str::to_owned).collect();
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push('\n');
    }
    for list in LISTS {
        for entry in ours[list].as_array()? {
            lay_entry(&mut lines, list, entry)?;
        }
    }
    for field in FIELDS {
        let value = serde_saphyr::to_string(&ours[field]).ok()?;
        let line = format!("{field}: {}\n", value.trim());
        match lines
            .iter()
            .position(|line| value_of(line, field).is_some())
        {
            Some(at) if lines[at].trim() == line.trim() => {}
            Some(at) => lines[at] = line,
            None => lines.push(line),
        }
    }
    Some(lines.concat())
}

/// Puts one entry in the place of that of its name, or at the end of its list.
fn lay_entry(lines: &mut Vec<String>, list: &str, entry: &Value) -> Option<()> {
    let Some(head) = lines.iter().position(|line| value_of(line, list).is_some()) else {
        lines.push(format!("{list}:\n"));
        lines.extend(written(entry, "")?);
        return Some(());
    };
    match value_of(&lines[head], list)? {
        "" => {}
        "[]" | "null" | "~" => lines[head] = format!("{list}:\n"),
        _ => return None,
    }
    let end = lines[head + 1..]
        .iter()
        .position(|line| is_key(line))
        .map_or(lines.len(), |after| head + 1 + after);
    let indent = lines[head + 1..end]
        .iter()
        .find(|line| line.trim_start().starts_with("- "))
        .map_or("", |line| &line[..line.len() - line.trim_start().len()])
        .to_owned();
    let begins: Vec<usize> = (head + 1..end)
        .filter(|at| lines[*at].starts_with(&format!("{indent}- ")))
        .collect();
    for (nth, from) in begins.iter().enumerate() {
        let to = begins.get(nth + 1).copied().unwrap_or(end);
        // What is said above the next entry is the next entry's.
        let to = from
            + 1
            + lines[from + 1..to]
                .iter()
                .rposition(|line| is_inside(line, &indent))
                .map_or(0, |at| at + 1);
        let text: String = lines[*from..to]
            .iter()
            .map(|line| line.strip_prefix(indent.as_str()).unwrap_or(line))
            .collect();
        let found: Value = serde_saphyr::from_str(&text).ok()?;
        if found[0]["name"] == entry["name"] {
            lines.splice(from..&to, written(entry, &indent)?);
            return Some(());
        }
        if nth + 1 == begins.len() {
            lines.splice(to..to, written(entry, &indent)?);
            return Some(());
        }
    }
    lines.splice(head + 1..head + 1, written(entry, "")?);
    Some(())
}

/// An entry as lines of a list.
fn written(entry: &Value, indent: &str) -> Option<Vec<String>> {
    let text = serde_saphyr::to_string(&[entry]).ok()?;
    Some(
        text.lines()
            .map(|line| format!("{indent}{line}\n"))
            .collect(),
    )
}

/// What stands behind a key at the beginning of a line, without a comment.
fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let value = line.strip_prefix(key)?.strip_prefix(':')?;
    let value = value.split(" #").next().unwrap_or_default();
    Some(value.trim())
}

/// Whether a line begins a field of the file itself.
fn is_key(line: &str) -> bool {
    !line.starts_with([' ', '#', '-', '\n', '\r', '\t'])
}

/// Whether a line that follows an entry's first is the entry's own.
fn is_inside(line: &str, indent: &str) -> bool {
    let text = line.trim_start();
    !text.is_empty() && line.len() - text.len() > indent.len()
}

/// The text of a file; nothing where there is none.
fn read(file: &Path) -> Result<String, KubefileError> {
    let about = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        about => about?,
    };
    // A rename would put a file where a device or a pipe was.
    if !about.is_file() {
        return Err(KubefileError::NotAFile);
    }
    if about.len() > LONGEST {
        let length = about.len();
        return Err(KubefileError::TooLong { length });
    }
    Ok(fs::read_to_string(file)?)
}

/// The file that is meant, behind links, whether it is there or not.
fn meant(file: &Path) -> io::Result<PathBuf> {
    let mut file = file.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&file) {
            Ok(to) => file = file.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Writes beside the file and puts it in its place.
pub(super) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        private_folder(folder)?;
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", uuid::Uuid::new_v4()));
    // New for certain: what somebody has put there would keep its mode, or lead elsewhere.
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let put = new
        .write_all(text)
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&beside, file));
    if put.is_err() {
        let _ = fs::remove_file(&beside);
    }
    put
}
