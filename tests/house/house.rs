//! The rules of the house, held by reading the source: who may see whom, how long a file may be, what stands where and
//! what stands nowhere. What `cargo clippy` holds (docs of public items, no `unwrap`, no `unsafe`) is held there too.

use crate::common::source::{Blank, File, code, files, paths, program, root, without_tests};

/// Who may see whom. A room (a folder or a file of `src/`) sees itself and what its row names, and nothing else.
const SEES: &[(&str, &[&str])] = &[
    ("main", &["cli", "command", "error"]),
    ("lib", &[]),
    ("text", &[]),
    ("cli", &["google::AuthFlags"]),
    (
        "error",
        &["engine::event", "engine::journal", "google", "steps"],
    ),
    (
        "command",
        &[
            "cli",
            "error",
            "ui",
            "engine",
            "kinds",
            "google",
            "steps",
            "text",
            "egress",
            "emulator",
            "recording",
            "validation",
            "json",
        ],
    ),
    (
        "ui",
        &[
            "engine::event",
            "engine::change",
            "engine::planned",
            "kinds::FieldDiff",
            "kinds::Step",
            "steps",
            "egress",
        ],
    ),
    ("engine", &["kinds", "google", "steps", "text"]),
    (
        "kinds",
        &[
            "google",
            "cluster",
            "recording",
            "steps",
            "text",
            "egress",
            "json",
        ],
    ),
    ("cluster", &["recording", "text", "proxy"]),
    ("google", &["recording", "text", "proxy"]),
    ("recording", &[]),
    ("proxy", &[]),
    ("steps", &["json", "text"]),
];

/// The workspace's other crates in `src/`. What they see stands in their manifests, and the compiler holds them to it.
const CRATES: &[&str] = &["egress", "emulator", "json", "validation"];

/// The room of a file: `src/engine/run.rs` is in `engine`, `src/cli.rs` is `cli`.
fn room(path: &str) -> &str {
    let inner = path.trim_start_matches("src/");
    inner
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
}

/// What a file sees and may not.
fn wrong_ways(file: &File) -> Vec<String> {
    let room = room(&file.path);
    let Some((_, allowed)) = SEES.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: {room} is in no row of SEES", file.path)];
    };
    // How many `super` lead from the file's own module to the crate: `engine::run` has two, `engine` itself one.
    let depth = file.path.matches('/').count() + usize::from(!file.path.ends_with("/mod.rs")) - 1;
    let mut text = file.text.replace("provision::", "crate::");
    for name in CRATES {
        for before in ["use ", "(", " ", "&", "<"] {
            text = text.replace(
                &format!("{before}{name}::"),
                &format!("{before}crate::{name}::"),
            );
        }
    }
    let (program, tests) = text.split_at(without_tests(&text).len());
    let seen = paths(program, depth)
        .into_iter()
        .chain(paths(tests, depth + 1));
    let within =
        |path: &str, allowed: &str| path == allowed || path.starts_with(&format!("{allowed}::"));
    seen.filter(|path| !within(path, room) && !allowed.iter().any(|allowed| within(path, allowed)))
        .map(|path| format!("{} sees {path}", file.path))
        .collect()
}

