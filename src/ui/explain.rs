//! The trace of a request as text: the verdict, then one line for each hop, the object that decides, and why the others did not apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::table::{columns, folded};
use super::{Paint, plain};
use egress::matrix::Cell;
use egress::request::{Request, Source};
use egress::trace::{CallerOutcome, Hop, HopLocation, Trace};
use egress::verdict::Verdict;

/// The trace, from the caller to the answer. The reasons why objects did not apply are shown at the hop where the request stops,
/// and with `verbose` at every hop.
pub fn text(request: &Request, account: &Trace, verbose: bool, paint: Paint) -> String {
    let mut text = title(request, paint);
    text += &headline(account, paint);
    for hop in &account.hops {
        text += &line(hop, verbose || !hop.ruling.passes, paint);
    }
    text += "\n";
    text += &got(account, paint);
    text
}

/// The verdict, and the objects behind it; of an unknown verdict also the fields that are not covered.
fn headline(account: &Trace, paint: Paint) -> String {
    let verdict = account.verdict();
    let word = match verdict {
        Verdict::Reaches => paint.good(verdict.word()),
        Verdict::Refused => paint.bad(verdict.word()),
        Verdict::Unknown => paint.change(verdict.word()),
    };
    let mut text = format!("verdict: {word}\n");
    let behind: Vec<String> = match verdict {
        Verdict::Unknown => account.unknown.iter().map(ToString::to_string).collect(),
        _ => account.deciding().iter().map(ToString::to_string).collect(),
    };
    let label = match verdict {
        Verdict::Unknown => "not covered",
        _ => "decided by",
    };
    let more = behind.len().saturating_sub(MOST);
    for (index, object) in behind.iter().take(MOST).enumerate() {
        let label = if index == 0 { label } else { "" };
        text += &folded(&format!("  {label:<11} "), &plain(object));
    }
    if more > 0 {
        let _ = writeln!(text, "  {:<11} {more} more", "");
    }
    text
}

/// The number of objects that a headline names.
const MOST: usize = 10;

/// The request, in a line.
pub(super) fn title(request: &Request, paint: Paint) -> String {
    let (from, method) = (&request.from.namespace, &request.method);
    let title = format!("{from} {method} {}", request.url());
    format!("{}\n", paint.strong(&plain(&title)))
}

/// Which namespace reaches what: one row for each destination, one column for each namespace; then the reasons of the stopped
/// requests, and what is not covered. The result of a cell whose verdict is unknown is not shown: it may be wrong.
pub fn matrix(callers: &[Source], requests: &[Request], cells: &[Vec<Cell>]) -> String {
    let mut rows = vec![vec!["request".to_owned()]];
    rows[0].extend(callers.iter().map(|caller| plain(&caller.namespace)));
    let (mut stops, mut unknown) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    for (n, request) in requests.iter().enumerate() {
        let mut row = vec![plain(&request.url())];
        for (caller, of_caller) in callers.iter().zip(cells) {
            let Some(cell) = of_caller.get(n) else {
                continue;
            };
            if cell.verdict() == Verdict::Unknown {
                row.push(Verdict::Unknown.word().to_owned());
                for each in &cell.unknown {
                    *unknown.entry(each.to_string()).or_insert(0) += 1;
                }
                continue;
            }
            row.push(cell.got.to_string());
            if let Some(by) = cell.by.as_ref().filter(|_| !cell.reaches) {
                let namespace = plain(&caller.namespace);
                stops.insert(format!(
                    "{by} stops requests from {namespace} to {}",
                    request.url()
                ));
            }
        }
        rows.push(row);
    }
    let mut text = columns(&rows);
    for stop in stops {
        let _ = writeln!(text, "{}", plain(&stop));
    }
    for (object, count) in unknown {
        let requests = if count == 1 { "request" } else { "requests" };
        let said =
            format!("unknown: {object} is not covered, and may decide about {count} {requests}");
        let _ = writeln!(text, "{}", plain(&said));
    }
    text
}

fn word(place: HopLocation) -> &'static str {
    match place {
        HopLocation::Client => "client",
        HopLocation::Dns => "dns",
        HopLocation::Sidecar => "sidecar",
        HopLocation::NetworkPolicy => "policy",
        HopLocation::Firewall => "firewall",
        HopLocation::Gateway => "gateway",
        HopLocation::ServerSidecar => "sidecar",
        HopLocation::Server => "server",
    }
}

/// One hop; with `whole`, every object that did not apply.
pub(super) fn line(hop: &Hop, whole: bool, paint: Paint) -> String {
    let ruling = &hop.ruling;
    let arrow = match ruling.passes {
        true => paint.good("->"),
        false => paint.bad("X "),
    };
    let mut text = format!("  {arrow} {:<9} {}\n", word(hop.place), plain(&hop.name));
    let mut told = |first: &str, said: &str| {
        text += &folded(&format!("     {first:<9} "), said);
    };
    told("", &plain(&ruling.because));
    if let Some(by) = &ruling.by {
        told("by", &plain(&by.to_string()));
    }
    match (whole, ruling.others.len()) {
        (_, 0) => {}
        (false, 1) => told("not", "1 other (-v shows why)"),
        (false, others) => told("not", &format!("{others} others (-v shows why)")),
        (true, _) => {
            for (object, why) in &ruling.others {
                told("not", &plain(&format!("{object}: {why}")));
            }
        }
    }
    text
}

/// The caller's result; if the verdict is unknown, what it would be if nothing that is not covered decided.
fn got(account: &Trace, paint: Paint) -> String {
    let gets = match account.verdict() {
        Verdict::Unknown => "if nothing that is not covered decides, the caller gets",
        Verdict::Reaches | Verdict::Refused => "the caller gets",
    };
    let waits = account.waits.as_secs();
    let after = match waits {
        0 => String::new(),
        seconds => format!(" after {seconds} s"),
    };
    let mut text = match &account.got {
        CallerOutcome::Answer(answer) => {
            let status = match answer.status {
                200..=399 => paint.good(&answer.status.to_string()),
                other => paint.bad(&other.to_string()),
            };
            format!("{gets} {status}{after}\n")
        }
        CallerOutcome::Failure(failure) => {
            let exit = paint.bad(&format!("curl exit {}", failure.exit()));
            format!("{gets} no answer{after}: {exit}\n")
        }
    };
    if let CallerOutcome::Answer(answer) = &account.got {
        // The body of a successful page is not shown here; a proxy's error message is.
        if answer.status >= 400 && !answer.body.is_empty() {
            let first = answer.body.lines().next().unwrap_or_default();
            let _ = writeln!(text, "  body: {}", plain(first));
        }
    }
    for line in &account.lines {
        let logged = format!(
            "{} logs {} {} {}",
            line.pod,
            line.status,
            or_dash(line.flags),
            or_dash(&line.cluster)
        );
        let _ = writeln!(text, "  {}", plain(&logged));
    }
    text
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
