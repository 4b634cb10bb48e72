//! One URL: its requests, redirects included, and what is written of them.

use std::time::Duration;

use super::Caller;
use super::ending::{self, CurlMessage};
use super::meter::{self, Progress};
use super::options::Options;
use super::output::{Sink, TransferReport};
use super::target::{self, CurlError, RequestData};
use super::wire;
use super::write_out::{self, Transfer};
use crate::pod::run::{Network, ProgramResult};
use egress::request::{Request, Scheme};
use egress::trace::{CallerOutcome, Failure, HttpAnswer, Trace};

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// curl's exit code.
    pub code: u8,
    /// The last status; 0 without an answer.
    pub status: u16,
}

/// curl at work: what it has written, and the connections it has open.
pub struct Transferring<'a> {
    pub(super) options: &'a Options,
    pub(super) caller: &'a Caller,
    pub(super) network: &'a dyn Network,
    /// What was done so far.
    pub ran: ProgramResult,
    /// Connections that were made, by scheme, host and port.
    pub(super) open: Vec<(Scheme, String, u16)>,
}

impl<'a> Transferring<'a> {
    /// curl before its first URL; `ran` is what it has written of its command line.
    pub fn new(
        options: &'a Options,
        caller: &'a Caller,
        network: &'a dyn Network,
        ran: ProgramResult,
    ) -> Self {
        Transferring {
            options,
            caller,
            network,
            ran,
            open: Vec::new(),
        }
    }

    /// Gets a URL; `first` unless it is tried again.
    pub fn url(&mut self, number: usize, first: bool) -> Ended {
        let options = self.options;
        let output = Sink::named(options.outputs.get(number).map(String::as_str));
        let terminal = self.caller.terminal && output == Sink::Output;
        let url = options.urls.get(number).cloned().unwrap_or_default();
        let mut told = TransferReport {
            meter: !options.silent && !options.no_meter && !terminal,
            terminal,
            output,
            transfer: Transfer {
                effective: target::complete(&url, options),
                url,
                number,
                method: RequestData::of(options).method,
                local: self.caller.address.clone(),
                file: options.outputs.get(number).cloned().unwrap_or_default(),
                ..Transfer::default()
            },
        };
        for (host, port, address) in &options.resolve {
            self.star(format!("Added {host}:{port}:{address} to DNS cache"));
        }
        if let Err(stop) = self.redirected(&mut told, first) {
            if !options.silent || options.show_error {
                let error = format!("curl: ({}) {}\n{}", stop.code, stop.message, stop.after);
                self.ran.err(error);
            }
            told.transfer.code = stop.code;
            told.transfer.error = stop.message;
        }
        if let Some(format) = options
            .write_out
            .as_ref()
            .filter(|format| !format.starts_with('@'))
        {
            let written = write_out::write_out(format, &told.transfer);
            self.ran.out(written.out);
            self.ran.err(written.err);
        }
        Ended {
            code: told.transfer.code,
            status: told.transfer.status,
        }
    }

    /// The requests of a URL, one after the other.
    fn redirected(&mut self, told: &mut TransferReport, first: bool) -> Result<(), CurlError> {
        let options = self.options;
        let mut sends = RequestData::of(options);
        loop {
            let request = target::request(&told.transfer.effective, &sends, options, self.caller)?;
            told.transfer.method.clone_from(&sends.method);
            let begins = told.meter && told.transfer.redirects == 0;
            let (account, connection) = self.asked(&request, told, begins.then_some(first));
            let answer = match &account.got {
                CallerOutcome::Failure(failure) => {
                    return Err(self.failed(*failure, &request, &account, told));
                }
                CallerOutcome::Answer(answer) => answer,
            };
            let next =
                location(answer).map(|location| target::joined(&told.transfer.effective, location));
            let follows = options.location && next.is_some();
            self.answered(&request, &account, answer, told, follows)?;
            self.star(format!(
                "Connection #{connection} to host {} left intact",
                request.host
            ));
            let Some(next) = next else { return Ok(()) };
            if !options.location {
                told.transfer.redirect = next;
                return Ok(());
            }
            let most = options.max_redirects.unwrap_or(50);
            if most >= 0 && i64::from(told.transfer.redirects) >= most {
                told.transfer.redirect = next;
                let message = format!("Maximum ({most}) redirects followed");
                self.star(message.clone());
                return Err(CurlError::new(47, message));
            }
            self.star(format!("Issue another request to this URL: '{next}'"));
            if sends.follow(options, answer.status, &request.host) {
                self.star("Switch from POST to GET");
            }
            told.transfer.effective = next;
            told.transfer.redirects += 1;
        }
    }

