//! curl's options as a table: their names and what each does with its value.
//!
//! An option that curl has and this one does not play (proxies, client certificates, uploads) is in it by name, to be refused
//! by name, so that nobody takes its silence for an effect.

use std::time::Duration;

use super::options::{Detour, OnError, Options};

/// What is wrong with an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// It wants a number.
    Number,
    /// It does not go with another.
    Used,
    /// `--resolve` without an address.
    Resolve(String),
}

/// What an option does with its value.
pub type Text = for<'a> fn(&mut Options, &'a str) -> Result<(), Bad>;

/// What an option takes.
#[derive(Clone, Copy)]
pub enum Takes {
    /// Nothing; `--no-` before the name takes it back.
    Flag(fn(&mut Options, bool)),
    /// A value.
    Text(Text),
    /// Nothing; not both of the two.
    Fails(OnError),
    /// Nothing, and it changes nothing here.
    Nothing,
    /// It is curl's and is not played.
    Unplayed,
}

/// The options: short name, long name, what it takes.
pub const OPTIONS: &[(Option<char>, &str, Takes)] = {
    use Takes::{Fails, Flag, Nothing, Text, Unplayed};
    &[
        (Some('s'), "silent", Flag(|o, on| o.silent = on)),
        (Some('S'), "show-error", Flag(|o, on| o.show_error = on)),
        (None, "progress-meter", Flag(|o, on| o.no_meter = !on)),
        (Some('v'), "verbose", Flag(|o, on| o.verbose = on)),
        (Some('I'), "head", Flag(|o, on| o.head = on)),
        (Some('i'), "include", Flag(|o, on| o.include = on)),
        (Some('k'), "insecure", Flag(|o, on| o.insecure = on)),
        (Some('L'), "location", Flag(|o, on| o.location = on)),
        (Some('G'), "get", Flag(|o, on| o.get = on)),
        (Some('V'), "version", Flag(|o, on| o.version = on)),
        (None, "compressed", Flag(|o, on| o.compressed = on)),
        (None, "fail-early", Flag(|o, on| o.fail_early = on)),
        (
            None,
            "retry-connrefused",
            Flag(|o, on| o.retry_refused = on),
        ),
        (None, "retry-all-errors", Flag(|o, on| o.retry_all = on)),
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
        (
            Some('w'),
            "write-out",
            Text(|o, v| put(&mut o.write_out, v)),
        ),
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
        (None, "max-redirs", Text(max_redirects)),
        (None, "url", Text(url)),
        (Some('d'), "data", Text(data)),
        (None, "data-ascii", Text(data)),
        (None, "data-binary", Text(data)),
        (None, "data-raw", Text(add)),
        (None, "data-urlencode", Text(urlencode)),
        (None, "json", Text(json)),
        (None, "retry", Text(retry)),
        (
            None,
            "retry-delay",
            Text(|o, v| seconds(&mut o.retry_delay, v)),
        ),
        (None, "retry-max-time", Text(|_, _| Ok(()))),
        (Some('4'), "ipv4", Nothing),
        (Some('N'), "no-buffer", Nothing),
        (Some('q'), "disable", Nothing),
        (Some('g'), "globoff", Nothing),
        (Some('#'), "progress-bar", Nothing),
        (None, "no-keepalive", Nothing),
        (None, "tlsv1.2", Nothing),
        (None, "tlsv1.3", Nothing),
        (None, "styled-output", Nothing),
        (None, "no-styled-output", Nothing),
        (None, "path-as-is", Unplayed),
        (Some('6'), "ipv6", Unplayed),
        (Some('0'), "http1.0", Unplayed),
        (None, "http2-prior-knowledge", Unplayed),
        (None, "http3", Unplayed),
        (Some('x'), "proxy", Unplayed),
        (Some('p'), "proxytunnel", Unplayed),
        (Some('E'), "cert", Unplayed),
        (None, "key", Unplayed),
        (None, "cacert", Unplayed),
        (None, "capath", Unplayed),
        (None, "ciphers", Unplayed),
        (None, "interface", Unplayed),
        (None, "unix-socket", Unplayed),
        (Some('F'), "form", Unplayed),
        (Some('T'), "upload-file", Unplayed),
        (Some('O'), "remote-name", Unplayed),
        (Some('J'), "remote-header-name", Unplayed),
        (Some('K'), "config", Unplayed),
        (Some('c'), "cookie-jar", Unplayed),
        (Some('C'), "continue-at", Unplayed),
        (Some('r'), "range", Unplayed),
        (Some('Z'), "parallel", Unplayed),
        (Some(':'), "next", Unplayed),
        (Some('h'), "help", Unplayed),
        (Some('M'), "manual", Unplayed),
        (None, "trace", Unplayed),
        (None, "trace-ascii", Unplayed),
        (None, "limit-rate", Unplayed),
        (Some('Y'), "speed-limit", Unplayed),
        (Some('y'), "speed-time", Unplayed),
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

fn max_redirects(options: &mut Options, value: &str) -> Result<(), Bad> {
    options.max_redirects = Some(value.parse().map_err(|_| Bad::Number)?);
    Ok(())
}

fn retry(options: &mut Options, value: &str) -> Result<(), Bad> {
    options.retry = value.parse().map_err(|_| Bad::Number)?;
    Ok(())
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

/// `host:port:to:port`, each of them empty or not; what does not read so is ignored, as curl does.
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

/// `@file`: there are no files, so that the body is empty and curl says so.
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
