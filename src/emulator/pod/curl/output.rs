//! What is written: heads, bodies, the meter, and what `-v` adds.

use super::meter::{self, Progress};
use super::options::OnError;
use super::target::CurlError;
use super::transfer::Transferring;
use super::wire;
use super::write_out::Transfer;
use egress::request::Request;
use egress::trace::{HttpAnswer, Trace};

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

/// What is told of one URL.
pub struct TransferReport {
    /// Whether the progress meter is shown.
    pub meter: bool,
    /// Whether the body goes to a terminal.
    pub terminal: bool,
    /// Where the body goes.
    pub output: Sink,
    /// For `-w`.
    pub transfer: Transfer,
}

impl Transferring<'_> {
    /// There is an answer.
    pub fn answered(
        &mut self,
        request: &Request,
        account: &Trace,
        answer: &HttpAnswer,
        told: &mut TransferReport,
        follows: bool,
    ) -> Result<(), CurlError> {
        let options = self.options;
        let version = wire::version(request, options);
        let headers = wire::dated(account, answer, &self.caller.date);
        let head = wire::answer_head(account, answer.status, &headers, version);
        let fails = options.fails(answer.status) && !follows;
        let kept = fails && options.on_error == OnError::Fails;
        // A failure shows in the last line of the head, before -v has it.
        let seen = if kept {
            &head[..head.len() - 1]
        } else {
            &head[..]
        };
        for line in seen {
            self.verbose(format!("< {line}\r\n"));
        }
        let body = if request.method == "HEAD" || options.head {
            ""
        } else {
            answer.body.as_str()
        };
        let length = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let expected = length
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or_default();
        let received = if kept || follows {
            0
        } else {
            body.len() as u64
        };
        told.transfer.version = version;
        told.transfer.status = answer.status;
        told.transfer.received_headers +=
            head.iter().map(|line| line.len() as u64 + 2).sum::<u64>();
        told.transfer.received = received;
        told.transfer.headers = headers;
        if let Some(file) = &options.dump_header {
            self.write(&Sink::named(Some(file)), &plain(&head))?;
        }
        if options.head || options.include {
            let text = if told.terminal {
                styled(&head)
            } else {
                plain(&head)
            };
            self.write(&told.output.clone(), &text)?;
        }
        let message = format!("The requested URL returned error: {}", answer.status);
        if kept {
            self.star(message.clone());
            self.finished(told, expected, 0);
            self.star(format!(
                "Closing connection {}",
                self.open.len().saturating_sub(1)
            ));
            self.open.pop();
            return Err(CurlError::new(22, message));
        }
        if follows {
            if !body.is_empty() {
                self.star("Ignoring the response-body");
            }
            return Ok(());
        }
        if !body.is_empty() && !told.terminal {
            self.verbose(format!("{{ [{} bytes data]\n", body.len()));
        }
        self.write(&told.output.clone(), body)?;
        self.finished(told, expected, received);
        if fails {
            return Err(CurlError::new(22, message));
        }
        Ok(())
    }

    /// The last numbers of the meter.
    pub fn finished(&mut self, told: &TransferReport, expected: u64, received: u64) {
        if told.meter {
            let progress = Progress {
                expected,
                received,
                sent: told.transfer.sent,
                spent: told.transfer.total,
            };
            self.ran.err(meter::numbers(&progress) + "\n");
        }
    }

    fn write(&mut self, sink: &Sink, text: &str) -> Result<(), CurlError> {
        match sink {
            Sink::Output => self.ran.out(text),
            Sink::Errors => self.ran.err(text),
            Sink::Nowhere => {}
            Sink::File(_) if text.is_empty() => {}
            Sink::File(file) => {
                if !self.options.silent {
                    self.ran.err(format!(
                        "Warning: Failed to open the file {file}: Read-only file system\n"
                    ));
                }
                return Err(CurlError::new(23, "Failure writing output to destination"));
            }
        }
        Ok(())
    }

    /// Writes what only `-v` shows.
    pub fn verbose(&mut self, text: String) {
        if self.options.verbose {
            self.ran.err(text);
        }
    }

    /// Writes a remark of `-v`.
    pub fn star(&mut self, line: impl AsRef<str>) {
        self.verbose(format!("* {}\n", line.as_ref()));
    }
}

fn plain(head: &[String]) -> String {
    head.iter().map(|line| format!("{line}\r\n")).collect()
}

/// On a terminal the names of headers are bold.
fn styled(head: &[String]) -> String {
    let line = |line: &String| match line.split_once(": ") {
        Some((name, value)) => format!("\u{1b}[1m{name}\u{1b}[0m: {value}\r\n"),
        None => format!("{line}\r\n"),
    };
    head.iter().map(line).collect()
}
