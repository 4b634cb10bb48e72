//! Ports by their names.

use serde_json::json;

use super::tests::{pod, policy, read};
use super::*;

#[test]
fn a_named_port_is_that_of_the_pod_that_is_connected_to() {
    let egress = read(&[policy(
        "p",
        json!({"policyTypes": ["Egress"], "egress": [{"ports": [{"port": "web"}]}]}),
    )]);
    let ingress = read(&[policy(
        "p",
        json!({"ingress": [{"ports": [{"port": "web"}]}]}),
    )]);
    let named = |labels: &str, port: Option<u16>| PodEnd {
        ports: port
            .map(|port| ("web".to_owned(), port))
            .into_iter()
            .collect(),
        ..pod(labels)
    };
    // (the own pod's port of that name, the other pod's, whether 8080 may be opened, and accepted)
    for (own, far, opens, accepts) in [
        (Some(8080), None, false, true),
        (None, Some(8080), true, false),
        (Some(80), Some(81), false, false),
    ] {
        let near = named("team-x app=test", own);
        let other = OtherEnd::Pod(named("team-y app=a", far));
        let passes =
            |policies, direction| rule(policies, direction, &near, &other, "tcp", 8080).passes;
        assert_eq!(passes(&egress, Direction::Egress), opens);
        assert_eq!(passes(&ingress, Direction::Ingress), accepts);
    }
    let outside = OtherEnd::Outside([203, 0, 113, 7].into());
    let near = named("team-x app=test", Some(8080));
    assert!(!rule(&egress, Direction::Egress, &near, &outside, "tcp", 8080).passes);
}
