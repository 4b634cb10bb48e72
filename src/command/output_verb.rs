//! `output`: values of the environment that people and other programs ask for, such as the addresses of the NAT. The steps declare
//! them; they are read from the live resources. Nothing is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value, json};

use super::output::{note, say};
use super::session::{Prepared, Session};
use crate::cli::Global;
use crate::engine::absence::proves_absence_of;
use crate::error::{CommandError, Exit};
use crate::google::NoWatch;
use crate::kinds::{Clients, ResourceId, Step, outputs};
use crate::steps::{Output, refs};
use crate::text::nearest;
use crate::ui::json_line;
use crate::ui::table::columns;

/// Print values of the environment: addresses of the NAT, the cluster's endpoint, names
///
/// The values are read from the live resources. A list is printed with one item per line if its name is given.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Print only the value of this output
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
}

/// The value of an output, or why it has none.
enum OutputValue {
    /// The value.
    Here(Value),
    /// The resource that it is read from exists, and gives an empty list or nothing.
    Empty,
    /// The resource of this step does not exist.
    Absent(String),
}

/// Prints all outputs, or the value of one.
pub async fn output(global: &Global, args: OutputArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(global)?;
    let mut wanted = session.steps(None)?.outputs;
    if let Some(name) = &args.name {
        let names: Vec<String> = wanted.iter().map(|output| output.name.clone()).collect();
        wanted.retain(|output| output.name == *name);
        if wanted.is_empty() {
            return Err(unknown(name, &names));
        }
    }
    let ready = session.ready(None, false, false).await?;
    let values = read(&session, &ready, &wanted).await?;
    let named = wanted.iter().zip(values);
    if session.json() {
        let lines = named.map(|(output, value)| json_line(&line(output, &value)));
        say(&lines.collect::<String>());
        return Ok(Exit::Done);
    }
    if args.name.is_some() {
        for (output, value) in named {
            bare(output, value)?;
        }
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = named
        .map(|(output, value)| vec![output.name.clone(), cell(output, &value)])
        .collect();
    say(&columns(&rows));
    Ok(Exit::Done)
}

fn unknown(name: &str, names: &[String]) -> CommandError {
    let near = nearest(name, names.iter().map(String::as_str));
    let meant = near
        .first()
        .map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
    let hint = match names {
        [] => "the steps declare no outputs".to_owned(),
        names => format!("use one of {}", names.join(", ")),
    };
    CommandError::usage(format!("unknown output `{name}`{meant}"), &hint)
}

/// Reads the value of each output. Each resource is read once.
async fn read(
    session: &Session,
    ready: &Prepared,
    wanted: &[Output],
) -> Result<Vec<OutputValue>, CommandError> {
    let clients = Clients {
        client: ready.client.clone(),
        watch: Arc::new(NoWatch),
        clusters: ready.clusters(false),
    };
    let mut seen: BTreeMap<&str, Option<Value>> = BTreeMap::new();
    let mut values = Vec::new();
    for output in wanted {
        let mut fields: BTreeMap<refs::Ref, Value> = BTreeMap::new();
        let mut absent = None;
        for reference in refs::find(&output.value) {
            let step = ready.steps.iter().find(|step| step.id == reference.step);
            let Some(step) = step else { continue };
            let failed = |error: crate::google::ApiError| CommandError {
                exit: Exit::Failed,
                errors: vec![format!(
                    "cannot read {} for {}: {error}",
                    step.id, output.name
                )],
                hint: error.hint(),
            };
            let at = placed(step, &ready.steps);
            if !seen.contains_key(step.id.as_str()) {
                let live = match outputs::read(&clients, step.kind, &at).await {
                    Err(error) if proves_absence_of(&error, &session.state, step) => None,
                    live => live.map_err(failed)?,
                };
                seen.insert(&step.id, live);
            }
            let Some(Some(live)) = seen.get(step.id.as_str()) else {
                absent = Some(step.id.clone());
                continue;
            };
            let value = outputs::value(&clients, step.kind, &at, live, &reference.field).await;
            if let Some(value) = value.map_err(failed)? {
                fields.insert(reference, value);
            }
        }
        let filled = refs::fill(&output.value, &|reference| fields.get(reference).cloned());
        values.push(match (absent, filled) {
            (Some(step), _) => OutputValue::Absent(step),
            (None, Ok(value)) if !is_empty(&value) => OutputValue::Here(value),
            (None, _) => OutputValue::Empty,
        });
    }
    Ok(values)
}

/// The place of a step's resource, with the names of other resources in it.
fn placed(step: &Step, steps: &[Step]) -> Map<String, Value> {
    let known = |reference: &refs::Ref| {
        let other = steps.iter().find(|step| step.id == reference.step)?;
        ResourceId::new(other.kind, other.at.clone()).predict(&reference.field)
    };
    match refs::fill(&Value::Object(step.at.clone()), &known) {
        Ok(Value::Object(at)) => at,
        _ => step.at.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The items of a value, as texts.
fn items(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(items).collect(),
        other => vec![other.to_string()],
    }
}

fn none(output: &Output) -> &str {
    output
        .none
        .as_deref()
        .unwrap_or("the resource has no such value")
}

fn cell(output: &Output, value: &OutputValue) -> String {
    match value {
        OutputValue::Here(value) => items(value).join(", "),
        OutputValue::Empty => format!("none: {}", none(output)),
        OutputValue::Absent(step) => format!("none: {step} does not exist"),
    }
}

fn line(output: &Output, value: &OutputValue) -> Value {
    let mut line = json!({"output": output.name, "value": null, "says": output.says});
    match value {
        OutputValue::Here(value) => line["value"] = value.clone(),
        OutputValue::Empty => line["none"] = none(output).into(),
        OutputValue::Absent(step) => line["none"] = format!("{step} does not exist").into(),
    }
    line
}

/// Prints the value alone, for a shell.
fn bare(output: &Output, value: OutputValue) -> Result<(), CommandError> {
    match value {
        OutputValue::Here(value) => say(&(items(&value).join("\n") + "\n")),
        OutputValue::Empty => note(&format!("note: {} is empty: {}", output.name, none(output))),
        OutputValue::Absent(step) => {
            return Err(CommandError::failed(
                format!("{}: {step} does not exist yet", output.name),
                "`provision up` creates it",
            ));
        }
    }
    Ok(())
}
