//! The project that calls count against (`x-goog-user-project`), which Google calls the quota project
//! (<https://cloud.google.com/docs/quotas/quota-project>).
//!
//! A service account's calls count against its own project. The calls of a person count against the project of the program that they
//! logged in with, which is one of gcloud's own and has few APIs on, unless a project is named: by `--billing-project`,
//! `GOOGLE_CLOUD_QUOTA_PROJECT`, the credential file or gcloud's settings, in this order. If none is, it is the run's project, as
//! soon as that one's Service Usage API is on: before, the header would make every call fail.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use super::{Api, Call};

/// The header that names the project.
pub(super) const HEADER: &str = "x-goog-user-project";

/// The projects of Google's own programs, by their numbers, and what they are
/// (<https://cloud.google.com/docs/authentication/troubleshoot-adc>; the numbers are in recorded answers).
const GOOGLES: [(&str, &str); 3] = [
    (
        "764086051850",
        "the project of `gcloud auth application-default login`",
    ),
    ("32555940559", "gcloud's own project"),
    ("618104708054", "the project of Cloud Shell"),
];

/// Whether `consumer` (`projects/NUMBER`) is a project of one of Google's own programs.
pub(super) fn is_googles(consumer: &str) -> bool {
    let number = consumer.strip_prefix("projects/");
    GOOGLES.iter().any(|(googles, _)| number == Some(*googles))
}

const UNKNOWN: u8 = 0;
const ON: u8 = 1;
const OFF: u8 = 2;

/// The project that a person's calls count against, if none is named.
#[derive(Default)]
pub(super) struct Quota {
    project: OnceLock<String>,
    /// The project's number, by which Google's errors name it.
    number: Mutex<Option<String>>,
    /// Whether calls can count against it.
    state: AtomicU8,
    /// Held while that is found out, so that concurrent calls ask once.
    asking: tokio::sync::Mutex<()>,
}

impl Quota {
    /// Sets the run's project, once.
    pub fn set_project(&self, project: &str) {
        let _ = self.project.set(project.to_owned());
    }

    /// The run's project, if calls can count against it. `ask` reads the state of its Service Usage API with the header; it gives
    /// nothing if the answer is a refusal.
    pub async fn of_user<F: Future<Output = Option<Value>>>(
        &self,
        ask: impl FnOnce(String) -> F,
    ) -> Option<String> {
        let project = self.project.get()?;
        if self.state.load(Ordering::Relaxed) == UNKNOWN {
            let _asking = self.asking.lock().await;
            if self.state.load(Ordering::Relaxed) == UNKNOWN {
                let answer = ask(project.clone()).await.unwrap_or_default();
                self.learn_number(&answer);
                let state = match answer["state"] == "ENABLED" {
                    true => ON,
                    false => OFF,
                };
                self.state.store(state, Ordering::Relaxed);
            }
        }
        (self.state.load(Ordering::Relaxed) == ON).then(|| project.clone())
    }

    /// Learns from an answer of the Service Usage API: the project's number, and that an API may have been enabled.
    pub fn learn(&self, call: &Call, answer: &Value) {
        if call.api != Api::ServiceUsage {
            return;
        }
        let of_project = self.project.get().is_some_and(|project| {
            let path = format!("v1/projects/{project}/");
            call.path.starts_with(&path)
        });
        if of_project {
            self.learn_number(answer);
            self.learn_number(&answer["services"][0]);
        }
        if answer["done"] == true {
            // Otherwise it is on already, or nobody has asked yet.
            let (was, now) = (OFF, UNKNOWN);
            let order = Ordering::Relaxed;
            let _ = self.state.compare_exchange(was, now, order, order);
        }
    }

    fn learn_number(&self, service: &Value) {
        let parent = service["parent"].as_str();
        let number = parent.and_then(|parent| parent.strip_prefix("projects/"));
        if let Some(number) = number.filter(|number| is_number(number)) {
            let mut known = self.number.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Some(number.to_owned());
        }
    }

    /// The project in which a refused call missed an API, if it is not the run's own.
    pub fn other_consumer(&self, body: &[u8]) -> Option<OtherConsumer> {
        let (consumer, service) = consumer(body)?;
        let googles = GOOGLES.iter().find(|(number, _)| *number == consumer);
        let project = self.project.get();
        let number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = match (is_number(&consumer), project, number.as_ref()) {
            _ if googles.is_some() => true,
            (true, _, Some(number)) => consumer != *number,
            (false, Some(project), _) => consumer != *project,
            // Nothing says whose number it is.
            _ => false,
        };
        is_other.then(|| OtherConsumer {
            consumer,
            service,
            whose: googles.map(|(_, whose)| *whose),
            project: project.cloned(),
        })
    }
}

