//! RequestAuthentication. What the webhook says of PeerAuthentication, the definition's rules say before it.

use serde_json::Value;

use crate::at::At;
use crate::fault::Faults;
use crate::istio::{form, target};

pub fn request_authentication(spec: &At<'_>, _: &str, faults: &mut Faults) {
    target::check(spec, faults);
    for rule in spec.get("jwtRules").items() {
        for (list, what) in [
            ("audiences", "audience must be non-empty string"),
            ("fromParams", "location query must be non-empty string"),
            ("fromCookies", "cookie name must be non-empty string"),
        ] {
            for one in rule.get(list).items() {
                if one.text().is_empty() {
                    faults.deny(&one, what);
                }
            }
        }
        let (issuer, uri) = (rule.get("issuer"), rule.get("jwksUri"));
        let uri = if uri.is_set() {
            uri
        } else {
            rule.get("jwks_uri")
        };
        if issuer.text().is_empty() && uri.text().is_empty() {
            faults.deny(&issuer, "issuer or jwksUri must be non-empty string");
        }
        let keys = rule.get("jwks");
        if !keys.text().is_empty() && !is_key_set(keys.text()) {
            faults.deny(&keys, "jwks parse error: failed to unmarshal JWK set");
        }
        for location in rule.get("fromHeaders").items() {
            if location.get("name").text().is_empty() {
                faults.deny(
                    &location.get("name"),
                    "location header name must be non-empty string",
                );
            }
        }
        for claim in rule.get("outputClaimToHeaders").items() {
            for field in ["claim", "header"] {
                if claim.get(field).text().is_empty() {
                    let why =
                        "outputClaimToHeaders header and claim value must be non-empty string";
                    faults.deny(&claim.get(field), why);
                }
            }
        }
        form::duration(&rule.get("timeout"), faults);
    }
}

/// Whether it can be a set of keys, or one key, in JSON. The keys themselves are not looked at.
fn is_key_set(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => fields.contains_key("keys") || fields.contains_key("kty"),
        _ => false,
    }
}
