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
    pub project: Option<String>,
    /// `compute/region`.
    pub region: Option<String>,
    /// `compute/zone`.
    pub zone: Option<String>,
}

/// Reads them. A file that does not exist or cannot be read has no properties.
pub fn gcloud(env: Environment) -> Properties {
    let file = configuration(env)
        .and_then(|path| fs::read_to_string(path).ok())
        .unwrap_or_default();
    let said = |variable: &str, section: &str, key: &str| {
        env(variable)
            .filter(|value| !value.is_empty())
            .or_else(|| property(&file, section, key))
    };
    Properties {
        project: said("CLOUDSDK_CORE_PROJECT", "core", "project"),
        region: said("CLOUDSDK_COMPUTE_REGION", "compute", "region"),
        zone: said("CLOUDSDK_COMPUTE_ZONE", "compute", "zone"),
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
                .map(Option::unwrap_or_default)
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
        assert_eq!(properties.project.as_deref(), Some("p"));
        assert_eq!(gcloud(&|_| None), Properties::default());
    }
}
