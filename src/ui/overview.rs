//! A plan that fits a screen: a line for each chapter with its counts, then the values that decide who reaches what. The whole plan
//! is in `plan.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::brief::brief;
use super::fold::fold;
use super::plan::Plan;
use super::table::cut;
use super::{Paint, plain};
use crate::engine::change::Change;
use crate::steps::Chapter;

/// The last key of a path whose value decides who reaches what, and its word.
const MATTERS: &[(&str, &str)] = &[
    ("ipCidrRange", "range"),
    ("masterIpv4CidrBlock", "control plane"),
    ("cidrBlocks", "may reach the API server"),
    ("sourceRanges", "from"),
    ("destinationRanges", "to"),
    ("allowed", "allow"),
    ("denied", "deny"),
    ("dnsName", "zone"),
    ("role", "role"),
    ("roles", "roles"),
    ("bindings", "grants"),
    ("members", "members"),
    ("hosts", "hosts"),
    ("natIps", "NAT addresses"),
    ("initialNodeCount", "nodes"),
    ("machineType", "machine"),
];

/// A step of a plan.
#[derive(Debug, Clone, Copy)]
pub struct StepName<'a> {
    /// The name of its chapter; empty for a resource that no step asks for any more.
    pub chapter: &'a str,
    /// Its id.
    pub id: &'a str,
}

