//! The types of parameters, and the values that each accepts. Pure: Google's further rules for names are not checked here.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::diagnostic::unknown;
use crate::text::quoted;

/// The longest name that Google accepts for most resources.
const LONGEST_NAME: usize = 63;

/// The type of a parameter's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamType {
    /// The id of a Google Cloud project: 6-30 lowercase letters, digits and hyphens.
    ProjectId,
    /// A region, such as `us-central1`.
    Region,
    /// A zone of the region, such as `us-central1-a`.
    Zone,
    /// A region, or a zone: where a cluster is. It must be the region or in it.
    Location,
    /// An RFC 1035 label of limited length: a lowercase letter, then lowercase letters, digits and hyphens.
    Name {
        /// The greatest length in characters.
        max: usize,
    },
    /// The beginning of names: empty, or like a name that ends with a hyphen.
    NamePrefix,
    /// The name of a storage bucket: 3-63 lowercase letters, digits, hyphens, underscores and dots.
    Bucket,
    /// An IPv4 range in CIDR notation, with a prefix length within these bounds. No two of these parameters may overlap.
    Cidr {
        /// The shortest prefix.
        min: u8,
        /// The longest prefix.
        max: u8,
    },
    /// IPv4 ranges, separated by commas or as a list; a single address is a range of one.
    CidrList {
        /// The field that contains the range, if an API wants each range in an object.
        each: Option<String>,
    },
    /// A whole number within these bounds.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// Any text on one line.
    Text,
}

/// Why a value is not accepted: a fragment that starts with the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It does not have the expected type.
    #[error("{given} is not {expected}")]
    Type {
        /// The value: a text in backquotes, anything else as JSON.
        given: String,
        /// The expected type, as [`ParamType::is`] returns it.
        expected: String,
    },
    /// It is not one of the allowed words.
    #[error("{}", unknown("value", .given, .choices.iter().map(String::as_str)))]
    Choice {
        /// The value.
        given: String,
        /// The words.
        choices: Vec<String>,
    },
    /// It is not a range.
    #[error("`{given}` is not an IPv4 range, such as 10.0.0.0/24")]
    Range {
        /// The value.
        given: String,
        /// The parse error.
        source: ipnet::AddrParseError,
    },
    /// It is the id of a project of a domain.
    #[error(
        "`{given}` is the id of a project of the domain {domain}, and such projects are not supported: the names of its accounts \
         and of its identity pool do not follow from its id"
    )]
    OfDomain {
        /// The id.
        given: String,
        /// The domain.
        domain: String,
    },
    /// It is an address within a range.
    #[error("`{given}` has host bits set, did you mean `{range}`?")]
    HostBits {
        /// The value.
        given: String,
        /// The range.
        range: Ipv4Net,
    },
}

impl ParamType {
    /// The value in the form that steps use, from a value in a file or on a command line.
    ///
    /// # Errors
    /// Why the value does not have this type.
    pub fn take(&self, given: &Value) -> Result<Value, ValueError> {
        if let ParamType::CidrList { each } = self {
            return take_ranges(given, each.as_deref());
        }
        let text = match given {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            other => return Err(self.refuses(other.to_string())),
        };
        let fits = match self {
            ParamType::Integer { min, max } => {
                let number = text.parse::<i64>().ok().filter(|n| min <= n && n <= max);
                return number
                    .map(|n| json!(n))
                    .ok_or_else(|| self.refuses(format!("`{text}`")));
            }
            ParamType::Cidr { min, max } => {
                let range = range(&text)?;
                if range.prefix_len() < *min || range.prefix_len() > *max {
                    return Err(self.refuses(format!("`{text}`")));
                }
                return Ok(json!(range.to_string()));
            }
            ParamType::Choice(choices) => {
                if !choices.contains(&text) {
                    let choices = choices.clone();
                    return Err(ValueError::Choice {
                        given: text,
                        choices,
                    });
                }
                true
            }
            ParamType::ProjectId => match of_domain(&text) {
                Some(refusal) => return Err(refusal),
                None => is_label(&text, 30) && text.len() >= 6,
            },
            ParamType::Region => is_region(&text),
            ParamType::Zone => is_zone(&text),
            ParamType::Location => is_region(&text) || is_zone(&text),
            ParamType::Name { max } => is_label(&text, *max),
            ParamType::NamePrefix => {
                text.is_empty()
                    || text
                        .strip_suffix('-')
                        .is_some_and(|name| !name.is_empty() && is_label(name, LONGEST_NAME - 2))
            }
            ParamType::Bucket => is_bucket(&text),
            ParamType::Text => !text.is_empty() && !text.chars().any(char::is_control),
            ParamType::CidrList { .. } => false,
        };
        if fits {
            Ok(json!(text))
        } else {
            Err(self.refuses(format!("`{text}`")))
        }
    }

    fn refuses(&self, given: String) -> ValueError {
        ValueError::Type {
            given,
            expected: self.is(),
        }
    }

