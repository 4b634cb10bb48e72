//! Every row of `src/kinds/resource_table.rs`, every policy and every other behaviour is held against Google's discovery
//! documents: paths, verbs, parameters, request ids and field names. What the documents cannot say (which list is a set,
//! what may not run side by side) is not looked at here.

use crate::common::faults::{of_policy, of_row};
use crate::common::methods::{Document, full, shape};
use provision::google::{Api, Dialect};
use provision::kinds::Kind;
use provision::kinds::iam_policy::{IamPolicyMethods, IamPolicySpec, POLICIES};
use provision::kinds::resource_spec::{
    CreateMethod, DesiredField, ListSemantics, NameIn, ParentCreate, ReadyField, ResourceSpec,
    UpdateMethod,
};
use provision::kinds::resource_table::ROWS;

#[test]
fn every_row_is_what_google_says() {
    let faults: Vec<String> = ROWS
        .iter()
        .flat_map(|row| {
            of_row(row)
                .into_iter()
                .map(|fault| format!("{}: {fault}", row.kind))
        })
        .collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn every_policy_is_what_google_says() {
    let faults: Vec<String> = POLICIES
        .iter()
        .flat_map(|p| {
            of_policy(p)
                .into_iter()
                .map(|fault| format!("{}: {fault}", p.kind))
        })
        .collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn the_other_kinds_call_what_google_serves() {
    let calls = [
        ("dns.records", "GET", "/rrsets"),
        ("dns.records", "POST", "/changes"),
        ("services", "GET", "/services:batchGet"),
        ("services", "POST", "/services:batchEnable"),
        ("storage.object", "GET", ""),
        ("storage.object", "DELETE", ""),
    ];
    for (kind, verb, suffix) in calls {
        let kind = Kind::named(kind).unwrap();
        let document = Document::of(kind.api(), kind.template()).unwrap();
        let path = shape(&full(kind.api(), &format!("{}{suffix}", kind.template())));
        assert!(
            document.serving(verb, &path).is_some(),
            "{}: nothing serves {verb} {path}",
            kind.name()
        );
    }
    // What is asked of a cluster is held by tests/kubernetes_*.rs; the mesh's word is a field of the fleet feature's row.
    let elsewhere = [
        "kubernetes.definitions",
        "kubernetes.nodes",
        "kubernetes.object",
        "kubernetes.pods",
        "kubernetes.ready",
        "kubernetes.restart",
        "mesh.ready",
        "mesh.revision",
    ];
    let held = |kind: &&str| {
        elsewhere.contains(kind)
            || calls.iter().any(|call| call.0 == *kind)
            || POLICIES.iter().any(|p| p.kind == *kind)
    };
    // Rows are held by the test above, and checks ask clusters alone.
    let is_row = |kind: &Kind| ROWS.iter().any(|row| row.kind == kind.name());
    let plain = Kind::all()
        .filter(|kind| !is_row(kind) && !kind.is_check())
        .map(|kind| kind.name());
    assert_eq!(
        plain.filter(|kind| !held(kind)).collect::<Vec<_>>(),
        [""; 0],
        "kinds held against nothing"
    );
}

/// The row of a kind, to be spoilt.
fn like(kind: &str) -> ResourceSpec {
    **ROWS.iter().find(|row| row.kind == kind).unwrap()
}

#[test]
fn each_planted_fault_is_found() {
    let post = |id, wrap| CreateMethod::Post {
        id,
        wrap,
        query: &[],
    };
    let rest = |field, why| {
        Some(ReadyField {
            field,
            good: &["RUNNING"],
            degraded: &[],
            changing: &[],
            bad: &[],
            why,
        })
    };
    let (network, zone, cluster, pool) = (
        || like("compute.network"),
        || like("dns.managedZone"),
        || like("container.cluster"),
        || like("container.nodePool"),
    );
    let cases = [
        (
            ResourceSpec {
                collection: "nets",
                ..network()
            },
            "no collection nets with a get",
        ),
        (
            ResourceSpec {
                api: Api::Dns,
                ..network()
            },
            "no collection networks with a get",
        ),
        (
            ResourceSpec {
                path: "projects/{project}/networks/{network}",
                ..network()
            },
            "get is at compute/v1/projects/{}/global/networks/{}, not compute/v1/projects/{}/networks/{}",
        ),
        (
            ResourceSpec {
                request_id: false,
                ..network()
            },
            "create: requestId is taken",
        ),
        (
            ResourceSpec {
                request_id: false,
                ..network()
            },
            "delete: requestId is taken",
        ),
        (
            ResourceSpec {
                request_id: true,
                ..zone()
            },
            "create: requestId is not taken",
        ),
        (
            ResourceSpec {
                dialect: None,
                ..network()
            },
            "create answers Operation, not None",
        ),
        (
            ResourceSpec {
                dialect: Some(Dialect::LongRunning),
                ..network()
            },
            "create answers Operation, not Some(LongRunning)",
        ),
        (
            ResourceSpec {
                dialect: Some(Dialect::DnsChange),
                ..zone()
            },
            "create answers ManagedZone, not Some(DnsChange)",
        ),
        (
            ResourceSpec {
                create: post(NameIn::Field("title"), None),
                ..network()
            },
            "create: no field title",
        ),
        (
            ResourceSpec {
                create: post(NameIn::Query("networkId"), None),
                ..network()
            },
            "create: no parameter networkId",
        ),
        (
            ResourceSpec {
                create: post(NameIn::Beside("clusterId"), Some("cluster")),
                ..cluster()
            },
            "create: no field clusterId",
        ),
        (
            ResourceSpec {
                create: post(NameIn::Field("name"), Some("body")),
                ..cluster()
            },
            "create: no field body",
        ),
        (
            ResourceSpec {
                create: CreateMethod::Post {
                    id: NameIn::Field("name"),
                    wrap: None,
                    query: &[("zone", "")],
                },
                ..network()
            },
            "create takes no zone",
        ),
        (
            ResourceSpec {
                create: CreateMethod::PatchAllowMissing,
                ..network()
            },
            "create takes no allowMissing",
        ),
        (
            ResourceSpec {
                update: UpdateMethod::PatchMask,
                ..network()
            },
            "update takes no updateMask",
        ),
        (
            ResourceSpec {
                update: UpdateMethod::Patch,
                ..cluster()
            },
            "update: no method patch",
        ),
        (
            ResourceSpec {
                update: UpdateMethod::Desired(&[DesiredField {
                    field: "network",
                    desired: "desiredNetwork",
                }]),
                ..cluster()
            },
            "update has no desiredNetwork",
        ),
        (
            ResourceSpec {
                update: UpdateMethod::Desired(&[DesiredField {
                    field: "autopilot",
                    desired: "desiredControlPlaneEndpointsConfig",
                }]),
                ..cluster()
            },
            "desiredControlPlaneEndpointsConfig is no autopilot",
        ),
        (
            ResourceSpec {
                fixed: &["autoCreateSubnets"],
                ..network()
            },
            "no field autoCreateSubnets",
        ),
        (
            ResourceSpec {
                fixed: &["status"],
                ..cluster()
            },
            "status is read-only",
        ),
        (
            ResourceSpec {
                outputs: &["selfLinks"],
                ..network()
            },
            "no field selfLinks",
        ),
        (
            ResourceSpec {
                lists: &[("networkConfig", ListSemantics::Set)],
                ..cluster()
            },
            "networkConfig is no list",
        ),
        (
            ResourceSpec {
                lists: &[("nodePools.config.tags.x", ListSemantics::Set)],
                ..cluster()
            },
            "nodePools.config.tags.x is no list",
        ),
        (
            ResourceSpec {
                lists: &[("nodePools", ListSemantics::Keyed("id"))],
                ..cluster()
            },
            "no field nodePools.id",
        ),
        (
            ResourceSpec {
                allow_list: Some("nodePools.name"),
                ..cluster()
            },
            "nodePools.name is no list",
        ),
        (
            ResourceSpec {
                settled: rest("state", None),
                ..cluster()
            },
            "no field state",
        ),
        (
            ResourceSpec {
                settled: rest("status", Some("reason")),
                ..cluster()
            },
            "no field reason",
        ),
        (
            ResourceSpec {
                settled: Some(ReadyField {
                    bad: &["BROKEN"],
                    ..rest("status", None).unwrap()
                }),
                ..cluster()
            },
            "status is never BROKEN",
        ),
        (
            ResourceSpec {
                inside: Some(&ParentCreate {
                    parent: "container.cluster",
                    field: "pools",
                }),
                ..pool()
            },
            "container.cluster has no list pools of NodePool",
        ),
        (
            ResourceSpec {
                inside: Some(&ParentCreate {
                    parent: "compute.network",
                    field: "peerings",
                }),
                ..pool()
            },
            "compute.network has no list peerings of NodePool",
        ),
        (
            ResourceSpec {
                lock: Some("network {net}"),
                ..network()
            },
            "the lock's net is not in the path",
        ),
    ];
    for (row, expected) in cases {
        let found = of_row(&row);
        assert!(
            found.iter().any(|fault| fault == expected),
            "{expected}: {found:?}"
        );
    }
    let policies = [
        (
            IamPolicySpec {
                path: "v1/folders/{folder}",
                ..POLICIES[0]
            },
            "nothing serves POST v1/folders/{}:getIamPolicy",
        ),
        (
            IamPolicySpec {
                dialect: IamPolicyMethods::Query,
                ..POLICIES[0]
            },
            "the policy's version is asked for elsewhere",
        ),
        (
            IamPolicySpec {
                dialect: IamPolicyMethods::Storage,
                ..POLICIES[0]
            },
            "nothing serves PUT v1/projects/{}/iam",
        ),
    ];
    for (policy, expected) in policies {
        let found = of_policy(&policy);
        assert!(
            found.iter().any(|fault| fault == expected),
            "{expected}: {found:?}"
        );
    }
}