/// The plan in few lines, none wider than `width`.
pub fn overview(
    plan: &Plan,
    chapters: &[Chapter],
    steps: &[StepName<'_>],
    width: usize,
    paint: Paint,
) -> String {
    let mut text = String::new();
    let mut values = String::new();
    let names = chapters.iter().map(|chapter| chapter.name.chars().count());
    let names = names.max().unwrap_or_default();
    let nobodys = ("", "no step asks for it any more");
    let rows = chapters
        .iter()
        .map(|chapter| (chapter.name.as_str(), chapter.name.as_str()))
        .chain([nobodys]);
    for (chapter, name) in rows {
        let changes: Vec<(&StepName<'_>, &Change)> = steps
            .iter()
            .filter(|step| step.chapter == chapter)
            .filter_map(|step| Some((step, plan.change(step.id)?)))
            .filter(|(_, change)| change.is_difference())
            .collect();
        if changes.is_empty() {
            continue;
        }
        let ids: Vec<&str> = changes.iter().map(|(step, _)| step.id).collect();
        let line = format!("{name:<names$}  {}: {}", counts(&changes), ids.join(", "));
        let _ = writeln!(text, "{}", cut(&line, width));
        for (step, change) in changes {
            let found = matters(plan, step, change);
            if !found.is_empty() {
                // A value that decides who reaches what is not cut.
                let line = format!("  {}  {}", step.id, found.join("; "));
                let _ = writeln!(values, "{}", fold(&plain(&line), width));
            }
        }
    }
    for (step, along) in &plan.along {
        let along = match along.is_empty() {
            true => String::new(),
            false => format!(", which replaces {along} too"),
        };
        let line = format!("-/+ {step}: provision up --replace {step}{along}");
        let _ = writeln!(text, "{}", fold(&plain(&line), width));
    }
    if !values.is_empty() {
        let _ = write!(
            text,
            "\n{}\n{values}",
            paint.strong("ranges, ports, roles, hosts")
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text + &plan.summary() + "\n"
}

/// The counts of a chapter's changes: `3 to create, 1 in the way`.
fn counts(changes: &[(&StepName<'_>, &Change)]) -> String {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (_, change) in changes {
        let word = match change {
            Change::Create => (0, "to create"),
            Change::Replace(_) => (1, "to replace"),
            Change::Update(_) => (2, "to change"),
            Change::Adopt(_) => (3, "to take over"),
            Change::Delete => (4, "to delete"),
            Change::Fixed(_) | Change::Foreign(_) | Change::Unfit(_) | Change::Missing(_) => {
                (5, "in the way")
            }
            Change::Conflict(_) => (6, "in conflict"),
            Change::Waits(_) => (7, "known later"),
            Change::Pending(_) => (8, "to wait for"),
            Change::None => continue,
        };
        *counts.entry(word).or_default() += 1;
    }
    let said = counts.iter().map(|((_, word), n)| format!("{n} {word}"));
    said.collect::<Vec<_>>().join(", ")
}

/// The values of a step that matter; of a change, only those that change.
fn matters(plan: &Plan, step: &StepName<'_>, change: &Change) -> Vec<String> {
    let mut found = Vec::new();
    if let Change::Create = change {
        walk(plan.want(step.id).unwrap_or(&Value::Null), &mut found);
    }
    for field in change.fields() {
        let word = field.path.split(['.', '[']).find_map(word);
        if let Some(word) = word {
            let (have, want) = (brief(&field.have), brief(&field.want));
            found.push(format!("{word} {have} -> {want}"));
        }
    }
    found.dedup();
    found
}

fn word(key: &str) -> Option<&'static str> {
    let row = MATTERS.iter().find(|(name, _)| *name == key)?;
    Some(row.1)
}

fn walk(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match word(key) {
                    Some(word) => found.push(format!("{word} {}", brief(value))),
                    None => walk(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::event::Event;
    use crate::kinds::FieldDiff;
    use crate::steps::SourceLocation;

    fn step<'a>(chapter: &'a str, id: &'a str) -> StepName<'a> {
        StepName { chapter, id }
    }

    fn source() -> SourceLocation {
        SourceLocation {
            file: String::new(),
            line: 1,
        }
    }

    fn chapter(name: &str) -> Chapter {
        Chapter {
            name: name.to_owned(),
            title: String::new(),
            says: String::new(),
            source: source(),
        }
    }

    fn text(width: usize) -> String {
        let range = FieldDiff {
            path: "ipCidrRange".to_owned(),
            have: json!("10.0.0.0/24"),
            want: json!("10.9.0.0/24"),
            fixed: true,
            owner: None,
        };
        let rule = json!({
            "description": "x", "destinationRanges": ["10.5.0.0/28"],
            "allowed": [{"IPProtocol": "tcp", "ports": ["443", "10250"]}],
        });
        let looked = [
            (
                "vpc",
                Change::Create,
                json!({"autoCreateSubnetworks": false}),
            ),
            ("subnet", Change::Fixed(vec![range]), Value::Null),
            ("allow-egress-to-api-server", Change::Create, rule),
            ("as-wanted", Change::None, Value::Null),
        ];
        let mut plan = Plan::default();
        for (step, change, want) in looked {
            plan.record(&Event::Looked {
                step: step.to_owned(),
                change,
                ours: true,
                want,
                inside: None,
            });
        }
        plan.along
            .insert("subnet".to_owned(), "cluster (with 2 pools)".to_owned());
        let steps = [
            step("network", "vpc"),
            step("network", "subnet"),
            step("firewall", "allow-egress-to-api-server"),
            step("mesh", "as-wanted"),
        ];
        let chapters = ["network", "firewall", "mesh"].map(chapter);
        overview(&plan, &chapters, &steps, width, Paint::new(false))
    }

    #[test]
    fn a_plan_at_120_columns() {
        assert_eq!(
            text(119),
            "\
network   1 to create, 1 in the way: vpc, subnet
firewall  1 to create: allow-egress-to-api-server
-/+ subnet: provision up --replace subnet, which replaces cluster (with 2 pools) too

ranges, ports, roles, hosts
  subnet  range 10.0.0.0/24 -> 10.9.0.0/24
  allow-egress-to-api-server  to 10.5.0.0/28; allow tcp:443, tcp:10250

4 steps: 2 to create, 1 in the way, 1 as wanted
"
        );
    }

    #[test]
    fn a_plan_at_80_columns_and_below() {
        let text = text(79);
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        let text = self::text(59);
        assert!(text.lines().all(|line| line.chars().count() < 60), "{text}");
        let folded =
            "  allow-egress-to-api-server  to 10.5.0.0/28; allow\n    tcp:443, tcp:10250\n";
        assert!(text.contains(folded), "{text}");
    }
}
