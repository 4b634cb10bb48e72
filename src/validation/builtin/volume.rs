//! The volumes of a pod.

use crate::at::At;
use crate::fault::Faults;
use crate::names;

/// The sources of a volume, in the order in which the server looks at them.
const SOURCES: [&str; 29] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "azureFile",
    "configMap",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// Judges the volumes and returns their names.
pub fn check<'v>(volumes: &At<'v>, faults: &mut Faults) -> Vec<&'v str> {
    let mut known = Vec::new();
    for volume in volumes.items() {
        let name = volume.get("name");
        if name.text().is_empty() {
            faults.required(&name, "");
        } else if let Some(why) = names::label(name.text()) {
            faults.invalid(&name, &why);
        }
        known.push(name.text());
        // A volume without a source is an empty directory.
        let set = SOURCES
            .iter()
            .map(|name| volume.get(name))
            .filter(At::is_set);
        for second in set.skip(1) {
            faults.forbidden(&second, "may not specify more than 1 volume type");
        }
        for (source, field) in [
            ("secret", "secretName"),
            ("configMap", "name"),
            ("persistentVolumeClaim", "claimName"),
            ("hostPath", "path"),
            ("csi", "driver"),
        ] {
            let source = volume.get(source);
            if source.is_set() && source.get(field).text().is_empty() {
                faults.required(&source.get(field), "");
            }
        }
        for source in ["secret", "configMap"] {
            items(&volume.get(source), faults);
        }
        for source in volume.at("projected.sources").items() {
            items(&source.get("secret"), faults);
            items(&source.get("configMap"), faults);
        }
    }
    known
}

/// Judges which keys become files, and their modes.
fn items(source: &At<'_>, faults: &mut Faults) {
    let mode = source.get("defaultMode");
    if mode.int().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        faults.invalid(
            &mode,
            "must be a number between 0 and 0777 (octal), both inclusive",
        );
    }
    for item in source.get("items").items() {
        for field in ["key", "path"] {
            if item.get(field).text().is_empty() {
                faults.required(&item.get(field), "");
            }
        }
        let path = item.get("path");
        if path.text().starts_with('/') {
            faults.invalid(&path, "must be a relative path");
        } else if path.text().split('/').any(|part| part == "..") {
            faults.invalid(&path, "must not contain '..'");
        }
    }
}
