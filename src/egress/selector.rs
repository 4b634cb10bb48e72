//! Label selectors: which objects are selected by their labels.
//!
//! Three notations are parsed: Kubernetes' `matchLabels` and `matchExpressions`, the `labels` of Istio's networking objects,
//! and the plain map of a Service or a Gateway ([`Selector::exact`]).

use serde_json::Value;

use super::object::{Labels, labels, texts};

/// One condition on the value or the presence of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(Vec<String>),
    /// Also holds if the label is absent.
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    /// An operator that Kubernetes does not have and therefore does not store; nothing satisfies it.
    Never,
}

impl Requirement {
    fn read(expression: &Value) -> Requirement {
        let values = || texts(expression, "/values");
        match expression["operator"].as_str() {
            Some("In") => Requirement::In(values()),
            Some("NotIn") => Requirement::NotIn(values()),
            Some("Exists") => Requirement::Exists,
            Some("DoesNotExist") => Requirement::DoesNotExist,
            _ => Requirement::Never,
        }
    }

    fn holds(&self, value: Option<&String>) -> bool {
        match self {
            Requirement::In(values) => value.is_some_and(|value| values.contains(value)),
            Requirement::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Requirement::Exists => value.is_some(),
            Requirement::DoesNotExist => value.is_none(),
            Requirement::Never => false,
        }
    }
}

/// A selector: all its conditions must hold. An empty selector matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<(String, Requirement)>);

impl Selector {
    /// The selector in an object's field (`podSelector`, `selector`, `workloadSelector`); an absent field is an empty
    /// selector.
    pub fn read(field: &Value) -> Selector {
        let mut all = labels(field, "/matchLabels");
        all.extend(labels(field, "/labels"));
        let mut selector = Selector::exact(all);
        let expressions = field["matchExpressions"].as_array().into_iter().flatten();
        selector.0.extend(expressions.map(|expression| {
            let key = expression["key"].as_str().unwrap_or_default();
            (key.to_owned(), Requirement::read(expression))
        }));
        selector
    }

    /// Whether a selector in an object's field has only fields and operators that [`Selector::read`] understands, with texts
    /// as values.
    pub fn is_understood(field: &Value) -> bool {
        let Some(fields) = field.as_object() else {
            return field.is_null();
        };
        let texts = |value: &Value| {
            let mut all = value.as_object().into_iter().flatten();
            (value.is_null() || value.is_object()) && all.all(|(_, value)| value.is_string())
        };
        let known =
            |expression: &Value| !matches!(Requirement::read(expression), Requirement::Never);
        let expressions = |value: &Value| value.as_array().into_iter().flatten().all(known);
        fields.iter().all(|(name, value)| match name.as_str() {
            "matchLabels" | "labels" => texts(value),
            "matchExpressions" => expressions(value),
            _ => false,
        })
    }

    /// The selector of objects that have all these labels.
    pub fn exact(labels: Labels) -> Selector {
        let exact = |(key, value)| (key, Requirement::In(vec![value]));
        Selector(labels.into_iter().map(exact).collect())
    }

    /// Whether it selects an object with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0
            .iter()
            .all(|(key, condition)| condition.holds(labels.get(key)))
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(text: &str) -> Labels {
        let pairs = text.split_whitespace().map(|pair| {
            let (key, value) = pair.split_once('=').unwrap();
            (key.to_owned(), value.to_owned())
        });
        pairs.collect()
    }

    #[test]
    fn a_selector_means_what_kubernetes_says() {
        let one = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        // (selector, labels, whether it matches)
        let cases = [
            (json!({}), "", true),
            (json!(null), "app=test", true),
            (
                json!({"matchLabels": {"app": "test"}}),
                "app=test tier=web",
                true,
            ),
            (json!({"matchLabels": {"app": "test"}}), "app=Test", false),
            (
                json!({"matchLabels": {"app": "test", "tier": "web"}}),
                "app=test",
                false,
            ),
            (json!({"labels": {"app": "test"}}), "app=test", true),
            (one("app", "In", json!(["a", "b"])), "app=b", true),
            (one("app", "In", json!(["a", "b"])), "app=c", false),
            (one("app", "In", json!(["a", "b"])), "", false),
            (one("app", "NotIn", json!(["a"])), "app=b", true),
            (one("app", "NotIn", json!(["a"])), "app=a", false),
            (one("app", "NotIn", json!(["a"])), "", true),
            (one("app", "Exists", json!([])), "app=", true),
            (one("app", "Exists", json!([])), "ap=x", false),
            (one("app", "DoesNotExist", json!([])), "app=x", false),
            (one("app", "DoesNotExist", json!([])), "", true),
            (one("app", "Gt", json!(["1"])), "app=2", false),
            (
                json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}),
                "a=1",
                false,
            ),
            (
                json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}),
                "a=1 b=2",
                true,
            ),
        ];
        for (selector, labels, expected) in cases {
            let matches = Selector::read(&selector).matches(&object(labels));
            assert_eq!(matches, expected, "{selector} {labels}");
        }
    }

    #[test]
    fn only_a_selector_without_conditions_is_empty() {
        assert!(Selector::read(&json!({"matchLabels": {}})).is_empty());
        assert!(Selector::exact(Labels::new()).is_empty());
        assert!(!Selector::exact(object("a=b")).is_empty());
        let never = json!({"matchExpressions": [{}]});
        assert!(!Selector::read(&never).is_empty());
    }
}