#[test]
fn imports_go_one_way() {
    let wrong: Vec<String> = files("src")
        .iter()
        .filter(|file| !CRATES.contains(&room(&file.path)))
        .flat_map(wrong_ways)
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn an_import_in_the_wrong_direction_is_found() {
    // (file, line, what is found)
    let cases = [
        (
            "src/kinds/resource.rs",
            "use crate::engine::run::run;",
            "engine::run::run",
        ),
        (
            "src/google/call.rs",
            "use crate::{kinds::Kind, steps as s};",
            "kinds::Kind steps",
        ),
        (
            "src/google/call.rs",
            "use super::super::kinds::{Kind, row::{Row, Id}};",
            "kinds::Kind kinds::row::Row kinds::row::Id",
        ),
        ("src/google/mod.rs", "use super::emulator;", "emulator"),
        (
            "src/google/call.rs",
            "\n#[cfg(test)]\nmod tests {\n use super::super::super::kinds::Kind;",
            "kinds::Kind",
        ),
        (
            "src/ui/plan.rs",
            "let x = crate::engine::run::Book::Read;",
            "engine::run::Book::Read",
        ),
        (
            "src/ui/plan.rs",
            "use crate::kinds::{FieldDiff, Kind};",
            "kinds::Kind",
        ),
        (
            "src/engine/run.rs",
            "use emulator::start;",
            "emulator::start",
        ),
        (
            "src/google/call.rs",
            "let x = egress::scene::Scene::read(&sources);",
            "egress::scene::Scene::read",
        ),
        (
            "src/engine/run.rs",
            "use crate::error::Exit;",
            "error::Exit",
        ),
        ("src/main.rs", "use provision::engine::run;", "engine::run"),
        ("src/new/mod.rs", "", "new is in no row"),
        // What is allowed, and what only looks like an import.
        (
            "src/ui/plan.rs",
            "use crate::{engine::event::{Event, Outcome}, kinds::FieldDiff, steps::Step};",
            "",
        ),
        (
            "src/google/call.rs",
            "use super::api::Api; use super::super::google::Api;",
            "",
        ),
        (
            "src/google/call.rs",
            "// crate::kinds\nlet x = (\"crate::kinds\", r#\"\"crate::ui\"#, '\"', \"\\\"crate::ui\");",
            "",
        ),
    ];
    for (path, text, expected) in cases {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let found = wrong_ways(&file)
            .join(" ")
            .replace(&format!("{path} sees "), "");
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{path}: {text}: {found}"
        );
    }
}

#[test]
fn a_file_has_a_head_and_an_end() {
    let rust = |folder| {
        files(folder)
            .into_iter()
            .filter(|file| file.path.ends_with(".rs"))
    };
    let lines = |file: &File| file.text.lines().count();
    let long: Vec<String> = rust("src")
        .filter(|file| lines(file) > 500)
        .map(|file| file.path)
        .collect();
    assert_eq!(
        long, [""; 0],
        "longer than 500 lines: they do more than one thing"
    );
    let headless = rust("src")
        .chain(rust("tests"))
        .filter(|file| !file.text.starts_with("//! "));
    assert_eq!(
        headless.map(|file| file.path).collect::<Vec<_>>(),
        [""; 0],
        "do not say what they are"
    );
}

/// Words that stand in some file's code, with the file and the line.
fn said(files: &[File], blank: Blank, words: &[&str], whole: bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in code(without_tests(&file.text), blank).lines().enumerate() {
            for word in words {
                let alone = |at: usize| {
                    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
                    !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part)
                };
                if line.match_indices(word).any(|(at, _)| !whole || alone(at)) {
                    found.push(format!("{}:{}: {word}", file.path, number + 1));
                }
            }
        }
    }
    found
}

#[test]
fn nothing_unwraps_and_nothing_is_unfinished() {
    let words = [
        ".unwrap()",
        ".expect(",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "unsafe ",
        // They fail where nobody reads any more.
        "print!(",
        "println!(",
    ];
    assert_eq!(
        said(&program(), Blank::CommentsAndText, &words, false),
        [""; 0]
    );
}

#[test]
fn no_step_is_known_by_name() {
    let ids: Vec<String> = files("steps")
        .iter()
        .flat_map(|file| {
            file.text
                .lines()
                .filter_map(|line| line.strip_prefix("step: "))
        })
        .map(|id| id.trim().to_owned())
        .collect();
    assert!(ids.len() > 20, "{ids:?}");
    // `cluster`, `services` or `default-pool` are Google's words as much as they are steps; of several words, an id is a
    // step's alone.
    let own: Vec<&str> = ids
        .iter()
        .map(String::as_str)
        .filter(|id| id.contains('-') && *id != "default-pool")
        .collect();
    assert_eq!(said(&program(), Blank::Comments, &own, true), [""; 0]);
    let planted = File {
        path: "src/engine/run.rs".into(),
        text: format!("if id == \"{}\" {{}}", own[0]),
    };
    assert_eq!(
        said(&[planted], Blank::Comments, &own, true),
        [format!("src/engine/run.rs:1: {}", own[0])]
    );
}

