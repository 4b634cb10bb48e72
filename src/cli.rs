//! The command line: what can be asked for, and nothing about how it is done. Help, completions and the manual derive from it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Stands up Google's Cloud Service Mesh egress-gateway tutorial, and takes it down again.
///
/// `up` is always a resume: killed at any instant, the next `up` goes on. `down` removes what `up` made, and only that.
/// With --emulate everything runs offline against a built-in emulator of Google's APIs.
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
    /// The project; else CLOUDSDK_CORE_PROJECT, gcloud's active configuration, the journal
    #[arg(long, global = true, value_name = "ID")]
    pub project: Option<String>,
    /// The region; else CLOUDSDK_COMPUTE_REGION, gcloud's active configuration, the zone's, the journal
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// The zone; else CLOUDSDK_COMPUTE_ZONE, gcloud's active configuration, the journal
    #[arg(long, global = true)]
    pub zone: Option<String>,
    /// Run offline, against a built-in emulator
    #[arg(long, global = true)]
    pub emulate: bool,
    /// With --emulate: rehearse in a cluster of your own, that of this kubeconfig; Google's half stays emulated
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it [default: its current context]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// How long the emulator's operations take: 0, real, or real/N
    #[arg(long, global = true, default_value = "0", value_name = "P")]
    pub pace: String,
    /// Where the journal is kept [default: $XDG_STATE_HOME/provision]
    #[arg(long, global = true, env = "PROVISION_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Steps of your own instead of the tutorial's
    #[arg(long, global = true, value_name = "DIR")]
    pub steps: Option<PathBuf>,
    /// Set a parameter; `provision steps` lists them
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Who may reach the cluster's API server; else this machine's public address. Can be given again
    #[arg(long, global = true, value_name = "CIDR")]
    pub authorized_network: Vec<String>,
    /// How to print: text for people, json for programs (one object a line)
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Output,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: ColorChoice,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// What a question is about: the steps as if everything was there, or what is there.
#[derive(Debug, Clone, Args)]
pub struct Subject {
    /// By what is there, not by the steps
    #[arg(long)]
    pub live: bool,
    /// As things stand after this chapter
    #[arg(long, value_name = "CHAPTER", conflicts_with = "live")]
    pub through: Option<String>,
    /// With these manifests, each instead of the object of its name. Can be given again
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

/// When to colour.
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
    /// Stand up, or continue
    Up {
        /// Stop after this chapter
        #[arg(long, value_name = "CHAPTER")]
        through: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Take over fields of Kubernetes objects that somebody else owns
        #[arg(long)]
        force_conflicts: bool,
        /// Take over what stands under our names and is not ours; `down` then removes it
        #[arg(long)]
        adopt: bool,
        /// Where the same `up` is running already, follow it also without a terminal
        #[arg(long)]
        follow: bool,
    },
    /// Rebuild a lost or damaged journal from what is in the cloud
    Adopt {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove what up made
    ///
    /// A cluster of your own (--kubeconfig) stays, and everything in it that up did not make; what up made is deleted object by
    /// object.
    Down {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Delete the whole project afterwards; asks for its id, also with --yes
        #[arg(long)]
        delete_project: bool,
    },
    /// Carry out the tutorial's checks; exit 3 if one fails
    Verify {
        /// The checks as they stand after this chapter
        #[arg(long, value_name = "CHAPTER")]
        through: Option<String>,
        /// How long a check may take to come true; policies take their time [default: 120, in an emulated cluster 0]
        #[arg(long, value_name = "SECONDS")]
        settle: Option<u64>,
    },
    /// Say hop by hop what happens to a request from a pod, which object decides, and what the caller gets
    ///
    /// Without --live nothing is asked of anybody: the steps decide, as if everything was there.
    Explain {
        /// The namespace that the request comes from
        #[arg(required_unless_present = "matrix")]
        namespace: Option<String>,
        /// Where it goes: http://example.com/
        #[arg(required_unless_present = "matrix")]
        url: Option<String>,
        /// Its method
        #[arg(long, value_name = "M", default_value = "GET")]
        method: String,
        /// From a pod without a sidecar
        #[arg(long)]
        no_sidecar: bool,
        /// All namespaces, and all hosts that anything names
        #[arg(long, conflicts_with_all = ["namespace", "url", "method", "no_sidecar"])]
        matrix: bool,
        /// What decides.
        #[command(flatten)]
        looks: Subject,
    },
    /// Say what is wrong with the mesh's configuration; exit 3 if anything is
    ///
    /// The codes are those of istioctl's analyzers; EGR codes are our own.
    Analyze {
        /// What is told of this namespace only
        #[arg(long, short, value_name = "NAMESPACE")]
        namespace: Option<String>,
        /// What is analyzed.
        #[command(flatten)]
        looks: Subject,
    },
    /// Say what up would do; exit 3 if anything
    Plan {
        /// Stop after this chapter
        #[arg(long, value_name = "CHAPTER")]
        through: Option<String>,
        /// As `up --force-conflicts`, which takes over fields of Kubernetes objects that somebody else owns
        #[arg(long)]
        force_conflicts: bool,
    },
    /// Show each step: live, ours, open since
    Status,
    /// Put this machine's address on the cluster's allow list
    Authorize,
    /// Print a kubeconfig for the cluster; kubectl then needs no plugin but this program
    Kubeconfig {
        /// Merge it into this file instead
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Print a token, as kubectl asks a plugin for one
    Token,
    /// List the tutorial's chapters, steps and parameters, as this program knows them
    Steps {
        /// As a document
        #[arg(long, conflicts_with = "dot")]
        markdown: bool,
        /// As a graph, for Graphviz
        #[arg(long)]
        dot: bool,
    },
    /// Serve Google's APIs on a loopback port
    Emulator {
        /// Print exports for a shell instead, so that gcloud and provision talk to it
        #[command(subcommand)]
        what: Option<EmulatorVerb>,
        /// Where to listen; loopback only, port 0 takes a free one
        #[arg(
            long,
            global = true,
            value_name = "ADDR",
            default_value = "127.0.0.1:8787"
        )]
        listen: SocketAddr,
        /// Where to keep its state [default: nowhere]
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
    /// Print completions for a shell
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
    /// Print exports for a shell: eval "$(provision emulator env)"
    Env,
}
