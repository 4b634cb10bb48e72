//! ConfigMap and Secret.

use crate::at::At;
use crate::fault::{Faults, Reason};
use crate::names;

/// The largest sum of all values, in bytes.
const LARGEST: usize = 1024 * 1024;

pub fn config_map(object: &At<'_>, faults: &mut Faults) {
    let (data, binary) = (object.get("data"), object.get("binaryData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        key_of(key, &value, faults);
        if binary.value.get(key).is_some() {
            faults.invalid_value(
                &value,
                &key.into(),
                "duplicate of key present in binaryData",
            );
        }
        size += value.text().len();
    }
    for (key, value) in binary.entries() {
        key_of(key, &value, faults);
        size += value.text().len() / 4 * 3;
    }
    too_long(object, size, faults);
}

pub fn secret(object: &At<'_>, faults: &mut Faults) {
    let (data, text) = (object.get("data"), object.get("stringData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        key_of(key, &value, faults);
        size += value.text().len() / 4 * 3;
    }
    for (key, value) in text.entries() {
        key_of(key, &value, faults);
        size += value.text().len();
    }
    too_long(object, size, faults);
    let has = |key: &str| data.value.get(key).or(text.value.get(key)).is_some();
    let required: &[&str] = match object.get("type").text() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in required.iter().filter(|key| !has(key)) {
        let missing = At {
            value: &serde_json::Value::Null,
            path: data.path.key(key),
        };
        faults.required(&missing, "");
    }
}

fn key_of(key: &str, value: &At<'_>, faults: &mut Faults) {
    if let Some(why) = names::config_key(key) {
        faults.invalid_value(value, &key.into(), &why);
    }
}

fn too_long(object: &At<'_>, size: usize, faults: &mut Faults) {
    if size > LARGEST {
        let message = format!("Too long: may not be more than {LARGEST} bytes");
        faults.add(object, Reason::TooLong, message);
    }
}
