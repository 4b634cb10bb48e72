//! A walk of the documents for users: every command of their fenced blocks is run, in order, by a shell in an empty home.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::{Said, User};
use crate::common::readme::{Block, QUOTED, WALK, Way, as_run, blocks, command, document, install};
use crate::common::rehearsal::Rehearsal;
use crate::common::source::files;
use crate::common::terminal::{COLUMNS, Terminal};

fn is_quote(block: &Block) -> bool {
    let first = block.lines.first().map(String::as_str);
    QUOTED.iter().any(|(line, _)| Some(*line) == first)
}

/// The commands of a document, with the line of their blocks.
fn commands(text: &str) -> Vec<(usize, String)> {
    let of_commands = blocks(text).into_iter().filter(|block| !is_quote(block));
    let lines = of_commands.flat_map(|block| {
        let lines = block.lines.into_iter().map(move |line| (block.line, line));
        lines.map(|(n, line)| (n, command(&line).to_owned()))
    });
    lines.collect()
}

#[test]
fn every_command_of_the_documents_is_run_or_has_its_reason() {
    for (path, rows) in WALK {
        let mut listed = rows.iter().map(|(command, _)| *command);
        for (line, command) in commands(&document(path)) {
            let expected = listed.next();
            assert_eq!(
                Some(command.as_str()),
                expected,
                "{path}: the block at line {line}: the commands in tests/common/readme.rs are others"
            );
        }
        assert_eq!(listed.next(), None, "{path} does not have it any more");
    }
    let text = document("README.md");
    for (first, command) in QUOTED {
        let is_it = |block: &Block| block.lines.first().is_some_and(|line| line == first);
        assert!(blocks(&text).iter().any(is_it), "{first}");
        assert!(text.contains(command), "{command}");
    }
    // Other documents have no commands to type.
    for file in files("docs") {
        if WALK.iter().any(|(path, _)| *path == file.path) {
            continue;
        }
        let typed = blocks(&file.text).into_iter().flat_map(|block| block.lines);
        let is_typed = |line: &String| {
            let words = ["provision ", "cargo ", "kubectl ", "gcloud ", "$ "];
            words.iter().any(|word| line.starts_with(word))
        };
        let found: Vec<String> = typed.filter(is_typed).collect();
        assert_eq!(found, [""; 0], "{}", file.path);
    }
}

#[test]
fn a_walk_of_the_readme() {
    let said = walk("README.md");
    for (first, command) in QUOTED {
        let text = document("README.md");
        let block = blocks(&text)
            .into_iter()
            .find(|block| block.lines.first().is_some_and(|line| line == first));
        let quote = block.unwrap().lines.join("\n");
        let said = &said[*command];
        match quote.contains("   ...") {
            true => has_lines(&quote, said),
            // Colours are for terminals: this was a pipe.
            false => assert!(
                said.out.contains(&quote),
                "{quote}\nis not in\n{}",
                said.out
            ),
        }
    }
}

#[test]
fn a_walk_of_the_rehearsal() {
    walk("docs/rehearsal.md");
}

/// Runs a document's commands in an empty home; what each of them said, if it was not on a terminal.
fn walk(path: &str) -> BTreeMap<&'static str, Said> {
    let user = User::new();
    let bin = user.home().join("bin");
    install(&bin);
    let programs = format!("{}:/usr/bin:/bin", bin.display());
    // A pager would wait for a key.
    let user = user.with("PATH", programs).with("PAGER", "cat");
    let google = Cloud::new();
    let (_, rows) = WALK.iter().find(|(document, _)| *document == path).unwrap();
    let own = rows
        .iter()
        .any(|(command, _)| command.contains("kind-egress"))
        .then(Rehearsal::new);
    if let Some(own) = &own {
        write_kubeconfig(&user, own);
    }
    let mut all = BTreeMap::new();
    for (command, way) in *rows {
        let line = as_run(command);
        match way {
            Way::Ends(code) => {
                let output = shell(&user, &line).output().unwrap();
                let said = Said::of(output, user.home());
                assert_eq!(
                    said.code,
                    Some(*code),
                    "{path}: {command}\n{}\n{}",
                    said.out,
                    said.err
                );
                all.insert(*command, said);
            }
            Way::Asks(code) => on_terminal(shell(&user, &line), command, *code),
            Way::OnGoogle(code) => {
                let mut shell = shell(&user, &line);
                let there = pointed_at(User::new(), google.address());
                let there = there.command(&[]);
                let set = there.get_envs().filter(|(name, _)| *name != "HOME");
                shell.envs(set.filter_map(|(name, value)| Some((name, value?))));
                on_terminal(shell, command, *code);
            }
            Way::WithTools | Way::Never(_) => {}
        }
    }
    all
}

