//! The parameters of a run, as they are written: the parameter file. Pure.

use serde_json::{Map, Value};

use super::SourceLocation;
use super::diagnostic::{Diagnostics, unknown};
use super::fields::Fields;
use super::refs;
use super::values::{ParamType, ValueError};
use super::yaml::Node;

/// A value that a user may or must set.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name, as in `--set NAME=VALUE` and `${param.NAME}`.
    pub name: String,
    /// Its effect, in a sentence.
    pub says: String,
    /// The type of its values.
    pub of: ParamType,
    /// For a choice: the JSON that stands in the steps for each word, null if the field is left out; empty: the word itself.
    pub values: Map<String, Value>,
    /// Whether the value may be empty, which is the default if no other is stated.
    pub optional: bool,
    /// The value if none is given; may refer to parameters written above it. None: a value is required.
    pub default: Option<Value>,
    /// The parameter's location.
    pub source: SourceLocation,
}

impl Param {
    /// The value in the form that steps use, from a value in a file or on a command line.
    ///
    /// # Errors
    /// Why the parameter does not accept it.
    pub fn take(&self, given: &Value) -> Result<Value, ValueError> {
        let is_empty = given.as_str().is_some_and(|text| text.trim().is_empty());
        match self.optional && is_empty {
            true => Ok(Value::from("")),
            false => self.of.take(given),
        }
    }

    /// A description of the values that it accepts.
    pub fn is(&self) -> String {
        match self.optional {
            true => format!("empty, or {}", self.of.is()),
            false => self.of.is(),
        }
    }

    /// Whether its value is more than a word in the steps, so that it cannot be part of a longer text.
    pub(super) fn is_structure(&self) -> bool {
        self.of.is_list() || !self.values.is_empty()
    }
}

pub(super) const PARAM_FIELDS: &[&str] = &[
    "param", "says", "of", "min", "max", "choices", "values", "each", "optional", "default",
];

/// The types in `of:`.
const TYPES: &[&str] = &[
    "project-id",
    "region",
    "zone",
    "location",
    "name",
    "name-prefix",
    "bucket",
    "cidr",
    "cidr-list",
    "integer",
    "choice",
    "text",
];

/// Adds the parameters of one file to those of the files below it. A parameter with the name of one below replaces it, in its
/// position.
pub(super) fn read(
    params: &mut Vec<Param>,
    file: &str,
    documents: &[Node],
    diagnostics: &mut Diagnostics,
) {
    for document in documents {
        let Some((param, good)) = read_one(file, document, diagnostics) else {
            continue;
        };
        let below = params.iter().position(|p| p.name == param.name);
        if let Some(first) = below
            .map(|n| &params[n])
            .filter(|p| p.source.file == param.source.file)
        {
            let text = format!(
                "parameter `{}` is defined twice, first at {}",
                param.name, first.source
            );
            diagnostics.add(&param.source, text);
            continue;
        }
        if good {
            let above = below.unwrap_or(params.len());
            check_default(&param, &params[..above], diagnostics);
        }
        match below {
            Some(n) => params[n] = param,
            None => params.push(param),
        }
    }
}

/// The parameter, and whether it has no error.
fn read_one(file: &str, document: &Node, diagnostics: &mut Diagnostics) -> Option<(Param, bool)> {
    let before = diagnostics.0.len();
    let mut fields = Fields::of(file, document, PARAM_FIELDS, diagnostics);
    let source = fields.place();
    let name = fields.text("param");
    if !name.is_empty() && !is_param_name(&name) {
        fields.complain(
            source.line,
            format!(
                "`{name}` is not a valid parameter name: use lowercase letters, digits and `_`"
            ),
        );
    }
    let says = fields.prose("says");
    let of = param_type(&mut fields);
    let values = values(&mut fields, of.as_ref());
    let optional = fields.flag("optional");
    let default = fields.get("default").map(Node::value);
    let default = default.or_else(|| optional.then(|| Value::from("")));
    let good = diagnostics.0.len() == before;
    // A parameter with an unknown type still exists: references to it are not errors.
    let of = of.unwrap_or(ParamType::Text);
    (!name.is_empty()).then_some((
        Param {
            name,
            says,
            of,
            values,
            optional,
            default,
            source,
        },
        good,
    ))
}

