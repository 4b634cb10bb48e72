//! A copy of the program's steps with a few changes.

use std::fs;
use std::path::Path;

/// Copies the program's steps into the user's home with these changes (file, text, replacement). Returns the folder.
pub fn changed_steps(home: &Path, changes: &[(&str, &str, &str)]) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps");
    let to = home.join("changed-steps");
    for folder in ["", "manifests"] {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    for (file, text, instead) in changes {
        let path = to.join(file);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(text), "{file} has no {text}");
        fs::write(path, before.replace(text, instead)).unwrap();
    }
    to.display().to_string()
}
