//! An entry of a kubeconfig: its cluster, its user, and the connection to them.
//!
//! The file is read as kubectl reads it (client certificates, tokens, plugins that print one), but only the named
//! file: neither `KUBECONFIG` nor `~/.kube/config` is read. The file is never written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::Value;

use super::plugin_error::refusal;
use super::proxy_uri;
use super::{ClusterClient, ClusterError, ClusterErrorKind, READ};
use crate::text::without_snippet;

/// The size limit of the file, in bytes: enough for thousands of clusters.
const LONGEST: u64 = 16 << 20;
/// The time limit for a connection: a user at the keyboard waits for the answer.
const CONNECT: Duration = Duration::from_secs(5);

/// The cluster that an entry of a kubeconfig leads to, and the user of the connection.
#[derive(Clone)]
pub struct KubeconfigEntry {
    /// The file, as a path that is valid from every directory.
    pub file: PathBuf,
    /// The name of the context.
    pub context: String,
    /// The API server: scheme, host and port.
    pub server: String,
    /// The name of the user's entry; `None` if the context names no user.
    pub user: Option<String>,
    config: Config,
    /// The plugin that prints the credentials, if there is one.
    plugin: Option<String>,
    /// The secret that no error may contain.
    secret: String,
}

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .file.display())]
pub struct NoEntry {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The underlying error.
    pub source: EntryError,
    /// The contexts in the file, if the requested one is not among them.
    pub contexts: Vec<String>,
}

/// What is wrong with a kubeconfig, or with the requested entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The path is a directory or a device.
    #[error("not a file")]
    NotAFile,
    /// The file is longer than any real kubeconfig.
    #[error("too long for a kubeconfig")]
    TooLong,
    /// The file is not a kubeconfig.
    #[error("{}", told(.0))]
    Read(#[source] KubeconfigError),
    /// No context was requested, and the file has no current context.
    #[error("it has no current context")]
    NoCurrentContext,
    /// The file has no context of this name.
    #[error("it has no context `{0}`")]
    NoContext(String),
    /// The context refers to an entry or a file that does not exist, or that cannot be used.
    #[error("context `{context}`: {}", told(.source))]
    Entry {
        /// The name of the context.
        context: String,
        /// The underlying error.
        source: KubeconfigError,
    },
    /// What names a proxy on the way to the cluster names none that can be used.
    #[error("context `{context}`: {named} names no http or https proxy")]
    Proxy {
        /// The name of the context.
        context: String,
        /// The variable, or the field of the entry.
        named: &'static str,
    },
    /// The cluster of the context has no valid address.
    #[error("context `{0}`: its server is not a valid address")]
    NoServer(String),
}

impl EntryError {
    fn read(error: KubeconfigError) -> EntryError {
        EntryError::Read(match error {
            KubeconfigError::Parse(error) => {
                KubeconfigError::Parse(Box::new(without_snippet(*error)))
            }
            error => error,
        })
    }
}

