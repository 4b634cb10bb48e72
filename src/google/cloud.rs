//! Which cloud a run changes: Google Cloud, or an emulator with an identity of its own. The names of resources are the same in
//! each, so that a journal of one must never be carried out on another.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::retry::RetryDecision;
use super::{Api, ApiError, Call, Client, process_env, reach, retry};

/// A cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// Google's services.
    Google,
    /// An emulator with this identity.
    Emulator(String),
    /// A server on this machine that states no identity, at this address.
    Server(String),
}

/// Where an emulator states its identity, at the root of its address.
const IDENTITY: &str = "emulator";

/// After how many further answers without an identity a server has none.
const BELIEVED: u32 = 4;

impl Cloud {
    /// The cloud, as messages show it.
    pub fn words(&self) -> String {
        match self {
            Cloud::Google => "Google Cloud".to_owned(),
            Cloud::Emulator(identity) => format!("the emulator {identity}"),
            Cloud::Server(address) => format!("the server at {address}"),
        }
    }

    /// The cloud that a client's calls change. A server on this machine is asked for its identity.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn of(client: &Client) -> Result<Cloud, ApiError> {
        // The API of the network and of everything in it: an environment cannot do without it.
        if !client.endpoints().is_loopback(Api::Compute) {
            return Ok(Cloud::Google);
        }
        let address = client.endpoints().origin(Api::Compute);
        let url = format!("{address}/{IDENTITY}");
        let asked = Call::get(Api::Compute, IDENTITY);
        let began = Instant::now();
        let mut pauses = retry::delays(Duration::from_millis(100), Duration::from_secs(1));
        let mut without = 0;
        let answer = loop {
            let error = match client.local(&asked, &url).await {
                Ok(answer) if answer.get("identity").is_some() => break answer,
                Ok(_) => None,
                // What no repetition mends is the answer of a server that does not know the question.
                Err(error) => match retry::verdict(&error, true, 1, began.elapsed(), 0.0) {
                    RetryDecision::GiveUp => None,
                    RetryDecision::Again(_) => Some(error),
                },
            };
            let pause = pauses.next().unwrap_or_default();
            match error {
                None if without == BELIEVED => break Value::Null,
                None => without += 1,
                Some(error) if began.elapsed() + pause >= reach::FIRST_PATIENCE => {
                    let url = Url::parse(&url).ok();
                    return Err(reach::explained(error, url.as_ref(), &process_env));
                }
                Some(_) => {}
            }
            tokio::time::sleep(pause).await;
        };
        Ok(match answer.get("identity").and_then(Value::as_str) {
            Some(identity) => Cloud::Emulator(identity.to_owned()),
            None => Cloud::Server(address),
        })
    }
}
