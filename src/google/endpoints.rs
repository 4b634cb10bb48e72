//! Where each API is served: at Google's own host, or where gcloud's override variables point.
//!
//! Not every address is accepted: a root is a `googleapis.com` host over https or a loopback address, and the program
//! refuses to start with any other, because it would send a token there.

use thiserror::Error;
use url::Url;

use super::answer::causes;
use super::{Api, Body, Call, Environment};
use crate::proxy;

/// Why a client cannot be created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// An endpoint that must not be used.
    #[error("{origin} is {value:?}: {why}; use https://….googleapis.com/ or a loopback address")]
    Endpoint {
        /// The variable, or another source of the endpoint.
        origin: String,
        /// The value of the variable.
        value: String,
        /// The reason for the rejection.
        why: &'static str,
    },
    /// The HTTP client could not be built; usually because the machine has no certificate authorities.
    #[error("cannot set up HTTPS: {}", causes(.0))]
    Http(#[source] reqwest::Error),
}

/// The root of every API, and what may be sent to it.
#[derive(Debug, Clone)]
pub struct Endpoints {
    roots: [Root; Api::ALL.len()],
}

/// An address with a trailing slash, without an API's base path.
#[derive(Debug, Clone)]
struct Root {
    url: String,
    origin: String,
    place: Result<HostKind, &'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostKind {
    Google,
    Loopback,
}

impl Endpoints {
    /// Google's hosts, except for APIs with the variable `CLOUDSDK_API_ENDPOINT_OVERRIDES_<API>`. An override may end
    /// with the API's base path (`…/compute/v1/`) or omit it.
    pub fn from_env(env: Environment) -> Result<Endpoints, SetupError> {
        let roots = Api::ALL.map(|api| {
            let said = env(api.variable()).filter(|value| !value.trim().is_empty());
            match said {
                Some(value) => Root::new(without_base(value.trim(), api.base()), api.variable()),
                None => Root::new(format!("https://{}/", api.host()), api.name()),
            }
        });
        let endpoints = Endpoints { roots };
        endpoints.check()?;
        Ok(endpoints)
    }

    /// Google's hosts.
    pub(super) fn google() -> Endpoints {
        Endpoints {
            roots: Api::ALL.map(|api| Root::new(format!("https://{}/", api.host()), api.name())),
        }
    }

    /// Every API at one emulator with the address `base` (`http://127.0.0.1:PORT`): the host becomes the first
    /// segment of the path.
    pub fn emulator(base: &str) -> Endpoints {
        let base = base.trim_end_matches('/');
        Endpoints {
            roots: Api::ALL.map(|api| Root::new(format!("{base}/{}/", api.host()), "the emulator")),
        }
    }

    /// Returns an error for the first root that must not be used.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        for root in &self.roots {
            if let Err(why) = root.place {
                let (origin, value) = (root.origin.clone(), root.url.clone());
                return Err(SetupError::Endpoint { origin, value, why });
            }
        }
        Ok(())
    }

    /// Whether an API is served on this machine.
    pub fn is_loopback(&self, api: Api) -> bool {
        self.roots[api.index()].place == Ok(HostKind::Loopback)
    }

    /// The root of an API, without its base path: `https://compute.googleapis.com/`.
    pub fn root(&self, api: Api) -> &str {
        &self.roots[api.index()].url
    }

    /// The scheme, host and port at which an API is served: `http://127.0.0.1:8787`.
    pub fn origin(&self, api: Api) -> String {
        let root = self.root(api);
        Url::parse(root).map_or_else(
            |_| root.to_owned(),
            |url| url.origin().ascii_serialization(),
        )
    }

    /// Whether any call is sent to another machine.
    pub(super) fn has_google(&self) -> bool {
        self.roots
            .iter()
            .any(|root| root.place == Ok(HostKind::Google))
    }

    /// Whether an API is served on this machine over https.
    pub(super) fn has_https_here(&self) -> bool {
        self.roots
            .iter()
            .any(|root| root.place == Ok(HostKind::Loopback) && root.url.starts_with("https:"))
    }

    /// The complete address of a call, including its query.
    pub(super) fn url(&self, call: &Call) -> Result<Url, url::ParseError> {
        let root = self.root(call.api);
        let upload = if matches!(call.body, Body::Upload { .. }) {
            "upload/"
        } else {
            ""
        };
        let mut url = Url::parse(&format!("{root}{upload}{}{}", call.api.base(), call.path))?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

impl Root {
    fn new(url: String, origin: &str) -> Root {
        let place = place(&url);
        Root {
            url,
            origin: origin.to_owned(),
            place,
        }
    }
}

/// The override without the API's base path, and with a trailing slash.
fn without_base(value: &str, base: &str) -> String {
    let value = value.trim_end_matches('/');
    let base = base.trim_end_matches('/');
    let root = match value.strip_suffix(base) {
        Some(root) if !base.is_empty() && root.ends_with('/') => root.trim_end_matches('/'),
        _ => value,
    };
    format!("{root}/")
}

/// Whether an address belongs to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(proxy::is_loopback)
}

/// Whether an address is on one of the hosts of Google's APIs.
pub(super) fn is_google(url: &Url) -> bool {
    url.host_str()
        .is_some_and(|host| host.ends_with(".googleapis.com"))
}

