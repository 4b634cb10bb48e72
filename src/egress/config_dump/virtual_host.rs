//! Which virtual host and which route of a route configuration take a request.
//!
//! Source: Envoy's API reference, `config/route/v3/route.proto` and `route_components.proto`. Domains are searched in the order
//! that VirtualHost.domains states: exact names, wildcards before a suffix, wildcards after a prefix, `*`; the longest wildcard
//! first. Routes are tried in their order, and the first that matches is taken.

use serde_json::Value;

use super::matches::Matches;
use super::request_headers::RequestHeaders;
use super::string_matcher::{header_matches, query_matches, regex_matches};

/// Fields of a route's match that are evaluated here.
const UNDERSTOOD: [&str; 8] = [
    "prefix",
    "path",
    "safe_regex",
    "path_separated_prefix",
    "case_sensitive",
    "headers",
    "query_parameters",
    "runtime_fraction",
];

/// The virtual host of a request's authority.
pub fn virtual_host<'c>(config: &'c Value, authority: &str) -> Option<&'c Value> {
    let host = authority.to_ascii_lowercase();
    let host = match config["ignore_port_in_host_matching"] == true {
        true => without_port(&host),
        false => host.as_str(),
    };
    let domains = json::list(config, "/virtual_hosts").flat_map(|one| {
        let domains = json::list(one, "/domains").filter_map(Value::as_str);
        domains.map(move |domain| (domain, one))
    });
    let weighed = domains.filter_map(|(domain, one)| Some((weight(domain, host)?, one)));
    // Of equal weight the first; Envoy refuses a domain that occurs twice.
    weighed
        .fold(None, |best: Option<(_, &Value)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, one)| one)
}

/// How specific a domain is, if it matches.
fn weight(domain: &str, host: &str) -> Option<(u8, usize)> {
    let domain = domain.to_ascii_lowercase();
    if domain == "*" {
        return Some((0, 0));
    }
    // A wildcard stands for one character at least.
    let longer = |rest: &str| host.len() > rest.len();
    if let Some(suffix) = domain.strip_prefix('*') {
        return (longer(suffix) && host.ends_with(suffix)).then_some((2, suffix.len()));
    }
    if let Some(prefix) = domain.strip_suffix('*') {
        return (longer(prefix) && host.starts_with(prefix)).then_some((1, prefix.len()));
    }
    (domain == host).then_some((3, 0))
}

/// An authority without its port.
pub fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            match host.starts_with('[') == host.ends_with(']')
                && (host.starts_with('[') || !host.contains(':'))
            {
                true => host,
                false => authority,
            }
        }
        _ => authority,
    }
}

/// The first route that matches, after the names of those that do not.
///
/// # Errors
/// What is not understood of a route that might match.
pub fn route<'h>(
    virtual_host: &'h Value,
    headers: &RequestHeaders,
) -> Result<(Option<&'h Value>, Vec<String>), String> {
    if virtual_host.get("matcher").is_some() {
        return Err("virtual host matcher".to_owned());
    }
    let mut others = Vec::new();
    for route in json::list(virtual_host, "/routes") {
        match matches(&route["match"], headers) {
            Matches::Yes => return Ok((Some(route), others)),
            Matches::No => others.push(name(route)),
            Matches::Unknown(why) => return Err(format!("route {}: {why}", name(route))),
        }
    }
    Ok((None, others))
}

/// The name of a route, or what its path must be.
pub fn name(route: &Value) -> String {
    let named = json::text(route, "/name");
    if !named.is_empty() {
        return named.to_owned();
    }
    let paths = ["prefix", "path", "path_separated_prefix"];
    let found = paths
        .iter()
        .find_map(|field| Some(format!("{field} {}", route["match"][field].as_str()?)));
    let regex = || {
        format!(
            "safe_regex {}",
            json::text(route, "/match/safe_regex/regex")
        )
    };
    found.unwrap_or_else(regex)
}

