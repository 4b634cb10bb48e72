//! A log line while it is written.

use crate::log::AccessLogLine;

/// A log line while it is written. Where nobody reads it there is none, and what would be written is not made.
#[derive(Debug, Clone)]
pub struct LogLineBuilder(Option<Box<AccessLogLine>>);

impl LogLineBuilder {
    /// A line that begins so; none where nobody reads it.
    pub fn new(read: bool, line: impl FnOnce() -> AccessLogLine) -> LogLineBuilder {
        LogLineBuilder(read.then(|| Box::new(line())))
    }

    /// Writes into it.
    pub fn write(&mut self, words: impl FnOnce(&mut AccessLogLine)) {
        if let Some(line) = &mut self.0 {
            words(line);
        }
    }

    /// The line, with those of proxies further on behind it.
    pub fn before(self, further: Vec<AccessLogLine>) -> Vec<AccessLogLine> {
        match self.0 {
            Some(line) => std::iter::once(*line).chain(further).collect(),
            None => further,
        }
    }

    /// The line alone.
    pub fn alone(self) -> Vec<AccessLogLine> {
        self.before(Vec::new())
    }
}
