//! Parameters get their values: from what is given, else from their defaults; each checked alone, then together. Pure.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde::Serialize;
use serde_json::Value;

use super::Tutorial;
use super::complaint::{Complaint, Complaints, unknown};
use super::params::{Param, ParamType};
use super::refs::{self, Ref};

/// The value of every parameter.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// The value of a parameter, in the form that steps get it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// What a reference to a parameter stands for.
    pub(super) fn of(&self, reference: &Ref) -> Option<Value> {
        if reference.is_param() {
            self.0.get(&reference.field).cloned()
        } else {
            None
        }
    }
}

impl Tutorial {
    /// The parameters' values: those given, the defaults for the others. Given values usually are texts from a command
    /// line; what was settled before is taken as it is.
    ///
    /// # Errors
    /// Unknown names, values of the wrong type or range, a parameter without value, a zone outside the region, ranges
    /// that overlap: all of them at once.
    pub fn settle(&self, given: &BTreeMap<String, Value>) -> Result<Params, Complaints> {
        let mut complaints = Complaints::default();
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
            complaints.0.push(Complaint::nowhere(text));
        }
        for param in &self.params {
            match value_of(param, given, &settled) {
                Ok(Some(value)) => {
                    settled.0.insert(param.name.clone(), value);
                }
                // Its default waits for a parameter that was complained about.
                Ok(None) => {}
                Err(complaint) => complaints.0.push(complaint),
            }
        }
        zones_lie_in_their_region(&self.params, &settled, &mut complaints);
        ranges_lie_apart(&self.params, &settled, &mut complaints);
        complaints.or(settled)
    }
}

fn value_of(
    param: &Param,
    given: &BTreeMap<String, Value>,
    settled: &Params,
) -> Result<Option<Value>, Complaint> {
    let name = &param.name;
    if let Some(value) = given.get(name) {
        let taken = param.of.take(value);
        return taken
            .map(Some)
            .map_err(|why| Complaint::nowhere(format!("parameter `{name}`: {why}")));
    }
    let Some(default) = &param.default else {
        let text = format!("parameter `{name}` has no value, it is {}", param.of.is());
        return Err(Complaint::nowhere(text));
    };
    let Ok(default) = refs::fill(default, &|reference| settled.of(reference)) else {
        return Ok(None);
    };
    let taken = param.of.take(&default);
    taken
        .map(Some)
        .map_err(|why| Complaint::at(&param.source, format!("the default of `{name}`: {why}")))
}

fn zones_lie_in_their_region(params: &[Param], settled: &Params, complaints: &mut Complaints) {
    let of = |wanted: ParamType| {
        let found = params.iter().filter(move |param| param.of == wanted);
        found.filter_map(|param| Some((&param.name, settled.get(&param.name)?.as_str()?)))
    };
    for (region_name, region) in of(ParamType::Region) {
        for (zone_name, zone) in of(ParamType::Zone) {
            if zone
                .rsplit_once('-')
                .is_none_or(|(of_zone, _)| of_zone != region)
            {
                let text = format!(
                    "parameter `{zone_name}`: `{zone}` does not lie in the {region_name} `{region}`"
                );
                complaints.0.push(Complaint::nowhere(text));
            }
        }
    }
}

// A network refuses a range that overlaps another of its own, and GKE takes one for the control plane beside the
// subnet's: asked late, that is a failure in the middle of a run.
fn ranges_lie_apart(params: &[Param], settled: &Params, complaints: &mut Complaints) {
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
                complaints.0.push(Complaint::nowhere(text));
            }
        }
    }
}
