//! From a URL and the options to a request.

use url::Url;

use super::caller::Caller;
use super::options::{Detour, Options};
use super::wire;
use egress::request::Request;

/// Why a transfer failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurlError {
    /// curl's exit code.
    pub code: u8,
    /// The message.
    pub message: String,
    /// Lines after the message.
    pub after: &'static str,
}

impl CurlError {
    /// An end with this code and message.
    pub fn new(code: u8, message: impl Into<String>) -> CurlError {
        CurlError {
            code,
            message: message.into(),
            after: "",
        }
    }
}

/// What is sent, beside the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestData {
    /// The method.
    pub method: String,
    /// Bytes of the body; none without one.
    pub body: Option<usize>,
}

impl RequestData {
    /// The method and the size of the body, from the options.
    pub fn of(options: &Options) -> RequestData {
        let body = options.data.as_ref().filter(|_| !options.get);
        let plain = match body {
            _ if options.head => "HEAD",
            Some(_) => "POST",
            None => "GET",
        };
        RequestData {
            method: options.method.clone().unwrap_or_else(|| plain.to_owned()),
            body: body.map(String::len),
        }
    }
}

/// The URL with its scheme and path, and with the data of `-G` as its query.
pub fn complete(url: &str, options: &Options) -> String {
    let mut whole = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    if let Some(data) = options.data.as_ref().filter(|_| options.get) {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(data);
    }
    Url::parse(&whole).map_or(whole, |url| url.to_string())
}

/// Where a redirect leads.
pub fn joined(from: &str, location: &str) -> String {
    let joined = Url::parse(from).and_then(|from| from.join(location));
    joined.map_or_else(|_| location.to_owned(), |url| url.to_string())
}

/// The request for a complete URL.
///
/// # Errors
/// 1 for a protocol other than HTTP, 3 for an invalid URL, 2 for `--connect-to` with a name.
pub fn request(
    url: &str,
    sends: &RequestData,
    options: &Options,
    caller: &Caller,
) -> Result<Request, CurlError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Err(CurlError::new(
            1,
            format!("Protocol \"{scheme}\" not supported or disabled in libcurl"),
        ));
    }
    let malformed = || CurlError::new(3, "URL using bad/illegal format or missing URL");
    let mut request = Request::get(&caller.from.namespace, url).map_err(|_| malformed())?;
    if request.host.is_empty() {
        return Err(malformed());
    }
    request.from = caller.from.clone();
    request.method.clone_from(&sends.method);
    request.body = sends.body.unwrap_or_default();
    (request.connect_timeout, request.max_time) = (options.connect_timeout, options.max_time);
    request.insecure = options.insecure;
    request.headers = wire::headers(options, sends.body);
    let named = options.headers.iter().filter_map(|line| wire::given(line));
    let mut hosts = named.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    if let Some((_, Some(host))) = hosts.next() {
        request
            .headers
            .insert(0, ("Host".to_owned(), host.to_owned()));
    }
    let pinned = options
        .resolve
        .iter()
        .rfind(|(host, port, _)| (host == "*" || *host == request.host) && *port == request.port);
    request.address = pinned.map(|(_, _, address)| *address);
    let detour = options.connect_to.iter().find(|detour| {
        let host = detour.host.is_empty() || detour.host == request.host;
        host && detour.port.is_none_or(|port| port == request.port)
    });
    if let Some(detour) = detour {
        take(&mut request, detour)?;
    }
    Ok(request)
}

/// Changes where a request connects to. Its authority stays that of the URL.
fn take(request: &mut Request, detour: &Detour) -> Result<(), CurlError> {
    if request.header("host").is_none() {
        let authority = request.authority();
        request.headers.insert(0, ("Host".to_owned(), authority));
    }
    if !detour.to.is_empty() {
        let why = "--connect-to: the emulated curl accepts an address there, not a name";
        request.address = Some(detour.to.parse().map_err(|_| CurlError::new(2, why))?);
    }
    request.port = detour.to_port.unwrap_or(request.port);
    Ok(())
}
