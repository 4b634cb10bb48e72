//! The trace of a request through the proxies' own configuration as text, and where the model differs from it.

use std::fmt::Write;

use super::explain::{line, title};
use super::{Paint, plain};
use egress::config_dump::{Difference, ProxyTrace};
use egress::request::Request;
use egress::trace::CallerOutcome;
use egress::verdict::Verdict;

/// The trace, from the listener of the caller's proxy to the server.
pub fn text(request: &Request, trace: &ProxyTrace, verbose: bool, paint: Paint) -> String {
    title(request, paint) + &hops(trace, verbose, paint)
}

/// The decisions of the proxies, and the result.
pub fn hops(trace: &ProxyTrace, verbose: bool, paint: Paint) -> String {
    let mut text = String::new();
    for hop in &trace.hops {
        text += &line(hop, verbose || !hop.ruling.passes, paint);
    }
    text += "\n";
    let result = match (&trace.got, trace.verdict) {
        (Some(CallerOutcome::Answer(answer)), _) => {
            format!("a proxy answers {}", paint.bad(&answer.status.to_string()))
        }
        (Some(CallerOutcome::Failure(failure)), _) => {
            let exit = format!("curl exit {}", failure.exit());
            format!("the caller gets no answer: {}", paint.bad(&exit))
        }
        (None, Verdict::Reaches) => paint.good("the proxies forward it to its server"),
        (None, _) => paint.change("whether it reaches its server is unknown"),
    };
    let _ = writeln!(text, "{result}");
    for unknown in &trace.unknown {
        let _ = writeln!(
            text,
            "{} {}",
            paint.change("unknown:"),
            plain(&unknown.to_string())
        );
    }
    text
}

/// Why the proxies were not read.
pub fn unread(why: &str) -> String {
    format!(
        "the proxies' own configuration was not read: {}\n",
        plain(why)
    )
}

/// Where the model differs.
pub fn differences(all: &[Difference], paint: Paint) -> String {
    let lines = all
        .iter()
        .map(|one| format!("{} {}\n", paint.bad("differs:"), plain(&one.to_string())));
    lines.collect()
}
