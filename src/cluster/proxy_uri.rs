//! The proxy on the way to a cluster. No error quotes its address, which may contain a password.

use hyper::Uri;

use crate::proxy;

/// The proxy that this machine's variables name for a host; none if it has none.
///
/// # Errors
/// The variable whose value is no address of an http or https proxy.
pub(super) fn of_machine(
    host: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, &'static str> {
    match proxy::of(host, env) {
        Some(proxy) => read(&proxy.url).map(Some).ok_or(proxy.variable),
        None => Ok(None),
    }
}

/// The address of an http or https proxy.
pub(super) fn read(url: &str) -> Option<Uri> {
    let uri = url.parse::<Uri>().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_needs_no_scheme_in_a_variable() {
        let of = |value: &str, exempt: &str| {
            of_machine("192.0.2.1", &|name| match name {
                "HTTPS_PROXY" => Some(value.to_owned()),
                "NO_PROXY" => Some(exempt.to_owned()),
                _ => None,
            })
        };
        let proxy = of("me:secret@proxy:3128", "").unwrap().unwrap();
        assert_eq!(proxy.authority().unwrap(), "me:secret@proxy:3128");
        assert_eq!(proxy.scheme_str(), Some("http"));
        // The exemptions are those of the cluster's address, not of the proxy's.
        assert!(of("proxy:3128", "proxy").unwrap().is_some());
        assert!(of("proxy:3128", "192.0.2.0/24").unwrap().is_none());
        assert_eq!(of("socks5://me:secret@proxy:1", ""), Err("HTTPS_PROXY"));
    }
}
