//! Members of IAM policies: one read-modify-write for all of them, repeated if another client wrote in between.
//!
//! A policy is shared. Conditional bindings, other members and `deleted:` members are written back as they were read; only
//! unconditional bindings of our roles are changed. The requests are those that were recorded from gcloud: policy version 3 is
//! requested and written, and the etag is sent back.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::clusters::Clients;
use super::path_template;
use super::permissions::{self, Permissions};
use super::spec::{Effect, KindSpec, MutationResult, Observed, observed_set};
use crate::google::{Api, ApiError, Call, Class, MayHaveApplied, retry};

/// A resource that has a policy.
#[derive(Debug, Clone, Copy)]
pub struct IamPolicySpec {
    /// The name that steps use.
    pub kind: &'static str,
    /// The API that serves it.
    pub api: Api,
    /// The resource's path below the API's base.
    pub path: &'static str,
    /// How its policy is read and written.
    pub dialect: IamPolicyMethods,
    /// The permissions to read and to write it.
    pub permissions: Permissions,
}

/// How a policy is read and written.
#[derive(Debug, Clone, Copy)]
pub enum IamPolicyMethods {
    /// POST `:getIamPolicy` with the version in the body, POST `:setIamPolicy`.
    Body,
    /// POST `:getIamPolicy` with the version in the query, POST `:setIamPolicy`.
    Query,
    /// GET `/getIamPolicy` with the version in the query, POST `/setIamPolicy`.
    Compute,
    /// GET and PUT of `/iam` below the resource.
    Storage,
}

/// Every resource whose policy a step may add members to.
pub static POLICIES: &[IamPolicySpec] = &[
    IamPolicySpec {
        kind: "iam.projectMembers",
        api: Api::CloudResourceManager,
        path: "v1/projects/{project}",
        dialect: IamPolicyMethods::Body,
        permissions: permissions::PROJECT_MEMBERS,
    },
    IamPolicySpec {
        kind: "iam.serviceAccountMembers",
        api: Api::Iam,
        path: "v1/projects/{project}/serviceAccounts/{account}",
        dialect: IamPolicyMethods::Query,
        permissions: permissions::SERVICE_ACCOUNT_MEMBERS,
    },
    IamPolicySpec {
        kind: "compute.subnetworkMembers",
        api: Api::Compute,
        path: "projects/{project}/regions/{region}/subnetworks/{subnetwork}",
        dialect: IamPolicyMethods::Compute,
        permissions: permissions::SUBNETWORK_MEMBERS,
    },
    IamPolicySpec {
        kind: "storage.bucketMembers",
        api: Api::Storage,
        path: "b/{bucket}",
        dialect: IamPolicyMethods::Storage,
        permissions: permissions::BUCKET_MEMBERS,
    },
];

/// How often a policy is read again because another client wrote it in between.
const CONFLICTS: usize = 10;

#[async_trait]
impl KindSpec for IamPolicySpec {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn api(&self) -> Api {
        self.api
    }

    fn template(&self) -> &'static str {
        self.path
    }

    fn effect(&self) -> Effect {
        Effect::Resource
    }

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        self.permissions
    }

    /// A project has one policy; an account or a bucket, which has a name of its own, has its own.
    fn is_project_wide(&self) -> bool {
        self.keys() == ["project"]
    }

    /// A policy is read, changed and written as a whole.
    fn lock(&self, at: &Map<String, Value>) -> Option<String> {
        self.path(at).ok()
    }

    /// An account that was just created is found by some replicas and not by others (recorded).
    fn late_holder(&self) -> Option<&'static str> {
        self.path
            .ends_with("/serviceAccounts/{account}")
            .then_some("account")
    }

    fn parts(&self, want: &Value) -> Vec<String> {
        parts(want)
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        match read(self, clients, at).await {
            Ok(live) => Ok(observed_set(self, Some(live), parts)),
            Err(error) if error.class == Class::NotFound => Ok(Observed::Absent),
            Err(error) => Err(error),
        }
    }

    /// Adds the missing pairs.
    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        let wanted = parts(want);
        rewrite(self, clients, at, |live| with(live, &wanted)).await
    }

    /// Removes the pairs. If the resource is gone, its policy has none of them.
    async fn delete(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        parts: &[String],
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        match rewrite(self, clients, at, |live| without(live, parts)).await {
            Err(error) if error.class == Class::NotFound => Ok(MutationResult::Now),
            sent => sent,
        }
    }
}

