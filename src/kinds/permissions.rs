//! The permissions of IAM that a kind's requests need: to read, to create and change, and to delete. A new kind must state them.
//!
//! Source: the permissions that Google's reference names for each method, as iann0036/iam-dataset (MIT) collects them. A permission
//! that the reference does not name is not demanded here: a role of the user's own that lacks it must not be refused.

/// What the requests of a kind need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// To read it.
    pub read: &'static [&'static str],
    /// To create and to change it, to wait for both, and to find a request of these whose answer was lost.
    pub change: &'static [&'static str],
    /// To delete it, with what others left in it, to wait for that, and to find such a request whose answer was lost.
    pub delete: &'static [&'static str],
}

/// None at all: what a new row has until it states its own. A test finds it.
pub const UNSTATED: Permissions = Permissions {
    read: &[],
    change: &[],
    delete: &[],
};

/// What the deletion of a network or of a subnetwork needs, with the leftovers of GKE and Traffic Director in it: they are listed and
/// deleted, unless a cluster lives there.
macro_rules! with_leftovers {
    ($($own:literal),+ $(,)?) => {
        &[
            $($own,)+
            "compute.firewalls.list",
            "compute.firewalls.delete",
            "compute.networks.updatePolicy",
            "compute.networkEndpointGroups.list",
            "compute.networkEndpointGroups.delete",
            "compute.backendServices.list",
            "compute.backendServices.delete",
            "compute.healthChecks.list",
            "compute.healthChecks.delete",
            "compute.globalOperations.get",
            "compute.globalOperations.list",
            "compute.zoneOperations.get",
            "compute.zoneOperations.list",
        ]
    };
}

/// `compute.networks`, with GKE's leftovers in the network.
pub const NETWORK: Permissions = Permissions {
    read: &["compute.networks.get"],
    change: &[
        "compute.networks.create",
        "compute.networks.update",
        "compute.globalOperations.get",
        "compute.globalOperations.list",
    ],
    delete: with_leftovers!["compute.networks.delete", "container.clusters.list"],
};

/// `compute.subnetworks`, with the leftovers in the subnetwork. Clusters are listed if endpoint groups are found, which are in the
/// cluster's project: there the network or the mesh states that permission, and a host project has no groups.
pub const SUBNETWORK: Permissions = Permissions {
    read: &["compute.subnetworks.get"],
    change: &[
        "compute.subnetworks.create",
        "compute.subnetworks.update",
        "compute.regionOperations.get",
        "compute.regionOperations.list",
    ],
    delete: with_leftovers![
        "compute.subnetworks.delete",
        "compute.regionOperations.get",
        "compute.regionOperations.list",
    ],
};

/// `compute.routers`.
pub const ROUTER: Permissions = Permissions {
    read: &["compute.routers.get"],
    change: &[
        "compute.routers.create",
        "compute.routers.update",
        "compute.regionOperations.get",
        "compute.regionOperations.list",
    ],
    delete: &[
        "compute.routers.delete",
        "compute.regionOperations.get",
        "compute.regionOperations.list",
    ],
};

/// `compute.firewalls`.
pub const FIREWALL: Permissions = Permissions {
    read: &["compute.firewalls.get"],
    change: &[
        "compute.firewalls.create",
        "compute.firewalls.update",
        "compute.networks.updatePolicy",
        "compute.globalOperations.get",
        "compute.globalOperations.list",
    ],
    delete: &[
        "compute.firewalls.delete",
        "compute.networks.updatePolicy",
        "compute.globalOperations.get",
        "compute.globalOperations.list",
    ],
};

/// `compute.addresses`.
pub const ADDRESS: Permissions = Permissions {
    read: &["compute.addresses.get"],
    change: &[
        "compute.addresses.create",
        "compute.regionOperations.get",
        "compute.regionOperations.list",
    ],
    delete: &[
        "compute.addresses.delete",
        "compute.regionOperations.get",
        "compute.regionOperations.list",
    ],
};

/// What others leave behind in compute, and what is only deleted here.
macro_rules! left_behind {
    ($plural:literal, $operations:literal) => {
        Permissions {
            read: &[concat!("compute.", $plural, ".get")],
            change: &[],
            delete: &[
                concat!("compute.", $plural, ".delete"),
                concat!("compute.", $operations, ".get"),
                concat!("compute.", $operations, ".list"),
            ],
        }
    };
}

