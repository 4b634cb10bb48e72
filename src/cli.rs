//! The flags that several verbs share, and their help. A verb's own arguments are in its file in `command/`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::google::AuthFlags;

/// Flags that every verb takes, before or after it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The project id [default: that of the environment that exists, then CLOUDSDK_CORE_PROJECT, then gcloud's active configuration]
    #[arg(long, global = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub project: Option<String>,
    /// The region [default: that of the environment that exists, then CLOUDSDK_COMPUTE_REGION, then gcloud's active configuration,
    /// then the zone's region]
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub region: Option<String>,
    /// The zone [default: that of the environment that exists, then CLOUDSDK_COMPUTE_ZONE, then gcloud's active configuration]
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub zone: Option<String>,
    /// The environment: several can exist in one project [default: PROVISION_ENV, then `default`, whose resources have the
    /// tutorial's names; the names of another begin with `NAME-`]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub env: Option<String>,
    /// Run offline, against the built-in emulator
    #[arg(long, global = true)]
    pub emulate: bool,
    /// Use the cluster of this kubeconfig for the Kubernetes objects; Google's APIs stay emulated
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig [default: its current context]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub context: Option<String>,
    /// How long the emulator's operations take: 0 (no delay), real, or real/N (N times faster than real) [default: 0]
    #[arg(long, global = true, value_name = "P", value_parser = NonEmptyStringValueParser::new())]
    pub pace: Option<String>,
    /// The folder of the journal [default: $XDG_STATE_HOME/provision]
    #[arg(long, global = true, env = "PROVISION_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Use the steps in this folder instead of the tutorial's [default: those of the environment that exists]
    #[arg(long, global = true, value_name = "DIR")]
    pub steps: Option<PathBuf>,
    /// Lay the files in this folder over the steps: a file replaces the one with its name, further chapters come last, and
    /// parameters are added
    #[arg(long, global = true, value_name = "DIR")]
    pub overlay: Option<PathBuf>,
    /// Set a parameter; `provision steps` lists them
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = NonEmptyStringValueParser::new())]
    pub set: Vec<String>,
    /// A range that may reach the cluster's API server [default: this machine's public address]. Repeatable
    #[arg(long, global = true, value_name = "CIDR", value_parser = NonEmptyStringValueParser::new())]
    pub authorized_network: Vec<String>,
    /// Record every request and its answer in this new file, without secrets and identities
    #[arg(long, global = true, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Act as this service account: its token is requested with the credentials that were found. A list is a chain of delegation
    /// whose last account is used [default: CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT, then gcloud's active configuration]
    #[arg(long, global = true, value_name = "EMAIL", value_parser = NonEmptyStringValueParser::new())]
    pub impersonate_service_account: Option<String>,
    /// The project that calls count against [default: GOOGLE_CLOUD_QUOTA_PROJECT, then that of the credential file, then gcloud's
    /// billing/quota_project; for a person's credentials then the project itself]
    #[arg(long, global = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub billing_project: Option<String>,
    /// Output format: text for people, json for programs (one object per line)
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Output,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: ColorChoice,
    /// Print more details
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Global {
    /// What they say about credentials.
    pub fn auth(&self) -> AuthFlags {
        AuthFlags {
            impersonate: self.impersonate_service_account.clone(),
            billing_project: self.billing_project.clone(),
        }
    }
}

/// What `explain` and `analyze` evaluate: the steps as if everything existed, or the live cluster.
#[derive(Debug, Clone, Args)]
pub struct Subject {
    /// Use the live cluster instead of the steps
    #[arg(long)]
    pub live: bool,
    /// Use the state after this chapter
    #[arg(long, value_name = "CHAPTER", conflicts_with = "live", value_parser = NonEmptyStringValueParser::new())]
    pub through: Option<String>,
    /// Add the objects in this manifest; each replaces the object with the same kind and name. Repeatable
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// Use the objects in this folder, in this file, or on standard input (-) instead of the steps. Repeatable
    #[arg(long, value_name = "DIR|FILE|-", conflicts_with_all = ["live", "through", "from"])]
    pub manifests: Vec<PathBuf>,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