fn param_type(fields: &mut Fields<'_>) -> Option<ParamType> {
    let word = fields.text("of");
    let line = fields.get("of")?.line;
    let uses: &[&str] = match word.as_str() {
        "name" => &["max"],
        "cidr" | "integer" => &["min", "max"],
        "cidr-list" => &["each"],
        "choice" => &["choices", "values"],
        _ => &[],
    };
    for field in ["min", "max", "choices", "values", "each"] {
        if let Some(node) = fields
            .get(field)
            .filter(|_| !uses.contains(&field) && TYPES.contains(&word.as_str()))
        {
            fields.complain(
                node.line,
                format!("`{field}` does not apply to `of: {word}`"),
            );
        }
    }
    let found = match word.as_str() {
        "" => return None,
        "project-id" => ParamType::ProjectId,
        "region" => ParamType::Region,
        "zone" => ParamType::Zone,
        "location" => ParamType::Location,
        "name" => ParamType::Name {
            max: bounds(fields, 1, 63).1 as usize,
        },
        "name-prefix" => ParamType::NamePrefix,
        "bucket" => ParamType::Bucket,
        "cidr" => {
            let (min, max) = bounds(fields, 0, 32);
            ParamType::Cidr {
                min: min as u8,
                max: max as u8,
            }
        }
        "cidr-list" => ParamType::CidrList {
            each: fields.get("each").map(|_| fields.text("each")),
        },
        "integer" => {
            let (min, max) = bounds(fields, i64::MIN, i64::MAX);
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
    Some(found)
}

/// What stands for each word of a choice.
fn values(fields: &mut Fields<'_>, of: Option<&ParamType>) -> Map<String, Value> {
    let found = fields.mapping("values").iter();
    let found: Map<String, Value> = found
        .map(|(key, node)| (key.name.clone(), node.value()))
        .collect();
    if let (Some(ParamType::Choice(choices)), Some(node)) = (of, fields.get("values")) {
        let unlike = choices.iter().find(|word| !found.contains_key(*word));
        let unlike = unlike.or_else(|| found.keys().find(|word| !choices.contains(*word)));
        if let Some(word) = unlike {
            fields.complain(
                node.line,
                format!("`values` must have one value for each of `choices`; `{word}` is in only one of them"),
            );
        }
    }
    found
}

/// `min` and `max`, which must be between `least` and `most`; these are the defaults.
fn bounds(fields: &mut Fields<'_>, least: i64, most: i64) -> (i64, i64) {
    let mut bound = |name: &str, otherwise: i64| {
        let found = fields.integer(name).unwrap_or(otherwise);
        if !(least..=most).contains(&found) {
            let line = fields.get(name).map_or(0, |node| node.line);
            fields.complain(line, format!("`{name}` must be between {least} and {most}"));
        }
        found
    };
    let (min, max) = (bound("min", least), bound("max", most));
    if min > max
        && let Some(node) = fields.get("min")
    {
        fields.complain(node.line, "`min` is greater than `max`");
    }
    (min, max)
}

fn check_default(param: &Param, above: &[Param], diagnostics: &mut Diagnostics) {
    let Some(default) = &param.default else {
        return;
    };
    let found = refs::find(default);
    for reference in &found {
        if !reference.is_param() || !above.iter().any(|p| p.name == reference.field) {
            let text = format!(
                "the default of `{}` may refer only to parameters above it, and {reference} is not one",
                param.name
            );
            diagnostics.add(&param.source, text);
        }
    }
    // A default that refers to other parameters is checked when these have their values.
    if found.is_empty()
        && let Err(why) = param.take(default)
    {
        diagnostics.add(
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

#[cfg(test)]
mod tests {
    use super::super::testing::of_texts;

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (lines, told) in [
            ("of: tekst", "4: unknown type `tekst`, did you mean `text`?"),
            ("default: 1", "2: missing field `of`"),
            ("of: choice", "4: `of: choice` needs `choices`"),
            (
                "of: choice\nchoices: [a, b]\nvalues: {a: {x: 1}}",
                "6: `values` must have one value for each of `choices`; `b` is in only one of them",
            ),
            (
                "of: text\nvalues: {a: 1}",
                "5: `values` does not apply to `of: text`",
            ),
            ("of: text\nmin: 1", "5: `min` does not apply to `of: text`"),
            (
                "of: integer\nmin: 2\nmax: 1",
                "5: `min` is greater than `max`",
            ),
            ("of: cidr\nmax: 33", "5: `max` must be between 0 and 32"),
            (
                "of: integer\nmin: one",
                "5: `min` must be a whole number, but this is a string",
            ),
            (
                "of: integer\ndefault: x",
                "2: the default of `p`: `x` is not a whole number",
            ),
            (
                "of: text\ndefault: ${param.q}",
                "2: the default of `p` may refer only to parameters above it, and ${param.q} is not one",
            ),
            (
                "of: text\ndefault: ${p.q}",
                "2: the default of `p` may refer only to parameters above it, and ${p.q} is not one",
            ),
            (
                "of: text\n---\nparam: p\nsays: s\nof: text",
                "6: parameter `p` is defined twice, first at steps/params.yaml:2",
            ),
        ] {
            let text = format!("# A word.\nparam: p\nsays: s\n{lines}\n");
            let found = of_texts(&[("params.yaml", &text)]).unwrap_err().to_string();
            assert_eq!(found, format!("steps/params.yaml:{told}"));
        }
    }
}
