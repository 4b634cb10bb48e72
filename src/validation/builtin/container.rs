//! A container of a pod.

use serde_json::json;

use crate::at::At;
use crate::builtin::{probe, share};
use crate::fault::Faults;
use crate::names;

/// What a variable may take from the pod.
const POD_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// What the server can read of a pod by such a path, but gives to no variable.
const OTHER_FIELDS: [&str; 4] = [
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
    "status.nominatedNodeName",
];

pub fn check(one: &At<'_>, volumes: &[&str], on_node: bool, faults: &mut Faults) {
    let name = one.get("name");
    if name.text().is_empty() {
        faults.required(&name, "");
    } else if let Some(why) = names::label(name.text()) {
        faults.invalid(&name, &why);
    }
    let image = one.get("image");
    if image.text().is_empty() {
        faults.required(&image, "");
    } else if image.text().trim() != image.text() {
        faults.invalid(&image, "must not have leading or trailing whitespace");
    }
    let known = ["Always", "IfNotPresent", "Never"];
    share::one_of(&one.get("imagePullPolicy"), &known, faults);
    let known = ["FallbackToLogsOnError", "File"];
    share::one_of(&one.get("terminationMessagePolicy"), &known, faults);
    probe::check(&one.get("livenessProbe"), true, faults);
    probe::check(&one.get("readinessProbe"), false, faults);
    probe::check(&one.get("startupProbe"), true, faults);
    probe::hooks(&one.get("lifecycle"), faults);
    ports(&one.get("ports"), on_node, faults);
    one.get("env")
        .items()
        .iter()
        .for_each(|one| variable(one, faults));
    for from in one.get("envFrom").items() {
        sources(&from, &["configMapRef", "secretRef"], faults);
    }
    mounts(&one.get("volumeMounts"), volumes, faults);
    resources(&one.get("resources"), faults);
    privileges(&one.get("securityContext"), faults);
}

/// Judges what only a container that runs first has or lacks.
pub fn first(one: &At<'_>, faults: &mut Faults) {
    let policy = one.get("restartPolicy");
    if policy.text() == "Always" {
        return;
    }
    share::one_of(&policy, &["Always"], faults);
    for field in [
        "lifecycle",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
    ] {
        if one.get(field).is_set() {
            let why = "may not be set for init containers without restartPolicy=Always";
            faults.forbidden(&one.get(field), why);
        }
    }
}

/// Judges what a container may do.
fn privileges(context: &At<'_>, faults: &mut Faults) {
    user(context, faults);
    let escalation = context.get("allowPrivilegeEscalation");
    if escalation.value == &json!(false) && context.get("privileged").is_true() {
        let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        faults.invalid(&escalation, why);
    }
}

/// Judges whom it runs as.
pub fn user(context: &At<'_>, faults: &mut Faults) {
    let profile = context.at("seccompProfile.type");
    share::one_of(
        &profile,
        &["Localhost", "RuntimeDefault", "Unconfined"],
        faults,
    );
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        let field = context.get(field);
        if field
            .int()
            .is_some_and(|id| !(0..=i64::from(i32::MAX)).contains(&id))
        {
            faults.invalid(&field, "must be between 0 and 2147483647, inclusive");
        }
    }
}

fn ports(ports: &At<'_>, on_node: bool, faults: &mut Faults) {
    let mut seen: Vec<&str> = Vec::new();
    for port in ports.items() {
        let (name, number, host) = (
            port.get("name"),
            port.get("containerPort"),
            port.get("hostPort"),
        );
        if !name.text().is_empty() {
            if let Some(why) = names::port_name(name.text()) {
                faults.invalid(&name, &why);
            } else if seen.contains(&name.text()) {
                faults.duplicate(&name);
            }
            seen.push(name.text());
        }
        match number.int().unwrap_or_default() {
            0 => faults.required(&number, ""),
            _ => share::port(&number, faults),
        }
        if host.int().unwrap_or_default() != 0 {
            share::port(&host, faults);
            if on_node && host.int() != number.int() {
                faults.invalid(
                    &host,
                    "must match `containerPort` when `hostNetwork` is true",
                );
            }
        }
        share::one_of(&port.get("protocol"), &["SCTP", "TCP", "UDP"], faults);
    }
}

