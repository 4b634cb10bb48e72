//! One URL: its request, and what is written of it.

use std::time::Duration;

use super::caller::Caller;
use super::ending::{self, CurlMessage};
use super::options::{OnError, Options};
use super::output::{self, Output, Sink};
use super::target::{self, CurlError, RequestData};
use super::wire;
use super::write_out::{self, Transfer};
use crate::pod::run::{Network, ProgramResult};
use egress::request::{Request, Scheme};
use egress::trace::{CallerOutcome, Failure, HttpAnswer, Trace};

/// curl at work: what it has written, and the connections that it has open.
pub struct Curl<'a> {
    options: &'a Options,
    caller: &'a Caller,
    network: &'a dyn Network,
    /// What it has written.
    pub output: Output<'a>,
    /// Connections that were made, by scheme, host and port.
    open: Vec<(Scheme, String, u16)>,
}

/// A URL under way.
struct Transferring {
    /// Whether the body goes to a terminal.
    terminal: bool,
    /// Where the body goes.
    sink: Sink,
    /// For `-w`.
    transfer: Transfer,
}

impl<'a> Curl<'a> {
    /// curl before its first URL.
    pub fn new(options: &'a Options, caller: &'a Caller, network: &'a dyn Network) -> Curl<'a> {
        Curl {
            options,
            caller,
            network,
            output: Output::new(options),
            open: Vec::new(),
        }
    }

    /// What it has done, with its exit code.
    pub fn ended(self, code: u8) -> ProgramResult {
        let mut ran = self.output.ran;
        ran.code = code;
        ran
    }

    /// Gets a URL; its exit code.
    pub fn get(&mut self, number: usize) -> u8 {
        let options = self.options;
        let file = options.outputs.get(number);
        let sink = Sink::named(file.map(String::as_str));
        let url = options.urls.get(number).cloned().unwrap_or_default();
        let mut going = Transferring {
            terminal: self.caller.terminal && sink == Sink::Output,
            sink,
            transfer: Transfer {
                effective: target::complete(&url, options),
                url,
                number,
                method: RequestData::of(options).method,
                local: self.caller.address.clone(),
                file: file.cloned().unwrap_or_default(),
                ..Transfer::default()
            },
        };
        for (host, port, address) in &options.resolve {
            self.output
                .remark(format!("Added {host}:{port}:{address} to DNS cache"));
        }
        if let Err(error) = self.requested(&mut going) {
            self.output.error(&error);
            going.transfer.code = error.code;
            going.transfer.error = error.message;
        }
        let format = options.write_out.as_ref();
        if let Some(format) = format.filter(|format| !format.starts_with('@')) {
            let written = write_out::write_out(format, &going.transfer);
            self.output.ran.out(written.out);
            self.output.ran.err(written.err);
        }
        going.transfer.code
    }

    /// The request of a URL and its answer.
    fn requested(&mut self, going: &mut Transferring) -> Result<(), CurlError> {
        let sends = RequestData::of(self.options);
        let request =
            target::request(&going.transfer.effective, &sends, self.options, self.caller)?;
        let (trace, connection) = self.sent(&request, going);
        let answer = match &trace.got {
            CallerOutcome::Failure(failure) => {
                return Err(self.failed(*failure, &request, &trace, going));
            }
            CallerOutcome::Answer(answer) => answer,
        };
        self.answered(&request, &trace, answer, going)?;
        self.output.remark(format!(
            "Connection #{connection} to host {} left intact",
            request.host
        ));
        if let Some(location) = location(answer) {
            going.transfer.redirect = target::joined(&going.transfer.effective, location);
        }
        Ok(())
    }

    /// Makes a request; what `-v` shows of it up to the answer. Returns the number of its connection.
    fn sent(&mut self, request: &Request, going: &mut Transferring) -> (Trace, usize) {
        let options = self.options;
        let trace = self.network.trace(request);
        let to = trace
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
            self.output
                .remark(format!("Hostname {} was found in DNS cache", request.host));
        }
        if let Some(number) = known {
            self.output.remark(format!(
                "Re-using existing connection #{number} with host {}",
                request.host
            ));
        }
        let connected = connected(&trace);
        let head = wire::request_head(request, version);
        if known.is_none() {
            for line in wire::connecting(request, to, connected, self.open.len()) {
                self.output.remark(line);
            }
        }
        let handshake = wire::handshake(options, request, version);
        let secure = request.scheme == Scheme::Https && known.is_none() && connected;
        if secure {
            for line in handshake.offered {
                self.output.remark(line);
            }
        } else if connected {
            self.written(&head, request.body, going);
        }
        self.output.ran.asked(trace.clone());
        let answered = matches!(trace.got, CallerOutcome::Answer(_));
        if secure && answered {
            for line in handshake.agreed {
                self.output.remark(line);
            }
            self.written(&head, request.body, going);
        }
        let transfer = &mut going.transfer;
        transfer.total = spent(&trace);
        if connected {
            transfer.remote = to.map(|address| address.to_string()).unwrap_or_default();
            transfer.port = request.port;
            transfer.connects = u32::from(known.is_none());
            transfer.scheme = if request.scheme == Scheme::Https {
                "https"
            } else {
                "http"
            };
        }
        let connection = known.unwrap_or(self.open.len());
        if answered && known.is_none() {
            self.open.push(key);
        }
        (trace, connection)
    }

