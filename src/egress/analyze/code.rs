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

            /// What it is about, in a clause.
            pub const fn about(self) -> &'static str {
                match self { $(Code::$name => $about,)+ }
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
    MisplacedAnnotation = "IST0107", Warning, "an annotation on the wrong kind of object";
    UnknownAnnotation = "IST0108", Warning, "an annotation that Istio does not have";
    ConflictingMeshGatewayVirtualServiceHosts = "IST0109", Error, "two VirtualServices for one host";
    ConflictingSidecarWorkloadSelectors = "IST0110", Error, "two Sidecars for one pod";
    MultipleSidecarsWithoutWorkloadSelectors = "IST0111", Error, "two Sidecars for one namespace";
    VirtualServiceDestinationPortSelectorRequired = "IST0112", Error, "a destination without the port that it needs";
    PortNameIsNotUnderNamingConvention = "IST0118", Info, "a port without a declared protocol";
    NamespaceMultipleInjectionLabels = "IST0123", Warning, "two conflicting labels for injection";
    InvalidAnnotation = "IST0125", Warning, "an annotation with an invalid value";
    NoMatchingWorkloadsFound = "IST0127", Warning, "a policy that matches no workload";
    NoServerCertificateVerificationDestinationLevel = "IST0128", Warning, "TLS without CA certificates to verify the server";
    NoServerCertificateVerificationPortLevel = "IST0129", Warning, "TLS on a port without CA certificates to verify the server";
    VirtualServiceUnreachableRule = "IST0130", Warning, "a rule that no request reaches";
    VirtualServiceIneffectiveMatch = "IST0131", Info, "a match that an earlier rule already has";
    VirtualServiceHostNotFoundInGateway = "IST0132", Warning, "a host that the Gateway does not serve";
    SchemaWarning = "IST0133", Warning, "a valid setting that is ignored, deprecated or wider than it looks";
    ServiceEntryAddressesRequired = "IST0134", Warning, "TCP traffic that only its port identifies";
    DeprecatedAnnotation = "IST0135", Info, "an annotation that Istio has replaced";
    InvalidApplicationUid = "IST0144", Warning, "an application that runs as the proxy's user 1337";
    ConflictingGateways = "IST0145", Error, "two Gateways for one port and host";
    ImageAutoWithoutInjectionWarning = "IST0146", Warning, "a Deployment that needs injection and gets none";
    ImageAutoWithoutInjectionError = "IST0147", Error, "a pod that needs injection and got none";
    ExternalNameServiceTypeInvalidPortName = "IST0150", Warning, "a port of an ExternalName Service without a usable protocol";
    ConflictingTelemetryWorkloadSelectors = "IST0159", Error, "two Telemetry objects for one pod";
    MultipleTelemetriesWithoutWorkloadSelectors = "IST0160", Error, "two Telemetry objects for one namespace";
    InvalidGatewayCredential = "IST0161", Error, "a Secret of a Gateway without a usable certificate";
    GatewayPortNotDefinedOnService = "IST0162", Warning, "a Gateway's port that no Service has";
    ReferencedInternalGateway = "IST0165", Warning, "a Gateway that istiod creates for the Gateway API";
    IneffectiveSelector = "IST0166", Warning, "a selector that does not apply to a Gateway of the Gateway API";
    IneffectivePolicy = "IST0167", Warning, "a Sidecar for pods without sidecars";
    NegativeConditionStatus = "IST0171", Warning, "a condition with which a controller says that an object has no effect";
    DestinationRuleSubsetNotSelectPods = "IST0173", Error, "a subset without pods";
    UnknownDestinationRuleHost = "IST0174", Warning, "a DestinationRule for no service";
    JwksUriFetchUnrestricted = "IST0175", Warning, "keys for tokens that istiod fetches from any address";
    ConflictingServiceEntryProtocol = "IST0177", Warning, "two protocols for one port of a host";
    TlsPassthroughForEveryCaller = "EGR0001", Note, "HTTPS pass-through for every caller";
    ClientCertificateSentToExternalHost = "EGR0002", Note, "client certificates that are sent outside the mesh";
    ExternalTlsWithoutVerification = "EGR0003", Note, "TLS to an external host that does not verify the server";
    EgressPolicyIsolatesIngress = "EGR0004", Note, "a policy that also isolates ingress";
    NotSupportedByTrafficDirector = "EGR0005", Warning, "a field, value or kind that Traffic Director does not support";
    SupportByTrafficDirectorUnknown = "EGR0006", Unknown, "a field or kind of which it is not known whether Traffic Director supports it";
    SubsetsOutsideNamespaceOfService = "EGR0007", Warning, "subsets that Traffic Director does not support, because their service is in another namespace";
    EgressGatewayCanBeBypassed = "EGR0008", Note, "an egress gateway that pods can bypass";
    SidecarBypassRequested = "EGR0009", Note, "a pod that lets traffic past its sidecar";
    EgressGatewayBypassUnknown = "EGR0010", Unknown, "an egress gateway of which it is not known whether pods can bypass it";
    GatewayCredentialNotRead = "EGR0011", Unknown, "a Gateway's Secret that was not read";
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

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/analyze.md lists every code, as the help does.
    #[test]
    fn the_list_of_codes_is_documented() {
        let docs = include_str!("../../../docs/analyze.md");
        let documented: Vec<&str> = docs
            .lines()
            .filter(|line| line.starts_with("| IST") || line.starts_with("| EGR"))
            .collect();
        let rows = Code::ALL
            .iter()
            .map(|code| format!("| {code} | {} | {} |", code.level().as_str(), code.about()));
        assert_eq!(documented, rows.collect::<Vec<_>>());
    }
}
