//! What the analyzers find of the tutorial's configuration, as it stands at the end of every chapter.

use std::collections::BTreeSet;

use egress::analyze::{ControlPlane, Finding, Level, analyze, analyze_for};
use serde_json::Value;

const PRINTED: &str = include_str!("../../../fixtures/tutorial-objects.yaml");
const GATEWAY: &str = include_str!("../../../fixtures/istioctl-egress-gateway.json");

/// The chapters with objects, in the tutorial's order.
const CHAPTERS: [&str; 9] = [
    "egress-gateway",
    "test-application",
    "sidecar-scope",
    "routing",
    "second-namespace",
    "authorization",
    "tls-origination",
    "tls-passthrough",
    "network-policy",
];

/// Namespace, kind and name: what makes a later object the same one.
fn place(object: &Value) -> [&Value; 3] {
    [
        &object["kind"],
        &object["metadata"]["namespace"],
        &object["metadata"]["name"],
    ]
}

/// What is in the cluster after `last` and the chapters before it.
fn after(last: &str) -> Vec<Value> {
    let printed: Vec<Value> = serde_saphyr::from_multiple(PRINTED).unwrap();
    let mut objects: Vec<Value> = serde_json::from_str(GATEWAY).unwrap();
    let chapters: Vec<&str> = CHAPTERS
        .iter()
        .copied()
        .take_while(|chapter| *chapter != last)
        .chain([last])
        .collect();
    for entry in printed
        .iter()
        .filter(|entry| chapters.contains(&entry["chapter"].as_str().unwrap()))
    {
        let mut object = entry["object"].clone();
        // `kubectl -n team-x create -f`: the namespace stands in the command.
        let words: Vec<&str> = entry["by"].as_str().unwrap().split(' ').collect();
        if words[1] == "-n" {
            object["metadata"]["namespace"] = words[2].into();
        }
        objects.retain(|other| place(other) != place(&object));
        objects.push(object);
    }
    objects
}

fn told(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.object))
        .collect()
}

#[test]
fn istioctls_codes_are_clean_at_every_chapters_end_and_ours_come_where_they_belong() {
    let certificates =
        |name: &str| format!("EGR0002 VirtualService istio-egress/{name}-through-egress-gateway");
    let (example, httpbin) = (certificates("example-com"), certificates("httpbin-org"));
    let verification = "EGR0003 DestinationRule istio-egress/example-com-originate-tls".to_owned();
    let open = "EGR0001 AuthorizationPolicy istio-egress/egress-all-443".to_owned();
    let ingress = "EGR0004 NetworkPolicy team-x/allow-egress-to-same-namespace".to_owned();
    let both = [example.clone(), httpbin.clone()];
    let originated = [example.clone(), httpbin.clone(), verification.clone()];
    let passed = [
        open.clone(),
        example.clone(),
        httpbin.clone(),
        verification.clone(),
    ];
    let all = [open, example.clone(), httpbin, verification, ingress];
    let expected: [&[String]; 9] = [
        &[],
        &[],
        &[],
        &[example],
        &both,
        &both,
        &originated,
        &passed,
        &all,
    ];
    for (chapter, expected) in CHAPTERS.into_iter().zip(expected) {
        let found = analyze(&after(chapter), None);
        assert_eq!(told(&found), expected, "{chapter}: {found:#?}");
        assert!(
            found
                .iter()
                .all(|finding| finding.code.level() == Level::Note && !finding.instead.is_empty()),
            "{chapter}"
        );
    }
    // Google describes Traffic Director as one of the tutorial's control planes: it lacks nothing of it.
    for chapter in CHAPTERS {
        let objects = after(chapter);
        let for_it = analyze_for(ControlPlane::TrafficDirector, &objects, None);
        assert_eq!(for_it, analyze(&objects, None), "{chapter}");
    }
    // The last chapter has objects too, and brings nothing new.
    assert_eq!(told(&analyze(&after("direct-access"), None)), all);
}

/// Of the tutorial's own check, which is for one namespace.
#[test]
fn istio_egress_has_no_validation_issues() {
    let found = analyze(&after("network-policy"), Some("istio-egress"));
    let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, BTreeSet::from(["EGR0001", "EGR0002", "EGR0003"]));
}

/// Advice is worth nothing unless it helps: each finding of ours goes away by what it says to write instead.
#[test]
fn what_is_said_to_be_written_instead_is_clean() {
    let mut objects = after("network-policy");
    objects.retain(|object| object["metadata"]["name"] != "egress-all-443");
    for object in &mut objects {
        let kind = object["kind"].clone();
        let spec = &mut object["spec"];
        match kind.as_str() {
            Some("VirtualService") => {
                spec["http"][1]["route"][0]["headers"]["request"]["remove"] =
                    serde_json::json!(["x-forwarded-client-cert"]);
            }
            Some("DestinationRule") if spec["host"] == "example.com" => {
                let tls = &mut spec["subsets"][0]["trafficPolicy"]["portLevelSettings"][0]["tls"];
                tls["caCertificates"] = "/etc/ssl/certs/ca-certificates.crt".into();
            }
            Some("NetworkPolicy") if spec["policyTypes"].is_null() => {
                spec["policyTypes"] = serde_json::json!(["Egress"]);
                spec.as_object_mut().unwrap().remove("ingress");
            }
            _ => {}
        }
    }
    assert_eq!(told(&analyze(&objects, None)), [""; 0]);
}

/// The checks that the tutorial's order answers to: what is applied too early is found.
#[test]
fn what_comes_before_what_it_needs_is_found() {
    // (what does not exist yet, what is found, of whom)
    let cases = [
        (
            "ServiceEntry",
            "example-com-ext",
            "IST0101 VirtualService istio-egress/example-com-through-egress-gateway",
        ),
        (
            "DestinationRule",
            "target-egress-gateway",
            "IST0101 VirtualService istio-egress/example-com-through-egress-gateway",
        ),
        (
            "Gateway",
            "egress-gateway",
            "IST0101 VirtualService istio-egress/httpbin-org-through-egress-gateway",
        ),
        (
            "Deployment",
            "istio-egressgateway",
            "IST0101 Gateway istio-egress/egress-gateway",
        ),
        (
            "Deployment",
            "istio-egressgateway",
            "IST0127 AuthorizationPolicy istio-egress/egress-all-443",
        ),
        (
            "Namespace",
            "team-y",
            "IST0101 AuthorizationPolicy istio-egress/egress-team-y-to-httpbin-teapot",
        ),
        (
            "ServiceEntry",
            "example-com-ext",
            "IST0174 DestinationRule istio-egress/example-com-originate-tls",
        ),
    ];
    for (kind, name, expected) in cases {
        let mut objects = after("network-policy");
        objects.retain(|object| object["kind"] != kind || object["metadata"]["name"] != name);
        let found = told(&analyze(&objects, None));
        assert!(
            found.iter().any(|told| told == expected),
            "{kind} {name}: {found:?}"
        );
    }
}
