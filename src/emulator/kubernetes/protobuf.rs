//! Protobuf bodies: kubectl sends what it makes itself (`create namespace`, `auth can-i`) in this form from 1.32 on.
//!
//! Numbers are those of Kubernetes' published `generated.proto` files, and only of fields that such commands set. Answers are
//! JSON always, which every client takes.

use base64::Engine as _;
use serde_json::{Map, Value, json};

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Int,
    Bool,
    /// Text to text.
    Texts,
    /// Text to bytes, base64 in JSON.
    Blobs,
    One(&'static str),
    Many(&'static str),
    ManyTexts,
    /// A number or a text.
    IntOrString,
}
use Holds::{Blobs, Bool, Int, IntOrString, Many, ManyTexts, One, Text, Texts};

/// A message: its fields by number.
type Message = (&'static str, &'static [(u64, &'static str, Holds)]);

const META: (u64, &str, Holds) = (1, "metadata", One("ObjectMeta"));

const MESSAGES: &[Message] = &[
    (
        "ObjectMeta",
        &[
            (1, "name", Text),
            (2, "generateName", Text),
            (3, "namespace", Text),
            (5, "uid", Text),
            (6, "resourceVersion", Text),
            (11, "labels", Texts),
            (12, "annotations", Texts),
            (14, "finalizers", ManyTexts),
        ],
    ),
    ("Namespace", &[META]),
    (
        "ServiceAccount",
        &[META, (4, "automountServiceAccountToken", Bool)],
    ),
    (
        "ConfigMap",
        &[
            META,
            (2, "data", Texts),
            (3, "binaryData", Blobs),
            (4, "immutable", Bool),
        ],
    ),
    (
        "Secret",
        &[
            META,
            (2, "data", Blobs),
            (3, "type", Text),
            (4, "stringData", Texts),
            (5, "immutable", Bool),
        ],
    ),
    ("Service", &[META, (2, "spec", One("ServiceSpec"))]),
    (
        "ServiceSpec",
        &[
            (1, "ports", Many("ServicePort")),
            (2, "selector", Texts),
            (3, "clusterIP", Text),
            (4, "type", Text),
            (10, "externalName", Text),
        ],
    ),
    (
        "ServicePort",
        &[
            (1, "name", Text),
            (2, "protocol", Text),
            (3, "port", Int),
            (4, "targetPort", IntOrString),
        ],
    ),
    ("Deployment", &[META, (2, "spec", One("DeploymentSpec"))]),
    (
        "DeploymentSpec",
        &[
            (1, "replicas", Int),
            (2, "selector", One("LabelSelector")),
            (3, "template", One("PodTemplateSpec")),
        ],
    ),
    ("LabelSelector", &[(1, "matchLabels", Texts)]),
    ("PodTemplateSpec", &[META, (2, "spec", One("PodSpec"))]),
    (
        "PodSpec",
        &[
            (2, "containers", Many("Container")),
            (3, "restartPolicy", Text),
            (8, "serviceAccountName", Text),
        ],
    ),
    (
        "Container",
        &[
            (1, "name", Text),
            (2, "image", Text),
            (3, "command", ManyTexts),
            (4, "args", ManyTexts),
            (6, "ports", Many("ContainerPort")),
            (14, "imagePullPolicy", Text),
        ],
    ),
    (
        "ContainerPort",
        &[
            (1, "name", Text),
            (3, "containerPort", Int),
            (4, "protocol", Text),
        ],
    ),
    ("Pod", &[META, (2, "spec", One("PodSpec"))]),
    ("Role", &[META, (2, "rules", Many("PolicyRule"))]),
    ("ClusterRole", &[META, (2, "rules", Many("PolicyRule"))]),
    (
        "PolicyRule",
        &[
            (1, "verbs", ManyTexts),
            (2, "apiGroups", ManyTexts),
            (3, "resources", ManyTexts),
            (4, "resourceNames", ManyTexts),
            (5, "nonResourceURLs", ManyTexts),
        ],
    ),
    (
        "RoleBinding",
        &[
            META,
            (2, "subjects", Many("Subject")),
            (3, "roleRef", One("RoleRef")),
        ],
    ),
    (
        "ClusterRoleBinding",
        &[
            META,
            (2, "subjects", Many("Subject")),
            (3, "roleRef", One("RoleRef")),
        ],
    ),
    (
        "Subject",
        &[
            (1, "kind", Text),
            (2, "apiGroup", Text),
            (3, "name", Text),
            (4, "namespace", Text),
        ],
    ),
    (
        "RoleRef",
        &[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)],
    ),
    ("SelfSubjectReview", &[META]),
    (
        "SelfSubjectRulesReview",
        &[META, (2, "spec", One("RulesSpec"))],
    ),
    ("RulesSpec", &[(1, "namespace", Text)]),
    (
        "SelfSubjectAccessReview",
        &[META, (2, "spec", One("AccessSpec"))],
    ),
    (
        "AccessSpec",
        &[
            (1, "resourceAttributes", One("ResourceAttributes")),
            (2, "nonResourceAttributes", One("PathAttributes")),
        ],
    ),
    (
        "ResourceAttributes",
        &[
            (1, "namespace", Text),
            (2, "verb", Text),
            (3, "group", Text),
            (4, "version", Text),
            (5, "resource", Text),
            (6, "subresource", Text),
            (7, "name", Text),
        ],
    ),
    ("PathAttributes", &[(1, "path", Text), (2, "verb", Text)]),
    (
        "DeleteOptions",
        &[
            (1, "gracePeriodSeconds", Int),
            (2, "preconditions", One("Preconditions")),
            (4, "propagationPolicy", Text),
            (5, "dryRun", ManyTexts),
        ],
    ),
    (
        "Preconditions",
        &[(1, "uid", Text), (2, "resourceVersion", Text)],
    ),
];

/// Why a body gives no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// Its bytes are something else, or end too soon.
    #[error("the body is not protobuf as Kubernetes frames it")]
    Malformed,
    /// Its fields have no table here.
    #[error("{kind} is not supported as protobuf here; send JSON (kubectl apply -f does)")]
    UnknownKind {
        /// The kind that it names.
        kind: String,
    },
}

/// The object of a body: four magic bytes, then its kind and its own bytes.
///
/// # Errors
/// What cannot be read, or a kind that is not known in this form.
pub fn object(body: &[u8]) -> Result<Value, ProtobufError> {
    let unreadable = || ProtobufError::Malformed;
    let envelope = body.strip_prefix(b"k8s\0").ok_or_else(unreadable)?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for (number, field) in fields(envelope).ok_or_else(unreadable)? {
        match (number, field) {
            (1, Field::Bytes(meta)) => {
                for (number, field) in fields(meta).ok_or_else(unreadable)? {
                    match (number, field) {
                        (1, Field::Bytes(text)) => version = utf8(text),
                        (2, Field::Bytes(text)) => kind = utf8(text),
                        _ => {}
                    }
                }
            }
            (2, Field::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    if !MESSAGES.iter().any(|(name, _)| *name == kind) {
        return Err(ProtobufError::UnknownKind { kind });
    }
    let mut object = message(&kind, raw).ok_or_else(unreadable)?;
    object["apiVersion"] = json!(version);
    object["kind"] = json!(kind);
    Ok(object)
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message as they stand; None if the bytes end too soon.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => Field::Bytes(bytes.split_off(..8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Field::Bytes(bytes.split_off(..length)?)
            }
            5 => Field::Bytes(bytes.split_off(..4)?),
            _ => return None,
        };
        found.push((tag >> 3, field));
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn message(name: &str, bytes: &[u8]) -> Option<Value> {
    let (_, known) = MESSAGES.iter().find(|(own, _)| *own == name)?;
    let mut object = Map::new();
    for (number, field) in fields(bytes)? {
        let Some((_, name, holds)) = known.iter().find(|(own, ..)| *own == number) else {
            continue;
        };
        let slot = || (*name).to_owned();
        match (holds, field) {
            // Go writes texts and messages that are not set as empty ones.
            (Text, Field::Bytes([])) => {}
            (Text, Field::Bytes(text)) => drop(object.insert(slot(), json!(utf8(text)))),
            (Int, Field::Number(number)) => drop(object.insert(slot(), json!(number))),
            (Bool, Field::Number(number)) => drop(object.insert(slot(), json!(number != 0))),
            (IntOrString, Field::Bytes(bytes)) => drop(object.insert(slot(), either(bytes)?)),
            (One(of), Field::Bytes(bytes)) => {
                let below = message(of, bytes)?;
                if below.as_object().is_some_and(|below| !below.is_empty()) {
                    object.insert(slot(), below);
                }
            }
            (Many(of), Field::Bytes(bytes)) => push(&mut object, name, message(of, bytes)?),
            (ManyTexts, Field::Bytes(bytes)) => push(&mut object, name, json!(utf8(bytes))),
            (Texts | Blobs, Field::Bytes(bytes)) => {
                let (key, value) = pair(bytes)?;
                let value = match holds {
                    Blobs => base64::engine::general_purpose::STANDARD.encode(value),
                    _ => utf8(value),
                };
                object.entry(slot()).or_insert_with(|| json!({}))[key] = json!(value);
            }
            _ => return None,
        }
    }
    Some(Value::Object(object))
}

fn push(object: &mut Map<String, Value>, name: &str, value: Value) {
    if let Value::Array(items) = object.entry(name).or_insert_with(|| json!([])) {
        items.push(value);
    }
}

fn pair(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (mut key, mut value) = (String::new(), &[][..]);
    for (number, field) in fields(bytes)? {
        match (number, field) {
            (1, Field::Bytes(text)) => key = utf8(text),
            (2, Field::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((key, value))
}

fn either(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for (place, field) in fields(bytes)? {
        match (place, field) {
            (1, Field::Number(kind)) => is_text = kind == 1,
            (2, Field::Number(value)) => number = value,
            (3, Field::Bytes(value)) => text = utf8(value),
            _ => {}
        }
    }
    Some(if is_text { json!(text) } else { json!(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a length, as protobuf writes it.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        out.extend(content);
        out
    }

    fn framed(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), bytes(1, &meta), bytes(2, raw)].concat()
    }

    #[test]
    fn a_namespace_and_a_secret_are_read() {
        let label = [bytes(1, b"team"), bytes(2, b"x")].concat();
        let meta = [bytes(1, b"team-x"), bytes(2, b""), bytes(11, &label)].concat();
        let body = framed(
            "v1",
            "Namespace",
            &[bytes(1, &meta), bytes(2, b""), bytes(3, b"")].concat(),
        );
        let want = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-x", "labels": {"team": "x"}}});
        assert_eq!(object(&body).unwrap(), want);
        let data = [bytes(1, b"key"), bytes(2, b"\x00\x01")].concat();
        let body = framed("v1", "Secret", &bytes(2, &data));
        assert_eq!(object(&body).unwrap()["data"], json!({"key": "AAE="}));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = object(b"{}").unwrap_err().to_string();
        assert!(refused.contains("not protobuf"), "{refused}");
        assert_eq!(object(b"k8s\0\x0a\xff"), Err(ProtobufError::Malformed));
        let refused = object(&framed("v1", "Sonnet", b""))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("Sonnet is not supported"), "{refused}");
    }
}
