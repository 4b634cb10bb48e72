//! What a plan says of each step, and the differences between two plans. Pure: it reads no file and shows nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::Change;
use super::event::Event;
use crate::kinds::FieldDiff;

/// What stands in a saved plan for the data of a Kubernetes Secret.
const HIDDEN: &str = "(not saved)";
/// The fields of a Secret that hold its data.
const SECRET_FIELDS: &[&str] = &["data", "stringData"];

/// What a plan says of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The change.
    #[serde(flatten)]
    pub change: Change,
    /// Whether the resource is recorded as created by provision.
    pub ours: bool,
    /// The desired resource, as far as it is known.
    pub want: Value,
    /// The step whose request includes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
}

/// What a plan says of all steps, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlannedSteps(pub BTreeMap<String, PlannedStep>);

impl PlannedSteps {
    /// Processes one event of the run that makes the plan.
    pub fn record(&mut self, event: &Event) {
        if let Event::Looked {
            step,
            change,
            ours,
            want,
            inside,
        } = event
        {
            let planned = PlannedStep {
                change: change.clone(),
                ours: *ours,
                want: want.clone(),
                inside: inside.clone(),
            };
            self.0.insert(step.clone(), planned);
        }
    }

    /// The same without the data of the Secrets that these steps define: a saved plan contains none.
    pub fn without_data(mut self, secrets: &BTreeSet<String>) -> PlannedSteps {
        for (step, planned) in &mut self.0 {
            if secrets.contains(step) {
                planned.hide_data();
            }
        }
        self
    }

    /// What has changed since this plan was made, a line for each step, in the order of their ids. `now` is the new plan.
    pub fn moved(&self, now: &PlannedSteps) -> Vec<String> {
        let ids: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let lines = ids.into_iter().filter_map(|id| {
            let said = match (self.0.get(id), now.0.get(id)) {
                (Some(was), Some(is)) => was.moved(is)?,
                (Some(was), None) => {
                    format!(
                        "the plan says: {}; now nothing is planned for it",
                        was.words()
                    )
                }
                (None, is) => format!("it is not in the plan; now: {}", is?.words()),
            };
            Some(format!("{id}: {said}"))
        });
        lines.collect()
    }
}

impl PlannedStep {
    fn hide_data(&mut self) {
        for field in SECRET_FIELDS {
            if let Some(data) = self.want.get_mut(field) {
                *data = HIDDEN.into();
            }
        }
        for field in self.change.fields_mut() {
            (field.have, field.want) = (HIDDEN.into(), HIDDEN.into());
        }
    }

    /// How the plan of this step differs now; none if it does not.
    fn moved(&self, now: &PlannedStep) -> Option<String> {
        let same = match (&self.change, &now.change) {
            // The reason of a wait contains counts and times.
            (Change::Pending(_), Change::Pending(_)) => true,
            (was, is) => was == is,
        };
        if !same {
            return Some(format!(
                "the plan says: {}; now: {}",
                self.words(),
                now.words()
            ));
        }
        if self.ours != now.ours {
            let whose = |ours| match ours {
                true => "created by provision",
                false => "not created by provision",
            };
            let (was, is) = (whose(self.ours), whose(now.ours));
            return Some(format!("in the plan it was {was}; now it is {is}"));
        }
        if self.inside != now.inside {
            return Some("the plan creates it in another request".to_owned());
        }
        match first_difference(&self.want, &now.want) {
            None => None,
            Some(path) if path.is_empty() => Some("the plan has other values".to_owned()),
            Some(path) => Some(format!("the plan has another value of {path}")),
        }
    }

    /// The change, in words.
    fn words(&self) -> String {
        let with = |what: &str, fields: &[FieldDiff]| {
            let each = fields
                .iter()
                .map(|field| format!("{} {} -> {}", field.path, field.have, field.want));
            format!("{what} {}", each.collect::<Vec<_>>().join(", "))
        };
        match &self.change {
            Change::None => "as wanted".to_owned(),
            Change::Create => "create".to_owned(),
            Change::Delete => "delete".to_owned(),
            Change::Update(fields) => with("change", fields),
            Change::Adopt(fields) => with("take over", fields),
            Change::Replace(fields) if fields.is_empty() => "replace".to_owned(),
            Change::Replace(fields) => with("replace, because of", fields),
            Change::Fixed(fields) => with("cannot be changed in", fields),
            Change::Conflict(fields) => with("another field manager owns", fields),
            Change::Foreign(fields) => with("not created by provision, and differs in", fields),
            Change::Unfit(fields) => with("is looked up, and differs in", fields),
            Change::Missing(missing) => format!("cannot be looked up: {}", missing.why),
            Change::Waits(steps) => format!("known after {}", steps.join(", ")),
            Change::Pending(_) => "wait".to_owned(),
        }
    }
}

