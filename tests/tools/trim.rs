//! `fixtures/discovery/trim.py`, which makes the trimmed discovery documents. It is Python: where `python3` is not installed, a
//! test says so in one line and passes. That Google's own documents are trimmed to ours byte by byte is not tested here, because
//! they have 7 MB and are not in the repository.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/discovery");

/// What the script makes of a file. None, after a line that says so, without `python3`.
fn trim(source: &Path) -> Option<Output> {
    let script = Path::new(FOLDER).join("trim.py");
    match Command::new("python3").arg(script).arg(source).output() {
        Ok(output) => Some(output),
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "python3: {error}: fixtures/discovery/trim.py was not run"
            );
            None
        }
    }
}

/// What the script makes of a document that is written to a file first.
fn trimmed(document: &Value) -> Option<Output> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document.to_string()).unwrap();
    trim(file.path())
}

fn parsed(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn documents() -> Vec<PathBuf> {
    let files = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// Adds prose, and keys that nobody needs, to every method, parameter and schema.
fn add_prose(value: &mut Value) -> usize {
    let mut added = 0;
    if let Some(object) = value.as_object_mut() {
        added += object.values_mut().map(add_prose).sum::<usize>();
        // A field may have one of these names too. Then what it has is a schema, not a string.
        let described = ["type", "$ref", "httpMethod"]
            .iter()
            .any(|key| object.get(*key).is_some_and(Value::is_string));
        if described {
            object.insert("description".into(), json!("This is prose."));
            object.insert("enumDescriptions".into(), json!(["This is prose."]));
            object.insert("scopes".into(), json!(["https://scope.example"]));
            added += 1;
        }
    }
    added
}

#[test]
fn a_trimmed_document_is_trimmed_to_itself_and_prose_goes() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let Some(again) = trim(&path) else {
            return;
        };
        parsed(&again);
        let same = again.stdout == text.as_bytes();
        assert!(same, "{}: trimming it changes it", path.display());

        let mut document: Value = serde_json::from_str(&text).unwrap();
        assert!(add_prose(&mut document) > 20, "{}", path.display());
        let without = trimmed(&document).unwrap();
        let same = without.stdout == text.as_bytes();
        assert!(same, "{}: prose is left in it", path.display());
    }
}

/// A document with the collections of `cloudbilling.v1` that the script keeps, and this schema for what `services.list` returns.
fn document(schema: Value) -> Value {
    let method = |response: &str| json!({"id": "m", "response": {"$ref": response}, "scopes": []});
    json!({
        "id": "cloudbilling:v1", "name": "cloudbilling", "version": "v1", "title": "prose", "auth": {},
        "schemas": {"Kept": schema, "Below": {"id": "Below"}, "Unused": {"id": "Unused"}},
        "resources": {
            "projects": {"methods": {"getBillingInfo": method("Below"), "updateBillingInfo": method("Below"), "other": {}}},
            "billingAccounts": {"methods": {"list": method("Below")}},
            "services": {
                "methods": {"list": method("Kept")},
                "resources": {"skus": {"methods": {"list": method("Below")}}},
            },
            "others": {"methods": {"list": method("Unused")}},
        },
    })
}

#[test]
fn what_only_prose_states_becomes_a_key() {
    let cases = [
        (
            json!({"type": "string", "description": "[Output Only] The server sets it."}),
            json!({"type": "string", "readOnly": true}),
        ),
        (
            json!({"type": "string", "description": "Output only. The server sets it."}),
            json!({"type": "string", "readOnly": true}),
        ),
        (
            json!({"type": "string", "description": "Required. A name."}),
            json!({"type": "string", "x-required": true}),
        ),
        (
            json!({"type": "string", "description": "Immutable. A name."}),
            json!({"type": "string", "x-immutable": true}),
        ),
        (
            json!({"type": "string", "description": "Input only. A name."}),
            json!({"type": "string", "x-inputOnly": true}),
        ),
        (
            json!({"type": "string", "enum": ["OLD", "NEW"], "enumDeprecated": [true, false]}),
            json!({"type": "string", "enum": ["OLD", "NEW"], "x-enumDeprecated": ["OLD"]}),
        ),
        (
            json!({"type": "string", "description": "The output only depends on the input."}),
            json!({"type": "string"}),
        ),
    ];
    for (source, target) in cases {
        let schema = json!({"id": "Kept", "properties": {"field": source, "below": {"items": {"$ref": "Below"}}}});
        let Some(output) = trimmed(&document(schema)) else {
            return;
        };
        let found = parsed(&output);
        assert_eq!(found["schemas"]["Kept"]["properties"]["field"], target);
        assert!(found["schemas"]["Below"].is_object(), "{found}");
        assert!(found["schemas"].get("Unused").is_none(), "{found}");
        assert!(found["resources"].get("others").is_none(), "{found}");
        let methods = &found["resources"]["projects"]["methods"];
        assert!(methods.get("other").is_none(), "{found}");
        assert!(methods["getBillingInfo"].get("scopes").is_none(), "{found}");
        assert!(found.get("title").is_none(), "{found}");
    }
}

#[test]
fn a_method_that_the_source_lacks_is_named() {
    let mut source = document(json!({"id": "Kept"}));
    source["resources"]["services"]["methods"] = json!({});
    let Some(output) = trimmed(&source) else {
        return;
    };
    assert!(!output.status.success() && output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        errors.trim_end(),
        "trim.py: cloudbilling:v1 has no method services.list"
    );
}
