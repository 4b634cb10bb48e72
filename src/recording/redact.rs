//! Takes secrets and identities out of an exchange, consistently: the same value becomes the same placeholder in the whole
//! recording, so that it can be replayed. Pure.
//!
//! What a value is worth is known by its field's name, by the kind of its object, or by its form. Names that a user chose for
//! resources stay: they are in the steps.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use regex_lite::Captures;
use serde_json::{Map, Value};

use super::Exchange;
use super::patterns::{
    Becomes, ETAGS, GOOGLES_PROJECTS, KNOWN_RANGES, PATTERNS, SECRET_FIELDS, SECRET_WORDS,
    SHORTEST_PREFIX,
};

/// What stands for a secret. It is base64, too, so that a field that must be base64 stays valid.
const SECRET: &str = "REDACTED";
/// What stands for a project's id.
const PROJECT: &str = "demo-proj";
/// What stands for a time.
const TIME: &str = "2024-04-01T12:34:56.123456Z";
/// What stands for the numeric id of a resource.
const ID: &str = "000000000000000000000";

/// What is encoded in an address; a placeholder stays as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$')
    .remove(b'{')
    .remove(b'}');

/// Replaces secrets and identities, and remembers what became of each.
pub(super) struct Redactor {
    project: String,
    /// By kind of placeholder and original text.
    known: BTreeMap<(&'static str, String), String>,
}

impl Redactor {
    /// A redactor of a project's exchanges.
    pub fn new(project: &str) -> Redactor {
        Redactor {
            project: project.to_owned(),
            known: BTreeMap::new(),
        }
    }

    /// The exchange without secrets and identities.
    pub fn exchange(&mut self, mut exchange: Exchange) -> Exchange {
        // A project's number is learned first: an answer may name it before or after a name that contains it.
        self.learn(&exchange.response);
        exchange.url = self.url(&exchange.url);
        self.value(&mut exchange.body, "");
        self.value(&mut exchange.response, "");
        exchange
    }

    /// An address; a part with encoded characters is decoded first, because it could hide what is replaced.
    fn url(&mut self, url: &str) -> String {
        let url = self.text(url);
        let parts = url.split_inclusive(['/', '?', '&', '=']);
        let parts: Vec<String> = parts
            .map(|part| {
                let end = part.trim_end_matches(['/', '?', '&', '=']).len();
                let (part, separator) = part.split_at(end);
                let decoded = percent_decode_str(part).decode_utf8_lossy();
                let shown = self.text(&decoded);
                match shown == decoded {
                    true => format!("{part}{separator}"),
                    false => format!("{}{separator}", utf8_percent_encode(&shown, ENCODED)),
                }
            })
            .collect();
        parts.concat()
    }

    /// Remembers project numbers, which are also parts of names (`service-NUMBER@…`).
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if let ("projectNumber", Some(number)) = (key.as_str(), digits(value)) {
                        self.number(&number);
                    }
                    self.learn(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    fn value(&mut self, value: &mut Value, key: &str) {
        match value {
            Value::Object(map) => self.object(map),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, key)),
            Value::String(text)
                if !text.is_empty() && SECRET_FIELDS.contains(&key.to_lowercase().as_str()) =>
            {
                SECRET.clone_into(text);
            }
            Value::String(text) if ETAGS.contains(&key) => {
                *text = self.placeholder("etag", text, |n| format!("${{etag-{n}}}"));
            }
            Value::String(text) => {
                *text = match text.parse::<jiff::Timestamp>() {
                    Ok(_) => TIME.to_owned(),
                    Err(_) if is_id(text) => ID.to_owned(),
                    Err(_) => self.text(text),
                };
            }
            Value::Number(number) if key == "projectNumber" => {
                let mapped = self.number(&number.to_string());
                *value = mapped.parse::<u64>().map_or(Value::Null, Value::from);
            }
            _ => {}
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>) {
        let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
        let is_secret = kind == "Secret";
        // The items of a list do not say their kind.
        if kind == "SecretList"
            && let Some(items) = map.get_mut("items")
        {
            let items = items.as_array_mut().into_iter().flatten();
            let items = items.filter_map(Value::as_object_mut);
            items.for_each(|item| {
                item.insert("kind".to_owned(), "Secret".into());
            });
        }
        let is_account = map.contains_key("email");
        let is_project =
            map.contains_key("projectNumber") || (map.contains_key("projectId") && !is_account);
        let of = map.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_parent = ["organization", "folder"].contains(&of);
        let variable = map
            .get("name")
            .and_then(Value::as_str)
            .map(str::to_lowercase);
        let is_secret_variable = map.contains_key("value")
            && variable.is_some_and(|name| SECRET_WORDS.iter().any(|word| name.contains(word)));
        for (key, value) in map.iter_mut() {
            match key.as_str() {
                "data" | "stringData" if is_secret => conceal(value),
                "kubectl.kubernetes.io/last-applied-configuration" => *value = SECRET.into(),
                "value" if is_secret_variable => conceal(value),
                // The title that a person gave the project.
                "name" | "displayName" if is_project && !is_path(value) => *value = PROJECT.into(),
                "id" if is_parent => {
                    if let Some(number) = digits(value) {
                        *value = self.number(&number).into();
                    }
                }
                key => self.value(value, key),
            }
        }
        // A fleet's memberships are keys: `projects/NUMBER/locations/L/memberships/M`.
        *map = std::mem::take(map)
            .into_iter()
            .map(|(key, value)| (self.text(&key), value))
            .collect();
    }

