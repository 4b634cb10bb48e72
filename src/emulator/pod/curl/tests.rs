//! The emulated curl against a record of curl 7.88.1 (`fixtures/curl/`): its output, its errors and its exit code.

use std::time::Duration;

use serde_json::Value;

use super::{Caller, run};
use crate::pod::run::{ProgramOutput, ProgramResult};
use egress::request::{Request, Scheme, Source};
use egress::trace::{CallerOutcome, Decision, Failure, Hop, HopLocation, HttpAnswer, Trace};

const RECORD: &str = include_str!("../../../../fixtures/curl/runs.json");

fn caller(terminal: bool) -> Caller {
    Caller {
        from: Source {
            namespace: "team-x".to_owned(),
            pod: Some("test".to_owned()),
            sidecar: None,
        },
        address: "10.1.0.17".to_owned(),
        terminal,
        date: "Mon, 23 Nov 2026 08:43:17 GMT".to_owned(),
    }
}

fn account(got: CallerOutcome, connected: Option<&str>) -> Trace {
    Trace {
        hops: Vec::new(),
        got,
        waits: Duration::ZERO,
        received: Vec::new(),
        connected: connected.map(|address| address.parse().unwrap()),
        lines: Vec::new(),
        unknown: Vec::new(),
    }
}

/// The server of the record, and names and ports without one.
fn recorded_server(request: &Request) -> Trace {
    if request.host.ends_with(".invalid") || request.host == "-s" {
        return account(CallerOutcome::Failure(Failure::NoSuchHost), None);
    }
    if request.port == 1 {
        return account(CallerOutcome::Failure(Failure::Refused), None);
    }
    let there = Some("127.0.0.1");
    if request.path == "/slow" {
        let mut late = account(CallerOutcome::Failure(Failure::TimedOut), there);
        late.waits = request.max_time.unwrap();
        return late;
    }
    if request.scheme == Scheme::Https {
        let failure = if request.port == 18080 {
            Failure::NotTls
        } else {
            Failure::CertificateRefused
        };
        return account(CallerOutcome::Failure(failure), there);
    }
    let (status, location, text) = match request.path.as_str() {
        "/redir" => (302, Some("/"), ""),
        "/deny" => (403, None, "RBAC: access denied"),
        _ => (200, None, "hello from upstream\n"),
    };
    let head = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = match location {
        Some(location) => vec![
            head("Server", "BaseHTTP/0.6 Python/3.11.7"),
            head("Date", "Mon, 23 Nov 2026 08:43:17 GMT"),
            head("Location", location),
            head("Content-Length", "0"),
        ],
        None => vec![
            head("content-length", &text.len().to_string()),
            head("content-type", "text/plain"),
            head("server", "envoy"),
        ],
    };
    let body = if request.method == "HEAD" { "" } else { text };
    let answer = HttpAnswer {
        status,
        headers,
        body: body.to_owned(),
    };
    account(CallerOutcome::Answer(answer), there)
}

fn play(line: &[String]) -> ProgramResult {
    run(line, &caller(false), &recorded_server)
}

/// What curl wrote to its errors, without the progress meter, which the emulated curl does not have: two lines of names, and
/// rows of numbers that begin with a carriage return.
fn without_meter(text: &str) -> String {
    let pattern =
        "  % Total [^\n]*\n[^\n]*Left  Speed\n|\r[ 0-9]{3} [ 0-9.kM]{5} [-: 0-9.kM]{68}\n?";
    regex_lite::Regex::new(pattern)
        .unwrap()
        .replace_all(text, "")
        .into_owned()
}

