//! THE LIST: every plain Google resource, one row each. Adding a resource is adding a row; see docs/adding-a-kind.md.

use super::row::{Create, Id, Inside, List, Row, Settled, Update};
use crate::google::{Api, Dialect};

/// Every row, in the order in which the tutorial first needs them.
pub static ROWS: &[&Row] = &[
    &NETWORK,
    &SUBNETWORK,
    &ROUTER,
    &FIREWALL,
    &ENDPOINT_GROUP,
    &SERVICE_ACCOUNT,
    &MANAGED_ZONE,
    &CLUSTER,
    &NODE_POOL,
    &FEATURE,
    &MEMBERSHIP,
    &MEMBERSHIP_FEATURE,
    &BUCKET,
];

/// What most rows say; a row states what differs.
const PLAIN: Row = Row {
    kind: "",
    says: "",
    api: Api::Compute,
    collection: "",
    path: "",
    create: BY_NAME,
    update: Update::Patch,
    dialect: None,
    request_id: false,
    settled: None,
    reads: 1,
    fixed: &[],
    carries: &[],
    lists: &[],
    gives: &[],
    lock: None,
    inside: None,
    allow_list: None,
    leftovers: false,
};

const BY_NAME: Create = Create::Post {
    id: Id::Field("name"),
    wrap: None,
    query: &[],
};

/// A compute resource: long-polled operations, a request id on every change.
const COMPUTE: Row = Row {
    api: Api::Compute,
    dialect: Some(Dialect::Compute),
    request_id: true,
    ..PLAIN
};

/// A VPC network. GKE and load balancing leave firewall rules and endpoint groups in it that nobody else removes.
static NETWORK: Row = Row {
    kind: "compute.network",
    says: "a VPC network",
    collection: "networks",
    path: "projects/{project}/global/networks/{network}",
    fixed: &["autoCreateSubnetworks"],
    gives: &["selfLink"],
    leftovers: true,
    ..COMPUTE
};

/// A subnetwork. GKE adds secondary ranges of its own when none are named, so ours are known by their name.
static SUBNETWORK: Row = Row {
    kind: "compute.subnetwork",
    says: "a subnetwork with its secondary ranges",
    collection: "subnetworks",
    path: "projects/{project}/regions/{region}/subnetworks/{subnetwork}",
    // Ranges of a live subnetwork are replaced by nobody without meaning to: stop and say so.
    fixed: &["network", "ipCidrRange", "secondaryIpRanges"],
    carries: &["fingerprint"],
    lists: &[("secondaryIpRanges", List::Keyed("rangeName"))],
    gives: &["selfLink"],
    leftovers: true,
    ..COMPUTE
};

/// A Cloud Router, with its NATs: a NAT is an item of the router's `nats`, not a resource.
static ROUTER: Row = Row {
    kind: "compute.router",
    says: "a Cloud Router with its Cloud NAT",
    collection: "routers",
    path: "projects/{project}/regions/{region}/routers/{router}",
    fixed: &["network"],
    lists: &[("nats", List::Keyed("name"))],
    gives: &["selfLink"],
    lock: Some("router {project}/{region}/{router}"),
    ..COMPUTE
};

/// A VPC firewall rule.
static FIREWALL: Row = Row {
    kind: "compute.firewall",
    says: "a VPC firewall rule",
    collection: "firewalls",
    path: "projects/{project}/global/firewalls/{firewall}",
    fixed: &["network", "direction"],
    carries: &["name"],
    lists: &[
        ("allowed", List::Set),
        ("denied", List::Set),
        ("destinationRanges", List::Set),
        ("sourceRanges", List::Set),
        ("targetServiceAccounts", List::Set),
    ],
    gives: &["selfLink"],
    ..COMPUTE
};

/// A network endpoint group: never made here, only cleared away where GKE has left one behind.
static ENDPOINT_GROUP: Row = Row {
    kind: "compute.networkEndpointGroup",
    says: "a network endpoint group that GKE left behind",
    collection: "networkEndpointGroups",
    path: "projects/{project}/zones/{zone}/networkEndpointGroups/{networkEndpointGroup}",
    create: Create::Never,
    update: Update::Never,
    ..COMPUTE
};

/// A service account. A read that finds it may be followed by one that does not (recorded: 200, 404, 200, 404), so three
/// reads in a row must find it before anything may name it.
static SERVICE_ACCOUNT: Row = Row {
    kind: "iam.serviceAccount",
    says: "a service account",
    api: Api::Iam,
    collection: "projects.serviceAccounts",
    path: "v1/projects/{project}/serviceAccounts/{account}@{project}.iam.gserviceaccount.com",
    create: Create::Post {
        id: Id::Beside("accountId"),
        wrap: Some("serviceAccount"),
        query: &[],
    },
    // Names and descriptions of accounts are nobody's security: an account that differs is told, not changed.
    update: Update::Never,
    reads: 3,
    gives: &["email", "uniqueId"],
    ..PLAIN
};

/// A Cloud DNS zone.
static MANAGED_ZONE: Row = Row {
    kind: "dns.managedZone",
    says: "a private Cloud DNS zone",
    api: Api::Dns,
    collection: "managedZones",
    path: "projects/{project}/managedZones/{managedZone}",
    fixed: &["dnsName", "visibility"],
    lists: &[(
        "privateVisibilityConfig.networks",
        List::Keyed("networkUrl"),
    )],
    gives: &["name", "dnsName"],
    ..PLAIN
};

