//! The threads that write what a verb says, one for each stream. A reader that takes no text (a full pipe, Ctrl-S) holds up such a
//! thread and not the run: whoever says something waits a moment until it is written, and then goes on without.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long a text may take before what follows it is done without waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a text goes.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// Data.
    Out,
    /// Messages.
    Err,
}

/// A text, and who is told that it is written.
struct Text {
    text: String,
    written: Sender<()>,
}

/// The thread of a stream.
struct Writer {
    /// None if it could not be started.
    texts: OnceLock<Option<Sender<Text>>>,
    /// Whether a text is not written yet that has used up the patience.
    is_stuck: AtomicBool,
}

static OUT: Writer = Writer::new();
static ERR: Writer = Writer::new();

/// Writes a text after all earlier ones of the stream.
pub fn write(stream: Stream, text: String) {
    let writer = Writer::of(stream);
    let done = writer.send(stream, text);
    // Behind a text that is stuck, everything is.
    if !writer.is_stuck.load(Ordering::Relaxed) && done.recv_timeout(PATIENCE).is_err() {
        writer.is_stuck.store(true, Ordering::Relaxed);
    }
}

/// Waits until everything is written, however long that takes.
pub fn finish() {
    for stream in [Stream::Out, Stream::Err] {
        let done = Writer::of(stream).send(stream, String::new());
        // An error means that there is no thread, and nothing to wait for.
        let _ = done.recv();
    }
}

impl Writer {
    const fn new() -> Writer {
        Writer {
            texts: OnceLock::new(),
            is_stuck: AtomicBool::new(false),
        }
    }

    fn of(stream: Stream) -> &'static Writer {
        match stream {
            Stream::Out => &OUT,
            Stream::Err => &ERR,
        }
    }

    /// Hands a text to the thread; without a thread it is written here.
    fn send(&'static self, stream: Stream, text: String) -> Receiver<()> {
        let texts = self.texts.get_or_init(|| {
            let (sender, texts) = channel::<Text>();
            let thread = thread::Builder::new().name("writer".to_owned());
            let started = thread.spawn(move || {
                for text in texts {
                    put(stream, text);
                    self.is_stuck.store(false, Ordering::Relaxed);
                }
            });
            started.is_ok().then_some(sender)
        });
        let (written, done) = channel();
        let text = Text { text, written };
        match texts {
            Some(texts) => {
                if let Err(unsent) = texts.send(text) {
                    put(stream, unsent.0);
                }
            }
            None => put(stream, text),
        }
        done
    }
}

/// Writes a text. A reader that is gone is no reason to fail.
fn put(stream: Stream, text: Text) {
    let bytes = text.text.as_bytes();
    let _ = match stream {
        Stream::Out => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        Stream::Err => std::io::stderr().lock().write_all(bytes),
    };
    // Whoever said it may have gone on.
    let _ = text.written.send(());
}
