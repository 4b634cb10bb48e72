//! How long a matrix of a large company takes: a benchmark, which holds nothing and prints figures.
//!
//! Each namespace has a Sidecar resource and may ask one host; each host has a ServiceEntry, a VirtualService through the egress
//! gateway and an AuthorizationPolicy. Every tenth namespace has no sidecar, so that the firewall decides on what it asks; every
//! tenth host is exported to ten namespaces only.

use std::fs;
use std::time::{Duration, Instant};

use egress::matrix::CellSummary;
use egress::request::{Request, Source};
use egress::snapshot::Snapshot;
use egress::trace::Failure;
use serde_json::{Value, json};

use super::scenes::{manifest, tutorial};

const NAMESPACES: usize = 1000;
const HOSTS: usize = 1000;

/// What holds for all.
const COMMON: &[&str] = &[
    "egress-gateway-passthrough",
    "target-egress-gateway-passthrough",
];

fn namespace(index: usize) -> String {
    format!("team-{index}")
}

fn host(index: usize) -> String {
    format!("host-{index}.com")
}

/// A namespace, and what its proxies know.
fn team(index: usize) -> Vec<Value> {
    let name = namespace(index);
    let mut own = manifest("team-x-namespace");
    own["metadata"]["name"] = json!(name);
    if index.is_multiple_of(10) {
        own["metadata"]["labels"] = json!({});
    }
    let mut sidecar = manifest("team-x-sidecar");
    sidecar["metadata"]["namespace"] = json!(name);
    vec![own, sidecar]
}

/// A host outside, the way to it, and who may take that.
fn outside(index: usize) -> Vec<Value> {
    let export = match index.is_multiple_of(10) {
        true => {
            let few = (0..10).map(|next| namespace((index + next) % NAMESPACES));
            few.chain(["istio-egress".to_owned()]).collect()
        }
        false => vec!["*".to_owned()],
    };
    let of = |file: &str| {
        // The tutorial's objects for example.com, with another host.
        let text = manifest(file).to_string();
        let mut object: Value =
            serde_json::from_str(&text.replace("example.com", &host(index))).unwrap();
        object["metadata"]["name"] = json!(format!("host-{index}"));
        object
    };
    let mut entry = of("example-com-serviceentry");
    let mut way = of("example-com-virtualservice-passthrough");
    entry["spec"]["exportTo"] = json!(export);
    way["spec"]["exportTo"] = json!(export);
    let mut tls = of("example-com-originate-tls");
    tls["spec"]["exportTo"] = json!(["*"]);
    let mut policy = of("egress-team-x-to-example-com");
    let who = namespace(index % NAMESPACES);
    policy["spec"]["rules"][0]["from"] = json!([{"source": {"namespaces": [who]}}]);
    vec![entry, way, tls, policy]
}

/// What this process took of processors so far; none where the system does not say.
fn processor_time() -> Option<Duration> {
    // Ticks of a hundredth of a second, behind the program's name in parentheses (proc(5)).
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// The most memory that this process had so far, in MiB; none where the system does not say.
fn most_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024)
}

#[test]
#[ignore = "a benchmark: cargo test --release --test integration evaluator:: -- --ignored --nocapture size"]
fn size_of_a_large_company() {
    let mut sources = tutorial(COMMON);
    sources.kubernetes.extend((0..NAMESPACES).flat_map(team));
    sources.kubernetes.extend((0..HOSTS).flat_map(outside));
    let began = Instant::now();
    let snapshot = Snapshot::read(&sources);
    let read = began.elapsed();
    drop(sources);
    let callers: Vec<Source> = (0..NAMESPACES)
        .map(|index| Source {
            namespace: namespace(index),
            pod: None,
            sidecar: None,
        })
        .collect();
    let requests: Vec<Request> = (0..HOSTS)
        .map(|index| Request::get("", &format!("http://{}", host(index))).unwrap())
        .collect();
    let (before, memory, began) = (processor_time(), most_memory(), Instant::now());
    let matrix = snapshot.matrix(&callers, &requests);
    let took = began.elapsed();
    let processor = processor_time()
        .zip(before)
        .map(|(after, before)| after - before);
    let cells: Vec<_> = matrix.iter().flatten().collect();
    let count = |got: CellSummary| cells.iter().filter(|cell| cell.got == got).count();
    println!(
        "{NAMESPACES} namespaces, {HOSTS} hosts, {} cells",
        cells.len()
    );
    println!("read {read:.2?}, matrix {took:.2?}, of processors {processor:.2?}");
    println!(
        "most memory {memory:?} MiB before the matrix, {:?} MiB after",
        most_memory()
    );
    println!(
        "{} reach their host, {} are denied, {} are not known, {} are dropped",
        cells.iter().filter(|cell| cell.reaches).count(),
        count(CellSummary::Status(403)),
        count(CellSummary::Status(502)),
        count(CellSummary::Failure(Failure::TimedOut)),
    );
}