/// A shell that runs a line, as the user.
fn shell(user: &User, line: &str) -> Command {
    let of_user = user.command(&[]);
    let mut shell = Command::new("/bin/bash");
    shell
        .args(["-c", line])
        .env_clear()
        .envs(of_user.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .current_dir(user.home())
        .stdin(std::process::Stdio::null());
    shell
}

/// Runs it on a terminal, and answers its question, if it has one.
fn on_terminal(shell: Command, command: &str, code: i32) {
    let mut terminal = Terminal::run(&shell, COLUMNS, true);
    let mut answered = false;
    while terminal.read() {
        if !answered && terminal.raw().contains("[y/N]") {
            terminal.types(b"yes\n");
            answered = true;
        }
    }
    let ended = terminal.child.wait().unwrap();
    assert_eq!(ended.code(), Some(code), "{command}\n{}", terminal.raw());
    assert_eq!(answered, !command.contains(" plan "), "{command}");
}

/// The user's kubeconfig, with the context that kind would have written.
fn write_kubeconfig(user: &User, own: &Rehearsal) {
    let text = fs::read_to_string(&own.file).unwrap();
    let named = text.replace("\"other\"", "\"kind-egress\"");
    assert_ne!(named, text);
    let folder = user.home().join(".kube");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config"), named).unwrap();
}

/// That each quoted line was said, but for its times, and `...` for others.
fn has_lines(quote: &str, said: &Said) {
    let whole = format!("{}\n{}{}", said.place, said.err, said.out);
    let lines: Vec<String> = whole.lines().map(timeless).collect();
    for line in quote.lines().filter(|line| line.trim() != "...") {
        assert!(
            lines.contains(&timeless(line)),
            "{line}\nis not in\n{whole}"
        );
    }
}

/// A line without the time at its beginning and the one at its end.
fn timeless(line: &str) -> String {
    let is_time =
        |word: &str| word.ends_with('s') && word.starts_with(|c: char| c.is_ascii_digit());
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if words.first().is_some_and(|word| is_time(word)) {
        words.remove(0);
    }
    if let [.., "in", last] = words[..]
        && is_time(last)
    {
        words.truncate(words.len() - 2);
    }
    words.join(" ")
}

#[test]
fn a_second_run_finds_everything_as_wanted_as_the_readme_says() {
    let text = document("README.md");
    assert!(text.contains("A second run prints `80 as wanted`"));
    let user = User::new();
    let up = ["up", "--emulate", "--yes"];
    user.run(&up).ends(0);
    let again = user.run(&up).ends(0);
    assert!(again.out.starts_with("80 as wanted in "), "{}", again.out);
}

/// The commands between backticks in a text: `provision VERB ...`.
fn in_text(text: &str) -> Vec<&str> {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.starts_with("provision ") && !span.contains('\n'))
        .collect()
}

#[test]
fn every_command_in_a_text_has_a_verb_and_flags_that_there_are() {
    let user = User::new();
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut all = files("docs");
    all.extend(files("README.md"));
    let mut found = 0;
    for file in all
        .iter()
        .filter(|file| Path::new(&file.path).extension().is_some())
    {
        for command in in_text(&file.text) {
            let mut words = command.split_whitespace().skip(1);
            let verb = words.next().unwrap_or_default().to_owned();
            // `provision VERB --help` is about all of them.
            if verb == "VERB" {
                continue;
            }
            let help = helps
                .entry(verb.clone())
                .or_insert_with(|| user.run(&[verb.as_str(), "--help"]).ends(0).out);
            for flag in words.filter(|word| word.starts_with("--")) {
                let flag = flag.split(['=', ']', ',']).next().unwrap_or_default();
                assert!(help.contains(flag), "{}: {command}: no {flag}", file.path);
            }
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}
