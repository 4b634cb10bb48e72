//! gcloud's settings: project, region and zone from the environment, then from gcloud's active configuration file.
//!
//! Only the three properties that the program needs are read; gcloud itself is not run and need not be installed.

use std::fs;
use std::path::{Path, PathBuf};

use super::Environment;

/// gcloud's defaults, if it has any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// `core/project`.
    pub project: Option<Property>,
    /// `compute/region`.
    pub region: Option<Property>,
    /// `compute/zone`.
    pub zone: Option<Property>,
}

/// A value, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The value.
    pub value: String,
    /// Where it was found.
    pub source: PropertySource,
}

/// Where a property was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertySource {
    /// A variable of the environment.
    Variable(&'static str),
    /// gcloud's active configuration file.
    File(PathBuf),
}

/// Reads them from the environment, then from gcloud's active configuration file. A file that does not exist or cannot be read has
/// no properties.
pub fn gcloud(env: Environment) -> Properties {
    let path = configuration(env);
    let file = path
        .as_ref()
        .and_then(|path| fs::read_to_string(path).ok())
        .unwrap_or_default();
    properties(env, |section, key| {
        Some(Property {
            value: property(&file, section, key)?,
            source: PropertySource::File(path.clone()?),
        })
    })
}

/// Reads them from the environment alone.
pub fn from_env(env: Environment) -> Properties {
    properties(env, |_, _| None)
}

fn properties(env: Environment, file: impl Fn(&str, &str) -> Option<Property>) -> Properties {
    let read = |variable: &'static str, section: &str, key: &str| {
        let set = env(variable).filter(|value| !value.is_empty());
        let source = PropertySource::Variable(variable);
        set.map(|value| Property { value, source })
            .or_else(|| file(section, key))
    };
    Properties {
        project: read("CLOUDSDK_CORE_PROJECT", "core", "project"),
        region: read("CLOUDSDK_COMPUTE_REGION", "compute", "region"),
        zone: read("CLOUDSDK_COMPUTE_ZONE", "compute", "zone"),
    }
}

/// The file of the active configuration: `configurations/config_NAME` in gcloud's folder.
fn configuration(env: Environment) -> Option<PathBuf> {
    let set = |variable: &str| env(variable).filter(|value| !value.is_empty());
    let folder = match set("CLOUDSDK_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&set("HOME")?).join(".config/gcloud"),
    };
    let name = set("CLOUDSDK_ACTIVE_CONFIG_NAME")
        .or_else(|| fs::read_to_string(folder.join("active_config")).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".into());
    // `NONE` is gcloud's name for no configuration at all.
    (name != "NONE").then(|| folder.join("configurations").join(format!("config_{name}")))
}

/// A property in the INI dialect of Python's configparser, which gcloud writes: `[section]`, `key = value`, comments
/// on separate lines.
fn property(file: &str, section: &str, key: &str) -> Option<String> {
    let mut here = false;
    for line in file.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            here = name.trim() == section;
        } else if here && !line.starts_with(['#', ';']) {
            let Some((name, value)) = line.split_once(['=', ':']) else {
                continue;
            };
            if name.trim().eq_ignore_ascii_case(key) {
                return Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_active_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let configurations = folder.path().join("configurations");
        fs::create_dir(&configurations).unwrap();
        let write = |name: &str, text: &str| fs::write(configurations.join(name), text).unwrap();
        write("config_default", "[core]\nproject = default-p\n");
        write(
            "config_work",
            "# mine\n[compute]\nregion = r1\n; zone = no\nzone: z1\n\n[core]\naccount = a=b\nProject=work-p\n",
        );
        let home = folder.path().to_str().unwrap().to_owned();
        let ask = |extra: &[(&str, &str)]| {
            let env = |name: &str| {
                let found = extra
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned());
                found.or_else(|| (name == "CLOUDSDK_CONFIG").then(|| home.clone()))
            };
            let properties = gcloud(&env);
            [properties.project, properties.region, properties.zone]
                .map(|property| property.map(|found| found.value).unwrap_or_default())
                .join(" ")
        };
        assert_eq!(ask(&[]), "default-p  ");
        assert_eq!(
            ask(&[("CLOUDSDK_ACTIVE_CONFIG_NAME", "work")]),
            "work-p r1 z1"
        );
        fs::write(folder.path().join("active_config"), "work\n").unwrap();
        assert_eq!(ask(&[]), "work-p r1 z1");
        assert_eq!(
            ask(&[
                ("CLOUDSDK_CORE_PROJECT", "env-p"),
                ("CLOUDSDK_COMPUTE_ZONE", "")
            ]),
            "env-p r1 z1"
        );
        assert_eq!(ask(&[("CLOUDSDK_ACTIVE_CONFIG_NAME", "NONE")]), "  ");
        assert_eq!(ask(&[("CLOUDSDK_CONFIG", "/nowhere")]), "  ");
    }

    #[test]
    fn without_a_folder_of_its_own_gcloud_lives_in_the_home() {
        let home = tempfile::tempdir().unwrap();
        let configurations = home.path().join(".config/gcloud/configurations");
        fs::create_dir_all(&configurations).unwrap();
        fs::write(
            configurations.join("config_default"),
            "[core]\nproject = p\n",
        )
        .unwrap();
        let at = home.path().to_str().unwrap().to_owned();
        let properties = gcloud(&|name| (name == "HOME").then(|| at.clone()));
        assert_eq!(
            properties.project,
            Some(Property {
                value: "p".to_owned(),
                source: PropertySource::File(configurations.join("config_default")),
            })
        );
        assert_eq!(gcloud(&|_| None), Properties::default());
    }
}
