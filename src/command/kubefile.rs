//! Adds one cluster, user and context to a kubeconfig that may hold others.
//!
//! The file is read as a value, changed and written whole: entries of other names and unknown fields survive, comments do not.
//! kubectl and gcloud do the same. `kubectl config set-cluster` (1.32.4) drops comments and unknown fields; `gcloud container
//! clusters get-credentials` (528.0.0) drops comments and keeps unknown fields. Both sort the keys.
//!
//! `kube::config::Kubeconfig` (5.0.0) is not used for this, because a file would not survive it: its `merge` keeps the older
//! entry of a name and the older current context, it adds fields (`provideClusterInfo: false`, `user: null`), it drops unknown
//! fields of an extension, and it keeps the settings of a credential plugin in maps without an order.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::engine::private::private_folder;
use crate::text::without_snippet;

/// The lists of named entries.
pub(super) const LISTS: [&str; 3] = ["clusters", "users", "contexts"];
/// The fields beside them that are set.
pub(super) const FIELDS: [&str; 3] = ["apiVersion", "kind", "current-context"];
/// The longest file that is read, in bytes: thousands of clusters.
const LONGEST: u64 = 16 << 20;
/// The number of links that Linux itself follows.
const LINKS: usize = 40;

/// Why a kubeconfig is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum KubefileError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a folder or a device.
    #[error("not a file")]
    NotAFile,
    /// It is longer than any real kubeconfig.
    #[error("{length} bytes; the limit is {LONGEST}")]
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// It is not YAML. The error does not quote the lines around the place, because they may contain a token.
    #[error(transparent)]
    Parse(serde_saphyr::Error),
    /// The merged content cannot be written as YAML.
    #[error(transparent)]
    Write(#[from] serde_saphyr::ser::Error),
    /// It is YAML, but not a kubeconfig.
    #[error("not a kubeconfig")]
    NotAKubeconfig,
    /// One of its lists is not a list.
    #[error("`{list}` is not a list")]
    NotAList {
        /// The name of the list.
        list: &'static str,
    },
    /// Another program wrote to it between the reading and the writing.
    #[error("another program has just changed it; run again")]
    Changed,
}

impl From<serde_saphyr::Error> for KubefileError {
    fn from(error: serde_saphyr::Error) -> KubefileError {
        KubefileError::Parse(without_snippet(error))
    }
}

/// Merges `ours`, a kubeconfig with one entry in each list, into `file`, and creates the file if it does not exist.
///
/// The file is replaced in one rename: a reader never sees half of it, and a kill at any instant leaves the old one or the
/// new one. A file that already has this content is not written.
///
/// # Errors
/// See [`KubefileError`]. The file is then as it was.
pub fn merge(file: &Path, ours: &Value) -> Result<(), KubefileError> {
    merge_while(file, ours, || {})
}

/// [`merge`], with a callback between the reading and the writing.
pub(super) fn merge_while(
    file: &Path,
    ours: &Value,
    meanwhile: impl FnOnce(),
) -> Result<(), KubefileError> {
    let file = link_target(file)?;
    let old = read(&file)?;
    let Some(new) = merged(&old, ours)? else {
        return Ok(());
    };
    meanwhile();
    if read(&file)? != old {
        return Err(KubefileError::Changed);
    }
    replace(&file, new.as_bytes())?;
    Ok(())
}

/// The text of the file after the merge; none if its content is already that. Pure.
pub(super) fn merged(old: &str, ours: &Value) -> Result<Option<String>, KubefileError> {
    let before = parse(old)?;
    let after = match &before {
        Value::Null => ours.clone(),
        before => with_entries(before.clone(), ours)?,
    };
    match before == after {
        true => Ok(None),
        false => Ok(Some(serde_saphyr::to_string(&after)?)),
    }
}

/// The content of a file; null for a file without any, such as one of comments only.
pub(super) fn parse(text: &str) -> Result<Value, serde_saphyr::Error> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    // As kubectl reads it: in YAML 1.1, which it uses, 0644 is an octal number.
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { legacy_octal_numbers: true })
}

/// The content with our entries: those of the same name are replaced, all others stay. Pure.
fn with_entries(content: Value, ours: &Value) -> Result<Value, KubefileError> {
    let mut merged = match content {
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

/// The text of a file; empty if it does not exist.
fn read(file: &Path) -> Result<String, KubefileError> {
    let about = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        about => about?,
    };
    // A rename would replace a device or a pipe by a file.
    if !about.is_file() {
        return Err(KubefileError::NotAFile);
    }
    if about.len() > LONGEST {
        let length = about.len();
        return Err(KubefileError::TooLong { length });
    }
    Ok(fs::read_to_string(file)?)
}

/// The file that links lead to, whether it exists or not.
fn link_target(file: &Path) -> io::Result<PathBuf> {
    let mut file = file.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&file) {
            Ok(to) => file = file.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Writes a new file beside `file` and renames it to `file`.
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
    // `create_new`: an existing file would keep its mode, and a link would lead elsewhere.
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
