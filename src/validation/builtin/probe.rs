//! Probes and hooks of a container.

use crate::at::At;
use crate::builtin::share;
use crate::fault::Faults;

/// Judges a probe.
pub fn check(probe: &At<'_>, once: bool, faults: &mut Faults) {
    if !probe.is_set() {
        return;
    }
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], faults);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        share::not_negative(&probe.get(field), faults);
    }
    let success = probe.get("successThreshold");
    if once && success.int().is_some_and(|number| !matches!(number, 0 | 1)) {
        faults.invalid(&success, "must be 1");
    }
}

/// Judges the hooks of a container's life.
pub fn hooks(lifecycle: &At<'_>, faults: &mut Faults) {
    for hook in ["postStart", "preStop"] {
        let hook = lifecycle.get(hook);
        if hook.is_set() {
            handler(&hook, &["exec", "httpGet", "tcpSocket", "sleep"], faults);
        }
    }
}

fn handler(one: &At<'_>, kinds: &[&str], faults: &mut Faults) {
    let set: Vec<At<'_>> = kinds
        .iter()
        .map(|kind| one.get(kind))
        .filter(At::is_set)
        .collect();
    if set.is_empty() {
        faults.required(one, "must specify a handler type");
    }
    for second in set.iter().skip(1) {
        faults.forbidden(second, "may not specify more than 1 handler type");
    }
    if set
        .first()
        .is_some_and(|first| first.path == one.get("exec").path)
        && one.at("exec.command").is_empty()
    {
        faults.required(&one.at("exec.command"), "");
    }
    for kind in ["httpGet", "tcpSocket"] {
        let target = one.get(kind);
        if target.is_set() {
            let port = target.get("port");
            match port.is_set() {
                true => share::port(&port, faults),
                false => {
                    faults.invalid_value(&port, &0.into(), "must be between 1 and 65535, inclusive")
                }
            }
        }
    }
    share::one_of(&one.at("httpGet.scheme"), &["HTTP", "HTTPS"], faults);
}
