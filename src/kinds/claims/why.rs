//! Why a request gets what it gets, by everything that is there: the hint beside a check that failed.

use serde_json::{Map, Value};

use crate::egress::account::{Account, Got};
use crate::egress::request::Request;
use crate::egress::scene::Scene;
use crate::kinds::{Door, surroundings};

/// What decides about the request of `at`; none where that cannot be read or is none.
pub async fn why(door: &Door, at: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| at.get(key).and_then(Value::as_str);
    let (method, url) = text("request")?.split_once(' ')?;
    let mut request = Request::get(text("namespace")?, url).ok()?;
    request.method = method.to_owned();
    // The check has failed already: what cannot be read now is told by whoever looks next.
    let sources = surroundings::read(door, at).await.ok()??;
    Some(words(&Scene::read(&sources).account(&request)))
}

/// The hop that decides, in a sentence. Pure.
fn words(account: &Account) -> String {
    let got = match &account.got {
        Got::Answer(answer) => format!("the answer is {}", answer.status),
        Got::Failure(failure) => format!("curl ends with {}", failure.exit()),
    };
    match account.stopped_at() {
        Some(hop) => {
            let ruling = &hop.ruling;
            let by = ruling.by.as_ref().map(|by| format!(" ({by})"));
            let (name, because) = (&hop.name, &ruling.because);
            format!(
                "by what is there, {got}: at {name}, {because}{}",
                by.unwrap_or_default()
            )
        }
        None => format!(
            "by what is there nothing stops the request and {got}: what was changed last may not have reached the proxies yet"
        ),
    }
}
