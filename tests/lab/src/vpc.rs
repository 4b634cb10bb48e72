//! The VPC around the nodes, as the emulator has it: egress firewall rules become rules of the kernel's, private zones become
//! zones of the name server outside.
//!
//! Ingress rules are not carried out: nothing outside opens a connection to a pod. A node's own connections are not judged.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::layout::{LINK_OUTSIDE, Lab, METADATA_SERVER, NODES};
use crate::{Result, process};

/// The chain of the kernel's rules.
pub const CHAIN: &str = "LAB-VPC";
/// The project whose network this is.
pub const PROJECT: &str = "egress-demo";
/// Where the emulator listens, behind the program that names the laboratory's API server in its answers.
pub const EMULATOR: &str = "127.0.0.1:8788";
/// Where that program listens.
pub const FRONT: &str = "127.0.0.1:8787";

/// Names on the internet, and their addresses; every other public name has [`ANYWHERE`].
const INTERNET: &[(&str, &str)] = &[
    ("example.com", "93.184.216.34"),
    ("www.example.com", "93.184.216.34"),
    ("httpbin.org", "34.193.132.77"),
    ("metadata.google.internal", METADATA_SERVER),
    ("metadata", METADATA_SERVER),
];
/// Endings of names that are not of the internet, as the evaluator has them.
const NOT_PUBLIC: &[&str] = &[
    "test",
    "invalid",
    "localhost",
    "local",
    "internal",
    "onion",
    "example",
    "arpa",
    "alt",
    "lan",
    "home",
    "corp",
];
const ANYWHERE: &str = "203.0.113.80";

/// The socket that leads to the emulator, from any network.
pub fn socket(lab: &Lab) -> PathBuf {
    lab.run().join("google.sock")
}

/// Where it is noted that the firewall is off.
fn switched_off(lab: &Lab) -> PathBuf {
    lab.run().join("firewall.off")
}

/// Switches the firewall off or on again.
///
/// # Errors
/// The kernel refuses the rules.
pub async fn switch(lab: &Lab, on: bool) -> Result<()> {
    if on {
        let _ = std::fs::remove_file(switched_off(lab));
        return refresh(lab).await;
    }
    std::fs::write(switched_off(lab), "")?;
    restore(lab, &[])
}

/// Carries out what the emulator has now.
///
/// # Errors
/// The emulator does not answer, the kernel refuses a rule, a zone cannot be written.
pub async fn refresh(lab: &Lab) -> Result<()> {
    let client = reqwest::Client::new();
    let ask = async |path: String| -> Result<Value> {
        let answer = client
            .get(format!("http://{EMULATOR}/{path}"))
            .send()
            .await?;
        // An API that is not on yet has nothing.
        if answer.status().is_success() {
            Ok(answer.json().await?)
        } else {
            Ok(Value::Null)
        }
    };
    let firewalls = ask(format!(
        "compute.googleapis.com/compute/v1/projects/{PROJECT}/global/firewalls"
    ))
    .await?;
    let clusters = ask(format!(
        "container.googleapis.com/v1/projects/{PROJECT}/locations/-/clusters"
    ))
    .await?;
    let zones = ask(format!(
        "dns.googleapis.com/dns/v1/projects/{PROJECT}/managedZones"
    ))
    .await?;
    let mut files = BTreeMap::new();
    for zone in zones["managedZones"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|zone| zone["visibility"] == "private")
    {
        let (name, dns) = (
            zone["name"].as_str().unwrap_or_default(),
            zone["dnsName"].as_str().unwrap_or_default(),
        );
        let sets = ask(format!(
            "dns.googleapis.com/dns/v1/projects/{PROJECT}/managedZones/{name}/rrsets"
        ))
        .await?;
        files.insert(
            dns.to_owned(),
            zone_file(dns, sets["rrsets"].as_array().map_or(&[], Vec::as_slice)),
        );
    }
    if !switched_off(lab).exists() {
        restore(lab, &rules(&firewalls, &clusters))?;
    }
    name_server(lab, &files)
}

