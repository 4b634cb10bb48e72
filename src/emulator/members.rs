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

/// The counter of the accounts that were ever made in a project.
pub fn accounts_of(project: &str) -> String {
    format!("accounts/{project}")
}

/// Checks a member of a policy that is being set, or an account that is to be used, in `project` or something in it.
pub fn standing(world: &World, project: &str, member: &str) -> Standing {
    if ["allUsers", "allAuthenticatedUsers"].contains(&member) {
        return Standing::Fine;
    }
    match member.split_once(':') {
        Some(("serviceAccount", name)) => account(world, project, name),
        // A person, a group and a deleted account have an address.
        Some(("user" | "group", name)) if !is_address(name) => Standing::NoType,
        Some((kind, name)) if UNCHECKED.contains(&kind) && !name.is_empty() => Standing::Fine,
        _ => Standing::NoType,
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
}

fn account(world: &World, project: &str, name: &str) -> Standing {
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
        Some(_) if is_elsewhere(world, project, name) => Standing::Fine,
        Some(_) => Standing::NoAccount(name.to_owned()),
    }
}

/// Whether an address is of a project of which nothing is known here. Every project that a request might name exists, and so do its
/// accounts: nobody here can know better. An account of the policy's own project, or of one in which anything was made, must have been
/// made, too. Reading a project makes nothing in it.
fn is_elsewhere(world: &World, project: &str, email: &str) -> bool {
    names::project_of_account(email).is_some_and(|owner| {
        names::is_project_id(&owner)
            && owner != project
            && !world.has_counted(&accounts_of(&owner))
            && !world.is_used(&owner)
    })
}

/// Accounts that Google makes: agents (`service-NUMBER@…`) and those outside `iam.gserviceaccount.com`.
fn is_googles(local: &str, domain: &str) -> bool {
    let agent = local.strip_prefix("service-").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    agent || !domain.ends_with(".iam.gserviceaccount.com")
}

/// The name of a project's workload identity pool. The domain of a project's id comes after its name: `p.example.com.svc.id.goog` for
/// `example.com:p`. As in the addresses of accounts: own knowledge, no record.
pub fn pool_of(project: &str) -> String {
    match project.split_once(':') {
        Some((domain, name)) => format!("{name}.{domain}.svc.id.goog"),
        None => format!("{project}.svc.id.goog"),
    }
}

/// The key of a workload identity pool, `p.svc.id.goog`. It exists from the first cluster with workload identity on, and stays.
pub fn pool_key(pool: &str) -> String {
    let name = pool.strip_suffix(".svc.id.goog").unwrap_or(pool);
    let project = match name.split_once('.') {
        Some((name, domain)) => format!("{domain}:{name}"),
        None => name.to_owned(),
    };
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
        world.project("demo-proj").unwrap();
        let key = "//iam.googleapis.com/projects/demo-proj/serviceAccounts/old@demo-proj.iam.gserviceaccount.com";
        world.put(key, json!({"_since": 0}));
        world.put(key.replace("old@", "new@"), json!({"_since": 999_900}));
        world.put(pool_key("demo-proj.svc.id.goog"), json!({}));
        world.project("read-project").unwrap();
        world.put(
            "//compute.googleapis.com/projects/used-project/global/networks/n",
            json!({}),
        );
        // Its only account was deleted.
        world.count(&accounts_of("left-project"));
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
            (
                "serviceAccount:none@demo-proj.iam.gserviceaccount.com",
                gone("none@demo-proj.iam.gserviceaccount.com"),
            ),
            // A project in which nothing was made has accounts that are not known here, and reading it changes nothing.
            (
                "serviceAccount:ci@their-project.iam.gserviceaccount.com",
                Standing::Fine,
            ),
            (
                "serviceAccount:ci@read-project.iam.gserviceaccount.com",
                Standing::Fine,
            ),
            (
                "serviceAccount:ci@used-project.iam.gserviceaccount.com",
                gone("ci@used-project.iam.gserviceaccount.com"),
            ),
            (
                "serviceAccount:ci@left-project.iam.gserviceaccount.com",
                gone("ci@left-project.iam.gserviceaccount.com"),
            ),
            (
                "serviceAccount:ci@Not A Project.iam.gserviceaccount.com",
                gone("ci@Not A Project.iam.gserviceaccount.com"),
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
            ("user:alice", Standing::NoType),
            ("group:team", Standing::NoType),
            ("robot:a@example.com", Standing::NoType),
        ];
        for (member, want) in cases {
            assert_eq!(standing(&world, "demo-proj", member), want, "{member}");
        }
        // In the policy's own project an account must have been made, even if nothing else was.
        let own = "serviceAccount:ci@read-project.iam.gserviceaccount.com";
        assert_eq!(
            standing(&world, "read-project", own),
            gone("ci@read-project.iam.gserviceaccount.com")
        );
    }
}
