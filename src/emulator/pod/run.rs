//! What a program does, in order: it writes, it makes requests, it waits, it ends.
//!
//! This is data: how long a wait takes and where output goes is decided where it is executed.

use std::time::Duration;

use egress::request::Request;
use egress::trace::Trace;

/// One thing that a program does.
#[derive(Debug, Clone, PartialEq)]
pub enum ProgramOutput {
    /// It writes to its output.
    Out(String),
    /// It writes to its errors.
    Err(String),
    /// It makes a request and gets the result.
    Asked(Box<Trace>),
    /// It waits.
    Wait(Duration),
}

/// What a program has done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProgramResult {
    /// In order.
    pub acts: Vec<ProgramOutput>,
    /// How it ended.
    pub code: u8,
}

impl ProgramResult {
    /// A program that wrote `text` and succeeded.
    pub fn said(text: impl Into<String>) -> ProgramResult {
        let mut ran = ProgramResult::default();
        ran.out(text);
        ran
    }

    /// A program that ended with `code` and `complaint`.
    pub fn failed(code: u8, complaint: impl Into<String>) -> ProgramResult {
        let mut ran = ProgramResult {
            acts: Vec::new(),
            code,
        };
        ran.err(complaint);
        ran
    }

    /// It writes to its output.
    pub fn out(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.acts.push(ProgramOutput::Out(text));
        }
    }

    /// It writes to its errors.
    pub fn err(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.acts.push(ProgramOutput::Err(text));
        }
    }

    /// It makes a request and waits for the result.
    pub fn asked(&mut self, account: Trace) {
        self.acts.push(ProgramOutput::Asked(Box::new(account)));
    }

    /// All that went to the output.
    #[cfg(test)]
    pub fn stdout(&self) -> String {
        let texts = self.acts.iter().filter_map(|act| match act {
            ProgramOutput::Out(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// All that went to the errors.
    #[cfg(test)]
    pub fn stderr(&self) -> String {
        let texts = self.acts.iter().filter_map(|act| match act {
            ProgramOutput::Err(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

/// The network, as a program sees it.
pub trait Network {
    /// The trace of a request.
    fn trace(&self, request: &Request) -> Trace;
}

impl<F: Fn(&Request) -> Trace> Network for F {
    fn trace(&self, request: &Request) -> Trace {
        self(request)
    }
}
