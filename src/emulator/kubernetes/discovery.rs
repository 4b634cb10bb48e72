//! What the server serves: versions, groups, resources; for old clients one by one, for newer ones all at once.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::reply::ApiReply;
use super::resource::Verbs;
use super::resource::{Resource, api_version};
use super::served_kinds;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`.
pub fn version(cluster: &Cluster) -> Value {
    let version = &cluster.site.version;
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("33"));
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{version}"),
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.24",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// Answers a path of discovery; None if it is none.
pub fn answer(cluster: &Cluster, path: &str, accept: &str) -> Option<ApiReply> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let kinds = || served_kinds::all(&cluster.store);
    // Older clients offer v2beta1 alone and cannot read v2; they get the plain form.
    let together = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
    let body = match parts.as_slice() {
        ["api"] if together => return Some(aggregated(&kinds(), true)),
        ["apis"] if together => return Some(aggregated(&kinds(), false)),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:443"}],
        }),
        ["apis"] => {
            let kinds = kinds();
            let groups: Vec<Value> = groups(&kinds)
                .iter()
                .filter(|group| !group.is_empty())
                .map(|group| group_of(&kinds, group))
                .collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["apis", group] => {
            let kinds = kinds();
            if !groups(&kinds).contains(group) {
                return None;
            }
            let mut found = group_of(&kinds, group);
            (found["kind"], found["apiVersion"]) = (json!("APIGroup"), json!("v1"));
            found
        }
        ["api", "v1"] => resources(&kinds(), "", "v1")?,
        ["apis", group, version] => resources(&kinds(), group, version)?,
        _ => return None,
    };
    Some(ApiReply::ok(body))
}

/// The groups in their order, each once.
fn groups(kinds: &[Resource]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for kind in kinds {
        if !found.contains(&kind.group.as_str()) {
            found.push(&kind.group);
        }
    }
    found
}

/// The versions of a group, the preferred one first.
fn versions<'a>(kinds: &'a [Resource], group: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.group == group) {
        for version in &kind.versions {
            if !found.contains(&version.as_str()) {
                found.push(version);
            }
        }
    }
    // A kind may lack the newest version of its group; stable ones still come first.
    found.sort_by_key(|version| {
        version.contains("alpha") as u8 * 2 + version.contains("beta") as u8
    });
    found
}

fn group_of(kinds: &[Resource], group: &str) -> Value {
    let named =
        |version: &&str| json!({"groupVersion": api_version(group, version), "version": version});
    let versions = versions(kinds, group);
    json!({
        "name": group,
        "versions": versions.iter().map(named).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(named),
    })
}

fn verbs(kind: &Resource) -> &'static [&'static str] {
    match kind.verbs {
        Verbs::All => &[
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ],
        Verbs::Review => &["create"],
    }
}

/// What a subresource is an object of, and what can be done with it.
fn below(
    kind: &Resource,
    subresource: &str,
    version: &str,
) -> (String, String, String, &'static [&'static str]) {
    let own = |verbs: &'static [&'static str]| {
        (
            kind.group.clone(),
            version.to_owned(),
            kind.kind.clone(),
            verbs,
        )
    };
    match subresource {
        "scale" => (
            "autoscaling".to_owned(),
            "v1".to_owned(),
            "Scale".to_owned(),
            &["get", "patch", "update"],
        ),
        "exec" => (
            String::new(),
            "v1".to_owned(),
            "PodExecOptions".to_owned(),
            &["create", "get"],
        ),
        "log" => own(&["get"]),
        "finalize" => own(&["update"]),
        _ => own(&["get", "patch", "update"]),
    }
}

fn resources(kinds: &[Resource], group: &str, version: &str) -> Option<Value> {
    let mut found = Vec::new();
    for kind in kinds
        .iter()
        .filter(|kind| kind.group == group && kind.versions.iter().any(|one| one == version))
    {
        let mut row = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": verbs(kind),
        });
        if !kind.short.is_empty() {
            row["shortNames"] = json!(kind.short);
        }
        if !kind.categories.is_empty() {
            row["categories"] = json!(kind.categories);
        }
        found.push(row);
        for name in &kind.subresources {
            let (_, _, of, verbs) = below(kind, name, version);
            found.push(json!({
                "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced, "kind": of, "verbs": verbs,
            }));
        }
    }
    (!found.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version(group, version), "resources": found})
    })
}

fn aggregated(kinds: &[Resource], core: bool) -> ApiReply {
    let items: Vec<Value> = groups(kinds)
        .into_iter()
        .filter(|group| group.is_empty() == core)
        .map(|group| {
            let versions: Vec<Value> = versions(kinds, group)
                .into_iter()
                .map(|version| {
                    let here = kinds.iter().filter(|kind| {
                        kind.group == group && kind.versions.iter().any(|one| one == version)
                    });
                    let rows: Vec<Value> = here.map(|kind| row(kind, version)).collect();
                    json!({"version": version, "resources": rows, "freshness": "Current"})
                })
                .collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = json!(group);
            }
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    ApiReply::Document {
        content_type: AGGREGATED,
        body: body.to_string(),
        keep: false,
    }
}

fn row(kind: &Resource, version: &str) -> Value {
    let below: Vec<Value> = kind
        .subresources
        .iter()
        .map(|name| {
            let (group, version, of, verbs) = below(kind, name, version);
            json!({"subresource": name, "responseKind": {"group": group, "version": version, "kind": of}, "verbs": verbs})
        })
        .collect();
    let mut row = json!({
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": version, "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": verbs(kind),
    });
    for (field, list) in [
        ("shortNames", &kind.short),
        ("categories", &kind.categories),
    ] {
        if !list.is_empty() {
            row[field] = json!(list);
        }
    }
    if !below.is_empty() {
        row["subresources"] = json!(below);
    }
    row
}
