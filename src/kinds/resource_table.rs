//! THE LIST: every plain Google resource, one row each. Adding a resource is adding a row; see docs/adding-a-kind.md.

use super::derived_output::DerivedOutput;
use super::permissions;
use super::resource_spec::{
    CreateMethod, DesiredField, FieldUpdate, ListSemantics, NameIn, ParentCreate, ReadyField,
    ResourceSpec, UpdateMethod,
};
use crate::google::{Api, Dialect};

/// Every row, in the order in which the tutorial first needs them.
pub static ROWS: &[&ResourceSpec] = &[
    &NETWORK,
    &SUBNETWORK,
    &ROUTER,
    &FIREWALL,
    &ADDRESS,
    &ENDPOINT_GROUP,
    &BACKEND_SERVICE,
    &HEALTH_CHECK,
    &SERVICE_ACCOUNT,
    &MANAGED_ZONE,
    &CLUSTER,
    &NODE_POOL,
    &FEATURE,
    &MEMBERSHIP,
    &MEMBERSHIP_FEATURE,
    &BUCKET,
    &PROJECT,
];

/// The values that most rows have; a row states only what differs.
const PLAIN: ResourceSpec = ResourceSpec {
    kind: "",
    says: "",
    api: Api::Compute,
    collection: "",
    path: "",
    permissions: permissions::UNSTATED,
    permissions_if: &[],
    // Source of this and every other limit: the description of the name in the discovery document, or Google's documentation.
    longest_name: 63,
    project_wide: false,
    users: None,
    create: BY_NAME,
    update: UpdateMethod::Patch,
    dialect: None,
    request_id: false,
    settled: None,
    reads: 1,
    late_holder: None,
    fixed: &[],
    carries: &[],
    unstated: &[],
    lists: &[],
    outputs: &[],
    derived: None,
    predicts: &[],
    lock: None,
    inside: None,
    allow_list: None,
    leftovers: false,
    withdraws: false,
};

const BY_NAME: CreateMethod = CreateMethod::Post {
    id: NameIn::Field("name"),
    wrap: None,
    query: &[],
};

/// A compute resource: long-polled operations, a request id on every change.
const COMPUTE: ResourceSpec = ResourceSpec {
    api: Api::Compute,
    dialect: Some(Dialect::Compute),
    request_id: true,
    ..PLAIN
};

/// A VPC network. GKE and load balancing leave firewall rules and endpoint groups in it that nothing else deletes.
static NETWORK: ResourceSpec = ResourceSpec {
    kind: "compute.network",
    says: "a VPC network",
    collection: "networks",
    path: "projects/{project}/global/networks/{network}",
    permissions: permissions::NETWORK,
    fixed: &["autoCreateSubnetworks"],
    outputs: &["name", "selfLink"],
    leftovers: true,
    ..COMPUTE
};

/// A subnetwork. If no secondary ranges are named, GKE adds its own, so ours are identified by name.
static SUBNETWORK: ResourceSpec = ResourceSpec {
    kind: "compute.subnetwork",
    says: "a subnetwork with its secondary ranges",
    collection: "subnetworks",
    path: "projects/{project}/regions/{region}/subnetworks/{subnetwork}",
    permissions: permissions::SUBNETWORK,
    // Replacing the ranges of a live subnetwork must be a deliberate decision: the step stops and reports the difference.
    fixed: &["network", "ipCidrRange", "secondaryIpRanges"],
    carries: &["fingerprint"],
    lists: &[("secondaryIpRanges", ListSemantics::Keyed("rangeName"))],
    outputs: &["name", "selfLink"],
    leftovers: true,
    ..COMPUTE
};

/// A Cloud Router, with its NATs: a NAT is an item of the router's `nats`, not a resource.
static ROUTER: ResourceSpec = ResourceSpec {
    kind: "compute.router",
    says: "a Cloud Router with its Cloud NAT",
    collection: "routers",
    path: "projects/{project}/regions/{region}/routers/{router}",
    permissions: permissions::ROUTER,
    fixed: &["network"],
    unstated: &["nats.natIps", "nats.logConfig.enable"],
    lists: &[
        ("nats", ListSemantics::Keyed("name")),
        ("nats.natIps", ListSemantics::Set),
    ],
    outputs: &["selfLink"],
    derived: Some(&DerivedOutput {
        name: "natAddresses",
        method: "getRouterStatus",
        list: "/result/natStatus",
        field: "userAllocatedNatIps",
    }),
    lock: Some("router {project}/{region}/{router}"),
    ..COMPUTE
};

