//! Which workloads a policy is for: `selector`, `targetRef`, `targetRefs`.

use crate::at::At;
use crate::fault::Faults;

/// Kinds that a policy may name, with their groups.
const TARGETS: [(&str, &str); 4] = [
    ("", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
];

pub fn check(spec: &At<'_>, faults: &mut Faults) {
    let one = spec.get("targetRef");
    for target in spec.get("targetRefs").items().iter().chain([&one]) {
        if !target.is_set() {
            continue;
        }
        let group = target.get("group").text();
        let group = if group == "core" { "" } else { group };
        let kind = target.get("kind").text();
        if !TARGETS.contains(&(group, kind)) {
            faults.deny(
                target,
                format!("targetRef must be to a Service, ServiceEntry, Gateway or GatewayClass but was {group}/{kind}"),
            );
        }
    }
}
