//! One chapter's file: the chapter itself, then its steps as they are written, references still open.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::diagnostic::Diagnostics;
use super::fields::Fields;
use super::manifest::{self, Manifests};
use super::tutorial::{Chapter, Template};
use super::yaml::{Node, Tree, Where};
use super::{SourceLocation, Step, refs};

const CHAPTER_FIELDS: &[&str] = &["chapter", "title", "says"];
const STEP_FIELDS: &[&str] = &[
    "step", "says", "kind", "at", "want", "from", "needs", "within", "keep", "when",
];

/// What a step waits when it says nothing: what is quick at Google takes seconds, and what is slow says so.
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// Nothing takes longer; more is a slip of the pen.
const WITHIN_AT_MOST: Duration = Duration::from_secs(6 * 3600);

/// The chapter and the steps of one file. `name` is the file's, without folder and ending.
pub(super) fn read(
    file: &str,
    name: &str,
    documents: &[Node],
    manifests: &Manifests,
    diagnostics: &mut Diagnostics,
) -> Option<(Chapter, Vec<Template>)> {
    let Some((first, rest)) = documents.split_first() else {
        diagnostics.add(
            &SourceLocation {
                file: file.to_owned(),
                line: 1,
            },
            "an empty file",
        );
        return None;
    };
    let chapter = read_chapter(file, name, first, diagnostics);
    let steps = rest
        .iter()
        .map(|document| read_step(file, &chapter.name, document, manifests, diagnostics))
        .collect();
    Some((chapter, steps))
}

fn read_chapter(file: &str, name: &str, document: &Node, diagnostics: &mut Diagnostics) -> Chapter {
    let mut fields = Fields::of(file, document, CHAPTER_FIELDS, diagnostics);
    let source = fields.place();
    let chapter = Chapter {
        name: fields.text("chapter"),
        title: fields.prose("title"),
        says: fields.prose("says"),
        source: source.clone(),
    };
    // The number in front orders the files; the rest is what the reader calls the chapter.
    match name.split_once('-') {
        Some((number, rest))
            if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) =>
        {
            if !chapter.name.is_empty() && rest != chapter.name {
                fields.complain(
                    source.line,
                    format!("chapter `{}` is in a file named `{rest}`", chapter.name),
                );
            }
        }
        _ => fields.complain(1, "a chapter's file is named NN-CHAPTER.yaml"),
    }
    chapter
}

fn read_step(
    file: &str,
    chapter: &str,
    document: &Node,
    manifests: &Manifests,
    diagnostics: &mut Diagnostics,
) -> Template {
    let mut fields = Fields::of(file, document, STEP_FIELDS, diagnostics);
    let source = fields.place();
    let id = fields.text("step");
    if !id.is_empty() && (!is_id(&id) || id == refs::PARAM) {
        fields.complain(
            source.line,
            format!("`{id}` is not a valid step name: use lowercase letters, digits and `-`"),
        );
    }
    let says = fields.prose("says");
    let kind = fields.text("kind");
    let mut at: Map<String, Value> = fields
        .mapping("at")
        .iter()
        .map(|(k, v)| (k.name.clone(), v.value()))
        .collect();
    let mut want = want(&mut fields, manifests);
    for wrong in manifest::locate(&mut at, &mut want) {
        let line = fields.get("at").map_or(source.line, |node| node.line);
        fields.complain(line, wrong);
    }
    let within = within(&mut fields);
    let keep = fields.flag("keep");
    let when = when(&mut fields);
    let texts = texts(&mut fields);
    let needs_at: Vec<(SourceLocation, String)> = fields
        .texts("needs")
        .into_iter()
        .map(|(line, need)| (fields.place_at(line), need))
        .collect();
    let mut needs: BTreeSet<String> = needs_at.iter().map(|(_, need)| need.clone()).collect();
    // A reference is a need: nobody writes it twice.
    let references = refs::find(&Value::Object(at.clone()))
        .into_iter()
        .chain(refs::find(&want));
    needs.extend(
        references
            .filter(|found| !found.is_param())
            .map(|found| found.step),
    );
    let step = Step {
        id,
        chapter: chapter.to_owned(),
        says,
        kind,
        at,
        want,
        needs,
        within,
        keep,
        source,
    };
    Template {
        step,
        when,
        texts,
        needs_at,
    }
}

/// What is written in the step, or in the file that it names; both, and the step's is merged over the file's.
fn want(fields: &mut Fields<'_>, manifests: &Manifests) -> Value {
    let written = fields.get("want").map(Node::value);
    let Some(node) = fields.get("from") else {
        return written.unwrap_or_else(|| Value::Object(Map::new()));
    };
    let name = fields.text("from");
    let object = if name.is_empty() {
        None
    } else {
        manifests.named(&name, node.line, fields)
    };
    let mut object = object.unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(written) = written {
        fields.mapping("want");
        json::merge(&mut object, &written);
    }
    object
}

fn within(fields: &mut Fields<'_>) -> Duration {
    let Some(node) = fields.get("within") else {
        return WITHIN;
    };
    let text = fields.text("within");
    let duration = text
        .parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|d| Duration::try_from(d).ok());
    match duration.filter(|d| !d.is_zero() && *d <= WITHIN_AT_MOST) {
        Some(duration) => duration,
        None => {
            if !text.is_empty() {
                fields.complain(
                    node.line,
                    format!("`{text}` is not a duration of at most 6h, such as 90s, 30m or 1h"),
                );
            }
            WITHIN
        }
    }
}

fn when(fields: &mut Fields<'_>) -> Vec<(String, Value, SourceLocation)> {
    let mut when = Vec::new();
    for (key, node) in fields.mapping("when") {
        match &node.tree {
            Tree::Scalar(value) if !value.is_null() => {
                when.push((key.name.clone(), value.clone(), fields.place_at(node.line)));
            }
            _ => fields.complain(
                node.line,
                format!(
                    "`when` compares with one value, but this is {}",
                    node.is_a()
                ),
            ),
        }
    }
    when
}

fn texts(fields: &mut Fields<'_>) -> Vec<(SourceLocation, String)> {
    let mut texts = Vec::new();
    let mut found = Vec::new();
    for name in ["at", "want", "needs"] {
        if let Some(node) = fields.get(name) {
            node.texts(&mut |line, text, place| found.push((line, text.to_owned(), place)));
        }
    }
    for (line, text, place) in found {
        if place == Where::Value {
            texts.push((fields.place_at(line), text));
        } else if text.contains("${") {
            fields.complain(
                line,
                format!("a field name cannot contain references: `{text}`"),
            );
        }
    }
    texts
}

fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
