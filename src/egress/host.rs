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

/// The full names of the cluster that a name may mean for a pod in `namespace`, in the order in which its resolver tries them: by
/// the search path that Kubernetes writes (`ndots:5`). A name with a trailing dot is full already.
pub fn searched(name: &str, namespace: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    if let Some(full) = name.strip_suffix('.') {
        return vec![full.to_owned()];
    }
    let below = ["svc.cluster.local", "cluster.local"];
    let mut names = vec![format!("{name}.{namespace}.{}", below[0])];
    names.extend(below.map(|suffix| format!("{name}.{suffix}")));
    match name.matches('.').count() < 5 {
        true => names.push(name),
        false => names.insert(0, name),
    }
    names
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
    fn a_resolver_follows_its_search_path() {
        let cases = [
            ("test", "test.team-x.svc.cluster.local"),
            ("Test.team-y", "test.team-y.team-x.svc.cluster.local"),
            ("test.team-y.", "test.team-y"),
            ("a.b.c.d.e.f", "a.b.c.d.e.f"),
        ];
        for (name, first) in cases {
            assert_eq!(searched(name, "team-x")[0], first);
        }
        let all = searched("test.team-y.svc", "team-x");
        assert!(
            all.contains(&"test.team-y.svc.cluster.local".to_owned()),
            "{all:?}"
        );
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
