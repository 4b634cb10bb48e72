//! Batches: many calls in one POST (`/batch/compute/v1`), answered one by one in one body.

use super::front::{Call, Reply};
use super::multipart::{self, Part};

/// The boundary of an answer.
const BOUNDARY: &str = "batch_provision";

/// The calls of a batch, each with its content id. None if the body is no batch; `api` is the one it was sent to.
///
/// The paths inside may be those of the real host (`/compute/v1/…`) or of this emulator (`/compute.googleapis.com/…`).
pub fn calls(api: &str, batch: &Call) -> Option<Vec<(String, Call)>> {
    let parts = multipart::parts(batch.content_type.as_deref()?, &batch.body)?;
    parts
        .iter()
        .map(|part| {
            Some((
                part.header("content-id").unwrap_or_default().to_owned(),
                call(api, part, batch)?,
            ))
        })
        .collect()
}

/// The one answer to a batch.
pub fn reply(replies: &[(String, Reply)]) -> Reply {
    let mut body = Vec::new();
    for (id, reply) in replies {
        let answered = match id.strip_prefix('<') {
            Some(rest) => format!("<response-{rest}"),
            None => format!("response-{id}"),
        };
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: {answered}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        let reason = axum::http::StatusCode::from_u16(reply.http)
            .ok()
            .and_then(|status| status.canonical_reason());
        body.extend_from_slice(
            format!("HTTP/1.1 {} {}\r\n", reply.http, reason.unwrap_or_default()).as_bytes(),
        );
        for (name, value) in &reply.headers {
            body.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        body.extend_from_slice(format!("Content-Length: {}\r\n\r\n", reply.body.len()).as_bytes());
        body.extend_from_slice(&reply.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let headers = vec![(
        "content-type",
        format!("multipart/mixed; boundary={BOUNDARY}"),
    )];
    Reply {
        http: 200,
        headers,
        body,
        hold: None,
    }
}

/// A part is an HTTP message: a request line, headers, a body.
fn call(api: &str, part: &Part, batch: &Call) -> Option<Call> {
    let end = part
        .body
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(part.body.len());
    let line = std::str::from_utf8(&part.body[..end]).ok()?;
    let mut words = line.split_whitespace();
    let (method, url) = (words.next()?, words.next()?);
    let message = multipart::part_of(part.body.get(end + 1..).unwrap_or_default())?;
    Some(Call {
        method: method.to_owned(),
        target: target(api, url),
        content_type: message.header("content-type").map(str::to_owned),
        body: message.body,
        base: batch.base.clone(),
    })
}

fn target(api: &str, url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    };
    let host = format!("/{api}.googleapis.com/");
    if path.starts_with(&host) {
        path.to_owned()
    } else {
        format!("{host}{}", path.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_read_whatever_form_its_urls_have() {
        let urls = [
            "/compute/v1/projects/p/global/firewalls/f?alt=json",
            "/compute.googleapis.com/compute/v1/projects/p/global/firewalls/f?alt=json",
            "http://127.0.0.1:4010/compute.googleapis.com/compute/v1/projects/p/global/firewalls/f?alt=json",
        ];
        for url in urls {
            let body = format!(
                "--b\r\nContent-Type: application/http\r\nContent-ID: <x+0>\r\n\r\nDELETE {url} HTTP/1.1\r\naccept: application/json\r\n\r\n\r\n--b--"
            );
            let batch = Call {
                content_type: Some("multipart/mixed; boundary=b".to_owned()),
                body: body.into_bytes(),
                ..Call::default()
            };
            let calls = calls("compute", &batch).unwrap();
            assert_eq!(calls[0].0, "<x+0>");
            assert_eq!(calls[0].1.method, "DELETE");
            assert_eq!(calls[0].1.target, urls[1]);
        }
    }

    #[test]
    fn answers_carry_the_ids_of_their_calls() {
        let one = Reply {
            http: 404,
            headers: Vec::new(),
            body: b"{}".to_vec(),
            hold: None,
        };
        let text = String::from_utf8(reply(&[("<x+0>".to_owned(), one)]).body).unwrap();
        assert!(text.contains("Content-ID: <response-x+0>\r\n"), "{text}");
        assert!(
            text.contains("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}\r\n--"),
            "{text}"
        );
    }
}