/// Replaces the chain's rules, all at once.
fn restore(lab: &Lab, rules: &[String]) -> Result<()> {
    let mut text = format!("*filter\n:{CHAIN} - [0:0]\n");
    for rule in rules {
        let _ = writeln!(text, "-A {CHAIN} {rule}");
    }
    text.push_str("COMMIT\n");
    let [nsenter, net] = lab.entering(&lab.nodes());
    let mut command = Command::new(nsenter);
    command
        .args([&net, "iptables-restore", "--noflush", "--wait"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    if done.status.success() {
        Ok(())
    } else {
        Err(format!(
            "iptables-restore: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )
        .into())
    }
}

/// The kernel's rules for a project's firewall rules and clusters. Pure.
fn rules(firewalls: &Value, clusters: &Value) -> Vec<String> {
    let mut made = vec!["-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN".to_owned()];
    // Always reachable, whatever the rules: the metadata server, and Cloud DNS, which is asked through it.
    made.extend([METADATA_SERVER, LINK_OUTSIDE].map(|address| format!("-d {address} -j RETURN")));
    // What stays on a node does not pass the VPC.
    made.extend(
        NODES
            .iter()
            .map(|node| format!("-s {0} -d {0} -j RETURN", node.pods())),
    );
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let clusters = list(clusters, "clusters");
    let mut firewalls = list(firewalls, "items");
    firewalls.retain(|rule| rule["direction"] == "EGRESS" && rule["disabled"] != true);
    // The lowest number first; of equals the one that denies.
    firewalls.sort_by_key(|rule| {
        (
            rule["priority"].as_u64().unwrap_or(1000),
            rule["denied"].is_null(),
        )
    });
    for node in &NODES {
        let pools = clusters
            .iter()
            .flat_map(|cluster| list(cluster, "nodePools"));
        let pool = pools.into_iter().find(|pool| pool["name"] == node.pool);
        for rule in &firewalls {
            if !applies(rule, pool.as_ref()) {
                continue;
            }
            let ranges = list(rule, "destinationRanges");
            let ranges = if ranges.is_empty() {
                vec!["0.0.0.0/0".into()]
            } else {
                ranges
            };
            let (what, verdict) = if rule["denied"].is_null() {
                ("allowed", "RETURN")
            } else {
                ("denied", "DROP")
            };
            for entry in list(rule, what) {
                for matched in protocols(&entry) {
                    for range in ranges.iter().filter_map(Value::as_str) {
                        made.push(format!(
                            "-s {} -d {range} {matched}-j {verdict}",
                            node.pods()
                        ));
                    }
                }
            }
        }
    }
    made
}

/// Whether a rule is for the machines of a node pool.
fn applies(rule: &Value, pool: Option<&Value>) -> bool {
    let of = |pointer: &str| {
        pool.and_then(|pool| pool.pointer(pointer))
            .cloned()
            .unwrap_or_default()
    };
    let names = |key: &str| rule[key].as_array().cloned();
    match (names("targetServiceAccounts"), names("targetTags")) {
        (Some(accounts), _) => accounts.contains(&of("/config/serviceAccount")),
        (None, Some(tags)) => of("/config/tags")
            .as_array()
            .is_some_and(|own| own.iter().any(|tag| tags.contains(tag))),
        (None, None) => true,
    }
}

/// `-p tcp --dport 443 ` for each port of an entry. Pure.
fn protocols(entry: &Value) -> Vec<String> {
    let protocol = match entry["IPProtocol"].as_str() {
        None | Some("all") => return vec![String::new()],
        Some(protocol) => protocol,
    };
    let ports: Vec<&str> = entry["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if ports.is_empty() {
        return vec![format!("-p {protocol} ")];
    }
    ports
        .iter()
        .map(|port| format!("-p {protocol} --dport {} ", port.replace('-', ":")))
        .collect()
}

/// A zone in the format of RFC 1035. Pure.
fn zone_file(dns: &str, sets: &[Value]) -> String {
    let mut records = String::new();
    for set in sets
        .iter()
        .filter(|set| !["SOA", "NS"].contains(&set["type"].as_str().unwrap_or_default()))
    {
        for data in set["rrdatas"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let (name, kind) = (
                set["name"].as_str().unwrap_or_default(),
                set["type"].as_str().unwrap_or_default(),
            );
            // Short, so that a change is seen at once.
            let _ = writeln!(records, "{name} 1 IN {kind} {data}");
        }
    }
    let serial = crc32fast::hash(records.as_bytes());
    format!(
        "{dns} 1 IN SOA ns.{dns} nobody.{dns} {serial} 60 60 60 1\n{dns} 1 IN NS ns.{dns}\n{records}"
    )
}

/// Writes the name server's configuration, and has it read again if anything changed.
///
/// # Errors
/// A file cannot be written.
pub fn name_server(lab: &Lab, zones: &BTreeMap<String, String>) -> Result<()> {
    let folder = lab.run().join("cloud-dns");
    std::fs::create_dir_all(&folder)?;
    let mut corefile = String::new();
    for (dns, text) in zones {
        let file = folder.join(format!("{dns}zone"));
        std::fs::write(&file, text)?;
        let sum = crc32fast::hash(text.as_bytes());
        let _ = writeln!(
            corefile,
            "# {sum:08x}\n{dns}:53 {{\n    bind {LINK_OUTSIDE}\n    errors\n    file {}\n}}",
            file.display()
        );
    }
    let mut hosts = String::new();
    for (name, address) in INTERNET {
        let _ = writeln!(hosts, "        {address} {name}");
    }
    let public = format!("answer \"{{{{ .Name }}}} 1 IN A {ANYWHERE}\"");
    let templates = [
        (
            "A",
            format!(
                "match \\.({})\\.$\n        rcode NXDOMAIN",
                NOT_PUBLIC.join("|")
            ),
        ),
        ("A", format!("match \\.[^.]+\\.$\n        {public}")),
        ("A", "rcode NXDOMAIN".to_owned()),
        ("AAAA", "rcode NOERROR".to_owned()),
    ];
    let _ = writeln!(
        corefile,
        ".:53 {{\n    bind {LINK_OUTSIDE}\n    errors\n    hosts {{\n{hosts}        ttl 1\n        fallthrough\n    }}"
    );
    for (kind, says) in templates {
        let _ = writeln!(
            corefile,
            "    template IN {kind} . {{\n        {says}\n        fallthrough\n    }}"
        );
    }
    corefile.push_str("}\n");
    let path = folder.join("Corefile");
    if std::fs::read_to_string(&path).is_ok_and(|before| before == corefile) {
        return Ok(());
    }
    std::fs::write(&path, corefile)?;
    // One that does not run yet reads it when it starts.
    let _ = process::signal(lab, "cloud-dns", Signal::USR1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_of_an_account_is_for_the_nodes_of_its_pool() {
        let clusters = json!({"clusters": [{"nodePools": [
            {"name": "default-pool", "config": {"serviceAccount": "app@p"}},
            {"name": "gateway", "config": {"serviceAccount": "gw@p"}},
        ]}]});
        let firewalls = json!({"items": [
            {"direction": "EGRESS", "priority": 65535, "denied": [{"IPProtocol": "all"}], "destinationRanges": ["0.0.0.0/0"]},
            {"direction": "EGRESS", "priority": 1000, "allowed": [{"IPProtocol": "tcp", "ports": ["80", "8000-8010"]}],
             "destinationRanges": ["0.0.0.0/0"], "targetServiceAccounts": ["gw@p"]},
            {"direction": "INGRESS", "priority": 1, "allowed": [{"IPProtocol": "tcp"}]},
            {"direction": "EGRESS", "priority": 1, "disabled": true, "denied": [{"IPProtocol": "all"}]},
        ]});
        let of_node = |number: u8| -> Vec<String> {
            let own = format!("-s 10.1.{number}.0/24 -d 0");
            rules(&firewalls, &clusters)
                .into_iter()
                .filter(|rule| rule.starts_with(&own))
                .collect()
        };
        assert_eq!(of_node(1), ["-s 10.1.1.0/24 -d 0.0.0.0/0 -j DROP"]);
        let expected = [
            "-s 10.1.4.0/24 -d 0.0.0.0/0 -p tcp --dport 80 -j RETURN",
            "-s 10.1.4.0/24 -d 0.0.0.0/0 -p tcp --dport 8000:8010 -j RETURN",
            "-s 10.1.4.0/24 -d 0.0.0.0/0 -j DROP",
        ];
        assert_eq!(of_node(4), expected);
    }

    #[test]
    fn a_zone_has_its_own_records_and_a_serial_of_them() {
        let sets = [
            json!({"name": "googleapis.com.", "type": "SOA", "rrdatas": ["x"]}),
            json!({"name": "*.googleapis.com.", "type": "CNAME", "rrdatas": ["private.googleapis.com."]}),
        ];
        let text = zone_file("googleapis.com.", &sets);
        assert!(
            text.ends_with("*.googleapis.com. 1 IN CNAME private.googleapis.com.\n"),
            "{text}"
        );
        assert_ne!(
            text.lines().next(),
            zone_file("googleapis.com.", &[]).lines().next()
        );
    }
}
