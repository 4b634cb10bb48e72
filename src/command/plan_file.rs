//! A plan in a file: `plan --out FILE` saves what was shown, and `up FILE` does that and nothing else. The file names the
//! environment, its parameters and its folders of steps, so that `up FILE` needs no other flag. It contains no credentials and no
//! data of Secrets. Only the version of the program that wrote it reads it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::given::AUTHORIZED;
use super::known_environments;
use super::kubefile;
use super::place::NAME_PREFIX;
use super::run_options::RunOptions;
use super::session::Session;
use super::steps_folder;
use crate::cli::Global;
use crate::engine::entry::{Run, StepsFolders, now};
use crate::engine::planned::PlannedSteps;
use crate::engine::state::State;
use crate::error::{CommandError, Exit};
use crate::google::Cloud;
use crate::kinds::Step;
use crate::kinds::own::ClusterIdentity;

/// The format of the file; another number is another format.
const FORMAT: u32 = 1;
/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;
/// The most differences that a refusal lists.
const MOST: usize = 12;

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The number of this format.
    format: u32,
    /// The version of the program that made the plan.
    provision: String,
    /// The time at which it was made.
    at: String,
    /// The environment.
    environment: String,
    /// The project.
    project: String,
    /// Whether `--emulate` was given.
    emulated: bool,
    /// The cloud that was looked at.
    cloud: Option<Cloud>,
    /// The last run that the journal has recorded: a plan is carried out once, and not after any other run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The user's own cluster, where one was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterIdentity>,
    /// The folders of the steps, where they are not the built-in ones.
    folders: StepsFolders,
    /// The last chapter, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The steps whose resources are deleted and created again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<String>,
    /// Whether fields of other field managers are taken over.
    pub force_conflicts: bool,
    /// The parameters that were given, remembered or looked up.
    given: Map<String, Value>,
    /// What the plan says of each step.
    plan: PlannedSteps,
}

impl PlanFile {
    /// The plan that a session has made.
    pub fn new(
        session: &Session,
        options: RunOptions<'_>,
        steps: &[Step],
        plan: PlannedSteps,
    ) -> PlanFile {
        PlanFile {
            format: FORMAT,
            provision: env!("CARGO_PKG_VERSION").to_owned(),
            at: now(),
            environment: session.environment.clone(),
            project: session.project.clone(),
            emulated: session.global.emulate,
            cloud: session.cloud.clone(),
            run: last_run(&session.state).map(|run| run.run.clone()),
            cluster: session.own.as_ref().map(|own| own.identity.clone()),
            folders: steps_folder::folders(&session.source),
            through: options.through.map(str::to_owned),
            replace: options.replace.to_vec(),
            force_conflicts: session.force,
            given: session.given_values(),
            plan: plan.without_data(&secrets(steps)),
        }
    }

