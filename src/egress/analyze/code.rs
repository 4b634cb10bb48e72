//! The kinds of findings: the code, the level and the subject of each, in one table.
//!
//! Variants of `IST....` have the names of Istio's own messages (`pkg/config/analysis/msg/messages.yaml`).

use std::fmt;

use serde::{Serialize, Serializer};

use super::Level;

/// The codes, one row each: `Name = "code", level, "what it is about"`.
macro_rules! codes {
    ($($name:ident = $text:literal, $level:ident, $about:literal;)+) => {
        /// A kind of finding. Displayed and serialized as its code, `IST0101`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!($text, ": ", $about, ".")] $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// The code as text: `IST0101`, `EGR0001`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// The severity.
            pub const fn level(self) -> Level {
                match self { $(Code::$name => Level::$level,)+ }
            }
        }
    };
}

codes! {
    ReferencedResourceNotFound = "IST0101", Error, "a referenced object does not exist";
    NamespaceNotInjected = "IST0102", Info, "a namespace whose pods get no proxy";
    PodMissingProxy = "IST0103", Warning, "a pod without the proxy that its namespace asks for";
    ConflictingMeshGatewayVirtualServiceHosts = "IST0109", Error, "two VirtualServices for one host";
    ConflictingSidecarWorkloadSelectors = "IST0110", Error, "two Sidecars for one pod";
    MultipleSidecarsWithoutWorkloadSelectors = "IST0111", Error, "two Sidecars for one namespace";
    VirtualServiceDestinationPortSelectorRequired = "IST0112", Error, "a destination without the port that it needs";
    PortNameIsNotUnderNamingConvention = "IST0118", Info, "a port without a declared protocol";
    NamespaceMultipleInjectionLabels = "IST0123", Warning, "two conflicting labels for injection";
    NoMatchingWorkloadsFound = "IST0127", Warning, "a policy that matches no workload";
    NoServerCertificateVerificationDestinationLevel = "IST0128", Warning, "TLS without CA certificates to verify the server";
    NoServerCertificateVerificationPortLevel = "IST0129", Warning, "TLS on a port without CA certificates to verify the server";
    VirtualServiceUnreachableRule = "IST0130", Warning, "a rule that no request reaches";
    VirtualServiceIneffectiveMatch = "IST0131", Info, "a match that an earlier rule already has";
    VirtualServiceHostNotFoundInGateway = "IST0132", Warning, "a host that the Gateway does not serve";
    ServiceEntryAddressesRequired = "IST0134", Warning, "TCP traffic that only its port identifies";
    ConflictingGateways = "IST0145", Error, "two Gateways for one port and host";
    GatewayPortNotDefinedOnService = "IST0162", Warning, "a Gateway's port that no Service has";
    DestinationRuleSubsetNotSelectPods = "IST0173", Error, "a subset without pods";
    UnknownDestinationRuleHost = "IST0174", Warning, "a DestinationRule for no service";
    TlsPassthroughForEveryCaller = "EGR0001", Note, "HTTPS pass-through for every caller";
    ClientCertificateSentToExternalHost = "EGR0002", Note, "client certificates that are sent outside the mesh";
    ExternalTlsWithoutVerification = "EGR0003", Note, "TLS to an external host that does not verify the server";
    EgressPolicyIsolatesIngress = "EGR0004", Note, "a policy that also isolates ingress";
    NotSupportedByTrafficDirector = "EGR0005", Warning, "a field, value or kind that Traffic Director does not support";
    SupportByTrafficDirectorUnknown = "EGR0006", Unknown, "a field or kind of which it is not known whether Traffic Director supports it";
    SubsetsOutsideNamespaceOfService = "EGR0007", Warning, "subsets that Traffic Director does not support, because their service is in another namespace";
}

impl Code {
    /// Whether `istioctl analyze` has this code too.
    pub fn is_istio(self) -> bool {
        self.as_str().starts_with("IST")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
