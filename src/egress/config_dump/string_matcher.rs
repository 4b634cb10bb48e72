//! Envoy's matchers of texts, headers, query parameters and address ranges.
//!
//! Sources: Envoy's API reference, `type/matcher/v3/string.proto`, `type/matcher/v3/regex.proto`,
//! `config/route/v3/route_components.proto` (HeaderMatcher, QueryParameterMatcher), `config/core/v3/address.proto` (CidrRange).
//! Envoy's regular expressions are RE2, which must match the whole text; one that does not compile here is unknown.

use std::net::IpAddr;

use ipnet::IpNet;
use regex_lite::Regex;
use serde_json::Value;

use super::matches::Matches;
use super::request_headers::RequestHeaders;

/// Whether a text matches a `StringMatcher`.
pub fn string_matches(matcher: &Value, text: &str) -> Matches {
    let ignore_case = matcher["ignore_case"] == true;
    let folded = |text: &str| match ignore_case {
        true => text.to_ascii_lowercase(),
        false => text.to_owned(),
    };
    let own = folded(text);
    let field = |name: &str| matcher.get(name).and_then(Value::as_str).map(folded);
    if let Some(exact) = field("exact") {
        return Matches::of(own == exact);
    }
    if let Some(prefix) = field("prefix") {
        return Matches::of(own.starts_with(&prefix));
    }
    if let Some(suffix) = field("suffix") {
        return Matches::of(own.ends_with(&suffix));
    }
    if let Some(contains) = field("contains") {
        return Matches::of(own.contains(&contains));
    }
    match matcher.get("safe_regex") {
        Some(regex) => regex_matches(regex, text),
        None => Matches::field("string matcher", matcher),
    }
}

/// Whether a whole text matches a `RegexMatcher`.
pub fn regex_matches(matcher: &Value, text: &str) -> Matches {
    let regex = json::text(matcher, "/regex");
    match Regex::new(&format!("^(?:{regex})$")) {
        Ok(compiled) => Matches::of(compiled.is_match(text)),
        Err(_) => Matches::Unknown(format!("regular expression {regex}")),
    }
}

/// Whether a request matches a `HeaderMatcher`. A header that is absent matches only what asks for absence, unless it is to be
/// treated as empty.
pub fn header_matches(matcher: &Value, headers: &RequestHeaders) -> Matches {
    let invert = matcher["invert_match"] == true;
    let value = headers.get(json::text(matcher, "/name"));
    let specifier = [
        "exact_match",
        "safe_regex_match",
        "range_match",
        "present_match",
        "prefix_match",
        "suffix_match",
        "contains_match",
        "string_match",
    ];
    let found = specifier
        .iter()
        .find_map(|name| Some((*name, matcher.get(name)?)));
    let present = match found {
        None => Some(true),
        Some(("present_match", wanted)) => Some(wanted != false),
        Some(_) => None,
    };
    if let Some(wanted) = present {
        return Matches::of((value.is_some() == wanted) != invert);
    }
    let value = match value {
        Some(value) => value,
        None if matcher["treat_missing_header_as_empty"] == true => String::new(),
        None => return Matches::No,
    };
    let text = |wanted: &Value| wanted.as_str().unwrap_or_default().to_owned();
    let holds = match found {
        Some(("exact_match", wanted)) => Matches::of(value == text(wanted)),
        Some(("prefix_match", wanted)) => Matches::of(value.starts_with(&text(wanted))),
        Some(("suffix_match", wanted)) => Matches::of(value.ends_with(&text(wanted))),
        Some(("contains_match", wanted)) => Matches::of(value.contains(&text(wanted))),
        Some(("safe_regex_match", wanted)) => regex_matches(wanted, &value),
        Some(("string_match", wanted)) => string_matches(wanted, &value),
        Some(("range_match", wanted)) => {
            let range = integer(&wanted["start"])..integer(&wanted["end"]);
            Matches::of(value.parse().is_ok_and(|value: i64| range.contains(&value)))
        }
        _ => Matches::field("header matcher", matcher),
    };
    holds.inverted(invert)
}

