//! Translates a cluster's errors into the error classes that the engine knows, with advice. Pure.

use super::cluster_endpoint::EndpointError;
use crate::cluster::{ClusterError, ClusterErrorKind};
use crate::google::{ApiError, Class, MayHaveApplied};

/// What opens a DNS endpoint.
const OPENS: &str = "set controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic: `provision up` does, or `gcloud container clusters update CLUSTER --location LOCATION --enable-dns-access`";

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

/// The error of a cluster that is reached by its DNS endpoint, with advice: no allow list gives access to it.
pub fn by_name(error: ApiError) -> ApiError {
    let advice = match error.class {
        Class::LostConnection => Some(
            "the name of the DNS endpoint must resolve on this machine, and TCP 443 to it be open: check DNS, firewall and proxy (HTTPS_PROXY, NO_PROXY). Before `provision up` has opened it, the cluster's address is used, which answers only authorized networks",
        ),
        // Kubernetes' own refusal names the user; any other answer is one of the endpoint, in front of Kubernetes.
        Class::PermissionDenied
            if error.http.is_some() && !error.message.contains("is forbidden: User") =>
        {
            Some(
                "the DNS endpoint lets callers through who have container.clusters.connect (in roles/container.clusterViewer and above), and only if controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic is true: `provision up` sets it, or `gcloud container clusters update CLUSTER --location LOCATION --enable-dns-access`",
            )
        }
        _ => error.advice,
    };
    ApiError { advice, ..error }
}

/// A cluster at `path` that cannot be reached by its DNS endpoint.
pub fn no_endpoint(path: &str, error: EndpointError) -> ApiError {
    let advice = match error {
        EndpointError::Closed => Some(OPENS),
        EndpointError::Foreign(_) => None,
    };
    ApiError {
        class: Class::PermissionDenied,
        advice,
        ..ApiError::unsent(path, &error)
    }
    .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_dns_endpoint_is_told_from_one_of_kubernetes() {
        let refused = |message: &str, http: Option<u16>, class: Class| ApiError {
            http,
            class,
            advice: Some("as before"),
            ..ApiError::unsent("an object", message)
        };
        let rbac =
            "namespaces is forbidden: User \"a@example.com\" cannot list resource \"namespaces\"";
        for (error, words) in [
            (
                refused("Forbidden", Some(403), Class::PermissionDenied),
                "container.clusters.connect",
            ),
            (
                refused("Forbidden", Some(403), Class::PermissionDenied),
                "--enable-dns-access",
            ),
            (
                refused(rbac, Some(403), Class::PermissionDenied),
                "as before",
            ),
            (
                refused("not sent", None, Class::PermissionDenied),
                "as before",
            ),
            (
                refused("no such host", None, Class::LostConnection),
                "must resolve",
            ),
            (
                refused("Unauthorized", Some(401), Class::Unauthenticated),
                "as before",
            ),
        ] {
            let advice = by_name(error).advice.unwrap_or_default();
            assert!(advice.contains(words), "{advice}");
        }
        let closed = no_endpoint("v1/x", EndpointError::Closed);
        assert_eq!(by_name(closed).advice, Some(OPENS));
    }
}
