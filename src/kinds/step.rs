//! Steps bound to their kinds. A bound step carries its kind as a value, so that the name is looked up only once. Pure.

use serde_json::Value;

use super::{Kind, outputs, path_template};
use crate::steps::{Diagnostic, Diagnostics, Selection, Tutorial, refs};
use crate::text::did_you_mean;

/// A step whose kind is known.
pub type Step = crate::steps::Step<Kind>;

/// Binds steps to their kinds.
///
/// # Errors
/// Every step whose kind this program does not know, or whose resource's name is too long for its kind.
pub fn bind(selection: Selection) -> Result<Selection<Kind>, Diagnostics> {
    let mut bound = Vec::with_capacity(selection.steps.len());
    let mut diagnostics = Vec::new();
    for step in selection.steps {
        match Kind::named(&step.kind) {
            Some(kind) => {
                diagnostics.extend(too_long(kind, &step));
                bound.push(step.with_kind(kind));
            }
            None => diagnostics.push(unknown(&step)),
        }
    }
    if diagnostics.is_empty() {
        Ok(Selection {
            steps: bound,
            graph: selection.graph,
            outputs: selection.outputs,
        })
    } else {
        Err(Diagnostics(diagnostics))
    }
}

fn unknown(step: &crate::steps::Step) -> Diagnostic {
    let near = did_you_mean(&step.kind, Kind::all().map(|kind| kind.name()));
    Diagnostic::at(
        &step.source,
        format!("{}: unknown kind `{}`{near}", step.id, step.kind),
    )
}

/// The name in the path of a step's resource, if Google would refuse it for its length: with a prefix, a name that is fine in
/// the file may be too long.
fn too_long(kind: Kind, step: &crate::steps::Step) -> Option<Diagnostic> {
    let longest = kind.longest_name()?;
    let key = *path_template::keys(kind.template())
        .iter()
        .rev()
        .find(|key| **key != "project")?;
    let name = step.at.get(key)?.as_str()?;
    // A reference to another step is not filled yet.
    let length = name.chars().count();
    let is_long = length > longest && refs::find(&Value::from(name)).is_empty();
    is_long.then(|| {
        let text = format!(
            "step `{}`: the name `{name}` has {length} characters, {} allows at most {longest}: choose a shorter name or a \
             shorter prefix",
            step.id, step.kind
        );
        Diagnostic::at(&step.source, text)
    })
}

/// Validates what the steps state about kinds: that they exist, where their resources are, and what outputs they have.
pub fn check(tutorial: &Tutorial) -> Result<(), Diagnostics> {
    let mut diagnostics = Vec::new();
    let kind_of = |id: &str| {
        tutorial
            .steps()
            .find(|step| step.id == id)
            .and_then(|step| Kind::named(&step.kind))
    };
    for step in tutorial.steps() {
        let Some(kind) = Kind::named(&step.kind) else {
            diagnostics.push(unknown(step));
            continue;
        };
        let mut complain = |text: String| diagnostics.push(Diagnostic::at(&step.source, text));
        // `up` does not run checks, so a step that needs one would wait forever.
        let is_check = |need: &&String| kind_of(need).is_some_and(|kind| kind.is_check());
        for need in step.needs.iter().filter(is_check) {
            complain(format!(
                "{}: needs the check `{need}`; a check creates nothing",
                step.id
            ));
        }
        let keys = kind.keys();
        let looked_up = step.lookup.iter().flat_map(|lookup| lookup.at.keys());
        for key in looked_up.filter(|key| !keys.contains(&key.as_str())) {
            let near = did_you_mean(key, keys.iter().copied());
            complain(format!(
                "{}: unknown key `{key}` in `lookup`{near}",
                step.id
            ));
        }
        if step.lookup.is_some() && (kind.is_in_cluster() || !kind.is_deletable()) {
            complain(format!(
                "{}: `lookup` is for resources of Google's, and {} is none",
                step.id, step.kind
            ));
        }
        for key in keys.iter().filter(|key| !step.at.contains_key(**key)) {
            complain(format!(
                "{}: `at` has no `{key}`, which {} needs",
                step.id, step.kind
            ));
        }
        for key in step.at.keys().filter(|key| {
            !keys.contains(&key.as_str()) && !kind.optional_keys().contains(&key.as_str())
        }) {
            let near = did_you_mean(key, keys.iter().copied());
            complain(format!("{}: unknown key `{key}` in `at`{near}", step.id));
        }
        let stated = step.want.as_object().into_iter().flatten();
        let fields = kind.fields().unwrap_or_default();
        for (field, _) in
            stated.filter(|(field, _)| !fields.is_empty() && !fields.contains(&field.as_str()))
        {
            let near = did_you_mean(field, fields.iter().copied());
            complain(format!(
                "{}: unknown field `{field}` in `want`{near}",
                step.id
            ));
        }
        let references = refs::find(&step.want)
            .into_iter()
            .chain(refs::find(&Value::Object(step.at.clone())));
        for reference in references.filter(|reference| !reference.is_param()) {
            let field = reference.field.split('.').next().unwrap_or_default();
            if let Some(other) =
                kind_of(&reference.step).filter(|other| !other.outputs().contains(&field))
            {
                let near = did_you_mean(field, other.outputs().iter().copied());
                complain(format!(
                    "{}: `{}` ({}) gives no `{field}`{near}",
                    step.id,
                    reference.step,
                    other.name()
                ));
            }
        }
    }
    for output in tutorial.outputs() {
        let references = refs::find(&output.value).into_iter();
        for reference in references.filter(|reference| !reference.is_param()) {
            let wrong = kind_of(&reference.step)
                .and_then(|kind| outputs::missing_field(kind, &reference.field));
            if let Some(wrong) = wrong {
                let text = format!("{}: `{}`: {wrong}", output.name, reference.step);
                diagnostics.push(Diagnostic::at(&output.source, text));
            }
        }
    }
    if diagnostics.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(diagnostics))
    }
}