impl KubeconfigEntry {
    /// Reads the entry of `context`, or of the file's current context. Nothing is sent and no plugin is run.
    ///
    /// # Errors
    /// The file cannot be read or is not a kubeconfig; it has no such context; the entry names a certificate that
    /// does not exist.
    pub async fn read(file: &Path, context: Option<&str>) -> Result<KubeconfigEntry, NoEntry> {
        let no = |source: EntryError| NoEntry {
            file: file.to_owned(),
            source,
            contexts: Vec::new(),
        };
        let absolute = std::path::absolute(file).map_err(|error| no(error.into()))?;
        let about = fs::metadata(&absolute).map_err(|error| no(error.into()))?;
        if !about.is_file() {
            return Err(no(EntryError::NotAFile));
        }
        if about.len() > LONGEST {
            return Err(no(EntryError::TooLong));
        }
        let mut read =
            Kubeconfig::read_from(&absolute).map_err(|error| no(EntryError::read(error)))?;
        let names: Vec<String> = read.contexts.iter().map(|one| one.name.clone()).collect();
        let current = read.current_context.clone().filter(|name| !name.is_empty());
        let Some(name) = context.map(str::to_owned).or(current) else {
            return Err(NoEntry {
                contexts: names,
                ..no(EntryError::NoCurrentContext)
            });
        };
        let Some(found) = read.contexts.iter().find(|one| one.name == name) else {
            return Err(NoEntry {
                contexts: names,
                ..no(EntryError::NoContext(name))
            });
        };
        let user = found.context.as_ref().and_then(|one| one.user.clone());
        let cluster = found.context.as_ref().map(|one| one.cluster.clone());
        let own_proxy = take_proxy(&mut read, cluster.as_deref());
        let options = KubeConfigOptions {
            context: Some(name.clone()),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(read, &options)
            .await
            .map_err(|source| {
                no(EntryError::Entry {
                    context: name.clone(),
                    source,
                })
            })?;
        config.proxy_url = match own_proxy {
            Some(own) => proxy_uri::read(&own).map(Some).ok_or("proxy-url"),
            None => {
                let host = config.cluster_url.host().unwrap_or_default();
                proxy_uri::of_machine(host, &|name| std::env::var(name).ok())
            }
        }
        .map_err(|named| {
            no(EntryError::Proxy {
                context: name.clone(),
                named,
            })
        })?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(READ);
        config.default_retry = false;
        let server = server(&config.cluster_url);
        if server.is_empty() {
            return Err(no(EntryError::NoServer(name)));
        }
        let exec = config.auth_info.exec.as_ref();
        Ok(KubeconfigEntry {
            file: absolute,
            context: name,
            server,
            user: user.filter(|user| !user.is_empty()),
            plugin: exec.and_then(|exec| exec.command.clone()),
            secret: secret(&config),
            config,
        })
    }

    /// Makes the connection. A plugin that prints credentials is run; nothing is sent to the cluster.
    ///
    /// # Errors
    /// The plugin cannot be run or fails; a certificate or key cannot be used.
    pub async fn connect(&self) -> Result<ClusterClient, ClusterError> {
        let (config, secret) = (self.config.clone(), self.secret.clone());
        // kube runs the plugin on the calling thread, and a plugin that needs a login takes some time.
        let made = tokio::task::spawn_blocking(move || ClusterClient::of(config, &secret)).await;
        let what = format!("context {}", self.context);
        match made {
            Ok(Ok(cluster)) => Ok(cluster),
            Ok(Err(error)) => {
                let plugin = self.plugin.as_deref().unwrap_or_default();
                let told = refusal(&error).map(|why| format!("the plugin `{plugin}` {why}"));
                match (told, &self.plugin) {
                    (Some(message), Some(_)) => Err(ClusterError {
                        conflicts: Vec::new(),
                        what,
                        fault: ClusterErrorKind::Unauthenticated,
                        http: None,
                        message,
                    }),
                    _ => Err(ClusterError::of(what, error, &self.secret)),
                }
            }
            Err(error) => Err(ClusterError::local(what, error.to_string())),
        }
    }
}

/// The proxy that a cluster's entry names. It is replaced by one that kube can read: without it kube would take the machine's variables
/// itself, would quote the password in them, and would compare `NO_PROXY` with the address of the proxy.
fn take_proxy(read: &mut Kubeconfig, cluster: Option<&str>) -> Option<String> {
    let entry = read
        .clusters
        .iter_mut()
        .find(|one| Some(one.name.as_str()) == cluster)?;
    let own = entry.cluster.as_mut()?.proxy_url.replace(UNUSED.to_owned());
    own.filter(|url| !url.is_empty())
}

/// An address that nothing is sent to.
const UNUSED: &str = "http://127.0.0.1:1";

/// kube's message about a file.
fn told(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => format!("not a kubeconfig: {error}"),
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

/// An API server's address without a prefix (`user:password@`) and without anything after the port. Pure.
fn server(url: &hyper::Uri) -> String {
    let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else {
        return String::new();
    };
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{scheme}://{host}{port}")
}

/// The token or password in the file; the output of a plugin is not known here.
fn secret(config: &Config) -> String {
    let user = serde_json::to_value(&config.auth_info).unwrap_or_default();
    let text = |key: &str| user.get(key).and_then(Value::as_str).map(str::to_owned);
    text("token")
        .or_else(|| text("password"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::chain;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    fn config(user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: one\n\
             clusters: [{{name: c, cluster: {{server: 'https://u:p@192.0.2.1:6443/x'}}}}]\n\
             users: [{{name: u, user: {user}}}]\n\
             contexts: [{{name: one, context: {{cluster: c, user: u}}}}, {{name: two, context: {{cluster: c, user: u}}}}, {{name: bare, context: {{cluster: c}}}}, {{name: lost, context: {{cluster: gone}}}}]\n"
        )
    }

    #[tokio::test]
    async fn an_entry_says_which_cluster_and_as_whom() {
        let file = file(&config("{token: a-token-of-somebody}"));
        for (context, name, user) in [
            (None, "one", Some("u")),
            (Some("two"), "two", Some("u")),
            (Some("bare"), "bare", None),
        ] {
            let entry = KubeconfigEntry::read(file.path(), context).await.unwrap();
            assert_eq!(
                (entry.context.as_str(), entry.user.as_deref()),
                (name, user)
            );
            // A path, a user name and a password are not part of the address.
            assert_eq!(entry.server, "https://192.0.2.1:6443");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_file_is_said_without_its_lines() {
        let secret = "c2VjcmV0LWtleS1vZi1zb21lYm9keQ==";
        for (text, context, why) in [
            (config("{}"), Some("three"), "it has no context `three`"),
            (
                config("{}"),
                Some("lost"),
                "context `lost`: failed to load the cluster of context: gone",
            ),
            (
                "kind: Config\n".to_owned(),
                None,
                "it has no current context",
            ),
            (String::new(), None, "it has no current context"),
            (
                format!("users:\n- {{name: u, user: [{secret}\n"),
                None,
                "not a kubeconfig",
            ),
            ("just text\n".to_owned(), None, "not a kubeconfig"),
            (
                config("{client-certificate: gone.pem, client-key: gone.pem}"),
                None,
                "",
            ),
        ] {
            let file = file(&text);
            let read = KubeconfigEntry::read(file.path(), context).await;
            let Err(no) = read else {
                // kube reads a user's certificate only when it connects.
                let told = read.ok().unwrap().connect().await.err().unwrap();
                assert!(told.message.contains("gone.pem"), "{told}");
                continue;
            };
            let said = no.source.to_string();
            assert!(said.starts_with(why) && !why.is_empty(), "{no}");
            assert!(!chain(&no).contains(secret), "{no}");
        }
        let nowhere = KubeconfigEntry::read(Path::new("/nowhere/at/all"), None).await;
        assert!(
            nowhere
                .err()
                .unwrap()
                .source
                .to_string()
                .contains("No such file")
        );
        let folder = KubeconfigEntry::read(Path::new("/"), None).await;
        assert_eq!(folder.err().unwrap().source.to_string(), "not a file");
    }

    #[tokio::test]
    async fn a_plugin_that_fails_is_named_and_its_environment_is_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let env = "env: [{name: KEY, value: hidden-in-the-environment}], interactiveMode: Never, apiVersion: client.authentication.k8s.io/v1";
        for (command, expected) in [
            (
                "command: no-such-plugin",
                "the plugin `no-such-plugin` cannot be started: No such file or directory (os error 2)",
            ),
            (
                "command: sh, args: [-c, 'echo printed-token; echo log in first >&2; exit 3']",
                "the plugin `sh` failed with exit status: 3: log in first",
            ),
            (
                "command: echo, args: ['{printed-token']",
                "the plugin `echo` did not print an ExecCredential",
            ),
        ] {
            let file = file(&config(&format!("{{exec: {{{command}, {env}}}}}")));
            let entry = KubeconfigEntry::read(file.path(), None).await.unwrap();
            let told = entry.connect().await.err().unwrap();
            assert_eq!(told.message, expected);
        }
    }
}
