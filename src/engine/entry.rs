//! The journal's records: one JSON object a line, which begins with its number and ends in its own checksum. Pure; no file.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::google::Operation;
use crate::kinds::ResourceId;
use crate::kinds::own::ClusterIdentity;

/// The newest format that this program knows: a run may be about a cluster of somebody's own.
pub const FORMAT: u32 = 2;
/// The format of a run about Google's clusters or emulated ones, which every program reads. A program that knows no other must not
/// act after a run about somebody's own cluster: it would take what stands there for gone.
pub const FIRST_FORMAT: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A run begins.
    Run(Run),
    /// A request that changes something is about to be sent.
    Intent {
        /// When.
        at: String,
        /// The step, as readers know it.
        step: String,
        /// What it is about.
        thing: ResourceId,
        /// What is about to happen to it.
        verb: ChangeVerb,
        /// The id under which the request may be repeated.
        request: String,
        /// The parts of a set that it concerns.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// Things that the same request makes inside this one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<ResourceId>,
    },
    /// The request was accepted and Google goes on with it.
    Sent {
        /// When.
        at: String,
        /// The thing's key.
        key: String,
        /// How to ask how far it is.
        operation: Operation,
    },
    /// It is as it was meant to be.
    Done {
        /// When.
        at: String,
        /// The thing's key.
        key: String,
        /// Milliseconds since the intent.
        took: u64,
    },
    /// It is not.
    Failed {
        /// When.
        at: String,
        /// The thing's key.
        key: String,
        /// Google's own words.
        message: String,
        /// What exists because of it.
        left: LeftBehind,
    },
    /// What an earlier run made, or somebody else did, counts as ours from now on: a person said so.
    Adopted {
        /// When.
        at: String,
        /// The step, as readers know it.
        step: String,
        /// What it is about.
        thing: ResourceId,
        /// The parts of a set that it concerns.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// What spoke for it.
        why: String,
    },
    /// The run ended by itself.
    End {
        /// When.
        at: String,
        /// How: `done`, `failed`, `interrupted`.
        how: String,
    },
}

/// The first line of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When.
    pub at: String,
    /// The format of the lines that follow.
    pub format: u32,
    /// A name for this run.
    pub run: String,
    /// The verb that was asked for.
    pub verb: String,
    /// The process, so that a second run can say who holds the environment.
    pub pid: u32,
    /// The machine: a lock reaches no other.
    #[serde(default)]
    pub host: String,
    /// What was asked of the verb beside the parameters, for example `--through mesh`: a second run that asks for the
    /// same may follow this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// The version of the program.
    pub program: String,
    /// Whether the cloud was the emulator: the two never share a journal.
    pub emulated: bool,
    /// The cluster of somebody's own that stood in for the emulated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterIdentity>,
    /// Project, region, zone and the parameters that were given.
    pub given: Map<String, Value>,
}

/// What a request does to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeVerb {
    /// Makes it.
    Create,
    /// Changes it.
    Update,
    /// Removes it.
    Delete,
}

impl ChangeVerb {
    /// As readers see it.
    pub fn word(self) -> &'static str {
        match self {
            ChangeVerb::Create => "create",
            ChangeVerb::Update => "update",
            ChangeVerb::Delete => "delete",
        }
    }
}

/// What exists because of a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeftBehind {
    /// Nothing that was not there before.
    Nothing,
    /// Something that was not there before.
    Something,
    /// Nobody knows: the answer was lost.
    Unknown,
}

/// Why a line of a journal cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is no text.
    #[error(transparent)]
    NotText(#[from] std::str::Utf8Error),
    /// It does not end in a checksum.
    #[error("no checksum")]
    NoChecksum,
    /// It breaks off within its checksum.
    #[error("incomplete record")]
    NoEnd,
    /// It is not as it was written.
    #[error("checksum does not match")]
    Checksum,
    /// Its JSON is no entry's.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Entry {
    /// The entry as the line of this number, from 1: its JSON with the number as first field and the checksum of all that as
    /// last. A checksum shows a line that is damaged; the number shows one that is gone or in another's place.
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

    /// The number and the entry of a line, if its checksum holds; otherwise why not. Lines of the first journals have no number.
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

/// What every line says beside its entry.
#[derive(Deserialize)]
struct NumberedEntry {
    n: Option<u64>,
}

impl Run {
    /// How a reader is told whose run it is.
    pub fn who(&self) -> String {
        format!(
            "process {}, `provision {}`, since {}",
            self.pid, self.verb, self.at
        )
    }
}

/// Now, as the journal writes it: UTC, to the millisecond.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}