/// The host that an address points to, or why it must not be used.
fn place(url: &str) -> Result<HostKind, &'static str> {
    let url = Url::parse(url).map_err(|_| "it is not an address")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it carries a query or a fragment");
    }
    if url.host().is_none() {
        return Err("it has no host name");
    }
    let loopback = is_loopback(&url);
    match (url.scheme(), loopback, is_google(&url)) {
        ("http" | "https", true, _) => Ok(HostKind::Loopback),
        ("https", _, true) => Ok(HostKind::Google),
        ("http", _, _) => Err("without https the token could be read in transit"),
        ("https", _, _) => Err("the host is not Google's, and would receive a token"),
        _ => Err("only http and https are understood"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Auth, Client};
    use super::*;

    fn env(variable: &'static str, value: &'static str) -> impl Fn(&str) -> Option<String> {
        move |name| (name == variable).then(|| value.to_owned())
    }

    #[test]
    fn a_call_is_sent_where_the_override_says_with_or_without_the_base() {
        let cases = [
            (
                Api::Compute,
                "",
                "https://compute.googleapis.com/compute/v1/x",
            ),
            (
                Api::Compute,
                "http://127.0.0.1:9/compute/v1/",
                "http://127.0.0.1:9/compute/v1/x",
            ),
            (
                Api::Compute,
                "http://127.0.0.1:9/compute/v1",
                "http://127.0.0.1:9/compute/v1/x",
            ),
            (
                Api::Compute,
                "http://127.0.0.1:9",
                "http://127.0.0.1:9/compute/v1/x",
            ),
            (
                Api::Compute,
                "http://[::1]:9/",
                "http://[::1]:9/compute/v1/x",
            ),
            (
                Api::Compute,
                "http://localhost:9/compute.googleapis.com/compute/v1/",
                "http://localhost:9/compute.googleapis.com/compute/v1/x",
            ),
            (
                Api::Dns,
                "http://127.0.0.1:9/dns/v1/",
                "http://127.0.0.1:9/dns/v1/x",
            ),
            (
                Api::Storage,
                "http://127.0.0.1:9/storage/v1/",
                "http://127.0.0.1:9/storage/v1/x",
            ),
            (
                Api::Iam,
                "http://127.0.0.1:9/iam.googleapis.com/",
                "http://127.0.0.1:9/iam.googleapis.com/x",
            ),
            (
                Api::GkeHub,
                "https://eu-gkehub.googleapis.com",
                "https://eu-gkehub.googleapis.com/x",
            ),
        ];
        for (api, value, want) in cases {
            let endpoints = Endpoints::from_env(&env(api.variable(), value)).unwrap();
            let url = endpoints.url(&Call::get(api, "x")).unwrap();
            assert_eq!(url.as_str(), want, "{value}");
            assert_eq!(
                endpoints.is_loopback(api),
                !want.starts_with("https"),
                "{value}"
            );
        }
    }

    #[test]
    fn an_endpoint_that_would_leak_a_token_is_refused_by_its_variable() {
        let cases = [
            ("http://compute.googleapis.com/", "without https"),
            ("http://10.0.0.1:9/", "without https"),
            ("https://evil.example/compute/v1/", "not Google's"),
            ("https://googleapis.com.evil.example/", "not Google's"),
            ("https://evilgoogleapis.com/", "not Google's"),
            (
                "https://compute.googleapis.com.evil.example/",
                "not Google's",
            ),
            ("https://compute.googleapis.com@evil.example/", "user name"),
            ("http://127.0.0.1.evil.example/", "without https"),
            ("ftp://127.0.0.1/", "only http"),
            ("127.0.0.1:9", "it is not an address"),
            ("https://compute.googleapis.com/?x=", "query"),
            ("https://compute.googleapis.com/#x", "query or a fragment"),
            ("https://:x@compute.googleapis.com/", "password"),
            ("https://compute.googleapis.com./", "not Google's"),
            ("https://googleapis.com/", "not Google's"),
            ("https://localhost.evil.example/", "not Google's"),
            ("https://evillocalhost/", "not Google's"),
            ("https://127.0.0.1.evil.example/", "not Google's"),
            ("https://10.0.0.1/", "not Google's"),
            ("https://[fd00::1]/", "not Google's"),
            ("http://[::ffff:127.0.0.1]/", "without https"),
            ("http://COMPUTE.GOOGLEAPIS.COM:443/", "without https"),
            ("https://compute\u{3002}evil.example/", "not Google's"),
            ("https:///", "it is not an address"),
            ("file:///tmp/x", "it has no host name"),
        ];
        for (value, why) in cases {
            let error = Endpoints::from_env(&env(Api::Compute.variable(), value))
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{value}: {error}");
            assert!(
                error.starts_with("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"),
                "{error}"
            );
        }
        let elsewhere = Client::new(Endpoints::emulator("http://example.com"), Auth::none());
        assert!(
            elsewhere
                .unwrap_err()
                .to_string()
                .starts_with("the emulator is")
        );
    }

    #[test]
    fn the_emulator_serves_each_host_as_a_folder_uploads_too() {
        let endpoints = Endpoints::emulator("http://127.0.0.1:9/");
        let upload = Call::post(Api::Storage, "b/x/o")
            .query("name", "a b/é")
            .upload("text/plain", vec![]);
        assert_eq!(
            endpoints.url(&upload).unwrap().as_str(),
            "http://127.0.0.1:9/storage.googleapis.com/upload/storage/v1/b/x/o?name=a+b%2F%C3%A9&uploadType=media"
        );
        let star = Call::delete(
            Api::Dns,
            "projects/p/managedZones/z/rrsets/%2A.gcr.io./CNAME",
        );
        assert_eq!(
            endpoints.url(&star).unwrap().path(),
            "/dns.googleapis.com/dns/v1/projects/p/managedZones/z/rrsets/%2A.gcr.io./CNAME"
        );
        assert!(Api::ALL.into_iter().all(|api| endpoints.is_loopback(api)));
    }
}