    /// The request goes out.
    fn written(&mut self, head: &[String], body: usize, going: &mut Transferring) {
        going.transfer.sent_headers = bytes(head);
        going.transfer.sent = body as u64;
        if let Some(user) = &self.options.user {
            let name = user.split(':').next().unwrap_or_default();
            self.output
                .remark(format!("Server auth using Basic with user '{name}'"));
        }
        for line in head {
            self.output.verbose(format!("> {line}\r\n"));
        }
        if body > 0 && !going.terminal {
            self.output.verbose(format!("}} [{body} bytes data]\n"));
        }
    }

    /// There is an answer.
    fn answered(
        &mut self,
        request: &Request,
        trace: &Trace,
        answer: &HttpAnswer,
        going: &mut Transferring,
    ) -> Result<(), CurlError> {
        let options = self.options;
        let version = wire::version(request, options);
        let headers = wire::dated(trace, answer, &self.caller.date);
        let head = wire::answer_head(trace, answer.status, &headers, version);
        let fails = options.on_error != OnError::Takes && answer.status >= 400;
        let without_body = fails && options.on_error == OnError::Fails;
        // curl notices the failure before -v shows the last line of the head.
        let shown = if without_body {
            &head[..head.len() - 1]
        } else {
            &head[..]
        };
        for line in shown {
            self.output.verbose(format!("< {line}\r\n"));
        }
        let body = if request.method == "HEAD" || options.head || without_body {
            ""
        } else {
            answer.body.as_str()
        };
        going.transfer.version = version;
        going.transfer.status = answer.status;
        going.transfer.received_headers = bytes(&head);
        going.transfer.received = body.len() as u64;
        going.transfer.headers = headers;
        if let Some(file) = &options.dump_header {
            let text = output::printed(&head, false);
            self.output.write(&Sink::named(Some(file)), &text)?;
        }
        if options.head || options.include {
            let text = output::printed(&head, going.terminal);
            self.output.write(&going.sink, &text)?;
        }
        let error = format!("The requested URL returned error: {}", answer.status);
        if without_body {
            self.output.remark(&error);
            let number = self.open.len().saturating_sub(1);
            self.output.remark(format!("Closing connection {number}"));
            self.open.pop();
            return Err(CurlError::new(22, error));
        }
        if !body.is_empty() && !going.terminal {
            self.output
                .verbose(format!("{{ [{} bytes data]\n", body.len()));
        }
        self.output.write(&going.sink, body)?;
        if fails {
            return Err(CurlError::new(22, error));
        }
        Ok(())
    }

    /// There is no answer.
    fn failed(
        &mut self,
        failure: Failure,
        request: &Request,
        trace: &Trace,
        going: &Transferring,
    ) -> CurlError {
        let CurlMessage {
            before,
            message,
            after,
        } = ending::ending(failure, request, connected(trace), going.transfer.total);
        for line in before {
            self.output.remark(line);
        }
        let number = self.open.len();
        self.output.remark(format!("Closing connection {number}"));
        CurlError {
            code: failure.exit(),
            message,
            after,
        }
    }
}

/// The size of a head with the ends of its lines.
fn bytes(head: &[String]) -> u64 {
    head.iter().map(|line| line.len() as u64 + 2).sum()
}

/// Whether there was a TCP connection: failures before it are those of names and addresses.
fn connected(trace: &Trace) -> bool {
    match trace.got {
        CallerOutcome::Answer(_) => true,
        CallerOutcome::Failure(Failure::NoSuchHost | Failure::NoDns | Failure::Refused) => false,
        CallerOutcome::Failure(_) => trace.connected.is_some(),
    }
}

/// How long the caller waited: what the trace says, or what the first proxy measured if that is longer.
fn spent(trace: &Trace) -> Duration {
    let logged = trace.lines.first().map(|line| line.after + line.duration);
    trace.waits.max(logged.unwrap_or_default())
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