#[test]
fn every_recorded_run_is_played_as_it_was() {
    let record: Vec<Value> = serde_json::from_str(RECORD).unwrap();
    assert!(record.len() > 40, "{}", record.len());
    let mut wrong = Vec::new();
    for one in record {
        let line: Vec<String> = serde_json::from_value(one["arguments"].clone()).unwrap();
        let ran = play(&line);
        let text = |field: &str| one[field].as_str().unwrap();
        let played = (ran.stdout(), ran.stderr(), u64::from(ran.code));
        let real = (
            text("stdout").to_owned(),
            without_meter(text("stderr")),
            one["exit"].as_u64().unwrap(),
        );
        assert!(
            !real.1.contains("--:--:--"),
            "a row of the meter is left: {real:?}"
        );
        if played != real {
            wrong.push(format!(
                "curl {}\nplayed {played:#?}\nreal {real:#?}",
                line.join(" ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The record of a real Envoy, as far as curl shows it: the account's answer, and what `curl -I` printed.
#[test]
fn an_answers_head_is_printed_as_envoys_was() {
    let head = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let stopped = Hop {
        place: HopLocation::Gateway,
        name: "gateway".to_owned(),
        ruling: Decision {
            passes: false,
            by: None,
            because: "no ALLOW policy matches".to_owned(),
            others: Vec::new(),
            together: None,
        },
    };
    let mut passed = stopped.clone();
    passed.ruling.passes = true;
    let date = "date: Mon, 23 Nov 2026 08:43:17 GMT\r\n";
    // (the hop, the URL, status, headers, what is printed)
    let cases = [
        (
            &passed,
            "http://example.com",
            200,
            vec![head("server", "envoy"), head("content-length", "32")],
            format!("HTTP/1.1 200 OK\r\nserver: envoy\r\n{date}content-length: 32\r\n\r\n"),
        ),
        (
            &stopped,
            "http://httpbin.org",
            403,
            vec![head("content-length", "19"), head("server", "envoy")],
            format!("HTTP/1.1 403 Forbidden\r\ncontent-length: 19\r\n{date}server: envoy\r\n\r\n"),
        ),
        (
            &stopped,
            "http://unknown.test",
            502,
            vec![
                head("server", "envoy"),
                head("transfer-encoding", "chunked"),
            ],
            format!(
                "HTTP/1.1 502 Bad Gateway\r\n{date}server: envoy\r\ntransfer-encoding: chunked\r\n\r\n"
            ),
        ),
        // Not in the record: Envoy's list of statuses has no 418, and over TLS the servers speak HTTP/2.
        (
            &passed,
            "http://httpbin.org/status/418",
            418,
            vec![head("server", "envoy")],
            format!("HTTP/1.1 418 Unknown\r\nserver: envoy\r\n{date}\r\n"),
        ),
        (
            &passed,
            "https://example.com",
            200,
            vec![head("Server", "ECAcc")],
            format!("HTTP/2 200 \r\nserver: ECAcc\r\n{date}\r\n"),
        ),
    ];
    for (hop, url, status, headers, printed) in cases {
        let network = |_: &Request| {
            let answer = HttpAnswer {
                status,
                headers: headers.clone(),
                body: String::new(),
            };
            let mut account = account(CallerOutcome::Answer(answer), Some("192.0.2.1"));
            account.hops.push(hop.clone());
            account
        };
        let line = ["-sI", url].map(str::to_owned);
        assert_eq!(
            run(&line, &caller(false), &network).stdout(),
            printed,
            "{url}"
        );
    }
}

#[test]
fn a_terminal_gets_bold_names() {
    let line = ["-I", "http://127.0.0.1:18080/deny"].map(str::to_owned);
    let ran = run(&line, &caller(true), &recorded_server);
    assert_eq!(ran.stderr(), "");
    let second = ran.stdout().lines().nth(1).unwrap().to_owned();
    assert_eq!(second, "\u{1b}[1mcontent-length\u{1b}[0m: 19");
}

#[test]
fn the_time_of_a_request_is_its_wait() {
    let slow = |_: &Request| {
        let body = "upstream connect error".to_owned();
        let answer = HttpAnswer {
            status: 503,
            headers: Vec::new(),
            body,
        };
        let mut account = account(CallerOutcome::Answer(answer), Some("192.0.2.1"));
        account.waits = Duration::from_secs(10);
        account
    };
    let line = ["-so/dev/null", "-w%{http_code} %{time_total}", "x"].map(str::to_owned);
    let ran = run(&line, &caller(false), &slow);
    assert_eq!(ran.stdout(), "503 10.000000");
    assert!(matches!(&ran.acts[0], ProgramOutput::Asked(account) if account.waits.as_secs() == 10));
}
