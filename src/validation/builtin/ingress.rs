//! Ingress: its rules and backends.

use crate::at::At;
use crate::builtin::share;
use crate::fault::Faults;

pub fn ingress(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    let backend_of_all = spec.get("defaultBackend");
    if spec.get("rules").is_empty() && !backend_of_all.is_set() {
        faults.invalid(
            &spec,
            "either `defaultBackend` or `rules` must be specified",
        );
    }
    if backend_of_all.is_set() {
        backend(&backend_of_all, faults);
    }
    for rule in spec.get("rules").items() {
        let http = rule.get("http");
        if http.is_set() && http.get("paths").is_empty() {
            faults.required(&http.get("paths"), "");
        }
        for path in http.get("paths").items() {
            let kind = path.get("pathType");
            if !kind.is_set() {
                faults.required(&kind, "pathType must be specified");
            }
            share::one_of(
                &kind,
                &["Exact", "ImplementationSpecific", "Prefix"],
                faults,
            );
            let at = path.get("path");
            if matches!(kind.text(), "Exact" | "Prefix") && !at.text().starts_with('/') {
                faults.invalid(&at, "must be an absolute path");
            }
            backend(&path.get("backend"), faults);
        }
    }
}

fn backend(backend: &At<'_>, faults: &mut Faults) {
    let (service, resource) = (backend.get("service"), backend.get("resource"));
    if service.is_set() && resource.is_set() {
        return faults.invalid(backend, "cannot set both resource and service backends");
    }
    if resource.is_set() {
        return;
    }
    if !service.is_set() {
        return faults.required(&backend.get("service"), "");
    }
    if service.get("name").text().is_empty() {
        faults.required(&service.get("name"), "");
    }
    let (name, number) = (service.at("port.name"), service.at("port.number"));
    if name.text().is_empty() && number.int().unwrap_or_default() == 0 {
        faults.required(&service.get("port"), "port name or number is required");
    } else if !name.text().is_empty() && number.int().unwrap_or_default() != 0 {
        faults.invalid(
            &service.get("port"),
            "cannot set both port name & port number",
        );
    }
}
