//! The metadata that every object has: its name, labels and annotations.

use crate::at::At;
use crate::fault::{Fault, Faults, Reason};
use crate::kind::Kind;
use crate::names::{self, Form};

/// The largest sum of all annotations, in bytes.
const ANNOTATIONS: usize = 256 * 1024;

/// The form of the names of a kind.
pub struct Names(Form);

impl Names {
    /// That of a built-in kind.
    pub fn of(kind: &Kind<'_>) -> Names {
        Names(match (kind.group, kind.name) {
            ("", "Namespace") => names::label,
            ("", "Service") => names::label_1035,
            (super::rbac::GROUP, _) => names::path_segment,
            ("" | "apps" | "batch" | "autoscaling" | "policy" | "networking.k8s.io", _) => {
                names::subdomain
            }
            _ => names::path_segment,
        })
    }

    /// That of defined kinds.
    pub fn custom() -> Names {
        Names(names::subdomain)
    }
}

/// Judges the metadata of an object.
pub fn check(object: &At<'_>, forms: &Names, faults: &mut Faults) {
    let metadata = object.get("metadata");
    let name = metadata.get("name");
    if name.text().is_empty() {
        if metadata.get("generateName").text().is_empty() {
            faults.required(&name, "name or generateName is required");
        }
    } else if let Some(why) = (forms.0)(name.text()) {
        faults.invalid(&name, &why);
    }
    described(&metadata, faults);
    for owner in metadata.get("ownerReferences").items() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).text().is_empty() {
                faults.invalid(&owner.get(field), "must not be empty");
            }
        }
    }
}

/// Judges labels and annotations, as a template has them, too.
pub fn described(metadata: &At<'_>, faults: &mut Faults) {
    labels(&metadata.get("labels"), faults);
    let annotations = metadata.get("annotations");
    let mut size = 0;
    for (key, value) in annotations.entries() {
        size += key.len() + value.text().len();
        if let Some(why) = names::qualified(&key.to_lowercase()) {
            told_of_all(&annotations, &value, key, &why, faults);
        }
    }
    if size > ANNOTATIONS {
        let message = format!("Too long: may not be more than {ANNOTATIONS} bytes");
        faults.add(&annotations, Reason::TooLong, message);
    }
}

/// Judges the keys and values of labels. The server names the labels, not the one that is wrong.
pub fn labels(labels: &At<'_>, faults: &mut Faults) {
    for (key, value) in labels.entries() {
        if let Some(why) = names::qualified(key) {
            told_of_all(labels, &value, key, &why, faults);
        }
        if let Some(why) = names::label_value(value.text()) {
            told_of_all(labels, &value, value.text(), &why, faults);
        }
    }
}

fn told_of_all(all: &At<'_>, one: &At<'_>, value: &str, why: &str, faults: &mut Faults) {
    let message = format!("Invalid value: {value:?}: {why}");
    faults.0.push(Fault {
        field: all.path.to_string(),
        ..Fault::new(&one.path, Reason::Invalid, message)
    });
}
