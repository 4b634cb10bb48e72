//! What is replaced together: a resource, and everything that must be deleted before it. Pure: steps in, steps out.
//!
//! A step goes with the one that is replaced if its resource is in it (a node pool in its cluster, an object in its namespace), or
//! uses it: it refers to its outputs, or names it and needs it. Google refuses to delete what is used, and what uses an account keeps
//! the identity of the deleted one. A step that only comes after it (`needs`) stays. So does a Kubernetes object that refers to a
//! resource of Google's: the cluster holds no more than a text, and an apply renews it.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::change::Change;
use super::task::Replaced;
use crate::kinds::{Kind, ResourceId, Step};
use crate::steps::graph::Graph;
use crate::steps::refs::{self, Ref};

/// The steps whose resources are replaced, each with the reason.
#[derive(Debug, Clone, Default)]
pub struct Replacement {
    /// By the step's id.
    pub steps: BTreeMap<String, Replaced>,
    /// Steps that leave nothing to delete and are done again because of a replaced one, with that one: restarts.
    pub again: BTreeMap<String, String>,
}

impl Replacement {
    /// The replacement of the `named` steps. `stays` is as for [`super::tasks::absent`].
    pub fn of(steps: &[Step], graph: &Graph, named: &[String], stays: bool) -> Replacement {
        let mut all = Replacement::default();
        let mut open = VecDeque::new();
        for step in steps.iter().filter(|step| named.contains(&step.id)) {
            let replaced = Replaced {
                because: None,
                inside: false,
            };
            all.steps.insert(step.id.clone(), replaced);
            open.push_back(step);
        }
        while let Some(outer) = open.pop_front() {
            for inner in steps.iter().filter(|inner| inner.id != outer.id) {
                // What is only looked up is not ours to delete.
                let is_others = inner.lookup.is_some();
                if is_others
                    || all.steps.contains_key(&inner.id)
                    || !goes_with(inner, outer, graph, stays)
                {
                    continue;
                }
                let because = outer.id.clone();
                if inner.kind.is_deletable() {
                    let inside = is_deleted_with(inner, outer, stays);
                    let replaced = Replaced {
                        because: Some(because),
                        inside,
                    };
                    all.steps.insert(inner.id.clone(), replaced);
                    open.push_back(inner);
                } else if !inner.kind.is_wait() && !inner.kind.is_check() {
                    all.again.entry(inner.id.clone()).or_insert(because);
                }
            }
        }
        all
    }

    /// The parts of a replaced set that have to be deleted; none for all of ours. A set that only refers to what is replaced
    /// keeps its other parts: the roles of the other accounts.
    pub fn parts_of(&self, step: &Step, steps: &[Step], stays: bool) -> Option<Vec<String>> {
        if !is_set(step) || self.steps.get(&step.id)?.because.is_none() {
            return None;
        }
        let replaced = |id: &str| steps.iter().find(|one| one.id == id);
        let outer: Vec<&Step> = self.steps.keys().filter_map(|id| replaced(id)).collect();
        if outer.iter().any(|outer| is_inside(step, outer, stays)) {
            return None;
        }
        let refers = |part: &String| {
            let found = refs::find(&Value::from(part.as_str()));
            found
                .iter()
                .any(|one| self.steps.contains_key(one.step.as_str()))
        };
        let known = |reference: &Ref| {
            let step = replaced(&reference.step).or_else(|| {
                let mut all = steps.iter();
                all.find(|one| one.id == reference.step)
            })?;
            ResourceId::new(step.kind, step.at.clone()).predict(&reference.field)
        };
        let parts = step.kind.parts(&step.want);
        let parts = parts.iter().filter(|part| refers(part));
        let filled = parts.map(
            |part| match refs::fill(&Value::from(part.as_str()), &known) {
                Ok(Value::String(part)) => Some(part),
                _ => None,
            },
        );
        // A value that is not known before, or a reference beside the parts' names: all of them.
        let filled: Option<Vec<String>> = filled.collect();
        filled.filter(|parts| !parts.is_empty())
    }
}

/// Whether the resource of `inner` must be deleted before that of `outer`.
pub fn goes_with(inner: &Step, outer: &Step, graph: &Graph, stays: bool) -> bool {
    is_inside(inner, outer, stays)
        || refers(inner, outer)
        || names(inner, outer, graph)
        || runs_as(inner, outer)
}