    /// A text with what has one of the known forms replaced, and the project.
    pub fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for pattern in PATTERNS.iter() {
            if !pattern.regex.is_match(&text) {
                continue;
            }
            text = pattern
                .regex
                .replace_all(&text, |found: &Captures<'_>| {
                    let (whole, part) = (&found[0], &found[1]);
                    let becomes = self.becomes(pattern.becomes, part);
                    whole.replace(part, &becomes)
                })
                .into_owned();
        }
        for ((kind, original), placeholder) in &self.known {
            if ["number", "operation", "project"].contains(kind) {
                text = replace_word(&text, original, placeholder);
            }
        }
        replace_word(&text, &self.project, PROJECT)
    }

    fn becomes(&mut self, becomes: Becomes, part: &str) -> String {
        match becomes {
            Becomes::Secret => SECRET.to_owned(),
            Becomes::Email => self.email(part),
            Becomes::Project => self.other_project(part),
            Becomes::Number => self.number(part),
            Becomes::Billing => {
                self.placeholder("billing", part, |n| format!("000000-000000-{n:06}"))
            }
            Becomes::Uuid => {
                self.placeholder("uuid", part, |n| format!("00000000-0000-4000-8000-{n:012}"))
            }
            Becomes::Operation if part == "wait" || part.starts_with("${") => part.to_owned(),
            Becomes::Operation => {
                self.placeholder("operation", part, |n| format!("${{operationID-{n}}}"))
            }
            Becomes::Address => self.address(part),
        }
    }

    /// Accounts of the project and Google's own agents keep their names; a person's address is replaced.
    fn email(&mut self, address: &str) -> String {
        if address.ends_with("gserviceaccount.com") || address.ends_with("@example.com") {
            return address.to_owned();
        }
        self.placeholder("email", address, |n| match n {
            1 => "user@example.com".to_owned(),
            n => format!("user-{n}@example.com"),
        })
    }

    /// The id of a project that is not the run's own: the host project of a network, or somebody's whose account is a member.
    fn other_project(&mut self, id: &str) -> String {
        let is_googles = GOOGLES_PROJECTS.iter().any(|name| id.starts_with(name));
        if is_googles || id == self.project || id == PROJECT {
            return id.to_owned();
        }
        self.placeholder("project", id, |n| format!("{PROJECT}-{}", n + 1))
    }

    fn number(&mut self, number: &str) -> String {
        if number.trim_matches('0').is_empty() {
            return number.to_owned();
        }
        self.placeholder("number", number, |n| format!("{n}23456789"))
    }

    fn address(&mut self, part: &str) -> String {
        // An address of a range is a range of one.
        let range = part.parse::<IpNet>();
        let Ok(range) = range.or_else(|_| part.parse::<IpAddr>().map(IpNet::from)) else {
            return part.to_owned();
        };
        let (address, prefix) = (range.addr(), range.prefix_len());
        if prefix < SHORTEST_PREFIX {
            return part.to_owned();
        }
        let length = part.find('/').map_or("", |at| &part[at..]).to_owned();
        let host = part.trim_end_matches(&length);
        let known = KNOWN_RANGES
            .iter()
            .filter_map(|range| range.parse::<IpNet>().ok());
        if known.into_iter().any(|range| range.contains(&address)) {
            return part.to_owned();
        }
        if prefix == range.max_prefix_len() {
            let shown = self.placeholder("address", host, |n| match address {
                IpAddr::V4(_) => format!("203.0.113.{}", n % 256),
                IpAddr::V6(_) => format!("2001:db8::{n:x}"),
            });
            return shown + &length;
        }
        // A network stays a network of its size, in the range for benchmarks.
        self.placeholder("network", part, |n| match address {
            IpAddr::V4(_) => {
                let size = 1_u32 << (32 - prefix);
                let number = u32::try_from(n).unwrap_or(u32::MAX) % ((1 << 17) / size).max(1);
                let network = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number * size;
                format!("{}{length}", Ipv4Addr::from(network))
            }
            IpAddr::V6(_) => format!("2001:db8:{n:x}::{length}"),
        })
    }

    /// The placeholder of an original text; a new one is made with its number, from 1.
    fn placeholder(
        &mut self,
        kind: &'static str,
        original: &str,
        make: impl FnOnce(usize) -> String,
    ) -> String {
        // A placeholder that is met again stays.
        if self
            .known
            .iter()
            .any(|((of, _), placeholder)| *of == kind && placeholder == original)
        {
            return original.to_owned();
        }
        let number = 1 + self.known.keys().filter(|(of, _)| *of == kind).count();
        self.known
            .entry((kind, original.to_owned()))
            .or_insert_with(|| make(number))
            .clone()
    }
}

/// Every text in a value becomes a placeholder; the keys stay.
fn conceal(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(conceal),
        Value::Array(items) => items.iter_mut().for_each(conceal),
        value => *value = SECRET.into(),
    }
}

fn digits(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(text)
}

/// The numeric id of a resource: Compute's have 18 to 20 digits, an account's has 21.
fn is_id(text: &str) -> bool {
    text.len() >= 15 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_path(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.contains('/'))
}

/// Replaces a word: what is part of a longer one stays, except beside a hyphen, since names are built with hyphens.
fn replace_word(text: &str, word: &str, becomes: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let is_inside = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let last = before.chars().next_back().or(done.chars().next_back());
        done.push_str(before);
        done.push_str(match is_inside(last) || is_inside(after.chars().next()) {
            true => word,
            false => becomes,
        });
        rest = after;
    }
    done + rest
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