fn matches(rule: &Value, headers: &RequestHeaders) -> Matches {
    let (path, bare) = (headers.path(), headers.bare_path());
    let ignore_case = rule["case_sensitive"] == false;
    let folded = |text: &str| match ignore_case {
        true => text.to_ascii_lowercase(),
        false => text.to_owned(),
    };
    let field = |name: &str| rule.get(name).and_then(Value::as_str).map(folded);
    let path_matches = if let Some(prefix) = field("prefix") {
        Matches::of(folded(&path).starts_with(&prefix))
    } else if let Some(exact) = field("path") {
        Matches::of(folded(&bare) == exact)
    } else if let Some(prefix) = field("path_separated_prefix") {
        let rest = folded(&bare).strip_prefix(&prefix).map(str::to_owned);
        Matches::of(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    } else if let Some(regex) = rule.get("safe_regex") {
        regex_matches(regex, &bare)
    } else {
        Matches::field("match", rule)
    };
    let of_headers = json::list(rule, "/headers").map(|one| header_matches(one, headers));
    let of_query = json::list(rule, "/query_parameters").map(|one| query_matches(one, &path));
    let fraction = rule.get("runtime_fraction").map(share);
    let others = rule.as_object().into_iter().flatten();
    let others = others
        .filter(|(name, _)| !UNDERSTOOD.contains(&name.as_str()))
        .map(|(name, _)| Matches::Unknown(format!("match.{name}")));
    let conditions = std::iter::once(path_matches)
        .chain(of_headers)
        .chain(of_query);
    Matches::all(conditions.chain(fraction).chain(others))
}

/// Whether a share of requests is all of them or none (RuntimeFractionalPercent, or FractionalPercent).
pub fn share(fraction: &Value) -> Matches {
    let percent = fraction.get("default_value").unwrap_or(fraction);
    let whole: u64 = match percent["denominator"].as_str() {
        None | Some("HUNDRED") => 100,
        Some("TEN_THOUSAND") => 10_000,
        Some("MILLION") => 1_000_000,
        Some(other) => return Matches::Unknown(format!("denominator {other}")),
    };
    match percent["numerator"].as_u64().unwrap_or_default() {
        0 => Matches::No,
        all if all >= whole => Matches::Yes,
        some => Matches::Unknown(format!("a share of {some} in {whole}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_most_specific_domain_takes_a_request() {
        let hosts = [
            ("all", json!(["*"])),
            ("exact", json!(["a.example.com", "a.example.com:80"])),
            ("long", json!(["*.example.com"])),
            ("short", json!(["*.com", "*-b.net"])),
            ("prefix", json!(["a.*"])),
        ];
        let hosts: Vec<Value> = hosts
            .iter()
            .map(|(name, domains)| json!({"name": name, "domains": domains}))
            .collect();
        let plain = json!({"virtual_hosts": hosts});
        let ports = json!({"virtual_hosts": hosts, "ignore_port_in_host_matching": true});
        for (config, authority, expected) in [
            (&plain, "A.Example.com", "exact"),
            (&plain, "a.example.com:80", "exact"),
            (&plain, "a.example.com:81", "prefix"),
            (&ports, "a.example.com:81", "exact"),
            (&plain, "b.example.com", "long"),
            (&plain, "example.com", "short"),
            // A wildcard stands for something.
            (&plain, "-b.net", "all"),
            (&plain, "a-b.net", "short"),
            (&plain, "a.org", "prefix"),
            (&plain, "org", "all"),
        ] {
            let found = virtual_host(config, authority).unwrap();
            assert_eq!(json::text(found, "/name"), expected, "{authority}");
        }
        assert_eq!(virtual_host(&json!({}), "a"), None);
        for (authority, host) in [
            ("[::1]:80", "[::1]"),
            ("::1", "::1"),
            ("a:b", "a:b"),
            ("a:", "a:"),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }

    #[test]
    fn the_first_route_that_matches_is_taken() {
        let mut headers = RequestHeaders::new("GET", "http", "a", "/status/418?x=1");
        headers.add("end-user", "jason");
        // (match, whether)
        let cases = [
            (json!({"prefix": "/"}), true),
            (json!({"prefix": "/status/418?x"}), true),
            (json!({"path": "/status/418"}), true),
            (json!({"path": "/STATUS/418"}), false),
            (
                json!({"path": "/STATUS/418", "case_sensitive": false}),
                true,
            ),
            (json!({"path_separated_prefix": "/status"}), true),
            (json!({"path_separated_prefix": "/stat"}), false),
            (json!({"safe_regex": {"regex": "/status/[0-9]+"}}), true),
            (json!({"safe_regex": {"regex": "/status"}}), false),
            (
                json!({"prefix": "/", "headers": [{"name": "end-user", "string_match": {"exact": "jason"}}]}),
                true,
            ),
            (
                json!({"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]}),
                false,
            ),
            (
                json!({"prefix": "/", "query_parameters": [{"name": "x", "string_match": {"exact": "1"}}]}),
                true,
            ),
            (
                json!({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 100}}}),
                true,
            ),
            (
                json!({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 0}}}),
                false,
            ),
        ];
        for (rule, taken) in cases {
            let routes = json!({"routes": [{"name": "one", "match": rule}]});
            let (found, others) = route(&routes, &headers).unwrap();
            assert_eq!(found.is_some(), taken, "{rule}");
            assert_eq!(others.is_empty(), taken, "{rule}");
        }
        for rule in [
            json!({"prefix": "/", "grpc": {}}),
            json!({"connect_matcher": {}}),
            json!({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 50}}}),
        ] {
            let routes =
                json!({"routes": [{"name": "one", "match": rule}, {"match": {"prefix": "/"}}]});
            assert!(route(&routes, &headers).is_err(), "{rule}");
        }
        // What is not understood does not matter where the path does not match.
        let routes = json!({"routes": [{"match": {"prefix": "/x", "grpc": {}}}, {"match": {"prefix": "/"}, "name": "two"}]});
        let (found, others) = route(&routes, &headers).unwrap();
        assert_eq!(
            (name(found.unwrap()), others),
            ("two".to_owned(), vec!["prefix /x".to_owned()])
        );
    }
}
