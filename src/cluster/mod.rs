//! The one client of a cluster's Kubernetes API: an object goes in, the object as the cluster has it or a classified error comes out.
//!
//! A cluster of Google's is reached by its own endpoint and authority and a token of Google's, with no kubeconfig and no plugin;
//! one of somebody's own by an entry of a kubeconfig. It knows no step, no journal and no Google API, and waits for nothing:
//! who calls decides when to look again.

mod error;
mod events;
mod exec;
#[cfg(test)]
mod hostile_tests;
mod kubeconfig;
mod object;
mod plugin_error;

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
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::util::MapResponseLayer;

pub use error::{ClusterError, ClusterErrorKind, Conflict};
pub use exec::{ContainerRef, ExecResult};
pub use kubeconfig::{KubeconfigEntry, NoEntry};
pub use object::ObjectRef;

/// The name under which our fields are owned.
pub const MANAGER: &str = "provision";

/// How long to try for a connection: an API server that does not list this machine's address drops its packets.
const CONNECT: Duration = Duration::from_secs(15);
/// How long an answer may take; admission webhooks have 10 s each.
const READ: Duration = Duration::from_secs(60);

/// How often a server that is busy is asked again, and the first and the longest pause before that: half a minute in all, or a
/// little more. It may ask for any pause itself (`Retry-After`), a day too, and kube's own retries would keep to that.
const BUSY: (u32, Duration, Duration) = (8, Duration::from_millis(200), Duration::from_secs(5));

/// As many requests as may wait for their turn; kube's own number.
const AT_ONCE: usize = 1024;

/// The most that is read of an answer, in bytes; the longest list of the tutorial's cluster is a hundredth of it.
const LONGEST_ANSWER: usize = 32 << 20;

/// A connection to one cluster.
#[derive(Clone)]
pub struct ClusterClient {
    client: kube::Client,
    /// What no error may repeat.
    token: Arc<str>,
}

/// What an apply is to do beside applying.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions {
    /// Say what would be, change nothing.
    pub dry_run: bool,
    /// Take over fields that somebody else owns.
    pub force: bool,
}

impl ClusterClient {
    /// Connects to `endpoint` (`host[:port]`, as GKE answers it), trusting only `authority` (PEM).
    ///
    /// # Errors
    /// An endpoint that is more than an address, an authority that is no certificate.
    pub fn connect(
        endpoint: &str,
        authority: &[u8],
        token: &str,
    ) -> Result<ClusterClient, ClusterError> {
        let bad = |why: String| ClusterError::local(format!("https://{endpoint}"), why);
        let url: hyper::Uri = format!("https://{endpoint}/")
            .parse()
            .map_err(|error| bad(format!("not an address: {error}")))?;
        // What hides another host, or a path, in it is none of Google's.
        if url.authority().is_none_or(|host| host.as_str() != endpoint) || endpoint.contains('@') {
            return Err(bad("not an address".to_owned()));
        }
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authority).collect();
        let certificates =
            certificates.map_err(|error| bad(format!("its CA certificate is invalid: {error}")))?;
        if certificates.is_empty() {
            return Err(bad(
                "its CA certificate is invalid: it contains no certificate".to_owned(),
            ));
        }
        let mut config = kube::Config::new(url);
        config.root_cert = Some(
            certificates
                .into_iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
        );
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(READ);
        config.auth_info = AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        config.default_retry = false;
        ClusterClient::of(config, token).map_err(|error| bad(error.to_string()))
    }

    /// The connection that a configuration describes; `token` is what no error may repeat. A plugin that prints credentials is
    /// run here, on this thread.
    fn of(config: kube::Config, token: &str) -> Result<ClusterClient, kube::Error> {
        let client = ClientBuilder::try_from(config)?;
        // kube itself reads whatever comes.
        let limit = MapResponseLayer::new(|answer: Response<_>| {
            answer.map(|body| Limited::new(body, LONGEST_ANSWER))
        });
        let (times, first, longest) = BUSY;
        let retries = RetryPolicy::new(first, longest, times, false)
            .map_err(|error| kube::Error::Service(error.into()))?;
        // What is to be asked again is asked through a handle of its own, which kube's service is not.
        let client = client.with_layer(&BufferLayer::new(AT_ONCE));
        let client = client.with_layer(&RetryLayer::new(retries));
        Ok(ClusterClient {
            client: client.with_layer(&limit).build(),
            token: token.into(),
        })
    }

    /// The object; none where there is none, or where nobody has told the cluster of its kind.
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

    /// Applies the object: our fields become as stated, others' stay.
    ///
    /// # Errors
    /// See [`ClusterErrorKind`]; a conflict names who owns what.
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

    /// Deletes the object. Already gone is gone.
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

    /// From what the client says, without the token in it.
    fn failed(&self, what: String, error: kube::Error) -> ClusterError {
        ClusterError::of(what, error, &self.token)
    }
}

/// A name that is more than a name: kube writes it into a path as it is.
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
