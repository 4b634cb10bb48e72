//! Kubernetes manifests as a cluster takes them: files, folders and standard input, as `kubectl apply -f` reads them.
//!
//! A document may be a list; an item without a kind is of the list's. An object without a namespace is in `default`, unless its kind
//! has none or is not known. What an API server would refuse is refused here, with the line of the field
//! ([`check`]). Beside Kubernetes' objects a file may have firewall rules as Compute Engine lists them.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::planned_snapshot::NAMESPACES;
use crate::error::{CommandError, Exit};
use crate::kinds::Step;
use crate::steps::{Node, yaml_of_manifest};
use egress::object::Object;
use egress::snapshot_input::SnapshotInput;
use validation::{Refusal, is_namespaced, refusal};

/// The code under which istioctl reports what does not satisfy a schema.
const CODE: &str = "IST0106";
/// The kinds of Compute Engine's API that are read: a firewall rule, and a firewall policy.
const COMPUTE: [&str; 2] = ["compute#firewall", "compute#firewallPolicy"];
/// Files of a folder that are read.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// An object and where it stands.
pub struct Manifest {
    /// The object, in its namespace.
    pub object: Value,
    /// The file, as it was named; `-` is standard input.
    file: String,
    /// The document, with its lines.
    node: Node,
    /// The path of the object in the document: empty, or to an item of a list.
    path: Vec<String>,
}

/// Reads the manifests, in the order in which they are named, a folder's by name.
///
/// # Errors
/// What cannot be read, is not YAML, has no object or something that is none.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Manifest>, CommandError> {
    let mut found = Vec::new();
    for path in paths {
        for file in files(path)? {
            found.extend(of_text(&file.display().to_string(), &text(&file)?)?);
        }
    }
    Ok(found)
}

/// The files that a path names: itself, or those of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, CommandError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| bad(path.display(), error))?;
    let is_manifest = |file: &PathBuf| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        let is_kustomization = file
            .file_stem()
            .is_some_and(|stem| stem.eq_ignore_ascii_case("kustomization"));
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && !is_kustomization
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.is_file() && is_manifest(file))
        .collect();
    files.sort();
    match files.is_empty() {
        true => Err(bad(
            path.display(),
            "no file ends with .yaml, .yml or .json",
        )),
        false => Ok(files),
    }
}

fn text(file: &Path) -> Result<String, CommandError> {
    let text = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        false => std::fs::read_to_string(file),
    };
    text.map_err(|error| bad(file.display(), error))
}

fn bad(file: impl std::fmt::Display, error: impl std::fmt::Display) -> CommandError {
    let hint = "name manifest files, as for `kubectl apply -f`";
    CommandError::usage(format!("{file}: {error}"), hint)
}

/// The objects in a file's text: YAML documents or JSON, with lists split into their items.
fn of_text(file: &str, text: &str) -> Result<Vec<Manifest>, CommandError> {
    let documents = yaml_of_manifest(text).map_err(|error| bad(file, error))?;
    let mut found: Vec<Manifest> = Vec::new();
    for node in documents {
        let value = node.value();
        let items = match &value {
            Value::Null => continue,
            Value::Array(items) => items.iter().collect(),
            Value::Object(list) => match list.get("items") {
                Some(Value::Array(items)) => items.iter().collect(),
                _ => vec![&value],
            },
            _ => vec![&value],
        };
        let in_items = value.get("items").is_some_and(Value::is_array);
        let is_list = in_items || value.is_array();
        for (index, item) in items.into_iter().enumerate() {
            let object = completed(item, &value);
            let mut path = Vec::new();
            if is_list {
                path.extend(in_items.then(|| "items".to_owned()));
                path.push(index.to_string());
            }
            let has = |field: &str| object.get(field).is_some_and(Value::is_string);
            if !(has("apiVersion") && has("kind") || is_of_compute(&object)) {
                let number = found.len() + 1;
                let error = format!(
                    "object {number} is neither a Kubernetes object nor a Compute Engine firewall rule: it has no `apiVersion` and `kind`"
                );
                return Err(bad(file, error));
            }
            let (file, node) = (file.to_owned(), node.clone());
            found.push(Manifest {
                object,
                file,
                node,
                path,
            });
        }
    }
    match found.is_empty() {
        true => Err(bad(file, "it contains no object")),
        false => Ok(found),
    }
}

/// The object with what its list and kubectl add to it.
fn completed(item: &Value, list: &Value) -> Value {
    let mut object = item.clone();
    let kind = list["kind"]
        .as_str()
        .and_then(|kind| kind.strip_suffix("List"));
    if let (Some(kind), Some(fields)) =
        (kind.filter(|kind| !kind.is_empty()), object.as_object_mut())
    {
        let version = list["apiVersion"].clone();
        fields.entry("apiVersion").or_insert(version);
        fields.entry("kind").or_insert_with(|| kind.into());
    }
    let namespace = &object["metadata"]["namespace"];
    let is_unset = namespace.is_null() || namespace == "";
    if is_unset && object["metadata"].is_object() && is_namespaced(&object) == Some(true) {
        object["metadata"]["namespace"] = "default".into();
    }
    object
}

/// Refuses what an API server would refuse.
///
/// # Errors
/// Every fault, with file, line and field.
pub fn check(manifests: &[Manifest]) -> Result<(), CommandError> {
    let mut errors = Vec::new();
    for manifest in manifests {
        if let Some(refused) = refused(&manifest.object) {
            let place = |path: &[String]| {
                let path = [&manifest.path, path].concat();
                format!("{}:{}", manifest.file, manifest.node.line_of(&path))
            };
            errors.extend(told(&refused, &manifest.object, place));
        }
    }
    ended(errors)
}

