//! Load balancing in a DestinationRule.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form;

pub fn check(settings: &At<'_>, faults: &mut Faults) {
    let hash = settings.get("consistentHash");
    let cookie = hash.get("httpCookie");
    if cookie.is_set() && cookie.get("name").text().is_empty() {
        faults.deny(&cookie.get("name"), "name required for HttpCookie");
    }
    let ring = hash.get("minimumRingSize");
    if ring.int().unwrap_or_default() != 0
        && (hash.get("maglev").is_set() || hash.get("ringHash").is_set())
    {
        faults.deny(
            &ring,
            "only one of MinimumRingSize or Maglev/Ringhash can be specified",
        );
    }
    let maglev = hash.get("maglev");
    if maglev.is_set() {
        let table = maglev.get("tableSize");
        match table.int().unwrap_or_default() {
            0 => faults.deny(&table, "tableSize must be set for maglev"),
            5_000_011.. => faults.deny(&table, "tableSize must be less than 5000011 for maglev"),
            size if !is_prime(size) => {
                faults.deny(&table, "tableSize must be a prime number for maglev");
            }
            _ => {}
        }
    }
    let (locality, zones) = (
        settings.get("localityLbSetting"),
        settings.get("zoneAwareLbSetting"),
    );
    if locality.is_set() && zones.is_set() {
        faults.deny(
            &zones,
            "only one of localityLbSetting and zoneAwareLbSetting can be set",
        );
    }
    locality_of(&locality, faults);
    failover(&zones.get("failover"), "zone aware lb", faults);
    let warmup = settings.get("warmup");
    if warmup.is_set() {
        if !warmup.get("duration").is_set() {
            faults.deny(&warmup.get("duration"), "duration is required");
        }
        form::duration(&warmup.get("duration"), faults);
        let least = warmup.get("minimumPercent");
        if least.value.as_f64().is_some_and(|share| share > 100.0) {
            faults.deny(
                &least,
                "minimumPercent value should be less than or equal to 100",
            );
        }
        let aggression = warmup.get("aggression");
        if aggression
            .value
            .as_f64()
            .is_some_and(|number| number <= 0.0)
        {
            faults.deny(&aggression, "aggression should be greater than 0");
        }
    }
}

fn is_prime(number: i64) -> bool {
    match number {
        ..1 => false,
        1..4 => true,
        _ => {
            let mut factors = (2..).take_while(|factor| factor * factor <= number);
            factors.all(|factor| number % factor != 0)
        }
    }
}

fn locality_of(setting: &At<'_>, faults: &mut Faults) {
    let (distribute, over) = (setting.get("distribute"), setting.get("failover"));
    if !distribute.is_empty() && !over.is_empty() {
        return faults.deny(
            setting,
            "can not simultaneously specify 'distribute' and 'failover'",
        );
    }
    for label in setting.get("failoverPriority").items() {
        let topology = matches!(
            label.text(),
            "topology.kubernetes.io/region"
                | "topology.kubernetes.io/zone"
                | "topology.istio.io/subzone"
        );
        if topology && !over.is_empty() {
            let why = format!(
                "can not simultaneously set 'failover' and topology label '{}' in 'failover_priority'",
                label.text()
            );
            return faults.deny(&label, why);
        }
    }
    for one in distribute.items() {
        let to = one.get("to");
        let mut total = 0;
        for (_, weight) in to.entries() {
            let share = weight.int().unwrap_or_default();
            if !(1..=100).contains(&share) {
                return faults.deny(&weight, "locality weight must be in range [1, 100]");
            }
            total += share;
        }
        if total != 100 {
            return faults.deny(&to, format!("total locality weight {total} != 100"));
        }
        let places: Vec<(&str, At<'_>)> = to.entries();
        localities(&places, faults);
    }
    let from = distribute.items().into_iter().map(|one| one.get("from"));
    let from: Vec<(&str, At<'_>)> = from.map(|at| (at.text(), at)).collect();
    localities(&from, faults);
    failover(&over, "locality lb", faults);
}

/// Judges places of the form region/zone/subzone, none of which may contain another.
fn localities(places: &[(&str, At<'_>)], faults: &mut Faults) {
    let parts = |place: &str| -> Vec<String> {
        let place = place
            .strip_suffix('*')
            .map_or(place, |rest| rest.trim_end_matches('/'));
        place
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    for (index, (place, at)) in places.iter().enumerate() {
        let stars = place.matches('*').count();
        if stars > 1 || (stars == 1 && !place.ends_with('*')) {
            let why = format!(
                "locality {place} wildcard '*' number can not exceed 1 and must be in the end"
            );
            return faults.deny(at, why);
        }
        if place.is_empty() || place.split('/').any(str::is_empty) {
            let why = format!("locality {place} must not contain empty region/zone/subzone info");
            return faults.deny(at, why);
        }
        let own = parts(place);
        let overlaps = places[..index].iter().any(|(other, _)| {
            let other = parts(other);
            own.starts_with(&other) || other.starts_with(&own)
        });
        if overlaps {
            let why = format!("locality {place} overlap with previous specified ones");
            return faults.deny(at, why);
        }
    }
}

fn failover(pairs: &At<'_>, what: &str, faults: &mut Faults) {
    for pair in pairs.items() {
        let (from, to) = (pair.get("from"), pair.get("to"));
        if from.text() == to.text() {
            faults.deny(
                &to,
                format!("{what} failover settings must specify different regions"),
            );
        }
        for end in [&from, &to] {
            if end.text().contains('/') {
                faults.deny(end, format!("{what} failover only specify region"));
            }
            if end.text().contains('*') {
                faults.deny(
                    end,
                    format!("{what} failover region should not contain '*' wildcard"),
                );
            }
        }
    }
}
