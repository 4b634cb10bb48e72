//! The source of the chapters: the folder in the program, or one on disk, with the files of another one laid over it. Nothing
//! outside the folders is read.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::SourceLocation;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::manifest::FOLDER;

// To add a chapter, add its file: there is no list of files. build.rs makes cargo notice a new file in the folder, and
// tests/integration/steps/mod.rs compares this copy with the folder.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/steps");

/// The name of the embedded folder, as messages show it.
const EMBEDDED_NAME: &str = "steps";

/// More files than the tutorial will ever have.
const MAX_FILES: usize = 200;

/// The largest file that is read into memory; `yaml` has its own limits for the YAML in it.
const MAX_BYTES: u64 = 1024 * 1024;

/// The file of parameters; every other YAML file is a chapter.
pub(super) const PARAMS_FILE: &str = "params.yaml";

/// A folder of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The folder that is embedded in the program.
    Embedded,
    /// A folder on disk (`--steps DIR`).
    Dir(PathBuf),
    /// One of these with a folder on disk over it (`--overlay DIR`).
    Overlaid {
        /// The folder below.
        base: Box<Source>,
        /// The folder on disk.
        over: PathBuf,
    },
}

impl Source {
    /// The folder on disk that must have a step; none if the program's own steps are in the source.
    pub(super) fn must_have_steps(&self) -> Option<&Path> {
        match self {
            Source::Embedded => None,
            Source::Dir(dir) => Some(dir),
            Source::Overlaid { base, .. } => base.must_have_steps(),
        }
    }
}

/// A file that was read: its name in the folder (`manifests/NAME.yaml` for an object), its path in messages, and its text.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub name: String,
    pub shown: String,
    pub text: String,
}

/// The YAML files at the top of the folder and those in its folder `manifests`, in the order of their names. Other folders and
/// other files are skipped. A file of a folder that is laid over another replaces the file with its name, in its position; the
/// others come after all files below, so that their steps supersede. `params.yaml` does not replace a file: it adds to one.
pub(super) fn files(source: &Source) -> Result<Vec<File>, Diagnostics> {
    let mut files = match source {
        Source::Embedded => embedded()?,
        Source::Dir(dir) => on_disk(dir)?,
        Source::Overlaid { base, over } => return overlaid(files(base)?, over),
    };
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn overlaid(mut files: Vec<File>, over: &Path) -> Result<Vec<File>, Diagnostics> {
    let mut above = on_disk(over)?;
    above.sort_by(|a, b| a.name.cmp(&b.name));
    if above.is_empty() {
        let over = over.display();
        let told = format!("nothing to lay over the steps in {over}: it has no YAML file");
        return Err(Diagnostic::nowhere(told).into());
    }
    for file in above {
        let below = files.iter_mut().find(|below| below.name == file.name);
        match below.filter(|_| file.name != PARAMS_FILE) {
            Some(below) => *below = file,
            None => files.push(file),
        }
    }
    Ok(files)
}

/// Every file of the program's own steps, the page about their format included: its path in the folder, and its text.
pub fn embedded_files() -> Vec<(&'static Path, &'static [u8])> {
    let objects = EMBEDDED.get_dir(FOLDER).into_iter().flat_map(Dir::files);
    let files = EMBEDDED.files().chain(objects);
    files.map(|file| (file.path(), file.contents())).collect()
}

fn embedded() -> Result<Vec<File>, Diagnostics> {
    let objects = EMBEDDED.get_dir(FOLDER).into_iter().flat_map(Dir::files);
    let mut files = Vec::new();
    for file in EMBEDDED.files().chain(objects) {
        // The path is relative to the folder: `20-network.yaml`, `manifests/gateway.yaml`.
        let name = file.path().to_string_lossy().into_owned();
        if !is_yaml(&name) {
            continue;
        }
        let shown = format!("{EMBEDDED_NAME}/{name}");
        let text = file
            .contents_utf8()
            .ok_or_else(|| about(&shown, "not UTF-8 text"))?
            .to_owned();
        files.push(File { name, shown, text });
    }
    Ok(files)
}

fn on_disk(dir: &Path) -> Result<Vec<File>, Diagnostics> {
    let inside = dir.canonicalize().map_err(|e| unread(dir, &e))?;
    let mut diagnostics = Diagnostics::default();
    let mut files = listed(dir, "", &inside, &mut diagnostics)?;
    if inside.join(FOLDER).is_dir() {
        files.extend(listed(dir, FOLDER, &inside, &mut diagnostics)?);
    }
    diagnostics.or(files)
}

/// The YAML files in a folder of `dir` (its top if `folder` is empty) that are located in `inside`.
fn listed(
    dir: &Path,
    folder: &str,
    inside: &Path,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<File>, Diagnostics> {
    let shown_folder = if folder.is_empty() {
        dir.to_owned()
    } else {
        dir.join(folder)
    };
    let failed = |error| unread(&shown_folder, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(inside.join(folder)).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_yaml(&name) {
            continue;
        }
        if files.len() == MAX_FILES {
            let told = format!("more than {MAX_FILES} files in {}", shown_folder.display());
            return Err(Diagnostic::nowhere(told).into());
        }
        let shown = shown_folder.join(&name).display().to_string();
        let name = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        match read(&entry.path(), inside) {
            Ok(text) => files.push(File { name, shown, text }),
            Err(error) => diagnostics.0.push(about(&shown, &error.to_string())),
        }
    }
    Ok(files)
}

fn unread(folder: &Path, error: &std::io::Error) -> Diagnostics {
    Diagnostic::nowhere(format!("cannot read {}: {error}", folder.display())).into()
}

/// Why a file of the folder is not read.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// The file system returned an error.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is outside the folder.
    #[error("a symbolic link that leads out of the folder")]
    Outside,
    /// It is a pipe, a device or a folder.
    #[error("not a file")]
    NotAFile,
    /// It is longer than any real file.
    #[error("{length} bytes; the limit is {MAX_BYTES}")]
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// It is not UTF-8.
    #[error("not UTF-8 text")]
    NotText(#[source] std::io::Error),
}

fn read(path: &Path, inside: &Path) -> Result<String, FileError> {
    let real = path.canonicalize()?;
    if !real.starts_with(inside) {
        return Err(FileError::Outside);
    }
    let about = fs::metadata(&real)?;
    // Reading a pipe or a device could block forever.
    if !about.is_file() {
        return Err(FileError::NotAFile);
    }
    if about.len() > MAX_BYTES {
        let length = about.len();
        return Err(FileError::TooLong { length });
    }
    let mut text = String::new();
    // At most this length, even if the file grows meanwhile.
    let read =
        fs::File::open(&real).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => FileError::NotText(error),
        _ => FileError::Io(error),
    })
}

