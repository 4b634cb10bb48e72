//! Requests held against Google's discovery documents in `fixtures/discovery`: does the method exist, and does it take
//! this body? Reads the documents itself, so that it can contradict everything else that does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use serde_json::{Map, Value};

/// One API's document.
pub struct Document(Value);

impl Document {
    /// `compute.v1` and so on; each is read once.
    pub fn read(api: &str) -> &'static Document {
        static READ: LazyLock<Mutex<BTreeMap<String, &'static Document>>> =
            LazyLock::new(Mutex::default);
        let mut read = READ.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        read.entry(api.to_owned()).or_insert_with(|| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("fixtures/discovery/{api}.json"));
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Box::leak(Box::new(Document(serde_json::from_str(&text).unwrap())))
        })
    }

    /// Everything that Google would refuse about a request, or need not look at: unknown method or field, wrong type or
    /// enum value, output-only field, required field missing. `path` begins behind the host.
    pub fn faults(&self, verb: &str, path: &str, body: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let Some(method) = self.method(&self.0["resources"], verb, path) else {
            return vec![format!("no method takes {verb} {path}")];
        };
        let id = method["id"].as_str().unwrap_or_default();
        self.check(id, "", &method["request"], body, &mut faults);
        faults
    }

    /// Whether a schema has a field, as references to what a resource gives ask for.
    pub fn has_field(&self, schema: &str, field: &str) -> bool {
        self.0["schemas"][schema]["properties"].get(field).is_some()
    }

    fn method<'a>(&'a self, resources: &'a Value, verb: &str, path: &str) -> Option<&'a Value> {
        let service = self.0["servicePath"].as_str().unwrap_or_default();
        let below = |resource: &'a Value| {
            let methods = resource["methods"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, method)| method);
            let own = methods.into_iter().find(|method| {
                let template = method
                    .get("flatPath")
                    .unwrap_or(&method["path"])
                    .as_str()
                    .unwrap_or_default();
                method["httpMethod"] == verb && fits(&format!("/{service}{template}"), path)
            });
            own.or_else(|| self.method(&resource["resources"], verb, path))
        };
        resources.as_object()?.values().find_map(below)
    }

    fn check(
        &self,
        method: &str,
        at: &str,
        schema: &Value,
        value: &Value,
        faults: &mut Vec<String>,
    ) {
        let schema = match schema["$ref"].as_str() {
            Some(name) => &self.0["schemas"][name],
            None => schema,
        };
        let expected = schema["type"].as_str().unwrap_or("any");
        let fits = match expected {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            _ => true,
        };
        if !fits {
            faults.push(format!("{at}: {value} is no {expected}"));
        }
        if let (Some(known), Some(text)) = (schema["enum"].as_array(), value.as_str())
            && !known.iter().any(|k| k == text)
        {
            faults.push(format!("{at}: {text} is none of the enum"));
        }
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            self.check(
                method,
                &format!("{at}[{n}]"),
                &schema["items"],
                item,
                faults,
            );
        }
        if let Some(fields) = value.as_object() {
            self.check_fields(method, at, schema, fields, faults);
        }
    }

    fn check_fields(
        &self,
        method: &str,
        at: &str,
        schema: &Value,
        fields: &Map<String, Value>,
        faults: &mut Vec<String>,
    ) {
        let path = |name: &str| {
            if at.is_empty() {
                name.to_owned()
            } else {
                format!("{at}.{name}")
            }
        };
        for (name, value) in fields {
            let property = &schema["properties"][name];
            match schema.get("additionalProperties") {
                Some(more) if property.is_null() => {
                    self.check(method, &path(name), more, value, faults)
                }
                None if property.is_null() => faults.push(format!("{}: no such field", path(name))),
                _ if property["readOnly"] == true => {
                    faults.push(format!("{}: output only", path(name)))
                }
                _ => self.check(method, &path(name), property, value, faults),
            }
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let by_method = property["annotations"]["required"].as_array();
            let required = property["x-required"] == true
                || by_method.is_some_and(|m| m.iter().any(|id| id == method));
            if required && property["readOnly"] != true && !fields.contains_key(name) {
                faults.push(format!("{}: required and missing", path(name)));
            }
        }
    }
}

/// Whether a path is one of a template's: `{x}` stands for one segment, or for the part of one before `:verb`.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(template, segment)| {
            let Some((_, tail)) = template.strip_prefix('{').and_then(|t| t.split_once('}')) else {
                return template == segment;
            };
            let (_, verb) = segment.split_at(segment.find(':').unwrap_or(segment.len()));
            !segment.is_empty() && verb == tail
        })
}
