//! What every verb needs: the tutorial with its parameters, the journal, and the client for Google or the emulator.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::embedded::{self, Embedded};
use super::given::{self, AUTHORIZED, Given, GivenValue, ValueSource};
use super::known_environments;
use super::output::note;
use super::own_cluster::{self, RequestedCluster};
use super::place;
use super::target::{self, TargetFlags};
use super::{identity, set_flags, steps_folder};
use crate::cli::{ColorChoice, Global, Output};
use crate::engine::entry::StepsFolders;
use crate::engine::journal::{Journal, JournalError};
use crate::engine::patience;
use crate::engine::state::State;
use crate::error::{CommandError, Exit};
use crate::google::{
    Api, Auth, Client, Cloud, Endpoints, Environment, Identity, address, process_env,
};
use crate::kinds::Step;
use crate::kinds::own::OwnCluster;
use crate::kinds::{self, Clusters, Kind, cluster_endpoint};
use crate::recording::Recorder;
use crate::steps::graph::Graph;
use crate::steps::{Params, Selection, Source, Tutorial};
use crate::ui::Paint;

/// What a verb needs before it reads any step.
pub struct Session {
    /// The flags.
    pub global: Global,
    /// The tutorial.
    pub tutorial: Tutorial,
    /// Where the steps come from.
    pub source: Source,
    /// The environment's name.
    pub environment: String,
    /// The project.
    pub project: String,
    /// The folder of the environment's journal.
    pub folder: PathBuf,
    /// The state file of the project's emulator, which its environments share.
    emulator_file: PathBuf,
    /// The journal's state at the start of the verb.
    pub state: State,
    /// Whether fields of Kubernetes objects are taken over from other field managers.
    pub force: bool,
    /// How long a deletion is tried at least that something of Google's prevents.
    pub deletion_patience: Duration,
    /// The colours for stdout and for stderr.
    pub paint: (Paint, Paint),
    /// The user's own cluster that replaces the emulated one, where one is requested.
    pub requested_cluster: Option<RequestedCluster>,
    /// The same cluster, once it has answered.
    pub own: Option<OwnCluster>,
    /// The cloud that this run changes, once it is known.
    pub cloud: Option<Cloud>,
    /// Whose credentials this run uses, once they are known; none where the cloud asks for none.
    pub identity: Option<Identity>,
    /// Whether credentials that do not work are no error here, because the command tells it itself.
    pub checks_credentials: bool,
    /// Project, region, zone and parameters that the user gave, now or in the last run.
    given: Given,
    /// Where the exchanges with Google and with clusters are recorded, if they are.
    recorder: Option<Recorder>,
    /// Whether the first line of the screen is there.
    announced: bool,
}

/// The steps of one run, and its clients.
pub struct Prepared {
    /// The steps that create or do something, with their parameters filled in.
    pub steps: Vec<Step>,
    /// The steps that check a claim.
    pub checks: Vec<Step>,
    /// The dependencies between them.
    pub graph: Graph,
    /// The client.
    pub client: Client,
    /// The user's own cluster that replaces the emulated one.
    own: Option<OwnCluster>,
    /// The emulator serves until this is dropped.
    _emulator: Option<Embedded>,
}

impl Prepared {
    fn new(
        selection: Selection<Kind>,
        client: Client,
        own: Option<OwnCluster>,
        emulator: Option<Embedded>,
    ) -> Prepared {
        let is_check = |step: &Step| step.kind.is_check();
        let (checks, steps) = selection.steps.into_iter().partition(is_check);
        Prepared {
            steps,
            checks,
            graph: selection.graph,
            client,
            own,
            _emulator: emulator,
        }
    }

    /// The clients of clusters; with `force`, fields are taken over from other field managers.
    pub fn clusters(&self, force: bool) -> Clusters {
        let by_name = |step: &&Step| cluster_endpoint::is_by_name(&step.want);
        let by_name = self.steps.iter().filter(by_name);
        let by_name = by_name.filter_map(|step| step.kind.path(&step.at).ok());
        Clusters::new(force, self.own.clone(), by_name.collect())
    }
}

impl Session {
    /// Loads the tutorial and reads the journal; no request is sent.
    pub fn open(global: &Global) -> Result<Session, CommandError> {
        Session::with(global, Journal::read)
    }

