//! The `filter` of a list: comparisons joined by AND, in the two dialects that compute understands.
//!
//! `name = "x"` and `name != "x"` compare the whole text, `name eq 'x.*'` and `ne` a regular expression, `name:x` a part of it.
//! OR, NOT and the orderings are refused rather than guessed.

use regex_lite::Regex;
use serde_json::Value;

use crate::answer::ErrorResponse;
use crate::request::Request;

/// A filter; an empty one lets everything through.
#[derive(Debug, Default)]
pub struct Filter(Vec<Term>);

#[derive(Debug)]
struct Term {
    field: Vec<String>,
    test: Test,
}

/// Makes a test of a value, if the value can be one.
type Make = fn(String) -> Option<Test>;

#[derive(Debug)]
enum Test {
    Equals(String),
    Differs(String),
    Matches(Regex),
    MatchesNot(Regex),
    Has(String),
}

impl Filter {
    /// The filter of a request.
    ///
    /// # Errors
    /// 400, as compute refuses an expression that it cannot read.
    pub fn of(request: &Request) -> Result<Filter, ErrorResponse> {
        request
            .query("filter")
            .map_or(Ok(Filter::default()), Filter::parse)
    }

    fn parse(text: &str) -> Result<Filter, ErrorResponse> {
        let terms = terms(text)
            .iter()
            .map(|term| Term::parse(term))
            .collect::<Option<Vec<Term>>>();
        terms.map(Filter).ok_or_else(|| {
            ErrorResponse::invalid(format!(
                "Invalid value for field 'filter': '{text}'. Invalid list filter expression."
            ))
        })
    }

    /// Whether an item passes.
    pub fn holds(&self, item: &Value) -> bool {
        self.0.iter().all(|term| term.holds(item))
    }
}

impl Term {
    fn parse(text: &str) -> Option<Term> {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))?;
        let (field, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let operators: &[(&str, Make)] = &[
            ("!=", |value| Some(Test::Differs(value))),
            ("=", |value| Some(Test::Equals(value))),
            (":", |value| Some(Test::Has(value))),
            ("eq ", |value| whole(&value).map(Test::Matches)),
            ("ne ", |value| whole(&value).map(Test::MatchesNot)),
        ];
        let (rest, make) = operators
            .iter()
            .find_map(|(sign, make)| Some((rest.strip_prefix(sign)?, make)))?;
        let value = rest.trim();
        let quoted = ['"', '\'']
            .into_iter()
            .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        if quoted.is_none() && (value.is_empty() || value.contains(char::is_whitespace)) {
            return None;
        }
        let test = make(quoted.unwrap_or(value).to_owned())?;
        Some(Term {
            field: field.split('.').map(str::to_owned).collect(),
            test,
        })
    }

    fn holds(&self, item: &Value) -> bool {
        let value = self
            .field
            .iter()
            .try_fold(item, |value, name| value.get(name));
        let text = match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match &self.test {
            Test::Equals(wanted) => text == *wanted,
            Test::Differs(unwanted) => text != *unwanted,
            Test::Matches(pattern) => pattern.is_match(&text),
            Test::MatchesNot(pattern) => !pattern.is_match(&text),
            Test::Has(part) => text.contains(part.trim_matches('*')),
        }
    }
}

/// The comparisons of an expression: `(a) (b)`, `a AND b`, or one alone.
fn terms(text: &str) -> Vec<String> {
    let spread = text.replace(") (", ") AND (");
    let parts = spread.split(" AND ").map(|part| {
        let part = part.trim();
        part.strip_prefix('(')
            .and_then(|part| part.strip_suffix(')'))
            .unwrap_or(part)
            .trim()
            .to_owned()
    });
    parts.filter(|part| !part.is_empty()).collect()
}

fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn filters_compare_as_compute_does() {
        let item = json!({"name": "gke-c-1-mcsd", "network": "https://x/projects/p/global/networks/vpc", "priority": 1000,
            "logConfig": {"enable": false}});
        let cases = [
            ("", true),
            ("name = gke-c-1-mcsd", true),
            ("name=\"gke-c-1-mcsd\"", true),
            ("name != gke-c-1-mcsd", false),
            ("name eq 'gke-.*'", true),
            ("(name eq gke-.*) (network eq .*/vpc)", true),
            ("name:mcsd AND priority = 1000", true),
            ("name ne .*mcsd", false),
            ("logConfig.enable = false", true),
            ("missing = x", false),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Filter::parse(text).unwrap().holds(&item),
                expected,
                "{text}"
            );
        }
        for text in ["name", "name <> x", "name = a b", "name eq '('"] {
            assert_eq!(Filter::parse(text).unwrap_err().http, 400, "{text}");
        }
    }
}
