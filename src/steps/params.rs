//! What may be set about a run, and which values each parameter takes. Pure.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::Place;
use super::complaint::{Complaints, quoted, unknown};
use super::fields::Fields;
use super::refs;
use super::yaml::Node;

/// Something a user may or must set.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name, as in `--set NAME=VALUE` and `${param.NAME}`.
    pub name: String,
    /// What it decides, in a sentence.
    pub says: String,
    /// The values it takes.
    pub of: ParamType,
    /// The value when none is given; may refer to parameters written above it. None: it must be given.
    pub default: Option<Value>,
    /// Where it is written.
    pub source: Place,
}

/// The values a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamType {
    /// The id of a Google Cloud project: 6-30 small letters, digits and hyphens.
    ProjectId,
    /// A region, as in `us-central1`.
    Region,
    /// A zone of the region, as in `us-central1-a`.
    Zone,
    /// An RFC 1035 label of at most so many characters: a small letter, then small letters, digits and hyphens.
    Name {
        /// The most characters.
        max: usize,
    },
    /// The name of a storage bucket: 3-63 small letters, digits, hyphens, underscores and dots.
    Bucket,
    /// An IPv4 range in CIDR notation, with a prefix length between the two. No two of these parameters may overlap.
    Cidr {
        /// The shortest prefix.
        min: u8,
        /// The longest prefix.
        max: u8,
    },
    /// IPv4 ranges, separated by commas or as a list; an address alone is a range of one.
    CidrList {
        /// The field that holds the range, where an API wants each in an object of its own.
        each: Option<String>,
    },
    /// A whole number between the two.
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

pub(super) const PARAM_FIELDS: &[&str] = &[
    "param", "says", "of", "min", "max", "choices", "each", "default",
];

/// The words of `of:`.
const TYPES: &[&str] = &[
    "project-id",
    "region",
    "zone",
    "name",
    "bucket",
    "cidr",
    "cidr-list",
    "integer",
    "choice",
    "text",
];

/// The parameters of one file.
pub(super) fn read(file: &str, documents: &[Node], complaints: &mut Complaints) -> Vec<Param> {
    let mut params: Vec<Param> = Vec::new();
    for document in documents {
        let Some(param) = read_one(file, document, complaints) else {
            continue;
        };
        if let Some(first) = params.iter().find(|p| p.name == param.name) {
            let text = format!(
                "parameter `{}` is there twice, first at {}",
                param.name, first.source
            );
            complaints.add(&param.source, text);
            continue;
        }
        check_default(&param, &params, complaints);
        params.push(param);
    }
    params
}

fn read_one(file: &str, document: &Node, complaints: &mut Complaints) -> Option<Param> {
    let before = complaints.0.len();
    let mut fields = Fields::of(file, document, PARAM_FIELDS, complaints);
    let source = fields.place();
    let name = fields.text("param");
    if !name.is_empty() && !is_param_name(&name) {
        fields.complain(
            source.line,
            format!("`{name}` is no parameter's name: small letters, digits and `_`"),
        );
    }
    let says = fields.prose("says");
    let of = param_type(&mut fields);
    let default = fields.get("default").map(Node::value);
    let good = complaints.0.len() == before;
    Some(Param {
        name,
        says,
        of: of?,
        default,
        source,
    })
    .filter(|_| good)
}

fn param_type(fields: &mut Fields<'_>) -> Option<ParamType> {
    let word = fields.text("of");
    let line = fields.get("of")?.line;
    let uses: &[&str] = match word.as_str() {
        "name" => &["max"],
        "cidr" | "integer" => &["min", "max"],
        "cidr-list" => &["each"],
        "choice" => &["choices"],
        _ => &[],
    };
    for field in ["min", "max", "choices", "each"] {
        if let Some(node) = fields
            .get(field)
            .filter(|_| !uses.contains(&field) && TYPES.contains(&word.as_str()))
        {
            fields.complain(
                node.line,
                format!("`{field}` says nothing about `of: {word}`"),
            );
        }
    }
    let (min, max) = (fields.integer("min"), fields.integer("max"));
    let within = |least: i64, most: i64| {
        (
            min.unwrap_or(least).clamp(least, most),
            max.unwrap_or(most).clamp(least, most),
        )
    };
    let found = match word.as_str() {
        "" => return None,
        "project-id" => ParamType::ProjectId,
        "region" => ParamType::Region,
        "zone" => ParamType::Zone,
        "name" => ParamType::Name {
            max: within(1, 63).1 as usize,
        },
        "bucket" => ParamType::Bucket,
        "cidr" => {
            let (min, max) = within(0, 32);
            ParamType::Cidr {
                min: min as u8,
                max: max as u8,
            }
        }
        "cidr-list" => ParamType::CidrList {
            each: fields.get("each").map(|_| fields.text("each")),
        },
        "integer" => {
            let (min, max) = within(i64::MIN, i64::MAX);
            ParamType::Integer { min, max }
        }
        "choice" => {
            let choices: Vec<String> = fields
                .texts("choices")
                .into_iter()
                .map(|(_, text)| text)
                .collect();
            if choices.is_empty() {
                fields.complain(line, "`of: choice` needs `choices`");
            }
            ParamType::Choice(choices)
        }
        "text" => ParamType::Text,
        _ => {
            fields.complain(line, unknown("type", &word, TYPES.iter().copied()));
            return None;
        }
    };
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        fields.complain(line, "`min` is greater than `max`");
    }
    Some(found)
}

