//! Servers of a Gateway that share a port, against what the laboratory's Envoy did with what the laboratory's istiod told it
//! (`fixtures/egress/gateway-servers.yaml`): what the caller gets, and by which cluster the gateway sends it on.

use std::collections::BTreeMap;

use egress::request::Request;
use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use egress::trace::CallerOutcome;
use serde::Deserialize;
use serde_json::{Value, json};

const RECORD: &str = include_str!("../../../fixtures/egress/gateway-servers.yaml");

/// What stands in every case, or a case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    objects: Vec<Value>,
    #[serde(default)]
    asked: BTreeMap<String, Seen>,
}

/// What came of `https://HOST/`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// The status, or `exit` with curl's code.
    got: Value,
    /// The cluster in the gateway's log; none where it logs nothing, or no cluster.
    cluster: Option<String>,
    /// The flags in the gateway's log.
    flags: Option<String>,
}

fn account(snapshot: &Snapshot, host: &str) -> Seen {
    let request = Request::get("app", &format!("https://{host}/")).unwrap();
    let account = snapshot.trace(&request);
    let line = account.lines.iter().find(|line| line.pod.namespace == "gw");
    let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    Seen {
        got: match &account.got {
            CallerOutcome::Answer(answer) => json!(answer.status),
            CallerOutcome::Failure(failure) => json!(format!("exit {}", failure.exit())),
        },
        cluster: line
            .map(|line| line.cluster.clone())
            .filter(|cluster| !cluster.is_empty()),
        flags: line.map(|line| or_dash(line.flags)),
    }
}

#[test]
fn servers_on_one_port_do_what_envoy_does() {
    let mut cases: Vec<Case> = serde_saphyr::from_multiple(RECORD).unwrap();
    let base = cases.remove(0);
    assert!(base.asked.is_empty() && !cases.is_empty());
    let mut wrong = Vec::new();
    for Case {
        case,
        objects,
        asked,
    } in cases
    {
        let kubernetes = [base.objects.clone(), objects].concat();
        let snapshot = Snapshot::read(&SnapshotInput {
            kubernetes,
            ..SnapshotInput::default()
        });
        assert!(!asked.is_empty(), "{case}");
        for (host, seen) in asked {
            let found = account(&snapshot, &host);
            if found != seen {
                wrong.push(format!("{case}, {host}: {found:?}, seen {seen:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
