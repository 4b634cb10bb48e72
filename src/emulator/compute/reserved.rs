//! Resources that a system of Google's holds for itself: Traffic Director's, for the mesh of a cluster.
//!
//! A program that deletes everything in a project says of `gsmrsvd-…` that Google "refuses every caller permission" to touch them
//! (arehmandev/gcp-nuke, `gcp/base.go`), and names the backend services. The words are those in which compute refuses a missing
//! permission; for these resources they are not recorded. Health checks and endpoint groups refuse deletion because the backend service
//! uses them; public scripts delete the groups once it is gone.

use serde_json::Value;

use super::scope::Scope;
use crate::answer::ErrorResponse;
use crate::settings::Leftovers;
use crate::world::World;

/// The field that says whose a resource is: `{"cluster": full resource name, "id": the cluster's id}`. It is never printed.
pub const RESERVED: &str = "_reserved";

/// Why a resource cannot be deleted by anybody; none if it can be.
pub fn refusal(world: &World, scope: &Scope, path: &str, value: &Value) -> Option<ErrorResponse> {
    value.get(RESERVED)?;
    let is_kept = is_held(world, value) || world.mesh_cleanup().leftovers != Leftovers::Deletable;
    (scope.collection == "backendServices" && is_kept).then(|| {
        ErrorResponse::forbidden(format!(
            "Required 'compute.backendServices.delete' permission for '{path}'"
        ))
    })
}

/// Whether a system of Google's holds the resource for a cluster that exists.
pub fn is_held(world: &World, value: &Value) -> bool {
    let Some(reserved) = value.get(RESERVED) else {
        return false;
    };
    let cluster = reserved["cluster"].as_str().unwrap_or_default();
    let living = world.get(cluster);
    living.is_some_and(|cluster| cluster["id"] == reserved["id"])
}
