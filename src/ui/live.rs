//! Draws the block at the bottom of a terminal, and permanent lines above it. Each drawing is one write, and nothing is drawn
//! while the text stays the same.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::block::block;
use super::fold::fold;
use super::progress::Progress;
use super::terminal::Terminal;

/// The most drawings a second; the text changes with its seconds and with events.
const DRAWS: u8 = 10;
/// No block is drawn before this time since the start of the run: a shorter run would end before it could be read.
const FIRST_DRAW: Duration = Duration::from_millis(250);

/// The block on stderr.
pub struct Live {
    /// The block, while there is one.
    bar: Option<ProgressBar>,
    /// The same terminal, for its size and for lines while there is no block.
    terminal: Terminal,
    drawn: Vec<String>,
}

impl Live {
    /// Nothing is drawn yet.
    pub fn new() -> Live {
        Live {
            bar: None,
            terminal: Terminal::stderr(),
            drawn: Vec::new(),
        }
    }

    /// Draws the block as it is at a time since the start of the run, if it has changed.
    pub fn draw(&mut self, progress: &Progress, now: Duration) {
        if now < FIRST_DRAW {
            return;
        }
        let (width, height) = (self.terminal.width(), self.terminal.height());
        // The last column stays empty: some terminals wrap a line that fills it.
        let width = usize::from(width).saturating_sub(1);
        let lines = block(progress, now, width, usize::from(height));
        if lines != self.drawn {
            let bar = self.bar.get_or_insert_with(new_bar);
            bar.set_message(lines.join("\n"));
            self.drawn = lines;
        }
    }

    /// Writes a permanent line above the block.
    pub fn print(&self, text: &str) {
        let text = fold(text, usize::from(self.terminal.width()));
        match &self.bar {
            Some(bar) => bar.println(text),
            None => {
                // Errors end the drawing, in the terminal itself.
                let _ = self.terminal.write_line(&text);
                let _ = self.terminal.flush();
            }
        }
    }

    /// Removes the block.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.drawn.clear();
        }
    }
}

/// A bar that shows its message and nothing else.
fn new_bar() -> ProgressBar {
    let terminal = Box::new(Terminal::stderr());
    let target = ProgressDrawTarget::term_like_with_hz(terminal, DRAWS);
    let bar = ProgressBar::with_draw_target(None, target);
    match ProgressStyle::with_template("{msg}") {
        Ok(style) => bar.with_style(style),
        // The template is fixed; if it were invalid, the default style would stay.
        Err(_) => bar,
    }
}
