//! A value of an object together with its path, so that whoever judges it can say where it is.

use std::fmt;

use serde_json::Value;

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A field of an object.
    Field(String),
    /// A key of a map, whose keys are the user's.
    Key(String),
    /// An item of a list, from 0.
    Item(usize),
}

/// The path of a field, printed as the API server prints it: `spec.ports[0].name`, `data[a/b]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Step>);

impl Path {
    /// The path of a field of this object.
    pub fn field(&self, name: &str) -> Path {
        self.then(Step::Field(name.to_owned()))
    }

    /// The path of a key of this map.
    pub fn key(&self, name: &str) -> Path {
        self.then(Step::Key(name.to_owned()))
    }

    /// The path of an item of this list, from 0.
    pub fn item(&self, index: usize) -> Path {
        self.then(Step::Item(index))
    }

    fn then(&self, step: Step) -> Path {
        let mut steps = self.0.clone();
        steps.push(step);
        Path(steps)
    }

    /// The names and numbers of the path, as in a JSON pointer.
    pub fn tokens(&self) -> Vec<String> {
        let token = |step: &Step| match step {
            Step::Field(name) | Step::Key(name) => name.clone(),
            Step::Item(index) => index.to_string(),
        };
        self.0.iter().map(token).collect()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if index == 0 => write!(f, "{name}")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Key(name) => write!(f, "[{name}]")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A value and its path. What is absent is null: both mean the same to the API server.
#[derive(Debug, Clone)]
pub(crate) struct At<'v> {
    pub value: &'v Value,
    pub path: Path,
}

impl<'v> At<'v> {
    /// The object itself.
    pub fn root(value: &'v Value) -> At<'v> {
        At {
            value,
            path: Path::default(),
        }
    }

    /// A field of this object.
    pub fn get(&self, name: &str) -> At<'v> {
        At {
            value: self.value.get(name).unwrap_or(&Value::Null),
            path: self.path.field(name),
        }
    }

    /// A field some levels below, as in `spec.template.metadata`.
    pub fn at(&self, path: &str) -> At<'v> {
        path.split('.').fold(self.clone(), |at, name| at.get(name))
    }

    /// Whether it is there.
    pub fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Its text; empty where there is none.
    pub fn text(&self) -> &'v str {
        self.value.as_str().unwrap_or_default()
    }

    /// Its text, or the server's default where there is none.
    pub fn text_or(&self, default: &'v str) -> &'v str {
        Some(self.text())
            .filter(|text| !text.is_empty())
            .unwrap_or(default)
    }

    /// Its number, where it is an integer.
    pub fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// Its truth; false where there is none.
    pub fn is_true(&self) -> bool {
        self.value == &Value::Bool(true)
    }

    /// How many items or fields it has.
    pub fn len(&self) -> usize {
        match self.value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        }
    }

    /// Whether it has neither items nor fields.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items of this list.
    pub fn items(&self) -> Vec<At<'v>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        let item = |(index, value)| At {
            value,
            path: self.path.item(index),
        };
        items.map(item).collect()
    }

    /// The keys of this map and their values.
    pub fn entries(&self) -> Vec<(&'v str, At<'v>)> {
        let fields = self.value.as_object().into_iter().flatten();
        let entry = |(key, value): (&'v String, _)| {
            let path = self.path.key(key);
            (key.as_str(), At { value, path })
        };
        fields.map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_printed_as_the_server_prints_them() {
        let object = json!({"spec": {"ports": [{"port": 80}], "labels": {"a/b": "c"}}});
        let spec = At::root(&object).get("spec");
        let port = spec.get("ports").items()[0].get("port");
        assert_eq!(
            (port.path.to_string().as_str(), port.int()),
            ("spec.ports[0].port", Some(80))
        );
        let (key, label) = spec.get("labels").entries()[0].clone();
        assert_eq!(
            (key, label.path.to_string().as_str()),
            ("a/b", "spec.labels[a/b]")
        );
        assert_eq!(label.path.tokens(), ["spec", "labels", "a/b"]);
        assert!(!At::root(&object).at("spec.template.metadata").is_set());
    }
}
