//! Whether this machine resolves the names of Google's APIs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::inputs::Inputs;
use crate::google::{process_env, proxy_words};
use crate::ui::doctor::Finding;

/// Where a token comes from, whatever the steps call.
const TOKENS: &str = "oauth2.googleapis.com";
/// A resolver that needs longer fails in a run too.
const WITHIN: Duration = Duration::from_secs(5);

/// Resolves the name of each API that the steps call.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    if inputs.is_loopback() {
        return vec![Finding::skip("the APIs are on this machine", None)];
    }
    let hosts: BTreeSet<&str> = inputs
        .ready
        .steps
        .iter()
        .map(|step| step.kind.api().host())
        .chain([TOKENS])
        .collect();
    let resolved = join_all(hosts.into_iter().map(|host| async move {
        let found = timeout(WITHIN, lookup_host((host, 443))).await;
        let found = match found {
            Ok(Ok(addresses)) => Ok(addresses.map(|address| address.ip()).collect()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
        };
        (host, found)
    }));
    let proxy = proxy_words(TOKENS, &process_env);
    vec![verdict(&resolved.await, proxy.as_deref())]
}

/// Pure.
fn verdict(resolved: &[(&str, Result<Vec<IpAddr>, String>)], proxy: Option<&str>) -> Finding {
    let failed: Vec<String> = resolved
        .iter()
        .filter_map(|(host, found)| match found {
            Ok(addresses) if addresses.is_empty() => Some(format!("{host}: no address")),
            Ok(_) => None,
            Err(error) => Some(format!("{host}: {error}")),
        })
        .collect();
    let says = format!(
        "{} of {} names of Google's APIs do not resolve: {}",
        failed.len(),
        resolved.len(),
        failed.first().map(String::as_str).unwrap_or_default()
    );
    match (failed.is_empty(), proxy) {
        (true, _) => Finding::pass(format!(
            "all {} names of Google's APIs resolve",
            resolved.len()
        )),
        (false, Some(proxy)) => Finding::warn(
            says,
            format!("the proxy {proxy} may resolve them; the name server of this machine does not"),
        ),
        (false, None) => Finding::fail(
            says,
            "check the name server of this machine and the network; if the network needs a proxy, set HTTPS_PROXY",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::doctor::Verdict::{Fail, Pass, Warn};

    #[test]
    fn a_name_must_resolve_unless_a_proxy_does_it() {
        let here = || Ok(vec![IpAddr::from([192, 0, 2, 1])]);
        let lost = || Err("no such host".to_owned());
        for (second, proxy, expected) in [
            (here(), None, Pass),
            (lost(), None, Fail),
            (Ok(vec![]), None, Fail),
            (lost(), Some("proxy:3128 (HTTPS_PROXY)"), Warn),
        ] {
            let finding = verdict(&[("a.example", here()), ("b.example", second)], proxy);
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }
}