/// The pairs of a policy or of a step's `want`, as `role member`. Conditional bindings are not ours and do not count.
fn parts(policy: &Value) -> Vec<String> {
    let bindings = policy
        .get("bindings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let open = bindings.filter(|binding| binding.get("condition").is_none());
    open.flat_map(|binding| {
        let role = binding
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let members = binding
            .get("members")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        members
            .filter_map(Value::as_str)
            .map(move |member| format!("{role} {member}"))
    })
    .collect()
}

/// Reads, changes and writes the policy; without a change nothing is written. The etag makes it safe to repeat the write.
async fn rewrite(
    policy: &IamPolicySpec,
    clients: &Clients,
    at: &Map<String, Value>,
    change: impl Fn(&Value) -> Value + Sync,
) -> Result<MutationResult, ApiError> {
    let mut delays =
        retry::delays(Duration::from_millis(50), Duration::from_secs(5)).take(CONFLICTS);
    let mut may_have_applied = MayHaveApplied::No;
    loop {
        let live = read(policy, clients, at)
            .await
            .map_err(|error| error.after(&mut may_have_applied))?;
        let changed = change(&live);
        if parts(&changed) == parts(&live) {
            return Ok(MutationResult::Now);
        }
        let written = write(policy, clients, at, changed).await;
        match written.map_err(|error| error.after(&mut may_have_applied)) {
            Ok(_) => return Ok(MutationResult::Now),
            Err(error) if error.class == Class::PolicyConflict => match delays
                .next()
                .and_then(|delay| retry::requested(delay, error.retry_after, retry::PATIENCE))
            {
                Some(delay) => {
                    clients.watch.retrying(
                        &error.call,
                        "another client changed the policy",
                        1,
                        delay,
                    );
                    tokio::time::sleep(delay).await;
                }
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
}

async fn read(
    policy: &IamPolicySpec,
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<Value, ApiError> {
    let path = path_template::path(policy.path, at)?;
    let call = match policy.dialect {
        IamPolicyMethods::Body => Call::post(policy.api, format!("{path}:getIamPolicy"))
            .json(json!({"options": {"requestedPolicyVersion": 3}}))
            .repeatable(),
        IamPolicyMethods::Query => Call::post(policy.api, format!("{path}:getIamPolicy"))
            .query("options.requestedPolicyVersion", "3")
            .repeatable(),
        IamPolicyMethods::Compute => Call::get(policy.api, format!("{path}/getIamPolicy"))
            .query("optionsRequestedPolicyVersion", "3"),
        IamPolicyMethods::Storage => {
            Call::get(policy.api, format!("{path}/iam")).query("optionsRequestedPolicyVersion", "3")
        }
    };
    clients.client.send(&call, &*clients.watch).await
}

async fn write(
    policy: &IamPolicySpec,
    clients: &Clients,
    at: &Map<String, Value>,
    mut changed: Value,
) -> Result<Value, ApiError> {
    let path = path_template::path(policy.path, at)?;
    changed["version"] = 3.into();
    let call = match policy.dialect {
        IamPolicyMethods::Body | IamPolicyMethods::Query => {
            Call::post(policy.api, format!("{path}:setIamPolicy"))
                .json(json!({"policy": changed}))
                .repeatable()
        }
        IamPolicyMethods::Compute => Call::post(policy.api, format!("{path}/setIamPolicy"))
            .json(json!({"policy": changed}))
            .repeatable(),
        IamPolicyMethods::Storage => Call::put(policy.api, format!("{path}/iam")).json(changed),
    };
    clients.client.send(&call, &*clients.watch).await
}

/// The policy with the pairs: each in the unconditional binding of its role, or in a new binding at the end.
fn with(policy: &Value, pairs: &[String]) -> Value {
    let there = parts(policy);
    let mut policy = policy.clone();
    let mut bindings = policy
        .get("bindings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for pair in pairs.iter().filter(|pair| !there.contains(pair)) {
        let (role, member) = pair.split_once(' ').unwrap_or((pair, ""));
        let open = |b: &&mut Value| {
            b.get("condition").is_none() && b.get("role").and_then(Value::as_str) == Some(role)
        };
        match bindings
            .iter_mut()
            .find(open)
            .and_then(|b| b.get_mut("members"))
            .and_then(Value::as_array_mut)
        {
            Some(members) => members.push(member.into()),
            None => bindings.push(json!({"role": role, "members": [member]})),
        }
    }
    policy["bindings"] = bindings.into();
    policy
}

/// The policy without the pairs; a binding that loses its last member is removed.
fn without(policy: &Value, pairs: &[String]) -> Value {
    let mut policy = policy.clone();
    let mut bindings = policy
        .get("bindings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    bindings.retain_mut(|binding| {
        let role = binding
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let conditional = binding.get("condition").is_some();
        match binding.get_mut("members").and_then(Value::as_array_mut) {
            Some(members) if !conditional => {
                members.retain(|member| {
                    !member
                        .as_str()
                        .is_some_and(|m| pairs.contains(&format!("{role} {m}")))
                });
                !members.is_empty()
            }
            _ => true,
        }
    });
    policy["bindings"] = bindings.into();
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Value {
        json!({"etag": "BwY=", "version": 1, "auditConfigs": [{"service": "allServices"}], "bindings": [
            {"role": "roles/a", "members": ["user:x", "deleted:serviceAccount:sa@p?uid=1"]},
            {"role": "roles/b", "members": ["serviceAccount:sa@p"], "condition": {"title": "t", "expression": "e"}},
        ]})
    }

    #[test]
    fn adds_beside_strangers_and_never_into_a_condition() {
        let pairs = [
            "roles/a serviceAccount:sa@p",
            "roles/b serviceAccount:sa@p",
            "roles/c user:y",
        ]
        .map(str::to_owned);
        let changed = with(&policy(), &pairs);
        assert_eq!(
            changed["bindings"],
            json!([
                {"role": "roles/a", "members": ["user:x", "deleted:serviceAccount:sa@p?uid=1", "serviceAccount:sa@p"]},
                {"role": "roles/b", "members": ["serviceAccount:sa@p"], "condition": {"title": "t", "expression": "e"}},
                {"role": "roles/b", "members": ["serviceAccount:sa@p"]},
                {"role": "roles/c", "members": ["user:y"]},
            ])
        );
        assert_eq!(changed["auditConfigs"], policy()["auditConfigs"]);
        assert_eq!(
            with(&changed, &pairs),
            changed,
            "adding twice is adding once"
        );
        assert_eq!(
            without(&changed, &pairs),
            policy(),
            "taking out restores what was there"
        );
    }

    #[test]
    fn an_empty_policy_gets_its_first_binding() {
        let changed = with(&json!({"etag": "ACAB"}), &["roles/a user:x".to_owned()]);
        assert_eq!(
            changed,
            json!({"etag": "ACAB", "bindings": [{"role": "roles/a", "members": ["user:x"]}]})
        );
    }
}
