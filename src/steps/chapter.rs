//! One chapter's file: the chapter itself, then its steps and patches as they are written. References are not resolved here.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::diagnostic::Diagnostics;
use super::fields::Fields;
use super::lookup;
use super::manifest::{self, Manifests};
use super::output::{self, OutputTemplate, is_output};
use super::patch::{self, is_patch};
use super::step_fields::{conditions, is_id, references, texts};
use super::tutorial::{Chapter, Template};
use super::yaml::Node;
use super::{SourceLocation, Step, refs};

const CHAPTER_FIELDS: &[&str] = &["chapter", "title", "says"];
const STEP_FIELDS: &[&str] = &[
    "step", "says", "kind", "at", "want", "from", "needs", "within", "keep", "when", "unless",
    "lookup",
];

/// How long a step without `within` waits. Most resources take seconds; steps for slow ones have a `within`.
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// The longest wait that is accepted. No resource takes longer, so more is a mistake.
const WITHIN_AT_MOST: Duration = Duration::from_secs(6 * 3600);

/// One chapter's file.
pub(super) struct ChapterFile {
    /// The chapter itself.
    pub chapter: Chapter,
    /// Its steps, patches expanded.
    pub templates: Vec<Template>,
    /// Its outputs.
    pub outputs: Vec<OutputTemplate>,
}

/// The chapter, the steps and the outputs of one file. `name` is the file's, without folder and ending.
pub(super) fn read(
    file: &str,
    name: &str,
    documents: &[Node],
    manifests: &Manifests,
    diagnostics: &mut Diagnostics,
) -> Option<ChapterFile> {
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
    let (outputs, rest): (Vec<&Node>, Vec<&Node>) =
        rest.iter().partition(|document| is_output(document));
    let (patches, steps): (Vec<&Node>, Vec<&Node>) =
        rest.into_iter().partition(|document| is_patch(document));
    let steps = steps
        .into_iter()
        .map(|document| read_step(file, &chapter.name, document, manifests, diagnostics))
        .collect();
    let patches: Vec<patch::Patch> = patches
        .into_iter()
        .map(|document| patch::read(file, document, diagnostics))
        .collect();
    let templates = patch::expand(steps, &patches, diagnostics);
    let outputs = outputs
        .into_iter()
        .map(|document| output::read(file, &chapter.name, document, diagnostics))
        .collect();
    Some(ChapterFile {
        chapter,
        templates,
        outputs,
    })
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
    // The number only orders the files. The rest is the chapter's name.
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
    let conditions = conditions(&mut fields);
    let lookup = lookup::read(&mut fields);
    let texts = texts(&mut fields);
    let needs_at: Vec<(SourceLocation, String)> = fields
        .texts("needs")
        .into_iter()
        .map(|(line, need)| (fields.place_at(line), need))
        .collect();
    let mut needs: BTreeSet<String> = needs_at.iter().map(|(_, need)| need.clone()).collect();
    // A reference implies a dependency, so it need not be written twice.
    needs.extend(references(&Value::Object(at.clone())));
    needs.extend(references(&want));
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
        lookup,
        source,
    };
    Template {
        step,
        conditions,
        texts,
        needs_at,
    }
}

/// The step's `want`, or the object of the file that it names. If there are both, `want` is merged into the object.
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
