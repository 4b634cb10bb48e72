//! Projects by name: every API looks its project up here. The API of the projects themselves is [`super::projects`].

use super::answer::ErrorResponse;
use super::names;
use super::world::{Project, World};

/// The active project that `name` means: `projects/p/…`, `p`, or its number.
///
/// # Errors
/// 403, Google's answer for a project that is missing, deleted or owned by another.
pub fn named(world: &mut World, name: &str) -> Result<Project, ErrorResponse> {
    let project = known(world, name)?;
    let gone = world
        .get(&key(&project))
        .is_some_and(|stored| stored["lifecycleState"] != "ACTIVE");
    if gone {
        Err(ErrorResponse::no_project())
    } else {
        Ok(project)
    }
}

/// The same, deleted ones included.
pub fn known(world: &mut World, name: &str) -> Result<Project, ErrorResponse> {
    let id = names::segment(name, "projects").unwrap_or(name);
    world.project(id).ok_or_else(ErrorResponse::no_project)
}

/// The key of a project in the state. A project that is not stored is active and has its default name.
pub fn key(project: &Project) -> String {
    names::key("cloudresourcemanager", &format!("projects/{}", project.id))
}
