//! The user's own cluster (`--kubeconfig`): which one is requested, and whether our objects are in it. Nothing is changed.

use std::path::{Path, PathBuf};

use super::output::note;
use crate::cli::Global;
use crate::engine::state::State;
use crate::error::CommandError;
use crate::kinds::own::{ClusterIdentity, OwnCluster, OwnClusterError};
use crate::recording::Recorder;

/// The parameter and its value for a control plane that the user installs in the cluster.
pub const IN_CLUSTER: (&str, &str) = ("control_plane", "in-cluster");

/// The default parameters of a rehearsal: the user's own cluster has no managed control plane, and is small.
const DEFAULTS: &[(&str, &str)] = &[IN_CLUSTER, ("nodes", "1"), ("gateway_nodes", "1")];

/// The cluster that a run would use, before any request to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedCluster {
    file: PathBuf,
    context: Option<String>,
    /// The cluster that contains objects of ours.
    remembered: Option<ClusterIdentity>,
}

/// The default parameters of a rehearsal.
pub fn defaults(rehearses: bool) -> &'static [(&'static str, &'static str)] {
    if rehearses { DEFAULTS } else { &[] }
}

/// The cluster that the flags name, or the one that contains objects of ours. Pure.
///
/// # Errors
/// The user's own cluster is named, but resources of ours are in the emulated one.
pub fn requested(
    global: &Global,
    project: &str,
    state: &State,
) -> Result<Option<RequestedCluster>, CommandError> {
    let stands = state.stands();
    let last = state.last_run.as_ref().filter(|_| stands);
    let remembered = last.and_then(|last| last.cluster.clone());
    match (&global.kubeconfig, remembered) {
        (None, None) => Ok(None),
        (None, Some(remembered)) => Ok(Some(RequestedCluster {
            file: PathBuf::from(&remembered.file),
            context: Some(remembered.context.clone()),
            remembered: Some(remembered),
        })),
        (Some(file), None) if last.is_some() => {
            let file = file.display();
            Err(CommandError::usage(
                format!(
                    "the journal of {project} belongs to the emulator's own cluster, but this run would use the cluster of {file}"
                ),
                "omit --kubeconfig, or run `provision down --emulate` first, or name another folder with --state-dir",
            ))
        }
        (Some(file), remembered) => Ok(Some(RequestedCluster {
            file: file.clone(),
            context: global.context.clone(),
            remembered,
        })),
    }
}

impl RequestedCluster {
    /// Reads the cluster's identity, and reports it in one line.
    ///
    /// # Errors
    /// The kubeconfig has no such cluster; the cluster does not answer; it is not the one that contains objects of ours.
    pub async fn open_own_cluster(
        &self,
        project: &str,
        folder: &Path,
        recorder: Option<&Recorder>,
    ) -> Result<OwnCluster, CommandError> {
        let found = OwnCluster::open(&self.file, self.context.as_deref(), recorder).await;
        let own = found.map_err(|closed| self.closed(closed, folder))?;
        if let Some(remembered) = self
            .remembered
            .as_ref()
            .filter(|remembered| remembered.uid != own.identity.uid)
        {
            let (was, now) = (remembered, &own.identity);
            let error = format!(
                "the objects of {project} are in another cluster: the journal names {} (UID {}), but {} has UID {}",
                was.words(),
                was.uid,
                now.words(),
                now.uid
            );
            return Err(CommandError::usage(error, &gone(folder)));
        }
        let user = own.user.as_deref().unwrap_or("unknown");
        note(&format!(
            "cluster of your own: {}, user {user}",
            own.identity.words()
        ));
        Ok(own)
    }

    fn closed(&self, closed: OwnClusterError, folder: &Path) -> CommandError {
        match closed {
            OwnClusterError::NoEntry(no) => {
                let mut hint = match no.contexts.as_slice() {
                    [] => "name a kubeconfig with --kubeconfig FILE".to_owned(),
                    names => format!(
                        "name one of its contexts with --context: {}",
                        names.join(", ")
                    ),
                };
                if self.remembered.is_some() {
                    hint = format!("{hint}; {}", gone(folder));
                }
                CommandError::usage(no, &hint)
            }
            OwnClusterError::Refused { at, source } => {
                let hint = source.hint().unwrap_or_default();
                let hint = match self.remembered {
                    Some(_) => format!("{hint}; {}", gone(folder)),
                    None => hint,
                };
                CommandError::failed(format!("{at}: {source}"), &hint)
            }
        }
    }
}

/// What to do if the cluster that contained objects of ours no longer exists.
fn gone(folder: &Path) -> String {
    format!(
        "if the cluster of the journal was deleted, remove {}: nothing else remains",
        folder.display()
    )
}

/// The kubectl command for the cluster.
pub fn kubectl(identity: &ClusterIdentity) -> String {
    format!(
        "kubectl --kubeconfig {} --context {}",
        quoted(&identity.file),
        quoted(&identity.context)
    )
}

/// A word, quoted for a shell if needed.
pub fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "/._-@:=+,".contains(c);
    match !word.is_empty() && word.chars().all(bare) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it() {
        for (word, expected) in [
            ("/srv/own/.kube/config", "/srv/own/.kube/config"),
            (
                "arn:aws:eks:eu-1:1:cluster/x",
                "arn:aws:eks:eu-1:1:cluster/x",
            ),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
