//! Operations that Google is still running, in the dialects of its APIs: how each is named, polled, and known to be done.
//!
//! An [`Operation`] is what has to be remembered to find it again after a crash: an address made of what was asked
//! (project, location, name). The links inside an answer are not used, because they carry project numbers and hosts that
//! are not those of the request.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Api, ApiError, Call, Class, Client, Departed, Watch, retry};

/// A running operation. It can be written down and waited for by another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Whom to ask.
    pub api: Api,
    /// In which dialect.
    pub dialect: Dialect,
    /// Where, relative to the API's base.
    pub path: String,
}

/// How an API speaks of work in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `status: DONE`, `error.errors[]`; can be waited for.
    Compute,
    /// `status: DONE`, `error{code, message}` or `statusMessage`.
    Container,
    /// `google.longrunning.Operation`: `done`, then `error` or `response`.
    LongRunning,
    /// `status: done` of a change to a zone, in lower case.
    DnsChange,
}

/// How far an answer says that the operation is.
enum State {
    Running,
    Done,
    /// The error, and the HTTP code that the answer gives beside it.
    Failed(Value, Option<u64>),
}

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_secs(2);

impl Operation {
    /// The operation that `answer` to `call` speaks of; `None` if there is nothing to wait for. An answer may be done
    /// already and have failed, which is the error here.
    pub fn of(
        dialect: Dialect,
        call: &Call,
        answer: &Value,
    ) -> Result<Option<Operation>, ApiError> {
        let Some(path) = dialect.path(call, answer) else {
            return Ok(None);
        };
        let operation = Operation {
            api: call.api,
            dialect,
            path,
        };
        match dialect.state(answer) {
            State::Running => Ok(Some(operation)),
            State::Done => Ok(None),
            State::Failed(error, http) => Err(ApiError::operation(&operation.poll(), &error, http)),
        }
    }

    /// Waits until it is done, `within` at most, and returns it as Google last described it.
    ///
    /// An operation that failed is an error of the class that its own error has (`of_operation` is set). One that is
    /// not known any more is [`Class::NotFound`]. Server faults and lost connections do not end the wait, time does.
    pub async fn wait(
        &self,
        client: &Client,
        within: Duration,
        watch: &dyn Watch,
    ) -> Result<Value, ApiError> {
        let poll = self.poll();
        let deadline = Instant::now() + within;
        let mut said = String::new();
        let mut last_trouble = None;
        for pause in retry::delays(FIRST_POLL, LAST_POLL) {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, client.send(&poll, watch)).await {
                Err(_) => break,
                Ok(Err(error)) if error.is_transient() => last_trouble = Some(error.to_string()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(answer)) => {
                    match self.dialect.state(&answer) {
                        State::Done => return Ok(answer),
                        State::Failed(error, http) => {
                            return Err(ApiError::operation(&poll, &error, http));
                        }
                        State::Running => {}
                    }
                    last_trouble = None;
                    let now = self.dialect.progress(&answer);
                    if now != said {
                        watch.progress(&now);
                        said = now;
                    }
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(pause.min(left)).await;
        }
        let mut message = format!("{} is not done after {} s", self.path, within.as_secs());
        for (what, more) in [("last said", Some(said)), ("last error", last_trouble)] {
            if let Some(more) = more.filter(|more| !more.is_empty()) {
                message += &format!("; {what}: {more}");
            }
        }
        Err(ApiError::unanswered(
            &poll,
            Class::Deadline,
            Departed::Yes,
            message,
        ))
    }

    /// The call that asks how far it is. Compute holds it until the operation is done, two minutes at most.
    fn poll(&self) -> Call {
        match self.dialect {
            Dialect::Compute => Call::post(self.api, format!("{}/wait", self.path)).repeatable(),
            _ => Call::get(self.api, &self.path),
        }
    }
}

impl Dialect {
    /// Where the operation of an answer is found, from what was asked and its name.
    fn path(self, call: &Call, answer: &Value) -> Option<String> {
        let name = answer["name"].as_str().filter(|name| !name.is_empty());
        match self {
            // projects/P/global or projects/P/{regions,zones}/L, whichever was asked.
            Dialect::Compute => {
                let scope = if call.path.split('/').nth(2) == Some("global") {
                    3
                } else {
                    4
                };
                Some(format!("{}/operations/{}", head(&call.path, scope)?, name?))
            }
            // v1/projects/P/locations/L
            Dialect::Container => Some(format!("{}/operations/{}", head(&call.path, 5)?, name?)),
            // The name is a path of its own; the version is the one that was asked.
            Dialect::LongRunning => Some(format!("{}/{}", head(&call.path, 1)?, name?)),
            // projects/P/managedZones/Z/changes; a change to the zone itself is an operation beside its changes.
            Dialect::DnsChange => {
                let kind = if answer["kind"] == "dns#operation" {
                    "operations"
                } else {
                    "changes"
                };
                Some(format!(
                    "{}/{kind}/{}",
                    head(&call.path, 4)?,
                    answer["id"].as_str()?
                ))
            }
        }
    }

    fn state(self, answer: &Value) -> State {
        let done = match self {
            Dialect::Compute | Dialect::Container => answer["status"] == "DONE",
            Dialect::LongRunning => answer["done"] == true,
            Dialect::DnsChange => answer["status"] == "done",
        };
        if !done {
            return State::Running;
        }
        // DONE alone is not success: a refused deletion ends with 200, DONE and an error.
        if answer["error"].is_object() {
            return State::Failed(
                answer["error"].clone(),
                answer["httpErrorStatusCode"].as_u64(),
            );
        }
        // GKE's older way of saying it, deprecated and still sent.
        match answer["statusMessage"].as_str() {
            Some(message) if self == Dialect::Container && !message.is_empty() => {
                State::Failed(serde_json::json!({"message": message}), None)
            }
            _ => State::Done,
        }
    }

    /// What the operation says about itself, for the person who waits.
    fn progress(self, answer: &Value) -> String {
        let status = answer["status"].as_str().unwrap_or_default();
        match self {
            Dialect::Compute => match answer["progress"].as_u64() {
                Some(percent) if percent > 0 => format!("{status} {percent} %"),
                _ => status.to_owned(),
            },
            Dialect::Container => match answer["detail"].as_str() {
                Some(detail) if !detail.is_empty() => format!("{status}: {detail}"),
                _ => status.to_owned(),
            },
            Dialect::LongRunning => answer["metadata"]["statusDetail"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            Dialect::DnsChange => status.to_owned(),
        }
    }
}

/// The first `n` segments of a path.
fn head(path: &str, n: usize) -> Option<&str> {
    let mut ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([path.len()]);
    ends.nth(n - 1).map(|end| &path[..end])
}
