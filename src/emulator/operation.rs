//! Operations: something Google is doing, and what the world looks like when it has done it.
//!
//! An operation is data: its effects are a list that the state applies when it ends, so that an operation in flight survives
//! a restart. How it prints is each API's own business (`dialect` says which).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock::Millis;

/// Which of Google's forms an operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// `compute#operation`: numbered progress, `operations.wait`.
    Compute,
    /// GKE's: a zone, links with the project's number.
    Container,
    /// `google.longrunning.Operation` with metadata: fleets, projects.
    LongRunning,
    /// `google.longrunning.Operation` without `done` until it is: serviceusage.
    ServiceUsage,
    /// A change of Cloud DNS: `pending`, then `done`.
    Dns,
}

/// What changes in the world; applied in order when an operation or a timer ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The object exists, with this value.
    Put {
        /// Its full resource name.
        key: String,
        /// The whole value.
        value: Value,
    },
    /// These top-level fields of the object have these values; null removes one. Nothing happens if the object is gone.
    Merge {
        /// Its full resource name.
        key: String,
        /// The fields.
        fields: Map<String, Value>,
    },
    /// The object is gone.
    Remove {
        /// Its full resource name.
        key: String,
    },
    /// An API is enabled in a project from now on.
    Enable {
        /// The project's id.
        project: String,
        /// The service, `dns.googleapis.com`.
        service: String,
    },
    /// An API is disabled.
    Disable {
        /// The project's id.
        project: String,
        /// The service.
        service: String,
    },
    /// More happens this much later.
    After {
        /// Milliseconds.
        delay: Millis,
        /// What.
        effects: Vec<Effect>,
    },
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code in the operation: `RESOURCE_IN_USE_BY_ANOTHER_RESOURCE`.
    pub code: String,
    /// The HTTP status that the operation carries along.
    pub http: u16,
    /// Google's words.
    pub message: String,
}

/// An operation to begin; see [`super::world::World::begin`].
#[derive(Debug, Clone)]
pub struct Start {
    /// The operation's own full resource name.
    pub key: String,
    /// Its form.
    pub dialect: Dialect,
    /// What is done: `insert`, `CREATE_CLUSTER`.
    pub verb: String,
    /// The full resource name of what it is done to.
    pub target: String,
    /// How long it takes.
    pub duration: Millis,
    /// What the world looks like when it has succeeded.
    pub effects: Vec<Effect>,
    /// Set when it will fail instead: no effect is applied.
    pub failure: Option<Failure>,
    /// What its dialect prints beside the rest (metadata, response); null if nothing.
    pub extra: Value,
}

/// An operation that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its full resource name.
    pub key: String,
    /// Its number, unique in this world.
    pub id: u64,
    /// Its form.
    pub dialect: Dialect,
    /// What is done.
    pub verb: String,
    /// The full resource name of what it is done to.
    pub target: String,
    /// When it began.
    pub began: Millis,
    /// When it ends if it is not polled.
    pub due: Millis,
    /// When it ended.
    pub ended: Option<Millis>,
    /// Whether a poll was answered with "not done" already: none is ever answered with "done" before that at pace 0.
    pub polled: bool,
    /// What it will have done; empty once it has ended.
    pub effects: Vec<Effect>,
    /// Why it fails.
    pub failure: Option<Failure>,
    /// What its dialect prints beside the rest.
    pub extra: Value,
}

impl Operation {
    /// The name alone: `operation-…`.
    pub fn name(&self) -> &str {
        super::names::leaf(&self.key)
    }

    /// Whether it is over, failed or not.
    pub fn is_done(&self) -> bool {
        self.ended.is_some()
    }

    /// The operation as a poll shows it that answers "not done".
    #[must_use]
    pub fn unfinished(mut self) -> Operation {
        self.ended = None;
        self
    }
}