fn is_yaml(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

fn about(shown: &str, why: &str) -> Diagnostic {
    Diagnostic::at(
        &SourceLocation {
            file: shown.to_owned(),
            line: 1,
        },
        why,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_the_order_of_names_and_never_left() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.yaml"), "a: 1").unwrap();
        for name in ["20-b.yaml", "10-a.yaml", "README.md", ".hidden.yaml"] {
            fs::write(dir.path().join(name), "a: 1").unwrap();
        }
        for folder in ["manifests", "manifests/deeper", "others"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("o.yaml"), "a: 1").unwrap();
        }
        let names = |source| {
            files(&source)
                .unwrap()
                .into_iter()
                .map(|f| f.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(Source::Dir(dir.path().into())),
            ["10-a.yaml", "20-b.yaml", "manifests/o.yaml"]
        );

        std::os::unix::fs::symlink(
            outside.path().join("secret.yaml"),
            dir.path().join("30-c.yaml"),
        )
        .unwrap();
        let told = files(&Source::Dir(dir.path().into()))
            .unwrap_err()
            .to_string();
        assert!(
            told.ends_with("30-c.yaml:1: a symbolic link that leads out of the folder"),
            "{told}"
        );

        fs::remove_dir_all(dir.path().join("manifests")).unwrap();
        fs::remove_file(dir.path().join("30-c.yaml")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("manifests")).unwrap();
        let told = files(&Source::Dir(dir.path().into()))
            .unwrap_err()
            .to_string();
        assert!(
            told.ends_with("manifests/secret.yaml:1: a symbolic link that leads out of the folder"),
            "{told}"
        );
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let made = std::process::Command::new("mkfifo")
            .arg(at("10-pipe.yaml"))
            .status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(at("20-socket.yaml")).unwrap();
        std::os::unix::fs::symlink("10-pipe.yaml", at("30-link.yaml")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("40-device.yaml")).unwrap();
        std::os::unix::fs::symlink("50-circle.yaml", at("50-circle.yaml")).unwrap();
        // The pipe has no writer.
        let (send, receive) = std::sync::mpsc::channel();
        let source = Source::Dir(dir.path().into());
        std::thread::spawn(move || send.send(files(&source).unwrap_err().to_string()));
        let told = receive
            .recv_timeout(std::time::Duration::from_secs(20))
            .unwrap();
        for why in [
            "10-pipe.yaml:1: not a file",
            "20-socket.yaml:1: not a file",
            "30-link.yaml:1: not a file",
            "40-device.yaml:1: a symbolic link that leads out",
            "50-circle.yaml:1: cannot be read",
        ] {
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none");
        let told = files(&Source::Dir(missing.clone()))
            .unwrap_err()
            .to_string();
        assert!(
            told.starts_with(&format!("cannot read {}: ", missing.display())),
            "{told}"
        );
        fs::write(dir.path().join("10-a.yaml"), [0xff, 0xfe, 0x00]).unwrap();
        fs::create_dir(dir.path().join("20-b.yaml")).unwrap();
        fs::write(
            dir.path().join("30-c.yaml"),
            vec![b' '; MAX_BYTES as usize + 1],
        )
        .unwrap();
        let told = files(&Source::Dir(dir.path().into()))
            .unwrap_err()
            .to_string();
        for why in [
            "10-a.yaml:1: not UTF-8 text",
            "20-b.yaml:1: not a file",
            "30-c.yaml:1: 1048577 bytes",
        ] {
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_folder_of_too_many_files_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..=MAX_FILES {
            fs::write(dir.path().join(format!("{n}-a.yaml")), "").unwrap();
        }
        let told = files(&Source::Dir(dir.path().into()))
            .unwrap_err()
            .to_string();
        assert_eq!(
            told,
            format!("more than {MAX_FILES} files in {}", dir.path().display())
        );
    }
}
