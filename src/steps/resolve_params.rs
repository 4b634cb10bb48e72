//! Gives the parameters their values: from the given ones, else from their defaults; each is checked alone, then together. Pure.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde::Serialize;
use serde_json::Value;

use super::Tutorial;
use super::diagnostic::{Diagnostic, Diagnostics, unknown};
use super::params::Param;
use super::refs::{self, Ref};
use super::values::ParamType;

/// The value of every parameter.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Params {
    values: BTreeMap<String, Value>,
    /// What stands in the steps for the words of choices, where that is not the word.
    #[serde(skip)]
    stand_ins: BTreeMap<String, Value>,
}

impl Params {
    /// The value of a parameter, in the form that steps use.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// All names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The value of a reference to a parameter.
    pub(super) fn of(&self, reference: &Ref) -> Option<Value> {
        if !reference.is_param() {
            return None;
        }
        let name = &reference.field;
        self.stand_ins
            .get(name)
            .or_else(|| self.values.get(name))
            .cloned()
    }

    /// The value without the fields that consist of a reference to a parameter whose word stands for nothing.
    pub(super) fn without_omitted(&self, value: &Value) -> Value {
        let is_omitted = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            let mut names = self.stand_ins.iter().filter(|(_, value)| value.is_null());
            names.any(|(name, _)| text == format!("${{param.{name}}}"))
        };
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(_, value)| !is_omitted(value));
                kept.map(|(name, value)| (name.clone(), self.without_omitted(value)))
                    .collect()
            }
            Value::Array(items) => items
                .iter()
                .map(|item| self.without_omitted(item))
                .collect(),
            other => other.clone(),
        }
    }
}

impl Tutorial {
    /// The parameters' values: the given ones, and the defaults for the others. Given values usually are texts from a command
    /// line; values from an earlier run are taken unchanged.
    ///
    /// # Errors
    /// Unknown names, values of the wrong type or range, a parameter without a value, a zone outside the region, overlapping
    /// ranges: all of them at once.
    pub fn resolve(&self, given: &BTreeMap<String, Value>) -> Result<Params, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let mut settled = Params::default();
        for name in given
            .keys()
            .filter(|name| !self.params.iter().any(|p| p.name == **name))
        {
            let text = unknown(
                "parameter",
                name,
                self.params.iter().map(|p| p.name.as_str()),
            );
            diagnostics.0.push(Diagnostic::nowhere(text));
        }
        for param in &self.params {
            match value_of(param, given, &settled) {
                Ok(Some(value)) => {
                    if let Some(stand_in) = value.as_str().and_then(|word| param.values.get(word)) {
                        settled
                            .stand_ins
                            .insert(param.name.clone(), stand_in.clone());
                    }
                    settled.values.insert(param.name.clone(), value);
                }
                // Its default depends on a parameter whose error has been reported.
                Ok(None) => {}
                Err(diagnostic) => diagnostics.0.push(diagnostic),
            }
        }
        zones_lie_in_their_region(&self.params, &settled, &mut diagnostics);
        ranges_lie_apart(&self.params, &settled, &mut diagnostics);
        diagnostics.or(settled)
    }
}

fn value_of(
    param: &Param,
    given: &BTreeMap<String, Value>,
    settled: &Params,
) -> Result<Option<Value>, Diagnostic> {
    let name = &param.name;
    if let Some(value) = given.get(name) {
        let taken = param.take(value);
        return taken
            .map(Some)
            .map_err(|why| Diagnostic::nowhere(format!("parameter `{name}`: {why}")));
    }
    let Some(default) = &param.default else {
        let text = format!("parameter `{name}` has no value; it must be {}", param.is());
        return Err(Diagnostic::nowhere(text));
    };
    let Ok(default) = refs::fill(default, &|reference| settled.of(reference)) else {
        return Ok(None);
    };
    let taken = param.take(&default);
    taken
        .map(Some)
        .map_err(|why| Diagnostic::at(&param.source, format!("the default of `{name}`: {why}")))
}

fn zones_lie_in_their_region(params: &[Param], settled: &Params, diagnostics: &mut Diagnostics) {
    let of = |wanted: ParamType| {
        let found = params.iter().filter(move |param| param.of == wanted);
        found.filter_map(|param| Some((&param.name, settled.get(&param.name)?.as_str()?)))
    };
    for (region_name, region) in of(ParamType::Region) {
        let outside = |location: &str| {
            location != region
                && location
                    .rsplit_once('-')
                    .is_none_or(|(of_zone, _)| of_zone != region)
        };
        let zones: Vec<&str> = of(ParamType::Zone).map(|(_, zone)| zone).collect();
        for (name, location) in of(ParamType::Location).filter(|(_, location)| outside(location)) {
            // By default, it is the zone, which is reported itself.
            if zones.contains(&location) {
                continue;
            }
            let text = format!(
                "parameter `{name}`: `{location}` is neither the {region_name} `{region}` nor a zone in it"
            );
            diagnostics.0.push(Diagnostic::nowhere(text));
        }
        for (zone_name, zone) in of(ParamType::Zone) {
            if zone
                .rsplit_once('-')
                .is_none_or(|(of_zone, _)| of_zone != region)
            {
                let text = format!(
                    "parameter `{zone_name}`: `{zone}` is not in the {region_name} `{region}`"
                );
                diagnostics.0.push(Diagnostic::nowhere(text));
            }
        }
    }
}