    /// The same for a journal that may be damaged: its valid records count.
    pub fn open_anyway(global: &Global) -> Result<Session, CommandError> {
        Session::with(global, |path| Journal::look(path).map(|read| read.state))
    }

    fn with(
        global: &Global,
        read: impl FnOnce(&Path) -> Result<State, JournalError>,
    ) -> Result<Session, CommandError> {
        let process: Environment<'_> = &process_env;
        let flags = TargetFlags {
            project: global.project.as_deref(),
            region: global.region.as_deref(),
            zone: global.zone.as_deref(),
            emulate: global.emulate,
        };
        let environment = known_environments::requested(global);
        known_environments::check_name(&environment)?;
        // Folders that the user names now are read first: their errors do not depend on where the environment is.
        let named = match (&global.steps, &global.overlay) {
            (Some(_), _) => Some(load(steps_folder::source(global, StepsFolders::default()))?),
            (None, _) => None,
        };
        let state_dir = target::state_dir(global.state_dir.as_deref(), process)?;
        let mut known = known_environments::known(&state_dir);
        known.retain(|one| one.name == environment && one.emulated == global.emulate);
        let project = target::project(&flags, process, &known)?;
        let project_name = project.value.as_str().unwrap_or_default().to_owned();
        let folder = known_environments::folder(&state_dir, &project_name, &environment);
        let state = read(&folder.join("journal.jsonl"))?;
        place::check_journal(&state, global.emulate, &project_name)?;
        let living = state.last_run.as_ref().filter(|_| state.stands());
        let folders = living.map(|last| last.folders.clone()).unwrap_or_default();
        let (source, tutorial) = match named {
            Some(named) => named,
            None => load(steps_folder::source(global, folders))?,
        };
        let is_param = |name: &str| tutorial.params.iter().any(|param| param.name == name);
        let requested_cluster = own_cluster::requested(global, &project_name, &state)?;
        let remembered = given::remembered(&state);
        let mut given = remembered.clone();
        // What other steps asked for is no concern of these.
        given.retain(|name, _| is_param(name) && name != AUTHORIZED);
        for (name, value) in own_cluster::defaults(requested_cluster.is_some()) {
            if is_param(name) {
                let value = || GivenValue::new(*value, ValueSource::OwnCluster);
                given.entry((*name).to_owned()).or_insert_with(value);
            }
        }
        let of_run = |name: &str| remembered.get(name).cloned();
        let (region, zone) =
            target::region_and_zone(&flags, process, (of_run("region"), of_run("zone")));
        given.insert("project".to_owned(), project);
        let values = [
            ("region", region, global.region.is_some()),
            ("zone", zone, global.zone.is_some()),
        ];
        for (name, value, is_flag) in values {
            // gcloud's settings apply to everything that a user does; steps without such a parameter do not need them.
            match value.filter(|_| is_flag || is_param(name)) {
                Some(value) => given.insert(name.to_owned(), value),
                None => given.remove(name),
            };
        }
        for (name, value) in set_flags::parameters(global, &project_name)? {
            let flag = match name == AUTHORIZED && !global.authorized_network.is_empty() {
                true => "--authorized-network",
                false => "--set",
            };
            let value = GivenValue::new(value, ValueSource::Flag(flag));
            given.insert(name, value);
        }
        given::reject_networks(&given, &tutorial)?;
        place::set_prefix(&mut given, &environment, is_param(place::NAME_PREFIX))?;
        let mut living = remembered.clone();
        living.retain(|name, _| is_param(name));
        // Also what was a default: nobody has to name the place where an environment is.
        let defaults = match living.is_empty() {
            true => Params::default(),
            false => tutorial.resolve(&plain_values(&living)).unwrap_or_default(),
        };
        let lives = |name: &str| match living.get(name) {
            Some(given) => Some(given.value.clone()),
            None => defaults.get(name).cloned(),
        };
        place::reject_move(&lives, &given, &environment, &project_name)?;
        let recorder = recorder(global, &project_name)?;
        let paint = (
            paint(global.color, &std::io::stdout()),
            paint(global.color, &std::io::stderr()),
        );
        Ok(Session {
            global: global.clone(),
            tutorial,
            source,
            environment,
            emulator_file: state_dir.join(&project_name).join("emulator.json"),
            project: project_name,
            folder,
            state,
            force: false,
            deletion_patience: patience::DEFAULT,
            paint,
            requested_cluster,
            own: None,
            cloud: None,
            identity: None,
            checks_credentials: false,
            given,
            recorder,
            announced: false,
        })
    }