    /// Makes a request; what `-v` tells of it up to the answer. Says on which connection.
    fn asked(
        &mut self,
        request: &Request,
        told: &mut TransferReport,
        meter: Option<bool>,
    ) -> (Trace, usize) {
        let options = self.options;
        let account = self.network.trace(request);
        let to = account
            .connected
            .or(request.address)
            .or_else(|| request.host.parse().ok());
        let version = wire::version(request, options);
        let key = (request.scheme, request.host.clone(), request.port);
        let known = self.open.iter().position(|open| *open == key);
        let pinned = options
            .resolve
            .iter()
            .any(|(host, port, _)| *host == request.host && *port == request.port);
        if pinned && known.is_none() {
            self.star(format!("Hostname {} was found in DNS cache", request.host));
        }
        if let Some(number) = known {
            self.star(format!(
                "Re-using existing connection #{number} with host {}",
                request.host
            ));
        }
        match meter {
            Some(true) => self.ran.err(meter::begins()),
            Some(false) => self.ran.err(meter::numbers(&Progress::default())),
            None => {}
        }
        let connected = connected(&account);
        let head = wire::request_head(request, version);
        if known.is_none() {
            for line in wire::connecting(request, to, connected, self.open.len()) {
                self.star(line);
            }
        }
        let handshake = wire::handshake(options, request, version);
        let secure = request.scheme == Scheme::Https && known.is_none() && connected;
        if secure {
            handshake
                .offered
                .into_iter()
                .for_each(|line| self.star(line));
        } else if connected {
            self.sent(&head, request.body, told);
        }
        self.ran.asked(account.clone());
        let spoke = matches!(account.got, CallerOutcome::Answer(_));
        if secure && spoke {
            handshake
                .agreed
                .into_iter()
                .for_each(|line| self.star(line));
            self.sent(&head, request.body, told);
        }
        let transfer = &mut told.transfer;
        transfer.total += spent(&account);
        if connected {
            transfer.remote = to.map(|address| address.to_string()).unwrap_or_default();
            transfer.port = request.port;
            transfer.connects += u32::from(known.is_none());
            transfer.scheme = if request.scheme == Scheme::Https {
                "https"
            } else {
                "http"
            };
        }
        let connection = known.unwrap_or(self.open.len());
        if spoke && known.is_none() {
            self.open.push(key);
        }
        (account, connection)
    }

    /// The request goes out.
    fn sent(&mut self, head: &[String], body: usize, told: &mut TransferReport) {
        let bytes: usize = head.iter().map(|line| line.len() + 2).sum();
        told.transfer.sent_headers += bytes as u64;
        told.transfer.sent = body as u64;
        if let Some(user) = &self.options.user {
            let name = user.split(':').next().unwrap_or_default();
            self.star(format!("Server auth using Basic with user '{name}'"));
        }
        for line in head {
            self.verbose(format!("> {line}\r\n"));
        }
        if body > 0 && !told.terminal {
            self.verbose(format!("}} [{body} bytes data]\n"));
        }
    }

    /// There is no answer.
    fn failed(
        &mut self,
        failure: Failure,
        request: &Request,
        account: &Trace,
        told: &TransferReport,
    ) -> CurlError {
        let CurlMessage {
            before,
            message,
            after,
        } = ending::ending(failure, request, connected(account), told.transfer.total);
        before.into_iter().for_each(|line| self.star(line));
        // Without an address there was nothing to measure.
        if told.meter && failure.exit() != 6 {
            self.finished(told, 0, 0);
        }
        self.star(format!("Closing connection {}", self.open.len()));
        CurlError {
            code: failure.exit(),
            message,
            after,
        }
    }
}

/// Whether there was a TCP connection: failures before it are those of names and addresses.
fn connected(account: &Trace) -> bool {
    match account.got {
        CallerOutcome::Answer(_) => true,
        CallerOutcome::Failure(Failure::NoSuchHost | Failure::NoDns | Failure::Refused) => false,
        CallerOutcome::Failure(_) => account.connected.is_some(),
    }
}

/// How long the caller had to wait: what the account says, or what the first proxy measured where that is longer.
fn spent(account: &Trace) -> Duration {
    let logged = account.lines.first().map(|line| line.after + line.duration);
    account.waits.max(logged.unwrap_or_default())
}

/// Where a redirect leads.
fn location(answer: &HttpAnswer) -> Option<&str> {
    let named = answer
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"));
    let (_, value) = named.filter(|_| matches!(answer.status, 301..=303 | 307 | 308))?;
    Some(value.as_str())
}
