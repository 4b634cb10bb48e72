//! A plan to read and approve: each change, its reason in the tutorial's words, and its values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use super::table::{WIDTH, folded};
use super::{Paint, plain};
use crate::engine::change::Change;
use crate::engine::event::Event;
use crate::engine::planned::{PlannedStep, PlannedSteps};
use crate::kinds::FieldDiff;
use crate::kinds::Step;
use crate::steps::Chapter;

/// The changes that the steps need.
#[derive(Default)]
pub struct Plan {
    /// What it says of each step.
    pub steps: PlannedSteps,
    /// The steps that are replaced, each with the one because of which it is; none if the user named it.
    pub replaced: BTreeMap<String, Option<String>>,
    /// What would be replaced with each step that differs in a field that cannot be changed; steps that can be replaced have an
    /// entry.
    pub along: BTreeMap<String, String>,
    /// The steps whose resources could not be read.
    pub not_seen: BTreeSet<String>,
    /// The steps that were not looked at because of one that was not seen.
    pub not_asked: BTreeSet<String>,
}

impl Plan {
    /// Processes one event.
    pub fn record(&mut self, event: &Event) {
        self.steps.record(event);
        match event {
            Event::Failed { step, .. } => {
                self.not_seen.insert(step.clone());
            }
            Event::Blocked { step, .. } => {
                self.not_asked.insert(step.clone());
            }
            _ => {}
        }
    }

    /// What a step would do, if it was looked at.
    pub fn change(&self, step: &str) -> Option<&Change> {
        self.steps.0.get(step).map(|found| &found.change)
    }

    /// The resource that a step wants, as far as it is known.
    pub fn want(&self, step: &str) -> Option<&Value> {
        self.steps.0.get(step).map(|found| &found.want)
    }

    /// Whether `up` would change nothing.
    pub fn is_empty(&self) -> bool {
        self.steps
            .0
            .values()
            .all(|found| !found.change.is_difference())
    }

    /// The plan as text.
    pub fn text(&self, chapters: &[Chapter], steps: &[Step], paint: Paint) -> String {
        let mut text = String::new();
        for chapter in chapters {
            let of_chapter = steps.iter().filter(|step| step.chapter == chapter.name);
            let changes: Vec<_> = of_chapter
                .filter_map(|step| Some((step, self.steps.0.get(&step.id)?)))
                .filter(|(_, found)| found.change.is_difference())
                .collect();
            if changes.is_empty() {
                continue;
            }
            let (name, title) = (&chapter.name, &chapter.title);
            text += &paint.strong(name).to_string();
            text += &match name.len() + 2 + title.chars().count() <= WIDTH {
                true => format!("  {title}\n\n"),
                false => format!("\n{}\n", folded("  ", title)),
            };
            for (step, found) in changes {
                self.step(&mut text, step, found, paint);
            }
            separate(&mut text);
        }
        self.unwanted(&mut text, steps, paint);
        text + &self.summary() + "\n"
    }

    /// The resources that no step asks for any more.
    fn unwanted(&self, text: &mut String, steps: &[Step], paint: Paint) {
        let gone = steps.iter().filter(|step| {
            let change = self.change(&step.id);
            step.chapter.is_empty() && change.is_some_and(Change::is_difference)
        });
        let rows: Vec<String> = gone
            .map(|step| format!("  {} {}\n", paint.bad("-"), paint.strong(&step.id)))
            .collect();
        if !rows.is_empty() {
            let title = paint.strong("no step asks for it any more: will be deleted");
            let _ = write!(text, "{title}\n\n{}\n", rows.concat());
        }
    }

    /// The counts of the changes, in one line.
    pub fn summary(&self) -> String {
        let count = |wanted: &dyn Fn(&Change) -> bool| {
            self.steps
                .0
                .values()
                .filter(|found| wanted(&found.change))
                .count()
        };
        let parts = [
            (count(&|c| matches!(c, Change::Create)), "to create"),
            (count(&|c| matches!(c, Change::Replace(_))), "to replace"),
            (count(&|c| matches!(c, Change::Update(_))), "to change"),
            (count(&|c| matches!(c, Change::Delete)), "to delete"),
            (count(&|c| matches!(c, Change::Adopt(_))), "to take over"),
            (
                count(&|c| matches!(c, Change::Fixed(_) | Change::Foreign(_) | Change::Unfit(_))),
                "in the way",
            ),
            (count(&|c| matches!(c, Change::Missing(_))), "missing"),
            (count(&|c| matches!(c, Change::Conflict(_))), "in conflict"),
            (count(&|c| matches!(c, Change::Waits(_))), "known later"),
            (count(&|c| matches!(c, Change::Pending(_))), "to wait for"),
            (count(&|c| matches!(c, Change::None)), "as wanted"),
            (self.not_seen.len(), "not seen"),
            (self.not_asked.len(), "not asked"),
        ];
        let steps = self.steps.0.len() + self.not_seen.len() + self.not_asked.len();
        let said: Vec<String> = parts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{n} {what}"))
            .collect();
        format!("{steps} steps: {}", said.join(", "))
    }