    /// Whether the output is for programs.
    pub fn json(&self) -> bool {
        self.global.output == Output::Json
    }

    /// The steps through a chapter, for a run that sends requests to the cloud. With `looks_up`, this machine's address is looked
    /// up on the internet; otherwise the last known one is used.
    pub async fn ready(
        &mut self,
        through: Option<&str>,
        looks_up: bool,
        keeps: bool,
    ) -> Result<Prepared, CommandError> {
        // Errors in the input are reported before any request is sent.
        let steps = self.steps(through)?;
        self.open_own_cluster().await?;
        let own = self.own.clone();
        let (client, _emulator) = self.client(keeps).await?;
        self.enter(&client, _emulator.as_ref()).await?;
        let is_asked = self.has_param(AUTHORIZED) && !self.is_by_name();
        if looks_up && !self.is_given(AUTHORIZED) && is_asked {
            let loopback = client.endpoints().is_loopback(Api::Container);
            let address = if loopback {
                std::net::Ipv4Addr::LOCALHOST
            } else {
                address::public().await.map_err(|error| {
                    CommandError::failed(
                        error.to_string(),
                        "name the network with --authorized-network CIDR",
                    )
                })?
            };
            let networks = vec![format!("{address}/32")];
            let value = GivenValue::new(networks, ValueSource::ThisMachine);
            self.given.insert(AUTHORIZED.to_owned(), value);
            return Ok(Prepared::new(self.steps(through)?, client, own, _emulator));
        }
        Ok(Prepared::new(steps, client, own, _emulator))
    }

    /// If the user's own cluster is requested, reads its identity, once, and reports it.
    pub async fn open_own_cluster(&mut self) -> Result<(), CommandError> {
        if self.requested_cluster.is_some() {
            // Such a cluster goes with the emulator of this command alone.
            self.announce(&Cloud::Emulator(String::new()));
        }
        if let (Some(requested_cluster), None) = (&self.requested_cluster, &self.own) {
            self.own = Some(
                requested_cluster
                    .open_own_cluster(&self.project, &self.folder, self.recorder.as_ref())
                    .await?,
            );
        }
        Ok(())
    }

    /// The steps through a chapter, with the parameters known so far.
    pub fn steps(&self, through: Option<&str>) -> Result<Selection<Kind>, CommandError> {
        let params = self.resolved()?;
        Ok(kinds::bind(self.tutorial.select(&params, through)?)?)
    }

    /// The value of every parameter, as far as they are known.
    pub fn resolved(&self) -> Result<Params, CommandError> {
        let mut given = plain_values(&self.given);
        if self.has_param(AUTHORIZED) {
            // Until this machine's address is known; the emulator allows loopback whatever the list contains.
            given
                .entry(AUTHORIZED.to_owned())
                .or_insert_with(|| match self.is_by_name() {
                    true => Value::Array(Vec::new()),
                    false => self.last_known_networks(),
                });
        }
        for (name, flag) in [
            ("region", "--region or CLOUDSDK_COMPUTE_REGION"),
            ("zone", "--zone or CLOUDSDK_COMPUTE_ZONE"),
        ] {
            if self.has_param(name) && !given.contains_key(name) {
                return Err(CommandError::usage(
                    format!("no {name} is set"),
                    &format!("set one with {flag}"),
                ));
            }
        }
        Ok(self.tutorial.resolve(&given)?)
    }

    /// Project, region, zone and parameters that the user gave, now or in the last run, with their sources.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// The same without their sources.
    pub fn given_values(&self) -> Map<String, Value> {
        plain_values(&self.given).into_iter().collect()
    }

    /// Reports where this run acts, as the first line of its screen.
    fn announce(&mut self, cloud: &Cloud) {
        if self.json() || self.announced {
            return;
        }
        self.announced = true;
        note(&place::line(
            &self.environment,
            &self.project,
            &self.given,
            cloud,
            self.global.emulate,
        ));
    }

