//! For each code, a configuration that has it and one that does not.

use serde_json::{Value, json};

use super::*;

pub fn object(kind: &str, place: &str, spec: Value) -> Value {
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    json!({"kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec})
}

pub fn namespace(name: &str, labels: Value) -> Value {
    json!({"kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn pod(place: &str, labels: Value, containers: &[&str]) -> Value {
    let containers: Vec<Value> = containers
        .iter()
        .map(|name| json!({"name": name}))
        .collect();
    let mut pod = object("Pod", place, json!({"containers": containers}));
    pod["metadata"]["labels"] = labels;
    pod
}

const GATEWAY: &str = "gateway.egress.svc.cluster.local";

/// Egress for `team` to `example.com` without any finding.
pub fn clean() -> Vec<Value> {
    let on = json!({"istio-injection": "enabled"});
    let outside = json!({"request": {"remove": ["X-Forwarded-Client-Cert"]}});
    vec![
        namespace("egress", on.clone()),
        namespace("team", on),
        pod(
            "egress/gateway-1",
            json!({"istio": "gateway"}),
            &["istio-proxy"],
        ),
        pod("team/app-1", json!({"app": "app"}), &["app", "istio-proxy"]),
        object(
            "Service",
            "egress/gateway",
            json!({"selector": {"istio": "gateway"}, "ports": [
            {"name": "http2", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]}),
        ),
        object(
            "ServiceEntry",
            "egress/example",
            json!({"hosts": ["example.com"], "resolution": "DNS", "location": "MESH_EXTERNAL", "ports": [
            {"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "tls", "protocol": "TLS"}]}),
        ),
        object(
            "Gateway",
            "egress/out",
            json!({"selector": {"istio": "gateway"}, "servers": [
            {"port": {"number": 80, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": {"mode": "ISTIO_MUTUAL"}},
            {"port": {"number": 443, "name": "tls", "protocol": "TLS"}, "hosts": ["*"], "tls": {"mode": "PASSTHROUGH"}}]}),
        ),
        object(
            "VirtualService",
            "egress/example",
            json!({"hosts": ["example.com"], "gateways": ["mesh", "out"],
            "http": [
                {"match": [{"gateways": ["mesh"], "port": 80}], "route": [{"destination": {"host": GATEWAY, "subset": "mtls", "port": {"number": 80}}}]},
                {"match": [{"gateways": ["out"], "port": 80}], "route": [{"destination": {"host": "example.com", "subset": "tls", "port": {"number": 443}}, "headers": outside}]},
            ],
            "tls": [
                {"match": [{"gateways": ["mesh"], "port": 443, "sniHosts": ["example.com"]}], "route": [{"destination": {"host": GATEWAY, "port": {"number": 443}}}]},
                {"match": [{"gateways": ["out"], "port": 443, "sniHosts": ["example.com"]}], "route": [{"destination": {"host": "example.com", "port": {"number": 443}}}]},
            ]}),
        ),
        object(
            "DestinationRule",
            "egress/gateway",
            json!({"host": GATEWAY, "subsets": [
            {"name": "mtls", "labels": {"istio": "gateway"}, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}]}),
        ),
        object(
            "DestinationRule",
            "egress/example",
            json!({"host": "example.com", "subsets": [
            {"name": "tls", "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": "example.com", "caCertificates": "/etc/ssl/certs/ca-certificates.crt"}}}]}),
        ),
        object(
            "AuthorizationPolicy",
            "egress/team",
            json!({"selector": {"matchLabels": {"istio": "gateway"}},
            "rules": [{"from": [{"source": {"namespaces": ["team"]}}], "to": [{"operation": {"hosts": ["example.com"]}}]}]}),
        ),
        object(
            "Sidecar",
            "team/default",
            json!({"egress": [{"hosts": ["egress/*", "./*"]}]}),
        ),
        object(
            "NetworkPolicy",
            "team/out",
            json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}),
        ),
    ]
}

/// The object of this kind and name, for a change.
pub fn change<'a>(objects: &'a mut [Value], kind: &str, name: &str) -> &'a mut Value {
    let found = objects
        .iter_mut()
        .find(|each| each["kind"] == kind && each["metadata"]["name"] == name);
    found.unwrap()
}

fn codes(objects: &[Value]) -> Vec<&'static str> {
    analyze(objects, None)
        .into_iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

/// The change that causes a code, with the name of the object of the finding and a part of its message.
pub type Case = (
    &'static str,
    &'static str,
    &'static str,
    fn(&mut Vec<Value>),
);

pub const CASES: &[Case] = &[
    ("IST0101", "example", "egress/none not found", |all| {
        change(all, "VirtualService", "example")["spec"]["gateways"] =
            json!(["mesh", "out", "none"]);
    }),
    ("IST0101", "example", "has the host other.com", |all| {
        change(all, "VirtualService", "example")["spec"]["tls"][1]["route"][0]["destination"]["host"] =
            json!("other.com");
    }),
    ("IST0101", "example", "has the host example.com", |all| {
        change(all, "ServiceEntry", "example")["spec"]["exportTo"] = json!(["team"]);
    }),
    ("IST0101", "example", "has no port 8443", |all| {
        change(all, "VirtualService", "example")["spec"]["tls"][0]["route"][0]["destination"]["port"]
            ["number"] = json!(8443);
    }),
    ("IST0101", "example", "has a subset tls", |all| {
        all.retain(|each| {
            each["metadata"]["name"] != "example" || each["kind"] != "DestinationRule"
        })
    }),
    ("IST0101", "out", "no pod has the labels", |all| {
        change(all, "Gateway", "out")["spec"]["selector"] = json!({"istio": "other"})
    }),
    (
        "IST0101",
        "alone",
        "spec.workloadSelector asks for",
        |all| {
            all.push(object(
                "Sidecar",
                "team/alone",
                json!({"workloadSelector": {"labels": {"app": "nobody"}}}),
            ));
        },
    ),
    ("IST0101", "team", "namespace nobody not found", |all| {
        change(all, "AuthorizationPolicy", "team")["spec"]["rules"][0]["from"][0]["source"]["namespaces"] =
            json!(["nobody", "x-*"]);
    }),
    ("IST0102", "team", "get no proxy", |all| {
        change(all, "Namespace", "team")["metadata"]["labels"] = json!({})
    }),
    ("IST0103", "app-1", "has no proxy", |all| {
        change(all, "Pod", "app-1")["spec"]["containers"] = json!([{"name": "app"}])
    }),
    ("IST0109", "twice", "has the host example.com", |all| {
        let mut twice = change(all, "VirtualService", "example").clone();
        twice["metadata"]["name"] = json!("twice");
        all.push(twice);
    }),
    ("IST0110", "a", "applies to Pod team/app-1", |all| {
        for name in ["team/a", "team/b"] {
            all.push(object(
                "Sidecar",
                name,
                json!({"workloadSelector": {"labels": {"app": "app"}}}),
            ));
        }
    }),
    ("IST0111", "more", "applies to all of team", |all| {
        all.push(object("Sidecar", "team/more", json!({})))
    }),
    ("IST0112", "example", "without a port", |all| {
        let spec = &mut change(all, "VirtualService", "example")["spec"];
        spec["tls"][1]["route"][0]["destination"]
            .as_object_mut()
            .unwrap()
            .remove("port");
    }),
    ("IST0118", "gateway", "port 80 does not declare", |all| {
        change(all, "Service", "gateway")["spec"]["ports"][0]["name"] = json!("web")
    }),
    ("IST0123", "team", "istio-injection, istio.io/rev", |all| {
        change(all, "Namespace", "team")["metadata"]["labels"]["istio.io/rev"] =
            json!("asm-managed")
    }),
    ("IST0127", "team", "applies to no pod of the mesh", |all| {
        change(all, "AuthorizationPolicy", "team")["spec"]["selector"] =
            json!({"matchLabels": {"istio": "other"}});
    }),
    ("IST0128", "top", "originates TLS to example.com", |all| {
        all.push(object(
            "DestinationRule",
            "egress/top",
            json!({"host": "example.com", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}),
        ));
    }),
    ("IST0129", "top", "on port 443", |all| {
        let port = json!({"port": {"number": 443}, "tls": {"mode": "SIMPLE"}});
        all.push(object(
            "DestinationRule",
            "egress/top",
            json!({"host": "example.com", "trafficPolicy": {"portLevelSettings": [port]}}),
        ));
    }),
    (
        "IST0130",
        "example",
        "spec.http[2] is never reached: earlier rules",
        |all| {
            let rules = change(all, "VirtualService", "example")["spec"]["http"]
                .as_array_mut()
                .unwrap();
            let mut again = rules[0].clone();
            again["match"][0]["name"] = json!("again");
            rules.push(again);
        },
    ),
    (
        "IST0130",
        "example",
        "spec.http[1] is never reached: spec.http[0] matches every request",
        |all| {
            change(all, "VirtualService", "example")["spec"]["http"][0]
                .as_object_mut()
                .unwrap()
                .remove("match");
        },
    ),
    (
        "IST0131",
        "example",
        "spec.http[2].match[0] repeats",
        |all| {
            let rules = change(all, "VirtualService", "example")["spec"]["http"]
                .as_array_mut()
                .unwrap();
            let mut again = rules[0].clone();
            again["match"]
                .as_array_mut()
                .unwrap()
                .push(json!({"gateways": ["mesh"], "port": 8080}));
            rules.push(again);
        },
    ),
    (
        "IST0132",
        "example",
        "serves none of its hosts: example.com",
        |all| {
            for server in change(all, "Gateway", "out")["spec"]["servers"]
                .as_array_mut()
                .unwrap()
            {
                server["hosts"] = json!(["team/*", "*.org"]);
            }
        },
    ),
    ("IST0134", "example", "port 9000 is TCP", |all| {
        let ports = change(all, "ServiceEntry", "example")["spec"]["ports"]
            .as_array_mut()
            .unwrap();
        ports.push(json!({"number": 9000, "name": "bytes", "protocol": "TCP"}));
    }),
    ("IST0145", "more", "serves * on port 80", |all| {
        let mut more = change(all, "Gateway", "out").clone();
        more["metadata"]["name"] = json!("more");
        all.push(more);
    }),
    ("IST0162", "out", "has port 9443", |all| {
        change(all, "Gateway", "out")["spec"]["servers"][1]["port"]["number"] = json!(9443)
    }),
    ("IST0173", "gateway", "labels of subset mtls", |all| {
        change(all, "DestinationRule", "gateway")["spec"]["subsets"][0]["labels"] =
            json!({"version": "2"});
    }),
    ("IST0174", "none", "has the host none.com", |all| {
        all.push(object(
            "DestinationRule",
            "egress/none",
            json!({"host": "none.com"}),
        ))
    }),
    (
        "EGR0001",
        "open",
        "HTTPS for example.com through port 443",
        |all| {
            all.push(object(
                "AuthorizationPolicy",
                "egress/open",
                json!({"rules": [{"when": [{"key": "destination.port", "values": ["8443"]}]}]}),
            ));
        },
    ),
    ("EGR0001", "out", "HTTPS for example.com", |all| {
        all.retain(|each| each["kind"] != "AuthorizationPolicy")
    }),
    ("EGR0002", "example", "sends example.com", |all| {
        change(all, "VirtualService", "example")["spec"]["http"][1]["route"][0]
            .as_object_mut()
            .unwrap()
            .remove("headers");
    }),
    (
        "EGR0003",
        "example",
        "spec.subsets[0].trafficPolicy.tls originates TLS to example.com",
        |all| {
            let tls = &mut change(all, "DestinationRule", "example")["spec"]["subsets"][0]["trafficPolicy"]
                ["tls"];
            tls.as_object_mut().unwrap().remove("caCertificates");
        },
    ),
    ("EGR0003", "example", "insecureSkipVerify is set", |all| {
        change(all, "DestinationRule", "example")["spec"]["subsets"][0]["trafficPolicy"]["tls"]["insecureSkipVerify"] =
            json!(true);
    }),
    ("EGR0004", "both", "isolates the pods for ingress", |all| {
        all.push(object(
            "NetworkPolicy",
            "team/both",
            json!({"egress": [{"to": [{"podSelector": {}}]}]}),
        ));
    }),
    ("EGR0004", "both", "isolates the pods for ingress", |all| {
        // In the form that the API server returns.
        all.push(object(
            "NetworkPolicy",
            "team/both",
            json!({"policyTypes": ["Ingress", "Egress"], "egress": [{}], "ingress": [{}]}),
        ));
    }),
];

#[test]
fn of_a_clean_configuration_nothing_is_found() {
    assert_eq!(analyze(&clean(), None), []);
    assert_eq!(analyze(&[], None), []);
}

#[test]
fn each_code_is_found_where_it_is_and_says_what_to_write() {
    for (code, name, message, make) in CASES {
        let mut objects = clean();
        make(&mut objects);
        let found = analyze(&objects, None);
        let told = found.iter().find(|finding| {
            finding.code.as_str() == *code
                && finding.object.name == *name
                && finding.message.contains(message)
        });
        let told = told.unwrap_or_else(|| panic!("{code} {name} {message}: {found:#?}"));
        let json = serde_json::to_value(told).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "level", "object", "message", "instead"]);
        assert_eq!(json["code"], *code);
        assert_eq!(json["level"], json!(told.code.level()), "{code}");
        assert!(!told.instead.is_empty(), "{code}");
    }
    let recorded = recorded_tests::codes();
    for known in Code::ALL {
        let elsewhere = traffic_director::CODES.contains(known)
            || bypass_tests::CODES.contains(known)
            || recorded.contains(known.as_str());
        assert!(
            elsewhere || CASES.iter().any(|(code, ..)| *code == known.as_str()),
            "{known} has no case"
        );
    }
}

#[test]
fn what_is_meant_so_is_not_found() {
    // (the change, the code that it does not cause)
    let cases: &[(fn(&mut Vec<Value>), &str)] = &[
        (
            |all| {
                change(all, "Namespace", "team")["metadata"]["labels"] =
                    json!({"istio-injection": "disabled"})
            },
            "IST0102",
        ),
        (
            |all| all.push(namespace("kube-system", json!({}))),
            "IST0102",
        ),
        (
            |all| {
                change(all, "Pod", "app-1")["spec"] =
                    json!({"containers": [{"name": "app"}], "hostNetwork": true})
            },
            "IST0103",
        ),
        (
            |all| {
                let mut twice = change(all, "VirtualService", "example").clone();
                twice["metadata"]["name"] = json!("twice");
                twice["spec"]["exportTo"] = json!(["a"]);
                change(all, "VirtualService", "example")["spec"]["exportTo"] = json!(["b"]);
                all.push(twice);
            },
            "IST0109",
        ),
        // Callers with named addresses are not all callers.
        (
            |all| {
                let rule = json!({"from": [{"source": {"ipBlocks": ["10.1.0.0/16"]}}], "when": [{"key": "connection.sni", "values": ["example.com"]}]});
                all.push(object(
                    "AuthorizationPolicy",
                    "egress/sni",
                    json!({"rules": [rule]}),
                ));
            },
            "EGR0001",
        ),
        (
            |all| {
                all.push(object(
                    "NetworkPolicy",
                    "team/all",
                    json!({"policyTypes": ["Ingress", "Egress"]}),
                ))
            },
            "EGR0004",
        ),
        (
            |all| {
                all.push(object(
                    "NetworkPolicy",
                    "team/in",
                    json!({"policyTypes": ["Ingress"]}),
                ));
                all.push(object(
                    "NetworkPolicy",
                    "team/both",
                    json!({"policyTypes": ["Ingress", "Egress"], "egress": [{}]}),
                ));
            },
            "EGR0004",
        ),
    ];
    for (make, code) in cases {
        let mut objects = clean();
        make(&mut objects);
        assert!(
            !codes(&objects).iter().any(|found| found == code),
            "{code}: {:#?}",
            analyze(&objects, None)
        );
    }
}

#[test]
fn a_namespace_is_told_of_alone() {
    let mut objects = clean();
    change(&mut objects, "Namespace", "team")["metadata"]["labels"] = json!({});
    objects.push(object(
        "DestinationRule",
        "egress/none",
        json!({"host": "none.com"}),
    ));
    let of = |namespace| {
        analyze(&objects, Some(namespace))
            .into_iter()
            .map(|finding| finding.code.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("egress"), ["IST0174"]);
    assert_eq!(of("team"), ["IST0102"]);
    assert_eq!(of("other"), [""; 0]);
}
