//! Istio's annotations on Namespaces, Services, Pods and Deployments: unknown, deprecated, on the wrong kind, or with an invalid value.
//!
//! The annotations are those of `fixtures/istio/annotations.txt`. The value of `proxy.istio.io/config` is not checked.

use std::net::IpAddr;
use std::sync::LazyLock;

use json::text;
use serde_json::Value;

use super::config::Config;
use super::{Code, Finding};
use crate::object::{Object, labels};

/// An annotation of Istio.
struct Known {
    name: &'static str,
    /// The kinds of objects that have it; `Any` for all.
    kinds: Vec<&'static str>,
    deprecated: bool,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let text = include_str!("../../../fixtures/istio/annotations.txt");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &'static str| {
        let mut words = line.split(' ');
        Some(Known {
            name: words.next()?,
            kinds: words.next()?.split(',').collect(),
            deprecated: words.next().is_some(),
        })
    };
    rows.filter_map(read).collect()
});

/// Annotations that istiod and controllers set.
const SET_BY_ISTIO: &[&str] = &[
    "sidecar.istio.io/status",
    "gateway.istio.io/controller-version",
    "istio.io/rev",
];

const INJECT: &str = "sidecar.istio.io/inject";

/// The annotations of all objects of the kinds that istioctl looks at.
pub fn all(config: &Config<'_>) -> Vec<Finding> {
    let kinds = ["Namespace", "Service", "Pod", "Deployment"];
    let objects = kinds.into_iter().flat_map(|kind| config.of(kind));
    let mut found: Vec<Finding> = objects
        .flat_map(|value| of_object(&Object::of(value), text(value, "/kind"), value))
        .collect();
    // The pods that a workload would create have the annotations of its template.
    for workload in &config.workloads {
        if workload.object.kind != "Pod" {
            let own = config
                .objects()
                .find(|value| Object::of(value) == workload.object);
            let template = own.map(|value| &value["spec"]["template"]);
            found.extend(
                template
                    .into_iter()
                    .flat_map(|pod| of_object(&workload.object, "Pod", pod)),
            );
        }
    }
    found
}

fn is_istios(name: &str) -> bool {
    let group = name.split('/').next().unwrap_or_default();
    name == "kubernetes.io/ingress.class" || group.ends_with("istio.io")
}

fn of_object(object: &Object, kind: &str, value: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let annotations = labels(value, "/metadata/annotations");
    let own = annotations
        .iter()
        .filter(|(name, _)| is_istios(name) && !SET_BY_ISTIO.contains(&name.as_str()));
    for (name, content) in own {
        let new = |code, message, instead: String| Finding::new(code, object, message, instead);
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            found.push(new(
                Code::UnknownAnnotation,
                format!("the annotation {name} is unknown to Istio, so it has no effect"),
                near(name),
            ));
            continue;
        };
        // The label of the same name replaces this annotation, so that both say it on purpose.
        let replaced = name == INJECT && labels(value, "/metadata/labels").contains_key(INJECT);
        if known.deprecated && !replaced {
            let instead = match name.as_str() {
                INJECT => format!("the label {INJECT}"),
                _ => "the configuration without it".to_owned(),
            };
            found.push(new(
                Code::DeprecatedAnnotation,
                format!("the annotation {name} is deprecated"),
                instead,
            ));
        }
        if known.kinds.contains(&"Any") {
            continue;
        }
        if !known.kinds.contains(&kind) {
            let kinds = known.kinds.join(", ");
            let instead = match known.kinds.contains(&"Pod") && kind == "Deployment" {
                true => "the annotation in spec.template.metadata".to_owned(),
                false => format!("the annotation on: {kinds}"),
            };
            found.push(new(
                Code::MisplacedAnnotation,
                format!("the annotation {name} has no effect on a {kind}: it is for {kinds}"),
                instead,
            ));
            continue;
        }
        if let Some(expected) = invalid(name, content) {
            found.push(new(
                Code::InvalidAnnotation,
                format!("the annotation {name} has the invalid value `{content}`: injection fails"),
                expected.to_owned(),
            ));
        }
    }
    found
}

