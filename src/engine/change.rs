//! The difference between the live resource and the desired one: pure data. `plan` prints it, `up` acts on it.

use serde::{Deserialize, Serialize};

use crate::kinds::FieldDiff;

/// What a step would do, or what it found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", content = "fields", rename_all = "kebab-case")]
pub enum Change {
    /// The resource is as wanted.
    None,
    /// The resource does not exist.
    Create,
    /// These fields differ and can be changed.
    Update(Vec<FieldDiff>),
    /// The resource is ours and should not exist.
    Delete,
    /// These fields differ and cannot be changed.
    Fixed(Vec<FieldDiff>),
    /// The resource is deleted and created again, because the user asked for it; these fields differ.
    Replace(Vec<FieldDiff>),
    /// These fields differ, and some have an owner who would lose them: nothing is sent unless the user asked for it.
    Conflict(Vec<FieldDiff>),
    /// The resource exists and differs, and we did not create it.
    Foreign(Vec<FieldDiff>),
    /// The resource exists, we did not create it, and it is to be adopted; these fields differ and can be changed.
    Adopt(Vec<FieldDiff>),
    /// The step only looks up its resource, and the resource cannot be read.
    Missing(MissingResource),
    /// The step only looks up its resource, and these fields differ from what the step needs.
    Unfit(Vec<FieldDiff>),
    /// The change is not known before these steps are done.
    Waits(Vec<String>),
    /// The condition that the step waits for does not hold yet; the reason.
    Pending(String),
}

/// A resource that a step looks up and that cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingResource {
    /// Why, in the API's own words.
    pub why: String,
    /// The parameters that name it.
    pub params: Vec<String>,
}

/// The owner of a resource, for the comparison.
#[derive(Debug, Clone, Copy)]
pub struct Ownership<'a> {
    /// Whether the journal records that we created it.
    pub ours: bool,
    /// The parts of a set that are ours.
    pub parts: &'a [String],
    /// Whether fields of other field managers are taken over, because the user asked for it.
    pub taken_over: bool,
    /// Whether an addition to it takes nothing from others.
    pub shared: bool,
    /// The list to which our items can be added without harm to the items of others.
    pub shared_list: Option<&'a str>,
    /// Whether the user asked to adopt it: something wanted exists that provision did not create.
    pub adopt: bool,
}

impl Change {
    /// The change for fields that differ.
    pub fn of(fields: Vec<FieldDiff>, whose: Ownership<'_>) -> Change {
        let harmless = |field: &FieldDiff| {
            // An addition to an empty place takes nothing from others: a member, a record, a network on an allow list.
            let added = field.have.is_null() && !field.fixed;
            let shared = whose.shared || whose.shared_list.is_some_and(|list| field.path == list);
            (added && shared) || whose.parts.contains(&field.path)
        };
        let fixed = fields.iter().any(|field| field.fixed);
        if !whose.taken_over && fields.iter().any(|field| field.owner.is_some()) {
            Change::Conflict(fields)
        } else if whose.adopt && !fixed {
            Change::Adopt(fields)
        } else if fields.is_empty() {
            Change::None
        } else if !whose.ours && !whose.taken_over && !fields.iter().all(harmless) {
            Change::Foreign(fields)
        } else if fixed {
            Change::Fixed(fields)
        } else {
            Change::Update(fields)
        }
    }

    /// The fields that differ, none where the change names none.
    pub fn fields(&self) -> &[FieldDiff] {
        match self {
            Change::Update(fields)
            | Change::Fixed(fields)
            | Change::Replace(fields)
            | Change::Conflict(fields)
            | Change::Foreign(fields)
            | Change::Unfit(fields)
            | Change::Adopt(fields) => fields,
            Change::None
            | Change::Create
            | Change::Delete
            | Change::Missing(_)
            | Change::Waits(_)
            | Change::Pending(_) => &[],
        }
    }

    /// The same, to be changed.
    pub fn fields_mut(&mut self) -> &mut [FieldDiff] {
        match self {
            Change::Update(fields)
            | Change::Fixed(fields)
            | Change::Replace(fields)
            | Change::Conflict(fields)
            | Change::Foreign(fields)
            | Change::Unfit(fields)
            | Change::Adopt(fields) => fields,
            Change::None
            | Change::Create
            | Change::Delete
            | Change::Missing(_)
            | Change::Waits(_)
            | Change::Pending(_) => &mut [],
        }
    }

    /// Whether `plan` counts it as a difference.
    pub fn is_difference(&self) -> bool {
        !matches!(self, Change::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_to_do_depends_on_whose_it_is() {
        let field = |path: &str, have: Value, fixed| FieldDiff {
            path: path.to_owned(),
            have,
            want: json!("x"),
            fixed,
            owner: None,
        };
        let owned = FieldDiff {
            owner: Some("kubectl-edit".to_owned()),
            ..field("a", json!(1), false)
        };
        let whose = |ours| Ownership {
            ours,
            parts: &[],
            taken_over: false,
            shared: false,
            shared_list: None,
            adopt: false,
        };
        let adopt = Ownership {
            adopt: true,
            ..whose(false)
        };
        let by_force = Ownership {
            taken_over: true,
            ..whose(false)
        };
        let list = Ownership {
            shared_list: Some("cidrBlocks"),
            ..whose(false)
        };
        let set = Ownership {
            shared: true,
            ..whose(false)
        };
        let mine = ["a A".to_owned()];
        let cases = [
            (vec![], whose(false), "none"),
            (vec![], adopt, "adopt"),
            (vec![field("a", json!(1), false)], adopt, "adopt"),
            // A resource that cannot become as wanted keeps its owner.
            (vec![field("a", json!(1), true)], adopt, "foreign"),
            (vec![field("a", json!(1), false)], whose(true), "update"),
            (vec![field("a", json!(1), true)], whose(true), "fixed"),
            (vec![field("a", json!(1), false)], whose(false), "foreign"),
            (vec![field("a", json!(1), true)], whose(false), "foreign"),
            (vec![field("a", json!(1), false)], by_force, "update"),
            (vec![owned.clone()], whose(true), "conflict"),
            (
                vec![field("b", json!(1), false), owned.clone()],
                whose(false),
                "conflict",
            ),
            (vec![owned.clone()], adopt, "conflict"),
            (vec![owned], by_force, "update"),
            (
                vec![field("targetTags", Value::Null, false)],
                whose(false),
                "foreign",
            ),
            (
                vec![field("role member", Value::Null, false)],
                set,
                "update",
            ),
            (vec![field("gcr.io. A", json!(1), false)], set, "foreign"),
            (
                vec![field("cidrBlocks", Value::Null, false)],
                list,
                "update",
            ),
            (
                vec![field("nodePools", Value::Null, false)],
                list,
                "foreign",
            ),
            (
                vec![field("a A", json!(1), false)],
                Ownership {
                    parts: &mine,
                    ..whose(false)
                },
                "update",
            ),
        ];
        for (fields, whose, expected) in cases {
            let said = serde_json::to_value(Change::of(fields.clone(), whose)).unwrap();
            assert_eq!(said["change"], expected, "{fields:?} {whose:?}");
        }
    }
}