/// One write at a time: GKE refuses a second operation on a cluster.
const CLUSTER_LOCK: Option<&str> = Some("cluster {project}/{location}/{cluster}");

/// A GKE cluster. Only its allow list is changed in place; every other difference is told.
static CLUSTER: Row = Row {
    kind: "container.cluster",
    says: "a GKE cluster",
    api: Api::Container,
    collection: "projects.locations.clusters",
    path: "v1/projects/{project}/locations/{location}/clusters/{cluster}",
    create: Create::Post {
        id: Id::Field("name"),
        wrap: Some("cluster"),
        query: &[],
    },
    update: Update::Desired {
        field: "controlPlaneEndpointsConfig",
        desired: "desiredControlPlaneEndpointsConfig",
    },
    dialect: Some(Dialect::Container),
    settled: Some(Settled {
        field: "status",
        good: &["RUNNING"],
        bad: &["ERROR", "DEGRADED"],
        why: Some("statusMessage"),
    }),
    lists: &[
        ("nodePools", List::Keyed("name")),
        ("nodePools.config.oauthScopes", List::Set),
        ("nodePools.config.taints", List::Set),
        (
            "controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig.cidrBlocks",
            List::Holds,
        ),
    ],
    gives: &["name", "location", "endpoint"],
    lock: CLUSTER_LOCK,
    allow_list: Some(
        "controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig.cidrBlocks",
    ),
    ..PLAIN
};

/// A GKE node pool. On its own it costs one to two minutes; inside the cluster's create it costs nothing.
static NODE_POOL: Row = Row {
    kind: "container.nodePool",
    says: "a GKE node pool",
    api: Api::Container,
    collection: "projects.locations.clusters.nodePools",
    path: "v1/projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{nodePool}",
    create: Create::Post {
        id: Id::Field("name"),
        wrap: Some("nodePool"),
        query: &[],
    },
    update: Update::Never,
    dialect: Some(Dialect::Container),
    settled: Some(Settled {
        field: "status",
        good: &["RUNNING", "RUNNING_WITH_ERROR"],
        bad: &["ERROR"],
        why: Some("statusMessage"),
    }),
    fixed: &[
        "config",
        "initialNodeCount",
        "management",
        "upgradeSettings",
    ],
    lists: &[
        ("config.oauthScopes", List::Set),
        ("config.taints", List::Set),
    ],
    gives: &["name"],
    lock: CLUSTER_LOCK,
    inside: Some(Inside {
        parent: "container.cluster",
        field: "nodePools",
    }),
    ..PLAIN
};

/// A fleet feature. Deleted without `force`: while another membership uses it, it is not ours to take away.
static FEATURE: Row = Row {
    kind: "gkehub.feature",
    says: "a fleet feature",
    api: Api::GkeHub,
    collection: "projects.locations.features",
    path: "v1/projects/{project}/locations/{location}/features/{feature}",
    create: Create::Post {
        id: Id::Query("featureId"),
        wrap: None,
        query: &[],
    },
    update: Update::PatchMask,
    dialect: Some(Dialect::LongRunning),
    request_id: true,
    settled: Some(Settled {
        field: "resourceState.state",
        good: &["ACTIVE"],
        bad: &[],
        why: Some("state.state.description"),
    }),
    gives: &["name"],
    ..PLAIN
};

/// A cluster's membership of the fleet.
static MEMBERSHIP: Row = Row {
    kind: "gkehub.membership",
    says: "a cluster's membership of the fleet",
    api: Api::GkeHub,
    collection: "projects.locations.memberships",
    path: "v1/projects/{project}/locations/{location}/memberships/{membership}",
    create: Create::Post {
        id: Id::Query("membershipId"),
        wrap: None,
        query: &[],
    },
    update: Update::PatchMask,
    dialect: Some(Dialect::LongRunning),
    request_id: true,
    settled: Some(Settled {
        field: "state.code",
        good: &["READY"],
        bad: &[],
        why: None,
    }),
    fixed: &["endpoint"],
    gives: &["name"],
    ..PLAIN
};

/// A feature's settings for one membership (gkehub v2, as gcloud does it): no other membership is touched.
static MEMBERSHIP_FEATURE: Row = Row {
    kind: "gkehub.membershipFeature",
    says: "a fleet feature's settings for one membership",
    api: Api::GkeHub,
    collection: "projects.locations.memberships.features",
    path: "v2/projects/{project}/locations/{location}/memberships/{membership}/features/{feature}",
    create: Create::PatchAllowMissing,
    update: Update::PatchMask,
    dialect: Some(Dialect::LongRunning),
    request_id: true,
    gives: &["name"],
    lock: Some("feature {project}/{feature}"),
    ..PLAIN
};

/// A Cloud Storage bucket.
static BUCKET: Row = Row {
    kind: "storage.bucket",
    says: "a Cloud Storage bucket",
    api: Api::Storage,
    collection: "buckets",
    path: "b/{bucket}",
    create: Create::Post {
        id: Id::Field("name"),
        wrap: None,
        query: &[("project", "{project}")],
    },
    fixed: &["location"],
    gives: &["name"],
    ..PLAIN
};
