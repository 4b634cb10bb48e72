//! curl 7.88.1, as the tutorial's image has it: what it asks, writes and how it ends.
//!
//! Its words come from curl itself (`fixtures/curl/`). Of files there are `/dev/null` and the standard streams: the emulated
//! container's disk takes nothing. It follows redirects and reuses connections in what it tells, not in what it does.

mod ending;
mod meter;
mod option_table;
mod options;
mod output;
mod parse;
mod target;
mod transfer;
mod wire;
mod write_out;

use std::time::Duration;

use options::{OnError, Options};
use transfer::{Ended, Transferring};

use super::run::{Network, ProgramResult};
use egress::request::Source;

/// Who calls curl.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The pod.
    pub from: Source,
    /// Its address.
    pub address: String,
    /// Whether output goes to a terminal.
    pub terminal: bool,
    /// The time, as a `Date` header has it.
    pub date: String,
}

const VERSION: &str = "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 (emulated)\nProtocols: http https\n";
const BOTH: &str = "Warning: You can only select one HTTP request method! You asked for both POST \n\
    Warning: (-d, --data) and HEAD (-I, --head).\n";

/// What curl does with these arguments.
pub fn run(arguments: &[String], caller: &Caller, network: &dyn Network) -> ProgramResult {
    let options = match parse::parse(arguments) {
        Ok(options) => options,
        Err(refused) => return ProgramResult::failed(refused.code, refused.message),
    };
    if options.version {
        return ProgramResult::said(VERSION);
    }
    let mut ran = ProgramResult::default();
    if !options.silent {
        for file in &options.missing_files {
            ran.err(format!(
                "Warning: Couldn't read data from file \"{file}\", this makes an empty POST.\n"
            ));
        }
    }
    if options.head && options.data.is_some() && !options.get {
        ran.code = 2;
        ran.err(if options.silent { "" } else { BOTH });
        return ran;
    }
    let mut transferring = Transferring::new(&options, caller, network, ran);
    for number in 0..options.urls.len() {
        let ended = with_retries(&options, &mut transferring, number);
        transferring.ran.code = ended.code;
        if ended.code != 0 && options.fail_early {
            break;
        }
    }
    transferring.ran
}

/// A URL, and again where `--retry` wants it.
fn with_retries(options: &Options, transferring: &mut Transferring, number: usize) -> Ended {
    let mut left = options.retry;
    let mut wait = options.retry_delay.unwrap_or(Duration::from_secs(1));
    let mut first = true;
    loop {
        let ended = transferring.url(number, first);
        first = false;
        let Some(why) = again(options, &ended).filter(|_| left > 0) else {
            return ended;
        };
        if !options.silent {
            let text = format!(
                "Problem {why}. Will retry in {} seconds. {left} retries left.",
                wait.as_secs()
            );
            transferring.ran.err(wrapped(&text));
        }
        transferring
            .ran
            .acts
            .push(super::run::ProgramOutput::Wait(wait));
        left -= 1;
        if options.retry_delay.is_none() {
            wait = (wait * 2).min(Duration::from_secs(600));
        }
    }
}

/// Why curl would try again, in its words.
fn again(options: &Options, ended: &Ended) -> Option<&'static str> {
    match ended.code {
        6 | 28 => Some(": timeout"),
        7 if options.retry_refused => Some(": connection refused"),
        0 | 22 if matches!(ended.status, 408 | 429 | 500 | 502 | 503 | 504) => Some(": HTTP error"),
        code if code != 0 && options.retry_all => Some("(retrying all errors)"),
        _ => None,
    }
}

/// A warning, broken into lines of 79 characters as curl breaks them.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 70;
    let mut lines = String::new();
    let mut rest = format!("{text}\n");
    while rest.len() > WIDTH {
        let at = rest[..WIDTH].rfind(' ').map_or(WIDTH, |at| at + 1);
        lines.push_str(&format!("Warning: {}\n", &rest[..at]));
        rest = rest[at..].to_owned();
    }
    format!("{lines}Warning: {rest}")
}

impl Options {
    /// Whether an answer of this status is an error.
    fn fails(&self, status: u16) -> bool {
        self.on_error != OnError::Takes && status >= 400
    }
}

#[cfg(test)]
mod tests;
