//! Roles and bindings.

use crate::at::At;
use crate::fault::Faults;
use crate::names;

pub const GROUP: &str = "rbac.authorization.k8s.io";

pub fn role(object: &At<'_>, faults: &mut Faults) {
    object
        .get("rules")
        .items()
        .iter()
        .for_each(|one| rule(one, true, faults));
}

pub fn cluster_role(object: &At<'_>, faults: &mut Faults) {
    object
        .get("rules")
        .items()
        .iter()
        .for_each(|one| rule(one, false, faults));
}

fn rule(rule: &At<'_>, namespaced: bool, faults: &mut Faults) {
    if rule.get("verbs").is_empty() {
        faults.required(&rule.get("verbs"), "verbs must contain at least one value");
    }
    let (groups, resources) = (rule.get("apiGroups"), rule.get("resources"));
    let urls = rule.get("nonResourceURLs");
    if !urls.is_empty() {
        if namespaced {
            faults.invalid(&urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if !groups.is_empty() || !resources.is_empty() || !rule.get("resourceNames").is_empty() {
            faults.invalid(
                &urls,
                "rules cannot apply to both regular resources and non-resource URLs",
            );
        }
        return;
    }
    if groups.is_empty() {
        faults.required(&groups, "resource rules must supply at least one api group");
    }
    if resources.is_empty() {
        faults.required(
            &resources,
            "resource rules must supply at least one resource",
        );
    }
}

pub fn role_binding(object: &At<'_>, faults: &mut Faults) {
    binding(object, &["Role", "ClusterRole"], faults);
}

pub fn cluster_role_binding(object: &At<'_>, faults: &mut Faults) {
    binding(object, &["ClusterRole"], faults);
}

fn binding(object: &At<'_>, roles: &[&str], faults: &mut Faults) {
    let role = object.get("roleRef");
    let group = role.get("apiGroup");
    if group.text_or(GROUP) != GROUP {
        faults.unsupported(&group, &[GROUP]);
    }
    if !roles.contains(&role.get("kind").text()) {
        faults.unsupported(&role.get("kind"), roles);
    }
    let name = role.get("name");
    if name.text().is_empty() {
        faults.required(&name, "");
    } else if let Some(why) = names::path_segment(name.text()) {
        faults.invalid(&name, &why);
    }
    for one in object.get("subjects").items() {
        subject(&one, roles.len() > 1, faults);
    }
}

fn subject(subject: &At<'_>, namespaced: bool, faults: &mut Faults) {
    let (name, group) = (subject.get("name"), subject.get("apiGroup"));
    if name.text().is_empty() {
        faults.required(&name, "");
    }
    match subject.get("kind").text() {
        "ServiceAccount" => {
            if let Some(why) = names::subdomain(name.text()).filter(|_| !name.text().is_empty()) {
                faults.invalid(&name, &why);
            }
            if !group.text().is_empty() {
                faults.unsupported(&group, &[""]);
            }
            if !namespaced && subject.get("namespace").text().is_empty() {
                faults.required(&subject.get("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group.text_or(GROUP) != GROUP {
                faults.unsupported(&group, &[GROUP]);
            }
        }
        _ => faults.unsupported(&subject.get("kind"), &["ServiceAccount", "User", "Group"]),
    }
}
