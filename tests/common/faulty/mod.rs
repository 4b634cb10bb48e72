//! Puts faults on the wire between the program and the cloud, and between the program and its cluster: what arrives there is
//! what an unlucky day looks like.

pub mod fault;
pub mod plan;
pub mod truth;
pub mod undisturbed;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::cloud::PROJECT;
use super::middle::request::Asked;
use super::middle::{Fate, Middle, Watch};
use fault::Fault;
use plan::Plan;

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(1200);

/// Runs until it is dropped.
pub struct Faulty {
    inner: Arc<Inner>,
    middle: Middle,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    plan: Plan,
    /// What befell which request.
    hits: Vec<(Fault, String)>,
    /// How often a kind of request came, in the order of their first coming.
    heard: Vec<(Asked, usize)>,
    /// Requests that began an operation of the cloud's: sent again, they are answered with that one, which does not fail.
    begun: HashSet<Vec<u8>>,
    /// Operations that exist only to fail, and how they end.
    doomed: HashMap<String, Value>,
}

impl Faulty {
    /// Before a cloud, calm.
    pub fn new(cloud: SocketAddr) -> Faulty {
        let inner = Arc::<Inner>::default();
        let middle = Middle::new(cloud, inner.clone());
        Faulty { inner, middle }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.middle.address()
    }

    /// What is going to happen from now on.
    pub fn plans(&self, plan: Plan) {
        let mut state = self.inner.state.lock().unwrap();
        state.plan = plan;
        state.hits.clear();
        state.heard.clear();
    }

    /// What has happened since.
    pub fn hits(&self) -> Vec<(Fault, String)> {
        self.inner.state.lock().unwrap().hits.clone()
    }

    /// One request of each kind that came since, and how many there were.
    pub fn heard(&self) -> Vec<(Asked, usize)> {
        self.inner.state.lock().unwrap().heard.clone()
    }
}

impl Watch for Inner {
    fn comes(&self, asked: &Asked, body: &[u8]) -> Fate {
        if let Some(end) = self.doomed(&asked.path) {
            return Fate::Said(200, end);
        }
        let itself = [asked.method.as_bytes(), asked.path.as_bytes(), body].concat();
        let fate = match self.decide(asked) {
            None => Fate::Passes,
            Some(Fault::ResetBefore) => Fate::Broken,
            Some(Fault::Slow) => Fate::Late(SLOW),
            Some(Fault::AnswerLost) => Fate::AnswerLost,
            Some(Fault::CutOff) => Fate::AnswerCut,
            Some(fault @ (Fault::OperationFails | Fault::OperationQuota)) => {
                let begun = self.state.lock().unwrap().begun.contains(&itself);
                match begun {
                    true => Fate::Passes,
                    false => Fate::Said(200, self.doom(fault, asked)),
                }
            }
            Some(fault) => match fault.answer(asked) {
                Some((http, refusal)) if fault == Fault::MemberTooEarly => {
                    Fate::Said(http, with_member(refusal, body))
                }
                Some((http, body)) => Fate::Said(http, body),
                None => Fate::Passes,
            },
        };
        let arrives = !matches!(fate, Fate::Broken | Fate::Said(..));
        if arrives && asked.begins_operation() {
            self.state.lock().unwrap().begun.insert(itself);
        }
        fate
    }
}

/// The refusal of a policy names a service account that a step creates: the last one of the policy that was sent, if there is one.
fn with_member(refusal: Value, sent: &[u8]) -> Value {
    let sent = String::from_utf8_lossy(sent);
    let account = sent.split("serviceAccount:").skip(1).filter_map(|rest| {
        let account = rest.split('"').next()?;
        account.starts_with("sa-").then_some(account)
    });
    let named = "sa-test-app-team-x@p.iam.gserviceaccount.com";
    let usual = format!("sa-test-app-team-x@{PROJECT}.iam.gserviceaccount.com");
    let account = account.last().unwrap_or(&usual);
    let text = refusal.to_string().replace(named, account);
    serde_json::from_str(&text).unwrap()
}

impl Inner {
    fn decide(&self, asked: &Asked) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let kind = asked.kind();
        match state.heard.iter_mut().find(|(one, _)| one.kind() == kind) {
            Some((_, count)) => *count += 1,
            None => state.heard.push((asked.clone(), 1)),
        }
        let fault = state.plan.decide(asked)?;
        state.hits.push((fault, kind));
        Some(fault)
    }

    /// The end of an operation that exists only to fail.
    fn doomed(&self, path: &str) -> Option<Value> {
        let state = self.state.lock().unwrap();
        let part = path.split('/').find(|part| part.contains("doomed-"))?;
        state.doomed.get(part).cloned()
    }

    /// Begins an operation that is going to fail; the cloud hears nothing of it.
    fn doom(&self, fault: Fault, asked: &Asked) -> Value {
        let mut state = self.state.lock().unwrap();
        let number = state.doomed.len();
        let name = match asked.api() {
            "serviceusage" => format!("acat.doomed-{number}"),
            _ => format!("operation-doomed-{number}"),
        };
        let place = asked
            .path
            .split_once("/locations/")
            .and_then(|(before, after)| {
                let project = before.rsplit('/').next()?;
                let location = after.split('/').next()?;
                Some(format!(
                    "projects/{project}/locations/{location}/operations/{name}"
                ))
            });
        let (running, shown) = match asked.api() {
            "compute" => (
                json!({"kind": "compute#operation", "status": "RUNNING", "progress": 0}),
                name.clone(),
            ),
            "container" => (json!({"status": "RUNNING"}), name.clone()),
            "serviceusage" => (json!({}), format!("operations/{name}")),
            _ => (
                json!({"done": false}),
                place.unwrap_or_else(|| name.clone()),
            ),
        };
        let named = |mut operation: Value| {
            operation["name"] = json!(shown);
            operation
        };
        state
            .doomed
            .insert(name, named(fault.end_of_operation(asked.api())));
        named(running)
    }
}
