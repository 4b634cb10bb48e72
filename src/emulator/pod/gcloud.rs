//! gcloud and gsutil in a pod: the active account, and the content of an object.
//!
//! Both get their identity from the metadata server, which the network has to let them reach, as it has to let them reach
//! Cloud Storage. Their messages for a failed connection are not recorded; the other messages are.

use super::exec_context::{Denied, ExecContext};
use super::run::ProgramResult;
use egress::request::Request;
use egress::trace::{CallerOutcome, Failure};

const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts";
const AGENT: &str = "google-cloud-sdk gcloud/528.0.0";

/// `gcloud`.
pub fn run(arguments: &[String], seat: &ExecContext) -> ProgramResult {
    let plain = arguments.iter().filter(|word| !word.starts_with("--"));
    let words: Vec<&str> = plain.map(String::as_str).collect();
    match words.as_slice() {
        ["auth", "list"] => auth_list(seat),
        ["storage", "cat", urls @ ..] if !urls.is_empty() => {
            storage_cat("gcloud.storage.cat", urls, seat)
        }
        _ => ProgramResult::failed(
            1,
            format!(
                "ERROR: (gcloud) gcloud {}: not available in the emulated container, which has gcloud auth list and gcloud storage cat\n",
                arguments.join(" ")
            ),
        ),
    }
}

/// `gsutil`, which has `cat` alone.
pub fn gsutil(arguments: &[String], seat: &ExecContext) -> ProgramResult {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["cat", urls @ ..] if !urls.is_empty() => storage_cat("gsutil", urls, seat),
        _ => ProgramResult::failed(
            1,
            "CommandException: not available in the emulated container, whose gsutil has only cat\n",
        ),
    }
}

/// Requests `url`: the status, or why there is none.
fn ask(ran: &mut ProgramResult, seat: &ExecContext, url: &str) -> Result<u16, Failure> {
    let Ok(mut request) = Request::get(&seat.from.namespace, url) else {
        return Err(Failure::NoSuchHost);
    };
    request.from = seat.from.clone();
    request.headers = vec![("User-Agent".to_owned(), AGENT.to_owned())];
    if url.starts_with(METADATA) {
        request
            .headers
            .push(("Metadata-Flavor".to_owned(), "Google".to_owned()));
    }
    let account = seat.network.trace(&request);
    let got = match &account.got {
        CallerOutcome::Answer(answer) => Ok(answer.status),
        CallerOutcome::Failure(failure) => Err(*failure),
    };
    ran.asked(account);
    got
}

/// Whether the metadata server says who the pod is.
fn identified(ran: &mut ProgramResult, seat: &ExecContext) -> bool {
    matches!(
        ask(ran, seat, &format!("{METADATA}/default/email")),
        Ok(200..=299)
    )
}

fn auth_list(seat: &ExecContext) -> ProgramResult {
    let mut ran = ProgramResult::default();
    if identified(&mut ran, seat) {
        ran.err("     Credentialed Accounts\n");
        ran.out(format!("ACTIVE  ACCOUNT\n*       {}\n", seat.identity));
        ran.err("\nTo set the active account, run:\n    $ gcloud config set account `ACCOUNT`\n\n");
    } else {
        ran.err(
            "\nNo credentialed accounts.\n\nTo login, run:\n  $ gcloud auth login `ACCOUNT`\n\n",
        );
    }
    ran
}

fn storage_cat(name: &str, urls: &[&str], seat: &ExecContext) -> ProgramResult {
    let mut ran = ProgramResult::default();
    let outcome = urls
        .iter()
        .try_for_each(|url| read(&mut ran, url, seat).map(|text| ran.out(text)));
    if let Err(error) = outcome {
        ran.err(format!("ERROR: ({name}) {error}\n"));
        ran.code = 1;
    }
    ran
}

/// Why an object's text is not shown, with gcloud's and gsutil's messages.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    /// There is no such object, or the text is no URL of one.
    #[error("The following URLs matched no objects or files:\n{url}")]
    NoMatch {
        /// The URL.
        url: String,
    },
    /// There is no such bucket.
    #[error("gs://{bucket} not found: 404.")]
    NoBucket {
        /// The bucket.
        bucket: String,
    },
    /// The metadata server names no account.
    #[error(
        "You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n\nto obtain new credentials."
    )]
    NoAccount,
    /// The metadata server gives no token.
    #[error(
        "There was a problem refreshing your current auth tokens: Failed to retrieve {url} from the Google Compute Engine \
         metadata service. Status: 403 Response: Unable to generate access token; IAM returned 403 Forbidden: Permission \
         'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
    )]
    NoToken {
        /// Where it was asked for.
        url: String,
    },
    /// Cloud Storage does not answer.
    #[error(
        "HTTPSConnectionPool(host='storage.googleapis.com', port=443): Max retries exceeded (Caused by {})",
        urllib3(*.0)
    )]
    Unreachable(Failure),
    /// The account may not read the object.
    #[error(
        "HTTPError 403: {identity} does not have storage.objects.get access to the Google Cloud Storage object. Permission \
         'storage.objects.get' denied on resource (or it may not exist). This command is authenticated as {identity} which is \
         the active account specified by the [core/account] property."
    )]
    Forbidden {
        /// The account.
        identity: String,
    },
}

