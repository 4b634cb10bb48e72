//! What a program does, told in order: it writes, it asks the network, it waits, it ends.
//!
//! Data: whoever plays it decides how long a wait is and where the words go.

use std::time::Duration;

use egress::account::Account;
use egress::request::Request;

/// One thing that a program does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// It writes to its output.
    Out(String),
    /// It writes to its errors.
    Err(String),
    /// It makes a request and has what it gets.
    Asked(Box<Account>),
    /// It waits.
    Wait(Duration),
}

/// What a program has done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ran {
    /// In order.
    pub acts: Vec<Act>,
    /// How it ended.
    pub code: u8,
}

impl Ran {
    /// A program that wrote `text` and was content.
    pub fn said(text: impl Into<String>) -> Ran {
        let mut ran = Ran::default();
        ran.out(text);
        ran
    }

    /// A program that ended with `code` and `complaint`.
    pub fn failed(code: u8, complaint: impl Into<String>) -> Ran {
        let mut ran = Ran {
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
            self.acts.push(Act::Out(text));
        }
    }

    /// It writes to its errors.
    pub fn err(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.acts.push(Act::Err(text));
        }
    }

    /// It asks and waits for what comes.
    pub fn asked(&mut self, account: Account) {
        self.acts.push(Act::Asked(Box::new(account)));
    }

    /// All that went to the output.
    pub fn stdout(&self) -> String {
        let texts = self.acts.iter().filter_map(|act| match act {
            Act::Out(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// All that went to the errors.
    pub fn stderr(&self) -> String {
        let texts = self.acts.iter().filter_map(|act| match act {
            Act::Err(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

/// The network, as a program sees it: who asks what, and what becomes of it.
pub trait Network {
    /// The account of a request.
    fn account(&self, request: &Request) -> Account;
}

impl<F: Fn(&Request) -> Account> Network for F {
    fn account(&self, request: &Request) -> Account {
        self(request)
    }
}
