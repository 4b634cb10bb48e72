//! What a route of HTTP matches.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::virtual_service::gateway_names;
use crate::istio::{form, pattern};

/// The beginning of the name of a header that stands for a claim of a token.
const CLAIM: &str = "@request.auth.claims";

/// Judges the matches of a route.
pub fn check(route: &At<'_>, faults: &mut Faults) {
    for one in route.get("match").items() {
        for (name, header) in one.get("headers").entries() {
            header_name(name, &one.get("headers"), &header, faults);
            text(&header, "headers", faults);
        }
        for (name, header) in one.get("withoutHeaders").entries() {
            header_name(name, &one.get("withoutHeaders"), &header, faults);
            if header.get("regex").text() != "*" {
                text(&header, "withoutHeaders", faults);
            }
        }
        // An empty prefix of a path is every path.
        expression(&one.get("uri"), "uri", faults);
        for field in ["scheme", "method", "authority"] {
            text(&one.get(field), field, faults);
        }
        for (_, parameter) in one.get("queryParams").entries() {
            text(&parameter, "queryParams", faults);
        }
        let port = one.get("port");
        if let Some(number) = port.int().filter(|number| *number != 0) {
            faults.deny_if(&port, form::port(number));
        }
        form::tags(&one.get("sourceLabels"), faults);
        gateway_names(&one.get("gateways"), faults);
        let namespace = one.get("sourceNamespace");
        if !namespace.text().is_empty() && !form::is_label(namespace.text()) {
            let why = format!("sourceNamespace match {} is invalid", namespace.text());
            faults.deny(&namespace, why);
        }
    }
}

/// Judges that no claim of a token is matched where no gateway is.
pub fn no_claims(route: &At<'_>, faults: &mut Faults) {
    for one in route.get("match").items() {
        for field in ["headers", "withoutHeaders"] {
            for (name, header) in one.get(field).entries() {
                if name.starts_with(CLAIM) {
                    let why = format!(
                        "JWT claim based routing (key: {name}) is only supported for gateway, found no gateways: []"
                    );
                    faults.deny(&header, why);
                }
            }
        }
    }
}

fn header_name(name: &str, all: &At<'_>, header: &At<'_>, faults: &mut Faults) {
    if name.is_empty() {
        // No path can name an empty key.
        faults.deny(all, "header name cannot be empty");
    } else if !name.starts_with(CLAIM) && !is_header(name) {
        faults.deny(
            header,
            format!("header name {name} is not a valid header name"),
        );
    }
}

/// Whether it is the name of a header that can be matched.
pub fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Judges a match of a text.
pub fn text(one: &At<'_>, field: &str, faults: &mut Faults) {
    let prefix = one.get("prefix");
    if prefix.is_set() && prefix.text().is_empty() {
        faults.deny(
            &prefix,
            format!("{field:?}: prefix string match should not be empty"),
        );
    }
    expression(one, field, faults);
}

/// Judges the regular expression of a match, if it has one.
pub fn expression(one: &At<'_>, field: &str, faults: &mut Faults) {
    let expression = one.get("regex");
    if !expression.is_set() {
        return;
    }
    match expression.text() {
        "" => faults.deny(
            &expression,
            format!("{field:?}: regex string match should not be empty"),
        ),
        text => faults.deny_if(&expression, pattern::refused(text, field)),
    }
}
