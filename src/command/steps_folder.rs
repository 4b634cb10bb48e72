//! The folder of steps that the flags name, and a copy of the program's own on disk. It does not read steps.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::output::say;
use crate::cli::{Global, Output};
use crate::engine::entry::StepsFolders;
use crate::error::{CommandError, Exit};
use crate::steps::{Source, embedded_files};
use crate::ui::json_line;

/// The steps of `--steps`, or the remembered ones, or the program's own; with the files of `--overlay` over them. With `--steps` no
/// overlay is remembered: it was made for other steps.
pub fn source(global: &Global, remembered: StepsFolders) -> Source {
    let remembered = match global.steps {
        Some(_) => StepsFolders::default(),
        None => remembered,
    };
    let folder = |flag: &Option<PathBuf>, remembered: Option<String>| {
        flag.clone().or_else(|| remembered.map(PathBuf::from))
    };
    let base = folder(&global.steps, remembered.steps).map_or(Source::Embedded, Source::Dir);
    match folder(&global.overlay, remembered.overlay) {
        None => base,
        Some(over) => Source::Overlaid {
            base: Box::new(base),
            over,
        },
    }
}

/// The folders of the steps, as paths that mean the same everywhere on this machine.
pub fn folders(source: &Source) -> StepsFolders {
    let whole = |folder: &Path| {
        let whole = folder.canonicalize();
        let whole = whole.unwrap_or_else(|_| folder.to_owned());
        Some(whole.display().to_string())
    };
    match source {
        Source::Embedded => StepsFolders::default(),
        Source::Dir(folder) => StepsFolders {
            steps: whole(folder),
            overlay: None,
        },
        Source::Overlaid { base, over } => StepsFolders {
            overlay: whole(over),
            ..folders(base)
        },
    }
}

/// Writes the program's own steps into a folder.
///
/// # Errors
/// `--steps` or `--overlay` beside it; a folder that is not empty; the file system's error, and what was written.
pub fn export(global: &Global, folder: &Path) -> Result<Exit, CommandError> {
    for (flag, given) in [
        ("--steps", global.steps.is_some()),
        ("--overlay", global.overlay.is_some()),
    ] {
        if given {
            return Err(CommandError::usage(
                format!("--export writes the built-in steps, so {flag} has no effect beside it"),
                &format!("remove {flag}, or copy the folder"),
            ));
        }
    }
    let shown = folder.display();
    let hint = "name a folder that is empty or does not exist, in one that is writable";
    let refused = |error: io::Error| CommandError::usage(format!("{shown}: {error}"), hint);
    fs::create_dir_all(folder).map_err(refused)?;
    if fs::read_dir(folder).map_err(refused)?.next().is_some() {
        return Err(CommandError::usage(
            format!("{shown} is not empty, so nothing is written"),
            hint,
        ));
    }
    let files = embedded_files();
    for (n, (path, text)) in files.iter().enumerate() {
        write(&folder.join(path), text).map_err(|error| {
            CommandError::failed(
                format!("{}: {error}", folder.join(path).display()),
                &format!(
                    "{n} of {} files were written to {shown}; remove them, then export again",
                    files.len()
                ),
            )
        })?;
    }
    let count = files.len();
    say(&match global.output {
        Output::Json => json_line(&json!({"event": "exported", "folder": folder, "files": count})),
        Output::Text => format!(
            "{count} files in {shown}: change them, then use them with --steps {shown}; README.md there describes the format\n"
        ),
    });
    Ok(Exit::Done)
}

/// Writes a file that must not exist yet, and the folder that contains it.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text)
}
