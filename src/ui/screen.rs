//! The screen of a run: a block on a terminal, lines elsewhere, JSON when asked. It is on a thread of its own, because a terminal
//! that takes no text (Ctrl-S, a pipe that nobody reads) must not stop the run.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::lines::Lines;
use super::live::Live;
use super::log::Log;
use super::outline::Outline;
use super::progress::Progress;
use super::{Paint, json_line, printable, stamped};
use crate::engine::event::Event;

/// How long to wait for an event before what is due is drawn without one.
const NO_EVENT: Duration = Duration::from_millis(100);

/// Shows a run's events, in their order. Showing one does not wait until it is written.
pub struct Screen {
    requests: Sender<Request>,
    began: Instant,
}

/// Prints lines on a screen that are no events of a run.
#[derive(Clone)]
pub struct ScreenPrinter {
    requests: Sender<Request>,
}

impl ScreenPrinter {
    /// Prints a permanent line on stderr, above the block if there is one. It does not wait until the line is written.
    pub fn print(&self, text: &str) {
        // An error means that the screen is gone.
        let _ = self.requests.send(Request::Print(text.to_owned()));
    }
}

enum Request {
    Show(Box<Event>, Duration),
    Print(String),
    Began(Duration),
    /// Removes what is not meant to stay, and answers when everything before it is written.
    Clear(Sender<()>),
}

/// How to show a run.
#[derive(Debug, Clone, Copy)]
pub struct ScreenSettings {
    /// JSON for programs.
    pub json: bool,
    /// Whether stderr is a terminal.
    pub terminal: bool,
    /// The colours.
    pub paint: Paint,
    /// Whether to show details.
    pub verbose: bool,
}

impl Screen {
    /// The screen for this terminal, or for none. `outline` is what is known of the run's steps.
    pub fn new(settings: ScreenSettings, outline: Outline) -> Screen {
        let (requests, received) = channel();
        // Without a thread there is no screen, and the run does not need one.
        let _ = thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || View::new(settings, outline).show_all(&received));
        Screen {
            requests,
            began: Instant::now(),
        }
    }

    /// Shows one event that happens now.
    pub fn show(&self, event: &Event) {
        self.show_at(event, self.began.elapsed());
    }

    /// Shows one event of a run that started elsewhere; `at` is its time since the start of the run.
    pub fn show_at(&self, event: &Event, at: Duration) {
        // An error means that the screen is gone.
        let _ = self
            .requests
            .send(Request::Show(Box::new(event.clone()), at));
    }

    /// Sets the start of a run that started elsewhere: `ago` is the time since then.
    pub fn began(&mut self, ago: Duration) {
        self.began = Instant::now().checked_sub(ago).unwrap_or(self.began);
        let _ = self.requests.send(Request::Began(ago));
    }

    /// What prints lines that are no events.
    pub fn printer(&self) -> ScreenPrinter {
        ScreenPrinter {
            requests: self.requests.clone(),
        }
    }

    /// Removes what is not meant to stay, and waits until everything is written. A run calls this at its end.
    pub fn clear(&self) {
        if let Some(cleared) = self.request_clear() {
            // An error means that the screen is gone.
            let _ = cleared.recv();
        }
    }

    /// The same, but does not wait longer than this.
    pub fn clear_within(&self, patience: Duration) {
        if let Some(cleared) = self.request_clear() {
            // An error means that the screen is gone, or takes longer.
            let _ = cleared.recv_timeout(patience);
        }
    }

    fn request_clear(&self) -> Option<Receiver<()>> {
        let (done, cleared) = channel();
        let sent = self.requests.send(Request::Clear(done));
        sent.is_ok().then_some(cleared)
    }
}

/// What is shown, and since when.
struct View {
    began: (Instant, Timestamp),
    lines: Lines,
    progress: Progress,
    form: Form,
    /// Whether only what stays is on the screen, until the next event.
    is_clear: bool,
}

/// Where it is shown.
enum Form {
    /// One JSON object a line, on stdout.
    Json,
    /// Lines, on stderr.
    Log(Log),
    /// Lines and a block below them, on stderr.
    Live(Live),
}

impl View {
    fn new(settings: ScreenSettings, outline: Outline) -> View {
        let now = Timestamp::now();
        View {
            began: (Instant::now(), now),
            lines: Lines::new(settings.paint, settings.verbose, &outline),
            progress: Progress::new(outline, now),
            form: match (settings.json, settings.terminal) {
                (true, _) => Form::Json,
                (false, true) => Form::Live(Live::new()),
                (false, false) => Form::Log(Log::new()),
            },
            is_clear: true,
        }
    }

    fn show_all(&mut self, requests: &Receiver<Request>) {
        let mut timed = Instant::now();
        loop {
            match requests.recv_timeout(NO_EVENT) {
                Ok(Request::Show(event, at)) => self.show(&event, at),
                Ok(Request::Print(text)) => self.print(&printable(&text)),
                Ok(Request::Began(ago)) => self.began(ago),
                Ok(Request::Clear(done)) => {
                    self.clear();
                    // Who asked may have stopped waiting.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Also between events that follow each other closely.
            if timed.elapsed() >= NO_EVENT {
                self.on_time();
                timed = Instant::now();
            }
        }
    }

    /// Shows an event. A reader that is gone is no reason to stop.
    fn show(&mut self, event: &Event, at: Duration) {
        if let Form::Json = self.form {
            let when = self.began.1.saturating_add(at).unwrap_or(self.began.1);
            let line = json_line(&stamped(event, when));
            let _ = io::stdout().lock().write_all(line.as_bytes());
            return;
        }
        self.progress.record(event, at);
        self.is_clear = matches!(event, Event::RunFinished { .. });
        let line = self.lines.line(event, at);
        match &mut self.form {
            Form::Json => {}
            Form::Log(log) => {
                if let Event::Reattached { step, .. } = event {
                    log.said(&self.progress.task(step));
                }
                if let Some(text) = line {
                    write_line(&text);
                }
            }
            Form::Live(live) => {
                // On a terminal, the block says what is waited for.
                let waiting = matches!(event, Event::Waiting { .. });
                if let Some(text) = line.filter(|_| !waiting) {
                    live.print(&text);
                }
            }
        }
    }

    fn print(&mut self, text: &str) {
        match &mut self.form {
            Form::Live(live) => live.print(text),
            Form::Json | Form::Log(_) => write_line(text),
        }
    }

    fn began(&mut self, ago: Duration) {
        let now = (Instant::now(), Timestamp::now());
        self.began = (
            now.0.checked_sub(ago).unwrap_or(now.0),
            now.1.saturating_sub(ago).unwrap_or(now.1),
        );
        self.progress.began(self.began.1);
        if let Form::Log(log) = &mut self.form {
            log.began(ago);
        }
    }

    /// Shows what is due without an event.
    fn on_time(&mut self) {
        if self.is_clear {
            return;
        }
        let now = self.began.0.elapsed();
        match &mut self.form {
            Form::Json => {}
            Form::Log(log) => {
                for (step, text) in log.begun(&self.progress, now) {
                    write_line(&self.lines.of_step(&step, &text, now));
                }
                if let Some(text) = log.still(&self.progress, now) {
                    write_line(&text);
                }
            }
            Form::Live(live) => live.draw(&self.progress, now),
        }
    }

    fn clear(&mut self) {
        self.is_clear = true;
        if let Form::Live(live) = &mut self.form {
            live.clear();
        }
    }
}

/// Writes a line to stderr, whether anybody reads it or not.
fn write_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
