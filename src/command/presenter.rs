//! The presenter of a run of this process, or of another process's run that is followed: it shows the events on the screen, and
//! the closing line.

use std::io::IsTerminal;
use std::time::Duration;

use super::output::say;
use super::session::Session;
use crate::engine::event::{Event, RunOutcome};
use crate::ui::closing::counts;
use crate::ui::outline::Outline;
use crate::ui::slow::Slow;
use crate::ui::{Screen, ScreenPrinter, ScreenSettings};

/// How long a terminal may take to remove what the look before a run has shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows a run.
pub struct RunPresenter {
    screen: Screen,
    slow: Slow,
    steps: usize,
    /// Whether the run ends with a line of counts.
    closes: bool,
    verbose: bool,
    /// Only what runs now is shown, and only on a terminal: what was found is shown by the run that acts on it.
    only_progress: bool,
    how: Option<RunOutcome>,
}

impl RunPresenter {
    /// For a run that changes something: it ends with a closing line, unless the output is for programs.
    /// `outline` is what is known of its steps.
    pub fn of_changes(session: &Session, outline: Outline) -> RunPresenter {
        RunPresenter {
            closes: !session.json(),
            ..RunPresenter::new(session, session.json(), outline)
        }
    }

    /// For a run that only reads; with `json`, its events are the output.
    pub fn of_looks(session: &Session, json: bool) -> RunPresenter {
        RunPresenter::new(session, json, Outline::default())
    }

    fn new(session: &Session, json: bool, outline: Outline) -> RunPresenter {
        let verbose = session.global.verbose;
        let settings = ScreenSettings {
            json,
            terminal: std::io::stderr().is_terminal(),
            paint: session.paint.1,
            verbose,
        };
        RunPresenter {
            screen: Screen::new(settings, outline),
            slow: Slow::default(),
            steps: 0,
            closes: false,
            verbose,
            only_progress: false,
            how: None,
        }
    }

    /// For the look before a run that was approved already: a read that fails there is no failure of the run.
    pub fn of_preflight(session: &Session) -> RunPresenter {
        RunPresenter {
            only_progress: true,
            ..RunPresenter::new(session, false, Outline::default())
        }
    }

    /// For a run of another process; `age` is the time since its start.
    pub fn of_other_run(session: &Session, age: Duration, outline: Outline) -> RunPresenter {
        let mut presenter = RunPresenter::of_changes(session, outline);
        presenter.screen.began(age);
        presenter
    }

    /// Shows an event that happens now.
    pub fn show(&mut self, event: &Event) {
        if self.only_progress {
            let is_progress = matches!(
                event,
                Event::RunStarted { .. }
                    | Event::StepStarted { .. }
                    | Event::Waiting { .. }
                    | Event::Finished { .. }
            );
            if is_progress && std::io::stderr().is_terminal() {
                self.screen.show(event);
            }
            return;
        }
        self.slow.record(event);
        self.screen.show(event);
        self.close(event);
    }

    /// Shows an event of another process's run; `at` is the time since that run started.
    pub fn show_at(&mut self, event: &Event, at: Duration) {
        self.slow.record(event);
        self.screen.show_at(event, at);
        self.close(event);
    }

    /// What prints lines that are no events.
    pub fn printer(&self) -> ScreenPrinter {
        self.screen.printer()
    }

    /// Removes temporary lines from the screen.
    pub fn clear(&mut self) {
        // A terminal that takes no text must not stop a run that nobody is asked about.
        match self.only_progress {
            true => self.screen.clear_within(PATIENCE),
            false => self.screen.clear(),
        }
    }

    /// The outcome of the run, if its end was shown.
    pub fn how(&self) -> Option<RunOutcome> {
        self.how
    }

    fn close(&mut self, event: &Event) {
        match event {
            Event::RunStarted { steps, .. } => self.steps = *steps,
            Event::RunFinished { how, tally, took } => {
                self.how = Some(*how);
                if !self.closes {
                    return;
                }
                self.clear();
                say(&format!("{}\n", counts(self.steps, *tally, *took)));
                let slow = std::mem::take(&mut self.slow);
                if let Some(text) = slow.text(*tally, *took, self.verbose) {
                    say(&format!("{text}\n"));
                }
            }
            _ => {}
        }
    }
}
