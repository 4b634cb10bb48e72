//! Path templates of a discovery document (`v1/{+name}:enable`, `b/{bucket}/o/{object}`), compiled and matched.
//!
//! A `{+name}` stands for several segments; which ones, its parameter's `pattern` says (`^projects/[^/]+$`).
//! Only the shapes that Google's documents use are understood: literals, one segment, the rest of the path.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// These very characters; with a name when it is part of a parameter's value.
    Literal(String, Option<String>),
    /// Any one segment, and what must follow it in the same segment (`:enable`).
    One { parameter: String, suffix: String },
    /// All that is left, at least one segment.
    Rest { parameter: String },
}

/// A compiled path template.
#[derive(Debug, Clone)]
pub struct Template {
    segments: Vec<Segment>,
}

impl Template {
    /// Compiles `path`; `pattern` gives the pattern of a parameter by its name.
    pub fn new<'a>(path: &str, pattern: impl Fn(&str) -> Option<&'a str>) -> Self {
        let mut segments = Vec::new();
        for part in path.trim_start_matches('/').split('/') {
            let Some((_, rest)) = part.split_once('{') else {
                segments.push(Segment::Literal(part.to_owned(), None));
                continue;
            };
            let (name, suffix) = rest.split_once('}').unwrap_or((rest, ""));
            match name.strip_prefix('+') {
                None => segments.push(one(name, suffix)),
                Some(name) => segments.extend(expand(name, suffix, pattern(name).unwrap_or(".*"))),
            }
        }
        Self { segments }
    }

    /// The parameters of `path` (still percent-encoded, without a leading slash), decoded, if it fits.
    pub fn matches(&self, path: &[&str]) -> Option<BTreeMap<String, String>> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let mut take = |name: &str, value: &str| {
            let entry = found.entry(name.to_owned()).or_default();
            if !entry.is_empty() {
                entry.push('/');
            }
            entry.push_str(value);
        };
        for (at, segment) in self.segments.iter().enumerate() {
            let text = decode(path.get(at)?)?;
            match segment {
                Segment::Literal(want, of) => {
                    if text != *want {
                        return None;
                    }
                    if let Some(name) = of {
                        take(name, want);
                    }
                }
                Segment::One { parameter, suffix } => {
                    let value = text.strip_suffix(suffix.as_str())?;
                    if value.is_empty() {
                        return None;
                    }
                    take(parameter, value);
                }
                Segment::Rest { parameter } => {
                    for part in &path[at..] {
                        take(parameter, &decode(part)?);
                    }
                    return Some(found);
                }
            }
        }
        (path.len() == self.segments.len()).then_some(found)
    }

    /// How particular the template is: of two that fit, the one with more literal text is meant.
    pub fn weight(&self) -> usize {
        let weigh = |segment: &Segment| match segment {
            Segment::Literal(..) => 3,
            Segment::One { suffix, .. } if !suffix.is_empty() => 2,
            Segment::One { .. } => 1,
            Segment::Rest { .. } => 0,
        };
        self.segments.iter().map(weigh).sum()
    }
}

fn one(parameter: &str, suffix: &str) -> Segment {
    Segment::One {
        parameter: parameter.to_owned(),
        suffix: suffix.to_owned(),
    }
}

/// The segments of a `{+name}` whose value must look like `pattern`; `suffix` follows the last of them.
fn expand(name: &str, suffix: &str, pattern: &str) -> Vec<Segment> {
    // A character class may hold a slash, so it is replaced before the pattern is cut at slashes.
    let plain = pattern
        .trim_start_matches('^')
        .trim_end_matches('$')
        .replace("[^/]+", "*")
        .replace(".*", "**");
    let parts: Vec<&str> = plain.split('/').collect();
    let last = parts.len() - 1;
    parts
        .iter()
        .enumerate()
        .map(|(at, part)| match *part {
            "**" => Segment::Rest {
                parameter: name.to_owned(),
            },
            "*" => one(name, if at == last { suffix } else { "" }),
            text => Segment::Literal(text.to_owned(), Some(name.to_owned())),
        })
        .collect()
}

fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment)
        .decode_utf8()
        .ok()
        .map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(template: &str, pattern: &'static str, path: &str) -> Option<String> {
        let compiled = Template::new(template, |_| Some(pattern));
        let parts: Vec<&str> = path.split('/').collect();
        let found = compiled.matches(&parts)?;
        Some(
            found
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
        )
    }

    #[test]
    fn templates_capture_what_their_patterns_say() {
        let account = "^projects/[^/]+/serviceAccounts/[^/]+$";
        let cases = [
            (
                "v1/{+name}",
                account,
                "v1/projects/p/serviceAccounts/a@b",
                Some("name=projects/p/serviceAccounts/a@b"),
            ),
            (
                "v1/{+name}:enable",
                account,
                "v1/projects/p/serviceAccounts/a%40b:enable",
                Some("name=projects/p/serviceAccounts/a@b"),
            ),
            (
                "v1/{+name}:enable",
                account,
                "v1/projects/p/serviceAccounts/a@b:disable",
                None,
            ),
            (
                "v1/{+name}:enable",
                account,
                "v1/projects/p/serviceAccounts/:enable",
                None,
            ),
            ("v1/{+name}", account, "v1/projects/p/serviceAccounts", None),
            (
                "v1/{+name}",
                account,
                "v1/folders/p/serviceAccounts/a",
                None,
            ),
            (
                "v1/projects/{resource}:getIamPolicy",
                "",
                "v1/projects/p:getIamPolicy",
                Some("resource=p"),
            ),
            (
                "v1/{+name}",
                "^operations/.*$",
                "v1/operations/acat.p2-1-a/b",
                Some("name=operations/acat.p2-1-a/b"),
            ),
            ("v1/{+name}", "^operations/.*$", "v1/operations", None),
            (
                "b/{bucket}/o/{object}",
                "",
                "b/x/o/a%2Fb",
                Some("bucket=x object=a/b"),
            ),
            ("b/{bucket}/o/{object}", "", "b/x/o/a/b", None),
            (
                "v1/{+parent}/services:batchEnable",
                "^[^/]+/[^/]+$",
                "v1/projects/p/services:batchEnable",
                Some("parent=projects/p"),
            ),
        ];
        for (template, pattern, path, want) in cases {
            assert_eq!(
                fits(template, pattern, path).as_deref(),
                want,
                "{template} on {path}"
            );
        }
    }

    #[test]
    fn the_more_literal_template_weighs_more() {
        let account = |_: &str| Some("^projects/[^/]+/serviceAccounts/[^/]+$");
        assert!(
            Template::new("v1/{+name}:enable", account).weight()
                > Template::new("v1/{+name}", account).weight()
        );
    }
}
