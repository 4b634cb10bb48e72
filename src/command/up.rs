//! `up`: creates the environment, or continues. If the same run is in progress elsewhere, it is followed.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::allow_list;
use super::asking;
use super::confirm;
use super::doctor;
use super::ending::after_up;
use super::execute::{VerbSpec, change, close};
use super::follow::{self, FollowEnd};
use super::manifests;
use super::output::note;
use super::plan::tasks_of;
use super::plan_file::PlanFile;
use super::planned_snapshot;
use super::preflight::{Allowed, Preflight, preflight};
use super::ranges;
use super::rehearsal;
use super::replace;
use super::run_lock::{self, RunLock};
use super::run_options::RunOptions;
use super::session::{Prepared, Session};
use crate::cli::Global;
use crate::engine::journal::{Journal, JournalError};
use crate::error::{CommandError, Exit};
use crate::kinds::{Kind, Step};

const UP: VerbSpec = VerbSpec {
    name: "up",
    looks_up: true,
};

/// Create the environment, or continue
#[derive(Debug, Args)]
pub struct UpArgs {
    /// A plan that `plan --out` saved: do what it says and nothing else, without a question
    #[arg(value_name = "FILE", conflicts_with_all = ["through", "force_conflicts", "adopt", "keep_going", "replace"])]
    plan: Option<PathBuf>,
    /// Stop after this chapter
    #[arg(long, value_name = "CHAPTER", value_parser = NonEmptyStringValueParser::new())]
    through: Option<String>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Take over fields of Kubernetes objects that another field manager owns
    #[arg(long)]
    force_conflicts: bool,
    /// Take over existing resources with the same names that provision did not create; `down` then removes them
    #[arg(long)]
    adopt: bool,
    /// If some steps cannot be carried out, do the others that do not depend on them
    #[arg(long)]
    keep_going: bool,
    /// Delete and recreate the resource of this step, even if nothing differs, and what uses it; may be repeated
    #[arg(long, value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    replace: Vec<String>,
    /// If the same `up` is already running, follow it, even without a terminal
    #[arg(long)]
    follow: bool,
}

impl UpArgs {
    /// The flags that distinguish one `up` from another, as arguments.
    fn words(&self) -> Vec<String> {
        let through = self.through.iter().map(|name| format!("--through {name}"));
        let adopt = self.adopt.then(|| "--adopt".to_owned());
        let force = self.force_conflicts.then(|| "--force-conflicts".to_owned());
        let replace = self.replace.iter().map(|step| format!("--replace {step}"));
        let keep_going = self.keep_going.then(|| "--keep-going".to_owned());
        let plan = self.plan.iter().map(|path| path.display().to_string());
        plan.chain(through)
            .chain(adopt)
            .chain(force)
            .chain(keep_going)
            .chain(replace)
            .collect()
    }
}

