//! Builds a log line.

use crate::log::AccessLogLine;

/// A log line under construction. If no reader needs it, it does not exist and its content is not computed.
#[derive(Debug, Clone)]
pub struct LogLineBuilder(Option<Box<AccessLogLine>>);

impl LogLineBuilder {
    /// A line with this initial content; none if no reader needs it.
    pub fn new(read: bool, line: impl FnOnce() -> AccessLogLine) -> LogLineBuilder {
        LogLineBuilder(read.then(|| Box::new(line())))
    }

    /// Changes the line, if it exists.
    pub fn write(&mut self, words: impl FnOnce(&mut AccessLogLine)) {
        if let Some(line) = &mut self.0 {
            words(line);
        }
    }

    /// The line, followed by those of proxies further along the path.
    pub fn before(self, further: Vec<AccessLogLine>) -> Vec<AccessLogLine> {
        match self.0 {
            Some(line) => std::iter::once(*line).chain(further).collect(),
            None => further,
        }
    }

    /// Only this line.
    pub fn alone(self) -> Vec<AccessLogLine> {
        self.before(Vec::new())
    }
}
