//! Members of a policy: which are well formed, and whether the accounts and pools they name are there.

use super::account_visibility;
use super::names;
use super::world::World;

/// Whether a member can be bound in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It can be bound.
    Fine,
    /// A service account that does not exist, or is not visible yet.
    NoAccount(String),
    /// A workload identity pool of a project in which no cluster has ever had one.
    NoPool(String),
    /// Its type is unknown.
    NoType,
}

/// Types of members whose existence is not checked.
const UNCHECKED: &[&str] = &[
    "user",
    "group",
    "domain",
    "deleted",
    "principal",
    "principalSet",
    "projectOwner",
    "projectEditor",
    "projectViewer",
];

/// Checks a member of a policy that is being set.
pub fn standing(world: &World, member: &str) -> Standing {
    if ["allUsers", "allAuthenticatedUsers"].contains(&member) {
        return Standing::Fine;
    }
    match member.split_once(':') {
        Some(("serviceAccount", name)) => account(world, name),
        Some((kind, name)) if UNCHECKED.contains(&kind) && !name.is_empty() => Standing::Fine,
        _ => Standing::NoType,
    }
}

fn account(world: &World, name: &str) -> Standing {
    // A Kubernetes service account: its namespace and name need not exist, its pool must.
    if let Some((pool, _)) = name.split_once('[') {
        return if world.get(&pool_key(pool)).is_some() {
            Standing::Fine
        } else {
            Standing::NoPool(pool.to_owned())
        };
    }
    match name.split_once('@') {
        None => Standing::NoAccount(name.to_owned()),
        Some((local, domain)) if is_googles(local, domain) => Standing::Fine,
        Some(_) if account_visibility::visible(world, name) => Standing::Fine,
        Some(_) => Standing::NoAccount(name.to_owned()),
    }
}

/// Accounts that Google makes: agents (`service-NUMBER@…`) and those outside `iam.gserviceaccount.com`.
fn is_googles(local: &str, domain: &str) -> bool {
    let agent = local.strip_prefix("service-").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    agent || !domain.ends_with(".iam.gserviceaccount.com")
}

/// The key of a workload identity pool, `p.svc.id.goog`. It exists from the first cluster with workload identity on, and stays.
pub fn pool_key(pool: &str) -> String {
    let project = pool.strip_suffix(".svc.id.goog").unwrap_or(pool);
    names::key(
        "iam",
        &format!("projects/{project}/locations/global/workloadIdentityPools/{pool}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Pace;
    use crate::clock::Clock;

    #[test]
    fn members_stand_or_fall_as_google_says() {
        let mut world = World::new(Clock::At(1_000_000), Pace::Zero);
        let key = "//iam.googleapis.com/projects/demo-proj/serviceAccounts/old@demo-proj.iam.gserviceaccount.com";
        world.put(key, json!({"_since": 0}));
        world.put(key.replace("old@", "new@"), json!({"_since": 999_900}));
        world.put(pool_key("demo-proj.svc.id.goog"), json!({}));
        let gone = |name: &str| Standing::NoAccount(name.to_owned());
        let cases = [
            ("user:a@example.com", Standing::Fine),
            ("allUsers", Standing::Fine),
            (
                "deleted:serviceAccount:x@p.iam.gserviceaccount.com?uid=1",
                Standing::Fine,
            ),
            (
                "serviceAccount:old@demo-proj.iam.gserviceaccount.com",
                Standing::Fine,
            ),
            // Created a moment ago: not visible yet.
            (
                "serviceAccount:new@demo-proj.iam.gserviceaccount.com",
                gone("new@demo-proj.iam.gserviceaccount.com"),
            ),
            ("serviceAccount:x", gone("x")),
            (
                "serviceAccount:service-7@gcp-sa-servicemesh.iam.gserviceaccount.com",
                Standing::Fine,
            ),
            (
                "serviceAccount:7-compute@developer.gserviceaccount.com",
                Standing::Fine,
            ),
            (
                "serviceAccount:demo-proj.svc.id.goog[team-x/test]",
                Standing::Fine,
            ),
            (
                "serviceAccount:other-proj.svc.id.goog[a/b]",
                Standing::NoPool("other-proj.svc.id.goog".to_owned()),
            ),
            ("a@example.com", Standing::NoType),
            ("user:", Standing::NoType),
            ("robot:a@example.com", Standing::NoType),
        ];
        for (member, want) in cases {
            assert_eq!(standing(&world, member), want, "{member}");
        }
    }
}
