//! Access to a pod: commands in its containers, and their logs. The meaning of a command is the caller's concern.

use std::time::Duration;

use futures_util::{AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, LogParams};
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::object::is_segment;
use super::{ClusterClient, ClusterError, ClusterErrorKind, leads_elsewhere};
use crate::text::beginning;

/// The limit for a command's output, in bytes: the rest of a longer output is ignored.
const ENOUGH: u64 = 4 << 20;

/// A running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRef {
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub name: String,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecResult {
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
    /// The exit code; 0 means success.
    pub code: i64,
}

/// Why a command has no exit code: it was not started, or its end was not received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoExitCode {
    /// The message of the container runtime.
    #[error("{0}")]
    NotStarted(String),
    /// The error channel closed without a status.
    #[error("the connection ended before the command did")]
    CutOff,
}

impl ClusterClient {
    /// Runs a command in a container and waits for its end, for `within` at most.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`]: there is no such container, or it is not running; the command could not be started,
    /// with the message of the container runtime.
    pub async fn exec(
        &self,
        container: &ContainerRef,
        command: &[String],
        within: Duration,
    ) -> Result<ExecResult, ClusterError> {
        let what = format!(
            "exec in {}/{} {}: {}",
            container.namespace,
            container.pod,
            container.name,
            command.join(" ")
        );
        let run = self.attached(container, command, &what);
        match tokio::time::timeout(within, run).await {
            Ok(ran) => ran,
            Err(_) => Err(ClusterError {
                what,
                fault: ClusterErrorKind::Unreachable,
                http: None,
                message: format!("the command did not finish within {} s", within.as_secs()),
                conflicts: Vec::new(),
            }),
        }
    }

    async fn attached(
        &self,
        container: &ContainerRef,
        command: &[String],
        what: &str,
    ) -> Result<ExecResult, ClusterError> {
        let params = AttachParams::default()
            .container(&container.name)
            .stdin(false)
            .stdout(true)
            .stderr(true);
        let pods = self.pods(container, what)?;
        let mut process = pods
            .exec(&container.pod, command, &params)
            .await
            .map_err(|error| self.failed(what.to_owned(), error))?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (out, err) = (process.stdout(), process.stderr());
        let status = process.take_status();
        // Both are read at once: a command that fills one pipe while the other is read would block forever.
        let (out, err) = tokio::join!(async { read(out, &mut stdout).await }, async {
            read(err, &mut stderr).await
        });
        out.and(err)
            .map_err(|error| ClusterError::local(what.to_owned(), error.to_string()))?;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let status = status
            .and_then(|status| serde_json::to_value(status).ok())
            .unwrap_or_default();
        Ok(ExecResult {
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            code: code(&status).map_err(|error| ClusterError {
                what: what.to_owned(),
                fault: ClusterErrorKind::Invalid,
                http: None,
                message: beginning(&error.to_string()),
                conflicts: Vec::new(),
            })?,
        })
    }

    /// What a container wrote within `since`, by its node's clock.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`].
    pub async fn logs(
        &self,
        container: &ContainerRef,
        since: Duration,
    ) -> Result<String, ClusterError> {
        let what = format!("logs of {}/{}", container.namespace, container.pod);
        let pods = self.pods(container, &what)?;
        pods.logs(&container.pod, &log_of(container, since, false))
            .await
            .map_err(|error| self.failed(what, error))
    }

    /// Passes on each line of a container's log: those of the last `since`, then each new line as it is written,
    /// across a rotation of the file. Returns when the server ends the log.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`]: of the request alone. A connection that breaks later ends the log.
    pub async fn follow(
        &self,
        container: &ContainerRef,
        since: Duration,
        on_line: &(dyn Fn(&str) + Sync),
    ) -> Result<(), ClusterError> {
        let what = format!("logs of {}/{}", container.namespace, container.pod);
        let pods = self.pods(container, &what)?;
        let lines = pods
            .log_stream(&container.pod, &log_of(container, since, true))
            .await
            .map_err(|error| self.failed(what, error))?;
        let mut lines = std::pin::pin!(lines.lines());
        while let Some(Ok(line)) = lines.next().await {
            on_line(&line);
        }
        Ok(())
    }

    fn pods(&self, container: &ContainerRef, what: &str) -> Result<Api<Pod>, ClusterError> {
        if !is_segment(&container.namespace) || !is_segment(&container.pod) {
            return Err(leads_elsewhere(what.to_owned()));
        }
        Ok(Api::namespaced(self.client.clone(), &container.namespace))
    }
}

/// The log of a container of the last `since`. Kubernetes counts in whole seconds, and accepts no value below one.
fn log_of(container: &ContainerRef, since: Duration, follow: bool) -> LogParams {
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX).max(1);
    LogParams {
        container: Some(container.name.clone()),
        follow,
        since_seconds: Some(seconds),
        ..LogParams::default()
    }
}

async fn read(
    from: Option<impl tokio::io::AsyncRead + Unpin>,
    into: &mut Vec<u8>,
) -> std::io::Result<()> {
    match from {
        Some(from) => from.take(ENOUGH).read_to_end(into).await.map(|_| ()),
        None => Ok(()),
    }
}

/// The exit code in the last message on the error channel. Pure.
fn code(status: &Value) -> Result<i64, NoExitCode> {
    if status["status"] == "Success" {
        return Ok(0);
    }
    let causes = status.pointer("/details/causes").and_then(Value::as_array);
    let exit = causes
        .into_iter()
        .flatten()
        .find(|cause| cause["reason"] == "ExitCode")
        .and_then(|cause| cause["message"].as_str()?.parse().ok());
    exit.ok_or_else(|| match status["message"].as_str() {
        Some(said) => NoExitCode::NotStarted(said.to_owned()),
        None => NoExitCode::CutOff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn an_output_without_end_is_not_read_to_its_end() {
        let mut read_of_it = Vec::new();
        let endless = tokio::io::repeat(b'x');
        read(Some(endless), &mut read_of_it).await.unwrap();
        assert_eq!(read_of_it.len() as u64, ENOUGH);
    }

    #[test]
    fn how_a_command_ended_is_the_last_word() {
        let failed = |causes: Value| json!({"status": "Failure", "message": "m", "details": {"causes": causes}});
        for (status, expected) in [
            (json!({"status": "Success"}), Ok(0)),
            (
                failed(json!([{"reason": "ExitCode", "message": "35"}])),
                Ok(35),
            ),
            (
                failed(json!([])),
                Err(NoExitCode::NotStarted("m".to_owned())),
            ),
            (Value::Null, Err(NoExitCode::CutOff)),
        ] {
            assert_eq!(code(&status), expected, "{status}");
        }
    }
}
