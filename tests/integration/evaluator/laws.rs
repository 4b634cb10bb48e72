//! Laws that hold whatever the objects say.

use egress::analyze::analyze;
use egress::matrix::CellSummary;
use egress::request::{Request, Source};
use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use egress::trace::CallerOutcome;
use proptest::prelude::*;
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

fn whole() -> SnapshotInput {
    tutorial(&[FINAL, NETWORK_POLICIES].concat())
}

/// Which of the requests reach their server.
fn reached(sources: &SnapshotInput) -> Vec<bool> {
    let snapshot = Snapshot::read(sources);
    let one = |(from, asked): &(&str, &str)| {
        let account = snapshot.trace(&request(from, asked));
        matches!(account.got, CallerOutcome::Answer(_)) && account.stopped_at().is_none()
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

/// What is put into a place of an object.
#[derive(Debug, Clone)]
enum With {
    This(Value),
    /// What stands at another place of another object: what fits somewhere may fit here.
    That(usize, usize),
    /// Nothing: a field or an element less.
    Gone,
}

/// An object, a place in it, and what to put there.
fn mangling() -> impl Strategy<Value = (usize, usize, With)> {
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
        prop::sample::select(WORDS.to_vec()).prop_map(Value::from),
        prop::sample::select(vec![0, 1, 53, 80, 443, 8080, 8443, 15090, 65536])
            .prop_map(Value::from),
    ]
    .prop_map(With::This);
    let with = prop_oneof![
        2 => value,
        2 => (any::<usize>(), any::<usize>()).prop_map(|(which, place)| With::That(which, place)),
        1 => Just(With::Gone),
    ];
    (any::<usize>(), any::<usize>(), with)
}

/// Words that mean something somewhere.
const WORDS: &[&str] = &[
    "*.com",
    "example.com",
    "httpbin.org",
    "./*",
    "team-x/*",
    "~/*",
    "istio-egress/example.com",
    "team-x",
    "team-y",
    "istio-egress",
    "istio-egressgateway",
    "HTTP",
    "HTTPS",
    "TLS",
    "TCP",
    "AUTO",
    "ISTIO_MUTUAL",
    "MUTUAL",
    "SIMPLE",
    "DISABLE",
    "PASSTHROUGH",
    "AUTO_PASSTHROUGH",
    "STRICT",
    "PERMISSIVE",
    "NONE",
    "STATIC",
    "DNS",
    "MESH_INTERNAL",
    "REGISTRY_ONLY",
    "DENY",
    "AUDIT",
    "CUSTOM",
    "mesh",
    "Egress",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "10.1.0.1",
    "INGRESS",
    "0.5s",
    "-1s",
    "99999999999999999h",
    "http",
    "8080",
];

/// Objects with some places of them put otherwise.
fn mangled(mut sources: SnapshotInput, manglings: Vec<(usize, usize, With)>) -> SnapshotInput {
    fn all(sources: &mut SnapshotInput) -> Vec<&mut Value> {
        let zones = sources.zones.iter_mut();
        let zones = zones.flat_map(|(zone, records)| [zone].into_iter().chain(records));
        let google = sources.firewalls.iter_mut().chain(&mut sources.pools);
        sources
            .kubernetes
            .iter_mut()
            .chain(google)
            .chain(zones)
            .collect()
    }
    fn place(object: &Value, index: usize) -> String {
        let mut found = Vec::new();
        places(object, "", &mut found);
        found.swap_remove(index % found.len())
    }
    for (which, at, with) in manglings {
        let mut objects = all(&mut sources);
        let count = objects.len();
        let with = match with {
            With::This(value) => Some(value),
            With::That(which, at) => {
                let other = &*objects[which % count];
                other.pointer(&place(other, at)).cloned()
            }
            With::Gone => None,
        };
        let object = &mut *objects[which % count];
        let pointer = place(object, at);
        match (with, pointer.rsplit_once('/')) {
            (Some(value), _) => *object.pointer_mut(&pointer).unwrap() = value,
            (None, Some((above, last))) => match object.pointer_mut(above).unwrap() {
                Value::Object(fields) => {
                    drop(fields.remove(&last.replace("~1", "/").replace("~0", "~")))
                }
                Value::Array(items) => drop(items.remove(last.parse().unwrap())),
                _ => {}
            },
            (None, None) => *object = Value::Null,
        }
    }
    sources
}

/// A matrix says what accounts say.
fn agree(snapshot: &Snapshot, callers: &[&str], requests: &[Request]) -> Result<(), TestCaseError> {
    let caller = |namespace: &&str| Source {
        namespace: (*namespace).to_owned(),
        pod: None,
        sidecar: None,
    };
    let callers: Vec<Source> = callers.iter().map(caller).collect();
    for (caller, row) in callers.iter().zip(snapshot.matrix(&callers, requests)) {
        for (asked, cell) in requests.iter().zip(row) {
            let account = snapshot.trace(&Request {
                from: caller.clone(),
                ..asked.clone()
            });
            let stopped = account.stopped_at();
            let by = stopped.and_then(|hop| hop.ruling.by.clone());
            let said = (CellSummary::from(&account.got), stopped.is_none(), by);
            prop_assert_eq!(said, (cell.got, cell.reaches, cell.by), "{}", asked.url());
        }
    }
    Ok(())
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
        let (first, second) = (Snapshot::read(&first), Snapshot::read(&second));
        for (from, asked) in REQUESTS {
            let asked = request(from, asked);
            prop_assert_eq!(first.trace(&asked), second.trace(&asked));
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
}

/// Two servers of one port, told apart by the name that the connection asks for: each has routes of its own.
#[test]
fn a_matrix_does_not_mix_up_the_servers_of_a_port() {
    let mut sources = whole();
    let hosts = ["example.com", "httpbin.org"];
    for object in &mut sources.kubernetes {
        let host = object["spec"]["hosts"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match object["kind"].as_str() {
            Some("Gateway") => {
                let server = object["spec"]["servers"][0].clone();
                object["spec"]["servers"] = hosts
                    .map(|host| {
                        let mut server = server.clone();
                        server["hosts"] = json!([host]);
                        server["port"]["name"] = json!(host.replace('.', "-"));
                        server
                    })
                    .into();
            }
            Some("DestinationRule") if object["metadata"]["name"] == "target-egress-gateway" => {
                let subset = object["spec"]["subsets"][0].clone();
                object["spec"]["subsets"] = hosts
                    .map(|host| {
                        let mut subset = subset.clone();
                        subset["name"] = json!(host);
                        subset["trafficPolicy"]["portLevelSettings"][0]["tls"]["sni"] = json!(host);
                        subset
                    })
                    .into();
            }
            Some("VirtualService") => {
                object["spec"]["http"][0]["route"][0]["destination"]["subset"] = json!(host);
            }
            _ => {}
        }
    }
    // Who may ask what is another question.
    sources
        .kubernetes
        .retain(|object| object["kind"] != "AuthorizationPolicy");
    let snapshot = Snapshot::read(&sources);
    let requests = hosts.map(|host| Request::get("", &format!("http://{host}/get")).unwrap());
    agree(&snapshot, &["team-x", "team-y"], &requests).unwrap();
    let reached = |asked: &Request| {
        let from = request("team-x", "http://x").from;
        snapshot
            .trace(&Request {
                from,
                ..asked.clone()
            })
            .stopped_at()
            .is_none()
    };
    assert!(requests.iter().all(reached));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_objects_say_there_is_an_account_and_a_matrix_says_the_same(
        manglings in prop::collection::vec(mangling(), 0..4)
    ) {
        let sources = mangled(whole(), manglings);
        let snapshot = Snapshot::read(&sources);
        for namespace in ["team-x", "team-y"] {
            snapshot.clusters(&Source { namespace: namespace.to_owned(), pod: None, sidecar: None });
        }
        let asked = REQUESTS.iter().map(|(from, asked)| request(from, asked));
        let strange = ["http://nowhere.invalid", "https://example.com:8443", "http://10.1.0.1:15090"];
        let strange = strange.map(|asked| request("team-x", asked));
        let requests: Vec<Request> = asked.chain(strange).chain(snapshot.destinations()).collect();
        agree(&snapshot, &["team-x", "team-y", "istio-system", "istio-egress", "nowhere"], &requests)?;
        analyze(&sources.kubernetes, None);
    }
}
