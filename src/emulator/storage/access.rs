//! What a principal may read: the one question about access that the emulator answers, because a pod asks it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::bucket_lookup::bucket_key;
use super::objects::MEDIA;
use crate::names;
use crate::pod::Denied;
use crate::world::World;

/// Predefined roles with `storage.objects.get`, and whether they have `storage.objects.list` too, without which a caller is not
/// told that an object does not exist.
const READERS: &[(&str, bool)] = &[
    ("roles/storage.admin", true),
    ("roles/storage.legacyObjectOwner", false),
    ("roles/storage.legacyObjectReader", false),
    ("roles/storage.objectAdmin", true),
    ("roles/storage.objectUser", true),
    ("roles/storage.objectViewer", true),
];

/// The text of an object, for a service account by its address.
///
/// # Errors
/// Cloud Storage's reason.
pub fn read(world: &World, bucket: &str, object: &str, account: &str) -> Result<String, Denied> {
    let key = bucket_key(bucket);
    let found = world.get(&key).ok_or(Denied::NoBucket)?;
    let member = format!("serviceAccount:{account}");
    let project = world.project_id(found["projectNumber"].as_str().unwrap_or_default());
    let of_project = project.and_then(|project| {
        let policy = format!("projects/{project}/iamPolicy");
        world.get(&names::key("cloudresourcemanager", &policy))
    });
    let policies = [world.get(&format!("{key}/iamPolicy")), of_project];
    let granted: Vec<bool> = policies
        .into_iter()
        .flatten()
        .flat_map(|policy| grants(policy, &member))
        .collect();
    if granted.is_empty() {
        return Err(Denied::NotAllowed);
    }
    let stored = world.get(&format!("{key}/objects/{object}"));
    let Some(stored) = stored else {
        return Err(if granted.contains(&true) {
            Denied::NoObject
        } else {
            Denied::NotAllowed
        });
    };
    let bytes = STANDARD.decode(stored[MEDIA].as_str().unwrap_or_default());
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

/// For each binding that lets the member read: whether it may list too. Conditions are not evaluated: a binding under one
/// grants nothing.
fn grants(policy: &Value, member: &str) -> Vec<bool> {
    let bindings = policy["bindings"].as_array().into_iter().flatten();
    let mine = bindings.filter(|binding| {
        let mut members = binding["members"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        binding.get("condition").is_none()
            && members.any(|one| [member, "allUsers", "allAuthenticatedUsers"].contains(&one))
    });
    mine.filter_map(|binding| {
        let role = READERS.iter().find(|(role, _)| binding["role"] == *role);
        role.map(|(_, lists)| *lists)
    })
    .collect()
}