/// Refuses the objects of steps that an API server would refuse. `filled` are what the steps want, with references filled in.
///
/// # Errors
/// Every fault, with the step's file and line and the field.
pub fn check_steps<'s>(
    filled: impl IntoIterator<Item = (&'s Step, Value)>,
) -> Result<(), CommandError> {
    let mut errors = Vec::new();
    for (step, object) in filled {
        if let Some(mut refused) = refused(&object) {
            // What a reference will be is not known yet.
            refused.faults.retain(|fault| !fault.message.contains("${"));
            errors.extend(told(&refused, &object, |_| step.source.to_string()));
        }
    }
    ended(errors)
}

/// Whether an object is one of Compute Engine's API.
fn is_of_compute(object: &Value) -> bool {
    let kind = object.get("kind").and_then(Value::as_str);
    kind.is_some_and(|kind| COMPUTE.contains(&kind))
}

/// The refusal of an object without its status, which is the cluster's own and may be of another version.
fn refused(object: &Value) -> Option<Refusal> {
    if is_of_compute(object) {
        return None;
    }
    let mut stated = object.clone();
    if let Some(fields) = stated.as_object_mut() {
        fields.shift_remove("status");
    }
    refusal(&stated, "default")
}

/// A line for each fault.
fn told(refused: &Refusal, object: &Value, place: impl Fn(&[String]) -> String) -> Vec<String> {
    let named = Object::of(object);
    let line = |fault: &validation::Fault| {
        let path = fault.path.tokens();
        let field = match path.is_empty() {
            true => String::new(),
            false => format!("{}: ", fault.path),
        };
        let near = match &fault.near {
            Some(near) => format!(", did you mean `{near}`?"),
            None => String::new(),
        };
        let message = fault.message.trim_end();
        format!("{}: {CODE} {named}: {field}{message}{near}", place(&path))
    };
    // That rules were not checked is said by the API server and no fault.
    let own = refused
        .faults
        .iter()
        .filter(|fault| !fault.path.tokens().is_empty());
    own.map(line).collect()
}

fn ended(errors: Vec<String>) -> Result<(), CommandError> {
    match errors.is_empty() {
        true => Ok(()),
        false => Err(CommandError {
            exit: Exit::Usage,
            errors,
            hint: Some("a cluster refuses these objects: correct the fields".to_owned()),
        }),
    }
}

/// A snapshot of these objects alone: every namespace that one of them is in exists, and nothing is known of a network.
pub fn alone(manifests: &[Manifest]) -> SnapshotInput {
    let namespace =
        |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut names: Vec<&str> = NAMESPACES.to_vec();
    for manifest in manifests {
        let name = manifest.object["metadata"]["namespace"].as_str();
        names.extend(name.filter(|name| !name.is_empty() && !names.contains(name)));
    }
    SnapshotInput {
        outside_vpc: true,
        kubernetes: names.into_iter().map(namespace).collect(),
        ..SnapshotInput::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> Vec<Value> {
        let found = of_text("f.yaml", text).unwrap();
        found.into_iter().map(|manifest| manifest.object).collect()
    }

    #[test]
    fn a_file_has_objects_of_kubernetes_and_of_compute() {
        let yaml = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\n\
            apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: a}}\n";
        assert_eq!(objects(yaml).len(), 2);
        let rules = r#"[{"kind": "compute#firewall", "name": "deny"}]"#;
        assert_eq!(objects(rules).len(), 1);
        assert!(of_text("f", "a: [").is_err());
        for (text, words) in [
            ("---\n", "it contains no object"),
            ("a: 1", "object 1 is neither"),
        ] {
            let error = of_text("f", text).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_kubectl_and_a_list_add_is_there() {
        let yaml = "apiVersion: v1\nkind: ServiceList\nitems:\n- {metadata: {name: a}}\n- {metadata: {name: b, namespace: x}}\n---\n\
            {apiVersion: v1, kind: Namespace, metadata: {name: n}}\n";
        let found = objects(yaml);
        let at = |index: usize, pointer: &str| found[index].pointer(pointer).cloned();
        assert_eq!(at(0, "/kind"), Some(json!("Service")));
        assert_eq!(at(0, "/metadata/namespace"), Some(json!("default")));
        assert_eq!(at(1, "/metadata/namespace"), Some(json!("x")));
        assert_eq!(at(2, "/metadata/namespace"), None);
    }

    #[test]
    fn a_refusal_names_file_line_and_field_and_what_was_meant() {
        let yaml = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n  spec:\n    ports:\n    - prt: 80\n";
        let manifests = of_text("f.yaml", yaml).unwrap();
        let error = check(&manifests).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert_eq!(
            error.errors,
            [
                "f.yaml:9: IST0106 Service default/a: spec.ports[0].prt: field not declared in schema, did you mean `port`?"
            ]
        );
    }

    #[test]
    fn namespaces_are_implied() {
        let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: far}\n";
        let input = alone(&of_text("f", yaml).unwrap());
        let names: Vec<&Value> = input
            .kubernetes
            .iter()
            .map(|one| &one["metadata"]["name"])
            .collect();
        assert!(
            names.contains(&&json!("far")) && names.contains(&&json!("default")),
            "{names:?}"
        );
    }
}