    /// A description of this type's values, for help and error messages: `an integer from 1 to 9`.
    pub fn is(&self) -> String {
        match self {
            ParamType::ProjectId => {
                "a project id: 6 to 30 lowercase letters, digits and hyphens".to_owned()
            }
            ParamType::Region => "a region, such as us-central1".to_owned(),
            ParamType::Zone => "a zone, such as us-central1-a".to_owned(),
            ParamType::Location => {
                "a zone or a region, such as us-central1-a or us-central1".to_owned()
            }
            ParamType::Name { max } => {
                format!(
                    "a name: a lowercase letter, then lowercase letters, digits and hyphens, at most {max} characters"
                )
            }
            ParamType::NamePrefix => {
                "a prefix of names: empty, or a lowercase letter, lowercase letters, digits and hyphens, then a hyphen at the end"
                    .to_owned()
            }
            ParamType::Bucket => {
                "a bucket's name: 3 to 63 lowercase letters, digits, hyphens, underscores, dots"
                    .to_owned()
            }
            ParamType::Cidr { min, max } if min == max => {
                format!("an IPv4 range with a prefix of /{min}")
            }
            ParamType::Cidr { min, max } => {
                format!("an IPv4 range with a prefix from /{min} to /{max}")
            }
            ParamType::CidrList { .. } => {
                "a list of IPv4 ranges, such as 203.0.113.7/32,198.51.100.0/24".to_owned()
            }
            ParamType::Integer {
                min: i64::MIN,
                max: i64::MAX,
            } => "a whole number".to_owned(),
            ParamType::Integer { min, max } => format!("a whole number from {min} to {max}"),
            ParamType::Choice(choices) => {
                quoted(&choices.iter().map(String::as_str).collect::<Vec<_>>())
            }
            ParamType::Text => "a string on one line".to_owned(),
        }
    }

    /// Whether values of this type are lists, which are not allowed within a longer text.
    pub(super) fn is_list(&self) -> bool {
        matches!(self, ParamType::CidrList { .. })
    }
}

fn take_ranges(given: &Value, each: Option<&str>) -> Result<Value, ValueError> {
    let not = |given: &Value, expected: &str| ValueError::Type {
        given: given.to_string(),
        expected: expected.to_owned(),
    };
    let texts: Vec<String> = match given {
        Value::String(text) => text
            .split(',')
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
            .collect(),
        Value::Array(items) => items
            .iter()
            // A value that was accepted before, from a journal for example, is taken unchanged.
            .map(|item| each.and_then(|field| item.get(field)).unwrap_or(item))
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| not(item, "an IPv4 range"))
            })
            .collect::<Result<_, _>>()?,
        other => return Err(not(other, "a list of IPv4 ranges")),
    };
    let mut ranges: Vec<String> = Vec::new();
    for text in texts {
        let range = match text.parse::<std::net::Ipv4Addr>() {
            Ok(address) => Ipv4Net::from(address),
            Err(_) => range(&text)?,
        };
        if !ranges.contains(&range.to_string()) {
            ranges.push(range.to_string());
        }
    }
    Ok(ranges
        .into_iter()
        .map(|range| each.map_or_else(|| json!(range), |field| json!({ field: range })))
        .collect())
}

fn range(text: &str) -> Result<Ipv4Net, ValueError> {
    let given = || text.to_owned();
    let range: Ipv4Net = text.parse().map_err(|source| ValueError::Range {
        given: given(),
        source,
    })?;
    if range.trunc() != range {
        return Err(ValueError::HostBits {
            given: given(),
            range: range.trunc(),
        });
    }
    Ok(range)
}

