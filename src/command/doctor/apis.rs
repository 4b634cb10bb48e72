//! Which APIs of the steps are on. One that is off is enabled by `up`; whether the caller may enable it is a permission.

use super::inputs::Inputs;
use super::unread::unread;
use crate::google::ApiError;
use crate::kinds::Observed;
use crate::ui::doctor::Finding;

/// The most names in a line.
const NAMED: usize = 3;

/// Reads the state of each API.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for step in &inputs.ready.steps {
        let wanted = step.kind.enables(&step.want);
        if wanted.is_empty() {
            continue;
        }
        let look = step
            .kind
            .look(&inputs.clients, &step.at, &step.want, &wanted);
        let on = look.await.map(|seen| match seen {
            Observed::Here(live) => step.kind.live_parts(&live),
            _ => Vec::new(),
        });
        let project = step.at.get("project").and_then(|value| value.as_str());
        let project = project.unwrap_or(&inputs.session.project);
        let command = format!("gcloud services list --enabled --project {project}");
        findings.push(verdict(&wanted, on).gcloud(command));
    }
    findings
}

/// Pure.
fn verdict(wanted: &[String], on: Result<Vec<String>, ApiError>) -> Finding {
    let on = match on {
        Ok(on) => on,
        Err(error) => return unread("the APIs", &error, "serviceusage.services.get"),
    };
    let off: Vec<&str> = wanted
        .iter()
        .filter(|name| !on.contains(name))
        .map(String::as_str)
        .collect();
    // All names are in `provision steps`; a few say what is special about a project.
    let named = match off.len() {
        0 => return Finding::pass(format!("all {} APIs of the steps are on", wanted.len())),
        1..=NAMED => format!(": {}", off.join(", ")),
        _ => String::new(),
    };
    Finding::pass(format!(
        "{} of {} APIs are off, and `up` enables them{named}",
        off.len(),
        wanted.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;
    use crate::google::Class;
    use crate::ui::doctor::Verdict::{Pass, Skip};

    #[test]
    fn what_is_off_is_named() {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let wanted = names(&["a", "b"]);
        for (on, expected, words) in [
            (Ok(names(&["a", "b", "c"])), Pass, "all 2 APIs"),
            (Ok(names(&["c"])), Pass, "2 of 2 APIs are off"),
            (Ok(names(&["a"])), Pass, "enables them: b"),
            (
                Err(refused(Class::PermissionDenied)),
                Skip,
                "could not be read: it is refused",
            ),
        ] {
            let finding = verdict(&wanted, on);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
    }
}
