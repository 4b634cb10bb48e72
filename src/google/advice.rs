//! Advice that repeats a name from the message of a refusal: a constraint, an account, a membership. Pure.

use super::Class;

/// The advice for a refusal whose message names what it is about; `None` if the advice of its class says as much.
pub(super) fn of_message(class: Class, message: &str) -> Option<String> {
    match class {
        Class::OrgPolicy => {
            let name = constraint(message)?;
            Some(format!(
                "the organization policy {name} forbids it: change the step so that it complies, or ask an administrator of the organization's policies (roles/orgpolicy.policyAdmin) for an exception; `gcloud org-policies describe {} --effective --project=PROJECT` shows the policy",
                name.strip_prefix(CONSTRAINTS).unwrap_or(name)
            ))
        }
        Class::RegisteredElsewhere => {
            let other = message.rsplit_once("already registered with resource: ")?.1;
            let words: Vec<&str> = other.split('/').collect();
            let after = |key: &str| {
                let at = words.iter().position(|word| *word == key)?;
                let word = words.get(at + 1)?;
                Some(word.split([' ', ',', ';']).next().unwrap_or(word))
            };
            let (project, location) = (after("projects")?, after("locations")?);
            let name = after("memberships")?;
            Some(format!(
                "the cluster is registered already, as membership {name} in {location} of project {project}: if nobody needs that one, `gcloud container fleet memberships delete {name} --location={location} --project={project}` removes it; then run the same command again"
            ))
        }
        _ => None,
    }
}

/// The beginning of the name of a constraint of Google's.
const CONSTRAINTS: &str = "constraints/";

/// The first constraint that a message names.
fn constraint(message: &str) -> Option<&str> {
    let custom = "customConstraints/";
    let start = message.find(CONSTRAINTS).or_else(|| message.find(custom))?;
    let name = &message[start..];
    let is_name = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
    Some(name[..end].trim_end_matches('.'))
}

/// The account that a refused policy names and IAM does not know: `Service account NAME does not exist`.
pub fn missing_account(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("ervice account ")?;
    let (name, _) = rest.split_once(" does not exist")?;
    let name = name.trim_matches(['"', '\'', '`']);
    let name = name.rsplit('/').next().unwrap_or(name);
    name.contains('@').then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_message_is_found() {
        for (message, expected) in [
            (
                "Constraint constraints/compute.requireVpcFlowLogs violated for project 1. x",
                Some("constraints/compute.requireVpcFlowLogs"),
            ),
            (
                "'us' violates constraint 'constraints/gcp.resourceLocations'",
                Some("constraints/gcp.resourceLocations"),
            ),
            (
                "denied by org policy: [\"customConstraints/custom.noNat\": \"x\"]",
                Some("customConstraints/custom.noNat"),
            ),
            ("forbidden by constraints/a.b.", Some("constraints/a.b")),
            ("no", None),
        ] {
            assert_eq!(constraint(message), expected, "{message}");
        }
        for (message, expected) in [
            (
                "Service account a@p.iam.gserviceaccount.com does not exist.",
                Some("a@p.iam.gserviceaccount.com"),
            ),
            (
                "Service account \"1-compute@developer.gserviceaccount.com\" does not exist.",
                Some("1-compute@developer.gserviceaccount.com"),
            ),
            (
                "Service account projects/p/serviceAccounts/a@p.iam.gserviceaccount.com does not exist.",
                Some("a@p.iam.gserviceaccount.com"),
            ),
            ("Service account does not exist.", None),
        ] {
            assert_eq!(missing_account(message), expected, "{message}");
        }
    }
}
