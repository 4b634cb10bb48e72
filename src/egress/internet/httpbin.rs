//! `httpbin.org`, as far as the tutorial and its readers use it: it echoes requests, and answers with the requested status.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{InternetRequest, answering};
use crate::trace::HttpAnswer;

/// The body of `/status/418`, 135 bytes, as shown in the tutorial.
const TEAPOT: &str = r#"
    -=[ teapot ]=-

       _...._
     .'  _ _ `.
    | ."` ^ `". _,
    \_;`"---"`|//
      |       ;/
      \_     _/
        `"""`
"#;

/// How long the host delays the answer: N seconds for `/delay/N`, at most ten.
pub fn takes(host: &str, path: &str) -> Duration {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let seconds = path
        .strip_prefix("/delay/")
        .and_then(|text| text.parse::<u64>().ok());
    match (host.eq_ignore_ascii_case("httpbin.org"), seconds) {
        (true, Some(seconds)) => Duration::from_secs(seconds.min(10)),
        _ => Duration::ZERO,
    }
}

/// The answer of the host. `path` has no query.
pub fn answer(asked: &InternetRequest<'_>, path: &str) -> HttpAnswer {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (parts[0], parts.get(1).copied()) {
        ("", None) => answering(
            200,
            "text/html; charset=utf-8",
            "<!DOCTYPE html>\n<title>httpbin.org</title>\n".to_owned(),
        ),
        ("status", Some(code)) => status(code),
        ("headers", None) => reads(asked, json!({"headers": headers(asked)})),
        ("ip", None) => reads(asked, json!({"origin": origin(asked)})),
        ("user-agent", None) => reads(
            asked,
            json!({"user-agent": headers(asked).get("User-Agent")}),
        ),
        ("get", None) => reads(asked, echo(asked, false)),
        ("anything", _) | ("delay", Some(_)) => echoed(&echo(asked, true)),
        _ => answering(
            404,
            "text/html",
            "<title>404 Not Found</title>\n<h1>Not Found</h1>\n".to_owned(),
        ),
    }
}

fn status(code: &str) -> HttpAnswer {
    let mut answer = match code.parse::<u16>() {
        Ok(418) => answering(418, "text/plain", TEAPOT.to_owned()),
        Ok(code) if (100..600).contains(&code) => {
            answering(code, "text/html; charset=utf-8", String::new())
        }
        _ => {
            return answering(
                400,
                "text/html; charset=utf-8",
                "Invalid status code".to_owned(),
            );
        }
    };
    let more = match answer.status {
        301..=303 | 305 | 307 => Some(("location", "/redirect/1")),
        401 => Some(("www-authenticate", "Basic realm=\"Fake Realm\"")),
        418 => Some(("x-more-info", "http://tools.ietf.org/html/rfc2324")),
        _ => None,
    };
    answer
        .headers
        .extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    answer
}

/// An answer to GET and HEAD only.
fn reads(asked: &InternetRequest<'_>, body: Value) -> HttpAnswer {
    match asked.method {
        "GET" | "HEAD" => echoed(&body),
        _ => answering(
            405,
            "text/html",
            "<title>405 Method Not Allowed</title>\n".to_owned(),
        ),
    }
}

fn echoed(body: &Value) -> HttpAnswer {
    answering(200, "application/json", format!("{body:#}\n"))
}

/// The headers in the host's spelling (`User-Agent`), in alphabetical order.
fn headers(asked: &InternetRequest<'_>) -> Map<String, Value> {
    let spelled = |name: &str| {
        let words = name.split('-').map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first
                .into_iter()
                .chain(letters.map(|letter| letter.to_ascii_lowercase()))
                .collect::<String>()
        });
        words.collect::<Vec<_>>().join("-")
    };
    let sent = asked
        .headers
        .iter()
        .map(|(name, value)| (spelled(name), json!(value)));
    let mut all: Vec<(String, Value)> = sent.filter(|(name, _)| name != "Host").collect();
    all.push(("Host".to_owned(), json!(asked.host)));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().collect()
}

/// The origin of the request: the addresses that proxies added, followed by the address itself.
fn origin(asked: &InternetRequest<'_>) -> String {
    let forwarded = asked
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
    let forwarded = forwarded.map(|(_, value)| value.clone());
    let from = asked.from.map(|address| address.to_string());
    forwarded.chain(from).collect::<Vec<_>>().join(", ")
}

fn echo(asked: &InternetRequest<'_>, whole: bool) -> Value {
    let scheme = if asked.tls { "https" } else { "http" };
    let query = asked.path.split_once('?').map_or("", |(_, query)| query);
    let args = url::form_urlencoded::parse(query.as_bytes());
    let args: Map<String, Value> = args
        .map(|(key, value)| (key.into_owned(), json!(value)))
        .collect();
    let url = format!("{scheme}://{}{}", asked.host, asked.path);
    match whole {
        // The body of a request is not kept, so it is not echoed.
        true => json!({
            "args": args, "data": "", "files": {}, "form": {}, "headers": headers(asked), "json": null,
            "method": asked.method, "origin": origin(asked), "url": url,
        }),
        false => {
            json!({"args": args, "headers": headers(asked), "origin": origin(asked), "url": url})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_what_it_is_asked_for() {
        let headers = [
            ("user-agent", "curl/8"),
            ("X-FORWARDED-for", "10.1.0.17"),
            ("host", "x"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // (method, path, status, substring of the body)
        let cases = [
            ("GET", "/", 200, "httpbin.org"),
            ("GET", "/status/418", 418, "-=[ teapot ]=-"),
            ("POST", "/status/503", 503, ""),
            ("GET", "/status/x", 400, "Invalid"),
            ("GET", "/status/99", 400, "Invalid"),
            ("GET", "/headers", 200, "\"User-Agent\": \"curl/8\""),
            ("GET", "/headers", 200, "\"Host\": \"httpbin.org\""),
            ("GET", "/ip", 200, "\"origin\": \"10.1.0.17, 198.51.100.7\""),
            ("GET", "/get?a=b%20c", 200, "\"a\": \"b c\""),
            (
                "GET",
                "/get?a=b",
                200,
                "\"url\": \"https://httpbin.org/get?a=b\"",
            ),
            ("POST", "/get", 405, "405"),
            ("PUT", "/anything/else", 200, "\"method\": \"PUT\""),
            ("GET", "/delay/3", 200, "\"origin\""),
            ("GET", "/user-agent", 200, "curl/8"),
            ("GET", "/none", 404, "404"),
        ];
        for (method, path, status, body) in cases {
            let asked = InternetRequest {
                host: "httpbin.org",
                tls: true,
                method,
                path,
                headers: &headers,
                from: "198.51.100.7".parse().ok(),
            };
            let answer = super::super::answer(&asked);
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(
                answer.body.contains(body),
                "{method} {path}: {}",
                answer.body
            );
            assert!(
                !answer.body.contains("\"x\""),
                "{method} {path}: {}",
                answer.body
            );
        }
        assert_eq!(TEAPOT.len(), 135);
    }

    #[test]
    fn it_waits_when_it_is_told_to() {
        let cases = [
            ("/delay/3", 3),
            ("/delay/60?x", 10),
            ("/delay/x", 0),
            ("/get", 0),
        ];
        for (path, seconds) in cases {
            assert_eq!(
                takes("httpbin.org", path),
                Duration::from_secs(seconds),
                "{path}"
            );
        }
        assert_eq!(takes("example.com", "/delay/3"), Duration::ZERO);
    }
}