/// `compute.networkEndpointGroups`.
pub const ENDPOINT_GROUP: Permissions = left_behind!("networkEndpointGroups", "zoneOperations");

/// `compute.backendServices`.
pub const BACKEND_SERVICE: Permissions = left_behind!("backendServices", "globalOperations");

/// `compute.healthChecks`.
pub const HEALTH_CHECK: Permissions = left_behind!("healthChecks", "globalOperations");

/// `iam.projects.serviceAccounts`.
pub const SERVICE_ACCOUNT: Permissions = Permissions {
    read: &["iam.serviceAccounts.get"],
    change: &["iam.serviceAccounts.create"],
    delete: &["iam.serviceAccounts.delete"],
};

/// `dns.managedZones`. The zones of the steps are private, so that they are bound to a network.
pub const MANAGED_ZONE: Permissions = Permissions {
    read: &["dns.managedZones.get"],
    change: &[
        "dns.managedZones.create",
        "dns.managedZones.update",
        "dns.networks.bindPrivateDNSZone",
    ],
    delete: &["dns.managedZones.delete"],
};

/// `dns.changes` and `dns.resourceRecordSets`.
pub const RECORDS: Permissions = Permissions {
    read: &["dns.resourceRecordSets.list"],
    change: &[
        "dns.changes.create",
        "dns.changes.get",
        "dns.resourceRecordSets.create",
        "dns.resourceRecordSets.update",
    ],
    delete: &[
        "dns.changes.create",
        "dns.changes.get",
        "dns.resourceRecordSets.delete",
    ],
};

/// `container.projects.locations.clusters`. Its nodes run as service accounts, on whose behalf the caller acts.
pub const CLUSTER: Permissions = Permissions {
    read: &["container.clusters.get"],
    change: &[
        "container.clusters.create",
        "container.clusters.update",
        "container.operations.get",
        "container.operations.list",
        "iam.serviceAccounts.actAs",
    ],
    delete: &[
        "container.clusters.delete",
        "container.operations.get",
        "container.operations.list",
    ],
};

/// Requests to a cluster's DNS endpoint. Source: the documentation of network isolation in GKE.
pub const DNS_ENDPOINT: &[&str] = &["container.clusters.connect"];

/// `container.projects.locations.clusters.nodePools`.
pub const NODE_POOL: Permissions = Permissions {
    read: &["container.clusters.get"],
    change: &[
        "container.clusters.update",
        "container.operations.get",
        "container.operations.list",
        "iam.serviceAccounts.actAs",
    ],
    delete: &[
        "container.clusters.update",
        "container.operations.get",
        "container.operations.list",
    ],
};

/// `gkehub.projects.locations.features`.
pub const FEATURE: Permissions = Permissions {
    read: &["gkehub.features.get"],
    change: &[
        "gkehub.features.create",
        "gkehub.features.update",
        "gkehub.operations.get",
        "gkehub.operations.list",
    ],
    delete: &[
        "gkehub.features.delete",
        "gkehub.operations.get",
        "gkehub.operations.list",
    ],
};

/// `gkehub.projects.locations.memberships`.
pub const MEMBERSHIP: Permissions = Permissions {
    read: &["gkehub.memberships.get"],
    change: &[
        "gkehub.memberships.create",
        "gkehub.memberships.update",
        "gkehub.operations.get",
        "gkehub.operations.list",
    ],
    delete: &[
        "gkehub.memberships.delete",
        "gkehub.operations.get",
        "gkehub.operations.list",
    ],
};

/// `gkehub.projects.locations.memberships.features`. The permissions are those of the predefined role of fleets; the reference
/// does not name them. After its deletion the withdrawal of Traffic Director is watched: for its membership's cluster, by the
/// endpoint groups.
pub const MEMBERSHIP_FEATURE: Permissions = Permissions {
    read: &["gkehub.membershipfeatures.get"],
    change: &[
        "gkehub.membershipfeatures.create",
        "gkehub.membershipfeatures.update",
        "gkehub.operations.get",
        "gkehub.operations.list",
    ],
    delete: &[
        "gkehub.membershipfeatures.delete",
        "gkehub.memberships.get",
        "container.clusters.list",
        "compute.networkEndpointGroups.list",
        "gkehub.operations.get",
        "gkehub.operations.list",
    ],
};

/// `storage.buckets`.
pub const BUCKET: Permissions = Permissions {
    read: &["storage.buckets.get"],
    change: &["storage.buckets.create", "storage.buckets.update"],
    delete: &["storage.buckets.delete"],
};

