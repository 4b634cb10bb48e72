//! A log line while it is written.

use crate::log::Line;

/// A log line while it is written. Where nobody reads it there is none, and what would be written is not made.
#[derive(Debug, Clone)]
pub struct Draft(Option<Box<Line>>);

impl Draft {
    /// A line that begins so; none where nobody reads it.
    pub fn new(read: bool, line: impl FnOnce() -> Line) -> Draft {
        Draft(read.then(|| Box::new(line())))
    }

    /// Writes into it.
    pub fn write(&mut self, words: impl FnOnce(&mut Line)) {
        if let Some(line) = &mut self.0 {
            words(line);
        }
    }

    /// The line, with those of proxies further on behind it.
    pub fn before(self, further: Vec<Line>) -> Vec<Line> {
        match self.0 {
            Some(line) => std::iter::once(*line).chain(further).collect(),
            None => further,
        }
    }

    /// The line alone.
    pub fn alone(self) -> Vec<Line> {
        self.before(Vec::new())
    }
}
