//! Pods and the specification of pods in a template.

use crate::at::At;
use crate::builtin::{container, metadata, scheduling, share, volume};
use crate::fault::Faults;
use crate::names;

pub fn pod(object: &At<'_>, faults: &mut Faults) {
    spec(&object.get("spec"), faults);
}

/// Judges the specification of a pod.
pub fn spec(spec: &At<'_>, faults: &mut Faults) {
    let volumes = volume::check(&spec.get("volumes"), faults);
    let containers = spec.get("containers");
    if containers.is_empty() {
        faults.required(&containers, "");
    }
    let on_node = spec.get("hostNetwork").is_true();
    let mut seen: Vec<&str> = Vec::new();
    for one in containers.items() {
        container::check(&one, &volumes, on_node, faults);
        seen.push(one.get("name").text());
    }
    for one in spec.get("initContainers").items() {
        container::check(&one, &volumes, on_node, faults);
        container::first(&one, faults);
        let name = one.get("name");
        if !name.text().is_empty() && seen.contains(&name.text()) {
            faults.duplicate(&name);
        }
    }
    share::one_of(
        &spec.get("restartPolicy"),
        &["Always", "OnFailure", "Never"],
        faults,
    );
    let policy = spec.get("dnsPolicy");
    let known = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    share::one_of(&policy, &known, faults);
    let servers = spec.at("dnsConfig.nameservers");
    if policy.text() == "None" && servers.is_empty() {
        let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        faults.required(&servers, why);
    }
    for server in servers.items() {
        if names::ip(server.text()).is_none() {
            faults.invalid(
                &server,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
    }
    let grace = spec.get("terminationGracePeriodSeconds");
    share::not_negative(&grace, faults);
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline.int().is_some_and(|seconds| seconds < 1) {
        faults.invalid(&deadline, "must be between 1 and 2147483647, inclusive");
    }
    metadata::labels(&spec.get("nodeSelector"), faults);
    for (field, form) in [
        ("serviceAccountName", names::subdomain as names::Form),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
    ] {
        let field = spec.get(field);
        if let Some(why) = form(field.text()).filter(|_| !field.text().is_empty()) {
            faults.invalid(&field, &why);
        }
    }
    for alias in spec.get("hostAliases").items() {
        let ip = alias.get("ip");
        if names::ip(ip.text()).is_none() {
            faults.invalid(
                &ip,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
    }
    container::user(&spec.get("securityContext"), faults);
    scheduling::check(spec, faults);
}
