//! The only client of a cluster's Kubernetes API: an object goes in, and the live object or a classified error comes
//! out.
//!
//! A cluster of Google's is reached by its own endpoint and certificate authority, or by its DNS endpoint under public
//! authorities, with one of Google's tokens, without a kubeconfig or a plugin; a user's own cluster is reached by an
//! entry of a kubeconfig. This module knows no step, no journal and no Google API, and it waits for nothing: the caller
//! decides when to read again.

mod authorities;
mod error;
mod events;
mod exec;
#[cfg(test)]
mod hostile_tests;
mod kubeconfig;
mod object;
mod plugin_error;
#[cfg(test)]
mod proxy_tests;
mod proxy_uri;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Limited;
use hyper::Response;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, ValidationDirective,
};
use kube::client::ClientBuilder;
use kube::client::retry::RetryPolicy;
use kube::config::AuthInfo;
use serde_json::Value;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::util::MapResponseLayer;

use crate::proxy;

pub use error::{ClusterError, ClusterErrorKind, Conflict};
pub use exec::{ContainerRef, ExecResult};
pub use kubeconfig::{KubeconfigEntry, NoEntry};
pub use object::ObjectRef;

use crate::recording::{Recorded, Recorder};

/// The name of our field manager.
pub const MANAGER: &str = "provision";

/// The time limit for a connection: an API server drops the packets of an address that is not in its allow list.
const CONNECT: Duration = Duration::from_secs(15);
/// The time limit for an answer; admission webhooks have 10 s each.
const READ: Duration = Duration::from_secs(60);

/// How often a busy server is asked again, and the first and the longest pause before that: half a minute in all, or
/// a little more. The server itself may request any pause (`Retry-After`), even a day, and kube's own retries would
/// follow it.
const BUSY: (u32, Duration, Duration) = (8, Duration::from_millis(200), Duration::from_secs(5));

/// The number of requests that may wait for their turn; kube's own number.
const AT_ONCE: usize = 1024;

/// The size limit of an answer, in bytes; the longest list of the tutorial's cluster is a hundredth of it.
const LONGEST_ANSWER: usize = 32 << 20;

/// A connection to one cluster.
#[derive(Clone)]
pub struct ClusterClient {
    client: kube::Client,
    /// The token that no error may contain.
    token: Arc<str>,
}

/// Options of an apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions {
    /// Report the result without changing anything.
    pub dry_run: bool,
    /// Take over fields that another manager owns.
    pub force: bool,
}

impl ClusterClient {
    /// Connects to `endpoint` (`host[:port]`, in the form of GKE's answer), and trusts `authority` (PEM) and what the user names for
    /// every connection ([`authorities`]).
    ///
    /// # Errors
    /// The endpoint is more than an address, or an authority is not a certificate.
    pub fn connect(
        endpoint: &str,
        authority: &[u8],
        token: &str,
    ) -> Result<ClusterClient, ClusterError> {
        ClusterClient::connect_in(endpoint, authority, token, &|name| std::env::var(name).ok())
    }