/// Whether the resource of `inner` is deleted by deleting that of `outer`, whoever created it.
fn is_deleted_with(inner: &Step, outer: &Step, stays: bool) -> bool {
    inner.kind.parent() == Some(outer.kind.name()) && is_inside(inner, outer, stays)
}

/// Whether the resource of `inner` is in that of `outer`, or a part of it.
pub fn is_inside(inner: &Step, outer: &Step, stays: bool) -> bool {
    if !outer.kind.is_deletable() || is_set(outer) {
        return false;
    }
    match (inner.kind.is_in_cluster(), outer.kind.is_in_cluster()) {
        (true, true) => is_in_namespace(inner, outer),
        (false, true) => false,
        // A user's own cluster is not the one that Google has.
        (true, false) if stays => false,
        (_, false) => is_below(inner, outer),
    }
}

fn is_in_namespace(inner: &Step, outer: &Step) -> bool {
    let is_same = |key: &str| inner.at.get(key) == outer.at.get(key);
    let name = outer.at.get("name");
    outer.at.get("kind").is_some_and(|kind| kind == "Namespace")
        && name.is_some()
        && inner.at.get("namespace") == name
        && ["project", "location", "cluster"].into_iter().all(is_same)
}

/// Whether a path is below another, or the same: a set has the path of what it is in.
fn is_below(inner: &Step, outer: &Step) -> bool {
    let (Ok(below), Ok(above)) = (inner.kind.path(&inner.at), outer.kind.path(&outer.at)) else {
        return false;
    };
    let rest = without_version(&below).strip_prefix(without_version(&above));
    inner.kind.name() != outer.kind.name()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path without the version of its API: two kinds of one resource may use different ones.
fn without_version(path: &str) -> &str {
    let is_version = |word: &str| {
        word.strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    match path.split_once('/') {
        Some((first, rest)) if is_version(first) => rest,
        _ => path,
    }
}

/// Whether `inner` refers to an output of `outer`, and not only as a text in an object.
fn refers(inner: &Step, outer: &Step) -> bool {
    if inner.kind.is_in_cluster() && !outer.kind.is_in_cluster() {
        return false;
    }
    let at = Value::Object(inner.at.clone());
    let mut found = refs::find(&inner.want).into_iter().chain(refs::find(&at));
    found.any(|reference| reference.step == outer.id)
}

/// Whether `inner` needs `outer` and has its name as a value: gcloud names a cluster's subnet instead of referring to it. In a
/// cluster a name is only looked up, and nothing is refused because of it.
fn names(inner: &Step, outer: &Step, graph: &Graph) -> bool {
    if inner.kind.is_in_cluster() || outer.kind.is_in_cluster() || is_set(outer) {
        return false;
    }
    let name = ResourceId::new(outer.kind, outer.at.clone()).short();
    outer.kind.is_deletable()
        && graph.needs(&inner.id).contains(&outer.id)
        && (has_value(&inner.want, &name) || inner.at.values().any(|one| has_value(one, &name)))
}

fn has_value(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(items) => items.iter().any(|item| has_value(item, name)),
        Value::Object(fields) => fields.values().any(|field| has_value(field, name)),
        _ => false,
    }
}

/// Whether `inner` is a workload that runs under the Kubernetes service account of `outer`: its pods hold tokens of that account,
/// which are no longer valid when it is deleted.
fn runs_as(inner: &Step, outer: &Step) -> bool {
    let is_same = |key: &str| inner.at.get(key) == outer.at.get(key);
    let place = ["project", "location", "cluster", "namespace"];
    let account = inner.want.pointer("/spec/template/spec/serviceAccountName");
    let is_account = outer
        .at
        .get("kind")
        .is_some_and(|kind| kind == "ServiceAccount");
    outer.kind.is_in_cluster()
        && is_account
        && account.is_some()
        && account == outer.at.get("name")
        && place.into_iter().all(is_same)
}

/// Whether the step adds parts to a set that others use too.
fn is_set(step: &Step) -> bool {
    !step.kind.parts(&step.want).is_empty()
}

/// What a run does to a resource that is to be replaced, by what it would do otherwise.
pub fn change_of(
    kind: Kind,
    want: &Value,
    replaced: &Replaced,
    change: Change,
    ours: bool,
) -> Change {
    if !kind.is_deletable() {
        return match (change, &replaced.because) {
            (Change::None | Change::Update(_), Some(because)) => {
                Change::Waits(vec![because.clone()])
            }
            (change, _) => change,
        };
    }
    let is_set = !kind.parts(want).is_empty();
    match change {
        Change::Create
        | Change::Pending(_)
        | Change::Delete
        | Change::Missing(_)
        | Change::Unfit(_) => change,
        // Nothing of it is ours, so nothing of it is deleted.
        change if is_set && !ours => change,
        Change::None | Change::Waits(_) if ours || replaced.inside => Change::Replace(Vec::new()),
        Change::None | Change::Waits(_) => Change::Foreign(Vec::new()),
        Change::Update(fields)
        | Change::Fixed(fields)
        | Change::Replace(fields)
        | Change::Conflict(fields)
        | Change::Foreign(fields)
        | Change::Adopt(fields) => match ours || replaced.inside {
            true => Change::Replace(fields),
            false => Change::Foreign(fields),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::{FieldDiff, bind};
    use crate::steps::{Selection, Source, Tutorial};

    /// The tutorial's steps with these values.
    fn tutorial(values: &[(&str, &str)]) -> Selection<Kind> {
        let tutorial = Tutorial::load(&Source::Embedded).unwrap();
        let given = [
            ("project", "demo-proj"),
            ("region", "us-central1"),
            ("zone", "us-central1-a"),
            ("authorized_networks", "203.0.113.99/32"),
        ];
        let given = given.iter().chain(values);
        let given = given.map(|(name, value)| ((*name).to_owned(), json!(value)));
        let params = tutorial.resolve(&given.collect()).unwrap();
        bind(tutorial.select(&params, None).unwrap()).unwrap()
    }

    /// What goes with a step: objects and firewall rules as their number.
    fn told(selection: &Selection<Kind>, step: &str, stays: bool) -> String {
        let steps = &selection.steps;
        let all = Replacement::of(steps, &selection.graph, &[step.to_owned()], stays);
        let of_kind = |kind: &str| {
            let is_it = |one: &&Step| one.kind.name() == kind && one.id != step;
            let found = steps.iter().filter(is_it);
            found.filter(|one| all.steps.contains_key(&one.id)).count()
        };
        let counted = ["kubernetes.object", "compute.firewall"];
        let named = steps.iter().filter(|one| {
            let is_counted = counted.contains(&one.kind.name()) && one.id != step;
            all.steps.contains_key(&one.id) && !is_counted
        });
        let named: Vec<&str> = named.map(|one| one.id.as_str()).collect();
        let counts = [of_kind(counted[0]), of_kind(counted[1])];
        format!(
            "{}; {} objects, {} rules",
            named.join(" "),
            counts[0],
            counts[1]
        )
    }

    #[test]
    fn what_is_in_a_resource_or_uses_it_goes_with_it() {
        let of_cluster = "cluster default-pool gateway-pool membership mesh-management";
        let selection = tutorial(&[]);
        for (step, expected) in [
            (
                "gateway-pool",
                "gateway-pool; 0 objects, 0 rules".to_owned(),
            ),
            (
                "default-pool",
                "default-pool; 0 objects, 0 rules".to_owned(),
            ),
            ("nat-router", "nat-router; 0 objects, 0 rules".to_owned()),
            (
                "membership",
                "membership mesh-management; 0 objects, 0 rules".to_owned(),
            ),
            (
                "private-gcr-io",
                "private-gcr-io private-gcr-io-records; 0 objects, 0 rules".to_owned(),
            ),
            ("cluster", format!("{of_cluster}; 38 objects, 0 rules")),
            (
                "subnet-gke",
                format!("subnet-gke {of_cluster}; 38 objects, 0 rules"),
            ),
            (
                "sa-gateway-nodes",
                "sa-gateway-nodes node-roles gateway-pool; 0 objects, 6 rules".to_owned(),
            ),
            (
                "sa-test-app-team-x",
                "sa-test-app-team-x test-app-identity test-bucket-reader; 0 objects, 0 rules"
                    .to_owned(),
            ),
            (
                "test-bucket",
                "test-bucket test-object test-bucket-reader; 0 objects, 0 rules".to_owned(),
            ),
            // The pods hold tokens of the account. The role binding only names it.
            (
                "gateway-account",
                "gateway-account; 1 objects, 0 rules".to_owned(),
            ),
            (
                "gateway-deployment",
                "gateway-deployment; 0 objects, 0 rules".to_owned(),
            ),
            (
                "allow-egress-gcp-apis",
                "allow-egress-gcp-apis; 0 objects, 0 rules".to_owned(),
            ),
        ] {
            assert_eq!(told(&selection, step, false), expected, "{step}");
        }
        let network = told(&selection, "vpc-network", false);
        assert!(network.ends_with("; 38 objects, 7 rules"), "{network}");
        for step in [
            "subnet-gke",
            "nat-router",
            "private-pkg-dev-records",
            "cluster",
        ] {
            assert!(network.contains(step), "{step}: {network}");
        }
        assert!(
            !network.contains("sa-") && !network.contains("node-roles"),
            "{network}"
        );
        // A user's own cluster is not the one that is deleted.
        assert!(told(&selection, "cluster", true).ends_with("; 0 objects, 0 rules"));
    }

    #[test]
    fn a_restart_is_done_again_and_waits_are_neither() {
        let selection = tutorial(&[("nat_addresses", "2")]);
        let named = ["namespace-team-x".to_owned()];
        let all = Replacement::of(&selection.steps, &selection.graph, &named, false);
        let ids: Vec<&str> = all.steps.keys().map(String::as_str).collect();
        assert!(ids.contains(&"test-deployment-team-x"), "{ids:?}");
        assert!(!ids.contains(&"namespace-team-y"), "{ids:?}");
        assert!(!ids.contains(&"test-ready-team-x"), "{ids:?}");
        assert!(all.again.contains_key("team-x-restart"), "{:?}", all.again);
        let told = told(&selection, "nat-address-1-of-2", false);
        assert_eq!(
            told,
            "nat-router-with-2-static nat-address-1-of-2; 0 objects, 0 rules"
        );
    }

    #[test]
    fn of_a_set_only_the_parts_that_refer_to_it_go() {
        let selection = tutorial(&[]);
        let steps = &selection.steps;
        let step = |id: &str| steps.iter().find(|step| step.id == id).unwrap();
        let of = |named: &str| {
            let named = [named.to_owned()];
            Replacement::of(steps, &selection.graph, &named, false)
        };
        let parts = of("sa-gateway-nodes").parts_of(step("node-roles"), steps, false);
        let parts = parts.unwrap();
        assert_eq!(parts.len(), 5, "{parts:?}");
        let account = "sa-gateway-nodes@demo-proj.iam.gserviceaccount.com";
        assert!(parts.iter().all(|part| part.contains(account)), "{parts:?}");
        // Named itself, or in what is deleted: all of it.
        assert_eq!(
            of("node-roles").parts_of(step("node-roles"), steps, false),
            None
        );
        let zone = of("private-gcr-io");
        assert_eq!(
            zone.parts_of(step("private-gcr-io-records"), steps, false),
            None
        );
        let bucket = of("test-bucket");
        assert_eq!(
            bucket.parts_of(step("test-bucket-reader"), steps, false),
            None
        );
    }

    #[test]
    fn what_is_not_ours_is_not_replaced_unless_it_goes_with_its_holder() {
        let field = FieldDiff {
            path: "a".to_owned(),
            have: json!(1),
            want: json!(2),
            fixed: true,
            owner: None,
        };
        let because = |inside| Replaced {
            because: Some("x".to_owned()),
            inside,
        };
        let named = Replaced {
            because: None,
            inside: false,
        };
        let fixed = || Change::Fixed(vec![field.clone()]);
        let network = "compute.network";
        for (kind, replaced, change, ours, expected) in [
            (network, &named, Change::Create, false, "create"),
            (network, &named, Change::None, true, "replace"),
            (network, &named, fixed(), true, "replace"),
            (network, &named, Change::Waits(Vec::new()), true, "replace"),
            (network, &named, Change::None, false, "foreign"),
            (network, &because(false), Change::None, false, "foreign"),
            (network, &because(true), Change::None, false, "replace"),
            (
                "kubernetes.restart",
                &because(false),
                Change::None,
                false,
                "waits",
            ),
            (
                "kubernetes.restart",
                &because(false),
                Change::Create,
                false,
                "create",
            ),
        ] {
            let kind = Kind::named(kind).unwrap();
            let said = change_of(kind, &Value::Null, replaced, change.clone(), ours);
            let said = serde_json::to_value(said).unwrap();
            assert_eq!(
                said["change"], expected,
                "{kind:?} {replaced:?} {change:?} {ours}"
            );
        }
    }
}