    fn step(&self, text: &mut String, step: &Step, found: &PlannedStep, paint: Paint) {
        let (mark, note) = match &found.change {
            Change::Create => (paint.good("+"), self.along(found).unwrap_or_default()),
            Change::Update(fields) => (
                paint.change("~"),
                if fields.iter().any(|field| field.owner.is_some()) {
                    " takes over fields from other field managers".to_owned()
                } else if found.ours {
                    String::new()
                } else {
                    " (not created by provision: only adds)".to_owned()
                },
            ),
            Change::Delete => (paint.bad("-"), String::new()),
            Change::Fixed(_) if self.along.contains_key(&step.id) => {
                (paint.bad("-/+"), " must be replaced".to_owned())
            }
            Change::Fixed(_) => (
                paint.bad("!"),
                " differs in fields that cannot be changed".to_owned(),
            ),
            Change::Replace(_) => (paint.bad("-/+"), self.why_replaced(&step.id)),
            Change::Conflict(_) => (
                paint.bad("!"),
                " has fields that another field manager owns: refused without --force-conflicts"
                    .to_owned(),
            ),
            Change::Foreign(_) => (
                paint.bad("!"),
                " already exists and was not created by provision".to_owned(),
            ),
            Change::Missing(_) => (
                paint.bad("!"),
                " is looked up and cannot be read".to_owned(),
            ),
            Change::Unfit(_) => (
                paint.bad("!"),
                " is looked up, and is not as this step needs it".to_owned(),
            ),
            Change::Adopt(_) => (
                paint.change("@"),
                " already exists: provision takes it over".to_owned(),
            ),
            Change::Waits(steps) if steps.is_empty() => (
                paint.change("?"),
                " is being created or deleted; run again".to_owned(),
            ),
            Change::Waits(steps) => (
                paint.change("?"),
                format!(" known after {}", steps.join(", ")),
            ),
            Change::Pending(_) => (paint.change("."), " waits".to_owned()),
            Change::None => return,
        };
        // Fifty lines of a cluster are one paragraph.
        if !self.is_along(step, found) {
            separate(text);
        }
        let (id, kind) = (&step.id, step.kind.name());
        let _ = write!(text, "  {mark} {}  {}", paint.strong(id), paint.faint(kind));
        // A note that does not fit in the line goes below.
        if 6 + id.len() + kind.len() + note.len() <= WIDTH {
            let _ = writeln!(text, "{}", paint.faint(&note));
        } else {
            let _ = write!(text, "\n{}", folded("      ", note.trim()));
        }
        // What goes with another resource is not explained again.
        if self.is_along(step, found) {
            return;
        }
        *text += &folded("      ", step.says.trim());
        match &found.change {
            Change::Create => {
                for (path, value) in flat(&found.want) {
                    line(text, &path, &value);
                }
            }
            Change::Pending(why) => line(text, "now", why),
            Change::Missing(missing) => line(text, "now", &missing.why),
            change => {
                for field in change.fields() {
                    line(text, &field.path, &difference(change, field));
                }
            }
        }
        if let Some(along) = self.along.get(&step.id) {
            let how = format!("provision up --replace {}", step.id);
            line(text, "to replace it", &how);
            if !along.is_empty() {
                line(text, "replaced too", along);
            }
        }
        text.push('\n');
    }

    /// Whether a resource is replaced because of another one, and differs in nothing.
    fn is_along(&self, step: &Step, found: &PlannedStep) -> bool {
        let because = self.replaced.get(&step.id);
        let differs = !matches!(&found.change, Change::Replace(fields) if fields.is_empty());
        because.is_some_and(Option::is_some) && !differs
    }

