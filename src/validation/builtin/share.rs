//! A number or a percentage, and other values that several kinds have.

use serde_json::Value;

use crate::at::At;
use crate::fault::Faults;
use crate::names;

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/// Judges a number of pods, or a share of them.
pub fn positive(at: &At<'_>, faults: &mut Faults) {
    match at.value {
        Value::String(text) if names::percent(text).is_none() => faults.invalid(at, PERCENT),
        Value::Number(_) => not_negative(at, faults),
        _ => {}
    }
}

/// Judges that a share is not of more than there is.
pub fn at_most_all(at: &At<'_>, faults: &mut Faults) {
    if names::percent(at.text()).is_some_and(|share| share > 100) {
        faults.invalid(at, "must not be greater than 100%");
    }
}

/// Whether it is none.
pub fn is_zero(at: &At<'_>) -> bool {
    at.int() == Some(0) || names::percent(at.text()) == Some(0)
}

/// Judges that a number is not below zero.
pub fn not_negative(at: &At<'_>, faults: &mut Faults) {
    if at.int().is_some_and(|number| number < 0) {
        faults.invalid(at, "must be greater than or equal to 0");
    }
}

/// Judges a port by its number or its name.
pub fn port(at: &At<'_>, faults: &mut Faults) {
    let why = match at.value {
        Value::String(name) => names::port_name(name),
        _ => at.int().and_then(names::port),
    };
    if let Some(why) = why {
        faults.invalid(at, &why);
    }
}

/// Judges a word of a few; none is the default.
pub fn one_of(at: &At<'_>, known: &[&str], faults: &mut Faults) {
    if at.is_set() && !at.text().is_empty() && !known.contains(&at.text()) {
        faults.unsupported(at, known);
    }
}
