//! The ways in which Google's APIs describe long-running operations: the name and the location of an operation, its
//! progress, and how it ended. Pure: answers in, facts out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Call;
use crate::text::beginning;

/// How an API describes a long-running operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `status: DONE`, `error.errors[]`; has a wait call.
    Compute,
    /// `status: DONE`, `error{code, message}` or `statusMessage`.
    Container,
    /// `google.longrunning.Operation`: `done`, then `error` or `response`.
    LongRunning,
    /// `status: done` of a change to a zone, in lower case.
    DnsChange,
}

/// The progress of an operation, according to an answer.
pub(super) enum OperationState {
    Running,
    Done,
    Failed,
}

/// Service Usage's name for the operation that enables what is already enabled. It does not exist when it is polled.
const NOTHING_TO_DO: &str = "operations/noop.DONE_OPERATION";
impl Dialect {
    /// The path of an answer's operation, from the path of the call and the name of the operation.
    pub(super) fn path(self, call: &Call, answer: &Value) -> Option<String> {
        let name = answer["name"].as_str().filter(|name| !name.is_empty());
        match self {
            // projects/P/global or projects/P/{regions,zones}/L, as in the call.
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
            // The name is a path of its own; the version is that of the call.
            Dialect::LongRunning => Some(format!("{}/{}", head(&call.path, 1)?, name?)),
            // projects/P/managedZones/Z/changes; a change to the zone itself is an operation next to its changes.
            Dialect::DnsChange => {
                // A zone has an id too; only an operation has a status.
                answer["status"].as_str()?;
                let kind = match answer["kind"].as_str() {
                    Some("dns#operation") => "operations",
                    _ => "changes",
                };
                let id = answer["id"].as_str()?;
                Some(format!("{}/{kind}/{id}", head(&call.path, 4)?))
            }
        }
    }

    pub(super) fn state(self, answer: &Value) -> OperationState {
        let done = match self {
            Dialect::Compute | Dialect::Container => answer["status"] == "DONE",
            Dialect::LongRunning => answer["done"] == true || answer["name"] == NOTHING_TO_DO,
            Dialect::DnsChange => answer["status"] == "done",
        };
        if !done {
            return OperationState::Running;
        }
        // DONE alone is not success: a rejected deletion ends with 200, DONE and an error. GKE also reports it in the
        // older, deprecated field.
        let older = self == Dialect::Container
            && answer["statusMessage"]
                .as_str()
                .is_some_and(|message| !message.is_empty());
        if answer["error"].is_object() || older {
            OperationState::Failed
        } else {
            OperationState::Done
        }
    }

    /// The operation's own progress message, for the user who waits.
    pub(super) fn progress(self, answer: &Value) -> String {
        let status = answer["status"].as_str().unwrap_or_default();
        beginning(&match self {
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
        })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_operation_says_of_itself_is_cut() {
        let long = "é".repeat(100_000);
        let says = json!({"status": long, "detail": long, "progress": 1, "metadata": {"statusDetail": long}});
        for dialect in [
            Dialect::Compute,
            Dialect::Container,
            Dialect::LongRunning,
            Dialect::DnsChange,
        ] {
            let told = dialect.progress(&says).chars().count();
            assert!((100..2_100).contains(&told), "{dialect:?}: {told}");
        }
    }
}
