//! gcloud and gsutil in a pod: who am I, and what does an object hold.
//!
//! Both get their identity from the metadata server, which the network has to let them reach, as it has to let them reach
//! Cloud Storage. What they print of a connection that fails is not recorded; the rest is in gcloud's words.

use super::run::Ran;
use super::seat::{Denied, Seat};
use crate::egress::account::{Failure, Got};
use crate::egress::request::Request;

const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts";
const AGENT: &str = "google-cloud-sdk gcloud/528.0.0";

/// `gcloud`.
pub fn run(arguments: &[String], seat: &Seat) -> Ran {
    let plain = arguments.iter().filter(|word| !word.starts_with("--"));
    let words: Vec<&str> = plain.map(String::as_str).collect();
    match words.as_slice() {
        ["auth", "list"] => auth_list(seat),
        ["storage", "cat", urls @ ..] if !urls.is_empty() => {
            storage_cat("gcloud.storage.cat", urls, seat)
        }
        _ => Ran::failed(
            1,
            format!(
                "ERROR: (gcloud) gcloud {}: not in the emulated container, which knows gcloud auth list and gcloud storage cat\n",
                arguments.join(" ")
            ),
        ),
    }
}

/// `gsutil`, which has `cat` alone.
pub fn gsutil(arguments: &[String], seat: &Seat) -> Ran {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["cat", urls @ ..] if !urls.is_empty() => storage_cat("gsutil", urls, seat),
        _ => Ran::failed(
            1,
            "CommandException: not in the emulated container, whose gsutil knows cat alone\n",
        ),
    }
}

/// Asks for `url`; says the status, or why there is none.
fn ask(ran: &mut Ran, seat: &Seat, url: &str) -> Result<u16, Failure> {
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
    let account = seat.network.account(&request);
    let got = match &account.got {
        Got::Answer(answer) => Ok(answer.status),
        Got::Failure(failure) => Err(*failure),
    };
    ran.asked(account);
    got
}

/// Whether the metadata server says who the pod is.
fn identified(ran: &mut Ran, seat: &Seat) -> bool {
    matches!(
        ask(ran, seat, &format!("{METADATA}/default/email")),
        Ok(200..=299)
    )
}

fn auth_list(seat: &Seat) -> Ran {
    let mut ran = Ran::default();
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

fn storage_cat(name: &str, urls: &[&str], seat: &Seat) -> Ran {
    let mut ran = Ran::default();
    let outcome = urls.iter().try_for_each(|url| {
        let text = read(&mut ran, url, seat)?;
        ran.out(text);
        Ok::<(), String>(())
    });
    if let Err(error) = outcome {
        ran.err(format!("ERROR: ({name}) {error}\n"));
        ran.code = 1;
    }
    ran
}

fn read(ran: &mut Ran, url: &str, seat: &Seat) -> Result<String, String> {
    let path = url.strip_prefix("gs://");
    let Some((bucket, object)) = path.and_then(|path| path.split_once('/')) else {
        return Err(format!(
            "The following URLs matched no objects or files:\n{url}"
        ));
    };
    if !identified(ran, seat) {
        return Err(
            "You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n\nto obtain new credentials."
                .to_owned(),
        );
    }
    let token = format!("{METADATA}/default/token");
    let given = ask(ran, seat, &token);
    if !matches!(given, Ok(200..=299)) {
        return Err(format!(
            "There was a problem refreshing your current auth tokens: Failed to retrieve {token} from the Google Compute Engine \
             metadata service. Status: 403 Response: Unable to generate access token; IAM returned 403 Forbidden: Permission \
             'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
        ));
    }
    let target =
        format!("https://storage.googleapis.com/storage/v1/b/{bucket}/o/{object}?alt=media");
    if let Err(failure) = ask(ran, seat, &target) {
        return Err(unreachable_storage(failure));
    }
    let identity = &seat.identity;
    (seat.object)(bucket, object).map_err(|denied| match denied {
        Denied::NoBucket => format!("gs://{bucket} not found: 404."),
        Denied::NoObject => format!("The following URLs matched no objects or files:\n{url}"),
        Denied::NotAllowed => format!(
            "HTTPError 403: {identity} does not have storage.objects.get access to the Google Cloud Storage object. Permission \
             'storage.objects.get' denied on resource (or it may not exist). This command is authenticated as {identity} which is \
             the active account specified by the [core/account] property."
        ),
    })
}

fn unreachable_storage(failure: Failure) -> String {
    let cause = match failure {
        Failure::NoSuchHost | Failure::NoDns => {
            "Failed to resolve 'storage.googleapis.com' ([Errno -2] Name or service not known)"
        }
        Failure::TimedOut => "Connection to storage.googleapis.com timed out",
        Failure::Refused => "[Errno 111] Connection refused",
        _ => "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
    };
    format!(
        "HTTPSConnectionPool(host='storage.googleapis.com', port=443): Max retries exceeded (Caused by {cause})"
    )
}
