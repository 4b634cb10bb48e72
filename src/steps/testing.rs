//! A small tutorial for the tests of this module.

use super::load::parse;
use super::source::File;
use super::{Diagnostics, Tutorial};

pub(super) const PARAMS: &str = "param: project\nsays: p\nof: project-id\n---\n\
    param: mode\nsays: m\nof: choice\nchoices: [one, two]\ndefault: one\n---\n\
    param: nets\nsays: n\nof: cidr-list\ndefault: []\n";
pub(super) const FIRST: &str = "chapter: first\ntitle: First\nsays: it begins\n---\n\
    step: a\nsays: s\nkind: k\nat: {project: \"${param.project}\"}\n---\n\
    step: sometimes\nsays: s\nkind: k\nat: {x: y}\nwhen: {mode: two}\n";

/// The second chapter: a header of three lines and a divider, then these lines from line 5.
pub(super) fn with(second: &str) -> Result<Tutorial, String> {
    let second = format!("chapter: second\ntitle: Second\nsays: it goes on\n---\n{second}");
    of_texts(&[
        ("10-first.yaml", FIRST),
        ("20-second.yaml", &second),
        ("params.yaml", PARAMS),
    ])
    .map_err(|diagnostics| diagnostics.to_string().replace("steps/20-second.yaml", "2"))
}

pub(super) const STEP: &str = "step: b\nsays: s\nkind: k\nat: {z: z}\n";

/// The tutorial of a folder with these files.
pub(super) fn of_texts(files: &[(&str, &str)]) -> Result<Tutorial, Diagnostics> {
    let file = |(name, text): &(&str, &str)| File {
        name: (*name).to_owned(),
        shown: format!("steps/{name}"),
        text: (*text).to_owned(),
    };
    parse(&files.iter().map(file).collect::<Vec<_>>())
}
