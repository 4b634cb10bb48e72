//! How managed Cloud Service Mesh reports itself while Google sets it up: a pure function of time.
//!
//! Words and codes are those of published reports of real fleets.

use serde_json::{Value, json};

use crate::clock::{self, Millis};

/// The implementation of a managed control plane. Google chooses it; a request cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// Traffic Director: what new fleets get.
    TrafficDirector,
    /// An istiod of Google's: what fleets get in which a cluster runs an istiod of its own.
    Istiod,
}

impl Implementation {
    /// Google's word.
    pub fn word(self) -> &'static str {
        match self {
            Implementation::TrafficDirector => "TRAFFIC_DIRECTOR",
            Implementation::Istiod => "ISTIOD",
        }
    }
}

/// What the state depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Whether management is automatic.
    pub automatic: bool,
    /// What Google runs the control plane with.
    pub implementation: Implementation,
    /// Whether the cluster has workload identity.
    pub has_identity: bool,
    /// Since when the present management is asked for.
    pub since: Millis,
    /// The present instant.
    pub now: Millis,
    /// How long it takes until the control plane is active.
    pub takes: Millis,
}

/// The membership's state; none at first, before Google has set it.
pub fn state(situation: &Situation) -> Option<Value> {
    let Situation {
        automatic,
        implementation,
        has_identity,
        since,
        now,
        takes,
    } = *situation;
    let elapsed = now - since;
    // Reports of real fleets show the first word after half a minute of five.
    if elapsed * 10 < takes {
        return None;
    }
    Some(if !automatic {
        json!({
            "servicemesh": {
                "controlPlaneManagement": {"state": "DISABLED"},
                "dataPlaneManagement": {"state": "DISABLED", "details": [{"code": "DISABLED", "details": "Data Plane Management is not enabled."}]},
            },
            "state": {"code": "OK", "description": "Please see https://cloud.google.com/service-mesh/docs for instructions to onboard to Cloud Service Mesh.",
                "updateTime": clock::utc(since)},
        })
    } else if !has_identity {
        failed(since, implementation)
    } else if elapsed < takes {
        provisioning(since)
    } else {
        // The data plane follows the control plane.
        active(since + takes, implementation, elapsed * 4 >= takes * 5)
    })
}

fn provisioning(since: Millis) -> Value {
    json!({
        "servicemesh": {
            "controlPlaneManagement": {
                "details": [{"code": "REVISION_PROVISIONING", "details": "Provisioning: asm-managed"}],
                "state": "PROVISIONING",
            },
            "dataPlaneManagement": {
                "details": [{"code": "MANAGED_CONTROL_PLANE_REQUIRED", "details": "Requires active managed control plane."}],
                "state": "PROVISIONING",
            },
        },
        // No code while it is under way.
        "state": {"description": "Revision being rolled out: asm-managed.", "updateTime": clock::utc(since)},
    })
}

fn active(at: Millis, implementation: Implementation, data_plane: bool) -> Value {
    let data_plane = if data_plane {
        json!({"details": [{"code": "OK", "details": "Service is running."}], "state": "ACTIVE"})
    } else {
        json!({"details": [{"code": "PROVISIONING", "details": "Service is provisioning."}], "state": "PROVISIONING"})
    };
    json!({
        "servicemesh": {
            "conditions": [{
                "code": "VPCSC_GA_SUPPORTED",
                "details": "This control plane supports VPC-SC GA.",
                "documentationLink": "http://cloud.google.com/service-mesh/docs/managed/vpc-sc",
                "severity": "INFO",
            }],
            "controlPlaneManagement": {
                "details": [{"code": "REVISION_READY", "details": "Ready: asm-managed"}],
                "implementation": implementation.word(),
                "state": "ACTIVE",
            },
            "dataPlaneManagement": data_plane,
        },
        "state": {"code": "OK", "description": "Revision ready for use: asm-managed.", "updateTime": clock::utc(at)},
    })
}

fn failed(since: Millis, implementation: Implementation) -> Value {
    json!({
        "servicemesh": {
            "conditions": [{
                "code": "NODEPOOL_WORKLOAD_IDENTITY_FEDERATION_REQUIRED",
                "details": "One or more node pools have workload identity federation disabled.",
                "documentationLink": "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity",
                "severity": "ERROR",
            }],
            "controlPlaneManagement": {
                "details": [{
                    "code": "REVISION_FAILED_PRECONDITION",
                    "details": "Required in-cluster components are not ready. This will be retried within 15 minutes.",
                }],
                "implementation": implementation.word(),
                "state": "FAILED_PRECONDITION",
            },
            "dataPlaneManagement": {
                "details": [{"code": "MANAGED_CONTROL_PLANE_REQUIRED", "details": "Requires active managed control plane."}],
                "state": "FAILED_PRECONDITION",
            },
        },
        "state": {"code": "ERROR", "description": "Revision(s) failed precondition: asm-managed.", "updateTime": clock::utc(since)},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_plane_becomes_active_and_the_data_plane_after_it() {
        let situation = Situation {
            automatic: true,
            implementation: Implementation::Istiod,
            has_identity: true,
            since: 0,
            now: 0,
            takes: 1000,
        };
        let cases = [
            (0, None, None),
            (99, None, None),
            (100, Some("PROVISIONING"), Some("PROVISIONING")),
            (999, Some("PROVISIONING"), Some("PROVISIONING")),
            (1000, Some("ACTIVE"), Some("PROVISIONING")),
            (1250, Some("ACTIVE"), Some("ACTIVE")),
        ];
        for (now, control, data) in cases {
            let found = state(&Situation { now, ..situation });
            let read = |half: &str| {
                let pointer = format!("/servicemesh/{half}/state");
                found
                    .as_ref()
                    .and_then(|state| state.pointer(&pointer))
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            assert_eq!(read("controlPlaneManagement").as_deref(), control, "{now}");
            assert_eq!(read("dataPlaneManagement").as_deref(), data, "{now}");
            let by = found.and_then(|mut state| {
                Some(
                    state
                        .pointer_mut("/servicemesh/controlPlaneManagement/implementation")?
                        .take(),
                )
            });
            assert_eq!(
                by,
                (control == Some("ACTIVE")).then(|| json!("ISTIOD")),
                "{now}"
            );
        }
    }

    #[test]
    fn nothing_becomes_active_that_nobody_asked_for_or_that_cannot() {
        let late = Situation {
            automatic: false,
            implementation: Implementation::TrafficDirector,
            has_identity: true,
            since: 0,
            now: 9000,
            takes: 1000,
        };
        let read = |situation| {
            state(&situation).unwrap()["servicemesh"]["controlPlaneManagement"]["state"].clone()
        };
        assert_eq!(read(late), "DISABLED");
        assert_eq!(
            read(Situation {
                automatic: true,
                has_identity: false,
                ..late
            }),
            "FAILED_PRECONDITION"
        );
    }
}
