//! No two files of a crate import each other, directly or through others: each can be read when those below it are known.
//!
//! Tests at the foot of a file, files of tests, and what a `mod.rs` takes from its own files do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::source::{Blank, File, code, paths_after, program, without_tests};

/// The roots of the crates, the inner ones first.
const ROOTS: [&str; 4] = ["src/egress/", "src/emulator/", "src/json/", "src/"];

/// The modules of one crate: the module's path, and its file's code without tests.
type Modules = BTreeMap<Vec<String>, String>;

/// The module of a file within its crate: `src/engine/run.rs` is `engine::run`.
fn module(path: &str, root: &str) -> Vec<String> {
    let inner = path.trim_start_matches(root).trim_end_matches(".rs");
    let mut words: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(words.last().map(String::as_str), Some("mod" | "lib")) {
        words.pop();
    }
    words
}

fn crates(files: &[File]) -> Vec<Modules> {
    let root_of = |file: &File| ROOTS.iter().position(|root| file.path.starts_with(root));
    let modules = |n: usize| {
        let of_root = files.iter().filter(|file| root_of(file) == Some(n));
        // What is not reached from the library is the program's own.
        let library = of_root.filter(|file| file.path != "src/main.rs");
        let code = |file: &File| code(without_tests(&file.text), Blank::CommentsAndText);
        library
            .map(|file| (module(&file.path, ROOTS[n]), code(file)))
            .collect()
    };
    (0..ROOTS.len()).map(modules).collect()
}

/// The code without what it hands on, and the paths that it hands on, from the module's own place.
fn without_reexports(code: &str) -> (String, Vec<String>) {
    let mut rest = String::new();
    let mut handed_on = Vec::new();
    let mut open = code;
    while let Some((before, after)) = open.split_once("pub use ") {
        rest.push_str(before);
        let (tree, after) = after.split_once(';').unwrap_or((after, ""));
        handed_on.extend(paths_after(&format!("use {tree};"), "use "));
        open = after;
    }
    rest.push_str(open);
    (rest, handed_on)
}

/// The module that a path of names leads to: the longest that is one, or the one from which that hands the next name on.
fn target(modules: &Modules, path: &[String]) -> Option<Vec<String>> {
    let at = (0..=path.len())
        .rev()
        .find(|n| modules.contains_key(&path[..*n]))?;
    let (module, name) = (path[..at].to_vec(), path.get(at));
    let (_, handed_on) = without_reexports(&modules[&module]);
    let from = handed_on
        .iter()
        .find(|one| one.rsplit("::").next() == name.map(String::as_str));
    match from {
        Some(from) => {
            let inner = words(from.trim_start_matches("self::"));
            let inner = match inner.first().map(String::as_str) {
                Some("crate") => inner[1..].to_vec(),
                _ => [module.clone(), inner].concat(),
            };
            if inner.starts_with(&module) && inner.len() == module.len() + 1 {
                return Some(module);
            }
            target(modules, &inner)
        }
        None => Some(module),
    }
}

fn words(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// The modules that a module imports from.
fn imports(modules: &Modules, own: &[String]) -> BTreeSet<Vec<String>> {
    let (code, _) = without_reexports(&modules[own]);
    let mut paths: Vec<Vec<String>> = paths_after(&code, "crate::")
        .iter()
        .map(|path| words(path))
        .collect();
    for up in 1..=own.len() {
        let prefix = "super::".repeat(up);
        let within = &own[..own.len() - up];
        let found = paths_after(&code, &prefix)
            .into_iter()
            .filter(|path| !path.starts_with("super"));
        paths.extend(found.map(|path| [within.to_vec(), words(&path)].concat()));
    }
    let targets = paths.iter().filter_map(|path| target(modules, path));
    targets.filter(|target| target != own).collect()
}

/// Groups of modules that import each other in a circle.
fn circles(modules: &Modules) -> Vec<Vec<String>> {
    let edges: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = modules
        .keys()
        .map(|own| (own, imports(modules, own)))
        .collect();
    let reach = |from: &Vec<String>| {
        let mut seen: BTreeSet<&Vec<String>> = BTreeSet::new();
        let mut open: Vec<&Vec<String>> = edges[from].iter().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(edges[next].iter());
            }
        }
        seen
    };
    let reached: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> =
        modules.keys().map(|own| (own, reach(own))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for own in modules.keys().filter(|own| reached[own].contains(own)) {
        let group = reached[own]
            .iter()
            .filter(|other| reached[*other].contains(own));
        found.insert(group.map(|module| module.join("::")).collect());
    }
    found.into_iter().collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for modules in crates(&program()) {
        assert_eq!(circles(&modules), [[""; 0]; 0]);
    }
}

#[test]
fn a_circle_is_found() {
    let modules = |files: &[(&str, &str)]| -> Modules {
        let one = |(path, text): &(&str, &str)| (module(path, "src/"), (*text).to_owned());
        files.iter().map(one).collect()
    };
    let face = "mod a;\nmod b;\npub use a::A;\npub use b::B;";
    for (files, expected) in [
        (
            vec![
                ("src/a.rs", "use crate::b::B;"),
                ("src/b.rs", "use super::c::C;"),
                ("src/c.rs", "let x = crate::a::A;"),
            ],
            "a b c",
        ),
        // Through what a folder's face hands on.
        (
            vec![
                ("src/r/mod.rs", face),
                ("src/r/a.rs", "use super::B;"),
                ("src/r/b.rs", "use crate::r::{A, x};"),
            ],
            "r::a r::b",
        ),
        (
            vec![
                ("src/r/mod.rs", "mod a;\nfn f() { a::g() }\npub struct R;"),
                ("src/r/a.rs", "use super::R;"),
            ],
            "",
        ),
        (
            vec![
                ("src/a.rs", "use crate::b::B;"),
                ("src/b.rs", "use super::c::C;"),
                ("src/c.rs", ""),
            ],
            "",
        ),
        (
            vec![
                ("src/r/mod.rs", face),
                ("src/r/a.rs", "use super::b::B;"),
                ("src/r/b.rs", ""),
            ],
            "",
        ),
    ] {
        let found: Vec<String> = circles(&modules(&files))
            .into_iter()
            .map(|circle| circle.join(" "))
            .collect();
        assert_eq!(found.join("; "), expected, "{files:?}");
    }
}
