//! The terminal that bars are drawn on. A terminal that is gone ends the drawing and nothing else: indicatif panics if a terminal
//! reports an error in the middle of a drawing, so no error is passed on to it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Term;
use indicatif::TermLike;

/// stderr, as far as it is still there.
#[derive(Debug)]
pub struct Terminal {
    term: Term,
    gone: AtomicBool,
}

impl Terminal {
    /// The terminal of stderr.
    pub fn stderr() -> Terminal {
        Terminal {
            term: Term::buffered_stderr(),
            gone: AtomicBool::new(false),
        }
    }

    fn draw(&self, write: impl FnOnce(&Term) -> io::Result<()>) -> io::Result<()> {
        if !self.gone.load(Ordering::Relaxed) && write(&self.term).is_err() {
            self.gone.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.draw(|term| term.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.draw(|term| term.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.draw(|term| term.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.draw(|term| term.move_cursor_left(n))
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.draw(|term| term.write_line(s))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.draw(|term| term.write_str(s))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw(Term::clear_line)
    }

    fn flush(&self) -> io::Result<()> {
        // The lines of a block are as wide as the terminal. Behind the last one, what the terminal echoes (`^C`) would begin a new
        // line, and the block would be drawn again one line too low.
        self.draw(|term| term.write_str("\r").and_then(|()| term.flush()))
    }
}
