//! A request, as a caller states it.

use std::net::IpAddr;
use std::time::Duration;

/// Who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The namespace.
    pub namespace: String,
    /// The pod; without, one of the namespace's pods that is no gateway, by name the first; where there is none, one as a
    /// plain Deployment there would make it.
    pub pod: Option<String>,
    /// Whether the pod has its sidecar; without, what injection says.
    pub sidecar: Option<bool>,
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// TLS from the caller on.
    Https,
}

impl Scheme {
    /// As a URL begins.
    pub fn word(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port without one in the URL.
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
    /// Who makes it.
    pub from: Source,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host of the URL: a name, or an address as text. Over TLS it is the name that the handshake asks for, unless an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where the connection goes instead of where the name leads (`curl --resolve`, `--connect-to`).
    pub address: Option<IpAddr>,
    /// The method.
    pub method: String,
    /// The path with its query, beginning with `/`.
    pub path: String,
    /// Headers, as sent; one named `Host` (in any case) replaces the URL's host as authority.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub body: usize,
    /// How long connecting may take (`--connect-timeout`); without, curl's 300 s, which the system's 2 minutes end sooner.
    pub connect_timeout: Option<Duration>,
    /// How long everything may take (`-m`).
    pub max_time: Option<Duration>,
    /// Whether the server's certificate is taken as it is (`-k`).
    pub insecure: bool,
}

/// Why a text is no URL of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL at all.
    #[error("{url}: {source}")]
    Malformed {
        /// The text.
        url: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// It is a URL of something else.
    #[error("{url}: {scheme} is neither http nor https")]
    Scheme {
        /// The text.
        url: String,
        /// What it begins with.
        scheme: String,
    },
}

impl Request {
    /// A `GET` of a URL (`http://example.com/path`) from a namespace.
    ///
    /// # Errors
    /// What is wrong with the URL.
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

    /// The value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The authority: the `Host` header, else the URL's host, with its port where that is not the scheme's.
    pub fn authority(&self) -> String {
        match self.header("host") {
            Some(host) => host.to_owned(),
            None if self.port == self.scheme.port() => self.host.clone(),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// The URL, as a reader knows it.
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
