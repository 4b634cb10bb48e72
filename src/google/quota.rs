//! The project that calls count against (`x-goog-user-project`), which Google calls the quota project
//! (<https://cloud.google.com/docs/quotas/quota-project>).
//!
//! A service account's calls count against its own project. The calls of a person count against the project of the program that they
//! logged in with, which is one of gcloud's own and has few APIs on, unless a project is named: by `--billing-project`,
//! `GOOGLE_CLOUD_QUOTA_PROJECT`, the credential file or gcloud's settings, in this order. If none is, it is the run's project, as
//! soon as that one's Service Usage API is on: before, the header would make every call fail.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use super::envelope::Refusal;
use super::{Api, Call, Class};

/// The header that names the project.
pub(super) const HEADER: &str = "x-goog-user-project";

/// The projects of Google's own programs, by their numbers, and what they are
/// (<https://cloud.google.com/docs/authentication/troubleshoot-adc>). No record backs the numbers: 764086051850 and 32555940559 begin the
/// client ids in gcloud's sources, 618104708054 is quoted in github.com/googleapis/google-cloud-java/issues/3252.
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

/// What the question whether calls can count against a project has shown.
#[derive(Debug)]
pub(super) enum Probe {
    /// The state of the API.
    Answered(Value),
    /// Google has refused: as long as nothing changes in the project, it refuses again.
    Refused,
    /// Nothing: no answer, a fault of the server, or a refusal of the token or of the number of calls.
    Nothing,
}

/// The project that a person's calls count against, if none is named.
#[derive(Default)]
pub(super) struct Quota {
    project: OnceLock<String>,
    /// The project's number, by which Google's errors name it.
    number: Mutex<Option<String>>,
    /// Whether calls can count against it.
    state: AtomicU8,
    /// How often that was asked; held while it is found out, so that concurrent calls ask once.
    asked: tokio::sync::Mutex<()>,
    times: AtomicU32,
}

impl Quota {
    /// Sets the run's project, once.
    pub fn set_project(&self, project: &str) {
        let _ = self.project.set(project.to_owned());
    }

    /// The run's project, if calls can count against it. `ask` reads the state of its Service Usage API with the header. Where that
    /// shows nothing, the next call asks again.
    pub async fn of_user<F: Future<Output = Probe>>(
        &self,
        ask: impl FnOnce(String) -> F,
    ) -> Option<String> {
        let project = self.project.get()?;
        if self.state.load(Ordering::Relaxed) == UNKNOWN {
            let before = self.times.load(Ordering::Relaxed);
            let _asking = self.asked.lock().await;
            // Who has waited for another call's question has its answer, also if that is nothing.
            let is_answered = self.times.load(Ordering::Relaxed) != before;
            if self.state.load(Ordering::Relaxed) == UNKNOWN && !is_answered {
                let state = match ask(project.clone()).await {
                    Probe::Answered(answer) => {
                        self.learn_number(answer["parent"].as_str());
                        if answer["state"] == "ENABLED" {
                            ON
                        } else {
                            OFF
                        }
                    }
                    Probe::Refused => OFF,
                    Probe::Nothing => UNKNOWN,
                };
                self.state.store(state, Ordering::Relaxed);
                self.times.fetch_add(1, Ordering::Relaxed);
            }
        }
        (self.state.load(Ordering::Relaxed) == ON).then(|| project.clone())
    }

    /// Learns from an answer of the Service Usage API or of Resource Manager: the project's number, and that an API may have been
    /// enabled.
    pub fn learn(&self, call: &Call, answer: &Value) {
        if call.api == Api::CloudResourceManager
            && let Some(project) = self.project.get()
            && answer["projectId"] == project.as_str()
        {
            // Version 3 has the number in the name.
            let number = answer["projectNumber"].as_str();
            self.learn_number(number.or(answer["name"].as_str()));
        }
        if call.api != Api::ServiceUsage {
            return;
        }
        let of_project = self.project.get().is_some_and(|project| {
            let path = format!("v1/projects/{project}/");
            call.path.starts_with(&path)
        });
        if of_project {
            self.learn_number(answer["parent"].as_str());
            self.learn_number(answer["services"][0]["parent"].as_str());
        }
        if answer["done"] == true {
            // Otherwise it is on already, or nobody has asked yet.
            let (was, now) = (OFF, UNKNOWN);
            let order = Ordering::Relaxed;
            let _ = self.state.compare_exchange(was, now, order, order);
        }
    }

    /// Learns the project's number, from `NUMBER` or `projects/NUMBER`.
    fn learn_number(&self, text: Option<&str>) {
        let number = text.map(|text| text.strip_prefix("projects/").unwrap_or(text));
        if let Some(number) = number.filter(|number| is_number(number)) {
            let mut known = self.number.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Some(number.to_owned());
        }
    }

