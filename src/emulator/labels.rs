//! Labels: which keys and values Google takes. Each API says in its own words what it does not take.
//!
//! At most 64 labels, keys of 1 to 63 characters and values of at most 63: the reference of `Project.labels` in the discovery document of
//! `cloudresourcemanager.v3` (that of v1 has 256 labels). Which characters, and that letters of other alphabets are allowed, is in the
//! refusals that users quote, see below. That the same holds for all services: own knowledge, no record.

use serde_json::Value;

use super::answer::ErrorResponse;

/// How many labels a resource has at most.
const MOST: usize = 64;
/// How long a key or a value is at most.
const LONGEST: usize = 63;

/// What is wrong with a set of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault<'a> {
    /// There are more than [`MOST`].
    TooMany(usize),
    /// A key that is too long, empty, or has a character that is not allowed.
    Key(&'a str),
    /// A value that is too long, or has a character that is not allowed.
    Value(&'a str),
}

fn fault(labels: &Value) -> Option<Fault<'_>> {
    let all = labels.as_object()?;
    if all.len() > MOST {
        return Some(Fault::TooMany(all.len()));
    }
    all.iter().find_map(|(key, value)| {
        // A patch removes a label with null.
        let value = value.as_str().unwrap_or_default();
        if !fits(key) || !key.starts_with(|c: char| c.is_alphabetic()) {
            Some(Fault::Key(key))
        } else if !fits(value) {
            Some(Fault::Value(value))
        } else {
            None
        }
    })
}

fn fits(text: &str) -> bool {
    let allowed = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '_' || c == '-';
    text.chars().count() <= LONGEST && text.chars().all(allowed)
}

/// The sentence that Compute Engine and Resource Manager have for it, as users quote it (k8s-config-connector, issue 363; for keys
/// it is written after that for values, without a record).
fn sentence(fault: &Fault<'_>) -> String {
    let rest = "lowercase letters, numeric characters, underscores and dashes.";
    match fault {
        Fault::TooMany(count) => {
            format!("There can be at most {MOST} labels, and there are {count}.")
        }
        Fault::Key(key) => format!(
            "Label key '{key}' violates format constraints. The key must start with a lowercase character, can only contain {rest} \
             The key can be at most {LONGEST} characters long. International characters are allowed."
        ),
        Fault::Value(value) => format!(
            "Label value '{value}' violates format constraints. The value can only contain {rest} The value can be at most \
             {LONGEST} characters long. International characters are allowed."
        ),
    }
}

/// Checks labels as Compute Engine does.
///
/// # Errors
/// 400 with its text.
pub fn check_compute(labels: &Value) -> Result<(), ErrorResponse> {
    refused(labels, |fault| {
        ErrorResponse::invalid(format!(
            "Invalid value for field 'resource.labels': ''. {}",
            sentence(fault)
        ))
    })
}

/// Checks a project's labels. The text is as users quote it (bridgecrewio/yor, issue 248).
///
/// # Errors
/// 400 with its text.
pub fn check_project(labels: &Value) -> Result<(), ErrorResponse> {
    refused(labels, |fault| {
        ErrorResponse::bad_request(format!(
            "field [project.labels] has issue [{}]",
            sentence(fault)
        ))
    })
}

/// Checks a cluster's labels as GKE does; `field` is `cluster.resource_labels`. The texts about values are as users quote them
/// (cilium, issue 40251; kyma, issue 4307); those about keys follow them.
///
/// # Errors
/// 400 with its text.
pub fn check_cluster(field: &str, labels: &Value) -> Result<(), ErrorResponse> {
    refused(labels, |fault| {
        let (what, text) = match fault {
            Fault::TooMany(_) => return ErrorResponse::bad_request(sentence(fault)),
            Fault::Key(text) => ("key", text),
            Fault::Value(text) => ("value", text),
        };
        if text.chars().count() > LONGEST {
            return ErrorResponse::bad_request(format!(
                "Resource_labels.{what} must be less than {LONGEST} bytes."
            ));
        }
        ErrorResponse::bad_request(format!(
            "Invalid field '{field}.{what}': \"{text}\". It must only contain lowercase letters ([a-z]), numeric characters ([0-9]), \
             underscores (_) and dashes (-). International characters are allowed."
        ))
    })
}

/// Checks labels for a service of whose texts there is no record: fleets, Cloud DNS, Cloud Storage. The words are ours.
///
/// # Errors
/// 400, made by `refusal`.
pub fn check(labels: &Value, refusal: fn(String) -> ErrorResponse) -> Result<(), ErrorResponse> {
    refused(labels, |fault| refusal(sentence(fault)))
}

fn refused(
    labels: &Value,
    refusal: impl Fn(&Fault<'_>) -> ErrorResponse,
) -> Result<(), ErrorResponse> {
    match fault(labels) {
        Some(fault) => Err(refusal(&fault)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_judged_as_google_judges_them() {
        let long = "a".repeat(64);
        let many = |count: usize| -> Value {
            (0..count)
                .map(|at| (format!("k{at}"), json!("v")))
                .collect()
        };
        let cases = [
            (json!({"team": "x-1_y", "empty": ""}), None),
            (json!({"größe": "größe"}), None),
            (many(64), None),
            (many(65), Some(Fault::TooMany(65))),
            (json!({"k": "a".repeat(63)}), None),
            (json!({"k": long}), Some(Fault::Value(&long))),
            (json!({(&long): "v"}), Some(Fault::Key(&long))),
            (json!({"Team": "x"}), Some(Fault::Key("Team"))),
            (json!({"1team": "x"}), Some(Fault::Key("1team"))),
            (json!({"": "x"}), Some(Fault::Key(""))),
            (json!({"team": "X"}), Some(Fault::Value("X"))),
            (json!({"team": "a.b"}), Some(Fault::Value("a.b"))),
            (json!({"gone": null}), None),
            (Value::Null, None),
        ];
        for (labels, want) in cases {
            assert_eq!(fault(&labels), want, "{labels}");
        }
    }

    #[test]
    fn each_service_says_it_in_its_own_words() {
        let long = json!({"k": "a".repeat(64)});
        let wrong = json!({"k": "A"});
        let said = |refusal: Result<(), ErrorResponse>| refusal.unwrap_err().message;
        assert!(said(check_compute(&wrong)).starts_with(
            "Invalid value for field 'resource.labels': ''. Label value 'A' violates"
        ));
        assert!(
            said(check_project(&wrong))
                .starts_with("field [project.labels] has issue [Label value 'A' violates")
        );
        assert_eq!(
            said(check_cluster("cluster.resource_labels", &long)),
            "Resource_labels.value must be less than 63 bytes."
        );
        assert!(
            said(check_cluster("cluster.resource_labels", &wrong))
                .starts_with("Invalid field 'cluster.resource_labels.value': \"A\".")
        );
    }
}
