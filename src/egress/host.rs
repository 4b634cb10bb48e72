//! Host names: Istio's patterns, which of two is more specific, and the names of a Service.
//!
//! Names are compared without regard to case. Nothing here resolves a name; that is `dns`.

/// Whether `pattern` matches `name`: the same name, `*`, or `*.suffix`, which matches every name below the suffix but not the
/// suffix itself.
pub fn within(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        // A name that is itself a pattern is within another one if that matches everything that it matches.
        Some(suffix) => {
            let (name, suffix) = (name.trim_start_matches('*').as_bytes(), suffix.as_bytes());
            let start = name.len().checked_sub(suffix.len());
            start.is_some_and(|start| name[start..].eq_ignore_ascii_case(suffix))
        }
        None => pattern.eq_ignore_ascii_case(name),
    }
}

/// Whether any name matches both patterns.
pub fn overlap(a: &str, b: &str) -> bool {
    within(a, b) || within(b, a)
}

/// An authority without its port: `example.com:80` is `example.com`, `[::1]:80` is `[::1]`.
pub fn without_port(authority: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match authority.rsplit_once(':') {
        // An IPv6 address without brackets contains colons.
        Some((host, port)) if digits(port) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => authority,
    }
}

/// The fully qualified name of a Service.
pub fn full_name(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc.cluster.local")
}

/// How Istio interprets a host in one of its objects: a name without a dot is a Service of the object's namespace, every
/// other name is unchanged (`pkg/model/config.go`, `ResolveShortnameToFQDN`); therefore `x.ns` is not a Service.
pub fn qualified(host: &str, namespace: &str) -> String {
    match host.contains('.') || host.starts_with('*') || host.is_empty() {
        true => host.to_owned(),
        false => full_name(host, namespace),
    }
}

/// The Service, as name and namespace, that `name` may mean for a pod in namespace `from`: `x` in its own namespace, `x.ns`,
/// `x.ns.svc` or the full name. The caller has to check that it exists: `example.com` could also be Service `example` of
/// namespace `com`.
pub fn service(name: &str, from: &str) -> Option<(String, String)> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let parts: Vec<&str> = name.split('.').collect();
    if parts
        .iter()
        .any(|part| part.is_empty() || part.contains('*'))
    {
        return None;
    }
    match parts[..] {
        [service] => Some((service.to_owned(), from.to_owned())),
        [service, namespace]
        | [service, namespace, "svc"]
        | [service, namespace, "svc", "cluster", "local"] => {
            Some((service.to_owned(), namespace.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_names_and_names_below() {
        // (pattern, name, within, overlap)
        let cases = [
            ("example.com", "example.com", true, true),
            ("example.com", "Example.COM", true, true),
            ("example.com", "www.example.com", false, false),
            ("example.com", "example.com:80", false, false),
            ("*.example.com", "example.com", false, false),
            ("*.example.com", "www.example.com", true, true),
            ("*.example.com", "a.b.example.com", true, true),
            ("*.example.com", "badexample.com", false, false),
            ("*.example.com", "*.b.example.com", true, true),
            ("*.b.example.com", "*.example.com", false, true),
            ("*.example.com", "*.example.org", false, false),
            ("*", "anything.at.all", true, true),
            ("*", "*.example.com", true, true),
            ("*.example.com", "*", false, true),
            ("example.com", "*.com", false, true),
        ];
        for (pattern, name, expected, both) in cases {
            assert_eq!(within(pattern, name), expected, "{pattern} {name}");
            assert_eq!(overlap(pattern, name), both, "{pattern} {name}");
        }
    }

    #[test]
    fn a_port_is_taken_off() {
        let cases = [
            ("example.com", "example.com"),
            ("example.com:8080", "example.com"),
            ("example.com:", "example.com:"),
            ("[::1]:80", "[::1]"),
            ("::1", "::1"),
            ("", ""),
        ];
        for (authority, host) in cases {
            assert_eq!(without_port(authority), host);
        }
    }

    #[test]
    fn a_service_has_names() {
        // (name, from, the Service)
        let cases = [
            ("test", "team-x", Some(("test", "team-x"))),
            ("test.team-y", "team-x", Some(("test", "team-y"))),
            ("test.team-y.svc", "team-x", Some(("test", "team-y"))),
            (
                "Test.team-y.svc.cluster.local.",
                "team-x",
                Some(("test", "team-y")),
            ),
            ("example.com", "team-x", Some(("example", "com"))),
            ("www.example.com", "team-x", None),
            ("a.b.svc.cluster.org", "team-x", None),
            ("*.team-x", "team-x", None),
            ("", "team-x", None),
        ];
        for (name, from, expected) in cases {
            let found = service(name, from);
            let found = found
                .as_ref()
                .map(|(name, namespace)| (name.as_str(), namespace.as_str()));
            assert_eq!(found, expected, "{name}");
        }
        for name in [
            "test",
            "test.team-x",
            "test.team-x.svc",
            "test.team-x.svc.cluster.local",
        ] {
            let expected = Some(("test".to_owned(), "team-x".to_owned()));
            assert_eq!(service(name, "team-x"), expected, "{name}");
        }
    }

    #[test]
    fn istio_completes_names_without_a_dot_only() {
        let cases = [
            ("test", "test.team-x.svc.cluster.local"),
            ("test.team-y", "test.team-y"),
            ("example.com", "example.com"),
            ("*", "*"),
            ("", ""),
        ];
        for (host, expected) in cases {
            assert_eq!(qualified(host, "team-x"), expected);
        }
    }

    proptest! {
        #[test]
        fn overlap_has_no_direction(a in r"(\*|\*\.)?[ab.]{0,4}", b in r"(\*|\*\.)?[ab.]{0,4}", name in "[ab.]{0,5}") {
            prop_assert_eq!(overlap(&a, &b), overlap(&b, &a));
            if within(&a, &name) && within(&b, &name) {
                prop_assert!(overlap(&a, &b));
            }
        }
    }
}
