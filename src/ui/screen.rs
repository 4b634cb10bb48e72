//! The screen of a run: bars on a terminal, lines elsewhere, JSON when asked. It is on a thread of its own, because a terminal that
//! takes no text (Ctrl-S, a pipe that nobody reads) must not stop the run.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Paint, bars, json_line, lines};
use crate::engine::event::Event;

/// How long to wait for an event before the bars that are due are drawn without one.
const NO_EVENT: Duration = Duration::from_millis(100);

/// Shows a run's events, in their order. Showing one does not wait until it is written.
pub struct Screen {
    requests: Sender<Request>,
    began: Instant,
}

enum Request {
    Show(Box<Event>, Duration),
    Began(Duration),
    /// Removes what is not meant to stay, and answers when everything before it is written.
    Clear(Sender<()>),
}

impl Screen {
    /// The screen for this terminal, or for none.
    pub fn new(json: bool, terminal: bool, paint: Paint, verbose: bool) -> Screen {
        let (requests, received) = channel();
        // Without a thread there is no screen, and the run does not need one.
        let _ = thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || View::new(json, terminal, paint, verbose).show_all(&received));
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

    /// Removes what is not meant to stay, and waits until everything is written. A run calls this at its end.
    pub fn clear(&self) {
        let (done, cleared) = channel();
        if self.requests.send(Request::Clear(done)).is_ok() {
            // An error means that the screen is gone.
            let _ = cleared.recv();
        }
    }
}

/// What draws.
enum View {
    /// One JSON object a line, on stdout.
    Json,
    /// A line for what happened, on stderr.
    Lines(lines::Lines),
    /// A bar for each step at work, on stderr.
    Bars(bars::Bars),
}

impl View {
    fn new(json: bool, terminal: bool, paint: Paint, verbose: bool) -> View {
        match (json, terminal) {
            (true, _) => View::Json,
            (false, true) => View::Bars(bars::Bars::new(paint, verbose)),
            (false, false) => View::Lines(lines::Lines::new(paint, verbose)),
        }
    }

    fn show_all(&mut self, requests: &Receiver<Request>) {
        loop {
            match requests.recv_timeout(NO_EVENT) {
                Ok(Request::Show(event, at)) => self.show(&event, at),
                Ok(Request::Began(ago)) => self.began(ago),
                Ok(Request::Clear(done)) => {
                    self.clear();
                    // Who asked may have stopped waiting.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.without_event(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A reader that is gone is no reason to stop.
    fn show(&mut self, event: &Event, at: Duration) {
        match self {
            View::Json => {
                let _ = io::stdout().lock().write_all(json_line(event).as_bytes());
            }
            View::Lines(lines) => {
                if let Some(text) = lines.line(event, at) {
                    let _ = writeln!(io::stderr().lock(), "{text}");
                }
            }
            View::Bars(bars) => bars.show(event, at),
        }
    }

    fn began(&mut self, ago: Duration) {
        match self {
            View::Json => {}
            View::Lines(lines) => lines.began(ago),
            View::Bars(bars) => bars.began(ago),
        }
    }

    fn without_event(&mut self) {
        if let View::Bars(bars) = self {
            bars.draw_new();
        }
    }

    fn clear(&mut self) {
        if let View::Bars(bars) = self {
            bars.clear();
        }
    }
}