    /// The same with these variables.
    fn connect_in(
        endpoint: &str,
        authority: &[u8],
        token: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ClusterClient, ClusterError> {
        let bad = |why: String| ClusterError::local(format!("https://{endpoint}"), why);
        let url: hyper::Uri = format!("https://{endpoint}/")
            .parse()
            .map_err(|error| bad(format!("not an address: {error}")))?;
        // An endpoint that hides another host or a path is not one of Google's.
        if url.authority().is_none_or(|host| host.as_str() != endpoint) || endpoint.contains('@') {
            return Err(bad("not an address".to_owned()));
        }
        let host = url.host().unwrap_or_default();
        let trusted = authorities::of_cluster(host, authority, env).map_err(bad)?;
        ClusterClient::with_token(url, Some(trusted), token, env)
    }

    /// Connects to the Kubernetes API at `server` (`https://NAME`, or an address of this machine), and trusts the authorities
    /// that the machine trusts.
    ///
    /// # Errors
    /// The server is no https address and not on this machine.
    pub fn connect_by_name(server: &str, token: &str) -> Result<ClusterClient, ClusterError> {
        let bad = |why: String| ClusterError::local(server.to_owned(), why);
        let url: hyper::Uri = server
            .parse()
            .map_err(|error| bad(format!("not an address: {error}")))?;
        let is_here = proxy::is_loopback(url.host().unwrap_or_default());
        if url.scheme_str() != Some("https") && !is_here {
            return Err(bad(
                "without https the token could be read in transit".to_owned()
            ));
        }
        // On this machine there is no TLS to trust anybody for, and a machine without authorities is no reason to fail.
        let trusted = is_here.then(Vec::new);
        ClusterClient::with_token(url, trusted, token, &|name| std::env::var(name).ok())
    }

    /// A connection with a token. `trusted` are the authorities, in DER; none: those of the machine.
    fn with_token(
        url: hyper::Uri,
        trusted: Option<Vec<Vec<u8>>>,
        token: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ClusterClient, ClusterError> {
        let what = url.authority().map_or("", |authority| authority.as_str());
        let what = format!("https://{what}");
        let bad = |why: String| ClusterError::local(what.clone(), why);
        let proxy = proxy_uri::of_machine(url.host().unwrap_or_default(), env);
        let proxy = proxy.map_err(|named| bad(format!("{named} names no http or https proxy")))?;
        let mut config = kube::Config::new(url);
        config.proxy_url = proxy;
        config.root_cert = trusted;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(READ);
        config.auth_info = AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        config.default_retry = false;
        ClusterClient::of(config, token).map_err(|error| bad(error.to_string()))
    }

    /// The connection that a configuration describes; `token` is what no error may contain. A plugin that prints
    /// credentials is run here, on this thread.
    fn of(mut config: kube::Config, token: &str) -> Result<ClusterClient, kube::Error> {
        // An entry may name a proxy for a cluster on this machine too.
        let host = config.cluster_url.host().unwrap_or_default();
        if proxy::is_loopback(host) {
            config.proxy_url = None;
        }
        let client = ClientBuilder::try_from(config)?;
        // kube itself reads an answer of any length.
        let limit = MapResponseLayer::new(|answer: Response<_>| {
            answer.map(|body| Limited::new(body, LONGEST_ANSWER))
        });
        let (times, first, longest) = BUSY;
        let retries = RetryPolicy::new(first, longest, times, false)
            .map_err(|error| kube::Error::Service(error.into()))?;
        // A request that may be retried is sent through a cloneable handle, and kube's service is not cloneable.
        let client = client.with_layer(&BufferLayer::new(AT_ONCE));
        let client = client.with_layer(&RetryLayer::new(retries));
        Ok(ClusterClient {
            client: client.with_layer(&limit).build(),
            token: token.into(),
        })
    }

    /// The same client, with its exchanges recorded.
    #[must_use]
    pub fn recorded(self, recorder: Option<&Recorder>) -> ClusterClient {
        match recorder {
            Some(recorder) => ClusterClient {
                client: Recorded::client(self.client, recorder.clone()),
                ..self
            },
            None => self,
        }
    }

    /// The object; `None` if it does not exist, or if the cluster does not know its kind.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`].
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        match self.api(object)?.get_opt(&object.name).await {
            Ok(found) => found.map(|found| plain(object, &found)).transpose(),
            Err(error) => match self.failed(object.to_string(), error) {
                error if error.is_absent() => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The kinds that the cluster serves in an API group, each with an API version that serves it: the preferred one first.
    /// None if it does not serve the group.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`].
    pub async fn kinds_of(&self, groups: &[&str]) -> Result<Vec<(String, String)>, ClusterError> {
        let failed = |error| self.failed("API groups".to_owned(), error);
        let served = self.client.list_api_groups().await.map_err(failed)?;
        let mut found: Vec<(String, String)> = Vec::new();
        let meant = |name: &String| groups.contains(&name.as_str());
        for group in served.groups.into_iter().filter(|group| meant(&group.name)) {
            let preferred = group.preferred_version.map(|version| version.group_version);
            let others = group
                .versions
                .into_iter()
                .map(|version| version.group_version);
            let mut versions: Vec<String> = preferred.into_iter().chain(others).collect();
            let mut seen = std::collections::BTreeSet::new();
            versions.retain(|version| seen.insert(version.clone()));
            for version in versions {
                let kinds = self.client.list_api_group_resources(&version).await;
                let kinds = kinds.map_err(|error| self.failed(version.clone(), error))?;
                // A subresource, such as `.../status`, is no kind of its own.
                let whole = kinds
                    .resources
                    .into_iter()
                    .filter(|each| !each.name.contains('/'));
                for kind in whole.map(|each| each.kind) {
                    let own = |(of, other): &(String, String)| {
                        let group = |version: &str| version.split('/').next().map(str::to_owned);
                        *other == kind && group(of) == group(&version)
                    };
                    if !found.iter().any(own) {
                        found.push((version.clone(), kind));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Objects of the same kind and namespace.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`].
    pub async fn list(&self, like: &ObjectRef, selector: &str) -> Result<Vec<Value>, ClusterError> {
        let params = ListParams::default().labels(selector);
        let found = self
            .api(like)?
            .list(&params)
            .await
            .map_err(|error| self.failed(like.to_string(), error))?;
        found.items.iter().map(|item| plain(like, item)).collect()
    }

    /// Applies the object: our fields become as stated, and others keep their fields.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`]; a conflict names the fields and their owners.
    pub async fn apply(
        &self,
        object: &ObjectRef,
        body: &Value,
        how: ApplyOptions,
    ) -> Result<Value, ClusterError> {
        let params = PatchParams {
            dry_run: how.dry_run,
            force: how.force,
            field_manager: Some(MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let applied = self
            .api(object)?
            .patch(&object.name, &params, &Patch::Apply(body))
            .await;
        plain(
            object,
            &applied.map_err(|error| self.failed(object.to_string(), error))?,
        )
    }

    /// Merges fields into an object, as `kubectl patch --type merge`.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`].
    pub async fn merge(&self, object: &ObjectRef, body: &Value) -> Result<Value, ClusterError> {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let merged = self
            .api(object)?
            .patch(&object.name, &params, &Patch::Merge(body))
            .await;
        plain(
            object,
            &merged.map_err(|error| self.failed(object.to_string(), error))?,
        )
    }

    /// Deletes the object. An object that is already gone is a success.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`].
    pub async fn delete(&self, object: &ObjectRef) -> Result<(), ClusterError> {
        match self
            .api(object)?
            .delete(&object.name, &DeleteParams::foreground())
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match self.failed(object.to_string(), error) {
                error if error.is_absent() => Ok(()),
                error => Err(error),
            },
        }
    }

    fn api(&self, object: &ObjectRef) -> Result<Api<DynamicObject>, ClusterError> {
        if !object.is_one_path() {
            return Err(leads_elsewhere(object.to_string()));
        }
        let resource = object.resource();
        Ok(match &object.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        })
    }

    /// Converts the client's error, without the token in it.
    fn failed(&self, what: String, error: kube::Error) -> ClusterError {
        ClusterError::of(what, error, &self.token)
    }
}

/// A name that is more than one segment: kube writes a name into the path unchanged.
fn leads_elsewhere(what: String) -> ClusterError {
    ClusterError::local(
        what,
        "not sent, because the name would change the request's path".to_owned(),
    )
}

fn plain(object: &ObjectRef, found: &DynamicObject) -> Result<Value, ClusterError> {
    serde_json::to_value(found)
        .map_err(|error| ClusterError::local(object.to_string(), error.to_string()))
}