    /// Reports where this run acts, once, and checks that the journal belongs to that cloud.
    async fn enter(
        &mut self,
        client: &Client,
        emulator: Option<&Embedded>,
    ) -> Result<(), CommandError> {
        if self.cloud.is_some() {
            return Ok(());
        }
        let cloud = match emulator {
            Some(embedded) => Cloud::Emulator(embedded.running.identity()),
            None => Cloud::of(client).await.map_err(|error| CommandError {
                exit: Exit::Failed,
                errors: vec![error.to_string()],
                hint: error.hint(),
            })?,
        };
        place::check_cloud(&self.state, &cloud, &self.project, &self.journal_path())?;
        self.announce(&cloud);
        self.identity = match identity::of(client).await {
            Err(_) if self.checks_credentials => None,
            identity => identity?,
        };
        if let Some(identity) = self.identity.as_ref().filter(|_| !self.json()) {
            note(&format!("credentials: {identity}"));
        }
        self.cloud = Some(cloud);
        Ok(())
    }

    /// The journal's path.
    pub fn journal_path(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }

    /// The state file of the project's emulator.
    pub fn emulator_file(&self) -> &Path {
        &self.emulator_file
    }

    /// The client for Google, or for an emulator of this process whose state is kept only by runs that change something.
    async fn client(&self, keeps: bool) -> Result<(Client, Option<Embedded>), CommandError> {
        let environment: Environment<'_> = &process_env;
        if !self.global.emulate {
            let endpoints = Endpoints::from_env(environment)?;
            let auth = Auth::with(environment, &self.global.auth());
            let client = Client::new(endpoints, auth)?.of_project(&self.project);
            return Ok((client.recorded(self.recorder.clone()), None));
        }
        let identity = match &self.cloud {
            Some(Cloud::Emulator(identity)) => Some(identity.clone()),
            _ => place::emulator_of(&self.state),
        };
        let embedded = embedded::start(&self.global, &self.emulator_file, identity, keeps).await?;
        let endpoints = Endpoints::emulator(&format!("http://{}", embedded.running.addr()));
        let client = Client::new(endpoints, Auth::none())?.recorded(self.recorder.clone());
        Ok((client, Some(embedded)))
    }

    /// Whether the cluster is reached by its DNS endpoint, so that no network has to be on its allow list.
    pub fn is_by_name(&self) -> bool {
        given::is_by_name(&self.given, &self.tutorial)
    }

    fn has_param(&self, name: &str) -> bool {
        self.tutorial.params.iter().any(|param| param.name == name)
    }

    fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    fn last_known_networks(&self) -> Value {
        let last = self
            .state
            .last_run
            .as_ref()
            .and_then(|last| last.given.get(AUTHORIZED));
        last.cloned().unwrap_or_else(|| vec!["127.0.0.1/32"].into())
    }
}

/// Creates the file of `--record`.
fn recorder(global: &Global, project: &str) -> Result<Option<Recorder>, CommandError> {
    let Some(path) = &global.record else {
        return Ok(None);
    };
    let failed = |error: &std::io::Error| {
        note(&format!(
            "the recording ends here, and the run goes on: {error}"
        ));
    };
    let created = Recorder::create(path, project, failed).map_err(|error| {
        CommandError::usage(
            format!("--record {}: {error}", path.display()),
            "name a file that does not exist yet, in a folder that you may write to",
        )
    });
    created.map(Some)
}

fn load(source: Source) -> Result<(Source, Tutorial), CommandError> {
    let tutorial = Tutorial::load(&source)?;
    kinds::check(&tutorial)?;
    Ok((source, tutorial))
}

fn plain_values(given: &Given) -> std::collections::BTreeMap<String, Value> {
    let values = given.iter();
    values
        .map(|(name, given)| (name.clone(), given.value.clone()))
        .collect()
}

/// Whether a stream gets colours.
pub fn paint(when: ColorChoice, stream: &impl std::io::IsTerminal) -> Paint {
    let plain = process_env("NO_COLOR").is_some_and(|value| !value.is_empty())
        || process_env("TERM").as_deref() == Some("dumb");
    Paint::new(match when {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => stream.is_terminal() && !plain,
    })
}
