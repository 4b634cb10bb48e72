//! What can be shown without changing anything: the tutorial as this program knows it, and the state of each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::json;

use super::say;
use crate::cli::{Global, Output};
use crate::engine::change::Change;
use crate::engine::event::Event;
use crate::engine::state::State;
use crate::error::{CommandError, Exit};
use crate::kinds::{self, Kind};
use crate::steps::{Source, Step, Tutorial};
use crate::ui::json_line;
use crate::ui::table::columns;

/// Prints the tutorial: as a list, as JSON a step a line, as a document, or as a graph.
pub fn steps(global: &Global, markdown: bool, dot: bool) -> Result<Exit, CommandError> {
    let source = global.steps.clone().map_or(Source::Embedded, Source::Dir);
    let tutorial = Tutorial::load(&source)?;
    say(&match (markdown, dot, global.output) {
        (true, _, _) => document(&tutorial),
        (_, true, _) => graph(&tutorial),
        (_, _, Output::Json) => tutorial
            .steps()
            .map(|step| json_line(&line(step)))
            .collect(),
        (_, _, Output::Text) => list(&tutorial),
    });
    Ok(Exit::Done)
}

fn line(step: &Step) -> serde_json::Value {
    json!({
        "id": step.id, "chapter": step.chapter, "kind": step.kind, "says": step.says.trim(),
        "at": step.at, "want": step.want, "needs": step.needs, "keep": step.keep, "source": step.source.to_string(),
    })
}

fn list(tutorial: &Tutorial) -> String {
    let mut text = String::new();
    for chapter in &tutorial.chapters {
        let _ = writeln!(text, "{}  {}", chapter.name, chapter.title);
        let rows: Vec<Vec<String>> = tutorial
            .steps()
            .filter(|step| step.chapter == chapter.name)
            .map(|step| vec![format!("  {}", step.id), step.kind.clone()])
            .collect();
        text += &columns(&rows);
        text.push('\n');
    }
    text += "parameters (--set NAME=VALUE)\n";
    let rows: Vec<Vec<String>> = tutorial
        .params
        .iter()
        .map(|param| {
            let default = param.default.as_ref().map_or_else(String::new, |default| {
                default
                    .as_str()
                    .map_or_else(|| default.to_string(), str::to_owned)
            });
            vec![format!("  {}", param.name), param.of.is(), default]
        })
        .collect();
    text + &columns(&rows)
}

/// The tutorial as a document; `docs/tutorial.md` is this.
fn document(tutorial: &Tutorial) -> String {
    let mut text =
        "# The tutorial, as this program carries it out\n\nMade by `provision steps --markdown`.\n"
            .to_owned();
    for chapter in &tutorial.chapters {
        let _ = write!(
            text,
            "\n## {}: {}\n\n{}\n",
            chapter.name,
            chapter.title,
            chapter.says.trim()
        );
        for step in tutorial.steps().filter(|step| step.chapter == chapter.name) {
            let path = Kind::named(&step.kind).map_or("", |kind| kind.template());
            let want = serde_json::to_string_pretty(&step.want).unwrap_or_default();
            let _ = write!(
                text,
                "\n### {}\n\n{}\n\n`{}` at `{path}`",
                step.id,
                step.says.trim(),
                step.kind
            );
            if !step.needs.is_empty() {
                let _ = write!(
                    text,
                    ", after {}",
                    step.needs.iter().cloned().collect::<Vec<_>>().join(", ")
                );
            }
            let _ = write!(text, "\n\n```json\n{want}\n```\n");
        }
    }
    text += "\n## Parameters\n\n| name | what | default |\n|---|---|---|\n";
    for param in &tutorial.params {
        let default = param.default.as_ref().map_or_else(String::new, |default| {
            format!(
                "`{}`",
                default
                    .as_str()
                    .map_or_else(|| default.to_string(), str::to_owned)
            )
        });
        let _ = writeln!(
            text,
            "| {} | {} ({}) | {default} |",
            param.name,
            param.says.trim(),
            param.of.is()
        );
    }
    text
}

fn graph(tutorial: &Tutorial) -> String {
    let mut text = "digraph tutorial {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (index, chapter) in tutorial.chapters.iter().enumerate() {
        let _ = writeln!(
            text,
            "  subgraph cluster_{index} {{\n    label=\"{}\";",
            chapter.name
        );
        for step in tutorial.steps().filter(|step| step.chapter == chapter.name) {
            let _ = writeln!(text, "    \"{}\";", step.id);
        }
        text += "  }\n";
    }
    for step in tutorial.steps() {
        for need in &step.needs {
            let _ = writeln!(text, "  \"{need}\" -> \"{}\";", step.id);
        }
    }
    text + "}\n"
}

/// Each step: live, ours, open since; then what is ours and no step speaks of.
pub fn status(steps: &[kinds::Step], heard: &[Event], state: &State, as_json: bool) -> String {
    let mut live: BTreeMap<&str, &str> = BTreeMap::new();
    // What somebody else made anew under the name of ours is not ours.
    let mut anothers: BTreeSet<&str> = BTreeSet::new();
    for event in heard {
        match event {
            Event::Looked {
                step, change, ours, ..
            } => {
                if !ours && !matches!(change, Change::Create) {
                    anothers.insert(step);
                }
                live.insert(step, word(change))
            }
            Event::Failed { step, .. } => live.insert(step, "not seen"),
            Event::Blocked { step, .. } => live.insert(step, "not asked"),
            _ => continue,
        };
    }
    let tracked = |step: &kinds::Step| {
        state
            .things
            .iter()
            .rev()
            .find(|tracked| tracked.is_of(step))
    };
    let mut rows = vec![
        ["STEP", "KIND", "LIVE", "OURS", "OPEN SINCE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for step in steps {
        let tracked = tracked(step);
        let open = tracked.and_then(|tracked| tracked.open.as_ref());
        rows.push(vec![
            step.id.clone(),
            step.kind.name().to_owned(),
            live.get(step.id.as_str())
                .copied()
                .unwrap_or("not asked")
                .to_owned(),
            if tracked.is_some_and(|tracked| tracked.is_ours())
                && !anothers.contains(step.id.as_str())
            {
                "ours"
            } else {
                "-"
            }
            .to_owned(),
            open.map_or_else(
                || "-".to_owned(),
                |open| format!("{} {}", open.verb.word(), open.since),
            ),
        ]);
    }
    for tracked in state
        .ours()
        .filter(|tracked| !steps.iter().any(|step| tracked.is_of(step)))
    {
        let thing = &tracked.thing;
        rows.push(
            [
                thing.short(),
                thing.kind.clone(),
                "no step".to_owned(),
                "ours".to_owned(),
                "-".to_owned(),
            ]
            .to_vec(),
        );
    }
    if !as_json {
        return columns(&rows);
    }
    let objects = rows[1..].iter().map(|row| {
        let open = (row[4] != "-").then(|| row[4].clone());
        json!({"step": row[0], "kind": row[1], "live": row[2], "ours": row[3] == "ours", "open": open})
    });
    objects.map(|object| json_line(&object)).collect()
}

fn word(change: &Change) -> &'static str {
    match change {
        Change::None => "as wanted",
        Change::Create => "absent",
        Change::Update(_) | Change::Fixed(_) | Change::Foreign(_) | Change::Adopt(_) => "differs",
        Change::Conflict(_) => "in conflict",
        Change::Delete => "there",
        Change::Waits(_) => "not known",
        Change::Pending(_) => "waits",
    }
}
