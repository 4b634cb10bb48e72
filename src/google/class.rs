//! The classes of failures, and the advice for the user: what to do, and who can do it. Pure. Which answer has which class is the
//! table in `refusal_rules`.

/// Declares the classes, and for tests the list of all of them.
macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident,)*) => {
        /// The failures that a caller handles differently.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum Class {
            $($(#[$doc])* $class,)*
        }

        #[cfg(test)]
        impl Class {
            /// Every class.
            pub const ALL: &[Class] = &[$(Class::$class,)*];
        }
    };
}

classes! {
    /// The resource does not exist; for an operation: Google no longer knows it.
    NotFound,
    /// The resource already exists.
    AlreadyExists,
    /// Another client changed it since it was read (409 ABORTED, 412): read again, recompute, write again.
    PolicyConflict,
    /// It cannot be deleted while another resource uses it.
    InUse,
    /// Another operation is running on the same resource; it will end later.
    Busy,
    /// It, or a resource that it refers to, is still being created or deleted.
    NotReady,
    /// The API is not enabled, or was enabled too recently to be usable.
    ApiDisabled,
    /// The project has no billing account.
    BillingDisabled,
    /// The caller lacks a permission; a project that does not exist gives the same error.
    PermissionDenied,
    /// There are no credentials, or they were rejected.
    Unauthenticated,
    /// The project's quota is not sufficient; waiting does not help.
    QuotaExceeded,
    /// Too many calls; waiting helps.
    RateLimited,
    /// A policy names a service account that IAM does not know, or does not know everywhere yet.
    AccountNotVisible,
    /// A policy names a workload identity pool that no cluster has created yet.
    IdentityPoolMissing,
    /// It cannot be deleted before its content.
    ContainerNotEmpty,
    /// The request is invalid.
    BadRequest,
    /// An error on Google's side.
    ServerFault,
    /// The connection could not be made, or it broke.
    LostConnection,
    /// The answer was not JSON, as from a front end that does not know the API yet.
    NotJson,
    /// A policy of the organization forbids it (`constraints/...`); waiting does not help.
    OrgPolicy,
    /// A policy of the organization forbids this member in IAM policies.
    MemberForbidden,
    /// A VPC Service Controls perimeter is in the way.
    ServicePerimeter,
    /// The credentials charge their requests to another project, in which the API is disabled; nothing is known about this
    /// project's API.
    QuotaProject,
    /// The zone has no free machines of this type.
    OutOfMachines,
    /// The machines run, and their nodes do not register with the cluster.
    NodesNotRegistered,
    /// The bucket's name belongs to somebody else, or the bucket cannot be seen.
    NameTaken,
    /// The cluster is a member of a fleet already, under another name.
    RegisteredElsewhere,
    /// A service agent, which Google creates with an API, has no access yet.
    AgentNotReady,
    /// The fleet does not know a new membership yet.
    MembershipNotVisible,
    /// An operation was not done within its time limit.
    Deadline,
    /// None of these.
    Other,
}

impl Class {
    /// The advice for the user.
    pub fn hint(self) -> &'static str {
        match self {
            Class::ApiDisabled => {
                "enable the API, or wait a few minutes if it was just enabled, then run the same command again"
            }
            Class::BillingDisabled => {
                "link a billing account to the project (https://console.cloud.google.com/billing/linkedaccount)"
            }
            Class::PermissionDenied => {
                "check the project id, and grant the account a role with the permission that is named above; then run the same command again"
            }
            Class::Unauthenticated => {
                "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account key"
            }
            Class::QuotaExceeded => {
                "request more quota at https://console.cloud.google.com/iam-admin/quotas, or delete what is not needed"
            }
            Class::RateLimited => {
                "run the same command again in a minute; nothing is created twice"
            }
            Class::Busy | Class::NotReady => {
                "another operation is still running on it; run the same command again when it is done"
            }
            Class::InUse => {
                "delete the resource that uses it, named above, then run the same command again"
            }
            Class::ContainerNotEmpty => "delete its contents, then run the same command again",
            Class::PolicyConflict => {
                "another client changed it at the same time; run the same command again"
            }
            Class::AlreadyExists => {
                "a resource with this name already exists; `provision status` shows whether provision created it"
            }
            Class::AccountNotVisible => {
                "a new service account takes up to two minutes to become visible everywhere; run the same command again"
            }
            Class::IdentityPoolMissing => {
                "Google creates the pool with the project's first cluster that uses Workload Identity; run again when that cluster is running"
            }
            Class::OrgPolicy => {
                "an organization policy, named above, forbids it: change the step so that it complies, or ask an administrator of the organization's policies (roles/orgpolicy.policyAdmin) for an exception for this project"
            }
            Class::MemberForbidden => {
                "an organization policy forbids the member that is named above: ask an administrator of the organization's policies (roles/orgpolicy.policyAdmin) to allow its organization or domain in iam.allowedPolicyMemberDomains, or use an account of a permitted organization"
            }
            Class::ServicePerimeter => {
                "a VPC Service Controls perimeter forbids it: run inside the perimeter, or ask its administrator (roles/accesscontextmanager.policyAdmin) for an ingress rule; the unique identifier above finds the denial in the audit log"
            }
            Class::QuotaProject => {
                "the requests are charged to another project, in which the API is disabled: `gcloud auth application-default set-quota-project PROJECT` names yours"
            }
            Class::OutOfMachines => {
                "the zone has no free machines of this type: run the same command again later, which creates anew what could not be completed; or choose another machine type with --set; or use another zone: `provision down`, then `provision up --zone ZONE`"
            }
            Class::NodesNotRegistered => {
                "the machines run and cannot reach the control plane: compare the firewall rules, the private DNS zones and the NAT with `provision plan`; see https://cloud.google.com/kubernetes-engine/docs/troubleshooting/node-registration"
            }
            Class::NameTaken => {
                "bucket names are shared by everybody, and this one may belong to somebody else: choose another with --set bucket=NAME; if the bucket is yours, grant the account storage.buckets.get on it"
            }
            Class::RegisteredElsewhere => {
                "the cluster is registered already under the membership that is named above: `gcloud container fleet memberships unregister NAME --location=LOCATION --gke-cluster=CLUSTER_LOCATION/CLUSTER` removes that registration, if nobody needs it; then run the same command again"
            }
            Class::AgentNotReady => {
                "Google gives service agents access within minutes after an API is enabled: run the same command again; if it stays, ask an owner of the project whether the roles of the service agents were removed"
            }
            Class::MembershipNotVisible => {
                "the fleet does not know the membership yet: run the same command again in a few minutes"
            }
            Class::LostConnection => {
                "check the network (and HTTPS_PROXY); run the same command again to continue"
            }
            Class::ServerFault | Class::Deadline => {
                "see https://status.cloud.google.com; run the same command again to continue"
            }
            Class::NotJson => {
                "the API may have just been enabled, or a proxy answered; run again in a few minutes"
            }
            Class::NotFound => {
                "a resource that it needs was not found; `provision plan` shows what is missing"
            }
            Class::BadRequest => {
                "change the step or its parameters as the error says, then run again"
            }
            Class::Other => {
                "run the same command again; if it fails in the same way, the error above says why"
            }
        }
    }
}
