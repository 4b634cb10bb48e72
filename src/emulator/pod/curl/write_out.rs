//! curl's `-w`: text with `%{variables}` that is written after each transfer.

use std::time::Duration;

use serde_json::{Value, json};

/// A transfer, as far as `-w` has variables for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transfer {
    /// The URL of the command line.
    pub url: String,
    /// The URL of the request.
    pub effective: String,
    /// Where the answer redirects to. It is not followed.
    pub redirect: String,
    /// Which of the URLs it was, from 0.
    pub number: usize,
    /// The request's method.
    pub method: String,
    /// `http` or `https`, once there was a connection.
    pub scheme: &'static str,
    /// 0, `1.1` or `2`.
    pub version: &'static str,
    /// The answer's status; 0 without an answer.
    pub status: u16,
    /// The answer's headers.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub received: u64,
    /// Bytes of the answer's head.
    pub received_headers: u64,
    /// Bytes of the request's head.
    pub sent_headers: u64,
    /// Bytes that were sent as body.
    pub sent: u64,
    /// The caller's address.
    pub local: String,
    /// The address that was connected to.
    pub remote: String,
    /// Its port.
    pub port: u16,
    /// How many connections were made.
    pub connects: u32,
    /// How long it took.
    pub total: Duration,
    /// curl's exit code.
    pub code: u8,
    /// The error's message; empty without an error.
    pub error: String,
    /// Where the body went, if into a file.
    pub file: String,
}

/// What `-w` writes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// To the output.
    pub out: String,
    /// To the errors.
    pub err: String,
}

/// A variable by name. None if curl does not have it, or the emulated curl does not know it.
fn variable(transfer: &Transfer, name: &str) -> Option<Value> {
    let text = |value: &str| match value {
        "" => Value::Null,
        value => json!(value),
    };
    let seconds = |value: Duration| json!(value.as_secs_f64());
    let speed = |bytes: u64| {
        let micros = u64::try_from(transfer.total.as_micros()).unwrap_or(u64::MAX);
        json!(bytes * 1_000_000 / micros.max(1_000))
    };
    Some(match name {
        "http_code" | "response_code" => json!(transfer.status),
        "http_version" => text(transfer.version),
        "scheme" => text(&transfer.scheme.to_uppercase()),
        "method" => text(&transfer.method),
        "url" => text(&transfer.url),
        "url_effective" => text(&transfer.effective),
        "urlnum" => json!(transfer.number),
        "redirect_url" => text(&transfer.redirect),
        "num_redirects" | "http_connect" => json!(0),
        "num_connects" => json!(transfer.connects),
        "num_headers" => json!(transfer.headers.len()),
        "content_type" => text(header(transfer, "content-type")),
        "size_download" => json!(transfer.received),
        "size_upload" => json!(transfer.sent),
        "size_header" => json!(transfer.received_headers),
        "size_request" => json!(transfer.sent_headers),
        "speed_download" => speed(transfer.received),
        "speed_upload" => speed(transfer.sent),
        "time_total" | "time_starttransfer" => seconds(transfer.total),
        // The emulated network takes no time; what is waited for is an answer.
        "time_redirect" | "time_connect" | "time_pretransfer" | "time_appconnect"
        | "time_namelookup" => seconds(Duration::ZERO),
        "local_ip" => text(&transfer.local),
        "remote_ip" => text(&transfer.remote),
        "remote_port" => json!(transfer.port),
        "ssl_verify_result" | "proxy_ssl_verify_result" => json!(0),
        "exitcode" => json!(transfer.code),
        "errormsg" => text(&transfer.error),
        "filename_effective" => text(&transfer.file),
        "ftp_entry_path" | "referer" => Value::Null,
        _ => return None,
    })
}

fn printed(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if name.starts_with("time_") => {
            format!("{:.6}", number.as_f64().unwrap_or_default())
        }
        Value::Number(number) if matches!(name, "http_code" | "response_code" | "http_connect") => {
            format!("{:03}", number.as_u64().unwrap_or_default())
        }
        Value::Number(number) => number.to_string(),
        // Where nothing is known curl writes 0 for a version and nothing for a text.
        _ if name == "http_version" => "0".to_owned(),
        _ => String::new(),
    }
}