#[test]
fn backoff_is_named_in_one_file() {
    let naming = files("src")
        .into_iter()
        .filter(|file| code(&file.text, Blank::CommentsAndText).contains("backoff"));
    assert_eq!(
        naming.map(|file| file.path).collect::<Vec<_>>(),
        ["src/google/retry.rs"]
    );
}

/// What stands between backticks in a cell of a table.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a file has a test of this name.
fn has_test(file: &File, name: &str) -> bool {
    let head = format!("fn {name}(");
    file.text.match_indices(&head).any(|(at, _)| {
        let before = file.text[..at].trim_end_matches("async ").trim_end();
        let attribute = before.lines().next_back().unwrap_or_default().trim();
        attribute.starts_with("#[") && attribute.contains("test")
    })
}

/// What the tables of guards in a document name and is not there. Their rows are the guard, its files below `src/`, its
/// tests: `name` or `module::name` of `src/`, a module of tests, or `file`: `name` of `tests/`, up to the next `;`.
fn gone(document: &str, files: &[File]) -> Vec<String> {
    let mut gone = Vec::new();
    let file = |path: &str| files.iter().find(|file| file.path == path);
    let tables = document.split("\n| guard | where | test |\n").skip(1);
    let rows =
        tables.flat_map(|table| table.lines().skip(1).take_while(|row| row.starts_with('|')));
    for row in rows {
        let [_, _, places, tests, _] = row.split('|').collect::<Vec<_>>()[..] else {
            gone.push(format!("not a row of three: {row}"));
            continue;
        };
        let paths = quoted(places)
            .into_iter()
            .filter(|path| path.ends_with(".rs"));
        let there = |path: &&str| file(&format!("src/{path}")).is_some();
        gone.extend(paths.filter(|path| !there(path)).map(str::to_owned));
        let named = quoted(tests);
        if named.is_empty() {
            gone.push(format!("without a test: {row}"));
        }
        for group in tests.split(';') {
            let (from, names) = match group.split_once("`: ") {
                Some((from, names)) => (from.split('`').nth(1), names),
                None => (None, group),
            };
            for name in quoted(names) {
                let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
                let module = module.trim_end_matches("::tests").replace("::", "/");
                let is_there = match from {
                    Some(from) => {
                        let is_it = |file: &&File| {
                            file.path.starts_with("tests/")
                                && (file.path.ends_with(&format!("/{from}.rs"))
                                    || file.path.contains(&format!("/{from}/")))
                        };
                        files.iter().filter(is_it).any(|f| has_test(f, test))
                    }
                    None => {
                        let within = format!("src/{module}");
                        let mut of_src = files.iter().filter(|f| f.path.starts_with(&within));
                        file(&format!("{within}/{test}.rs")).is_some()
                            || of_src.any(|f| has_test(f, test))
                    }
                };
                if !is_there {
                    gone.push(name.to_owned());
                }
            }
        }
    }
    gone
}

#[test]
fn every_guard_names_tests_that_are_there() {
    let all: Vec<File> = ["src", "tests"].into_iter().flat_map(files).collect();
    let document = files("docs/reliability.md").remove(0).text;
    assert_eq!(gone(&document, &all), [""; 0]);
    // And what is not there is found: a test, a file, a test in another file, a function that is none, a test at all.
    let head = "\n| guard | where | test |\n|---|---|---|\n";
    let here = "every_guard_names_tests_that_are_there";
    for (row, found) in [
        (format!("| g | `main.rs` | `house`: `{here}` |"), None),
        (format!("| g | `main.rs` | `{here}` |"), Some(here)),
        (
            format!("| g | `main.rs` | `house`: `{here}`; `{here}` |"),
            Some(here),
        ),
        (
            format!("| g | `gone.rs` | `house`: `{here}` |"),
            Some("gone.rs"),
        ),
        (
            "| g | `main.rs` | `house`: `has_test` |".to_owned(),
            Some("has_test"),
        ),
        (
            "| g | `main.rs` | by hand |".to_owned(),
            Some("without a test: "),
        ),
        (
            "| g | `main.rs` | `google::nonsense_tests` |".to_owned(),
            None,
        ),
        (
            "| g | `main.rs` | `steps::nonsense_tests` |".to_owned(),
            Some("steps::nonsense_tests"),
        ),
    ] {
        let told = gone(&format!("{head}{row}\n"), &all);
        assert_eq!(told.len(), usize::from(found.is_some()), "{row}: {told:?}");
        assert!(
            told.iter()
                .all(|one| one.starts_with(found.unwrap_or_default())),
            "{told:?}"
        );
    }
}

