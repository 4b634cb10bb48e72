//! The state that a journal's records add up to, case by case.

use super::entry::FORMAT;
use super::entry::{ChangeVerb, Entry, LeftBehind, Run};
use super::state::*;
use crate::kinds::ResourceId;
use serde_json::json;

fn network(name: &str) -> ResourceId {
    let at = json!({"project": "p", "network": name});
    ResourceId {
        kind: "compute.network".to_owned(),
        at: at.as_object().unwrap().clone(),
    }
}

fn run() -> Entry {
    Entry::Run(Box::new(Run {
        at: String::new(),
        format: FORMAT,
        run: String::new(),
        verb: "up".to_owned(),
        pid: 1,
        program: String::new(),
        host: String::new(),
        asked: Vec::new(),
        emulated: true,
        cloud: None,
        folders: Default::default(),
        kept: Vec::new(),
        cluster: None,
        given: Default::default(),
    }))
}

fn adopted(parts: &[&str]) -> Entry {
    Entry::Adopted {
        at: String::new(),
        step: "s".to_owned(),
        resource: network("n"),
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        why: String::new(),
    }
}

fn intent(verb: ChangeVerb, request: &str, parts: &[&str], inside: &[ResourceId]) -> Entry {
    Entry::Intent {
        at: String::new(),
        step: "s".to_owned(),
        resource: network("n"),
        verb,
        request: request.to_owned(),
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        inside: inside.to_vec(),
    }
}

fn done() -> Entry {
    Entry::Done {
        at: String::new(),
        key: network("n").key(),
        took: 1,
    }
}

fn failed(left: LeftBehind) -> Entry {
    Entry::Failed {
        at: String::new(),
        key: network("n").key(),
        message: String::new(),
        left,
    }
}

/// The state after these entries: `ours` or `-`, then what is open.
fn said(entries: &[Entry]) -> String {
    let mut state = State::default();
    for entry in entries {
        if let Err(illegal) = state.take(entry) {
            return format!("illegal: {illegal}");
        }
    }
    let Some(tracked) = state.get(&network("n").key()) else {
        return "nothing".to_owned();
    };
    let ours = if tracked.is_ours() { "ours" } else { "-" };
    let parts = tracked.our_parts().join(",");
    let open = tracked.open.as_ref().map_or("", |open| open.verb.word());
    [ours, &parts, open]
        .iter()
        .filter(|word| !word.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn lines_add_up_to_whose_it_is_and_what_is_open() {
    use ChangeVerb::{Create, Delete, Update};
    let make = || intent(Create, "1", &[], &[]);
    let remove = || intent(Delete, "2", &[], &[]);
    let cases: Vec<(Vec<Entry>, &str)> = vec![
        (vec![run()], "nothing"),
        (vec![make()], "illegal: a record before the first run"),
        (vec![run(), make()], "ours create"),
        (vec![adopted(&[])], "illegal: a record before the first run"),
        (vec![run(), adopted(&[])], "ours"),
        (
            vec![run(), adopted(&["a"]), adopted(&["b", "a"])],
            "ours a,b",
        ),
        (vec![run(), adopted(&[]), remove(), done()], "-"),
        (
            vec![run(), make(), failed(LeftBehind::Nothing), adopted(&[])],
            "ours",
        ),
        (vec![run(), make(), make()], "ours create"),
        (vec![run(), make(), done()], "ours"),
        (vec![run(), make(), failed(LeftBehind::Nothing)], "-"),
        (vec![run(), make(), failed(LeftBehind::Something)], "ours"),
        (vec![run(), make(), failed(LeftBehind::Unknown)], "ours"),
        (vec![run(), make(), done(), remove()], "ours delete"),
        (vec![run(), make(), done(), remove(), done()], "-"),
        (
            vec![run(), make(), done(), remove(), failed(LeftBehind::Nothing)],
            "ours",
        ),
        (
            vec![
                run(),
                make(),
                done(),
                remove(),
                failed(LeftBehind::Something),
            ],
            "ours",
        ),
        (vec![run(), intent(Update, "1", &[], &[]), done()], "-"),
        (
            vec![run(), intent(Create, "1", &["a", "b"], &[])],
            "ours a,b create",
        ),
        (
            vec![run(), intent(Update, "1", &["a"], &[]), done()],
            "ours a",
        ),
        (
            vec![
                run(),
                intent(Update, "1", &["a"], &[]),
                done(),
                intent(Delete, "2", &["a"], &[]),
                done(),
            ],
            "-",
        ),
    ];
    for (entries, expected) in cases {
        assert_eq!(said(&entries), expected, "{entries:#?}");
    }
}

#[test]
fn what_cannot_happen_is_refused() {
    use ChangeVerb::{Create, Delete};
    for entries in [
        vec![run(), done()],
        vec![run(), failed(LeftBehind::Nothing)],
        vec![run(), intent(Create, "1", &[], &[]), done(), done()],
        vec![
            run(),
            intent(Create, "1", &[], &[]),
            intent(Create, "2", &[], &[]),
        ],
        vec![
            run(),
            intent(Create, "1", &[], &[]),
            intent(Delete, "1", &[], &[]),
        ],
    ] {
        assert!(said(&entries).starts_with("illegal"), "{entries:#?}");
    }
}

#[test]
fn what_comes_along_comes_and_goes_with_it() {
    let inner = [network("inner")];
    let mut state = State::default();
    for entry in [run(), intent(ChangeVerb::Create, "1", &[], &inner), done()] {
        state.take(&entry).unwrap();
    }
    assert!(state.is_ours(&inner[0].key()));
    for entry in [intent(ChangeVerb::Delete, "2", &[], &inner), done()] {
        state.take(&entry).unwrap();
    }
    assert!(!state.is_ours(&inner[0].key()));
    assert_eq!(state.ours().count(), 0);
}

#[test]
fn an_open_creation_goes_with_what_it_was_in() {
    let inner = network("inner");
    let begun = Entry::Intent {
        at: String::new(),
        step: "inner".into(),
        resource: inner.clone(),
        verb: ChangeVerb::Create,
        request: "2".into(),
        parts: vec!["p".into()],
        inside: Vec::new(),
    };
    let mut state = State::default();
    let made = [
        run(),
        intent(ChangeVerb::Create, "1", &[], &[]),
        done(),
        begun,
    ];
    for entry in made {
        state.take(&entry).unwrap();
    }
    assert!(state.is_ours(&inner.key()));
    for entry in [intent(ChangeVerb::Delete, "3", &[], &[inner]), done()] {
        state.take(&entry).unwrap();
    }
    assert_eq!(state.ours().count(), 0);
}