fn headers(transfer: &Transfer) -> String {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in &transfer.headers {
        let name = name.to_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let rows = names.iter().map(|name| {
        let values = transfer
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        format!("{}:{}", json!(name), json!(values))
    });
    format!("{{{}\n}}", rows.collect::<Vec<_>>().join(",\n"))
}

/// What `format` becomes.
pub fn write_out(format: &str, transfer: &Transfer) -> Written {
    let mut written = Written::default();
    let mut to_errors = false;
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let named = rest
            .strip_prefix("%{")
            .and_then(|after| after.split_once('}'));
        let wanted = rest
            .strip_prefix("%header{")
            .and_then(|after| after.split_once('}'));
        let escaped = ESCAPES.iter().find(|(from, _)| rest.starts_with(from));
        let text = if let Some((name, after)) = named {
            rest = after;
            match name {
                "stdout" | "stderr" => {
                    to_errors = name == "stderr";
                    String::new()
                }
                // What follows is for failures only.
                "onerror" if transfer.code == 0 => break,
                "onerror" => String::new(),
                "header_json" => headers(transfer),
                name => match variable(transfer, name) {
                    Some(value) => printed(name, &value),
                    None => {
                        let complaint = format!("curl: unknown --write-out variable: '{name}'\n");
                        written.err.push_str(&complaint);
                        String::new()
                    }
                },
            }
        } else if let Some((name, after)) = wanted {
            rest = after;
            header(transfer, name).to_owned()
        } else if let Some((from, to)) = escaped {
            rest = &rest[from.len()..];
            (*to).to_owned()
        } else {
            rest = &rest[first.len_utf8()..];
            first.to_string()
        };
        let to = if to_errors {
            &mut written.err
        } else {
            &mut written.out
        };
        to.push_str(&text);
    }
    written
}

const ESCAPES: &[(&str, &str)] = &[("%%", "%"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t")];

fn header<'a>(transfer: &'a Transfer, name: &str) -> &'a str {
    let mut headers = transfer.headers.iter();
    let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transfer {
        Transfer {
            url: "http://example.com/".to_owned(),
            effective: "http://example.com/".to_owned(),
            method: "GET".to_owned(),
            scheme: "http",
            version: "1.1",
            status: 200,
            headers: vec![
                ("content-length".to_owned(), "20".to_owned()),
                ("content-type".to_owned(), "text/plain".to_owned()),
            ],
            received: 20,
            total: Duration::from_millis(1500),
            ..Transfer::default()
        }
    }

    #[test]
    fn variables_are_written_as_curl_writes_them() {
        // Formats and what curl 7.88.1 makes of them.
        let cases = [
            ("%{http_code}\\n", "200\n", ""),
            (
                "%{time_total} %{size_download} %{speed_download}",
                "1.500000 20 13",
                "",
            ),
            (
                "%{exitcode}%{errormsg}|%{http_connect}|%{content_type}",
                "0|000|text/plain",
                "",
            ),
            (
                "a%{nonsense}b",
                "ab",
                "curl: unknown --write-out variable: 'nonsense'\n",
            ),
            (
                "%{scheme} %header{Content-Length} 100%% \\q\\t|%{http_code",
                "HTTP 20 100% \\q\t|%{http_code",
                "",
            ),
            ("a%{stderr}b%{stdout}c", "ac", "b"),
            ("a%{onerror}failed", "a", ""),
            (
                "%{header_json}",
                "{\"content-length\":[\"20\"],\n\"content-type\":[\"text/plain\"]\n}",
                "",
            ),
        ];
        for (format, out, err) in cases {
            let written = write_out(format, &transfer());
            assert_eq!(
                (written.out.as_str(), written.err.as_str()),
                (out, err),
                "{format}"
            );
        }
    }

    #[test]
    fn without_an_answer_most_variables_are_empty() {
        let failed = Transfer {
            effective: "http://nosuch.invalid/".to_owned(),
            code: 6,
            error: "Could not resolve host: nosuch.invalid".to_owned(),
            ..Transfer::default()
        };
        let format = "%{http_code} %{exitcode} %{errormsg} %{remote_ip}|%{remote_port}|%{http_version}|%{scheme}%{onerror}!";
        let written = write_out(format, &failed);
        assert_eq!(
            written.out,
            "000 6 Could not resolve host: nosuch.invalid |0|0|!"
        );
    }
}