    /// The note of a resource that is replaced.
    fn why_replaced(&self, step: &str) -> String {
        match self.replaced.get(step) {
            Some(Some(because)) => format!(" goes with {because}"),
            _ => " is replaced, because --replace names it".to_owned(),
        }
    }

    /// The note of a resource that its parent's create includes.
    fn along(&self, found: &PlannedStep) -> Option<String> {
        let parent = found.inside.as_ref()?;
        let made = matches!(self.steps.0.get(parent)?.change, Change::Create);
        made.then(|| format!(" (in the same request as {parent})"))
    }
}

/// Ends a paragraph, if it is not ended.
fn separate(text: &mut String) {
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
}

/// The two values of a field, and what its change means.
fn difference(change: &Change, field: &FieldDiff) -> String {
    let forces = match (change, field.fixed) {
        (Change::Fixed(_) | Change::Replace(_), true) => ", forces replacement",
        _ => "",
    };
    let owner = match (&field.owner, change) {
        (None, _) => String::new(),
        (Some(owner), Change::Conflict(_)) => format!(", owned by {owner}"),
        (Some(owner), _) => format!(", taken over from {owner}"),
    };
    let (have, want) = (shown(&field.have), shown(&field.want));
    format!("{have} -> {want}{owner}{forces}")
}

/// A value beside its path; one that does not fit in the line goes below.
fn line(text: &mut String, path: &str, value: &str) {
    let (indent, value) = ("        ", plain(value));
    if indent.len() + path.len() + 2 + value.len() <= WIDTH {
        let _ = writeln!(text, "{indent}{path}  {value}");
    } else {
        let below = format!("{indent}  ");
        let options = textwrap::Options::new(WIDTH)
            .initial_indent(&below)
            .subsequent_indent(&below);
        let _ = writeln!(text, "{indent}{path}\n{}", textwrap::fill(&value, options));
    }
}

/// A body as lines of path and value; a list of scalars stays in one line.
fn flat(value: &Value) -> Vec<(String, String)> {
    fn walk(path: String, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    walk(path, value, out);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for item in items {
                    let key = [
                        "name",
                        "rangeName",
                        "role",
                        "cidrBlock",
                        "networkUrl",
                        "key",
                    ]
                    .iter()
                    .find_map(|key| item.get(key)?.as_str());
                    match (key, item) {
                        // An item that is only a name, or a list with few fields, is most readable in one line.
                        (_, Value::Object(fields)) if fields.values().all(|v| !v.is_object()) => {
                            out.push((path.clone(), pairs(item)))
                        }
                        (Some(key), _) => walk(format!("{path}[{key}]"), item, out),
                        (None, _) => out.push((path.clone(), short(item))),
                    }
                }
            }
            value => out.push((path, short(value))),
        }
    }
    let mut out = Vec::new();
    walk(String::new(), value, &mut out);
    out
}

/// A value in its usual notation; nothing for null and for an empty list.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) if items.is_empty() => "nothing".to_owned(),
        value => short(value),
    }
}

/// A flat object as `field value, field value`.
fn pairs(item: &Value) -> String {
    let fields = item.as_object().into_iter().flatten();
    fields
        .map(|(key, value)| format!("{key} {}", short(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A value in its usual notation: no quotes, lists with spaces, references with the step that they wait for.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => known_after(text),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(" "),
        Value::Object(_) => pairs(value),
        other => other.to_string(),
    }
}

/// `${vpc.selfLink}` as `(selfLink of vpc)`.
fn known_after(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((reference, tail)) = after.split_once('}') else {
            break;
        };
        let (step, field) = reference.split_once('.').unwrap_or((reference, ""));
        let _ = write!(out, "{before}({field} of {step})");
        rest = tail;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_read_as_lines() {
        let body = json!({
            "a": {"b": true}, "c": ["x", "y"], "net": "${vpc.selfLink}",
            "allowed": [{"IPProtocol": "tcp", "ports": ["80", "443"]}],
            "nodePools": [{"name": "gw", "config": {"machineType": "m"}}],
        });
        let lines: Vec<String> = flat(&body)
            .into_iter()
            .map(|(path, value)| format!("{path}={value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "a.b=true",
                "c=x y",
                "net=(selfLink of vpc)",
                "allowed=IPProtocol tcp, ports 80 443",
                "nodePools[gw].name=gw",
                "nodePools[gw].config.machineType=m"
            ]
        );
    }
}