/// A VPC firewall rule.
static FIREWALL: ResourceSpec = ResourceSpec {
    kind: "compute.firewall",
    says: "a VPC firewall rule",
    collection: "firewalls",
    path: "projects/{project}/global/firewalls/{firewall}",
    permissions: permissions::FIREWALL,
    fixed: &["network", "direction"],
    carries: &["name"],
    unstated: &["logConfig.enable"],
    lists: &[
        ("allowed", ListSemantics::Set),
        ("denied", ListSemantics::Set),
        ("destinationRanges", ListSemantics::Set),
        ("sourceRanges", ListSemantics::Set),
        ("targetServiceAccounts", ListSemantics::Set),
    ],
    outputs: &["selfLink"],
    ..COMPUTE
};

/// A regional static external address. It has no PATCH, so every difference is only reported.
static ADDRESS: ResourceSpec = ResourceSpec {
    kind: "compute.address",
    says: "a static external address",
    collection: "addresses",
    path: "projects/{project}/regions/{region}/addresses/{address}",
    permissions: permissions::ADDRESS,
    update: UpdateMethod::Never,
    settled: Some(ReadyField {
        field: "status",
        good: &["RESERVED", "IN_USE"],
        degraded: &[],
        changing: &[],
        bad: &[],
        why: None,
    }),
    outputs: &["selfLink", "address"],
    ..COMPUTE
};

/// A network endpoint group: never created here, only deleted if GKE or Traffic Director has left one behind.
static ENDPOINT_GROUP: ResourceSpec = ResourceSpec {
    kind: "compute.networkEndpointGroup",
    says: "a network endpoint group that GKE or Traffic Director left behind",
    collection: "networkEndpointGroups",
    path: "projects/{project}/zones/{zone}/networkEndpointGroups/{networkEndpointGroup}",
    permissions: permissions::ENDPOINT_GROUP,
    create: CreateMethod::Never,
    update: UpdateMethod::Never,
    ..COMPUTE
};

/// A global backend service: never created here, only deleted if Traffic Director has left one behind.
static BACKEND_SERVICE: ResourceSpec = ResourceSpec {
    kind: "compute.backendService",
    says: "a backend service that Traffic Director left behind",
    collection: "backendServices",
    path: "projects/{project}/global/backendServices/{backendService}",
    permissions: permissions::BACKEND_SERVICE,
    create: CreateMethod::Never,
    update: UpdateMethod::Never,
    ..COMPUTE
};

/// A global health check: never created here, only deleted if Traffic Director has left one behind.
static HEALTH_CHECK: ResourceSpec = ResourceSpec {
    kind: "compute.healthCheck",
    says: "a health check that Traffic Director left behind",
    collection: "healthChecks",
    path: "projects/{project}/global/healthChecks/{healthCheck}",
    permissions: permissions::HEALTH_CHECK,
    create: CreateMethod::Never,
    update: UpdateMethod::Never,
    ..COMPUTE
};

/// A service account. A read that finds it may be followed by a read that does not (recorded: 200, 404, 200, 404), so three reads
/// in a row must find it before other resources may name it.
static SERVICE_ACCOUNT: ResourceSpec = ResourceSpec {
    kind: "iam.serviceAccount",
    says: "a service account",
    api: Api::Iam,
    collection: "projects.serviceAccounts",
    path: "v1/projects/{project}/serviceAccounts/{account}@{project}.iam.gserviceaccount.com",
    permissions: permissions::SERVICE_ACCOUNT,
    longest_name: 30,
    create: CreateMethod::Post {
        id: NameIn::Beside("accountId"),
        wrap: Some("serviceAccount"),
        query: &[],
    },
    // Names and descriptions of accounts are not relevant to security: an account that differs is reported, not changed.
    update: UpdateMethod::Never,
    reads: 3,
    outputs: &["email", "uniqueId"],
    predicts: &[("email", "{account}@{project}.iam.gserviceaccount.com")],
    ..PLAIN
};

/// A Cloud DNS zone.
static MANAGED_ZONE: ResourceSpec = ResourceSpec {
    kind: "dns.managedZone",
    says: "a private Cloud DNS zone",
    api: Api::Dns,
    collection: "managedZones",
    path: "projects/{project}/managedZones/{managedZone}",
    permissions: permissions::MANAGED_ZONE,
    fixed: &["dnsName", "visibility"],
    lists: &[(
        "privateVisibilityConfig.networks",
        ListSemantics::Keyed("networkUrl"),
    )],
    outputs: &["name", "dnsName"],
    ..PLAIN
};

