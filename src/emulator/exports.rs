//! The environment in which Google's command-line tools talk to the emulator.

use std::net::SocketAddr;

/// gcloud's name of an API, and the base that it expects there: with the version for compute, dns and storage, bare otherwise.
const ENDPOINTS: &[(&str, &str)] = &[
    ("CLOUDBILLING", "cloudbilling.googleapis.com/"),
    (
        "CLOUDRESOURCEMANAGER",
        "cloudresourcemanager.googleapis.com/",
    ),
    ("COMPUTE", "compute.googleapis.com/compute/v1/"),
    ("CONTAINER", "container.googleapis.com/"),
    ("DNS", "dns.googleapis.com/dns/v1/"),
    ("GKEHUB", "gkehub.googleapis.com/"),
    ("IAM", "iam.googleapis.com/"),
    ("ORGPOLICY", "orgpolicy.googleapis.com/"),
    ("SERVICEUSAGE", "serviceusage.googleapis.com/"),
    ("STORAGE", "storage.googleapis.com/storage/v1/"),
];

/// Settings beside the endpoints: no credentials, and nothing that would ask the internet.
const SETTINGS: &[(&str, &str)] = &[
    ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true"),
    ("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true"),
    ("CLOUDSDK_CORE_SURVEY_DISABLE_PROMPTS", "true"),
    ("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true"),
];

/// The variables, name and value, for an emulator at `addr`.
pub fn variables(addr: SocketAddr) -> Vec<(String, String)> {
    let endpoints = ENDPOINTS.iter().map(|(api, base)| {
        (
            format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"),
            format!("http://{addr}/{base}"),
        )
    });
    let settings = SETTINGS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    endpoints.chain(settings).collect()
}

/// The same as lines for a POSIX shell: `eval "$(provision emulator env)"`.
pub fn exports(addr: SocketAddr) -> String {
    variables(addr)
        .into_iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_export() {
        let text = exports("127.0.0.1:4010".parse().unwrap());
        assert!(text.contains("export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE='http://127.0.0.1:4010/compute.googleapis.com/compute/v1/'\n"));
        assert!(
            text.lines()
                .all(|line| line.starts_with("export CLOUDSDK_") && line.ends_with('\''))
        );
    }
}
