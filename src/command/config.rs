//! `config`: every value that a run would use, and where it comes from; on request, a remembered value is forgotten. Nothing in
//! the cloud is read or changed.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use super::given::AUTHORIZED;
use super::given::{GivenValue, ValueSource, remembered};
use super::output::{columns_of_stdout, say};
use super::place;
use super::run_lock::RunLock;
use super::session::Session;
use super::steps_folder;
use crate::cli::Global;
use crate::engine::entry::{Entry, StepsFolders, now};
use crate::error::{CommandError, Exit};
use crate::text::did_you_mean;
use crate::ui::json_line;
use crate::ui::table::{columns, with_text};

/// The name of the folder of steps among the values.
const STEPS: &str = "steps";
/// The same of the folder that is laid over it.
const OVERLAY: &str = "overlay";

/// Show every parameter with its value and its source
///
/// The sources are, in this order: a flag, a value remembered from the run of an environment that still exists, a variable of the
/// environment, gcloud's configuration file, the default.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Forget the remembered value of this parameter; the next `up` uses the default. `steps` and `overlay`
    /// forget these folders
    #[arg(long, value_name = "NAME")]
    unset: Option<String>,
}

/// One row: a name, its value if it has one, and its source.
struct Row {
    name: String,
    value: Option<Value>,
    source: String,
}

/// Shows the values, or forgets one.
pub async fn config(global: &Global, args: ConfigArgs) -> Result<Exit, CommandError> {
    let session = Session::open(global)?;
    if let Some(name) = &args.unset {
        return unset(&session, name);
    }
    let rows = rows(&session)?;
    if session.json() {
        for row in rows {
            let line = json!({"name": row.name, "value": row.value, "from": row.source});
            say(&json_line(&line));
        }
        return Ok(Exit::Done);
    }
    let mut table = vec![["NAME", "VALUE", "FROM"].map(str::to_owned).to_vec()];
    table.extend(rows.into_iter().map(|row| {
        let value = row.value.as_ref().map_or_else(|| "-".to_owned(), text);
        vec![row.name, value, row.source]
    }));
    say(&match columns_of_stdout() {
        Some(width) => with_text(&table, width),
        None => columns(&table),
    });
    Ok(Exit::Done)
}

/// Every value in the order of the parameters; then what is remembered for other steps.
fn rows(session: &Session) -> Result<Vec<Row>, CommandError> {
    let given = session.given();
    let resolved = session.resolved().ok();
    let folders = steps_folder::folders(&session.source);
    let environment = GivenValue::new(
        session.environment.clone(),
        match session.environment.as_str() {
            super::known_environments::DEFAULT => ValueSource::Default,
            _ => ValueSource::Flag("--env"),
        },
    );
    let mut rows = vec![
        Row::of("environment", &environment),
        Row {
            name: STEPS.to_owned(),
            value: Some(
                folders
                    .steps
                    .map_or_else(|| "the program's own".into(), Value::from),
            ),
            source: folder_source(
                session,
                session.global.steps.is_some(),
                "--steps",
                |folders| &folders.steps,
            ),
        },
    ];
    if let Some(overlay) = folders.overlay {
        rows.push(Row {
            name: OVERLAY.to_owned(),
            value: Some(overlay.into()),
            source: folder_source(
                session,
                session.global.overlay.is_some(),
                "--overlay",
                |f| &f.overlay,
            ),
        });
    }
    let params = session.tutorial.params.iter();
    for param in params.filter(|param| param.name != place::NAME_PREFIX) {
        rows.push(match given.get(&param.name) {
            Some(given) => Row::of(&param.name, given),
            None if param.name == AUTHORIZED && session.is_by_name() => Row {
                name: param.name.clone(),
                value: Some(Value::Array(Vec::new())),
                source: "nobody needs the address with endpoint=dns".to_owned(),
            },
            None if param.name == AUTHORIZED => Row {
                name: param.name.clone(),
                value: None,
                source: "this machine's public address, which each run looks up".to_owned(),
            },
            None => Row {
                name: param.name.clone(),
                value: resolved
                    .as_ref()
                    .and_then(|params| params.get(&param.name).cloned()),
                source: ValueSource::Default.words(),
            },
        });
    }
    for (name, value) in remembered(&session.state) {
        let shown = rows.iter().any(|row| row.name == name);
        if !shown && name != AUTHORIZED && name != place::NAME_PREFIX {
            let source = format!("{}; these steps do not use it", value.source.words());
            rows.push(Row {
                name,
                value: Some(value.value),
                source,
            });
        }
    }
    Ok(rows)
}

impl Row {
    fn of(name: &str, given: &GivenValue) -> Row {
        Row {
            name: name.to_owned(),
            value: Some(given.value.clone()),
            source: given.source.words(),
        }
    }
}

/// Where a folder of steps comes from.
fn folder_source(
    session: &Session,
    by_flag: bool,
    flag: &'static str,
    of: impl Fn(&StepsFolders) -> &Option<String>,
) -> String {
    let last = session
        .state
        .last_run
        .as_ref()
        .filter(|_| session.state.stands());
    let source = match (by_flag, last) {
        (true, _) => ValueSource::Flag(flag),
        (false, Some(last)) if of(&last.folders).is_some() => {
            ValueSource::Remembered(last.at.clone())
        }
        (false, _) => ValueSource::Default,
    };
    source.words()
}

/// Forgets a remembered value: a record of a run without it, which the next run continues from.
fn unset(session: &Session, name: &str) -> Result<Exit, CommandError> {
    let last = session
        .state
        .last_run
        .as_ref()
        .filter(|_| session.state.stands());
    let mut values: BTreeMap<String, Value> = remembered(&session.state)
        .into_iter()
        .map(|(name, given)| (name, given.value))
        .collect();
    let mut folders = last.map(|last| last.folders.clone()).unwrap_or_default();
    let folder = match name {
        STEPS => folders.steps.take(),
        OVERLAY => folders.overlay.take(),
        _ => None,
    };
    let is_remembered = values.contains_key(name) || folder.is_some();
    if !is_remembered {
        let known = session.tutorial.params.iter().map(|param| &*param.name);
        let known: Vec<&str> = known.chain([STEPS, OVERLAY]).collect();
        let near = match known.contains(&name) {
            true => String::new(),
            false => did_you_mean(name, known),
        };
        return Err(CommandError::usage(
            format!("--unset {name}: no value of this name is remembered{near}"),
            "`provision config` lists the values and their sources",
        ));
    }
    if name == "project" || place::is_place(name) {
        return Err(CommandError::usage(
            format!("--unset {name}: the environment exists there"),
            "run `provision down` first, or create another environment with --env NAME",
        ));
    }
    values.remove(name);
    let mut lock = RunLock::take(session, "config", Vec::new())?;
    let mut run = lock.run.clone();
    run.given = values.into_iter().collect();
    run.cloud = last.and_then(|last| last.cloud.clone());
    run.cluster = last.and_then(|last| last.cluster.clone());
    run.folders = folders;
    lock.journal.write(&Entry::Run(Box::new(run)))?;
    let (at, how) = (now(), "done".to_owned());
    lock.journal.write(&Entry::End { at, how })?;
    if !session.json() {
        say(&format!(
            "{name} is forgotten: the next `provision up` uses the default\n"
        ));
    }
    Ok(Exit::Done)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