/// `storage.objects`.
pub const OBJECT: Permissions = Permissions {
    read: &["storage.objects.get"],
    change: &["storage.objects.create", "storage.objects.delete"],
    delete: &["storage.objects.delete"],
};

/// `cloudresourcemanager.projects`, which is only read.
pub const PROJECT: Permissions = Permissions {
    read: &["resourcemanager.projects.get"],
    ..UNSTATED
};

/// The policy of a project.
pub const PROJECT_MEMBERS: Permissions = Permissions {
    read: &["resourcemanager.projects.getIamPolicy"],
    change: &["resourcemanager.projects.setIamPolicy"],
    delete: &["resourcemanager.projects.setIamPolicy"],
};

/// The policy of a service account.
pub const SERVICE_ACCOUNT_MEMBERS: Permissions = Permissions {
    read: &["iam.serviceAccounts.getIamPolicy"],
    change: &["iam.serviceAccounts.setIamPolicy"],
    delete: &["iam.serviceAccounts.setIamPolicy"],
};

/// The policy of a subnetwork.
pub const SUBNETWORK_MEMBERS: Permissions = Permissions {
    read: &["compute.subnetworks.getIamPolicy"],
    change: &["compute.subnetworks.setIamPolicy"],
    delete: &["compute.subnetworks.setIamPolicy"],
};

/// The policy of a bucket.
pub const BUCKET_MEMBERS: Permissions = Permissions {
    read: &["storage.buckets.getIamPolicy"],
    change: &["storage.buckets.setIamPolicy"],
    delete: &["storage.buckets.setIamPolicy"],
};

/// `serviceusage.services`. They are never disabled.
pub const SERVICES: Permissions = Permissions {
    read: &["serviceusage.services.get"],
    change: &[
        "serviceusage.services.enable",
        "serviceusage.operations.get",
    ],
    delete: &[],
};

/// A restart of Deployments.
pub const RESTART: Permissions = Permissions {
    read: &["container.clusters.get", "container.deployments.list"],
    change: &["container.deployments.update"],
    delete: &[],
};

/// A check: it runs commands in pods and reads their logs.
pub const CHECK: Permissions = Permissions {
    read: &[
        "container.clusters.get",
        "container.pods.get",
        "container.pods.list",
        "container.pods.getLogs",
        "container.pods.exec",
    ],
    ..UNSTATED
};

/// What a wait reads, and nothing else.
pub const fn reads(read: &'static [&'static str]) -> Permissions {
    Permissions { read, ..UNSTATED }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::kinds::Kind;

    fn of(kind: &str, at: Value) -> Permissions {
        let at = at.as_object().cloned().unwrap_or_default();
        Kind::named(kind).unwrap().permissions(&at)
    }

    #[test]
    fn who_deletes_a_network_or_subnetwork_deletes_what_google_left_in_it() {
        for kind in ["compute.network", "compute.subnetwork"] {
            let found = of(kind, json!({}));
            for permission in [
                "compute.firewalls.list",
                "compute.firewalls.delete",
                "compute.networkEndpointGroups.list",
                "compute.networkEndpointGroups.delete",
                "compute.backendServices.list",
                "compute.backendServices.delete",
                "compute.healthChecks.list",
                "compute.healthChecks.delete",
                "compute.zoneOperations.get",
            ] {
                assert!(found.delete.contains(&permission), "{kind} {permission}");
                // Where it is only looked up, nothing in it is searched.
                assert!(!found.read.contains(&permission), "{kind} {permission}");
            }
        }
    }

    #[test]
    fn who_may_follow_operations_may_find_them() {
        for kind in Kind::all() {
            let found = kind.permissions(&Map::new());
            for part in [found.change, found.delete] {
                for get in part.iter().filter(|one| one.ends_with("erations.get")) {
                    // Operations of Service Usage are not listed.
                    let list = get.replace(".get", ".list");
                    let is_listed = part.contains(&list.as_str());
                    assert!(
                        is_listed || get.starts_with("serviceusage"),
                        "{kind:?} {list}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_wait_reads_the_object_that_it_names() {
        let at = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        let found = of("kubernetes.ready", at);
        assert_eq!(
            found,
            reads(&["container.clusters.get", "container.deployments.get"])
        );
        let pods = of("kubernetes.pods", json!({}));
        assert!(pods.read.contains(&"container.nodes.list"));
    }
}
