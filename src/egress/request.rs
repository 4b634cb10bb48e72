//! A request, as a caller specifies it.

use std::net::IpAddr;
use std::time::Duration;

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The namespace.
    pub namespace: String,
    /// The pod. Without it, the first of the namespace's pods by name that is not a gateway; if there is none, a pod as a
    /// plain Deployment in the namespace would create it.
    pub pod: Option<String>,
    /// Whether the pod has a sidecar; without it, injection decides.
    pub sidecar: Option<bool>,
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS from the caller.
    Https,
}

impl Scheme {
    /// The scheme of a URL.
    pub fn word(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The default port of a URL.
    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The caller.
    pub from: Source,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host of the URL: a name, or an address as text. With TLS it is also the SNI, unless it is an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The target of the connection instead of the address of the name (`curl --resolve`, `--connect-to`).
    pub address: Option<IpAddr>,
    /// The method.
    pub method: String,
    /// The path with its query; begins with `/`.
    pub path: String,
    /// The headers, as sent; a header named `Host` (in any case) replaces the URL's host as the authority.
    pub headers: Vec<(String, String)>,
    /// The length of the body in bytes.
    pub body: usize,
    /// The time limit for connecting (`--connect-timeout`); without it, curl's 300 s, although the system gives up after 2
    /// minutes.
    pub connect_timeout: Option<Duration>,
    /// The time limit for the whole request (`-m`).
    pub max_time: Option<Duration>,
    /// Whether the server's certificate is accepted without verification (`-k`).
    pub insecure: bool,
}

/// Why a text is not a valid URL of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is not a URL.
    #[error("{url}: {source}")]
    Malformed {
        /// The text.
        url: String,
        /// The underlying error.
        source: url::ParseError,
    },
    /// The URL has another scheme.
    #[error("{url}: {scheme} is neither http nor https")]
    Scheme {
        /// The text.
        url: String,
        /// The scheme of the URL.
        scheme: String,
    },
}

impl Request {
    /// A `GET` of a URL (`http://example.com/path`) from a namespace.
    ///
    /// # Errors
    /// The URL is invalid.
    pub fn get(namespace: &str, url: &str) -> Result<Request, UrlError> {
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let parsed = url::Url::parse(&with_scheme).map_err(|source| UrlError::Malformed {
            url: url.to_owned(),
            source,
        })?;
        let scheme = match parsed.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(UrlError::Scheme {
                    url: url.to_owned(),
                    scheme: other.to_owned(),
                });
            }
        };
        let host = parsed.host_str().unwrap_or_default();
        let path = match parsed.query() {
            Some(query) => format!("{}?{query}", parsed.path()),
            None => parsed.path().to_owned(),
        };
        Ok(Request {
            from: Source {
                namespace: namespace.to_owned(),
                pod: None,
                sidecar: None,
            },
            scheme,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: parsed.port().unwrap_or(scheme.port()),
            address: None,
            method: "GET".to_owned(),
            path,
            headers: Vec::new(),
            body: 0,
            connect_timeout: None,
            max_time: None,
            insecure: false,
        })
    }

    /// The same request with the headers that curl sends by itself.
    pub fn by_curl(mut self) -> Request {
        for (name, value) in [("user-agent", "curl/7.88.1"), ("accept", "*/*")] {
            if self.header(name).is_none() {
                self.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        self
    }

    /// The value of a header, by a case-insensitive name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The authority: the `Host` header, otherwise the URL's host, with the port if it is not the scheme's default.
    pub fn authority(&self) -> String {
        match self.header("host") {
            Some(host) => host.to_owned(),
            None if self.port == self.scheme.port() => self.host.clone(),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// The URL for the reader.
    pub fn url(&self) -> String {
        let scheme = self.scheme.word();
        let port = match self.port == self.scheme.port() {
            true => String::new(),
            false => format!(":{}", self.port),
        };
        format!("{scheme}://{}{port}{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_scheme_host_port_and_path() {
        // (url, host, port, path, authority)
        let cases = [
            ("http://example.com", "example.com", 80, "/", "example.com"),
            (
                "httpbin.org/status/418?x=1",
                "httpbin.org",
                80,
                "/status/418?x=1",
                "httpbin.org",
            ),
            (
                "https://example.com:8443/a",
                "example.com",
                8443,
                "/a",
                "example.com:8443",
            ),
            ("http://[::1]:80/", "::1", 80, "/", "::1"),
        ];
        for (url, host, port, path, authority) in cases {
            let request = Request::get("team-x", url).unwrap();
            let seen = (request.host.as_str(), request.port, request.path.as_str());
            assert_eq!(seen, (host, port, path), "{url}");
            assert_eq!(request.authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_told() {
        for url in ["ftp://example.com", "http://", "http://a b/"] {
            let error = Request::get("team-x", url).unwrap_err().to_string();
            assert!(error.starts_with(url), "{error}");
        }
    }
}
