//! Google's discovery documents, embedded: which methods exist, at which paths, with which parameters and bodies.
//!
//! They decide what is a route at all. What a method *does* is written in the services; what fits its schemas, in
//! [`super::schema`]. The documents are trimmed to the methods that have an emulated service (see `fixtures/README.md`).

use std::{collections::BTreeMap, sync::OnceLock};

use include_dir::{Dir, include_dir};

pub use super::document::{Document, Media, Method, Parameter};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/discovery");

/// Paths of an older version of an API that clients still ask for, and the version here that answers them:
/// `(api, asked version, served version, method)`. gcloud lists memberships at `v1beta`.
const ALIASES: &[(&str, &str, &str, &str)] = &[
    (
        "gkehub",
        "v1beta",
        "v1",
        "gkehub.projects.locations.memberships.list",
    ),
    (
        "gkehub",
        "v1beta",
        "v1",
        "gkehub.projects.locations.memberships.get",
    ),
];

/// A request's method, found.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The API and version.
    pub document: &'static Document,
    /// The method.
    pub method: &'static Method,
    /// Path parameters by name, percent-decoded.
    pub params: BTreeMap<String, String>,
    /// How content comes with it.
    pub media: Media,
}

impl Matched {
    /// The API's name: `compute`.
    pub fn api(&self) -> &'static str {
        &self.document.api
    }
}

/// All documents, parsed at the first call.
pub fn documents() -> &'static [Document] {
    static DOCUMENTS: OnceLock<Vec<Document>> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let mut found: Vec<Document> = FILES
            .files()
            .filter_map(|file| Document::parse(file.contents()).ok())
            .collect();
        found.sort_by(|a, b| (&a.api, &a.version).cmp(&(&b.api, &b.version)));
        found
    })
}

/// Finds the method for a request to this server.
///
/// `path` is the path as it came, without the query: `/compute.googleapis.com/compute/v1/projects/p/global/networks`.
/// Without a host in front the path is tried in every API, as for the upload paths that Google's clients derive
/// from the root of a host (`/upload/storage/v1/b/x/o`).
pub fn route(http_method: &str, path: &str) -> Option<Matched> {
    let (api, rest) = split_host(path);
    let parts: Vec<&str> = rest.split('/').collect();
    let direct = documents()
        .iter()
        .filter(|document| {
            api.map_or_else(
                || rest.starts_with("upload/") || rest.starts_with("resumable/"),
                |api| document.api == api,
            )
        })
        .flat_map(|document| {
            document
                .methods
                .values()
                .map(move |method| (document, method))
        })
        .filter(|(_, method)| method.http_method == http_method)
        .filter_map(|(document, method)| best(document, method, &parts))
        .max_by_key(|(weight, _)| *weight)
        .map(|(_, matched)| matched);
    direct.or_else(|| alias(http_method, api?, rest))
}

/// The API whose batch path this is (`/batch/compute/v1`, with or without the API's host in front).
pub fn batch(path: &str) -> Option<&'static str> {
    let (host, rest) = split_host(path);
    let (api, version) = rest
        .trim_end_matches('/')
        .strip_prefix("batch/")?
        .split_once('/')?;
    let document = documents()
        .iter()
        .find(|document| document.api == api && document.version == version)?;
    host.is_none_or(|host| host == api)
        .then_some(document.api.as_str())
}

/// A method by its id; where two versions share the id, the one that has it first.
pub fn method(id: &str) -> Option<(&'static Document, &'static Method)> {
    documents()
        .iter()
        .find_map(|document| document.methods.get(id).map(|method| (document, method)))
}

fn split_host(path: &str) -> (Option<&str>, &str) {
    let path = path.trim_start_matches('/');
    match path.split_once('/') {
        Some((host, rest)) if host.ends_with(".googleapis.com") => {
            (host.strip_suffix(".googleapis.com"), rest)
        }
        _ => (None, path),
    }
}

fn best(
    document: &'static Document,
    method: &'static Method,
    parts: &[&str],
) -> Option<(usize, Matched)> {
    method
        .routes
        .iter()
        .filter_map(|(template, media)| {
            let params = template.matches(parts)?;
            Some((
                template.weight(),
                Matched {
                    document,
                    method,
                    params,
                    media: *media,
                },
            ))
        })
        .max_by_key(|(weight, _)| *weight)
}