/// The path of the first value that differs, empty for the whole; none if all are equal.
fn first_difference(one: &Value, other: &Value) -> Option<String> {
    if one == other {
        return None;
    }
    let (Value::Object(one), Value::Object(other)) = (one, other) else {
        return Some(String::new());
    };
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let value = |of: &Map<String, Value>, key: &String| of.get(key).cloned().unwrap_or_default();
    let found = keys.into_iter().find_map(|key| {
        let below = first_difference(&value(one, key), &value(other, key))?;
        Some(match below.as_str() {
            "" => key.clone(),
            below => format!("{key}.{below}"),
        })
    });
    // Two objects whose only difference is a null are different, and have no such path.
    found.or(Some(String::new()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(change: Change, want: Value) -> PlannedStep {
        PlannedStep {
            change,
            ours: true,
            want,
            inside: None,
        }
    }

    fn plan(step: PlannedStep) -> PlannedSteps {
        PlannedSteps(BTreeMap::from([("net".to_owned(), step)]))
    }

    fn planned(change: Change, want: Value) -> PlannedSteps {
        plan(step(change, want))
    }

    fn update(want: &str) -> Change {
        Change::Update(vec![FieldDiff {
            path: "a.b".to_owned(),
            have: json!("x"),
            want: json!(want),
            fixed: false,
            owner: None,
        }])
    }

    #[test]
    fn what_moved_is_told() {
        let made = |value: &str| planned(Change::Create, json!({"a": {"b": value}}));
        let waits = |why: &str| planned(Change::Pending(why.to_owned()), json!({}));
        let of_others = PlannedStep {
            ours: false,
            ..step(Change::None, json!({}))
        };
        let along = PlannedStep {
            inside: Some("cluster".to_owned()),
            ..step(Change::Create, json!({}))
        };
        let nothing = PlannedSteps::default;
        for (was, is, expected) in [
            (made("x"), made("x"), None),
            (waits("1 of 3"), waits("2 of 3"), None),
            (
                made("x"),
                made("y"),
                Some("net: the plan has another value of a.b"),
            ),
            (
                made("x"),
                planned(Change::None, json!({})),
                Some("net: the plan says: create; now: as wanted"),
            ),
            (
                planned(update("y"), json!({})),
                planned(update("z"), json!({})),
                Some(r#"net: the plan says: change a.b "x" -> "y"; now: change a.b "x" -> "z""#),
            ),
            (
                made("x"),
                nothing(),
                Some("net: the plan says: create; now nothing is planned for it"),
            ),
            (
                nothing(),
                made("x"),
                Some("net: it is not in the plan; now: create"),
            ),
            (
                planned(Change::None, json!({})),
                plan(of_others),
                Some(
                    "net: in the plan it was created by provision; now it is not created by provision",
                ),
            ),
            (
                planned(Change::Create, json!({})),
                plan(along),
                Some("net: the plan creates it in another request"),
            ),
            (
                planned(Change::Create, json!({"c": null})),
                planned(Change::Create, json!({})),
                Some("net: the plan has other values"),
            ),
            (
                planned(Change::Create, json!({})),
                planned(Change::Create, json!({"c": 1})),
                Some("net: the plan has another value of c"),
            ),
        ] {
            let moved = was.moved(&is);
            assert_eq!(moved.first().map(String::as_str), expected);
            let text = serde_json::to_string(&was).unwrap();
            assert_eq!(serde_json::from_str::<PlannedSteps>(&text).unwrap(), was);
        }
    }

    #[test]
    fn the_data_of_a_secret_is_not_kept() {
        let want =
            json!({"kind": "Secret", "data": {"key": "cGFzcw=="}, "stringData": {"k": "cGFzcw=="}});
        let secrets = BTreeSet::from(["net".to_owned()]);
        let hidden = planned(update("cGFzcw=="), want).without_data(&secrets);
        let text = serde_json::to_string(&hidden).unwrap();
        assert!(!text.contains("cGFzcw=="), "{text}");
        assert!(text.contains("a.b"), "{text}");
    }
}