fn check_default(param: &Param, above: &[Param], complaints: &mut Complaints) {
    let Some(default) = &param.default else {
        return;
    };
    let found = refs::find(default);
    for reference in &found {
        if !reference.is_param() || !above.iter().any(|p| p.name == reference.field) {
            let text = format!(
                "the default of `{}` may refer to parameters above it, {reference} is none",
                param.name
            );
            complaints.add(&param.source, text);
        }
    }
    // A default that refers to others is checked when they have their values.
    if found.is_empty()
        && let Err(why) = param.of.take(default)
    {
        complaints.add(
            &param.source,
            format!("the default of `{}`: {why}", param.name),
        );
    }
}

fn is_param_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl ParamType {
    /// The value in the form that steps get it, from what a file or a command line says.
    ///
    /// # Errors
    /// Why the value is none of this type: a fragment that begins with the value.
    pub fn take(&self, given: &Value) -> Result<Value, String> {
        if let ParamType::CidrList { each } = self {
            return take_ranges(given, each.as_deref());
        }
        let text = match given {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            other => return Err(format!("{other} is not {}", self.is())),
        };
        let fits = match self {
            ParamType::Integer { min, max } => {
                let number = text.parse::<i64>().ok().filter(|n| min <= n && n <= max);
                return number
                    .map(|n| json!(n))
                    .ok_or_else(|| format!("`{text}` is not {}", self.is()));
            }
            ParamType::Cidr { min, max } => {
                let range = range(&text)?;
                if range.prefix_len() < *min || range.prefix_len() > *max {
                    return Err(format!("`{text}` is not {}", self.is()));
                }
                return Ok(json!(range.to_string()));
            }
            ParamType::Choice(choices) => {
                if !choices.contains(&text) {
                    return Err(unknown("value", &text, choices.iter().map(String::as_str)));
                }
                true
            }
            ParamType::ProjectId => is_label(&text, 30) && text.len() >= 6,
            ParamType::Region => is_region(&text),
            ParamType::Zone => text
                .rsplit_once('-')
                .is_some_and(|(region, zone)| is_region(region) && is_word(zone)),
            ParamType::Name { max } => is_label(&text, *max),
            ParamType::Bucket => is_bucket(&text),
            ParamType::Text => !text.is_empty() && !text.chars().any(char::is_control),
            ParamType::CidrList { .. } => false,
        };
        if fits {
            Ok(json!(text))
        } else {
            Err(format!("`{text}` is not {}", self.is()))
        }
    }

    /// What a value of this type is, for help and complaints: `an integer from 1 to 9`.
    pub fn is(&self) -> String {
        match self {
            ParamType::ProjectId => {
                "a project id: 6 to 30 small letters, digits and hyphens".to_owned()
            }
            ParamType::Region => "a region, such as us-central1".to_owned(),
            ParamType::Zone => "a zone, such as us-central1-a".to_owned(),
            ParamType::Name { max } => {
                format!(
                    "a name: a small letter, then small letters, digits and hyphens, at most {max} characters"
                )
            }
            ParamType::Bucket => {
                "a bucket's name: 3 to 63 small letters, digits, hyphens, underscores, dots"
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
            ParamType::Text => "a text on one line".to_owned(),
        }
    }
}

fn take_ranges(given: &Value, each: Option<&str>) -> Result<Value, String> {
    let texts: Vec<String> = match given {
        Value::String(text) => text
            .split(',')
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
            .collect(),
        Value::Array(items) => items
            .iter()
            // A value that went through here before, from a journal for example, is taken as it is.
            .map(|item| each.and_then(|field| item.get(field)).unwrap_or(item))
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| format!("{item} is not an IPv4 range"))
            })
            .collect::<Result<_, _>>()?,
        other => return Err(format!("{other} is not a list of IPv4 ranges")),
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

fn range(text: &str) -> Result<Ipv4Net, String> {
    let range: Ipv4Net = text
        .parse()
        .map_err(|_| format!("`{text}` is not an IPv4 range, such as 10.0.0.0/24"))?;
    if range.trunc() != range {
        return Err(format!(
            "`{text}` has bits set behind its prefix, did you mean `{}`?",
            range.trunc()
        ));
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

fn is_region(text: &str) -> bool {
    // `us-central1`: words of letters, and a number at the end.
    is_label(text, 40) && text.contains('-') && text.ends_with(|c: char| c.is_ascii_digit())
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

/// Whether values of this type are lists, which cannot stand within a longer text.
pub(super) fn is_list(of: &ParamType) -> bool {
    matches!(of, ParamType::CidrList { .. })
}