fn alias(http_method: &str, api: &str, rest: &str) -> Option<Matched> {
    ALIASES
        .iter()
        .filter(|(of, ..)| *of == api)
        .find_map(|(_, asked, served, id)| {
            let tail = rest.strip_prefix(asked)?.strip_prefix('/')?;
            let path = format!("/{api}.googleapis.com/{served}/{tail}");
            route(http_method, &path).filter(|matched| matched.method.id == *id)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(http_method: &str, path: &str) -> Option<String> {
        let matched = route(http_method, path)?;
        let params: Vec<String> = matched
            .params
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Some(format!(
            "{} {} {}",
            matched.document.version,
            matched.method.id,
            params.join(" ")
        ))
    }

    #[test]
    fn every_file_is_a_document() {
        // The script that trims the documents lies beside them.
        let files = FILES
            .files()
            .filter(|file| file.path().extension().is_some_and(|ext| ext == "json"));
        assert_eq!(documents().len(), files.count());
        assert!(
            documents()
                .iter()
                .all(|document| !document.methods.is_empty())
        );
    }

    #[test]
    fn requests_find_their_methods() {
        let cases = [
            (
                "GET",
                "/compute.googleapis.com/compute/v1/projects/p/global/networks",
                Some("v1 compute.networks.list project=p"),
            ),
            (
                "GET",
                "/compute.googleapis.com/compute/v1/projects/p/global/networks/n",
                Some("v1 compute.networks.get network=n project=p"),
            ),
            (
                "PUT",
                "/compute.googleapis.com/compute/v1/projects/p/global/networks/n",
                None,
            ),
            (
                "GET",
                "/compute.googleapis.com/compute/v1/projects/p/global/nothing/n",
                None,
            ),
            (
                "GET",
                "/compute.googleapis.com/projects/p/global/networks/n",
                None,
            ),
            (
                "POST",
                "/compute.googleapis.com/compute/v1/projects/p/global/operations/o/wait",
                Some("v1 compute.globalOperations.wait operation=o project=p"),
            ),
            (
                "POST",
                "/cloudresourcemanager.googleapis.com/v1/projects/p:getIamPolicy",
                Some("v1 cloudresourcemanager.projects.getIamPolicy resource=p"),
            ),
            (
                "POST",
                "/cloudresourcemanager.googleapis.com/v3/projects/p:getIamPolicy",
                Some("v3 cloudresourcemanager.projects.getIamPolicy resource=projects/p"),
            ),
            (
                "DELETE",
                "/iam.googleapis.com/v1/projects/-/serviceAccounts/a@b",
                Some("v1 iam.projects.serviceAccounts.delete name=projects/-/serviceAccounts/a@b"),
            ),
            (
                "POST",
                "/serviceusage.googleapis.com/v1/projects/p/services/compute.googleapis.com:enable",
                Some(
                    "v1 serviceusage.services.enable name=projects/p/services/compute.googleapis.com",
                ),
            ),
            (
                "GET",
                "/serviceusage.googleapis.com/v1/operations/acat.p2-1-a",
                Some("v1 serviceusage.operations.get name=operations/acat.p2-1-a"),
            ),
            (
                "GET",
                "/gkehub.googleapis.com/v2/projects/p/locations/r/memberships/m/features/f",
                Some(
                    "v2 gkehub.projects.locations.memberships.features.get name=projects/p/locations/r/memberships/m/features/f",
                ),
            ),
            (
                "GET",
                "/gkehub.googleapis.com/v1beta/projects/p/locations/-/memberships",
                Some("v1 gkehub.projects.locations.memberships.list parent=projects/p/locations/-"),
            ),
            (
                "POST",
                "/gkehub.googleapis.com/v1beta/projects/p/locations/r/memberships",
                None,
            ),
            (
                "GET",
                "/dns.googleapis.com/dns/v1/projects/p/managedZones/z/rrsets/%2A.gcr.io./CNAME",
                Some(
                    "v1 dns.resourceRecordSets.get managedZone=z name=*.gcr.io. project=p type=CNAME",
                ),
            ),
            (
                "POST",
                "/storage.googleapis.com/upload/storage/v1/b/x/o",
                Some("v1 storage.objects.insert bucket=x"),
            ),
            (
                "POST",
                "/upload/storage/v1/b/x/o",
                Some("v1 storage.objects.insert bucket=x"),
            ),
            ("GET", "/storage/v1/b/x", None),
        ];
        for (http_method, path, want) in cases {
            assert_eq!(
                found(http_method, path).as_deref(),
                want,
                "{http_method} {path}"
            );
        }
    }

    #[test]
    fn batches_belong_to_an_api() {
        let cases = [
            ("/batch/compute/v1", Some("compute")),
            ("/compute.googleapis.com/batch/compute/v1", Some("compute")),
            ("/storage.googleapis.com/batch/storage/v1", Some("storage")),
            ("/storage.googleapis.com/batch/compute/v1", None),
            ("/batch/compute/v9", None),
        ];
        for (path, want) in cases {
            assert_eq!(batch(path), want, "{path}");
        }
    }
}