/// Whether a path with its query matches a `QueryParameterMatcher`. The first value of a parameter counts.
pub fn query_matches(matcher: &Value, path: &str) -> Matches {
    let name = json::text(matcher, "/name");
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let value = pairs.find(|(key, _)| *key == name).map(|(_, value)| value);
    match (
        value,
        matcher.get("string_match"),
        matcher.get("present_match"),
    ) {
        (value, None, present) => {
            let wanted = present.is_none_or(|wanted| wanted != false);
            Matches::of(value.is_some() == wanted)
        }
        (None, Some(_), _) => Matches::No,
        (Some(value), Some(wanted), _) => string_matches(wanted, value),
    }
}

/// A number of 64 bits, which JSON of protocol buffers writes as a text. 0 if there is none.
pub fn integer(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.parse().unwrap_or_default(),
        other => other.as_i64().unwrap_or_default(),
    }
}

/// The range of a `CidrRange`; `None` if it is not one.
pub fn range(value: &Value) -> Option<IpNet> {
    let address: IpAddr = json::text(value, "/address_prefix").parse().ok()?;
    let length = value.get("prefix_len").and_then(Value::as_u64).unwrap_or(0);
    Some(
        IpNet::new(address, u8::try_from(length).ok()?)
            .ok()?
            .trunc(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_match_as_envoys_api_says() {
        // (matcher, text, whether)
        let cases = [
            (json!({"exact": "a.b"}), "a.b", true),
            (json!({"exact": "A.b"}), "a.b", false),
            (json!({"exact": "A.b", "ignore_case": true}), "a.B", true),
            (json!({"prefix": "/a"}), "/ab", true),
            (json!({"suffix": ".b", "ignore_case": true}), "a.B", true),
            (json!({"contains": "x"}), "axb", true),
            // The whole text, not a part of it.
            (json!({"safe_regex": {"regex": "a+"}}), "aab", false),
            (
                json!({"safe_regex": {"regex": ".*/ns/team-x/.*"}}),
                "spiffe://a/ns/team-x/sa/b",
                true,
            ),
            (json!({"safe_regex": {"regex": "a|ab"}}), "ab", true),
        ];
        for (matcher, text, holds) in cases {
            let found = string_matches(&matcher, text);
            assert_eq!(found, Matches::of(holds), "{matcher} {text}");
        }
        for matcher in [
            json!({"custom": {"name": "lua"}}),
            json!({"safe_regex": {"regex": "("}}),
        ] {
            let found = string_matches(&matcher, "a");
            assert!(matches!(found, Matches::Unknown(_)), "{matcher} {found:?}");
        }
    }

    #[test]
    fn an_absent_header_matches_only_what_asks_for_absence() {
        let mut headers = RequestHeaders::new("GET", "http", "example.com", "/");
        headers.add("x-team", "a");
        headers.add("X-Team", "b");
        // (matcher, whether)
        let cases = [
            (
                json!({"name": "x-team", "string_match": {"exact": "a,b"}}),
                true,
            ),
            (json!({"name": "x-team"}), true),
            (json!({"name": "x-team", "present_match": false}), false),
            (json!({"name": "none", "present_match": false}), true),
            (
                json!({"name": "none", "present_match": true, "invert_match": true}),
                true,
            ),
            (
                json!({"name": "none", "string_match": {"exact": "a"}, "invert_match": true}),
                false,
            ),
            (
                json!({"name": "none", "string_match": {"exact": "a"}, "invert_match": true,
                    "treat_missing_header_as_empty": true}),
                true,
            ),
            (
                json!({"name": ":authority", "string_match": {"exact": "example.com"}}),
                true,
            ),
            (json!({"name": "Host", "exact_match": "example.com"}), true),
            (
                json!({"name": ":method", "safe_regex_match": {"regex": "GET|HEAD"}}),
                true,
            ),
        ];
        for (matcher, holds) in cases {
            assert_eq!(
                header_matches(&matcher, &headers),
                Matches::of(holds),
                "{matcher}"
            );
        }
    }

    #[test]
    fn a_query_parameter_is_matched_by_its_first_value() {
        let path = "/a?x=1&y&x=2";
        for (matcher, holds) in [
            (json!({"name": "x", "string_match": {"exact": "1"}}), true),
            (json!({"name": "x", "string_match": {"exact": "2"}}), false),
            (json!({"name": "y", "present_match": true}), true),
            (json!({"name": "z"}), false),
            (json!({"name": "z", "present_match": false}), true),
        ] {
            assert_eq!(
                query_matches(&matcher, path),
                Matches::of(holds),
                "{matcher}"
            );
        }
    }
}
