//! From a URL and the options to a request.

use url::Url;

use super::Caller;
use super::options::{Detour, Options};
use super::wire;
use egress::request::Request;

/// Why curl ends: its exit code and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurlError {
    /// The exit code.
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
    /// The host that was asked first: a header `Host` and credentials are for it alone.
    pub first_host: Option<String>,
}

impl RequestData {
    /// What the options say.
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
            first_host: None,
        }
    }

    /// What is sent to where an answer with `status` says: after a POST a GET, unless `-X` insists or the status forbids it.
    /// Says whether the method changed from POST.
    pub fn follow(&mut self, options: &Options, status: u16, host: &str) -> bool {
        self.first_host.get_or_insert_with(|| host.to_owned());
        let posts = self.body.is_some();
        if !matches!(status, 301..=303) || !posts {
            return false;
        }
        self.body = None;
        if options.method.is_none() {
            "GET".clone_into(&mut self.method);
        }
        true
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
/// 1 for a protocol that is not HTTP, 3 for what is no URL, 2 for a detour by name.
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
    let elsewhere = sends
        .first_host
        .as_ref()
        .is_some_and(|first| *first != request.host);
    request.headers = wire::headers(options, sends.body);
    request
        .headers
        .retain(|(name, _)| !elsewhere || !name.eq_ignore_ascii_case("authorization"));
    let named = options.headers.iter().filter_map(|line| wire::given(line));
    let mut hosts = named.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    if let Some((_, Some(host))) = hosts.next().filter(|_| !elsewhere) {
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

/// Leads a request elsewhere. The authority stays that of the URL.
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
