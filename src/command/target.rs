//! The project, region and zone: from flags, the environment, gcloud's configuration and the journal, in this order. It sends nothing.

use std::path::{Path, PathBuf};

use crate::error::CommandError;
use crate::google::Environment;
use crate::google::properties::{Properties, gcloud};

/// The defaults of an emulated run.
const EMULATED: (&str, &str, &str) = ("egress-demo", "us-central1", "us-central1-a");

/// The values of the flags.
#[derive(Debug, Clone, Default)]
pub struct TargetFlags<'a> {
    /// `--project`.
    pub project: Option<&'a str>,
    /// `--region`.
    pub region: Option<&'a str>,
    /// `--zone`.
    pub zone: Option<&'a str>,
    /// `--emulate`.
    pub emulate: bool,
}

/// The project. `journalled` are the projects that have a journal.
pub fn project(
    flags: &TargetFlags<'_>,
    env: Environment<'_>,
    journalled: &[String],
) -> Result<String, CommandError> {
    let said = flags
        .project
        .map(str::to_owned)
        .or_else(|| outside(flags, env).project);
    let said = match (said, flags.emulate, journalled) {
        (Some(said), _, _) => said,
        (None, true, _) => EMULATED.0.to_owned(),
        (None, false, [only]) => only.clone(),
        (None, false, []) => {
            return Err(CommandError::usage(
                "no project is set",
                "set one with --project or CLOUDSDK_CORE_PROJECT, or try --emulate",
            ));
        }
        (None, false, several) => {
            let error = format!(
                "no project is set, and there are journals of several projects: {}",
                several.join(", ")
            );
            return Err(CommandError::usage(error, "set one with --project"));
        }
    };
    // It becomes the name of a folder, so anything that could leave the folder is refused here and not only by the steps.
    let fits = said.len() <= 63 && said.starts_with(|c: char| c.is_ascii_lowercase());
    if fits
        && said
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-:.".contains(c))
        && !said.contains("..")
    {
        Ok(said)
    } else {
        let error = format!("--project: `{said}` is not a project id");
        Err(CommandError::usage(
            error,
            "a project id has 6 to 30 lowercase letters, digits and hyphens; it is not the project's name or number",
        ))
    }
}

/// The region and the zone; each may follow from the other. `journal` has the values of the last run.
pub fn region_and_zone(
    flags: &TargetFlags<'_>,
    env: Environment<'_>,
    journal: (Option<String>, Option<String>),
) -> (Option<String>, Option<String>) {
    let outside = outside(flags, env);
    // A level that sets one of the two decides both: a region and a zone from different levels rarely fit.
    let levels = [
        (
            flags.region.map(str::to_owned),
            flags.zone.map(str::to_owned),
        ),
        (outside.region, outside.zone),
        journal,
    ];
    let (region, zone) = levels
        .into_iter()
        .find(|(region, zone)| region.is_some() || zone.is_some())
        .unwrap_or_default();
    match (region, zone, flags.emulate) {
        (None, None, true) => (Some(EMULATED.1.to_owned()), Some(EMULATED.2.to_owned())),
        (None, Some(zone), _) => (
            zone.rsplit_once('-').map(|(region, _)| region.to_owned()),
            Some(zone),
        ),
        (Some(region), None, true) => (Some(region.clone()), Some(format!("{region}-a"))),
        both => (both.0, both.1),
    }
}

/// The environment and, unless the run is emulated, gcloud's active configuration.
fn outside(flags: &TargetFlags<'_>, env: Environment<'_>) -> Properties {
    if flags.emulate {
        Properties {
            project: env("CLOUDSDK_CORE_PROJECT"),
            region: env("CLOUDSDK_COMPUTE_REGION"),
            zone: env("CLOUDSDK_COMPUTE_ZONE"),
        }
    } else {
        gcloud(env)
    }
}

/// The folder of the journals.
pub fn state_dir(flag: Option<&Path>, env: Environment<'_>) -> Result<PathBuf, CommandError> {
    let absolute = |name: &str| {
        env(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    flag.map(Path::to_owned)
        .or_else(|| Some(absolute("XDG_STATE_HOME")?.join("provision")))
        .or_else(|| Some(absolute("HOME")?.join(".local/state/provision")))
        .ok_or_else(|| {
            CommandError::usage(
                "there is no home folder for the journal",
                "name a folder with --state-dir or PROVISION_STATE_DIR",
            )
        })
}

/// The projects that have a journal in the folder.
pub fn journalled(state_dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(state_dir).into_iter().flatten().flatten();
    let with_journal = entries.filter(|entry| entry.path().join("journal.jsonl").is_file());
    let mut names: Vec<String> = with_journal
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_before_environment_before_journal_before_defaults() {
        let none = |_: &str| None;
        let env = |name: &str| (name == "CLOUDSDK_CORE_PROJECT").then(|| "from-env".to_owned());
        let flags = |project, emulate| TargetFlags {
            project,
            emulate,
            ..TargetFlags::default()
        };
        let one = ["from-journal".to_owned()];
        let elsewhere = ["/etc".to_owned()];
        let two = ["a-project".to_owned(), "b-project".to_owned()];
        let cases: [(TargetFlags, Environment, &[String], Result<&str, &str>); 10] = [
            (flags(Some("from-flag"), false), &env, &one, Ok("from-flag")),
            (flags(None, false), &env, &one, Ok("from-env")),
            (flags(None, false), &none, &one, Ok("from-journal")),
            (flags(None, true), &none, &one, Ok("egress-demo")),
            (flags(None, false), &none, &[], Err("no project is set")),
            (flags(None, false), &none, &two, Err("several")),
            (
                flags(Some("../etc"), false),
                &none,
                &[],
                Err("not a project id"),
            ),
            (
                flags(Some("a..b"), false),
                &none,
                &[],
                Err("not a project id"),
            ),
            (
                flags(None, false),
                &none,
                &elsewhere,
                Err("not a project id"),
            ),
            (
                flags(Some("a/b"), true),
                &none,
                &[],
                Err("not a project id"),
            ),
        ];
        for (flags, env, journals, expected) in cases {
            let said = project(&flags, env, journals);
            match expected {
                Ok(name) => assert_eq!(said.unwrap(), name),
                Err(words) => assert!(said.unwrap_err().to_string().contains(words), "{words}"),
            }
        }
    }

    #[test]
    fn region_and_zone_follow_from_each_other() {
        let none = |_: &str| None;
        let flags = |region, zone, emulate| TargetFlags {
            region,
            zone,
            emulate,
            project: None,
        };
        let journal = || (Some("r".to_owned()), Some("r-z".to_owned()));
        for (flags, expected) in [
            (
                flags(None, Some("us-east1-b"), false),
                (Some("us-east1"), Some("us-east1-b")),
            ),
            (
                flags(Some("us-east1"), None, true),
                (Some("us-east1"), Some("us-east1-a")),
            ),
            (
                flags(Some("us-east1"), None, false),
                (Some("us-east1"), None),
            ),
            (flags(None, None, false), (Some("r"), Some("r-z"))),
        ] {
            let (region, zone) = region_and_zone(&flags, &none, journal());
            assert_eq!((region.as_deref(), zone.as_deref()), expected);
        }
        let (region, zone) = region_and_zone(&flags(None, None, true), &none, (None, None));
        assert_eq!(
            (region.as_deref(), zone.as_deref()),
            (Some("us-central1"), Some("us-central1-a"))
        );
    }
}
