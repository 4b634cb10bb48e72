//! Translates a cluster's errors into the error classes that the engine knows, with advice. Pure.

use crate::cluster::{ClusterError, ClusterErrorKind};
use crate::google::{ApiError, Class, MayHaveApplied};

/// A cluster's error as an [`ApiError`].
pub fn of_cluster(error: ClusterError) -> ApiError {
    let (class, advice) = match error.fault {
        ClusterErrorKind::NotFound => (Class::NotFound, None),
        // The definition (CRD) may not be established yet.
        ClusterErrorKind::UnknownKind => (
            Class::NotReady,
            Some(
                "the cluster does not know this kind of object: install its CustomResourceDefinition, then run again",
            ),
        ),
        ClusterErrorKind::Denied => (
            Class::Other,
            Some(
                "a webhook or a policy in the cluster refused the object: change the step, or ask the owner of the webhook",
            ),
        ),
        ClusterErrorKind::Conflict => (
            Class::Other,
            Some(
                "another field manager owns these fields: remove them from the step, or take them over with --force-conflicts",
            ),
        ),
        ClusterErrorKind::Unauthenticated => (Class::Unauthenticated, None),
        ClusterErrorKind::Forbidden => (
            Class::PermissionDenied,
            Some(
                "the caller needs roles/container.developer on the project, or a role inside the cluster",
            ),
        ),
        ClusterErrorKind::Quota => (
            Class::QuotaExceeded,
            Some(
                "a ResourceQuota of the namespace is exhausted: raise it (`kubectl get resourcequotas`), or delete what is not needed",
            ),
        ),
        ClusterErrorKind::Invalid | ClusterErrorKind::Local => (
            Class::BadRequest,
            Some("the cluster rejects the object as invalid: change the step"),
        ),
        // A webhook's pod may still be starting, or a namespace may still be terminating.
        ClusterErrorKind::Webhook => (
            Class::NotReady,
            Some(
                "a webhook of the cluster does not answer: check the service behind it (`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`), then run again",
            ),
        ),
        ClusterErrorKind::Terminating => (
            Class::NotReady,
            Some("its namespace is being deleted: run again when it is gone"),
        ),
        ClusterErrorKind::Busy => (Class::NotReady, None),
        ClusterErrorKind::Server => (Class::ServerFault, None),
        ClusterErrorKind::Unreachable => (
            Class::LostConnection,
            Some(
                "the API server answers only authorized networks: `provision authorize` adds this machine's address",
            ),
        ),
    };
    let left_machine = match error.fault {
        ClusterErrorKind::Server => MayHaveApplied::Yes,
        ClusterErrorKind::Unreachable => MayHaveApplied::Unknown,
        _ => MayHaveApplied::No,
    };
    ApiError {
        call: error.what.as_str().into(),
        http: error.http,
        class,
        reason: None,
        message: error.message.clone(),
        left_machine,
        attempts: 1,
        of_operation: false,
        retry_after: None,
        advice,
        cause: None,
    }
    .caused_by(error)
}

/// The error of a user's own cluster, with advice: nothing that Google offers gives access to such a cluster.
pub fn of_own(error: ApiError) -> ApiError {
    let advice = match error.class {
        Class::Unauthenticated => Some(
            "fix the kubeconfig's credentials: install its plugin, or log in again, then run again",
        ),
        Class::PermissionDenied => Some(
            "the kubeconfig's user is not allowed to do this in the cluster: use --context to name a context whose user is",
        ),
        Class::LostConnection => Some(
            "start the cluster, or fix the kubeconfig: `kubectl get nodes` with the same file and context shows when it answers",
        ),
        _ => error.advice,
    };
    ApiError { advice, ..error }
}
