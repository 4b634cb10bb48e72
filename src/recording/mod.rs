//! A recording: what this program asked Google's APIs and a cluster, and what they answered, as one JSON file in the form of
//! `fixtures/recorded`.
//!
//! Nothing secret and nobody's identity is in it ([`redact`]); headers are not in it at all, and neither are the requests for
//! tokens. It does not decide over a run: a file that can no longer be written ends the recording.

mod cluster;
mod patterns;
mod redact;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

pub use cluster::Recorded;
pub use patterns::without_secrets;
use redact::Redactor;

/// The end of the file, which each exchange is written before: the file is complete at every instant.
const END: &str = "\n]}\n";

/// One request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The HTTP method.
    pub method: String,
    /// The address, with Google's own host also where an emulator answered.
    pub url: String,
    /// The JSON of the request; null if it had none.
    pub body: Value,
    /// The HTTP status of the answer; none if the connection was lost.
    pub status: Option<u16>,
    /// The JSON of the answer, or its text; null if it had none.
    pub response: Value,
}

/// Writes exchanges into a file. Clones write into the same file.
#[derive(Clone)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
}

struct State {
    /// None after a write that failed.
    file: Option<File>,
    /// Where the next exchange begins.
    end: u64,
    is_first: bool,
    redactor: Redactor,
    /// Called once if the file cannot be written.
    failed: fn(&io::Error),
}

impl Recorder {
    /// Creates the file, which only its owner may read. `project` is replaced wherever it occurs; `failed` is called once if the
    /// file can no longer be written.
    ///
    /// # Errors
    /// The file exists already and has exchanges or another content, or it cannot be created.
    pub fn create(path: &Path, project: &str, failed: fn(&io::Error)) -> io::Result<Recorder> {
        let origin = format!(
            "recorded by provision {} against the services that its requests name",
            env!("CARGO_PKG_VERSION")
        );
        let head = format!("{{\"origin\": {},\n\"exchanges\": [", Value::from(origin));
        let empty = format!("{head}{END}");
        let mut new = OpenOptions::new();
        new.write(true).create_new(true).mode(0o600);
        let mut file = match new.open(path) {
            // A run that reached no server leaves a recording without exchanges: nothing is lost with it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is(path, &empty) => {
                OpenOptions::new().write(true).open(path)?
            }
            opened => opened?,
        };
        file.write_all(empty.as_bytes())?;
        Ok(Recorder {
            state: Arc::new(Mutex::new(State {
                file: Some(file),
                end: head.len() as u64,
                is_first: true,
                redactor: Redactor::new(project),
                failed,
            })),
        })
    }

    /// Writes one exchange. A poll of an operation that is still running is left out.
    pub fn write(&self, exchange: Exchange) {
        if exchange.method == "GET" && is_running(&exchange.response) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let exchange = state.redactor.exchange(exchange);
        if let Err(error) = state.write(&exchange) {
            state.file = None;
            (state.failed)(&error);
        }
    }
}

impl State {
    fn write(&mut self, exchange: &Exchange) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut line = json!({"method": exchange.method, "url": exchange.url});
        if !exchange.body.is_null() {
            line["body"] = exchange.body.clone();
        }
        if let Some(status) = exchange.status {
            line["status"] = status.into();
        }
        if !exchange.response.is_null() {
            line["response"] = exchange.response.clone();
        }
        let text = format!("{}\n{line}", if self.is_first { "" } else { "," });
        file.seek(SeekFrom::Start(self.end))?;
        if let Err(error) = file.write_all(format!("{text}{END}").as_bytes()) {
            // A disk that is full takes a part of it: what was complete before is complete again.
            file.set_len(self.end)?;
            file.seek(SeekFrom::Start(self.end))?;
            file.write_all(END.as_bytes())?;
            return Err(error);
        }
        self.end += text.len() as u64;
        self.is_first = false;
        Ok(())
    }
}

/// Whether a file has this content.
fn is(path: &Path, content: &str) -> bool {
    let has_length = fs::metadata(path).is_ok_and(|file| file.len() == content.len() as u64);
    has_length && fs::read(path).is_ok_and(|read| read == content.as_bytes())
}

/// A body as JSON; as text if it is not JSON; null if it is empty.
pub fn json_or_text(body: &[u8]) -> Value {
    match body {
        [] => Value::Null,
        body => serde_json::from_slice(body)
            .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into()),
    }
}

/// Whether an answer is an operation that has not ended.
fn is_running(answer: &Value) -> bool {
    let is_operation = answer["kind"] == "compute#operation"
        || answer.get("operationType").is_some()
        || answer["name"]
            .as_str()
            .is_some_and(|name| name.contains("operations/"));
    is_operation && answer["status"] != "DONE" && answer["done"] != true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(url: &str, response: Value) -> Exchange {
        Exchange {
            method: "GET".to_owned(),
            url: url.to_owned(),
            body: Value::Null,
            status: Some(200),
            response,
        }
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn the_file_is_complete_after_each_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording.json");
        let recorder = Recorder::create(&path, "my-project", |_| ()).unwrap();
        assert_eq!(read(&path)["exchanges"], json!([]));
        drop(recorder);
        let recorder = Recorder::create(&path, "my-project", |_| ()).unwrap();
        for n in 1..=3 {
            let running = json!({"name": "operations/o", "done": false});
            recorder.write(exchange("https://a.googleapis.com/operations/o", running));
            recorder.write(exchange("https://a.googleapis.com/b", json!({"n": n})));
            let recording = read(&path);
            assert_eq!(recording["exchanges"].as_array().unwrap().len(), n);
            assert_eq!(recording["exchanges"][n - 1]["response"]["n"], n);
        }
        assert!(
            Recorder::create(&path, "my-project", |_| ()).is_err(),
            "an existing file is never overwritten"
        );
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_the_recording() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static FAILED: AtomicU32 = AtomicU32::new(0);
        let recorder = Recorder {
            state: Arc::new(Mutex::new(State {
                file: Some(File::open("/dev/null").unwrap()),
                end: 0,
                is_first: true,
                redactor: Redactor::new("my-project"),
                failed: |_| {
                    FAILED.fetch_add(1, Ordering::Relaxed);
                },
            })),
        };
        for _ in 0..3 {
            recorder.write(exchange("https://a.googleapis.com/b", Value::Null));
        }
        assert_eq!(FAILED.load(Ordering::Relaxed), 1);
    }
}
