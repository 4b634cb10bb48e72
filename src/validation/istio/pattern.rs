//! Regular expressions as Go and Envoy read them (RE2), as far as it can be said that they do not.

use regex_lite::RegexBuilder;

/// The longest expression that istiod takes, in bytes.
const LONGEST: usize = 1024;

/// Why istiod does not take an expression in a field; `field` is its name for it.
pub fn refused(expression: &str, field: &str) -> Option<String> {
    if expression.len() > LONGEST {
        return Some(format!(
            "{field:?}: regex is too large, max length allowed is {LONGEST}"
        ));
    }
    let why = invalid(expression)?;
    Some(format!(
        "{field:?}: error parsing regexp: {why}; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)"
    ))
}

/// Why it is not an expression of RE2. What another engine cannot say is taken.
pub fn invalid(expression: &str) -> Option<String> {
    // Classes and quotations that only RE2 knows.
    let only_re2 = ["\\p", "\\P", "\\Q", "\\C", "[[:", "\\<", "\\>"];
    if only_re2.iter().any(|form| expression.contains(form)) {
        return None;
    }
    let built = RegexBuilder::new(&literal_braces(expression)).build();
    built.err().map(|error| error.to_string())
}

/// The expression with those braces escaped that RE2 reads as themselves, because no count is in them.
fn literal_braces(expression: &str) -> String {
    let mut text = String::with_capacity(expression.len());
    let mut rest = expression;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let (this, after) = rest.split_at(c.len_utf8());
        match c {
            '\\' => {
                let length = after.chars().next().map_or(0, char::len_utf8);
                text.push_str(&rest[..1 + length]);
                rest = &after[length..];
                // `\x{7F}` has braces of its own.
                if text.ends_with("\\x") && rest.starts_with('{') {
                    let end = rest.find('}').map_or(rest.len(), |end| end + 1);
                    text.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
                continue;
            }
            '[' if !in_class => in_class = true,
            ']' => in_class = false,
            '{' if !in_class && !is_count(after) => text.push('\\'),
            '}' if !in_class && !text_has_open_count(&text) => text.push('\\'),
            _ => {}
        }
        text.push_str(this);
        rest = after;
    }
    text
}

/// Whether `2}`, `2,}` or `2,3}` follows a brace.
fn is_count(after: &str) -> bool {
    let Some((count, _)) = after.split_once('}') else {
        return false;
    };
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    match count.split_once(',') {
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
        None => !count.is_empty() && digits(count),
    }
}

/// Whether the text ends within a count.
fn text_has_open_count(text: &str) -> bool {
    text.rfind('{').is_some_and(|open| {
        let is_escaped = text[..open].ends_with('\\');
        !is_escaped
            && text[open + 1..]
                .chars()
                .all(|c| c.is_ascii_digit() || c == ',')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_re2_cannot_read_is_refused() {
        for (expression, holds) in [
            ("/v1/.*", true),
            ("^/(a|b)[0-9]{1,3}$", true),
            ("/v1/{id}", true),
            ("a{", true),
            ("}", true),
            ("[{}]", true),
            ("\\p{L}+", true),
            ("(?i)get", true),
            ("(?P<name>a)", true),
            ("\\x{41}", true),
            ("(?!admin).*", false),
            ("(?<=a)b", false),
            ("(a)\\1", false),
            ("[a-z", false),
            ("(a", false),
            ("*", false),
            ("(([a-z]{1,200}){1,200}){1,200}", false),
        ] {
            assert_eq!(
                invalid(expression).is_none(),
                holds,
                "{expression}: {:?}",
                invalid(expression)
            );
        }
    }
}