fn read(ran: &mut ProgramResult, url: &str, seat: &ExecContext) -> Result<String, ReadError> {
    let no_match = || ReadError::NoMatch {
        url: url.to_owned(),
    };
    let path = url.strip_prefix("gs://");
    let (bucket, object) = path
        .and_then(|path| path.split_once('/'))
        .ok_or_else(no_match)?;
    if !identified(ran, seat) {
        return Err(ReadError::NoAccount);
    }
    let token = format!("{METADATA}/default/token");
    let given = ask(ran, seat, &token);
    if !matches!(given, Ok(200..=299)) {
        return Err(ReadError::NoToken { url: token });
    }
    let target =
        format!("https://storage.googleapis.com/storage/v1/b/{bucket}/o/{object}?alt=media");
    ask(ran, seat, &target).map_err(ReadError::Unreachable)?;
    (seat.object)(bucket, object).map_err(|denied| match denied {
        Denied::NoBucket => ReadError::NoBucket {
            bucket: bucket.to_owned(),
        },
        Denied::NoObject => no_match(),
        Denied::NotAllowed => ReadError::Forbidden {
            identity: seat.identity.clone(),
        },
    })
}

/// The message of Python's urllib3 for a failed connection.
fn urllib3(failure: Failure) -> &'static str {
    match failure {
        Failure::NoSuchHost | Failure::NoDns => {
            "Failed to resolve 'storage.googleapis.com' ([Errno -2] Name or service not known)"
        }
        Failure::TimedOut => "Connection to storage.googleapis.com timed out",
        Failure::Refused => "[Errno 111] Connection refused",
        _ => "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pod::exec_context::{Network, PodContainer};
    use crate::pod::run::Network as Asked;
    use egress::envoy_cluster::EnvoyCluster;
    use egress::request::Source;
    use egress::trace::{HttpAnswer, Trace};

    /// A network in which the metadata server's identity and token and Cloud Storage get these statuses; none is a reset.
    struct Statuses([Option<u16>; 3]);

    impl Asked for Statuses {
        fn trace(&self, request: &Request) -> Trace {
            let which = match (request.host.as_str(), request.path.ends_with("/token")) {
                ("storage.googleapis.com", _) => 2,
                (_, token) => usize::from(token),
            };
            let answer = |status| HttpAnswer {
                status,
                headers: Vec::new(),
                body: String::new(),
            };
            Trace {
                hops: Vec::new(),
                got: self.0[which].map_or(CallerOutcome::Failure(Failure::TlsReset), |status| {
                    CallerOutcome::Answer(answer(status))
                }),
                waits: Duration::ZERO,
                connected: None,
                received: Vec::new(),
                lines: Vec::new(),
                unknown: Vec::new(),
            }
        }
    }

    impl Network for Statuses {
        fn clusters(&self, _: &Source) -> Vec<EnvoyCluster> {
            Vec::new()
        }
    }

    fn played(
        line: &str,
        statuses: [Option<u16>; 3],
        object: Result<&str, Denied>,
    ) -> ProgramResult {
        let seat = ExecContext {
            from: Source {
                namespace: "team-x".to_owned(),
                pod: None,
                sidecar: None,
            },
            container: PodContainer::Application,
            address: String::new(),
            terminal: false,
            date: String::new(),
            flush: std::time::Duration::ZERO,
            identity: "sa@demo-proj.iam.gserviceaccount.com".to_owned(),
            network: &Statuses(statuses),
            object: &|_, _| object.map(str::to_owned),
        };
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        run(&words, &seat)
    }

    #[test]
    fn an_object_is_read_by_who_is_known_may_and_gets_there() {
        let fine = [Some(200), Some(200), Some(404)];
        // (statuses, what storage says, output, errors contain, exit code)
        let cases = [
            (fine, Ok("Hello\n"), "Hello\n", "", 0),
            (
                [Some(502), None, None],
                Ok("x"),
                "",
                "You do not currently have an active account selected.",
                1,
            ),
            (
                [Some(200), Some(403), None],
                Ok("x"),
                "",
                "iam.serviceAccounts.getAccessToken",
                1,
            ),
            (
                [Some(200), Some(200), None],
                Ok("x"),
                "",
                "Connection reset by peer",
                1,
            ),
            (
                fine,
                Err(Denied::NotAllowed),
                "",
                "HTTPError 403: sa@demo-proj.iam.gserviceaccount.com does not have storage.objects.get",
                1,
            ),
            (fine, Err(Denied::NoBucket), "", "gs://b not found: 404.", 1),
            (
                fine,
                Err(Denied::NoObject),
                "",
                "The following URLs matched no objects or files:\ngs://b/o",
                1,
            ),
        ];
        for (statuses, object, out, err, code) in cases {
            let ran = played("storage cat gs://b/o", statuses, object);
            assert_eq!((ran.stdout().as_str(), ran.code), (out, code), "{ran:?}");
            assert!(ran.stderr().contains(err), "{ran:?}");
        }
    }

    #[test]
    fn the_account_is_the_metadata_servers() {
        let ran = played("auth list", [Some(200), None, None], Ok(""));
        assert_eq!(
            ran.stdout(),
            "ACTIVE  ACCOUNT\n*       sa@demo-proj.iam.gserviceaccount.com\n"
        );
        let ran = played("auth list --format=json", [Some(502), None, None], Ok(""));
        assert_eq!((ran.stdout().as_str(), ran.code), ("", 0));
        assert!(ran.stderr().starts_with("\nNo credentialed accounts."));
        let ran = played("compute instances list", [None; 3], Ok(""));
        assert!(
            ran.stderr()
                .contains("not available in the emulated container")
        );
    }
}
