//! Advice that repeats a name from the message of a refusal: a constraint, an account, a membership. Pure.

use super::Class;

/// The advice for a refusal whose message names what it is about; `None` if the advice of its class says as much.
pub(super) fn of_message(class: Class, message: &str) -> Option<String> {
    match class {
        Class::OrgPolicy => {
            let name = constraint(message)?;
            Some(format!(
                "the organization policy {name} forbids it: change the step so that it complies, or ask an administrator of the organization's policies (roles/orgpolicy.policyAdmin) for an exception; `gcloud org-policies describe {} --effective --project=PROJECT` shows the policy",
                name.strip_prefix(CONSTRAINTS)
                    .or_else(|| name.strip_prefix(CUSTOM))
                    .unwrap_or(name)
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
                "the cluster is registered already, as membership {name} in {location} of project {project}: if nobody needs that one, `gcloud container fleet memberships unregister {name} --location={location} --project={project} --gke-cluster=CLUSTER_LOCATION/CLUSTER` removes it; then run the same command again"
            ))
        }
        _ => None,
    }
}

/// The beginning of the name of a constraint of Google's.
const CONSTRAINTS: &str = "constraints/";
/// The same of an organization's own.
const CUSTOM: &str = "customConstraints/";

/// The first constraint that a message names.
fn constraint(message: &str) -> Option<&str> {
    let start = message.find(CONSTRAINTS).or_else(|| message.find(CUSTOM))?;
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
    fn the_advice_has_a_command_that_works() {
        let custom = "denied by org policy: [\"customConstraints/custom.noNat\": \"x\"]";
        let advice = of_message(Class::OrgPolicy, custom).unwrap();
        assert!(
            advice.contains("`gcloud org-policies describe custom.noNat "),
            "{advice}"
        );
        let other = "already registered with resource: projects/1/locations/global/memberships/m";
        let advice = of_message(Class::RegisteredElsewhere, other).unwrap();
        let command = "memberships unregister m --location=global --project=1 --gke-cluster=CLUSTER_LOCATION/CLUSTER`";
        assert!(advice.contains(command), "{advice}");
    }

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
