//! Where curl writes, and what `-v` and `-s` make of it.

use super::options::Options;
use super::target::CurlError;
use crate::pod::run::ProgramResult;

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// The output.
    Output,
    /// The errors.
    Errors,
    /// `/dev/null`.
    Nowhere,
    /// A file, which the emulated container does not take.
    File(String),
}

impl Sink {
    /// Where a file name leads.
    pub fn named(name: Option<&str>) -> Sink {
        match name {
            None | Some("-" | "/dev/stdout") => Sink::Output,
            Some("/dev/null") => Sink::Nowhere,
            Some("/dev/stderr") => Sink::Errors,
            Some(file) => Sink::File(file.to_owned()),
        }
    }
}

/// What curl has written so far, and the requests between.
pub struct Output<'a> {
    options: &'a Options,
    /// In order.
    pub ran: ProgramResult,
}

impl<'a> Output<'a> {
    /// Nothing yet.
    pub fn new(options: &'a Options) -> Output<'a> {
        Output {
            options,
            ran: ProgramResult::default(),
        }
    }

    /// Writes a body or a head.
    ///
    /// # Errors
    /// 23 for a file.
    pub fn write(&mut self, sink: &Sink, text: &str) -> Result<(), CurlError> {
        match sink {
            Sink::Output => self.ran.out(text),
            Sink::Errors => self.ran.err(text),
            Sink::Nowhere => {}
            Sink::File(_) if text.is_empty() => {}
            Sink::File(file) => {
                self.warn(format!(
                    "Warning: Failed to open the file {file}: Read-only file system\n"
                ));
                return Err(CurlError::new(23, "Failure writing output to destination"));
            }
        }
        Ok(())
    }

    /// Writes a warning, unless `-s` is given.
    pub fn warn(&mut self, text: impl Into<String>) {
        if !self.options.silent {
            self.ran.err(text);
        }
    }

    /// Writes the error that a transfer ended with, unless `-s` is given without `-S`.
    pub fn error(&mut self, error: &CurlError) {
        if !self.options.silent || self.options.show_error {
            let CurlError {
                code,
                message,
                after,
            } = error;
            self.ran.err(format!("curl: ({code}) {message}\n{after}"));
        }
    }

    /// Writes a text that only `-v` shows.
    pub fn verbose(&mut self, text: String) {
        if self.options.verbose {
            self.ran.err(text);
        }
    }

    /// Writes a remark of `-v`.
    pub fn remark(&mut self, line: impl AsRef<str>) {
        self.verbose(format!("* {}\n", line.as_ref()));
    }
}

/// A head, as it is written. On a terminal the names of headers are bold.
pub fn printed(head: &[String], terminal: bool) -> String {
    let line = |line: &String| match line.split_once(": ").filter(|_| terminal) {
        Some((name, value)) => format!("\u{1b}[1m{name}\u{1b}[0m: {value}\r\n"),
        None => format!("{line}\r\n"),
    };
    head.iter().map(line).collect()
}
