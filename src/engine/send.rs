//! One request that changes something, from its announcement to its end: intend (on disk), send, record the operation (on
//! disk), wait. Refusals that time mends are waited out here.

use std::time::Duration;

use tokio::time::Instant;

use super::event::Event;
use super::failure::Failure;
use super::journal::{Entry, Left, Verb, now};
use super::patience::reason;
use super::worker::Worker;
use crate::google::{ApiError, Class, Departed, retry};
use crate::kinds::{Kind, Look, Sent, Thing};

/// What is to be announced.
pub struct Intent<'a> {
    /// The thing.
    pub thing: &'a Thing,
    /// Its kind.
    pub kind: Kind,
    /// What happens to it.
    pub verb: Verb,
    /// The parts of a set that it concerns.
    pub parts: Vec<String>,
    /// Things that the same request makes or removes inside it.
    pub inside: Vec<Thing>,
    /// The id of the same request, announced before and cut off.
    pub request: Option<String>,
}

/// What became of it.
pub enum Carried {
    /// Google took it and has done it; the intent is still open until the thing was seen.
    Done {
        /// When the intent was announced.
        since: Instant,
    },
    /// It is there already (create): whoever made it.
    AlreadyThere {
        /// When the intent was announced.
        since: Instant,
    },
}

/// First and longest pause between two tries of the same request.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Announces the request and carries it out. The caller closes the intent once it has seen the thing.
pub async fn carry_out<F, R>(
    worker: &Worker,
    intent: Intent<'_>,
    request: F,
) -> Result<Carried, Failure>
where
    F: Fn(String) -> R,
    R: Future<Output = Result<Sent, ApiError>>,
{
    let key = intent.thing.key();
    let what = format!(
        "{} {} {}",
        intent.verb.word(),
        intent.kind.name(),
        intent.thing.short()
    );
    let since = Instant::now();
    let mut pauses = retry::delays(PAUSES.0, PAUSES.1);
    let mut id = intent.request.clone();
    let mut attempt = 0;
    let _turn = worker
        .unless_stopped(worker.lock(intent.kind.lock(&intent.thing.at)))
        .await?;
    loop {
        if worker.stopping() {
            return Err(Failure::Stopped);
        }
        let request_id = match &id {
            // Cut off or refused: the same request again, under the same intent.
            Some(id) if attempt > 0 => id.clone(),
            given => {
                let request_id = given
                    .clone()
                    .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
                worker
                    .write(announcement(worker, &intent, &request_id))
                    .await?;
                worker.tell(Event::Sending {
                    step: worker.step.clone(),
                    verb: intent.verb,
                });
                request_id
            }
        };
        id = Some(request_id.clone());
        attempt += 1;
        let error = match request(request_id).await {
            Ok(Sent::Now) => return Ok(Carried::Done { since }),
            Ok(Sent::Wait(operation)) => {
                worker
                    .write(Entry::Sent {
                        at: now(),
                        key: key.clone(),
                        operation: operation.clone(),
                    })
                    .await?;
                let wait = operation.wait(&worker.door.client, worker.within, &*worker.door.watch);
                match worker.unless_stopped(wait).await? {
                    Ok(_) => return Ok(Carried::Done { since }),
                    // Google forgets operations in time; what there is now decides.
                    Err(error) if error.class == Class::NotFound && !error.of_operation => {
                        return Ok(Carried::Done { since });
                    }
                    Err(error) => error,
                }
            }
            Err(error) if error.class == Class::AlreadyExists && intent.verb == Verb::Create => {
                return Ok(Carried::AlreadyThere { since });
            }
            Err(error) => error,
        };
        let patient = worker
            .patience(error.class, intent.kind)
            .filter(|limit| since.elapsed() < *limit);
        match (patient, pauses.next()) {
            (Some(_), Some(pause)) => {
                if error.of_operation {
                    // This request has come to its end, and its id with it: the next one is another.
                    worker
                        .write(failed(&key, &error.message, left_of(intent.verb)))
                        .await?;
                    id = None;
                }
                worker.door.watch.retrying(
                    &what,
                    &format!("{}: {}", reason(error.class), error.message),
                    attempt,
                    pause,
                );
                worker.pause(pause).await?;
            }
            _ => {
                let failure = Failure::of(&what, &error);
                return Err(account(worker, &intent, &error, failure).await);
            }
        }
    }
}

fn announcement(worker: &Worker, intent: &Intent<'_>, request: &str) -> Entry {
    Entry::Intent {
        at: now(),
        step: worker.step.clone(),
        thing: intent.thing.clone(),
        verb: intent.verb,
        request: request.to_owned(),
        parts: intent.parts.clone(),
        inside: intent.inside.clone(),
    }
}

fn failed(key: &str, message: &str, left: Left) -> Entry {
    Entry::Failed {
        at: now(),
        key: key.to_owned(),
        message: message.to_owned(),
        left,
    }
}

/// What a failed operation leaves as a rule; a look corrects it before anybody is told.
fn left_of(verb: Verb) -> Left {
    match verb {
        Verb::Create => Left::Unknown,
        Verb::Update | Verb::Delete => Left::Something,
    }
}

/// Closes the intent of a request that failed with the truth about what is left: it looks.
async fn account(
    worker: &Worker,
    intent: &Intent<'_>,
    error: &ApiError,
    failure: Failure,
) -> Failure {
    let seen = intent
        .kind
        .look(
            &worker.door,
            &intent.thing.at,
            &serde_json::Value::Null,
            &intent.parts,
        )
        .await;
    let short = intent.thing.short();
    let (left, says) = match (intent.verb, seen) {
        (Verb::Create | Verb::Update, _) if error.left_machine == Departed::No => {
            (Left::Nothing, "nothing new".to_owned())
        }
        (Verb::Create, Ok(Look::Absent)) if !error.of_operation => (
            Left::Unknown,
            format!("{short} is not there, but the answer was lost: run again to be sure"),
        ),
        (_, Ok(Look::Absent)) => (Left::Nothing, format!("{short} is not there")),
        (Verb::Create, Ok(_)) => (
            Left::Something,
            format!("{short} is there, and counts as ours"),
        ),
        (Verb::Update, Ok(_)) => (
            Left::Something,
            format!("{short} is there, perhaps unchanged"),
        ),
        (Verb::Delete, Ok(_)) => (Left::Something, format!("{short} is still there")),
        (_, Err(_)) => (
            Left::Unknown,
            format!("whether {short} is there could not be seen"),
        ),
    };
    match worker
        .write(failed(&intent.thing.key(), &error.message, left))
        .await
    {
        Ok(()) => failure.leaving(says),
        Err(journal) => journal,
    }
}