    /// Writes the file with mode 0600. It replaces an older plan, and no other file.
    ///
    /// # Errors
    /// Another file has this name; the file system's error.
    pub fn write(&self, path: &Path) -> Result<(), CommandError> {
        let shown = path.display();
        let hint = "name another file with --out";
        if path.exists() && parse(path).is_err() {
            let error = format!("{shown} exists and is not a plan, so it is not replaced");
            return Err(CommandError::usage(error, hint));
        }
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| kubefile::replace(path, (text + "\n").as_bytes()))
            .map_err(|error| CommandError::usage(format!("{shown}: {error}"), hint))
    }

    /// Reads a file that `plan --out` wrote.
    ///
    /// # Errors
    /// The file cannot be read, is no plan, or was made by another version of the program.
    pub fn read(path: &Path) -> Result<PlanFile, CommandError> {
        let shown = path.display();
        let file = parse(path).map_err(|error| {
            let hint = format!(
                "`provision plan --out {shown}` makes a plan; to stop after a chapter, write --through"
            );
            CommandError::usage(format!("{shown}: {error}"), &hint)
        })?;
        let ours = env!("CARGO_PKG_VERSION");
        if (file.format, file.provision.as_str()) != (FORMAT, ours) {
            let theirs = &file.provision;
            let error =
                format!("{shown} was made by another version, provision {theirs}; this is {ours}");
            return Err(CommandError::usage(error, &again(path)));
        }
        Ok(file)
    }

    /// The flags of the run that carries out the plan: the plan's own, and those about output and the state folder of `global`.
    ///
    /// # Errors
    /// A flag of `global` that the plan decides.
    pub fn flags(&self, global: &Global) -> Result<Global, CommandError> {
        let differs = |given: Option<&str>, planned: Option<&str>| {
            given.is_some_and(|given| Some(given) != planned)
        };
        let text = |name: &str| self.given.get(name).and_then(Value::as_str);
        let refused = [
            (
                "--env",
                differs(global.env.as_deref(), Some(&self.environment)),
            ),
            (
                "--project",
                differs(global.project.as_deref(), Some(&self.project)),
            ),
            (
                "--region",
                differs(global.region.as_deref(), text("region")),
            ),
            ("--zone", differs(global.zone.as_deref(), text("zone"))),
            ("--emulate", global.emulate && !self.emulated),
            ("--kubeconfig", global.kubeconfig.is_some()),
            ("--context", global.context.is_some()),
            ("--steps", global.steps.is_some()),
            ("--overlay", global.overlay.is_some()),
            ("--set", !global.set.is_empty()),
            (
                "--authorized-network",
                !global.authorized_network.is_empty(),
            ),
        ];
        if let Some((flag, _)) = refused.into_iter().find(|(_, refused)| *refused) {
            return Err(CommandError::usage(
                format!("{flag} has no effect beside a plan, which has its own value"),
                &format!("remove {flag}, or make another plan with it"),
            ));
        }
        let folder = |folder: &Option<String>| folder.as_ref().map(PathBuf::from);
        let mut flags = Global {
            env: (self.environment != known_environments::DEFAULT)
                .then(|| self.environment.clone()),
            project: Some(self.project.clone()),
            region: None,
            zone: None,
            emulate: self.emulated,
            kubeconfig: self.cluster.as_ref().map(|own| PathBuf::from(&own.file)),
            context: self.cluster.as_ref().map(|own| own.context.clone()),
            steps: folder(&self.folders.steps),
            overlay: folder(&self.folders.overlay),
            ..global.clone()
        };
        for (name, value) in &self.given {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            match (name.as_str(), value) {
                ("project" | NAME_PREFIX, _) => {}
                ("region", _) => flags.region = Some(text),
                ("zone", _) => flags.zone = Some(text),
                (AUTHORIZED, Value::Array(networks)) => {
                    let networks = networks.iter().filter_map(Value::as_str);
                    flags.authorized_network = networks.map(str::to_owned).collect();
                }
                _ => flags.set.push(format!("{name}={text}")),
            }
        }
        Ok(flags)
    }

    /// Checks that no run has begun since, and that a new plan of the same environment says the same. `state` is what the journal has
    /// recorded.
    ///
    /// # Errors
    /// What has moved since the plan was made.
    pub fn require_unmoved(
        &self,
        path: &Path,
        session: &Session,
        state: &State,
        steps: &[Step],
        now: &PlannedSteps,
    ) -> Result<(), CommandError> {
        let mut moved = Vec::new();
        // An emulator of this process has no identity before its first run.
        if !self.emulated && self.cloud != session.cloud {
            let words =
                |cloud: &Option<Cloud>| cloud.as_ref().map_or("no cloud".to_owned(), Cloud::words);
            let (was, is) = (words(&self.cloud), words(&session.cloud));
            moved.push(format!("the plan is for {was}; this run would use {is}"));
        }
        if let Some(last) = last_run(state).filter(|last| Some(&last.run) != self.run.as_ref()) {
            moved.push(format!("`provision {}` ran at {}", last.verb, last.at));
        }
        moved.extend(self.plan.moved(&now.clone().without_data(&secrets(steps))));
        if moved.is_empty() {
            return Ok(());
        }
        let more = moved.len().saturating_sub(MOST);
        let mut errors = vec![format!(
            "{} does not hold any more: something has changed since it was made at {}; nothing was changed now",
            path.display(),
            self.at
        )];
        errors.extend(moved.into_iter().take(MOST));
        errors.extend((more > 0).then(|| format!("and {more} more")));
        Err(CommandError {
            exit: Exit::Failed,
            errors,
            hint: Some(again(path)),
        })
    }
}

/// The last run of an environment of which something may exist.
fn last_run(state: &State) -> Option<&Run> {
    state.last_run.as_ref().filter(|_| state.stands())
}

/// The steps whose objects are Kubernetes Secrets.
fn secrets(steps: &[Step]) -> BTreeSet<String> {
    let is_secret = |step: &&Step| step.at.get("kind").is_some_and(|kind| kind == "Secret");
    let secrets = steps.iter().filter(is_secret);
    secrets.map(|step| step.id.clone()).collect()
}

fn again(path: &Path) -> String {
    let shown = path.display();
    format!(
        "make a new plan with `provision plan --out {shown}`, and read it before `provision up {shown}`"
    )
}

fn parse(path: &Path) -> Result<PlanFile, PlanFileError> {
    let about = fs::metadata(path)?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(PlanFileError::NotAFile);
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Why a file is not a plan.
#[derive(Debug, thiserror::Error)]
enum PlanFileError {
    /// The file system returned an error.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is a folder, a device, or larger than any plan.
    #[error("not a plan")]
    NotAFile,
    /// It has another content.
    #[error("not a plan: {0}")]
    Json(#[from] serde_json::Error),
}
