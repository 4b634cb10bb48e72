//! curl's options as a table: their names and what each does with its value.
//!
//! Options of curl that the emulated curl does not support (redirects, retries, proxies, client certificates, uploads) have a
//! row too: they are refused by name, because an option that is ignored looks like one that had no effect.

use std::time::Duration;

use super::options::{Detour, OnError, Options};

/// What is wrong with an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// The value is not a number.
    Number,
    /// It excludes another option of the command line.
    Used,
    /// `--resolve` without an address.
    Resolve(String),
    /// The emulated curl does not support this part of the value.
    Unsupported(&'static str),
}

/// What an option does with its value.
pub type Text = for<'a> fn(&mut Options, &'a str) -> Result<(), Bad>;

/// What an option takes.
#[derive(Clone, Copy)]
pub enum Takes {
    /// Nothing; `--no-` before the name turns it off.
    Flag(fn(&mut Options, bool)),
    /// A value.
    Text(Text),
    /// Nothing; the two exclude each other.
    Fails(OnError),
    /// Nothing, and its effect is always there or has nothing to act on.
    Nothing,
    /// The emulated curl does not support it.
    Unsupported,
}

/// The options: short name, long name, what it takes.
pub const OPTIONS: &[(Option<char>, &str, Takes)] = {
    use Takes::{Fails, Flag, Nothing, Text, Unsupported};
    &[
        (Some('s'), "silent", Flag(|o, on| o.silent = on)),
        (Some('S'), "show-error", Flag(|o, on| o.show_error = on)),
        (Some('v'), "verbose", Flag(|o, on| o.verbose = on)),
        (Some('I'), "head", Flag(|o, on| o.head = on)),
        (Some('i'), "include", Flag(|o, on| o.include = on)),
        (Some('k'), "insecure", Flag(|o, on| o.insecure = on)),
        (Some('G'), "get", Flag(|o, on| o.get = on)),
        (Some('V'), "version", Flag(|o, on| o.version = on)),
        (None, "compressed", Flag(|o, on| o.compressed = on)),
        (None, "fail-early", Flag(|o, on| o.fail_early = on)),
        (None, "http1.1", Flag(|o, _| o.http1 = true)),
        (None, "http2", Flag(|o, _| o.http1 = false)),
        (Some('f'), "fail", Fails(OnError::Fails)),
        (None, "fail-with-body", Fails(OnError::FailsWithBody)),
        (Some('o'), "output", Text(output)),
        (
            Some('D'),
            "dump-header",
            Text(|o, v| put(&mut o.dump_header, v)),
        ),
        (Some('w'), "write-out", Text(write_out)),
        (Some('X'), "request", Text(|o, v| put(&mut o.method, v))),
        (Some('H'), "header", Text(header)),
        (Some('A'), "user-agent", Text(|o, v| put(&mut o.agent, v))),
        (Some('e'), "referer", Text(|o, v| put(&mut o.referer, v))),
        (Some('b'), "cookie", Text(|o, v| put(&mut o.cookie, v))),
        (Some('u'), "user", Text(|o, v| put(&mut o.user, v))),
        (
            Some('m'),
            "max-time",
            Text(|o, v| seconds(&mut o.max_time, v)),
        ),
        (
            None,
            "connect-timeout",
            Text(|o, v| seconds(&mut o.connect_timeout, v)),
        ),
        (None, "resolve", Text(resolve)),
        (None, "connect-to", Text(connect_to)),
        (None, "url", Text(url)),
        (Some('d'), "data", Text(data)),
        (None, "data-ascii", Text(data)),
        (None, "data-binary", Text(data)),
        (None, "data-raw", Text(add)),
        (None, "data-urlencode", Text(urlencode)),
        (None, "json", Text(json)),
        (Some('4'), "ipv4", Nothing),
        (Some('N'), "no-buffer", Nothing),
        (Some('q'), "disable", Nothing),
        (Some('g'), "globoff", Nothing),
        (None, "no-progress-meter", Nothing),
        (None, "no-keepalive", Nothing),
        (None, "tlsv1.2", Nothing),
        (None, "tlsv1.3", Nothing),
        (None, "styled-output", Nothing),
        (None, "no-styled-output", Nothing),
        (None, "progress-meter", Unsupported),
        (Some('#'), "progress-bar", Unsupported),
        (Some('L'), "location", Unsupported),
        (None, "location-trusted", Unsupported),
        (None, "max-redirs", Unsupported),
        (None, "retry", Unsupported),
        (None, "retry-delay", Unsupported),
        (None, "retry-max-time", Unsupported),
        (None, "retry-connrefused", Unsupported),
        (None, "retry-all-errors", Unsupported),
        (None, "path-as-is", Unsupported),
        (Some('6'), "ipv6", Unsupported),
        (Some('0'), "http1.0", Unsupported),
        (None, "http2-prior-knowledge", Unsupported),
        (None, "http3", Unsupported),
        (Some('x'), "proxy", Unsupported),
        (Some('p'), "proxytunnel", Unsupported),
        (Some('E'), "cert", Unsupported),
        (None, "key", Unsupported),
        (None, "cacert", Unsupported),
        (None, "capath", Unsupported),
        (None, "ciphers", Unsupported),
        (None, "interface", Unsupported),
        (None, "unix-socket", Unsupported),
        (Some('F'), "form", Unsupported),
        (Some('T'), "upload-file", Unsupported),
        (Some('O'), "remote-name", Unsupported),
        (Some('J'), "remote-header-name", Unsupported),
        (Some('K'), "config", Unsupported),
        (Some('c'), "cookie-jar", Unsupported),
        (Some('C'), "continue-at", Unsupported),
        (Some('r'), "range", Unsupported),
        (Some('Z'), "parallel", Unsupported),
        (Some(':'), "next", Unsupported),
        (Some('h'), "help", Unsupported),
        (Some('M'), "manual", Unsupported),
        (None, "trace", Unsupported),
        (None, "trace-ascii", Unsupported),
        (None, "limit-rate", Unsupported),
        (Some('Y'), "speed-limit", Unsupported),
        (Some('y'), "speed-time", Unsupported),
    ]
};

