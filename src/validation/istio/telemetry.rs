//! Telemetry.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::target;
use crate::rules;

pub fn telemetry(spec: &At<'_>, _: &str, faults: &mut Faults) {
    target::check(spec, faults);
    for logging in spec.get("accessLogging").items() {
        let filter = logging.get("filter");
        let expression = filter.get("expression");
        if filter.is_set()
            && let Some(why) = rules::unreadable(expression.text())
        {
            faults.deny(
                &expression,
                format!("must be a valid CEL expression, {why}"),
            );
        }
        providers(&logging, faults);
    }
    for tracing in spec.get("tracing").items() {
        providers(&tracing, faults);
        for (_, tag) in tracing.get("customTags").entries() {
            for (kind, field) in [
                ("literal", "value"),
                ("header", "name"),
                ("environment", "name"),
            ] {
                let own = tag.get(kind);
                if own.is_set() && own.get(field).text().is_empty() {
                    faults.deny(
                        &own.get(field),
                        format!("{kind} tag {field} may not be empty"),
                    );
                }
            }
        }
    }
    for metrics in spec.get("metrics").items() {
        providers(&metrics, faults);
        for one in metrics.get("overrides").items() {
            for (_, tag) in one.get("tagOverrides").entries() {
                let value = tag.get("value");
                let is_upsert = tag.get("operation").text_or("UPSERT") == "UPSERT";
                if is_upsert && value.text().is_empty() {
                    faults.deny(
                        &value,
                        "tagOverrides.value must be set when operation is UPSERT",
                    );
                }
            }
        }
    }
}

fn providers(of: &At<'_>, faults: &mut Faults) {
    for provider in of.get("providers").items() {
        if provider.get("name").text().is_empty() {
            faults.deny(&provider.get("name"), "providers.name may not be empty");
        }
    }
}
