//! Label and field selectors, of requests and of objects.

use serde_json::Value;

use super::resource::Resource;
use super::status::Status;

/// A requirement on one label or field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
}

/// What a list or a watch is restricted to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Term>,
    fields: Vec<Term>,
}

impl Selector {
    /// The selector of a request.
    ///
    /// # Errors
    /// 400 for an invalid selector, or a field that this kind cannot be selected by.
    pub fn of(
        resource: &Resource,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Selector, Status> {
        let labels = match labels {
            None => Vec::new(),
            Some(text) => parsed(text).ok_or_else(|| {
                Status::bad_request(format!("unable to parse requirement: {text}"))
            })?,
        };
        let fields = match fields {
            None => Vec::new(),
            Some(text) => parsed(text)
                .ok_or_else(|| Status::bad_request(format!("invalid selector: {text:?}")))?,
        };
        for term in &fields {
            if !selectable(resource, &term.key) {
                return Err(Status::bad_request(format!(
                    "field label not supported: {}",
                    term.key
                )));
            }
        }
        Ok(Selector { labels, fields })
    }

    /// Whether an object matches.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels
            .iter()
            .all(|term| term.holds(labels.get(&term.key).and_then(Value::as_str)))
            && self.fields.iter().all(|term| {
                let at = object.pointer(&format!("/{}", term.key.replace('.', "/")));
                // A field that is not set is selected by the empty text.
                term.holds(Some(at.and_then(Value::as_str).unwrap_or_default()))
            })
    }
}

fn selectable(resource: &Resource, field: &str) -> bool {
    let more: &[&str] = match resource.kind.as_str() {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        "Node" => &["spec.unschedulable"],
        "Namespace" => &["status.phase"],
        "Secret" => &["type"],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reportingComponent",
            "source",
            "reason",
            "type",
        ],
        _ => &[],
    };
    matches!(field, "metadata.name" | "metadata.namespace") || more.contains(&field)
}

impl Term {
    fn holds(&self, value: Option<&str>) -> bool {
        match (&self.test, value) {
            (Test::In(wanted), Some(value)) => wanted.iter().any(|one| one == value),
            (Test::In(_), None) => false,
            (Test::NotIn(unwanted), value) => {
                value.is_none_or(|value| !unwanted.iter().any(|one| one == value))
            }
            (Test::Exists, value) => value.is_some(),
            (Test::Missing, value) => value.is_none(),
        }
    }
}

/// The terms of a text; None if it is no selector.
fn parsed(text: &str) -> Option<Vec<Term>> {
    let mut terms = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        // A comma inside parentheses separates values, not terms.
        let mut depth = 0;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                depth += match c {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                *c == ',' && depth == 0
            })
            .map_or(rest.len(), |(at, _)| at);
        terms.push(term(rest[..end].trim())?);
        rest = rest[end..].trim_start_matches(',').trim();
    }
    Some(terms)
}

fn term(text: &str) -> Option<Term> {
    let one = |key: &str, value: &str| (key.trim().to_owned(), vec![value.trim().to_owned()]);
    let (key, test) = if let Some((key, value)) = text.split_once("!=") {
        let (key, values) = one(key, value);
        (key, Test::NotIn(values))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        let (key, values) = one(key, value);
        (key, Test::In(values))
    } else if let Some((head, values)) = text.split_once('(') {
        let values = values
            .strip_suffix(')')?
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let mut words = head.split_whitespace();
        let key = words.next()?.to_owned();
        match words.next()? {
            "in" => (key, Test::In(values)),
            "notin" => (key, Test::NotIn(values)),
            _ => return None,
        }
    } else if let Some(key) = text.strip_prefix('!') {
        (key.trim().to_owned(), Test::Missing)
    } else {
        (text.to_owned(), Test::Exists)
    };
    let fine = !key.is_empty() && !key.contains(|c: char| c.is_whitespace() || "()=!,".contains(c));
    fine.then_some(Term { key, test })
}

/// Whether an object's labels satisfy a `LabelSelector` (`matchLabels`, `matchExpressions`); an empty one takes all, none nothing.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else {
        return false;
    };
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let equal = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let expressions = selector
        .get("matchExpressions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    equal
        .into_iter()
        .all(|(key, value)| label(key) == value.as_str())
        && expressions.into_iter().all(|expression| {
            let key = expression["key"].as_str().unwrap_or_default();
            expression_holds(expression, label(key))
        })
}

/// Whether one expression (`key`, `operator`, `values`) holds for the value of its key.
pub fn expression_holds(expression: &Value, value: Option<&str>) -> bool {
    let values = || {
        expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    };
    let number = |text: &str| text.parse::<i64>().ok();
    match expression["operator"].as_str() {
        Some("In") => value.is_some_and(|value| values().any(|one| one == value)),
        Some("NotIn") => value.is_none_or(|value| values().all(|one| one != value)),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        Some("Gt") => value
            .and_then(number)
            .zip(values().next().and_then(number))
            .is_some_and(|(own, limit)| own > limit),
        Some("Lt") => value
            .and_then(number)
            .zip(values().next().and_then(number))
            .is_some_and(|(own, limit)| own < limit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::kinds;

    #[test]
    fn selectors_select() {
        let pod = json!({"metadata": {"name": "p", "labels": {"app": "test", "team": "x"}}, "spec": {"nodeName": "n"}});
        let kind = kinds::built_in()
            .into_iter()
            .find(|one| one.kind == "Pod")
            .unwrap();
        let cases = [
            (Some("app=test"), None, true),
            (Some("app==test,team!=y"), None, true),
            (Some("app in (a, test),team"), None, true),
            (Some("app notin (a,test)"), None, false),
            (Some("!app"), None, false),
            (Some("!other"), None, true),
            (None, Some("metadata.name=p,spec.nodeName!=m"), true),
            (None, Some("spec.nodeName="), false),
        ];
        for (labels, fields, want) in cases {
            let selector = Selector::of(&kind, labels, fields).unwrap();
            assert_eq!(selector.matches(&pod), want, "{labels:?} {fields:?}");
        }
        let refused = Selector::of(&kind, None, Some("spec.colour=red")).unwrap_err();
        assert_eq!(refused.message, "field label not supported: spec.colour");
        assert!(Selector::of(&kind, Some("a b"), None).is_err());
    }

    #[test]
    fn label_selectors_of_objects_select() {
        let labels = json!({"app": "test"});
        let cases = [
            (json!({}), true),
            (json!(null), false),
            (json!({"matchLabels": {"app": "test"}}), true),
            (json!({"matchLabels": {"app": "other"}}), false),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["test"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}),
                true,
            ),
        ];
        for (selector, want) in cases {
            assert_eq!(selects(&selector, &labels), want, "{selector}");
        }
    }
}