fn put(field: &mut Option<String>, value: &str) -> Result<(), Bad> {
    *field = Some(value.to_owned());
    Ok(())
}

fn seconds(field: &mut Option<Duration>, value: &str) -> Result<(), Bad> {
    let number: f64 = value.parse().map_err(|_| Bad::Number)?;
    let time = Duration::try_from_secs_f64(number).map_err(|_| Bad::Number)?;
    // Zero is no limit.
    *field = Some(time).filter(|time| !time.is_zero());
    Ok(())
}

fn url(options: &mut Options, value: &str) -> Result<(), Bad> {
    options.urls.push(value.to_owned());
    Ok(())
}

fn output(options: &mut Options, value: &str) -> Result<(), Bad> {
    options.outputs.push(value.to_owned());
    Ok(())
}

fn header(options: &mut Options, value: &str) -> Result<(), Bad> {
    match value.strip_prefix('@') {
        Some(file) => options.missing_files.push(file.to_owned()),
        None => options.headers.push(value.to_owned()),
    }
    Ok(())
}

/// `%{json}` would list every variable, of which the emulated curl knows only some.
fn write_out(options: &mut Options, value: &str) -> Result<(), Bad> {
    if value.replace("%%", "").contains("%{json}") {
        return Err(Bad::Unsupported("%{json}"));
    }
    put(&mut options.write_out, value)
}

/// `host:port:address[,address]`, the address in brackets or not.
fn resolve(options: &mut Options, value: &str) -> Result<(), Bad> {
    let wrong = || Bad::Resolve(value.to_owned());
    let mut parts = value.trim_start_matches('+').splitn(3, ':');
    let (Some(host), Some(port), Some(addresses)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let first = addresses.split(',').next().unwrap_or_default();
    let address = first
        .trim_matches(['[', ']'])
        .parse()
        .map_err(|_| wrong())?;
    let port = port.parse().map_err(|_| wrong())?;
    options
        .resolve
        .push((host.to_ascii_lowercase(), port, address));
    Ok(())
}

/// `host:port:to:port`, each of them empty or not. Anything else is ignored, as curl does.
fn connect_to(options: &mut Options, value: &str) -> Result<(), Bad> {
    let parts: Vec<&str> = value.split(':').collect();
    if let [host, port, to, to_port] = parts.as_slice() {
        options.connect_to.push(Detour {
            host: host.to_ascii_lowercase(),
            port: port.parse().ok(),
            to: (*to).to_owned(),
            to_port: to_port.parse().ok(),
        });
    }
    Ok(())
}

fn add(options: &mut Options, text: &str) -> Result<(), Bad> {
    options.data = Some(match options.data.take() {
        Some(before) => format!("{before}&{text}"),
        None => text.to_owned(),
    });
    Ok(())
}

/// `@file`: there are no files, so the body is empty, and curl prints a warning.
fn data(options: &mut Options, value: &str) -> Result<(), Bad> {
    match value.strip_prefix('@') {
        Some(file) => {
            options.missing_files.push(file.to_owned());
            add(options, "")
        }
        None => add(options, value),
    }
}

/// `name=content`, the content percent-encoded.
fn urlencode(options: &mut Options, value: &str) -> Result<(), Bad> {
    let (name, content) = value.split_once('=').unwrap_or(("", value));
    let encoded: String = url::form_urlencoded::byte_serialize(content.as_bytes()).collect();
    // curl writes a space as %20, not as +.
    let encoded = encoded.replace('+', "%20");
    match name {
        "" => add(options, &encoded),
        name => add(options, &format!("{name}={encoded}")),
    }
}

fn json(options: &mut Options, value: &str) -> Result<(), Bad> {
    for (name, line) in [
        ("content-type", "Content-Type: application/json"),
        ("accept", "Accept: application/json"),
    ] {
        let own = |header: &String| header.to_ascii_lowercase().starts_with(&format!("{name}:"));
        if !options.headers.iter().any(own) {
            options.headers.push(line.to_owned());
        }
    }
    let before = options.data.take().unwrap_or_default();
    options.data = Some(before + value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        for (at, (short, long, _)) in OPTIONS.iter().enumerate() {
            let rest = &OPTIONS[at + 1..];
            assert!(!rest.iter().any(|(_, other, _)| other == long), "{long}");
            assert!(
                short.is_none() || !rest.iter().any(|(other, ..)| other == short),
                "{long}"
            );
        }
    }
}
