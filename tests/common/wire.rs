//! A step as the request that would make it, spelled out again for the tests: what the program sends is held against
//! Google and against gcloud elsewhere; this is about what `steps/` says.

use std::collections::BTreeMap;

use provision::steps::{Source, Step, Tutorial, refs};
use serde_json::{Value, json};

use super::discovery::Document;

/// What would go over the wire.
pub struct Request {
    /// The document that knows the method.
    pub api: &'static str,
    /// POST, PUT or PATCH.
    pub verb: &'static str,
    /// Behind the host.
    pub path: String,
    /// The body, with all references filled.
    pub body: Value,
}

/// The parameters of the recorded run of gcloud.
pub fn steps(source: &Source, control_plane: &str) -> Result<Vec<Step>, String> {
    let tutorial = Tutorial::load(source).map_err(|e| e.to_string())?;
    let given = [
        ("project", "demo-proj"),
        ("region", "us-central1"),
        ("zone", "us-central1-a"),
        ("authorized_networks", "203.0.113.99/32"),
        ("control_plane", control_plane),
    ];
    let given: BTreeMap<String, Value> = given
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .into();
    let params = tutorial.resolve(&given).map_err(|e| e.to_string())?;
    tutorial
        .select(&params, None)
        .map(|selection| selection.steps)
        .map_err(|e| e.to_string())
}

