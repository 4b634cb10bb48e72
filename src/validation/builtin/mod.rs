//! The API server's own validation of its built-in kinds (`pkg/apis/*/validation`), with the server's defaults in mind: a field that
//! is not set has the default's meaning.
//!
//! What people get wrong is here, not all that the server knows; what is not known here is not refused.

mod autoscaler;
mod configuration;
mod container;
mod disruption_budget;
mod ingress;
pub mod metadata;
mod network_policy;
mod pod;
mod probe;
mod rbac;
mod scheduling;
mod selector;
mod service;
mod share;
mod volume;
mod workload;

use serde_json::Value;

use crate::at::At;
use crate::fault::Faults;
use crate::kind::Kind;
use crate::refusal::{Layer, Refusal};

/// Judges the object without its metadata.
type Judge = fn(&At<'_>, &mut Faults);

/// Who judges a kind.
fn judge(kind: &Kind<'_>) -> Option<Judge> {
    Some(match (kind.group, kind.name) {
        ("", "Pod") => pod::pod,
        ("", "Service") => service::service,
        ("", "ConfigMap") => configuration::config_map,
        ("", "Secret") => configuration::secret,
        ("apps", "Deployment") => workload::deployment,
        ("apps", "ReplicaSet") => workload::replica_set,
        ("apps", "StatefulSet") => workload::stateful_set,
        ("apps", "DaemonSet") => workload::daemon_set,
        ("batch", "Job") => workload::job,
        ("batch", "CronJob") => workload::cron_job,
        ("autoscaling", "HorizontalPodAutoscaler") if kind.version == "v2" => {
            autoscaler::autoscaler
        }
        ("policy", "PodDisruptionBudget") => disruption_budget::disruption_budget,
        ("networking.k8s.io", "NetworkPolicy") => network_policy::network_policy,
        ("networking.k8s.io", "Ingress") => ingress::ingress,
        (rbac::GROUP, "Role") => rbac::role,
        (rbac::GROUP, "ClusterRole") => rbac::cluster_role,
        (rbac::GROUP, "RoleBinding") => rbac::role_binding,
        (rbac::GROUP, "ClusterRoleBinding") => rbac::cluster_role_binding,
        _ => return None,
    })
}

/// What the API server answers if the object is invalid.
pub fn refusal(kind: &Kind<'_>, object: &Value) -> Option<Refusal> {
    let root = At::root(object);
    let mut faults = Faults::default();
    // A review is answered and not stored, so it needs no name.
    let is_review = ["authentication.k8s.io", "authorization.k8s.io"].contains(&kind.group);
    if !is_review {
        metadata::check(&root, &metadata::Names::of(kind), &mut faults);
    }
    if let Some(judge) = judge(kind) {
        judge(&root, &mut faults);
    }
    let name = root.at("metadata.name").text();
    (!faults.0.is_empty()).then(|| Refusal::invalid(Layer::Validation, kind, name, faults.0))
}
