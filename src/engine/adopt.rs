//! Finds what an earlier run created when the journal does not record it: by name, by every field that the step sets, and by our
//! mark where the API stores one. It changes nothing and writes nothing: it reports what it finds, and the user decides.
//!
//! A resource that is still being created is waited for if nothing of it can be read before (compute shows nothing until its
//! operation is over), and compared as it is if something can be read (a cluster shows its final configuration).

use serde_json::{Map, Value};

use super::absence::proves_absence;
use super::change::Change;
use super::desired::{Converged, DesiredResource};
use super::event::{Event, StepOutcome};
use super::evidence::Evidence;
use super::failure::Failure;
use super::ownership::whose;
use super::state::TrackedResource;
use super::worker::Worker;
use crate::google::Class;
use crate::kinds::{FieldDiff, Observed};

/// Reads a step's resource and reports the evidence that it is ours.
pub async fn find(
    worker: &Worker,
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
) -> Result<Converged, Failure> {
    let kind = wanted.kind;
    let settled = |outputs| Converged {
        outcome: StepOutcome::Looked,
        differs: false,
        outputs,
    };
    // An action that creates no resource has no owner.
    if !kind.is_deletable() {
        return Ok(settled(Map::new()));
    }
    let parts = kind.parts(&wanted.want);
    let live = look(worker, wanted, tracked, &parts).await?;
    // A resource that is gone may be named by one that is left: after a `down` that failed, by rules for its accounts.
    let outputs = match &live {
        Some(live) => kind.outputs_of(live),
        None => predicted(wanted),
    };
    let (evidence, parts, fields) = weigh(wanted, tracked, live.as_ref(), parts);
    worker.emit(Event::Found {
        step: worker.step.clone(),
        resource: wanted.resource.clone(),
        evidence,
        parts,
        fields,
    });
    Ok(settled(outputs))
}

/// The outputs that follow from the resource's path, whether it exists or not.
fn predicted(wanted: &DesiredResource) -> Map<String, Value> {
    let outputs = wanted.kind.outputs().iter();
    let known = outputs.filter_map(|output| {
        let value = wanted.resource.predict(output)?;
        Some(((*output).to_owned(), value))
    });
    known.collect()
}