    /// The project in which a refused call missed an API, if it is not the run's own. `sent` is the project that the call's header
    /// named.
    pub fn other_consumer(&self, refusal: &Refusal, sent: Option<&str>) -> Option<OtherConsumer> {
        if !matches!(Class::of(refusal), Class::ApiDisabled | Class::QuotaProject) {
            return None;
        }
        let consumer = refusal.consumer.as_deref()?.strip_prefix("projects/")?;
        // What comes from outside is cut before it is shown.
        let short = |text: &str| text.chars().take(80).collect::<String>();
        let consumer = short(consumer);
        let service = short(refusal.service.as_deref().unwrap_or("the API"));
        let googles = GOOGLES.iter().find(|(number, _)| *number == consumer);
        let project = self.project.get();
        let number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = match (is_number(&consumer), project, number.as_ref()) {
            _ if googles.is_some() => true,
            (true, _, Some(number)) => consumer != *number,
            (false, Some(project), _) => consumer != *project,
            // It is the number of the project in the header. Without a header nothing says whose number it is.
            (true, Some(project), None) => sent.is_some_and(|sent| sent != project),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(consumer: &str) -> Refusal {
        let body = json!({"error": {"code": 403, "message": "off", "status": "PERMISSION_DENIED", "details": [
            {"@type": "type.googleapis.com/google.rpc.Help"},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
             "metadata": {"service": "gkehub.googleapis.com", "consumer": consumer}}]}});
        Refusal::of_answer(403, body.to_string().as_bytes())
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
            (
                "projects/example.com:mine",
                None,
                Some("--billing-project mine"),
            ),
            ("", None, None),
        ] {
            let told = quota(number).other_consumer(&refusal(consumer), None);
            let hint = told.map(|told| told.hint()).unwrap_or_default();
            assert!(
                hint.contains(other.unwrap_or_default()),
                "{consumer}: {hint}"
            );
            assert_eq!(hint.is_empty(), other.is_none(), "{consumer}: {hint}");
        }
        let html = Refusal::of_answer(403, b"<html>");
        assert_eq!(quota(None).other_consumer(&html, None), None);
        let words = quota(None).other_consumer(&refusal("projects/764086051850"), None);
        assert_eq!(
            words.unwrap().to_string(),
            "the call counts against project 764086051850, the project of `gcloud auth application-default login`, and not against mine"
        );
    }

    async fn never(_: String) -> Probe {
        panic!("asked twice")
    }

    #[test]
    fn the_header_and_resource_manager_say_whose_number_it_is() {
        let other = |quota: &Quota, sent| {
            let told = quota.other_consumer(&refusal("projects/12"), sent);
            told.is_some()
        };
        let unknown = quota(None);
        assert!(!other(&unknown, None), "nothing says whose number it is");
        assert!(!other(&unknown, Some("mine")));
        assert!(other(&unknown, Some("payer")));
        for (answer, expected) in [
            (json!({"projectId": "mine", "projectNumber": "12"}), false),
            (json!({"projectId": "mine", "projectNumber": "13"}), true),
            (json!({"projectId": "mine", "name": "projects/13"}), true),
            (json!({"projectId": "theirs", "projectNumber": "13"}), false),
        ] {
            let quota = quota(None);
            let call = Call::get(Api::CloudResourceManager, "v1/projects/mine");
            quota.learn(&call, &answer);
            assert_eq!(other(&quota, None), expected, "{answer}");
        }
    }

    #[test]
    fn an_old_sentence_names_the_project_too() {
        for (message, expected) in [
            (
                "Cloud DNS API has not been used in project 764086051850 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/dns.googleapis.com/overview?project=764086051850 then retry.",
                Some("set-quota-project mine"),
            ),
            (
                "X API has not been used in project theirs before or it is disabled.",
                Some("enable the API in theirs"),
            ),
            (
                "X API has not been used in project mine before or it is disabled.",
                None,
            ),
        ] {
            let body = json!({"error": {"code": 403, "message": message, "errors": [{"reason": "accessNotConfigured"}]}});
            let refusal = Refusal::of_answer(403, body.to_string().as_bytes());
            let told = quota(None).other_consumer(&refusal, None);
            let hint = told.map(|told| told.hint()).unwrap_or_default();
            assert_eq!(hint.is_empty(), expected.is_none(), "{hint}");
            assert!(hint.contains(expected.unwrap_or_default()), "{hint}");
        }
    }

    #[tokio::test]
    async fn what_shows_nothing_is_asked_again() {
        let quota = quota(None);
        let nothing = |_| async move { Probe::Nothing };
        assert_eq!(quota.of_user(nothing).await, None);
        let on = |_| async move { Probe::Answered(json!({"state": "ENABLED"})) };
        assert_eq!(quota.of_user(on).await.as_deref(), Some("mine"));
    }

    #[tokio::test]
    async fn the_runs_project_is_asked_for_once_and_again_after_an_api_was_enabled() {
        let quota = quota(None);
        let off = |_| async move { Probe::Refused };
        let state = json!({"state": "ENABLED", "parent": "projects/7"});
        let on = |_| async move { Probe::Answered(state) };
        assert_eq!(quota.of_user(off).await, None);
        assert_eq!(quota.of_user(never).await, None);
        let done = Call::get(Api::ServiceUsage, "operations/x");
        quota.learn(&done, &json!({"done": true}));
        assert_eq!(quota.of_user(on).await.as_deref(), Some("mine"));
        quota.learn(&done, &json!({"done": true}));
        assert_eq!(quota.of_user(never).await.as_deref(), Some("mine"));
        let refusal = refusal("projects/7");
        assert!(quota.other_consumer(&refusal, None).is_none());
        assert!(Quota::default().of_user(never).await.is_none());
    }
}
