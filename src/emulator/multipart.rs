//! MIME multipart bodies: uploads (`multipart/related`) and batches (`multipart/mixed`).

/// A part: its headers, names in lower case, and its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Part {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The parts of a body of this content type; none if it is not well-formed multipart.
pub fn parts(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = boundary(content_type)?;
    let marker = format!("--{boundary}");
    let first = position(body, marker.as_bytes())?;
    let inner = format!("\n--{boundary}");
    let mut rest = &body[first + marker.len()..];
    let mut found = Vec::new();
    // What follows a marker is `--` after the last part and a line break before every other.
    while !rest.starts_with(b"--") {
        let content = after_line_break(rest)?;
        let end = position(content, inner.as_bytes())?;
        let part = &content[..end];
        found.push(part_of(part.strip_suffix(b"\r").unwrap_or(part))?);
        rest = &content[end + inner.len()..];
    }
    Some(found)
}

/// Headers, an empty line, a body; also the form of an HTTP message after its first line.
pub fn part_of(text: &[u8]) -> Option<Part> {
    let mut part = Part::default();
    let mut rest = text;
    loop {
        let end = position(rest, b"\n").unwrap_or(rest.len());
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            part.body = rest.to_vec();
            return Some(part);
        }
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        part.headers
            .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    if !content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/")
    {
        return None;
    }
    let value = content_type.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    Some(value.trim_matches(['"', '\''])).filter(|boundary| !boundary.is_empty())
}

fn after_line_break(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\r\n")
        .or_else(|| text.strip_prefix(b"\n"))
}

fn position(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_two_parts_and_its_bytes_stay_as_they_are() {
        let body = b"--b1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"x\"}\r\n--b1\r\ncontent-type: text/plain\r\n\r\na\n--b2\r\n\x00\r\n--b1--";
        let parts = parts("multipart/related; boundary=\"b1\"", body).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].header("content-type"), Some("application/json"));
        assert_eq!(parts[0].body, b"{\"name\":\"x\"}");
        assert_eq!(parts[1].body, b"a\n--b2\r\n\x00");
    }

    #[test]
    fn bare_line_feeds_and_pythons_quotes_are_read() {
        let body = b"--===1==\nContent-Type: application/http\n\nGET /x HTTP/1.1\n\n\n--===1==--\n";
        let parts = parts("multipart/mixed; boundary='===1=='", body).unwrap();
        assert_eq!(parts[0].body, b"GET /x HTTP/1.1\n\n");
    }

    #[test]
    fn what_is_not_multipart_is_nothing() {
        for (kind, body) in [
            ("application/json", "{}"),
            ("multipart/mixed", "--x--"),
            ("multipart/mixed; boundary=x", "--x\r\na: b"),
        ] {
            assert!(parts(kind, body.as_bytes()).is_none(), "{kind} {body}");
        }
    }
}
