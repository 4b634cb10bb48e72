//! Forms of names and values that Kubernetes and Istio share (`k8s.io/apimachinery/pkg/util/validation`), with the API server's words
//! for what is not of the form.

use std::net::IpAddr;

pub const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
pub const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
pub const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
pub const QUALIFIED: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
pub const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
pub const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Why a text is not of a form; none if it is.
pub type Form = fn(&str) -> Option<String>;

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Whether `text` has only such characters, with the first and the last among the stricter.
fn framed(text: &str, inner: fn(char) -> bool, outer: fn(char) -> bool) -> bool {
    text.chars().all(inner) && text.starts_with(outer) && text.ends_with(outer)
}

fn at_most(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} characters"))
}

fn checked(holds: bool, why: &str) -> Option<String> {
    (!holds).then(|| why.to_owned())
}

/// A label of a domain name, RFC 1123.
pub fn label(text: &str) -> Option<String> {
    if let Some(why) = at_most(text, 63) {
        return Some(why);
    }
    let holds = framed(text, |c| lower(c) || c == '-', lower);
    match subdomain(text) {
        None if !holds => Some("must not contain dots".to_owned()),
        _ => checked(holds, LABEL),
    }
}

/// A label of a domain name, RFC 1035: it begins with a letter.
pub fn label_1035(text: &str) -> Option<String> {
    let holds = framed(text, |c| lower(c) || c == '-', lower)
        && text.starts_with(|c: char| c.is_ascii_lowercase());
    at_most(text, 63).or_else(|| checked(holds, LABEL_1035))
}

/// Labels with dots between them.
pub fn subdomain(text: &str) -> Option<String> {
    let part = |part: &str| framed(part, |c| lower(c) || c == '-', lower);
    at_most(text, 253).or_else(|| checked(text.split('.').all(part), SUBDOMAIN))
}

/// What may be a segment of a URL's path: the names of roles and bindings.
pub fn path_segment(text: &str) -> Option<String> {
    if text == "." || text == ".." {
        return Some(format!("may not be '{text}'"));
    }
    text.chars()
        .find(|c| matches!(c, '/' | '%'))
        .map(|c| format!("may not contain '{c}'"))
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn word_inner(c: char) -> bool {
    word(c) || matches!(c, '-' | '_' | '.')
}

/// A name that may have a domain before it: the key of a label.
pub fn qualified(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if prefix.is_some_and(|_| name.contains('/')) {
        return Some(format!(
            "{QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ));
    }
    if prefix == Some("") {
        return Some("prefix part must be non-empty".to_owned());
    }
    if let Some(why) = prefix.and_then(subdomain) {
        return Some(format!("prefix part {why}"));
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 characters".to_owned());
    }
    let form = QUALIFIED.trim_start_matches("a qualified name ");
    (!framed(name, word_inner, word)).then(|| format!("name part {form}"))
}

/// The value of a label.
pub fn label_value(text: &str) -> Option<String> {
    at_most(text, 63).or_else(|| {
        checked(
            text.is_empty() || framed(text, word_inner, word),
            LABEL_VALUE,
        )
    })
}

/// A key of a ConfigMap or a Secret.
pub fn config_key(text: &str) -> Option<String> {
    if let Some(why) = at_most(text, 253) {
        return Some(why);
    }
    if text == "." || text == ".." || text.starts_with("..") {
        return Some(format!("must not be or begin with '..': {text:?}"));
    }
    checked(!text.is_empty() && text.chars().all(word_inner), CONFIG_KEY)
}

/// The name of a port (IANA service name).
pub fn port_name(text: &str) -> Option<String> {
    if text.len() > 15 {
        return Some("must be no more than 15 characters".to_owned());
    }
    if !text.chars().all(|c| lower(c) || c == '-') {
        return Some(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !text.contains(|c: char| c.is_ascii_lowercase()) {
        return Some("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        return Some("must not contain consecutive hyphens".to_owned());
    }
    (text.starts_with('-') || text.ends_with('-'))
        .then(|| "must not begin or end with a hyphen".to_owned())
}

/// The number of a port.
pub fn port(number: i64) -> Option<String> {
    checked(
        (1..=65535).contains(&number),
        "must be between 1 and 65535, inclusive",
    )
}

/// The name of an environment variable (1.34: any printable ASCII but `=`).
pub fn variable(text: &str) -> Option<String> {
    let holds = text.chars().all(|c| (' '..='~').contains(&c) && c != '=');
    checked(
        holds,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
    )
}

/// `15%`.
pub fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    (!digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()))
        .then(|| digits.parse().unwrap_or(i64::MAX))
}

/// A time of RFC 3339.
pub fn is_time(text: &str) -> bool {
    static FORM: std::sync::LazyLock<Option<regex_lite::Regex>> = std::sync::LazyLock::new(|| {
        regex_lite::Regex::new(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
            .ok()
    });
    FORM.as_ref().is_none_or(|form| form.is_match(text))
}

/// A quantity (`100m`, `1Gi`, `2e3`) as a number; none if it is not one.
pub fn quantity(text: &str) -> Option<f64> {
    let end = text
        .char_indices()
        .find(|(index, c)| {
            !(c.is_ascii_digit() || *c == '.' || (*index == 0 && matches!(c, '+' | '-')))
        })
        .map_or(text.len(), |(index, _)| index);
    let (number, suffix) = text.split_at(end);
    let digits = number.trim_start_matches(['+', '-']);
    if digits.is_empty() || digits == "." || digits.matches('.').count() > 1 {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10f64.powi(power)
        }
    };
    Some(number * factor)
}

/// A range of addresses, `10.0.0.0/8`.
pub fn cidr(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok()
}

/// An address.
pub fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_take_what_the_server_takes() {
        // (form, text, whether it is of the form)
        let cases: [(Form, &str, bool); 24] = [
            (label, "a-1", true),
            (label, "1a", true),
            (label, "A", false),
            (label, "", false),
            (label, "a.b", false),
            (label_1035, "1a", false),
            (subdomain, "a.b-c.d", true),
            (subdomain, "a..b", false),
            (path_segment, "system:node/x", false),
            (path_segment, "system:node", true),
            (qualified, "app.kubernetes.io/name", true),
            (qualified, "Team_A", true),
            (qualified, "a/b/c", false),
            (qualified, "/b", false),
            (label_value, "", true),
            (label_value, "a b", false),
            (config_key, "settings.yaml", true),
            (config_key, "a/b", false),
            (port_name, "http-web", true),
            (port_name, "8080", false),
            (port_name, "https-passthrough", false),
            (variable, "A.b-c d", true),
            (variable, "A=b", false),
            (label, "a-", false),
        ];
        for (form, text, holds) in cases {
            assert_eq!(form(text).is_none(), holds, "{text}");
        }
    }

    #[test]
    fn quantities_are_numbers() {
        for (text, number) in [
            ("1", Some(1.0)),
            ("100m", Some(0.1)),
            ("1Gi", Some(1_073_741_824.0)),
            ("2e3", Some(2000.0)),
            (".5", Some(0.5)),
            ("1.", Some(1.0)),
            ("-1", Some(-1.0)),
            ("1GB", None),
            ("", None),
            ("one", None),
            ("1 Gi", None),
        ] {
            let found = quantity(text);
            assert_eq!(found.is_some(), number.is_some(), "{text}: {found:?}");
            if let (Some(found), Some(number)) = (found, number) {
                assert!((found - number).abs() < 1e-9, "{text}: {found}");
            }
        }
    }
}
