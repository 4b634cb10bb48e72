//! gcloud's settings: project, region and zone, and what decides whose identity is used, from the environment, then from gcloud's
//! active configuration file.
//!
//! Only the properties that the program needs are read; gcloud itself is not run and need not be installed.

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

/// gcloud's settings about credentials
/// (<https://cloud.google.com/sdk/gcloud/reference/config>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityProperties {
    /// `auth/impersonate_service_account`.
    pub impersonate: Option<Property>,
    /// `auth/token_host`: where a login is exchanged for a token.
    pub token_host: Option<Property>,
    /// `billing/quota_project`, if it names a project.
    pub quota_project: Option<Property>,
    /// `core/account`.
    pub account: Option<Property>,
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
    properties(&Reader::of(env))
}

/// Reads them from the environment alone.
pub fn from_env(env: Environment) -> Properties {
    properties(&Reader {
        env,
        path: None,
        file: String::new(),
    })
}

/// The settings about credentials, from the environment, then from gcloud's active configuration file.
pub fn identity(env: Environment) -> IdentityProperties {
    let read = Reader::of(env);
    let impersonate = read.get(
        "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
        "auth",
        "impersonate_service_account",
    );
    let quota_project = read.get("CLOUDSDK_BILLING_QUOTA_PROJECT", "billing", "quota_project");
    // gcloud's words for the project of the command, and for gcloud's own.
    let is_project = |property: &Property| {
        !property.value.starts_with("CURRENT_PROJECT") && property.value != "LEGACY"
    };
    IdentityProperties {
        impersonate,
        token_host: read.get("CLOUDSDK_AUTH_TOKEN_HOST", "auth", "token_host"),
        quota_project: quota_project.filter(is_project),
        account: read.get("CLOUDSDK_CORE_ACCOUNT", "core", "account"),
    }
}

/// The environment, and the active configuration.
struct Reader<'a> {
    env: Environment<'a>,
    path: Option<PathBuf>,
    file: String,
}

impl<'a> Reader<'a> {
    fn of(env: Environment<'a>) -> Reader<'a> {
        let path = configuration(env);
        let file = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        Reader {
            env,
            path,
            file: file.unwrap_or_default(),
        }
    }

    fn get(&self, variable: &'static str, section: &str, key: &str) -> Option<Property> {
        let set = (self.env)(variable).filter(|value| !value.is_empty());
        let source = PropertySource::Variable(variable);
        let set = set.map(|value| Property { value, source });
        set.or_else(|| {
            Some(Property {
                value: property(&self.file, section, key)?,
                source: PropertySource::File(self.path.clone()?),
            })
        })
    }
}

fn properties(read: &Reader<'_>) -> Properties {
    Properties {
        project: read.get("CLOUDSDK_CORE_PROJECT", "core", "project"),
        region: read.get("CLOUDSDK_COMPUTE_REGION", "compute", "region"),
        zone: read.get("CLOUDSDK_COMPUTE_ZONE", "compute", "zone"),
    }
}

/// gcloud's folder.
pub fn folder(env: Environment) -> Option<PathBuf> {
    let set = |variable: &str| env(variable).filter(|value| !value.is_empty());
    match set("CLOUDSDK_CONFIG") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Some(Path::new(&set("HOME")?).join(".config/gcloud")),
    }
}

/// The file of the active configuration: `configurations/config_NAME` in gcloud's folder.
fn configuration(env: Environment) -> Option<PathBuf> {
    let set = |variable: &str| env(variable).filter(|value| !value.is_empty());
    let folder = folder(env)?;
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
