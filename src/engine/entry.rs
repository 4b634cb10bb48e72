//! The journal's records: one JSON object a line, which begins with its number and ends with its own checksum. Pure: reads no file.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::google::{Cloud, Operation};
use crate::kinds::ResourceId;
use crate::kinds::own::ClusterIdentity;

/// The newest format that this program reads: its runs may act on the user's own cluster.
pub const FORMAT: u32 = 2;
/// The format of a run on Google's clusters or emulated ones, which every version of the program reads. A version that reads only
/// this format must not act after a run on the user's own cluster: it would take the existing resources for deleted.
pub const FIRST_FORMAT: u32 = 1;

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A run starts.
    Run(Box<Run>),
    /// A request that changes something is about to be sent.
    Intent {
        /// The time.
        at: String,
        /// The step's id, as messages show it.
        step: String,
        /// The resource.
        // Its name in journals on disk.
        #[serde(rename = "thing")]
        resource: ResourceId,
        /// What the request does to it.
        verb: ChangeVerb,
        /// The id under which the request may be repeated.
        request: String,
        /// The parts of a set that the request concerns.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// Resources that the same request creates inside this one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<ResourceId>,
    },
    /// The request was accepted, and Google runs an operation for it.
    Sent {
        /// The time.
        at: String,
        /// The resource's key.
        key: String,
        /// How to poll the operation.
        operation: Operation,
    },
    /// The resource is as the request wanted it.
    Done {
        /// The time.
        at: String,
        /// The resource's key.
        key: String,
        /// Milliseconds since the intent.
        took: u64,
    },
    /// The request failed.
    Failed {
        /// The time.
        at: String,
        /// The resource's key.
        key: String,
        /// Google's own message.
        message: String,
        /// What exists as a result.
        left: LeftBehind,
    },
    /// The user adopted a resource that an earlier run or another client created: it counts as ours from now on.
    Adopted {
        /// The time.
        at: String,
        /// The step's id, as messages show it.
        step: String,
        /// The resource.
        // Its name in journals on disk.
        #[serde(rename = "thing")]
        resource: ResourceId,
        /// The parts of a set that were adopted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// The evidence for it.
        why: String,
    },
    /// The run ended without being killed.
    End {
        /// The time.
        at: String,
        /// The outcome: `done`, `failed`, `interrupted`.
        how: String,
    },
}

/// The first record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The time.
    pub at: String,
    /// The format of the records that follow.
    pub format: u32,
    /// The run's name.
    pub run: String,
    /// The command's verb.
    pub verb: String,
    /// The process id, so that a second run can name the one that holds the environment.
    pub pid: u32,
    /// The host: a lock does not reach other hosts.
    #[serde(default)]
    pub host: String,
    /// The command's arguments beside the parameters, for example `--through mesh`: a second run with the same arguments may
    /// follow this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// The version of provision.
    pub program: String,
    /// Whether the run used the emulator: runs with and without it never share a journal.
    pub emulated: bool,
    /// The cloud that the run changed; journals of the first versions do not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cloud>,
    /// The folders of the run's steps.
    #[serde(flatten)]
    pub folders: StepsFolders,
    /// The keys of the resources that the run's steps keep (`keep: true`): they are not deleted, not even when no step declares
    /// them any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// The user's own cluster that replaced the emulated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterIdentity>,
    /// Project, region, zone and the parameters that the user gave.
    pub given: Map<String, Value>,
}

/// The folders of steps, as absolute paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepsFolders {
    /// The folder of the steps; none if these are the program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<String>,
    /// The folder that is laid over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
}

/// What a request does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeVerb {
    /// Creates it.
    Create,
    /// Changes it.
    Update,
    /// Deletes it.
    Delete,
}

impl ChangeVerb {
    /// The verb, as messages show it.
    pub fn word(self) -> &'static str {
        match self {
            ChangeVerb::Create => "create",
            ChangeVerb::Update => "update",
            ChangeVerb::Delete => "delete",
        }
    }
}

/// What exists after a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeftBehind {
    /// Nothing that did not exist before.
    Nothing,
    /// Something that did not exist before.
    Something,
    /// Unknown: the answer was lost.
    Unknown,
}

/// Why a line of a journal is not valid.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not UTF-8.
    #[error(transparent)]
    NotText(#[from] std::str::Utf8Error),
    /// It does not end with a checksum.
    #[error("no checksum")]
    NoChecksum,
    /// It ends within its checksum.
    #[error("incomplete record")]
    NoEnd,
    /// It was changed after it was written.
    #[error("checksum does not match")]
    Checksum,
    /// Its JSON is not an entry.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Entry {
    /// The entry as the line with this number, counted from 1: its JSON with the number as the first field and the checksum of
    /// the rest as the last. A checksum detects a damaged line; the number detects one that is missing or moved.
    pub fn seal(&self, number: u64) -> serde_json::Result<String> {
        let entry = serde_json::to_string(self)?;
        let rest = entry.strip_prefix('{').unwrap_or(&entry);
        let body = format!("{{\"n\":{number},{rest}");
        let sum = crc32fast::hash(body.as_bytes());
        Ok(format!(
            "{},\"sum\":\"{sum:08x}\"}}\n",
            body.strip_suffix('}').unwrap_or(&body)
        ))
    }

    /// The number and the entry of a line with a valid checksum; otherwise the reason. The first journals have no line numbers.
    pub fn unseal(line: &str) -> Result<(Option<u64>, Entry), LineError> {
        let (body, sum) = line
            .rsplit_once(",\"sum\":\"")
            .ok_or(LineError::NoChecksum)?;
        let body = format!("{body}}}");
        let said = sum.strip_suffix("\"}").ok_or(LineError::NoEnd)?;
        if format!("{:08x}", crc32fast::hash(body.as_bytes())) != said {
            return Err(LineError::Checksum);
        }
        let NumberedEntry { n } = serde_json::from_str(&body)?;
        Ok((n, serde_json::from_str(&body)?))
    }
}

/// The fields of every line beside its entry.
#[derive(Deserialize)]
struct NumberedEntry {
    n: Option<u64>,
}

impl Run {
    /// The run's process, verb and start, as messages show it.
    pub fn who(&self) -> String {
        format!(
            "process {}, `provision {}`, since {}",
            self.pid, self.verb, self.at
        )
    }
}

/// The current time in the journal's format: UTC, in milliseconds.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}
