//! Who owns which fields: `metadata.managedFields`, and server-side apply.

use serde_json::{Value, json};

use super::fields::{self, Path, Set};
use super::resource::Resource;
use super::schema::{self, Shape};
use super::status::Status;

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// Whether it applies; otherwise it updates.
    pub applies: bool,
    /// `apps/v1`.
    pub api_version: String,
    /// `status`, `scale` or empty.
    pub subresource: String,
    /// Now, as objects print it.
    pub time: String,
}

/// An entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    writer: Writer,
    set: Set,
}

impl Entry {
    fn is(&self, writer: &Writer) -> bool {
        let (own, other) = (&self.writer, writer);
        (&own.manager, own.applies, &own.subresource)
            == (&other.manager, other.applies, &other.subresource)
            && (own.applies || own.api_version == other.api_version)
    }

    /// The manager as a conflict names it.
    fn named(&self) -> String {
        let Writer {
            manager,
            applies,
            api_version,
            subresource,
            ..
        } = &self.writer;
        let mut named = format!("{manager:?}");
        if !subresource.is_empty() {
            named.push_str(&format!(" with subresource {subresource:?}"));
        }
        if !applies {
            named.push_str(&format!(" using {api_version}"));
        }
        named
    }
}

fn entries(object: &Value) -> Vec<Entry> {
    let listed = object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    listed
        .map(|entry| Entry {
            writer: Writer {
                manager: text(&entry["manager"]),
                applies: entry["operation"] == "Apply",
                api_version: text(&entry["apiVersion"]),
                subresource: text(&entry["subresource"]),
                time: text(&entry["time"]),
            },
            set: fields::read(&entry["fieldsV1"]),
        })
        .collect()
}

fn write(object: &mut Value, entries: &[Entry]) {
    let printed: Vec<Value> = entries
        .iter()
        .filter(|entry| !entry.set.is_empty())
        .map(|entry| {
            let Writer {
                manager,
                applies,
                api_version,
                subresource,
                time,
            } = &entry.writer;
            let mut printed = json!({
                "manager": manager,
                "operation": if *applies { "Apply" } else { "Update" },
                "apiVersion": api_version,
                "time": time,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields::printed(&entry.set),
            });
            if !subresource.is_empty() {
                printed["subresource"] = json!(subresource);
            }
            printed
        })
        .collect();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("managedFields");
        if !printed.is_empty() {
            metadata.insert("managedFields".to_owned(), json!(printed));
        }
    }
}

/// Records that `writer` has made `new` out of `old`: it owns what it changed; what is gone has no owner.
pub fn updated(resource: &Resource, old: &Value, new: &mut Value, writer: &Writer) {
    let before = fields::leaves(old, &resource.schema);
    let after = fields::leaves(new, &resource.schema);
    let changed: Set = after
        .iter()
        .filter(|(path, value)| before.get(*path) != Some(value))
        .map(|(path, _)| path.clone())
        .collect();
    // A client that sends an object without the list gives up nothing.
    let mut entries = entries(old);
    for entry in &mut entries {
        entry.set.retain(|path| after.contains_key(path));
        if !entry.is(writer) {
            entry.set.retain(|path| !changed.contains(path));
        }
    }
    own(&mut entries, writer, changed);
    write(new, &entries);
}

fn own(entries: &mut Vec<Entry>, writer: &Writer, changed: Set) {
    if changed.is_empty() {
        return;
    }
    match entries.iter_mut().find(|entry| entry.is(writer)) {
        Some(entry) => {
            entry.set.extend(changed);
            entry.writer.time.clone_from(&writer.time);
        }
        None => entries.push(Entry {
            writer: writer.clone(),
            set: changed,
        }),
    }
}

/// `live` with `config` applied by `writer`.
///
/// # Errors
/// 409: fields that would change have other owners, unless `force` takes them over.
pub fn applied(
    resource: &Resource,
    live: &Value,
    config: &Value,
    writer: &Writer,
    force: bool,
) -> Result<Value, Status> {
    let mut entries = entries(live);
    let wanted: Set = fields::leaves(config, &resource.schema)
        .into_keys()
        .collect();
    let mut merged = live.clone();
    for (name, value) in config.as_object().into_iter().flatten() {
        let below = schema::top(&resource.schema, name);
        merged[name] = merge(below, live.get(name).unwrap_or(&Value::Null), value);
    }
    let before = fields::leaves(live, &resource.schema);
    let after = fields::leaves(&merged, &resource.schema);
    let changes = |path: &Path| before.get(path) != after.get(path);
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !entry.is(writer)) {
        let taken: Vec<Path> = entry
            .set
            .iter()
            .filter(|path| wanted.contains(*path) && changes(path))
            .cloned()
            .collect();
        for path in taken {
            conflicts.push((entry.named(), fields::text(&path)));
            entry.set.remove(&path);
        }
    }
    if !conflicts.is_empty() && !force {
        return Err(Status::apply_conflict(&conflicts));
    }
    let mine = entries.iter().position(|entry| entry.is(writer));
    let mine_before: Set = mine.map_or_else(Set::new, |at| entries[at].set.clone());
    for path in mine_before.difference(&wanted) {
        let others = |entry: &Entry| {
            !entry.is(writer) && entry.set.iter().any(|theirs| theirs.starts_with(path))
        };
        if !entries.iter().any(others) {
            fields::remove(&mut merged, path);
        }
    }
    let after = fields::leaves(&merged, &resource.schema);
    let unchanged = mine_before == wanted && after == before;
    let mut next: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| !entry.is(writer))
        .collect();
    for entry in &mut next {
        entry.set.retain(|path| after.contains_key(path));
    }
    let mut own = Entry {
        writer: writer.clone(),
        set: wanted,
    };
    if unchanged {
        // Applying the same again is no change at all, so it must not show in the time either.
        own.writer.time = time_of(live, writer).unwrap_or_else(|| writer.time.clone());
    }
    let at = mine.unwrap_or(next.len()).min(next.len());
    next.insert(at, own);
    write(&mut merged, &next);
    Ok(merged)
}

