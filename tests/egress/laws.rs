//! Laws that hold whatever the objects say.

use proptest::prelude::*;
use provision::egress::account::Got;
use provision::egress::matrix::Brief;
use provision::egress::request::{Request, Source};
use provision::egress::scene::Scene;
use provision::egress::sources::Sources;
use serde_json::{Value, json};

use super::scenes::{FINAL, NETWORK_POLICIES, request, tutorial};

const REQUESTS: &[(&str, &str)] = &[
    ("team-x", "http://example.com"),
    ("team-x", "https://example.com"),
    ("team-x", "http://httpbin.org/status/418"),
    ("team-y", "http://httpbin.org/status/418"),
    ("team-y", "https://httpbin.org"),
    ("team-y", "http://example.com"),
    ("team-y", "http://test.team-x"),
];

fn whole() -> Sources {
    tutorial(&[FINAL, NETWORK_POLICIES].concat())
}

/// Which of the requests reach their server.
fn reached(sources: &Sources) -> Vec<bool> {
    let scene = Scene::read(sources);
    let one = |(from, asked): &(&str, &str)| {
        let account = scene.account(&request(from, asked));
        matches!(account.got, Got::Answer(_)) && account.stopped_at().is_none()
    };
    REQUESTS.iter().map(one).collect()
}

fn policy(action: &str, namespace: &str, rules: Value) -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": "law", "namespace": namespace},
        "spec": {"action": action, "rules": rules}})
}

/// Rules of a policy.
fn rules() -> impl Strategy<Value = Value> {
    let rule = prop_oneof![
        Just(json!({})),
        Just(json!({"from": [{"source": {"namespaces": ["team-x"]}}]})),
        Just(json!({"to": [{"operation": {"hosts": ["example.com"]}}]})),
        Just(json!({"to": [{"operation": {"notHosts": ["httpbin.org"]}}]})),
        Just(json!({"when": [{"key": "destination.port", "values": ["8443"]}]})),
        Just(json!({"when": [{"key": "connection.sni", "values": ["example.com"]}]})),
    ];
    prop::collection::vec(rule, 0..3).prop_map(|rules| json!(rules))
}

/// A place in an object, and what to put there.
fn mangling() -> impl Strategy<Value = (usize, usize, Value)> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!("")),
        Just(json!("*")),
        Just(json!("é*.😀")),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        Just(json!([null, 1, "x", {"host": []}])),
        Just(json!(true)),
    ];
    (any::<usize>(), any::<usize>(), value)
}

/// All places in a value.
fn places(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{path}/{name}"), all);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(value, &format!("{path}/{index}"), all);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_order_of_objects_says_nothing(seed in any::<u64>()) {
        let first = whole();
        let mut second = first.clone();
        let key = |value: &Value| {
            let text = value.to_string();
            text.bytes().fold(seed | 1, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte))
        };
        second.kubernetes.sort_by_key(key);
        second.firewalls.sort_by_key(key);
        second.pools.sort_by_key(key);
        second.zones.sort_by_key(|(zone, _)| key(zone));
        let (first, second) = (Scene::read(&first), Scene::read(&second));
        for (from, asked) in REQUESTS {
            let asked = request(from, asked);
            prop_assert_eq!(first.account(&asked), second.account(&asked));
        }
    }

    #[test]
    fn exporting_to_fewer_lets_no_more_through(place in any::<prop::sample::Index>(), kept in prop::collection::vec(prop_oneof![Just("team-x"), Just("team-y"), Just("istio-egress"), Just("~")], 1..3)) {
        // Of VirtualServices it may: a sidecar that does not see the way through the gateway goes to the host itself.
        let wide = whole();
        let mut narrow = wide.clone();
        let entries: Vec<usize> = (0..narrow.kubernetes.len()).filter(|index| narrow.kubernetes[*index]["kind"] == "ServiceEntry").collect();
        let object = &mut narrow.kubernetes[*place.get(&entries)];
        let before: Vec<String> = object["spec"]["exportTo"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let kept: Vec<&str> = kept.into_iter().filter(|name| before.contains(&(*name).to_owned())).collect();
        object["spec"]["exportTo"] = if kept.is_empty() { json!(["~"]) } else { json!(kept) };
        for (wide, narrow) in reached(&wide).into_iter().zip(reached(&narrow)) {
            prop_assert!(wide || !narrow);
        }
    }

    #[test]
    fn the_first_policy_that_allows_lets_no_more_through(rules in rules(), namespace in prop_oneof![Just("istio-egress"), Just("team-x"), Just("istio-system")]) {
        let mut without = whole();
        without.kubernetes.retain(|each| each["kind"] != "AuthorizationPolicy");
        let mut with = without.clone();
        with.kubernetes.push(policy("ALLOW", namespace, rules));
        for (without, with) in reached(&without).into_iter().zip(reached(&with)) {
            prop_assert!(without || !with);
        }
    }

    #[test]
    fn a_policy_that_denies_lets_no_more_through(rules in rules(), namespace in prop_oneof![Just("istio-egress"), Just("team-x"), Just("istio-system")]) {
        let without = whole();
        let mut with = without.clone();
        with.kubernetes.push(policy("DENY", namespace, rules));
        for (without, with) in reached(&without).into_iter().zip(reached(&with)) {
            prop_assert!(without || !with);
        }
    }

    #[test]
    fn a_matrix_says_what_accounts_say(port_443 in any::<bool>()) {
        let scene = Scene::read(&whole());
        let callers = ["team-x", "team-y", "istio-system"].map(|namespace| Source { namespace: namespace.to_owned(), pod: None, sidecar: None });
        let scheme = if port_443 { "https" } else { "http" };
        let requests = ["example.com", "httpbin.org", "test.team-x", "nowhere.invalid"].map(|host| Request::get("", &format!("{scheme}://{host}")).unwrap());
        let matrix = scene.matrix(&callers, &requests);
        for (caller, row) in callers.iter().zip(&matrix) {
            for (asked, cell) in requests.iter().zip(row) {
                let account = scene.account(&Request { from: caller.clone(), ..asked.clone() });
                let by = account.stopped_at().and_then(|hop| hop.ruling.by.clone());
                prop_assert_eq!((Brief::from(&account.got), account.stopped_at().is_none(), by), (cell.got, cell.reaches, cell.by.clone()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_object_makes_it_panic(manglings in prop::collection::vec(mangling(), 1..4)) {
        let mut sources = whole();
        for (which, place, value) in manglings {
            let firewalls = sources.firewalls.iter_mut().chain(&mut sources.pools);
            let mut all: Vec<&mut Value> = sources.kubernetes.iter_mut().chain(firewalls).collect();
            let count = all.len();
            let object = &mut *all[which % count];
            let mut pointers = Vec::new();
            places(object, "", &mut pointers);
            let pointer = pointers[place % pointers.len()].clone();
            *object.pointer_mut(&pointer).unwrap() = value;
        }
        let scene = Scene::read(&sources);
        for (from, asked) in REQUESTS {
            scene.account(&request(from, asked));
            scene.clusters(&Source { namespace: (*from).to_owned(), pod: None, sidecar: None });
        }
    }
}