/// The fields of a cluster that are changed in place, one in each request: who reaches its API server, and whom that reaches.
const CLUSTER_UPDATES: &[DesiredField] = &[
    DesiredField {
        field: "controlPlaneEndpointsConfig",
        desired: "desiredControlPlaneEndpointsConfig",
    },
    DesiredField {
        field: "controlPlaneEgress",
        desired: "desiredControlPlaneEgress",
    },
];

/// One write at a time: GKE rejects a second operation on a cluster.
const CLUSTER_LOCK: Option<&str> = Some("cluster {project}/{location}/{cluster}");

/// Whether the DNS endpoint of a cluster takes requests from outside.
const DNS_ENDPOINT: &str = "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic";

/// A GKE cluster. Only its allow list, its DNS endpoint and the egress of its API server are changed in place; every other difference is reported.
static CLUSTER: ResourceSpec = ResourceSpec {
    kind: "container.cluster",
    says: "a GKE cluster",
    api: Api::Container,
    collection: "projects.locations.clusters",
    path: "v1/projects/{project}/locations/{location}/clusters/{cluster}",
    permissions: permissions::CLUSTER,
    permissions_if: &[(DNS_ENDPOINT, permissions::DNS_ENDPOINT)],
    longest_name: 40,
    create: CreateMethod::Post {
        id: NameIn::Field("name"),
        wrap: Some("cluster"),
        query: &[],
    },
    update: UpdateMethod::Desired(CLUSTER_UPDATES),
    dialect: Some(Dialect::Container),
    settled: Some(ReadyField {
        field: "status",
        good: &["RUNNING"],
        // A cluster that was RUNNING once still serves. Source: the description of the statuses in the discovery document.
        degraded: &["DEGRADED"],
        changing: &["RECONCILING"],
        bad: &["ERROR"],
        why: Some("statusMessage"),
    }),
    lists: &[
        ("nodePools", ListSemantics::Keyed("name")),
        ("nodePools.config.oauthScopes", ListSemantics::Set),
        ("nodePools.config.taints", ListSemantics::Set),
        (
            "controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig.cidrBlocks",
            ListSemantics::Holds,
        ),
    ],
    unstated: &[DNS_ENDPOINT],
    outputs: &["name", "location", "endpoint"],
    lock: CLUSTER_LOCK,
    allow_list: Some(
        "controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig.cidrBlocks",
    ),
    ..PLAIN
};

/// The fields of a node pool that GKE changes in place. A new size adds or drains nodes; the others replace one node after the
/// other, as `upgradeSettings` says. GKE refuses some combinations in one request, so each is sent alone.
const POOL_UPDATES: &[FieldUpdate] = &[
    // After a resize GKE reports the new size as the initial one. Source: the documentation of Terraform's provider, which warns
    // of it; not recorded.
    FieldUpdate {
        field: "initialNodeCount",
        method: Some("setSize"),
        body: "nodeCount",
    },
    FieldUpdate {
        field: "management",
        method: Some("setManagement"),
        body: "management",
    },
    FieldUpdate {
        field: "upgradeSettings",
        method: None,
        body: "upgradeSettings",
    },
    FieldUpdate {
        field: "config.machineType",
        method: None,
        body: "machineType",
    },
    FieldUpdate {
        field: "config.taints",
        method: None,
        body: "taints.taints",
    },
];

/// A GKE node pool. Created on its own it takes one to two minutes; created with the cluster it takes no extra time.
static NODE_POOL: ResourceSpec = ResourceSpec {
    kind: "container.nodePool",
    says: "a GKE node pool",
    api: Api::Container,
    collection: "projects.locations.clusters.nodePools",
    path: "v1/projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{nodePool}",
    permissions: permissions::NODE_POOL,
    longest_name: 40,
    create: CreateMethod::Post {
        id: NameIn::Field("name"),
        wrap: Some("nodePool"),
        query: &[],
    },
    update: UpdateMethod::PerField(POOL_UPDATES),
    dialect: Some(Dialect::Container),
    settled: Some(ReadyField {
        field: "status",
        good: &["RUNNING", "RUNNING_WITH_ERROR"],
        degraded: &[],
        changing: &["RECONCILING"],
        bad: &["ERROR"],
        why: Some("statusMessage"),
    }),
    lists: &[
        ("config.oauthScopes", ListSemantics::Set),
        ("config.taints", ListSemantics::Set),
    ],
    outputs: &["name"],
    lock: CLUSTER_LOCK,
    inside: Some(&ParentCreate {
        parent: "container.cluster",
        field: "nodePools",
    }),
    ..PLAIN
};

