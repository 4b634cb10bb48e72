//! What Google states of the support of Istio's objects by Traffic Director, as data.
//!
//! Sources, all Google's documentation of Cloud Service Mesh: "Supported features using Istio APIs (managed control plane)" and
//! "Provision a managed control plane", as of 2026-04-08; "Unsupported Istio APIs in Managed Cloud Service Mesh", of which the
//! parts about DestinationRule and Gateway were read; "Access logs". That list calls itself not exhaustive, and the check marks of the
//! tables were not in the copies that were read: what is neither named as supported nor as not supported is unknown here. The
//! fields of Google's tutorial on egress gateways count as supported, because it describes Traffic Director as one of three
//! control planes.

/// What is stated of the fields of a kind. A path names a field with everything below it; the most specific one counts.
#[derive(Debug)]
pub struct KindSupport {
    /// The API group.
    pub group: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// What is stated of the kind as a whole.
    pub whole: Whole,
    /// Fields that are supported.
    pub supported: &'static [&'static str],
    /// Fields that are not supported.
    pub unsupported: &'static [&'static str],
    /// Values that are not supported of fields that are: the field, and the value.
    pub values: &'static [(&'static str, &'static str)],
}

/// What is stated of a kind as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Its fields decide.
    ByField,
    /// It is not supported.
    Unsupported,
    /// Nothing that could be read; the text is what is known of it.
    Unknown(&'static str),
}

/// The path that stands for several places in which the same settings may be, with those places: a policy of a subset or of a
/// port is like that of the host.
pub const SAME: &[(&str, &str)] = &[
    ("spec.subsets.trafficPolicy", "spec.trafficPolicy"),
    ("spec.trafficPolicy.portLevelSettings", "spec.trafficPolicy"),
];

const fn by_field(
    group: &'static str,
    kind: &'static str,
    supported: &'static [&'static str],
    unsupported: &'static [&'static str],
) -> KindSupport {
    KindSupport {
        group,
        kind,
        whole: Whole::ByField,
        supported,
        unsupported,
        values: &[],
    }
}

const fn as_whole(group: &'static str, kind: &'static str, whole: Whole) -> KindSupport {
    KindSupport {
        group,
        kind,
        whole,
        supported: &[],
        unsupported: &[],
        values: &[],
    }
}

const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";

