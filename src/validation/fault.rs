//! One fault of an object, in the API server's terms.

use serde_json::Value;

use crate::at::{At, Path};

/// Why a value is refused (`metav1.CauseType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// FieldValueRequired
    Required,
    /// FieldValueInvalid
    Invalid,
    /// FieldValueTypeInvalid
    TypeInvalid,
    /// FieldValueNotSupported
    NotSupported,
    /// FieldValueDuplicate
    Duplicate,
    /// FieldValueForbidden
    Forbidden,
    /// FieldValueNotFound
    NotFound,
    /// FieldValueTooLong
    TooLong,
    /// FieldValueTooMany
    TooMany,
    /// Of the layers that name no reason: a field that the schema does not have.
    Unknown,
}

impl Reason {
    /// The word in `details.causes`.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Required => "FieldValueRequired",
            Reason::Invalid => "FieldValueInvalid",
            Reason::TypeInvalid => "FieldValueTypeInvalid",
            Reason::NotSupported => "FieldValueNotSupported",
            Reason::Duplicate => "FieldValueDuplicate",
            Reason::Forbidden => "FieldValueForbidden",
            Reason::NotFound => "FieldValueNotFound",
            Reason::TooLong => "FieldValueTooLong",
            Reason::TooMany => "FieldValueTooMany",
            Reason::Unknown => "FieldNotDeclared",
        }
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Where it is in the object.
    pub path: Path,
    /// The field as the answer names it; `<nil>` where the server names none.
    pub field: String,
    /// Why.
    pub reason: Reason,
    /// In the server's words, without the field: `Required value`, `Invalid value: 0: must be …`.
    pub message: String,
    /// The word that was probably meant.
    pub near: Option<String>,
}

impl Fault {
    /// A fault at a path.
    pub fn new(path: &Path, reason: Reason, message: String) -> Fault {
        Fault {
            field: path.to_string(),
            path: path.clone(),
            reason,
            message,
            near: None,
        }
    }

    /// The same with the nearest of these words, if one is near.
    pub fn meant<'w>(mut self, word: &str, known: impl IntoIterator<Item = &'w str>) -> Fault {
        self.near = nearest(word, known);
        self
    }

    /// The same as the server prints it where it names no field.
    pub fn unnamed(mut self) -> Fault {
        self.field = "<nil>".to_owned();
        self
    }
}

/// The known word that is at most one edit for three letters away, or that begins with the word, or the word with it.
fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_', '.'], "");
    let given = plain(word);
    let near = known.into_iter().filter_map(|candidate| {
        let other = plain(candidate);
        let edits = strsim::osa_distance(&given, &other);
        let allowed = other.chars().count().max(given.chars().count()).div_ceil(3);
        let begins = given.len() >= 3 && (other.starts_with(&given) || given.starts_with(&other));
        (!other.is_empty() && (edits <= allowed || begins)).then_some((edits, candidate))
    });
    near.min().map(|(_, candidate)| candidate.to_owned())
}

/// The faults of an object, in the order in which they are found.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds a fault with the server's words.
    pub fn add(&mut self, at: &At<'_>, reason: Reason, message: impl Into<String>) {
        self.0.push(Fault::new(&at.path, reason, message.into()));
    }

    /// A value that is missing; `why` may be empty.
    pub fn required(&mut self, at: &At<'_>, why: &str) {
        let colon = if why.is_empty() { "" } else { ": " };
        self.add(at, Reason::Required, format!("Required value{colon}{why}"));
    }

    /// A value that cannot be.
    pub fn invalid(&mut self, at: &At<'_>, why: &str) {
        self.invalid_value(at, at.value, why);
    }

    /// The same where the value is not the one at the path.
    pub fn invalid_value(&mut self, at: &At<'_>, value: &Value, why: &str) {
        self.add(
            at,
            Reason::Invalid,
            format!("Invalid value: {value}: {why}"),
        );
    }

    /// A value that is none of a few.
    pub fn unsupported(&mut self, at: &At<'_>, known: &[&str]) {
        let message = not_supported(at.value, known);
        let fault = Fault::new(&at.path, Reason::NotSupported, message);
        self.0.push(fault.meant(at.text(), known.iter().copied()));
    }

    /// A value that another one already has.
    pub fn duplicate(&mut self, at: &At<'_>) {
        self.add(
            at,
            Reason::Duplicate,
            format!("Duplicate value: {}", at.value),
        );
    }

    /// A value that may not be set here.
    pub fn forbidden(&mut self, at: &At<'_>, why: &str) {
        self.add(at, Reason::Forbidden, format!("Forbidden: {why}"));
    }

    /// A name of something that is not there.
    pub fn not_found(&mut self, at: &At<'_>, known: &[&str]) {
        let fault = Fault::new(
            &at.path,
            Reason::NotFound,
            format!("Not found: {}", at.value),
        );
        self.0.push(fault.meant(at.text(), known.iter().copied()));
    }
}

/// `Unsupported value: "tcp": supported values: "TCP", "UDP"`.
pub(crate) fn not_supported(value: &Value, known: &[&str]) -> String {
    let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
    format!(
        "Unsupported value: {value}: supported values: {}",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found() {
        let known = ["labels", "annotations", "ROUND_ROBIN", "Always"];
        for (word, near) in [
            ("lables", Some("labels")),
            ("ROUND-ROBIN", Some("ROUND_ROBIN")),
            ("Allways", Some("Always")),
            ("label", Some("labels")),
            ("zebra", None),
        ] {
            assert_eq!(nearest(word, known).as_deref(), near, "{word}");
        }
    }
}