/// A fleet feature, which all environments of a project share. It is deleted without `force`, and not at all while the settings of
/// a membership are in it: `down` deletes its own membership's settings before, so these are another's.
static FEATURE: ResourceSpec = ResourceSpec {
    kind: "gkehub.feature",
    says: "a fleet feature",
    api: Api::GkeHub,
    collection: "projects.locations.features",
    path: "v1/projects/{project}/locations/{location}/features/{feature}",
    permissions: permissions::FEATURE,
    project_wide: true,
    users: Some("membershipSpecs"),
    create: CreateMethod::Post {
        id: NameIn::Query("featureId"),
        wrap: None,
        query: &[],
    },
    update: UpdateMethod::PatchMask,
    dialect: Some(Dialect::LongRunning),
    request_id: true,
    settled: Some(ReadyField {
        field: "resourceState.state",
        good: &["ACTIVE"],
        degraded: &[],
        changing: &[],
        bad: &[],
        why: Some("state.state.description"),
    }),
    outputs: &["name"],
    ..PLAIN
};

/// A cluster's membership of the fleet.
static MEMBERSHIP: ResourceSpec = ResourceSpec {
    kind: "gkehub.membership",
    says: "a cluster's membership of the fleet",
    api: Api::GkeHub,
    collection: "projects.locations.memberships",
    path: "v1/projects/{project}/locations/{location}/memberships/{membership}",
    permissions: permissions::MEMBERSHIP,
    create: CreateMethod::Post {
        id: NameIn::Query("membershipId"),
        wrap: None,
        query: &[],
    },
    update: UpdateMethod::PatchMask,
    dialect: Some(Dialect::LongRunning),
    request_id: true,
    settled: Some(ReadyField {
        field: "state.code",
        good: &["READY"],
        degraded: &[],
        changing: &[],
        bad: &[],
        why: None,
    }),
    fixed: &["endpoint"],
    outputs: &["name"],
    ..PLAIN
};

/// A feature's settings for one membership (gkehub v2, as in gcloud): no other membership is changed.
pub static MEMBERSHIP_FEATURE: ResourceSpec = ResourceSpec {
    kind: "gkehub.membershipFeature",
    says: "a fleet feature's settings for one membership",
    api: Api::GkeHub,
    collection: "projects.locations.memberships.features",
    path: "v2/projects/{project}/locations/{location}/memberships/{membership}/features/{feature}",
    permissions: permissions::MEMBERSHIP_FEATURE,
    create: CreateMethod::PatchAllowMissing,
    update: UpdateMethod::PatchMask,
    dialect: Some(Dialect::LongRunning),
    request_id: true,
    // The fleet answers 404 or 400 for a membership that it created a moment ago (reported).
    late_holder: Some("membership"),
    outputs: &["name"],
    lock: Some("feature {project}/{feature}"),
    withdraws: true,
    ..PLAIN
};

/// A Cloud Storage bucket.
static BUCKET: ResourceSpec = ResourceSpec {
    kind: "storage.bucket",
    says: "a Cloud Storage bucket",
    api: Api::Storage,
    collection: "buckets",
    path: "b/{bucket}",
    permissions: permissions::BUCKET,
    create: CreateMethod::Post {
        id: NameIn::Field("name"),
        wrap: None,
        query: &[("project", "{project}")],
    },
    fixed: &["location"],
    outputs: &["name"],
    ..PLAIN
};

/// A project. No step creates or deletes one; a step may look one up, because the names of Google's service agents have its number.
static PROJECT: ResourceSpec = ResourceSpec {
    kind: "resourcemanager.project",
    says: "a project, which a step can only look up",
    api: Api::CloudResourceManager,
    collection: "projects",
    path: "v1/projects/{project}",
    permissions: permissions::PROJECT,
    project_wide: true,
    create: CreateMethod::Never,
    update: UpdateMethod::Never,
    outputs: &["projectNumber"],
    ..PLAIN
};
