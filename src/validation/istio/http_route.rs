//! A route of HTTP: what excludes one another, and each of its parts.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::virtual_service::{destination, destinations};
use crate::istio::{form, http_failure, http_match, pattern};

const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*",
];
pub fn check(route: &At<'_>, is_delegate: bool, faults: &mut Faults) {
    conflicts(route, is_delegate, faults);
    http_match::check(route, faults);
    headers(&route.get("headers"), faults);
    cors(&route.get("corsPolicy"), faults);
    http_failure::fault(&route.get("fault"), faults);
    share(
        &route.at("mirrorPercentage.value"),
        "mirror_percentage",
        faults,
    );
    destination(&route.get("mirror"), faults);
    for mirror in route.get("mirrors").items() {
        if !mirror.get("destination").is_set() {
            faults.deny(
                &mirror.get("destination"),
                "destination is required for mirrors",
            );
        }
        destination(&mirror.get("destination"), faults);
        share(&mirror.at("percentage.value"), "mirror percentage", faults);
    }
    redirect(&route.get("redirect"), faults);
    let status = route.at("directResponse.status");
    if status.is_set() {
        http_failure::http_status(&status, faults);
    }
    http_failure::retries(&route.get("retries"), faults);
    rewrite(&route.get("rewrite"), faults);
    for one in route.get("route").items() {
        headers(&one.get("headers"), faults);
    }
    destinations(&route.get("route"), faults);
    form::duration(&route.get("timeout"), faults);
}

fn conflicts(route: &At<'_>, is_delegate: bool, faults: &mut Faults) {
    let sets = |name: &str| route.get(name).is_set();
    if sets("delegate") && !is_delegate {
        for field in ["redirect", "route"] {
            if sets(field) {
                let why = format!(
                    "root HTTP route {} must not specify {field}",
                    route.get("name").text()
                );
                faults.deny(&route.get(field), why);
            }
        }
        return;
    }
    if sets("delegate") {
        faults.deny(
            &route.get("delegate"),
            "delegate HTTP route cannot contain delegate",
        );
    }
    let routes = !route.get("route").is_empty();
    for (kind, what) in [
        ("redirect", "redirect"),
        ("directResponse", "direct_response"),
    ] {
        if !sets(kind) {
            continue;
        }
        if routes {
            faults.deny(
                &route.get(kind),
                format!("HTTP route cannot contain both route and {what}"),
            );
        }
        for other in ["fault", "rewrite"] {
            if sets(other) {
                let why = format!("HTTP route rule cannot contain both {other} and {what}");
                faults.deny(&route.get(other), why);
            }
        }
        if kind == "redirect" && sets("directResponse") {
            let why = "HTTP route rule cannot contain both direct_response and redirect";
            faults.deny(&route.get("directResponse"), why);
            break;
        }
    }
    if !sets("redirect") && !sets("directResponse") && !routes {
        faults.deny(route, "HTTP route, redirect or direct_response is required");
    }
    if sets("mirror") && !route.get("mirrors").is_empty() {
        faults.deny(
            &route.get("mirrors"),
            "HTTP route cannot contain both mirror and mirrors",
        );
    }
}

fn headers(headers: &At<'_>, faults: &mut Faults) {
    for side in ["request", "response"] {
        let own = headers.get(side);
        let named = |name: &str, sets: bool| {
            let is_host = name.eq_ignore_ascii_case("host");
            match name {
                "" => Some("header name cannot be empty".to_owned()),
                _ if side == "request" && sets => {
                    let other = name.starts_with(':') && !name.eq_ignore_ascii_case(":authority");
                    other.then(|| {
                        format!("invalid header {name:?}: header cannot have \":\" prefix")
                    })
                }
                _ if is_host => Some(format!("invalid header {name:?}: cannot set Host header")),
                _ => name
                    .starts_with(':')
                    .then(|| format!("invalid header {name:?}: header cannot have \":\" prefix")),
            }
        };
        for change in ["add", "set"] {
            for (name, value) in own.get(change).entries() {
                let at = if name.is_empty() {
                    own.get(change)
                } else {
                    value.clone()
                };
                faults.deny_if(&at, named(name, true));
                if value.text().chars().any(|c| c.is_control() && c != '\t') {
                    let why = format!("header value configuration {} is invalid", value.text());
                    faults.deny(&value, why);
                }
            }
        }
        for name in own.get("remove").items() {
            faults.deny_if(&name, named(name.text(), false));
        }
    }
}