/// Creates what the steps want and does not exist, and changes what differs.
pub async fn up(global: &Global, mut args: UpArgs) -> Result<Exit, CommandError> {
    let path = args.plan.clone();
    let approved = path.as_deref().map(PlanFile::read).transpose()?;
    let global = match &approved {
        Some(plan) => plan.flags(global)?,
        None => global.clone(),
    };
    if let Some(plan) = &approved {
        args.yes = true;
        args.through.clone_from(&plan.through);
        args.replace.clone_from(&plan.replace);
        args.force_conflicts = plan.force_conflicts;
    }
    let mut session = Session::open(&global)?;
    session.force = args.force_conflicts;
    let through = args.through.as_deref();
    confirm::require_confirmation(UP.name, args.yes)?;
    // Bad input is refused before anything is locked, written or sent.
    manifests::check_steps(planned_snapshot::objects_of(&session.steps(through)?.steps))?;
    replace::check(&session, through, &args.replace)?;
    session.open_own_cluster().await?;
    // One run at a time, also for the emulator's state, before any request to the cloud.
    let mut lock = match take_or_follow(&session, &args).await? {
        Ok(lock) => lock,
        Err(exit) => {
            after_up(&session, &session.steps(through)?.steps, exit);
            return Ok(exit);
        }
    };
    if session.own.is_some() {
        // With a read-only emulator: an error here has changed nothing anywhere.
        let looking = session.ready(through, UP.looks_up, false).await?;
        rehearsal::before(&session, &looking, &lock.journal.state, args.adopt).await?;
    }
    let ready = session.ready(through, UP.looks_up, true).await?;
    lock.warn_of_another_machine();
    doctor::before(&session, &ready, args.keep_going).await?;
    allow_list::note_missing(&session, &ready, "this run adds it").await;
    ranges::check(&session, &ready).await?;
    let options = RunOptions {
        through,
        adopt: args.adopt,
        replace: &args.replace,
    };
    let tasks = tasks_of(&session, &ready, &lock.journal.state, options)?;
    let allowed = Allowed {
        yes: args.yes,
        keep_going: args.keep_going,
        approved: approved.as_ref().zip(path.as_deref()),
        replace: &args.replace,
    };
    let looked = preflight(&session, UP, &ready, tasks, &mut lock, allowed).await?;
    if let Preflight::End(exit) = looked {
        return Ok(exit);
    }
    if args.yes {
        asking::warn_of_choices(&session, &ready.steps);
    }
    lock.begin(&session, &ready.steps)?;
    let tasks = tasks_of(&session, &ready, &lock.journal.state, options)?;
    let ended = change(&session, UP, &ready, tasks, &mut lock).await;
    let exit = close(&session, UP, &ended, &lock.journal.state);
    note_unrecorded(&ready, &lock.journal, exit);
    after_up(&session, &ready.steps, exit);
    Ok(exit)
}

/// Locks the environment. If another run holds it and does what this one would, that run is followed: its result is returned, and
/// if it died the environment is ours.
async fn take_or_follow(
    session: &Session,
    args: &UpArgs,
) -> Result<Result<RunLock, Exit>, CommandError> {
    let words = args.words();
    let holder = match RunLock::take(session, UP.name, words.clone()) {
        Ok(lock) => return Ok(Ok(lock)),
        Err(JournalError::Held {
            holder: Some(holder),
        }) => *holder,
        Err(error) => return Err(error.into()),
    };
    let ours = run_lock::run(session, UP.name, words.clone());
    let watched = args.follow || std::io::stderr().is_terminal();
    if !watched || !follow::is_same(&holder, &ours) {
        let same = follow::is_same(&holder, &ours);
        let mut error = CommandError::from(JournalError::Held {
            holder: Some(Box::new(holder)),
        });
        if same {
            error.hint = Some("wait for it, or stop it; there is no lock to remove by hand; it runs the same command, and `provision up --follow` shows its progress".to_owned());
        }
        return Err(error);
    }
    Ok(
        match follow::follow(
            session,
            args.through.as_deref(),
            &args.replace,
            &ours,
            holder,
        )
        .await?
        {
            FollowEnd::Ended(exit) => Err(exit),
            FollowEnd::Free(journal) => Ok(RunLock::of(session, *journal, UP.name, words)),
        },
    )
}

/// Warns about resources that are as wanted but not ours: `down` would leave them, which is wrong if an earlier run created them.
fn note_unrecorded(ready: &Prepared, journal: &Journal, exit: Exit) {
    let is_unrecorded = |step: &&Step| {
        // A resource that is deleted with its holder has its holder's owner; the user's own cluster holds nothing of ours.
        let stays = |kind: Kind| kind.is_in_cluster() && ready.clusters(false).is_own();
        // What is only looked up is nobody's concern here.
        let alone = step.lookup.is_none()
            && step.kind.is_deletable()
            && (step.kind.parent().is_none() || stays(step.kind));
        alone && !journal.state.ours().any(|tracked| tracked.is_of(step))
    };
    let unrecorded: Vec<&str> = ready
        .steps
        .iter()
        .filter(is_unrecorded)
        .map(|step| step.id.as_str())
        .collect();
    if exit == Exit::Done && !unrecorded.is_empty() {
        note(&format!(
            "note: not recorded as created by provision, so `provision down` keeps them: {}; if an earlier run created them, run `provision adopt`",
            unrecorded.join(", ")
        ));
    }
}