// A network refuses a range that overlaps another of its own, and GKE takes one for the control plane beside the subnet's:
// without this check, that is a failure in the middle of a run.
fn ranges_lie_apart(params: &[Param], settled: &Params, diagnostics: &mut Diagnostics) {
    let ranges: Vec<(&str, Ipv4Net)> = params
        .iter()
        .filter(|param| matches!(param.of, ParamType::Cidr { .. }))
        .filter_map(|param| {
            Some((
                param.name.as_str(),
                settled.get(&param.name)?.as_str()?.parse().ok()?,
            ))
        })
        .collect();
    for (n, (name, range)) in ranges.iter().enumerate() {
        for (other_name, other) in &ranges[n + 1..] {
            if range.contains(other) || other.contains(range) {
                let text =
                    format!("parameters `{name}` ({range}) and `{other_name}` ({other}) overlap");
                diagnostics.0.push(Diagnostic::nowhere(text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::of_texts;
    use super::*;
    use serde_json::json;

    const PARAMS: &str = "param: project\nsays: s\nof: project-id\n---\nparam: region\nsays: s\nof: region\n---\n\
        param: zone\nsays: s\nof: zone\n---\nparam: nodes\nsays: s\nof: integer\nmin: 1\nmax: 9\ndefault: 3\n---\n\
        param: pods\nsays: s\nof: cidr\ndefault: 10.1.0.0/16\n---\nparam: services\nsays: s\nof: cidr\n\
        default: 10.2.0.0/20\n---\nparam: bucket\nsays: s\nof: bucket\ndefault: ${param.project}-bucket\n";

    fn settle(given: &[(&str, &str)]) -> Result<Params, String> {
        let asked = [
            ("project", "demo-proj"),
            ("region", "us-central1"),
            ("zone", "us-central1-a"),
        ];
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for (name, value) in asked.iter().chain(given) {
            all.insert((*name).to_owned(), json!(value));
        }
        all.retain(|_, value| value != "-");
        let tutorial = of_texts(&[("params.yaml", PARAMS)]).unwrap();
        tutorial
            .resolve(&all)
            .map_err(|diagnostics| diagnostics.to_string())
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let params = settle(&[("nodes", "5")]).unwrap();
        let found: Vec<String> = params
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let expected = [
            r#"bucket="demo-proj-bucket""#,
            "nodes=5",
            r#"pods="10.1.0.0/16""#,
            r#"project="demo-proj""#,
            r#"region="us-central1""#,
            r#"services="10.2.0.0/20""#,
            r#"zone="us-central1-a""#,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_does_not_hold_is_told() {
        for (given, told) in [
            (
                &[("nods", "5")][..],
                "unknown parameter `nods`, did you mean `nodes` or `pods`?",
            ),
            (
                &[("nodes", "10")],
                "parameter `nodes`: `10` is not a whole number from 1 to 9",
            ),
            (
                &[("project", "-")],
                "parameter `project` has no value; it must be a project id: 6 to 30 lowercase letters, digits and hyphens",
            ),
            (
                &[("zone", "europe-west1-b")],
                "parameter `zone`: `europe-west1-b` is not in the region `us-central1`",
            ),
            (
                &[("zone", "us-central1")],
                "parameter `zone`: `us-central1` is not a zone, such as us-central1-a",
            ),
            (
                &[("pods", "10.2.8.0/24")],
                "parameters `pods` (10.2.8.0/24) and `services` (10.2.0.0/20) overlap",
            ),
            (
                &[("services", "10.0.0.0/8")],
                "parameters `pods` (10.1.0.0/16) and `services` (10.0.0.0/8) overlap",
            ),
            (
                &[("nodes", "0"), ("region", "here")],
                "parameter `region`: `here` is not a region, such as us-central1\n\
                 parameter `nodes`: `0` is not a whole number from 1 to 9",
            ),
        ] {
            assert_eq!(settle(given).unwrap_err(), told);
        }
    }

    #[test]
    fn what_was_settled_can_be_settled_again() {
        let tutorial = of_texts(&[("params.yaml", PARAMS)]).unwrap();
        let once = settle(&[]).unwrap();
        let again = once
            .iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        assert_eq!(tutorial.resolve(&again).unwrap(), once);
    }
}