/// The known annotation that differs least in its name.
fn near(name: &str) -> String {
    let short = |name: &str| {
        name.rsplit('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let same = KNOWN.iter().find(|known| short(known.name) == short(name));
    same.map_or_else(
        || "an annotation of https://istio.io/latest/docs/reference/config/annotations/".to_owned(),
        |known| known.name.to_owned(),
    )
}

/// What a value should be; `None` if it is valid (Istio's `AnnotationValidation`).
fn invalid(name: &str, value: &str) -> Option<&'static str> {
    let (is_valid, expected) = match name {
        "sidecar.istio.io/interceptionMode" => (
            matches!(value, "REDIRECT" | "TPROXY" | "NONE"),
            "REDIRECT, TPROXY or NONE",
        ),
        "status.sidecar.istio.io/port" => (is_port(value), "a port number"),
        "readiness.status.sidecar.istio.io/initialDelaySeconds"
        | "readiness.status.sidecar.istio.io/periodSeconds"
        | "readiness.status.sidecar.istio.io/failureThreshold" => (
            is_number(value) && value.parse::<u32>().is_ok(),
            "a whole number",
        ),
        "traffic.sidecar.istio.io/includeOutboundIPRanges" => (
            value == "*" || are_ranges(value),
            "ranges as 10.0.0.0/8,192.168.0.0/16, or `*`",
        ),
        "traffic.sidecar.istio.io/excludeOutboundIPRanges" => {
            (are_ranges(value), "ranges as 10.0.0.0/8,192.168.0.0/16")
        }
        "traffic.sidecar.istio.io/includeInboundPorts" => (
            value == "*" || are_ports(value),
            "port numbers as 80,443, or `*`",
        ),
        "traffic.sidecar.istio.io/excludeInboundPorts"
        | "traffic.sidecar.istio.io/excludeOutboundPorts" => {
            (are_ports(value), "port numbers as 80,443")
        }
        "traffic.sidecar.istio.io/excludeInterfaces"
        | "traffic.sidecar.istio.io/kubevirtInterfaces"
        | "istio.io/reroute-virtual-interfaces" => (
            are_interfaces(value),
            "names of network interfaces as eth1,eth2",
        ),
        "prometheus.istio.io/merge-metrics" => (
            matches!(
                value,
                "1" | "t"
                    | "T"
                    | "TRUE"
                    | "true"
                    | "True"
                    | "0"
                    | "f"
                    | "F"
                    | "FALSE"
                    | "false"
                    | "False"
            ),
            "true or false",
        ),
        "sidecar.istio.io/proxyCPU"
        | "sidecar.istio.io/proxyMemory"
        | "sidecar.istio.io/proxyCPULimit"
        | "sidecar.istio.io/proxyMemoryLimit" => {
            (is_quantity(value), "a quantity as 100m or 128Mi")
        }
        _ => return None,
    };
    (!is_valid).then_some(expected)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_port(text: &str) -> bool {
    let text = text.trim();
    is_number(text) && text.parse::<u16>().is_ok()
}

fn are_ports(text: &str) -> bool {
    text.trim().is_empty() || text.trim().split(',').all(is_port)
}

/// Ranges in the notation of Go's `netip.ParsePrefix`, without spaces.
fn are_ranges(text: &str) -> bool {
    let is_range = |range: &str| {
        range.split_once('/').is_some_and(|(address, length)| {
            let most = match address.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            let leading_zero = length.len() > 1 && length.starts_with('0');
            is_number(length)
                && !leading_zero
                && length.parse::<u8>().is_ok_and(|length| length <= most)
        })
    };
    text.is_empty() || text.split(',').all(is_range)
}

/// Names of at most 15 characters of Linux's network interfaces.
fn are_interfaces(text: &str) -> bool {
    let is_name = |name: &str| {
        let name = name.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 15
            && name.chars().all(allowed)
    };
    text.is_empty() || text.split(',').all(is_name)
}

/// Quantities of Kubernetes: a decimal number with a suffix or an exponent.
fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let exponent = |suffix: &str| {
        let digits = suffix.strip_prefix(['e', 'E']).unwrap_or_default();
        is_number(digits.strip_prefix(['+', '-']).unwrap_or(digits))
    };
    let known = matches!(
        suffix,
        "" | "n"
            | "u"
            | "m"
            | "k"
            | "M"
            | "G"
            | "T"
            | "P"
            | "E"
            | "Ki"
            | "Mi"
            | "Gi"
            | "Ti"
            | "Pi"
            | "Ei"
    );
    digits > 0 && number.matches('.').count() <= 1 && (known || exponent(suffix))
}
