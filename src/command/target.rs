//! The project, region and zone: from flags, from the environment that exists, from variables and gcloud's configuration, in this
//! order. It sends nothing.

use std::path::{Path, PathBuf};

use super::given::{GivenValue, ValueSource};
use super::known_environments::KnownEnvironment;
use crate::error::CommandError;
use crate::google::Environment;
use crate::google::properties::{self, Properties};
use crate::steps::of_domain;

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

/// The project. `known` are the environments in the state folder that have the requested name and use the same cloud, emulated or
/// not: what exists comes before gcloud's settings, so that nothing moves because a setting changed.
///
/// # Errors
/// No project is set, or several exist and none of them is named; the name is not a project id.
pub fn project(
    flags: &TargetFlags<'_>,
    env: Environment<'_>,
    known: &[KnownEnvironment],
) -> Result<GivenValue, CommandError> {
    let chosen = choose_project(flags, env, known)?;
    let said = chosen.value.as_str().unwrap_or_default();
    let source = chosen.source.name();
    if let Some(refusal) = of_domain(said) {
        return Err(CommandError::usage(
            format!("{source}: {refusal}"),
            "use a project whose id has no domain",
        ));
    }
    // It becomes the name of a folder, so anything that could leave the folder is refused here and not only by the steps.
    let fits = said.len() <= 63 && said.starts_with(|c: char| c.is_ascii_lowercase());
    if fits
        && said
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
        && !said.contains("..")
    {
        Ok(chosen)
    } else {
        let error = format!("{source}: `{said}` is not a project id");
        Err(CommandError::usage(
            error,
            "a project id has 6 to 30 lowercase letters, digits and hyphens; it is not the project's name or number",
        ))
    }
}

fn choose_project(
    flags: &TargetFlags<'_>,
    env: Environment<'_>,
    known: &[KnownEnvironment],
) -> Result<GivenValue, CommandError> {
    if let Some(project) = flags.project {
        return Ok(GivenValue::new(project, ValueSource::Flag("--project")));
    }
    let said = outside(flags, env).project.map(GivenValue::from);
    let is_said = |known: &&KnownEnvironment| {
        said.as_ref()
            .is_some_and(|said| said.value == known.project.as_str())
    };
    let standing: Vec<&KnownEnvironment> = known.iter().filter(|known| known.stands).collect();
    let several = |names: Vec<&str>| {
        let error = match &said {
            Some(said) => format!(
                "{} names project {}, but environments exist in other projects: {}",
                said.source.words(),
                said.value.as_str().unwrap_or_default(),
                names.join(", ")
            ),
            None => format!(
                "no project is set, and there are journals of several projects: {}",
                names.join(", ")
            ),
        };
        CommandError::usage(error, "set one with --project")
    };
    let names =
        |known: Vec<&KnownEnvironment>| several(known.iter().map(|k| &*k.project).collect());
    match (&*standing, said.clone(), flags.emulate) {
        (standing, Some(said), _) if standing.iter().any(is_said) => Ok(said),
        ([only], ..) => Ok(GivenValue::new(
            &*only.project,
            ValueSource::OnlyEnvironment,
        )),
        ([], Some(said), _) => Ok(said),
        ([], None, true) => Ok(GivenValue::new(EMULATED.0, ValueSource::Emulate)),
        ([], None, false) => match known {
            [] => Err(CommandError::usage(
                "no project is set",
                "set one with --project or CLOUDSDK_CORE_PROJECT, or try --emulate",
            )),
            [only] => Ok(GivenValue::new(
                &*only.project,
                ValueSource::OnlyEnvironment,
            )),
            several => Err(names(several.iter().collect())),
        },
        (several, ..) => Err(names(several.to_vec())),
    }
}

/// The region and the zone; each may follow from the other. `living` has the values of the environment that exists; only a flag
/// comes before them.
pub fn region_and_zone(
    flags: &TargetFlags<'_>,
    env: Environment<'_>,
    living: (Option<GivenValue>, Option<GivenValue>),
) -> (Option<GivenValue>, Option<GivenValue>) {
    let outside = outside(flags, env);
    let flag = |value: Option<&str>, name| {
        value.map(|value| GivenValue::new(value, ValueSource::Flag(name)))
    };
    // A level that sets one of the two decides both: a region and a zone from different levels rarely fit.
    let levels = [
        (flag(flags.region, "--region"), flag(flags.zone, "--zone")),
        living,
        (
            outside.region.map(GivenValue::from),
            outside.zone.map(GivenValue::from),
        ),
    ];
    let (region, zone) = levels
        .into_iter()
        .find(|(region, zone)| region.is_some() || zone.is_some())
        .unwrap_or_default();
    let text = |given: &GivenValue| given.value.as_str().unwrap_or_default().to_owned();
    let derived = |value: String| GivenValue::new(value, ValueSource::Derived);
    let default = |value: &str| GivenValue::new(value, ValueSource::Emulate);
    match (region, zone, flags.emulate) {
        (None, None, true) => (Some(default(EMULATED.1)), Some(default(EMULATED.2))),
        (None, Some(zone), _) => {
            let region = text(&zone)
                .rsplit_once('-')
                .map(|(region, _)| derived(region.to_owned()));
            (region, Some(zone))
        }
        (Some(region), None, true) => {
            let zone = derived(first_zone(&text(&region)));
            (Some(region), Some(zone))
        }
        both => (both.0, both.1),
    }
}

/// The first zone of a region in the emulator: most regions have an `a`, some begin with `b`. The `a` of a region that the emulator
/// does not know is refused by it, as the region is.
fn first_zone(region: &str) -> String {
    let mut zones = emulator::regions::zones_of(region).into_iter();
    zones.next().unwrap_or_else(|| format!("{region}-a"))
}

