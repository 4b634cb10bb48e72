//! Properties of all sets of policies, and the speed of decisions about large sets.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{decide, gateway, http, peer, policy, read, tls};
use super::*;

/// Policies with a small set of values, so that they often match.
fn any_policy() -> impl Strategy<Value = Value> {
    let rule = (
        prop::option::of("team-[xy]|\\*"),
        prop::option::of("example.com|\\*.org"),
        prop::option::of("8080|8443"),
        any::<bool>(),
    );
    let rule = rule.prop_map(|(namespace, host, port, not)| {
        let field = |name: &str| {
            if not {
                format!("not{}{}", name[..1].to_uppercase(), &name[1..])
            } else {
                name.to_owned()
            }
        };
        let mut rule = json!({});
        if let Some(namespace) = namespace {
            rule["from"] = json!([{"source": {field("namespaces"): [namespace]}}]);
        }
        if let Some(host) = host {
            rule["to"] = json!([{"operation": {"hosts": [host]}}]);
        }
        if let Some(port) = port {
            rule["when"] = json!([{"key": "destination.port", field("values"): [port]}]);
        }
        rule
    });
    let action = prop::sample::select(vec!["ALLOW", "DENY", "AUDIT"]);
    ("[a-e]", action, prop::collection::vec(rule, 0..3))
        .prop_map(|(name, action, rules)| policy(&name, action, json!(rules)))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[a-z*{]{0,3}".prop_map(Value::from)
    ];
    let names = "spec|rules|from|to|when|source|operation|hosts|paths|key|values|namespaces|selector|metadata|name|action";
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn of_any_policies(policies in prop::collection::vec(any_policy(), 0..5), turn in any::<prop::sample::Index>(), more in any_policy()) {
        let (x, y) = (peer("team-x"), peer("team-y"));
        for asked in [http(&x, "example.com", "/"), http(&y, "a.org", "/"), tls("example.com")] {
            let verdict = decide(&policies, &asked);
            let passes = verdict.ruling.passes;
            // The order of objects does not matter, unless two of them have the same name, which no cluster allows.
            let mut turned = policies.clone();
            if !turned.is_empty() {
                let at = turn.index(turned.len());
                turned.rotate_left(at);
            }
            prop_assert_eq!(decide(&turned, &asked).ruling.passes, passes);
            // Without a DENY policy, no fewer requests pass.
            for at in (0..policies.len()).filter(|&at| policies[at]["spec"]["action"] == "DENY") {
                let mut fewer = policies.clone();
                fewer.remove(at);
                prop_assert!(decide(&fewer, &asked).ruling.passes || !passes);
            }
            // The first ALLOW policy does not let more requests pass, and every further one does not let fewer pass.
            if more["spec"]["action"] == "ALLOW" {
                let with = decide(&[policies.clone(), vec![more.clone()]].concat(), &asked).ruling.passes;
                match policies.iter().any(|policy| policy["spec"]["action"] == "ALLOW") {
                    true => prop_assert!(with || !passes),
                    false => prop_assert!(passes || !with),
                }
            }
            let read = read(&policies);
            let applied = applying(&read, "istio-egress", &gateway(), "istio-system");
            prop_assert_eq!(applied.briefly(&asked).0, passes);
            let narrowed = applied.narrowed(asked.peer).rule(&asked);
            prop_assert_eq!((narrowed.ruling.passes, narrowed.ruling.by, narrowed.details), (passes, verdict.ruling.by, verdict.details));
        }
    }

    #[test]
    fn nothing_panics(policy in any_json(), host in ".{0,6}", path in ".{0,12}") {
        let x = peer("team-x");
        let mut policy = policy;
        if policy.is_object() {
            policy["metadata"]= json!({"namespace": "istio-egress"});
        }
        decide(&[policy], &http(&x, &host, &path));
    }
}

/// The size that a matrix must support: one policy per namespace, each with all the hosts of its own. With narrowing it takes
/// seconds in a debug build, without it minutes.
#[test]
fn a_thousand_namespaces_and_hosts_are_told_apart() {
    let hosts = |namespace: usize| {
        (0..1000)
            .filter(|host| host % 10 == namespace % 10)
            .map(|host| format!("h{host}.example"))
            .collect::<Vec<_>>()
    };
    let policies: Vec<Value> = (0..1000)
        .map(|index| {
            let rule = json!([{"from": [{"source": {"namespaces": [format!("n{index}")]}}], "to": [{"operation": {"hosts": hosts(index)}}]}]);
            policy(&format!("p{index}"), "ALLOW", rule)
        })
        .collect();
    let read = read(&policies);
    let applied = applying(&read, "istio-egress", &gateway(), "istio-system");
    let names: Vec<String> = (0..1000).map(|host| format!("h{host}.example")).collect();
    let mut allowed = 0;
    for namespace in 0..1000 {
        let peer = peer(&format!("n{namespace}"));
        let narrowed = applied.narrowed(Some(&peer));
        allowed += names
            .iter()
            .filter(|host| narrowed.briefly(&http(&peer, host, "/")).0)
            .count();
    }
    assert_eq!(allowed, 1000 * 100);
}