/// A list that is read to its end elsewhere may have none.
#[test]
fn pages_are_followed_in_one_file() {
    let program = program();
    let client = program
        .iter()
        .filter(|file| !file.path.starts_with("src/emulator/"));
    let following = client.filter(|file| {
        let code = code(without_tests(&file.text), Blank::Comments);
        code.contains("\"nextPageToken\"") || code.contains("\"pageToken\"")
    });
    assert_eq!(
        following.map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["src/google/client.rs"]
    );
}

#[test]
fn nothing_speaks_of_the_machine_it_was_written_on() {
    // In halves, so that this file does not say them itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/tm", "p/wt"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("../sh", "ared"),
        concat!("crat", "es.io"),
        concat!("py", "pi.org"),
        concat!("npm", "js.org"),
        concat!("proxy.go", "lang.org"),
        concat!("arti", "factory"),
    ];
    let folders = [
        "src",
        "steps",
        "tests",
        "docs",
        "fixtures",
        "Cargo.toml",
        "clippy.toml",
        ".gitignore",
    ];
    let tops = ["README.md", "CHANGELOG.md", "LICENSE"]
        .into_iter()
        .filter(|name| root().join(name).exists());
    let all: Vec<File> = folders.into_iter().chain(tops).flat_map(files).collect();
    let lines = all
        .iter()
        .flat_map(|file| file.text.lines().map(move |line| (&file.path, line)));
    let said = lines.filter_map(|(path, line)| {
        words
            .iter()
            .find(|word| line.contains(*word))
            .map(|word| format!("{path}: {word}"))
    });
    assert_eq!(said.collect::<Vec<_>>(), [""; 0]);
}

/// Rust files below `tests/` that no `mod` of their binary names: they are not compiled, and their tests never run.
fn forgotten(files: &[File]) -> Vec<&str> {
    let text = |path: &str| {
        files
            .iter()
            .find(|file| file.path == path)
            .map(|file| &file.text)
    };
    let is_named = |path: &str| {
        let (folder, name) = path.trim_end_matches("/mod.rs").rsplit_once('/')?;
        let line = format!("mod {};", name.trim_end_matches(".rs"));
        let of_folder = ["main.rs", "mod.rs", "lib.rs"].map(|root| format!("{folder}/{root}"));
        let parents = of_folder.into_iter().chain([format!("{folder}.rs")]);
        let mut texts = parents.filter_map(|parent| text(&parent));
        Some(texts.any(|text| text.lines().any(|at| at.trim_start_matches("pub ") == line)))
    };
    let roots = ["/main.rs", "/lib.rs", "tests/common/mod.rs"];
    let modules = files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| path.ends_with(".rs") && !roots.iter().any(|root| path.ends_with(root)));
    modules
        .filter(|path| is_named(path) != Some(true))
        .collect()
}

#[test]
fn no_test_file_is_forgotten() {
    let all = files("tests");
    assert_eq!(forgotten(&all), [""; 0]);
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let planted = [
        file("tests/slow/main.rs", "mod crash;\n"),
        file("tests/slow/crash.rs", ""),
        file("tests/slow/lost.rs", ""),
        file("tests/slow/deep/mod.rs", ""),
        file("tests/alone.rs", ""),
    ];
    assert_eq!(
        forgotten(&planted),
        [
            "tests/slow/lost.rs",
            "tests/slow/deep/mod.rs",
            "tests/alone.rs"
        ]
    );
}
