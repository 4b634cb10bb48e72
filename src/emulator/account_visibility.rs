//! Service accounts, as other parts of IAM see them: by address, and not at once after their creation.
//!
//! The API of the accounts themselves is [`super::iam`].

use serde_json::Value;

use super::clock::Millis;
use super::names;
use super::world::World;

/// The field in which the state notes when an account was made; never printed.
pub const SINCE: &str = "_since";

/// Whether an account is there and visible to whoever reads a policy.
pub fn visible(world: &World, email: &str) -> bool {
    let Some(key) = key_of(email) else {
        return false;
    };
    world
        .get(&key)
        .is_some_and(|account| !is_young(world, account))
}

/// Whether an account is so new that not every read finds it.
pub fn is_young(world: &World, account: &Value) -> bool {
    let since: Millis = account[SINCE].as_i64().unwrap_or_default();
    world.now() < since + world.duration("iam.visibility")
}

/// The key of the account of this address; none for an address outside projects.
pub fn key_of(email: &str) -> Option<String> {
    let project = names::project_of_account(email)?;
    Some(names::key(
        "iam",
        &format!("projects/{project}/serviceAccounts/{email}"),
    ))
}