/// Every kind of Istio's of which something is stated.
pub const KINDS: &[KindSupport] = &[
    by_field(
        NETWORKING,
        "DestinationRule",
        &[
            "spec.host",
            "spec.exportTo",
            "spec.workloadSelector",
            "spec.subsets.name",
            "spec.subsets.labels",
            "spec.trafficPolicy.port",
            "spec.trafficPolicy.connectionPool",
            "spec.trafficPolicy.outlierDetection",
            "spec.trafficPolicy.loadBalancer.simple",
            "spec.trafficPolicy.loadBalancer.consistentHash",
            "spec.trafficPolicy.tls.mode",
            "spec.trafficPolicy.tls.sni",
            "spec.trafficPolicy.tls.subjectAltNames",
            "spec.trafficPolicy.tls.clientCertificate",
            "spec.trafficPolicy.tls.privateKey",
            "spec.trafficPolicy.tls.caCertificates",
            "spec.trafficPolicy.tls.insecureSkipVerify",
        ],
        &[
            "spec.trafficPolicy.loadBalancer.localityLbSetting",
            "spec.trafficPolicy.tunnel",
            "spec.trafficPolicy.tls.credentialName",
        ],
    ),
    by_field(
        NETWORKING,
        "Gateway",
        &[
            "spec.selector",
            "spec.servers.name",
            "spec.servers.hosts",
            "spec.servers.port.number",
            "spec.servers.port.name",
            "spec.servers.port.protocol",
            "spec.servers.tls.mode",
        ],
        &[
            "spec.servers.tls.verifyCertificateHash",
            "spec.servers.tls.verifyCertificateSpki",
        ],
    ),
    KindSupport {
        values: &[
            ("spec.location", "MESH_INTERNAL"),
            ("spec.resolution", "DNS_ROUND_ROBIN"),
        ],
        ..by_field(
            NETWORKING,
            "ServiceEntry",
            &[
                "spec.hosts",
                "spec.addresses",
                "spec.ports",
                "spec.location",
                "spec.resolution",
                "spec.exportTo",
                "spec.endpoints.address",
                "spec.endpoints.ports",
                "spec.endpoints.labels",
            ],
            &[
                "spec.workloadSelector",
                "spec.subjectAltNames",
                "spec.endpoints.network",
                "spec.endpoints.locality",
                "spec.endpoints.weight",
                "spec.endpoints.serviceAccount",
            ],
        )
    },
    by_field(
        NETWORKING,
        "Sidecar",
        &[
            "spec.workloadSelector",
            "spec.egress.hosts",
            "spec.outboundTrafficPolicy.mode",
        ],
        &[
            "spec.ingress",
            "spec.egress.port",
            "spec.egress.bind",
            "spec.egress.captureMode",
            "spec.inboundConnectionPool",
        ],
    ),
    // Google's list of fields that are not supported has a part about this kind, which was not read.
    by_field(
        NETWORKING,
        "VirtualService",
        &[
            "spec.hosts",
            "spec.gateways",
            "spec.exportTo",
            "spec.http.name",
            "spec.http.match.name",
            "spec.http.match.gateways",
            "spec.http.match.port",
            "spec.http.route.destination",
            "spec.http.route.weight",
            "spec.tls.match.gateways",
            "spec.tls.match.port",
            "spec.tls.match.sniHosts",
            "spec.tls.route.destination",
            "spec.tls.route.weight",
        ],
        &[],
    ),
    // The list of fields that are not supported has no part about this kind.
    by_field(
        SECURITY,
        "AuthorizationPolicy",
        &["spec.selector", "spec.action", "spec.rules"],
        &[],
    ),
    by_field(
        SECURITY,
        "PeerAuthentication",
        &["spec.selector", "spec.mtls.mode"],
        &[],
    ),
    by_field(
        "telemetry.istio.io",
        "Telemetry",
        &[
            "spec.selector",
            "spec.accessLogging.providers",
            "spec.accessLogging.disabled",
        ],
        &[],
    ),
    as_whole("extensions.istio.io", "WasmPlugin", Whole::Unsupported),
    as_whole("install.istio.io", "IstioOperator", Whole::Unsupported),
    as_whole(
        NETWORKING,
        "EnvoyFilter",
        Whole::Unknown("Google supports a part of it, which was not read"),
    ),
    as_whole(
        NETWORKING,
        "ProxyConfig",
        Whole::Unknown("Google's list has fields of it, which were not read"),
    ),
    as_whole(
        NETWORKING,
        "WorkloadEntry",
        Whole::Unknown("Google's list has fields of it, which were not read"),
    ),
    as_whole(
        NETWORKING,
        "WorkloadGroup",
        Whole::Unknown("Google's list has fields of it, which were not read"),
    ),
    as_whole(
        SECURITY,
        "RequestAuthentication",
        Whole::Unknown("Google's list has fields of it, which were not read"),
    ),
];

/// What is stated of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldSupport {
    /// It is supported, with everything below it.
    Supported,
    /// It is not supported.
    Unsupported,
    /// Nothing is stated of it.
    Unknown,
    /// What is below it decides.
    Below,
}

impl KindSupport {
    /// What is stated of the field at a path without indexes: `spec.servers.tls`. Pure.
    pub fn field(&self, path: &str) -> FieldSupport {
        let supported = self
            .supported
            .iter()
            .map(|at| (*at, FieldSupport::Supported));
        let unsupported = self
            .unsupported
            .iter()
            .map(|at| (*at, FieldSupport::Unsupported));
        let mut stated = supported.chain(unsupported);
        let within = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if let Some((_, support)) = stated.clone().find(|(at, _)| within(path, at)) {
            return support;
        }
        match stated.any(|(at, _)| within(at, path)) {
            true => FieldSupport::Below,
            false => FieldSupport::Unknown,
        }
    }
}