fn is_label(text: &str, max: usize) -> bool {
    text.len() <= max
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The refusal of the id of a project of a domain (`example.com:demo-proj`); none for any other text. No parameter and no flag takes
/// one, because the steps write the addresses of accounts and the name of the identity pool from the id.
pub fn of_domain(text: &str) -> Option<ValueError> {
    let (domain, _) = text.split_once(':')?;
    Some(ValueError::OfDomain {
        given: text.to_owned(),
        domain: domain.to_owned(),
    })
}

/// Whether this is the name of a region (`us-central1`) and not of a zone (`us-central1-a`, `us-central1-ai1a`), by its form: words,
/// and a number at the end.
pub fn is_region(text: &str) -> bool {
    is_label(text, 40) && text.contains('-') && text.ends_with(|c: char| c.is_ascii_digit())
}

fn is_zone(text: &str) -> bool {
    text.rsplit_once('-')
        .is_some_and(|(region, zone)| is_region(region) && is_word(zone))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn is_bucket(text: &str) -> bool {
    let inside =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let outside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&text.len())
        && text.chars().all(inside)
        && text.starts_with(outside)
        && text.ends_with(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_type() {
        let list = ParamType::CidrList { each: None };
        let objects = ParamType::CidrList {
            each: Some("cidrBlock".to_owned()),
        };
        let name = ParamType::Name { max: 5 };
        let number = ParamType::Integer { min: 1, max: 9 };
        let range = ParamType::Cidr { min: 8, max: 29 };
        let choice = ParamType::Choice(vec!["managed".to_owned(), "in-cluster".to_owned()]);
        for (of, given, taken) in [
            (
                &ParamType::ProjectId,
                json!("demo-proj"),
                Some(json!("demo-proj")),
            ),
            (&ParamType::ProjectId, json!("example.com:demo"), None),
            (&ParamType::ProjectId, json!("short"), None),
            (&ParamType::ProjectId, json!("demo-proj-"), None),
            (
                &ParamType::Region,
                json!("northamerica-northeast1"),
                Some(json!("northamerica-northeast1")),
            ),
            (&ParamType::Region, json!("us-central1-a"), None),
            (&ParamType::Region, json!("US-central1"), None),
            (
                &ParamType::Zone,
                json!("europe-west12-c"),
                Some(json!("europe-west12-c")),
            ),
            (&ParamType::Zone, json!("europe-west12"), None),
            (
                &ParamType::Location,
                json!("us-central1"),
                Some(json!("us-central1")),
            ),
            (
                &ParamType::Location,
                json!("us-central1-a"),
                Some(json!("us-central1-a")),
            ),
            (&ParamType::Location, json!("us"), None),
            (&name, json!(" a-b1 "), Some(json!("a-b1"))),
            (&name, json!("a-b"), Some(json!("a-b"))),
            (&name, json!("toolong"), None),
            (&name, json!("1ab"), None),
            (&name, json!("ab-"), None),
            (
                &ParamType::Bucket,
                json!("demo_1.b"),
                Some(json!("demo_1.b")),
            ),
            (&ParamType::Bucket, json!("-demo"), None),
            (&ParamType::NamePrefix, json!(""), Some(json!(""))),
            (&ParamType::NamePrefix, json!("a-1-"), Some(json!("a-1-"))),
            (&ParamType::NamePrefix, json!("a"), None),
            (&ParamType::NamePrefix, json!("-"), None),
            (&ParamType::NamePrefix, json!("a--"), None),
            (&ParamType::NamePrefix, json!("1-"), None),
            (&ParamType::NamePrefix, json!("A-"), None),
            (&range, json!("10.0.0.0/24"), Some(json!("10.0.0.0/24"))),
            (&range, json!("10.0.0.1/24"), None),
            (&range, json!("10.0.0.0/30"), None),
            (&range, json!("10.0.0.0"), None),
            (&range, json!("fd00::/20"), None),
            (
                &list,
                json!("203.0.113.7, 10.0.0.0/8,10.0.0.0/8"),
                Some(json!(["203.0.113.7/32", "10.0.0.0/8"])),
            ),
            (
                &list,
                json!(["203.0.113.7/32"]),
                Some(json!(["203.0.113.7/32"])),
            ),
            (&list, json!(""), Some(json!([]))),
            (&list, json!("203.0.113.7/32,here"), None),
            (&list, json!([7]), None),
            (
                &objects,
                json!("203.0.113.7"),
                Some(json!([{"cidrBlock": "203.0.113.7/32"}])),
            ),
            (
                &objects,
                json!([{"cidrBlock": "203.0.113.7/32"}]),
                Some(json!([{"cidrBlock": "203.0.113.7/32"}])),
            ),
            (&number, json!("3"), Some(json!(3))),
            (&number, json!(3), Some(json!(3))),
            (&number, json!("3.5"), None),
            (&number, json!(true), None),
            (&choice, json!("managed"), Some(json!("managed"))),
            (&choice, json!("manged"), None),
            (
                &ParamType::Text,
                json!("two words"),
                Some(json!("two words")),
            ),
            (&ParamType::Text, json!("two\nlines"), None),
        ] {
            assert_eq!(of.take(&given).ok(), taken, "{of:?} {given}");
        }
    }

    #[test]
    fn a_region_is_told_from_a_zone_by_its_end() {
        for (location, region) in [
            ("us-central1", true),
            ("europe-west12", true),
            ("northamerica-northeast1", true),
            ("us-central1-a", false),
            ("us-central1-ai1a", false),
            ("us", false),
            ("1", false),
            ("", false),
        ] {
            assert_eq!(is_region(location), region, "{location}");
        }
    }

    #[test]
    fn the_project_of_a_domain_is_refused_with_the_reason() {
        let refusal = ParamType::ProjectId
            .take(&json!("example.com:host"))
            .unwrap_err();
        assert_eq!(Some(&refusal), of_domain("example.com:host").as_ref());
        assert_eq!(
            refusal.to_string(),
            "`example.com:host` is the id of a project of the domain example.com, and such projects are not supported: the names of \
             its accounts and of its identity pool do not follow from its id"
        );
        assert_eq!(of_domain("demo-proj"), None);
    }

    #[test]
    fn a_refusal_says_what_was_probably_meant() {
        let range = ParamType::Cidr { min: 28, max: 28 };
        for (given, told) in [
            (
                "10.5.0.3/28",
                "`10.5.0.3/28` has host bits set, did you mean `10.5.0.0/28`?",
            ),
            (
                "10.5.0.0/27",
                "`10.5.0.0/27` is not an IPv4 range with a prefix of /28",
            ),
            ("x", "`x` is not an IPv4 range, such as 10.0.0.0/24"),
        ] {
            assert_eq!(range.take(&json!(given)).unwrap_err().to_string(), told);
        }
    }
}
