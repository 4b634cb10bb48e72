//! Why a plugin of a kubeconfig gave no credentials. Pure.

use kube::client::AuthError;

use crate::text::{beginning, errors};

/// How a plugin failed, without its environment and without its output, which may be a token; `None` if the error
/// does not come from a plugin.
pub(super) fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut plugin = errors(error).filter_map(|error| error.downcast_ref::<AuthError>());
    plugin.find_map(|error| match error {
        AuthError::AuthExecStart(error) => Some(format!("cannot be started: {error}")),
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = match said.trim() {
                "" => String::new(),
                said => format!(": {}", beginning(said)),
            };
            Some(format!("failed with {}{said}", out.status))
        }
        AuthError::AuthExecParse(_) => Some("did not print an ExecCredential".to_owned()),
        AuthError::ExecPluginFailed => Some("printed no credentials".to_owned()),
        _ => None,
    })
}