/// The kinds of Google's: the document and schema of what stands there afterwards, and the fields that other steps may
/// refer to, with their values.
fn gives(step: &Step) -> (&'static str, &'static str, Vec<(&'static str, String)>) {
    let at = |key: &str| step.at.get(key).and_then(Value::as_str).unwrap_or_default();
    let compute = |rest: String| {
        format!(
            "https://compute.googleapis.com/compute/v1/projects/{}/{rest}",
            at("project")
        )
    };
    match step.kind.as_str() {
        "compute.network" => {
            let link = compute(format!("global/networks/{}", at("network")));
            ("compute.v1", "Network", vec![("selfLink", link)])
        }
        "compute.subnetwork" => {
            let link = compute(format!(
                "regions/{}/subnetworks/{}",
                at("region"),
                at("subnetwork")
            ));
            ("compute.v1", "Subnetwork", vec![("selfLink", link)])
        }
        "iam.serviceAccount" => {
            let email = format!(
                "{}@{}.iam.gserviceaccount.com",
                at("account"),
                at("project")
            );
            ("iam.v1", "ServiceAccount", vec![("email", email)])
        }
        "dns.managedZone" => (
            "dns.v1",
            "ManagedZone",
            vec![("name", at("managedZone").to_owned())],
        ),
        "storage.bucket" => (
            "storage.v1",
            "Bucket",
            vec![("name", at("bucket").to_owned())],
        ),
        "container.cluster" => (
            "container.v1",
            "Cluster",
            vec![
                ("name", at("cluster").to_owned()),
                ("location", at("location").to_owned()),
                ("endpoint", "192.0.2.1".to_owned()),
            ],
        ),
        "gkehub.membership" => {
            let name = format!(
                "projects/{}/locations/{}/memberships/{}",
                at("project"),
                at("location"),
                at("membership")
            );
            ("gkehub.v1", "Membership", vec![("name", name)])
        }
        _ => ("", "", Vec::new()),
    }
}

/// The step's `want` with its references filled, or what could not be.
pub fn filled(step: &Step, steps: &[Step]) -> Result<Value, String> {
    let known = |reference: &refs::Ref| {
        let target = steps.iter().find(|step| step.id == reference.step)?;
        // What a cluster gives is not in Google's documents.
        if target.kind == "kubernetes.object" {
            return ["uid", "version"]
                .contains(&reference.field.as_str())
                .then(|| json!("1"));
        }
        let (api, schema, fields) = gives(target);
        let (_, value) = fields.iter().find(|(field, _)| *field == reference.field)?;
        Document::read(api)
            .has_field(schema, &reference.field)
            .then(|| json!(value))
    };
    refs::fill(&step.want, &known).map_err(|missing| {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        format!("{} cannot be filled", missing.join(", "))
    })
}

/// The request for a step whose `want` is filled; none for a kind that is not Google's.
pub fn request(step: &Step, want: &Value) -> Option<Request> {
    let at = |key: &str| step.at.get(key).and_then(Value::as_str).unwrap_or_default();
    let project = at("project");
    let place = format!("/v1/projects/{project}/locations/{}", at("location"));
    let compute = |scope: &str| format!("/compute/v1/projects/{project}/{scope}");
    let dns = |rest: &str| format!("/dns/v1/projects/{project}/managedZones{rest}");
    let named = |name: &str| {
        let mut body = want.clone();
        body["name"] = json!(name);
        body
    };
    let post = |api, path, body| Request {
        api,
        verb: "POST",
        path,
        body,
    };
    Some(match step.kind.as_str() {
        "services" => {
            let path = format!("/v1/projects/{project}/services:batchEnable");
            post(
                "serviceusage.v1",
                path,
                json!({"serviceIds": want["services"]}),
            )
        }
        "compute.network" => post(
            "compute.v1",
            compute("global/networks"),
            named(at("network")),
        ),
        "compute.firewall" => post(
            "compute.v1",
            compute("global/firewalls"),
            named(at("firewall")),
        ),
        "compute.subnetwork" => {
            let path = compute(&format!("regions/{}/subnetworks", at("region")));
            post("compute.v1", path, named(at("subnetwork")))
        }
        "compute.router" => post(
            "compute.v1",
            compute(&format!("regions/{}/routers", at("region"))),
            named(at("router")),
        ),
        "iam.serviceAccount" => {
            let body = json!({"accountId": at("account"), "serviceAccount": want});
            post(
                "iam.v1",
                format!("/v1/projects/{project}/serviceAccounts"),
                body,
            )
        }
        "iam.projectMembers" => post(
            "cloudresourcemanager.v1",
            format!("/v1/projects/{project}:setIamPolicy"),
            json!({"policy": want}),
        ),
        "iam.serviceAccountMembers" => {
            let path = format!(
                "/v1/projects/{project}/serviceAccounts/{}:setIamPolicy",
                at("account")
            );
            post("iam.v1", path, json!({"policy": want}))
        }
        "dns.managedZone" => post("dns.v1", dns(""), named(at("managedZone"))),
        "dns.records" => {
            // `want` is ours here, and holds Google's record sets.
            let path = dns(&format!("/{}/changes", at("managedZone")));
            post("dns.v1", path, json!({"additions": want["rrsets"]}))
        }
        "container.cluster" => post(
            "container.v1",
            format!("{place}/clusters"),
            json!({"cluster": named(at("cluster"))}),
        ),
        "container.nodePool" => {
            let path = format!("{place}/clusters/{}/nodePools", at("cluster"));
            post(
                "container.v1",
                path,
                json!({"nodePool": named(at("nodePool"))}),
            )
        }
        "gkehub.feature" => post("gkehub.v1", format!("{place}/features"), want.clone()),
        "gkehub.membership" => post("gkehub.v1", format!("{place}/memberships"), want.clone()),
        "gkehub.membershipFeature" => {
            let path = format!(
                "/v2{}/memberships/{}/features/{}",
                &place[3..],
                at("membership"),
                at("feature")
            );
            Request {
                api: "gkehub.v2",
                verb: "PATCH",
                path,
                body: want.clone(),
            }
        }
        "storage.bucket" => post(
            "storage.v1",
            "/storage/v1/b".to_owned(),
            named(at("bucket")),
        ),
        "storage.bucketMembers" => {
            let path = format!("/storage/v1/b/{}/iam", at("bucket"));
            Request {
                api: "storage.v1",
                verb: "PUT",
                path,
                body: want.clone(),
            }
        }
        "storage.object" => {
            // The content is no field of the object: it goes beside.
            let mut body = named(at("object"));
            body.as_object_mut().and_then(|body| body.remove("content"));
            post(
                "storage.v1",
                format!("/storage/v1/b/{}/o", at("bucket")),
                body,
            )
        }
        _ => return None,
    })
}
