//! Requests for the logs of containers.

use serde_json::Value;

use super::call::ApiCall;
use super::object::plain;
use super::resource::Resource;
use super::status::Status;

/// A request for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The key of the log, see [`key`].
    pub log: String,
    /// The key of the pod.
    pub pod: String,
    /// Its uid: a pod of the same name later is another.
    pub uid: String,
    /// Whether to wait for more.
    pub follow: bool,
    /// How many of the last lines; all if none.
    pub last: Option<usize>,
}

/// The key of a container's log.
pub fn key(namespace: &str, pod: &str, container: &str) -> String {
    format!("{namespace}/{pod}/{container}")
}

/// What a request wants to read.
///
/// # Errors
/// 400 for a container that is not there, or none where there are several.
pub fn tail(call: &ApiCall, resource: &Resource, pod: &Value) -> Result<Tail, Status> {
    let container = container(call, pod)?;
    running(pod, &container)?;
    let text = |field: &str| {
        pod["metadata"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Tail {
        log: key(&text("namespace"), &text("name"), &container),
        pod: resource.key(&text("namespace"), &text("name")),
        uid: text("uid"),
        follow: call.flag("follow"),
        last: call.query("tailLines").and_then(|lines| lines.parse().ok()),
    })
}

/// The container that a request names, or the only one.
///
/// # Errors
/// 400.
pub fn container(call: &ApiCall, pod: &Value) -> Result<String, Status> {
    let names = |list: &str| -> Vec<String> {
        pod["spec"][list]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| plain(&one["name"]))
            .collect()
    };
    let (own, initial) = (names("containers"), names("initContainers"));
    let pod_name = plain(&pod["metadata"]["name"]);
    match call.query("container") {
        Some(wanted) if own.iter().chain(&initial).any(|name| name == wanted) => {
            Ok(wanted.to_owned())
        }
        Some(wanted) => Err(Status::bad_request(format!(
            "container {wanted} is not valid for pod {pod_name}"
        ))),
        None => match own.as_slice() {
            [only] => Ok(only.clone()),
            many => {
                let mut message = format!(
                    "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                    many.join(" ")
                );
                if !initial.is_empty() {
                    message.push_str(&format!(
                        " or one of the init containers: [{}]",
                        initial.join(" ")
                    ));
                }
                Err(Status::bad_request(message))
            }
        },
    }
}

/// Whether the container runs.
///
/// # Errors
/// 400 with the reason why it does not.
pub fn running(pod: &Value, container: &str) -> Result<(), Status> {
    let states =
        ["containerStatuses", "initContainerStatuses"].map(|list| pod["status"][list].as_array());
    let state = states
        .into_iter()
        .flatten()
        .flatten()
        .find(|state| state["name"] == container);
    match state.map(|state| &state["state"]) {
        Some(state) if state.get("waiting").is_none() => Ok(()),
        Some(state) => Err(Status::bad_request(format!(
            "container {container:?} in pod {:?} is waiting to start: {}",
            plain(&pod["metadata"]["name"]),
            plain(&state["waiting"]["reason"])
        ))),
        None => Err(Status::bad_request(format!(
            "pod {} does not have a host assigned",
            plain(&pod["metadata"]["name"])
        ))),
    }
}