fn variable(one: &At<'_>, faults: &mut Faults) {
    let (name, from) = (one.get("name"), one.get("valueFrom"));
    if name.text().is_empty() {
        faults.required(&name, "");
    } else if let Some(why) = names::variable(name.text()) {
        faults.invalid(&name, &why);
    }
    if !from.is_set() {
        return;
    }
    let kinds = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    let set: Vec<At<'_>> = kinds
        .iter()
        .map(|kind| from.get(kind))
        .filter(At::is_set)
        .collect();
    if set.is_empty() {
        faults.invalid_value(
            &from,
            &json!(""),
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        );
    } else if !one.get("value").text().is_empty() {
        faults.invalid_value(
            &from,
            &json!(""),
            "may not be specified when `value` is not empty",
        );
    } else if set.len() > 1 {
        faults.invalid_value(
            &from,
            &json!(""),
            "may not have more than one field specified at a time",
        );
    }
    pod_field(&from.get("fieldRef"), faults);
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        let reference = from.get(kind);
        if !reference.is_set() {
            continue;
        }
        let key = reference.get("key");
        if key.text().is_empty() {
            faults.required(&key, "");
        } else if let Some(why) = names::config_key(key.text()) {
            faults.invalid(&key, &why);
        }
        if reference.get("name").text().is_empty() {
            faults.required(&reference.get("name"), "");
        }
    }
    let resource = from.get("resourceFieldRef");
    if resource.is_set() && resource.get("resource").text().is_empty() {
        faults.required(&resource.get("resource"), "");
    }
}

fn pod_field(reference: &At<'_>, faults: &mut Faults) {
    if !reference.is_set() {
        return;
    }
    let path = reference.get("fieldPath");
    let text = path.text();
    let is_one = (text.starts_with("metadata.labels['")
        || text.starts_with("metadata.annotations['"))
        && text.ends_with("']");
    if text.is_empty() {
        faults.required(&path, "");
    } else if OTHER_FIELDS.contains(&text) {
        faults.unsupported(&path, &POD_FIELDS);
    } else if !is_one && !POD_FIELDS.contains(&text) {
        let why = format!("error converting fieldPath: field label not supported: {text}");
        faults.invalid(&path, &why);
        if let Some(fault) = faults.0.pop() {
            faults.0.push(fault.meant(text, POD_FIELDS));
        }
    }
}

fn sources(from: &At<'_>, kinds: &[&str], faults: &mut Faults) {
    let set = kinds.iter().filter(|kind| from.get(kind).is_set()).count();
    match set {
        0 => faults.invalid_value(
            from,
            &json!(""),
            "must specify one of: `configMapRef` or `secretRef`",
        ),
        1 => {}
        _ => faults.invalid_value(
            from,
            &json!(""),
            "may not have more than one field specified at a time",
        ),
    }
}

fn mounts(mounts: &At<'_>, volumes: &[&str], faults: &mut Faults) {
    let mut seen: Vec<&str> = Vec::new();
    for mount in mounts.items() {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        if name.text().is_empty() {
            faults.required(&name, "");
        } else if !volumes.contains(&name.text()) {
            faults.not_found(&name, volumes);
        }
        if path.text().is_empty() {
            faults.required(&path, "");
        } else if seen.contains(&path.text()) {
            faults.invalid(&path, "must be unique");
        }
        seen.push(path.text());
        let known = ["Bidirectional", "HostToContainer", "None"];
        share::one_of(&mount.get("mountPropagation"), &known, faults);
    }
}

fn resources(resources: &At<'_>, faults: &mut Faults) {
    let amount = |at: &At<'_>| match at.int() {
        Some(number) => names::quantity(&number.to_string()),
        None if at.value.is_number() => names::quantity(&at.value.to_string()),
        None => names::quantity(at.text()),
    };
    let (limits, requests) = (resources.get("limits"), resources.get("requests"));
    for (name, value) in limits.entries().into_iter().chain(requests.entries()) {
        let is_standard = matches!(name, "cpu" | "memory" | "ephemeral-storage")
            || name.starts_with("hugepages-");
        if !is_standard && !name.contains('/') {
            faults.invalid_value(
                &value,
                &json!(name),
                "must be a standard resource for containers",
            );
        }
        if amount(&value).is_some_and(|amount| amount < 0.0) {
            faults.invalid(&value, "must be greater than or equal to 0");
        }
    }
    for (name, request) in requests.entries() {
        let limit = limits.get(name);
        if let (Some(wanted), Some(most)) = (amount(&request), amount(&limit))
            && wanted > most
        {
            let most = limit
                .value
                .as_str()
                .map_or(limit.value.to_string(), str::to_owned);
            let why = format!("must be less than or equal to {name} limit of {most}");
            faults.invalid_value(&requests, request.value, &why);
        }
    }
}