fn cors(policy: &At<'_>, faults: &mut Faults) {
    for origin in policy.get("allowOrigins").items() {
        let text = ["exact", "prefix", "regex"]
            .map(|kind| origin.get(kind).text())
            .concat();
        if text.is_empty() {
            faults.deny(
                &origin,
                "'' is not a valid match type for CORS allow origins",
            );
        }
        http_match::expression(&origin, "corsPolicy.allowOrigins", faults);
    }
    for method in policy.get("allowMethods").items() {
        if !METHODS.contains(&method.text()) {
            faults.deny(
                &method,
                format!("{:?} is not a supported HTTP method", method.text()),
            );
            form::meant(faults, method.text(), &METHODS);
        }
    }
    for field in ["allowHeaders", "exposeHeaders"] {
        for name in policy.get(field).items() {
            if name.text() != "*" && !http_match::is_header(name.text()) {
                let why = format!("header name {} is not a valid header name", name.text());
                faults.deny(&name, why);
            }
        }
    }
    form::duration(&policy.get("maxAge"), faults);
}

fn share(value: &At<'_>, name: &str, faults: &mut Faults) {
    let number = value.value.as_f64().unwrap_or_default();
    if number > 100.0 {
        faults.deny(
            value,
            format!("{name} must have a max value of 100 (it has {number:.6})"),
        );
    } else if number < 0.0 {
        faults.deny(
            value,
            format!("{name} must have a min value of 0 (it has {number:.6})"),
        );
    }
}

fn redirect(redirect: &At<'_>, faults: &mut Faults) {
    if !redirect.is_set() {
        return;
    }
    let has = |name: &str| !redirect.get(name).text().is_empty();
    if has("uri") && has("prefixRewrite") {
        let why = "redirect may only specify one of uri or prefix_rewrite";
        return faults.deny(&redirect.get("prefixRewrite"), why);
    }
    let by_text = ["uri", "prefixRewrite", "authority", "scheme"]
        .iter()
        .any(|name| has(name));
    if !by_text && !redirect.get("port").is_set() && !redirect.get("derivePort").is_set() {
        return faults.deny(
            redirect,
            "redirect must specify URI, authority, scheme, or port",
        );
    }
    let code = redirect.get("redirectCode");
    let number = code.int().unwrap_or_default();
    if number != 0 && !(300..=399).contains(&number) {
        return faults.deny(
            &code,
            format!("{number} is not a valid redirect code, must be 3xx"),
        );
    }
    let scheme = redirect.get("scheme");
    if !matches!(scheme.text(), "" | "http" | "https") {
        return faults.deny(
            &scheme,
            "invalid redirect scheme, must be \"http\" or \"https\"",
        );
    }
    let port = redirect.get("port");
    if let Some(number) = port.int().filter(|number| *number > 0) {
        faults.deny_if(&port, form::port(number));
    }
}

fn rewrite(rewrite: &At<'_>, faults: &mut Faults) {
    if !rewrite.is_set() {
        return;
    }
    let (uri, expression) = (rewrite.get("uri"), rewrite.get("uriRegexRewrite"));
    if !uri.text().is_empty() && expression.is_set() {
        return faults.deny(
            rewrite,
            "rewrite may only contain one of URI or UriRegexRewrite",
        );
    }
    if uri.text().is_empty() && !expression.is_set() && rewrite.get("authority").text().is_empty() {
        return faults.deny(
            rewrite,
            "rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified",
        );
    }
    if expression.is_set() {
        let (matched, becomes) = (expression.get("match"), expression.get("rewrite"));
        if matched.text().is_empty() || becomes.text().is_empty() {
            let why = "UriRegexRewrite requires both Rewrite and Match fields to be specified";
            faults.deny(&expression, why);
        } else {
            let why = pattern::refused(matched.text(), "HTTPRewrite.UriRegexRewrite.Match");
            faults.deny_if(&matched, why);
        }
    }
}
