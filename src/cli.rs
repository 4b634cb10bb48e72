//! The command line as clap reads it: verbs, flags and their help. It does not carry out anything. Completions and the manual page
//! are generated from it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Creates the environment of Google's Cloud Service Mesh egress-gateway tutorial, and removes it again.
///
/// `up` always resumes: if it was interrupted or killed, the next `up` continues. `down` removes only what `up` created.
/// With --emulate, everything runs offline against a built-in emulator of Google's APIs.
#[derive(Debug, Parser)]
#[command(
    name = "provision",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb takes, before or after it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The project id [default: CLOUDSDK_CORE_PROJECT, then gcloud's active configuration, then the journal]
    #[arg(long, global = true, value_name = "ID")]
    pub project: Option<String>,
    /// The region [default: CLOUDSDK_COMPUTE_REGION, then gcloud's active configuration, then the zone's region, then the journal]
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// The zone [default: CLOUDSDK_COMPUTE_ZONE, then gcloud's active configuration, then the journal]
    #[arg(long, global = true)]
    pub zone: Option<String>,
    /// Run offline, against the built-in emulator
    #[arg(long, global = true)]
    pub emulate: bool,
    /// With --emulate: use the cluster of this kubeconfig for the Kubernetes objects; Google's APIs stay emulated
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig [default: its current context]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// How long the emulator's operations take: 0 (no delay), real, or real/N (N times faster than real)
    #[arg(long, global = true, default_value = "0", value_name = "P")]
    pub pace: String,
    /// The folder of the journal [default: $XDG_STATE_HOME/provision]
    #[arg(long, global = true, env = "PROVISION_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Use the steps in this folder instead of the tutorial's
    #[arg(long, global = true, value_name = "DIR")]
    pub steps: Option<PathBuf>,
    /// Set a parameter; `provision steps` lists them
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// A range that may reach the cluster's API server [default: this machine's public address]. Repeatable
    #[arg(long, global = true, value_name = "CIDR")]
    pub authorized_network: Vec<String>,
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

/// What `explain` and `analyze` evaluate: the steps as if everything existed, or the live cluster.
#[derive(Debug, Clone, Args)]
pub struct Subject {
    /// Use the live cluster instead of the steps
    #[arg(long)]
    pub live: bool,
    /// Use the state after this chapter
    #[arg(long, value_name = "CHAPTER", conflicts_with = "live")]
    pub through: Option<String>,
    /// Add the objects in this manifest; each replaces the object with the same kind and name. Repeatable
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,
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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Create the environment, or continue
    Up {
        /// Stop after this chapter
        #[arg(long, value_name = "CHAPTER")]
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
        /// If the same `up` is already running, follow it, even without a terminal
        #[arg(long)]
        follow: bool,
    },
    /// Rebuild a lost or damaged journal from the live resources
    Adopt {
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove what `up` created
    ///
    /// A cluster of your own (--kubeconfig) is kept. `down` deletes from it the objects that `up` created, one by one, and nothing
    /// else.
    Down {
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
        /// Delete the whole project afterwards; asks for the project id, even with --yes
        #[arg(long)]
        delete_project: bool,
    },
    /// Run the tutorial's checks in the pods; exit 3 if one fails
    Verify {
        /// Run the checks of the state after this chapter
        #[arg(long, value_name = "CHAPTER")]
        through: Option<String>,
        /// How long to wait for a check to hold, because policies take effect with a delay [default: 120; 0 in an emulated cluster]
        #[arg(long, value_name = "SECONDS")]
        settle: Option<u64>,
    },
    /// Trace a request from a pod: each hop, the object that decides there, and what the caller gets
    ///
    /// Without --live, no request is sent to Google or a cluster: the steps are evaluated as if everything existed.
    Explain {
        /// The namespace that the request comes from
        #[arg(required_unless_present = "matrix")]
        namespace: Option<String>,
        /// The URL of the request, such as http://example.com/
        #[arg(required_unless_present = "matrix")]
        url: Option<String>,
        /// The HTTP method
        #[arg(long, value_name = "M", default_value = "GET")]
        method: String,
        /// Send the request from a pod without a sidecar
        #[arg(long)]
        no_sidecar: bool,
        /// Evaluate every namespace and every host that an object names
        #[arg(long, conflicts_with_all = ["namespace", "url", "method", "no_sidecar"])]
        matrix: bool,
        /// What is evaluated.
        #[command(flatten)]
        looks: Subject,
    },
    /// Report problems in the mesh's configuration; exit 3 if there is an error or a warning
    ///
    /// IST codes are those of istioctl's analyzers. EGR codes are provision's own.
    Analyze {
        /// Report only the findings in this namespace
        #[arg(long, short, value_name = "NAMESPACE")]
        namespace: Option<String>,
        /// What is analyzed.
        #[command(flatten)]
        looks: Subject,
    },
    /// Show what `up` would do; exit 3 if it would change anything
    Plan {
        /// Stop after this chapter
        #[arg(long, value_name = "CHAPTER")]
        through: Option<String>,
        /// Plan for `up --force-conflicts`, which takes over fields of Kubernetes objects that another field manager owns
        #[arg(long)]
        force_conflicts: bool,
    },
    /// Show each step: whether it exists, whether provision created it, and since when a request is open
    Status,
    /// Add this machine's address to the cluster's authorized networks
    Authorize,
    /// Print a kubeconfig for the cluster; kubectl then needs no other plugin than this program
    Kubeconfig {
        /// Merge the entry into this file instead
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Print an access token, as a kubectl credential plugin does
    Token,
    /// List the chapters, steps and parameters of the tutorial
    Steps {
        /// Print a Markdown document
        #[arg(long, conflicts_with = "dot")]
        markdown: bool,
        /// Print a graph for Graphviz
        #[arg(long)]
        dot: bool,
    },
    /// Serve Google's APIs on a loopback port
    Emulator {
        /// Print shell exports instead, so that gcloud and provision use the emulator
        #[command(subcommand)]
        what: Option<EmulatorVerb>,
        /// The address to listen on; loopback only; port 0 takes a free port
        #[arg(
            long,
            global = true,
            value_name = "ADDR",
            default_value = "127.0.0.1:8787"
        )]
        listen: SocketAddr,
        /// The file that keeps the emulator's state [default: none]
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// What to do with the emulator.
#[derive(Debug, Subcommand)]
pub enum EmulatorVerb {
    /// Print shell exports: eval "$(provision emulator env)"
    Env,
}
