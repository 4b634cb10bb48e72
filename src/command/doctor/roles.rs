//! Which predefined role carries a permission. Only the roles that the steps need, each as small as Google has it.

use std::collections::BTreeMap;

/// The first row whose beginning a permission has names its role. `roles/compute.networkAdmin` has most of a network's permissions,
/// but cannot change firewall rules or endpoint groups. Source: Google's roles as iann0036/iam-dataset records them, of which
/// `fixtures/iam-roles.json` is a part.
const ROLES: &[(&str, &str)] = &[
    ("compute.firewalls.", "roles/compute.securityAdmin"),
    (
        "compute.networkEndpointGroups.",
        "roles/compute.loadBalancerAdmin",
    ),
    ("compute.", "roles/compute.networkAdmin"),
    ("container.clusters.", "roles/container.clusterAdmin"),
    ("container.operations.", "roles/container.clusterAdmin"),
    ("container.", "roles/container.admin"),
    ("dns.", "roles/dns.admin"),
    ("gkehub.", "roles/gkehub.admin"),
    ("iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser"),
    ("iam.serviceAccounts.", "roles/iam.serviceAccountAdmin"),
    // `roles/orgpolicy.policyViewer` is granted on an organization, not on a project, as far as is known here.
    ("orgpolicy.policy.get", "roles/storage.admin"),
    ("resourcemanager.projects.get", "roles/browser"),
    (
        "resourcemanager.projects.setIamPolicy",
        "roles/resourcemanager.projectIamAdmin",
    ),
    ("serviceusage.", "roles/serviceusage.serviceUsageAdmin"),
    ("storage.", "roles/storage.admin"),
];

/// The role that carries a permission. Every permission that a kind states has one; a test holds the table against the kinds.
pub fn role_of(permission: &str) -> &'static str {
    let row = ROLES
        .iter()
        .find(|(beginning, _)| permission.starts_with(beginning));
    row.map_or("roles/owner", |(_, role)| role)
}

/// The roles that carry the permissions, each with those that it adds. A role that is needed anyway carries more than its own rows.
pub fn roles_of<'a>(missing: &[&'a str]) -> BTreeMap<&'static str, Vec<&'a str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for permission in missing {
        found
            .entry(role_of(permission))
            .or_default()
            .push(permission);
    }
    // Full control of clusters contains their management.
    if found.contains_key("roles/container.admin")
        && let Some(more) = found.remove("roles/container.clusterAdmin")
    {
        found
            .entry("roles/container.admin")
            .or_default()
            .extend(more);
    }
    if found.contains_key("roles/resourcemanager.projectIamAdmin")
        && let Some(more) = found.remove("roles/browser")
    {
        found
            .entry("roles/resourcemanager.projectIamAdmin")
            .or_default()
            .extend(more);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::kinds::Kind;

    fn carried() -> Value {
        serde_json::from_str(include_str!("../../../fixtures/iam-roles.json")).unwrap()
    }

    fn has(role: &str, permission: &str) -> bool {
        let all = carried();
        let permissions = all[role].as_array().unwrap_or_else(|| panic!("{role}"));
        permissions.iter().any(|one| one == permission)
    }

    /// What the kinds state, Kubernetes' objects of two sorts among them.
    fn stated() -> BTreeSet<&'static str> {
        let objects = ["Deployment", "RoleBinding", "Sidecar"].map(|kind| {
            let group = match kind {
                "Deployment" => "apps/v1",
                "RoleBinding" => "rbac.authorization.k8s.io/v1",
                _ => "networking.istio.io/v1",
            };
            let at = json!({"apiVersion": group, "kind": kind});
            at.as_object().cloned().unwrap_or_else(Map::new)
        });
        let by_name = json!({"controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": true}}});
        let kinds = Kind::all().flat_map(|kind| {
            let stated = objects.iter().map(move |at| kind.permissions(at));
            let more = kind.permissions_for(&by_name);
            let stated = stated.flat_map(|one| [one.read, one.change, one.delete].concat());
            stated.chain(more).collect::<Vec<_>>()
        });
        kinds.collect()
    }

    #[test]
    fn the_named_role_carries_the_permission() {
        for permission in stated() {
            let role = role_of(permission);
            assert!(has(role, permission), "{role} has no {permission}");
        }
        // What `doctor` itself reads.
        let own = "orgpolicy.policy.get";
        assert!(has(role_of(own), own));
        let all: Vec<&str> = stated().into_iter().collect();
        for (role, permissions) in roles_of(&all) {
            for permission in permissions {
                assert!(has(role, permission), "{role} has no {permission}");
            }
        }
    }

    #[test]
    fn the_dns_endpoint_of_a_cluster_needs_a_permission_of_its_own() {
        let connect = "container.clusters.connect";
        assert!(stated().contains(connect));
        assert_eq!(role_of(connect), "roles/container.clusterAdmin");
        let cluster = Kind::all().find(|kind| kind.name() == "container.cluster");
        let closed = json!({"controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": false}}});
        assert!(cluster.unwrap().permissions_for(&closed).is_empty());
    }

    #[test]
    fn a_network_administrator_cannot_change_firewall_rules_or_endpoint_groups() {
        let network = "roles/compute.networkAdmin";
        for permission in [
            "compute.firewalls.create",
            "compute.firewalls.update",
            "compute.firewalls.delete",
            "compute.networkEndpointGroups.delete",
        ] {
            assert!(!has(network, permission), "{permission}");
            assert_ne!(role_of(permission), network);
        }
    }
}
