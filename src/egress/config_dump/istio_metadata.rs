//! The Istio object that a resource of Envoy was made from, where the control plane states it.

use serde_json::Value;

use crate::object::Object;

/// The object in the metadata of a route or a cluster: `/apis/networking.istio.io/v1/namespaces/NAMESPACE/destination-rule/NAME`
/// (Istio's `pilot/pkg/networking/util`, `BuildConfigInfoMetadata`); otherwise the resource itself, by its kind and name.
pub fn object(resource: &Value, kind: &str, name: &str) -> Object {
    let config = json::text(resource, "/metadata/filter_metadata/istio/config");
    let parts: Vec<&str> = config.split('/').collect();
    match parts.as_slice() {
        ["", "apis", _, _, "namespaces", namespace, own, named] => {
            Object::new(&kind_of(own), namespace, named)
        }
        _ => Object::new(kind, "", name),
    }
}

/// A kind in the spelling of its API: `VirtualService` for `virtual-service`.
fn kind_of(word: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    word.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_names_the_object_that_it_was_made_from() {
        let config =
            "/apis/networking.istio.io/v1/namespaces/istio-egress/virtual-service/example-com";
        let made = json!({"metadata": {"filter_metadata": {"istio": {"config": config}}}});
        let seen = [&made, &json!({})].map(|one| object(one, "route", "default").to_string());
        assert_eq!(
            seen,
            ["VirtualService istio-egress/example-com", "route default"]
        );
    }
}