/// The environment and, unless the run is emulated, gcloud's active configuration.
pub fn outside(flags: &TargetFlags<'_>, env: Environment<'_>) -> Properties {
    match flags.emulate {
        true => properties::from_env(env),
        false => properties::gcloud(env),
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn known(project: &str, stands: bool) -> KnownEnvironment {
        KnownEnvironment {
            project: project.to_owned(),
            stands,
            ..KnownEnvironment::default()
        }
    }

    #[test]
    fn flags_before_what_exists_before_settings_before_defaults() {
        let none = |_: &str| None;
        let env = |name: &str| (name == "CLOUDSDK_CORE_PROJECT").then(|| "from-env".to_owned());
        let flags = |project, emulate| TargetFlags {
            project,
            emulate,
            ..TargetFlags::default()
        };
        let (gone, lives) = (known("had-one", false), known("has-one", true));
        let also = known("has-two", true);
        let here = known("from-env", true);
        let outside = known("/etc", false);
        let cases: [(_, Environment, &[&KnownEnvironment], Result<&str, &str>); 16] = [
            (
                flags(Some("from-flag"), false),
                &env,
                &[&lives],
                Ok("from-flag"),
            ),
            (flags(None, false), &env, &[&gone], Ok("from-env")),
            (flags(None, false), &env, &[&lives], Ok("has-one")),
            (flags(None, false), &env, &[&lives, &here], Ok("from-env")),
            (
                flags(None, false),
                &env,
                &[&lives, &also],
                Err("other projects: has-one, has-two"),
            ),
            (flags(None, false), &none, &[&gone], Ok("had-one")),
            (flags(None, true), &none, &[&gone], Ok("egress-demo")),
            (flags(None, true), &none, &[&lives], Ok("has-one")),
            (flags(None, false), &none, &[], Err("no project is set")),
            (flags(None, false), &none, &[&gone, &gone], Err("several")),
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
                flags(Some("example.com:demo-proj"), false),
                &none,
                &[],
                Err("a project of the domain example.com, and such projects are not supported"),
            ),
            (
                flags(Some("example.com:demo-proj"), true),
                &none,
                &[],
                Err("not supported"),
            ),
            (
                flags(None, false),
                &none,
                &[&outside],
                Err("not a project id"),
            ),
            (
                flags(Some("a/b"), true),
                &none,
                &[],
                Err("not a project id"),
            ),
        ];
        for (flags, env, known, expected) in cases {
            let known: Vec<KnownEnvironment> = known.iter().map(|&one| one.clone()).collect();
            let said = project(&flags, env, &known);
            match expected {
                Ok(name) => assert_eq!(said.unwrap().value, name),
                Err(words) => {
                    let said = said.unwrap_err().to_string();
                    assert!(said.contains(words), "{words}: {said}");
                }
            }
        }
    }

    #[test]
    fn region_and_zone_follow_from_each_other_and_stay_where_they_are() {
        let none = |_: &str| None;
        let env = |name: &str| (name == "CLOUDSDK_COMPUTE_ZONE").then(|| "e-e-b".to_owned());
        let flags = |region, zone, emulate| TargetFlags {
            region,
            zone,
            emulate,
            project: None,
        };
        let remembered = |value: &str| {
            let source = ValueSource::Remembered(String::new());
            Some(GivenValue::new(value, source))
        };
        let living = || (remembered("r-r"), remembered("r-r-z"));
        let nothing = || (None, None);
        let cases: [(_, Environment, _, [Option<&str>; 2]); 7] = [
            (
                flags(None, Some("us-east1-b"), false),
                &env,
                living(),
                [Some("us-east1"), Some("us-east1-b")],
            ),
            (
                flags(Some("us-east1"), None, true),
                &env,
                living(),
                [Some("us-east1"), Some("us-east1-b")],
            ),
            (
                flags(Some("us-east1"), None, false),
                &env,
                living(),
                [Some("us-east1"), None],
            ),
            (
                flags(None, None, false),
                &env,
                living(),
                [Some("r-r"), Some("r-r-z")],
            ),
            (
                flags(None, None, false),
                &env,
                nothing(),
                [Some("e-e"), Some("e-e-b")],
            ),
            (flags(None, None, false), &none, nothing(), [None, None]),
            (
                flags(None, None, true),
                &none,
                nothing(),
                [Some("us-central1"), Some("us-central1-a")],
            ),
        ];
        for (flags, env, living, expected) in cases {
            let (region, zone) = region_and_zone(&flags, env, living);
            let text = |given: &Option<GivenValue>| given.as_ref().map(|given| given.value.clone());
            assert_eq!(
                [text(&region), text(&zone)],
                expected.map(|value| value.map(Value::from)),
                "{flags:?}"
            );
        }
    }

    #[test]
    fn the_derived_zone_exists_in_every_region() {
        let derived = |region: &str| {
            let flags = TargetFlags {
                region: Some(region),
                emulate: true,
                ..TargetFlags::default()
            };
            let (_, zone) = region_and_zone(&flags, &|_| None, (None, None));
            zone.unwrap().value.as_str().unwrap().to_owned()
        };
        for region in emulator::regions::regions() {
            let zone = derived(region);
            assert!(emulator::regions::is_zone(&zone), "{region}: {zone}");
            assert!(zone.starts_with(&format!("{region}-")), "{region}: {zone}");
            assert!(!zone.contains("-ai"), "an AI zone is never chosen: {zone}");
        }
        for (region, zone) in [
            ("us-east1", "us-east1-b"),
            ("europe-west1", "europe-west1-b"),
            ("us-central1", "us-central1-a"),
            ("us-central9", "us-central9-a"),
        ] {
            assert_eq!(derived(region), zone);
        }
    }
}
