//! The proxy that requests to Google go through, if there is one. Whether it answers is shown by the other checks.

use super::inputs::Inputs;
use crate::google::{Api, Environment, process_env, proxy_words};
use crate::ui::doctor::Finding;

/// Reads the variables.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    if inputs.is_loopback() {
        let says = "requests to this machine never go through a proxy";
        return vec![Finding::skip(says, None)];
    }
    vec![verdict(&process_env)]
}

/// Pure.
fn verdict(env: Environment<'_>) -> Finding {
    if let Some(proxy) = proxy_words(Api::Compute.host(), env) {
        return Finding::pass(format!("requests to Google go through {proxy}"));
    }
    let is_set = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| env(name));
        values.any(|value| !value.is_empty())
    };
    if is_set(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) {
        return Finding::pass("a proxy is set, and NO_PROXY exempts Google from it");
    }
    if is_set(&["HTTP_PROXY", "http_proxy"]) {
        return Finding::warn(
            "HTTP_PROXY is set and HTTPS_PROXY is not: requests to Google are HTTPS and go around the proxy",
            "if the network needs the proxy, set HTTPS_PROXY to the same address",
        );
    }
    Finding::pass("no proxy")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::doctor::Verdict::{Pass, Warn};

    #[test]
    fn the_variables_decide() {
        for (set, expected, words) in [
            (&[][..], Pass, "no proxy"),
            (
                &[("HTTPS_PROXY", "http://a:1")][..],
                Pass,
                "a:1 (HTTPS_PROXY)",
            ),
            (
                &[("HTTP_PROXY", "http://a:1")][..],
                Warn,
                "around the proxy",
            ),
            (
                &[("HTTPS_PROXY", "a:1"), ("NO_PROXY", ".googleapis.com")][..],
                Pass,
                "NO_PROXY exempts",
            ),
        ] {
            let env = |name: &str| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let finding = verdict(&env);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
    }
}
