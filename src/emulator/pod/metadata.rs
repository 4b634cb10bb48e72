//! GKE's metadata server: what it answers once a request has reached it.
//!
//! It names the pod's Google account and its project. Its tokens have no meaning: they are not checked anywhere.

use egress::request::{Request, Scheme};
use egress::trace::{CallerOutcome, Trace};

/// Its names and its address.
const HOSTS: &[&str] = &["metadata.google.internal", "metadata", "169.254.169.254"];

/// A pod's identity at Google.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account that the metadata server names.
    pub email: String,
    /// Whether that account lets the pod act as it: `roles/iam.workloadIdentityUser`.
    pub impersonates: bool,
    /// The project.
    pub project: String,
}

/// Puts the metadata server's answer into the trace of a request that reached it.
pub fn answered(mut account: Trace, request: &Request, identity: &Identity) -> Trace {
    let asked = request.scheme == Scheme::Http && HOSTS.contains(&request.host.as_str());
    let reached = account.stopped_at().is_none();
    if let CallerOutcome::Answer(answer) = &mut account.got
        && asked
        && reached
    {
        let (status, body) = says(request, identity);
        answer.status = status;
        answer.headers.retain(|(name, _)| {
            !["content-length", "content-type"].contains(&name.to_lowercase().as_str())
        });
        let own = [
            ("content-type", "application/text".to_owned()),
            ("content-length", body.len().to_string()),
            ("metadata-flavor", "Google".to_owned()),
        ];
        answer
            .headers
            .extend(own.map(|(name, value)| (name.to_owned(), value)));
        answer.body = if request.method == "HEAD" {
            String::new()
        } else {
            body
        };
    }
    account
}

fn says(request: &Request, identity: &Identity) -> (u16, String) {
    if request.header("metadata-flavor") != Some("Google") {
        let why = "Missing required header \"Metadata-Flavor\": \"Google\"\n";
        return (403, why.to_owned());
    }
    let Identity {
        email,
        impersonates,
        project,
    } = identity;
    let path = request.path.split('?').next().unwrap_or_default();
    let known = path
        .strip_prefix("/computeMetadata/v1/")
        .unwrap_or_default();
    let accounts = known.strip_prefix("instance/service-accounts/");
    // An account may be asked for by its name too.
    let of_account = accounts.map(|rest| rest.replacen(email.as_str(), "default", 1));
    match (known, of_account.as_deref()) {
        ("project/project-id", _) => (200, project.clone()),
        (_, Some("")) => (200, format!("default/\n{email}/\n")),
        (_, Some("default/email")) => (200, email.clone()),
        (_, Some("default/token")) if *impersonates => {
            (200, "{\"access_token\":\"emulated\",\"expires_in\":3599,\"token_type\":\"Bearer\"}".to_owned())
        }
        (_, Some("default/token")) => (
            403,
            "Unable to generate access token; IAM returned 403 Forbidden: Permission 'iam.serviceAccounts.getAccessToken' denied on \
             resource (or it may not exist).\n"
                .to_owned(),
        ),
        _ => (404, "404 page not found\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use egress::trace::{Failure, HttpAnswer};

    fn account(got: CallerOutcome) -> Trace {
        Trace {
            hops: Vec::new(),
            got,
            waits: Duration::ZERO,
            received: Vec::new(),
            connected: None,
            lines: Vec::new(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn it_says_who_the_pod_is_to_those_who_ask_properly() {
        let identity = Identity {
            email: "sa@demo-proj.iam.gserviceaccount.com".to_owned(),
            impersonates: false,
            project: "demo-proj".to_owned(),
        };
        let accounts = "/computeMetadata/v1/instance/service-accounts";
        // (path, with its header, status, body begins with)
        let cases = [
            (
                format!("{accounts}/default/email"),
                true,
                200,
                "sa@demo-proj",
            ),
            (
                format!("{accounts}/sa@demo-proj.iam.gserviceaccount.com/email"),
                true,
                200,
                "sa@demo-proj",
            ),
            (format!("{accounts}/"), true, 200, "default/\nsa@"),
            (
                format!("{accounts}/default/token"),
                true,
                403,
                "Unable to generate access token",
            ),
            (
                "/computeMetadata/v1/project/project-id".to_owned(),
                true,
                200,
                "demo-proj",
            ),
            (
                format!("{accounts}/default/email"),
                false,
                403,
                "Missing required header",
            ),
            ("/".to_owned(), true, 404, "404"),
        ];
        for (path, flavor, status, begins) in cases {
            let mut request =
                Request::get("team-x", &format!("http://metadata.google.internal{path}")).unwrap();
            if flavor {
                request
                    .headers
                    .push(("metadata-flavor".to_owned(), "Google".to_owned()));
            }
            let plain = HttpAnswer {
                status: 200,
                headers: Vec::new(),
                body: "played by somebody else".to_owned(),
            };
            let CallerOutcome::Answer(answer) =
                answered(account(CallerOutcome::Answer(plain)), &request, &identity).got
            else {
                panic!("an answer stays one")
            };
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.body.starts_with(begins), "{path}: {}", answer.body);
        }
        let request = Request::get("team-x", "http://metadata.google.internal/").unwrap();
        let failed = account(CallerOutcome::Failure(Failure::Reset));
        assert_eq!(
            answered(failed.clone(), &request, &identity),
            failed,
            "who does not reach it is told nothing"
        );
    }
}