/// A project that is not the run's own and against which its calls count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OtherConsumer {
    consumer: String,
    service: String,
    whose: Option<&'static str>,
    project: Option<String>,
}

impl OtherConsumer {
    /// What to do.
    pub fn hint(&self) -> String {
        let project = self.project.as_deref().unwrap_or("PROJECT");
        match self.whose {
            Some(_) => format!(
                "name the project that calls count against: `gcloud auth application-default set-quota-project {project}`, or --billing-project {project}; you need roles/serviceusage.serviceUsageConsumer there"
            ),
            None => format!(
                "name another project with --billing-project {project} (you need roles/serviceusage.serviceUsageConsumer there) or with `gcloud auth application-default set-quota-project {project}`, or enable {} in {}",
                self.service, self.consumer
            ),
        }
    }
}

impl fmt::Display for OtherConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the call counts against project {}", self.consumer)?;
        if let Some(whose) = self.whose {
            write!(f, ", {whose}")?;
        }
        match &self.project {
            Some(project) => write!(f, ", and not against {project}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for OtherConsumer {}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The project and the API of a refusal because an API is off.
fn consumer(body: &[u8]) -> Option<(String, String)> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let details = answer["error"]["details"].as_array()?;
    let detail = details
        .iter()
        .find(|detail| detail["reason"] == "SERVICE_DISABLED")?;
    let text = |name: &str| detail["metadata"][name].as_str().unwrap_or_default();
    let consumer = text("consumer").strip_prefix("projects/")?;
    // What comes from outside is cut before it is shown.
    let short = |text: &str| text.chars().take(80).collect::<String>();
    Some((short(consumer), short(text("service"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(consumer: &str) -> Vec<u8> {
        json!({"error": {"code": 403, "message": "off", "status": "PERMISSION_DENIED", "details": [
            {"@type": "type.googleapis.com/google.rpc.Help"},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
             "metadata": {"service": "gkehub.googleapis.com", "consumer": consumer}}]}})
        .to_string()
        .into_bytes()
    }

    fn quota(number: Option<&str>) -> Quota {
        let quota = Quota::default();
        quota.set_project("mine");
        if let Some(number) = number {
            let call = Call::get(Api::ServiceUsage, "v1/projects/mine/services/x");
            quota.learn(&call, &json!({"parent": format!("projects/{number}")}));
        }
        quota
    }

    #[test]
    fn an_api_that_is_off_elsewhere_is_told_from_one_that_is_off_here() {
        for (consumer, number, other) in [
            (
                "projects/764086051850",
                None,
                Some("set-quota-project mine"),
            ),
            (
                "projects/618104708054",
                Some("12"),
                Some("set-quota-project mine"),
            ),
            ("projects/12", Some("12"), None),
            (
                "projects/13",
                Some("12"),
                Some("enable gkehub.googleapis.com in 13"),
            ),
            ("projects/13", None, None),
            ("projects/mine", None, None),
            ("projects/theirs", None, Some("--billing-project mine")),
            ("projects/mine2", None, Some("--billing-project mine")),
            ("projects/example.com:mine", None, Some("--billing-project mine")),
            ("", None, None),
        ] {
            let told = quota(number).other_consumer(&refusal(consumer));
            let hint = told.map(|told| told.hint()).unwrap_or_default();
            assert!(
                hint.contains(other.unwrap_or_default()),
                "{consumer}: {hint}"
            );
            assert_eq!(hint.is_empty(), other.is_none(), "{consumer}: {hint}");
        }
        assert_eq!(quota(None).other_consumer(b"<html>"), None);
        let words = quota(None).other_consumer(&refusal("projects/764086051850"));
        assert_eq!(
            words.unwrap().to_string(),
            "the call counts against project 764086051850, the project of `gcloud auth application-default login`, and not against mine"
        );
    }

    fn never(_: String) -> std::future::Ready<Option<Value>> {
        panic!("asked twice")
    }

    #[tokio::test]
    async fn the_runs_project_is_asked_for_once_and_again_after_an_api_was_enabled() {
        let quota = quota(None);
        let off = |_| async { None };
        let on = |_| async { Some(json!({"state": "ENABLED", "parent": "projects/7"})) };
        assert_eq!(quota.of_user(off).await, None);
        assert_eq!(quota.of_user(never).await, None);
        let done = Call::get(Api::ServiceUsage, "operations/x");
        quota.learn(&done, &json!({"done": true}));
        assert_eq!(quota.of_user(on).await.as_deref(), Some("mine"));
        quota.learn(&done, &json!({"done": true}));
        assert_eq!(quota.of_user(never).await.as_deref(), Some("mine"));
        assert!(quota.other_consumer(&refusal("projects/7")).is_none());
        assert!(Quota::default().of_user(never).await.is_none());
    }
}
