//! Stands between the program and the cloud and answers chosen requests itself, in the words that people got from Google.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::cloud::{Cloud, pointed_at};
use super::middle::request::Asked;
use super::middle::{Fate, Middle, Watch};
use super::program::User;

/// The answer to a request, if it is one of those that are answered here.
type Rule = Box<dyn Fn(&Asked) -> Option<(u16, Value)> + Send + Sync>;

/// Runs until it is dropped.
pub struct Refusing {
    inner: Arc<Inner>,
    middle: Middle,
}

#[derive(Default)]
struct Inner {
    rule: Mutex<Option<Rule>>,
    answered: Mutex<Vec<Asked>>,
}

impl Refusing {
    /// Before a cloud; everything passes.
    pub fn new(cloud: &Cloud) -> Refusing {
        let inner = Arc::<Inner>::default();
        let middle = Middle::new(cloud.address(), inner.clone());
        Refusing { inner, middle }
    }

    /// A user whose program comes this way.
    pub fn user(&self) -> User {
        pointed_at(User::new(), self.middle.address())
    }

    /// What is answered here from now on.
    pub fn answers(&self, rule: impl Fn(&Asked) -> Option<(u16, Value)> + Send + Sync + 'static) {
        *self.inner.rule.lock().unwrap() = Some(Box::new(rule));
        self.inner.answered.lock().unwrap().clear();
    }

    /// How many requests with this method were answered here since.
    pub fn count(&self, method: &str) -> usize {
        let answered = self.inner.answered.lock().unwrap();
        answered
            .iter()
            .filter(|asked| asked.method == method)
            .count()
    }
}

impl Watch for Inner {
    fn comes(&self, asked: &Asked, _body: &[u8]) -> Fate {
        let rule = self.rule.lock().unwrap();
        match rule.as_ref().and_then(|rule| rule(asked)) {
            Some((http, body)) => {
                self.answered.lock().unwrap().push(asked.clone());
                Fate::Said(http, body)
            }
            None => Fate::Passes,
        }
    }
}

/// An error with a status and details, as newer APIs send it.
pub fn error(http: u16, status: &str, message: &str, details: Value) -> (u16, Value) {
    let mut error = json!({"code": http, "message": message, "status": status});
    if !details.is_null() {
        error["details"] = details;
    }
    (http, json!({ "error": error }))
}