/// The live resource. If nothing can be read while an operation runs on it, waits for the end of that operation.
async fn look(
    worker: &Worker,
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
    parts: &[String],
) -> Result<Option<Value>, Failure> {
    let DesiredResource { resource, kind, .. } = wanted;
    let mut want = match wanted.unknown.is_empty() {
        true => &wanted.want,
        false => &Value::Null,
    };
    let what = format!("read {} {}", kind.name(), resource.short());
    let failed = |error| Failure::of(&what, &error);
    let mut waited = false;
    // For a kind whose resources are hidden at first, one read that does not find it proves nothing.
    let mut reads = kind.reads();
    loop {
        let look = kind.look(&worker.clients, &resource.at, want, parts);
        match worker.unless_stopped(look).await? {
            Err(error) if proves_absence(&error, tracked) => return Ok(None),
            // The mark can be read even where an apply would be refused (another field manager owns a field).
            Err(_) if kind.has_our_mark(want, &Value::Null).is_some() => {
                want = &Value::Null;
                continue;
            }
            Err(error) => return Err(failed(error)),
            Ok(Observed::Here(live)) => return Ok(Some(live)),
            Ok(Observed::Settling(_) | Observed::Broken(_)) => {
                let read = kind.read(&worker.clients, &resource.at);
                return worker.unless_stopped(read).await?.map_err(failed);
            }
            Ok(Observed::Absent) => {}
        }
        reads -= 1;
        if reads > 0 {
            worker.pause(super::wait::NEXT_READ).await?;
            continue;
        }
        let running = worker
            .unless_stopped(kind.running(&worker.clients, &resource.at))
            .await?;
        let operation = match running {
            Ok(Some(operation)) if !waited => operation,
            Ok(_) => return Ok(None),
            Err(error) if matches!(error.class, Class::NotFound | Class::ApiDisabled) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        worker.waiting(format!("the operation in progress on {}", resource.short()));
        let wait = operation.wait(
            &worker.clients.client,
            worker.within,
            &*worker.clients.watch,
        );
        // Whether it succeeded or failed: the live resource decides.
        let _ = worker.unless_stopped(wait).await?;
        (waited, reads) = (true, 1);
    }
}

/// The evidence for the live resource, the parts of a set that it concerns, and the fields that differ. Pure.
fn weigh(
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
    live: Option<&Value>,
    parts: Vec<String>,
) -> (Evidence, Vec<String>, Vec<FieldDiff>) {
    let DesiredResource { kind, want, .. } = wanted;
    let Some(live) = live else {
        return (Evidence::Absent, Vec::new(), Vec::new());
    };
    let ours = tracked.map(TrackedResource::our_parts).unwrap_or_default();
    let fields = match wanted.unknown.is_empty() {
        true => kind.diff(want, live),
        false => Vec::new(),
    };
    // Of a set, the parts that exist as wanted.
    let same: Vec<String> = kind
        .present(&parts, live)
        .into_iter()
        .filter(|part| !fields.iter().any(|field| field.path == *part))
        .collect();
    let new: Vec<String> = same
        .iter()
        .filter(|part| !ours.contains(part))
        .cloned()
        .collect();
    if tracked.is_some_and(TrackedResource::is_ours) && (parts.is_empty() || new.is_empty()) {
        return (Evidence::Journal, same, fields);
    }
    if !parts.is_empty() {
        let evidence = match new.is_empty() {
            true => Evidence::Differs,
            false => Evidence::Equal,
        };
        return (evidence, new, fields);
    }
    let evidence = match kind.has_our_mark(want, live) {
        Some(true) => Evidence::Mark,
        Some(false) => Evidence::Unmarked,
        None if !wanted.unknown.is_empty() => Evidence::Unknown(wanted.unknown.clone()),
        // A network that is missing on an allow list does not make it another cluster.
        None => match Change::of(fields.clone(), whose(*kind, false, None, &[])) {
            Change::None | Change::Update(_) => Evidence::Equal,
            _ => Evidence::Differs,
        },
    };
    (evidence, Vec::new(), fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Kind, ResourceId};
    use serde_json::json;

    fn wanted(kind: &str, want: Value, unknown: &[&str]) -> DesiredResource {
        DesiredResource {
            resource: ResourceId {
                kind: kind.to_owned(),
                at: Map::new(),
            },
            kind: Kind::named(kind).unwrap(),
            want,
            unknown: unknown.iter().map(|step| (*step).to_owned()).collect(),
            inside: Vec::new(),
            with: None,
            came_along: false,
            adopt: false,
            prunes: false,
            replaced: None,
            never_ran: false,
            lookup: None,
        }
    }

    #[test]
    fn what_is_there_is_ours_only_where_something_speaks_for_it() {
        let network = json!({"autoCreateSubnetworks": false});
        let members = json!({"bindings": [{"role": "r", "members": ["a", "b"]}]});
        let record = |data: &str| json!({"rrsets": [{"name": "x.", "type": "A", "ttl": 60, "rrdatas": [data]}]});
        let list = |blocks: &[&str]| {
            let blocks: Vec<Value> = blocks.iter().map(|b| json!({"cidrBlock": b})).collect();
            json!({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"authorizedNetworksConfig":
                {"enabled": true, "cidrBlocks": blocks}}}})
        };
        let object = |manager: &str| {
            let metadata = json!({"managedFields": [{"manager": manager, "operation": "Apply"}]});
            let mut applied = json!({"metadata": metadata, "spec": 1});
            let live = applied.clone();
            applied["spec"] = 2.into();
            json!({"live": live, "applied": applied})
        };
        // (kind, desired resource, unknown steps, live resource, evidence, parts, number of fields that differ)
        type Case = (
            &'static str,
            Value,
            &'static [&'static str],
            Value,
            Evidence,
            &'static [&'static str],
            usize,
        );
        let cases: Vec<Case> = vec![
            (
                "compute.network",
                network.clone(),
                &[],
                network.clone(),
                Evidence::Equal,
                &[],
                0,
            ),
            (
                "compute.network",
                network.clone(),
                &[],
                json!({"autoCreateSubnetworks": true}),
                Evidence::Differs,
                &[],
                1,
            ),
            (
                "compute.network",
                network.clone(),
                &["s"],
                network,
                Evidence::Unknown(vec!["s".to_owned()]),
                &[],
                0,
            ),
            (
                "iam.projectMembers",
                members.clone(),
                &[],
                members.clone(),
                Evidence::Equal,
                &["r a", "r b"],
                0,
            ),
            (
                "iam.projectMembers",
                members,
                &[],
                json!({"bindings": [{"role": "r", "members": ["b"]}]}),
                Evidence::Equal,
                &["r b"],
                1,
            ),
            (
                "dns.records",
                record("1"),
                &[],
                record("1"),
                Evidence::Equal,
                &["x. A"],
                0,
            ),
            (
                "dns.records",
                record("1"),
                &[],
                record("2"),
                Evidence::Differs,
                &[],
                1,
            ),
            (
                "container.cluster",
                list(&["192.0.2.1/32"]),
                &[],
                list(&["198.51.100.1/32"]),
                Evidence::Equal,
                &[],
                1,
            ),
            (
                "kubernetes.object",
                json!({"spec": 1}),
                &[],
                object("provision"),
                Evidence::Mark,
                &[],
                1,
            ),
            (
                "kubernetes.object",
                json!({"spec": 1}),
                &[],
                object("kubectl"),
                Evidence::Unmarked,
                &[],
                1,
            ),
        ];
        for (kind, want, unknown, live, evidence, parts, differing) in cases {
            let wanted = wanted(kind, want, unknown);
            let all = wanted.kind.parts(&wanted.want);
            let said = weigh(&wanted, None, Some(&live), all.clone());
            assert_eq!(
                (&said.0, &said.1),
                (&evidence, &parts.iter().map(|p| (*p).to_owned()).collect()),
                "{kind} {live}"
            );
            assert_eq!(said.2.len(), differing, "{kind} {live}");
            assert_eq!(weigh(&wanted, None, None, all).0, Evidence::Absent);
        }
    }
}