fn time_of(live: &Value, writer: &Writer) -> Option<String> {
    entries(live)
        .into_iter()
        .find(|entry| entry.is(writer))
        .map(|entry| entry.writer.time)
}

fn merge(schema: Option<&Value>, live: &Value, config: &Value) -> Value {
    match (schema::shape(schema, config), live, config) {
        (Shape::Fields, Value::Object(live), Value::Object(config)) => {
            let mut merged = live.clone();
            for (name, value) in config {
                let below = schema.and_then(|schema| schema::field(schema, name));
                let before = live.get(name).unwrap_or(&Value::Null);
                merged.insert(name.clone(), merge(below, before, value));
            }
            Value::Object(merged)
        }
        (Shape::Keyed(keys), Value::Array(live), Value::Array(config)) => {
            let below = schema
                .map(schema::resolved)
                .and_then(|schema| schema.get("items"));
            let mut merged = live.clone();
            for item in config {
                let key = schema::key_of(item, &keys);
                match merged
                    .iter_mut()
                    .find(|one| schema::key_of(one, &keys) == key)
                {
                    Some(there) => *there = merge(below, there, item),
                    None => merged.push(item.clone()),
                }
            }
            Value::Array(merged)
        }
        (Shape::Set, Value::Array(live), Value::Array(config)) => {
            let mut merged = live.clone();
            merged.extend(config.iter().filter(|item| !live.contains(item)).cloned());
            Value::Array(merged)
        }
        _ => config.clone(),
    }
}

/// The managers of an object and how many fields each has: for tests.
#[cfg(test)]
pub fn owners(object: &Value) -> std::collections::BTreeMap<String, Vec<String>> {
    let told = |entry: Entry| {
        (
            entry.writer.manager,
            entry.set.iter().map(fields::text).collect(),
        )
    };
    entries(object).into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::kinds;

    fn writer(manager: &str, applies: bool) -> Writer {
        Writer {
            manager: manager.to_owned(),
            applies,
            api_version: "v1".to_owned(),
            subresource: String::new(),
            time: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    fn config_map() -> Resource {
        kinds::built_in()
            .into_iter()
            .find(|one| one.kind == "ConfigMap")
            .unwrap()
    }

    fn data(pairs: &[(&str, &str)]) -> Value {
        let data: serde_json::Map<String, Value> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        json!({"metadata": {"name": "a"}, "data": data})
    }

    #[test]
    fn a_field_of_another_manager_is_a_conflict_until_it_is_forced() {
        let kind = config_map();
        let mut live = data(&[("a", "1")]);
        updated(
            &kind,
            &json!({"metadata": {}}),
            &mut live,
            &writer("kubectl-edit", false),
        );
        let want = data(&[("a", "2")]);
        let refused = applied(&kind, &live, &want, &writer("provision", true), false).unwrap_err();
        assert_eq!(refused.code, 409);
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: .data.a"
        );
        let forced = applied(&kind, &live, &want, &writer("provision", true), true).unwrap();
        assert_eq!(forced["data"], json!({"a": "2"}));
        assert_eq!(owners(&forced).keys().collect::<Vec<_>>(), ["provision"]);
        let mut scaled = data(&[("a", "1"), ("b", "1")]);
        let scale = Writer {
            subresource: "scale".to_owned(),
            ..writer("kubectl", false)
        };
        scaled["metadata"] = live["metadata"].clone();
        updated(&kind, &live, &mut scaled, &scale);
        let both = data(&[("a", "2"), ("b", "2")]);
        let refused =
            applied(&kind, &scaled, &both, &writer("provision", true), false).unwrap_err();
        // As a real API server (1.34) says it.
        assert_eq!(
            refused.message,
            "Apply failed with 2 conflicts: conflicts with \"kubectl\" with subresource \"scale\" using v1:\n- .data.b\n\
             conflicts with \"kubectl-edit\" using v1:\n- .data.a"
        );
        let same = applied(
            &kind,
            &live,
            &data(&[("a", "1")]),
            &writer("provision", true),
            false,
        )
        .unwrap();
        assert_eq!(owners(&same).len(), 2, "two managers may agree");
    }

    #[test]
    fn what_is_no_longer_applied_is_removed_unless_somebody_else_has_it() {
        let kind = config_map();
        let none = json!({"metadata": {"name": "a"}});
        let first = applied(
            &kind,
            &none,
            &data(&[("a", "1"), ("b", "1")]),
            &writer("one", true),
            false,
        )
        .unwrap();
        let both = applied(
            &kind,
            &first,
            &data(&[("b", "1")]),
            &writer("two", true),
            false,
        )
        .unwrap();
        let less = applied(
            &kind,
            &both,
            &data(&[("c", "1")]),
            &writer("one", true),
            false,
        )
        .unwrap();
        assert_eq!(less["data"], json!({"b": "1", "c": "1"}));
    }

    #[test]
    fn applying_the_same_again_is_no_change() {
        let kind = config_map();
        let none = json!({"metadata": {"name": "a"}});
        let first = applied(
            &kind,
            &none,
            &data(&[("a", "1")]),
            &writer("one", true),
            false,
        )
        .unwrap();
        let later = Writer {
            time: "2027-01-01T00:00:00Z".to_owned(),
            ..writer("one", true)
        };
        assert_eq!(
            applied(&kind, &first, &data(&[("a", "1")]), &later, false).unwrap(),
            first
        );
    }
}
