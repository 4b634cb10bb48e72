//! Memberships: that a cluster belongs to the fleet. Registered by a user here, or by GKE for a cluster that asks for it.

use serde_json::{Value, json};

use super::operations::{self, HubAction};
use super::resource::{answer_page, idle, key, mask, members, numbered, public, stored, vacant};
use super::{fleets, membership_specs};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::labels;
use crate::lro;
use crate::members;
use crate::names;
use crate::operation::Effect;
use crate::regions;
use crate::request::Request;
use crate::world::{Project, World};

/// Notes that GKE registered the cluster, so that GKE also ends the membership.
const BY_GKE: &str = "_by_gke";

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    Ok(public(stored(world, request.param("name"))?).into())
}

/// LIST.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let found = members(world, request, "memberships")
        .into_iter()
        .map(|(_, one)| public(one))
        .collect();
    answer_page(request, "resources", found)
}

/// POST.
pub fn create(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let id = request.query("membershipId").unwrap_or_default();
    let name = format!("{}/memberships/{id}", request.param("parent"));
    check_id(id)?;
    labels::check(&request.body["labels"], ErrorResponse::bad_request)?;
    let location = names::segment(&name, "locations").unwrap_or_default();
    if location != "global" && !regions::is_region(location) {
        // As GKE says of a location that does not exist; what the fleet's own service says is not recorded.
        return Err(ErrorResponse::forbidden(format!(
            "Permission denied on 'locations/{location}' (or it may not exist)."
        )));
    }
    vacant(world, &name)?;
    let link = request
        .body
        .pointer("/endpoint/gkeCluster/resourceLink")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let cluster = Cluster::of(world, link)?;
    cluster.check_issuer(&request.body)?;
    let mut membership = object(
        world,
        &name,
        &cluster,
        request.body.get("authority").is_some(),
    );
    // As it was sent: gcloud unregisters only what has the link that it would send itself.
    membership["endpoint"]["gkeCluster"]["resourceLink"] = json!(link);
    for field in ["labels", "externalId"] {
        if let Some(value) = request.body.get(field) {
            membership[field] = value.clone();
        }
    }
    let mut coming = membership.clone();
    coming["state"] = json!({"code": "CREATING"});
    world.put(key(&name), coming);
    let effects = joined(world, project, &name, &membership, &cluster.key);
    let deed = HubAction {
        verb: "create",
        target: &name,
        kind: ("v1", "Membership"),
        result: public(membership),
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// PATCH.
pub fn patch(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let name = request.param("name");
    let mut membership = stored(world, name)?;
    idle(world, name)?;
    for field in mask(request)? {
        match field.as_str() {
            "labels" => {
                labels::check(&request.body[&field], ErrorResponse::bad_request)?;
                membership[&field] = request.body[&field].clone();
            }
            "externalId" => membership[&field] = request.body[&field].clone(),
            "authority" => {
                let link = membership
                    .pointer("/endpoint/gkeCluster/resourceLink")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let cluster = Cluster::of(world, link)?;
                cluster.check_issuer(&request.body)?;
                membership["authority"] = cluster.authority();
            }
            other => {
                return Err(ErrorResponse::bad_request(format!(
                    "Field '{other}' cannot be updated."
                )));
            }
        }
    }
    membership["updateTime"] = json!(clock::utc(world.now()));
    let effects = vec![Effect::Put {
        key: key(name),
        value: membership.clone(),
    }];
    let deed = HubAction {
        verb: "update",
        target: name,
        kind: ("v1", "Membership"),
        result: public(membership),
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// DELETE. `force` is about subresources, and the features of a membership are not among them: `gcloud container fleet memberships
/// unregister` sends no `force`, and takes a cluster out of a fleet with a mesh. Its features go with it.
pub fn delete(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let name = request.param("name");
    let membership = stored(world, name)?;
    idle(world, name)?;
    let below = membership_specs::of_membership(world, name);
    if let Some(stored) = world.edit(&key(name)) {
        stored["state"] = json!({"code": "DELETING"});
    }
    let mut effects: Vec<Effect> = below
        .into_iter()
        .map(|key| Effect::Remove { key })
        .collect();
    effects.push(Effect::Remove { key: key(name) });
    effects.extend(
        membership_specs::cluster_key(&membership).map(|key| Effect::Merge {
            key,
            fields: [("fleet".to_owned(), Value::Null)].into_iter().collect(),
        }),
    );
    let deed = HubAction {
        verb: "delete",
        target: name,
        kind: ("v1", "Membership"),
        result: Value::Null,
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// What GKE does for a cluster with `fleet.project`: the cluster's own field, and a membership of the cluster's name in
/// its region once the cluster runs. `place` is `projects/p/locations/l`.
pub fn registered_by_gke(
    world: &World,
    project: &Project,
    region: &str,
    place: &str,
    cluster: &str,
) -> (Value, Vec<Effect>) {
    let name = format!(
        "projects/{}/locations/{region}/memberships/{cluster}",
        project.id
    );
    let cluster = Cluster {
        key: names::key("container", &format!("{place}/clusters/{cluster}")),
        has_pool: true,
    };
    let mut membership = object(world, &name, &cluster, true);
    membership[BY_GKE] = json!(true);
    // The cluster's own effects say that it is in a fleet.
    let mut effects = joined(world, project, &name, &membership, &cluster.key);
    effects.retain(|effect| !matches!(effect, Effect::Merge { .. }));
    (fleet_of(project, &name), effects)
}

/// The end of a membership that GKE made; one that a user made stays behind, dangling.
pub fn unregistered_by_gke(world: &World, cluster: &Value) -> Vec<Effect> {
    let link = cluster
        .pointer("/fleet/membership")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let owner = cluster
        .pointer("/fleet/project")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let rest = names::path(link).splitn(3, '/').nth(2).unwrap_or_default();
    let name = format!("projects/{owner}/{rest}");
    match world.get(&key(&name)) {
        Some(membership) if membership.get(BY_GKE).is_some() => {
            let below = membership_specs::of_membership(world, &name);
            below
                .into_iter()
                .chain([key(&name)])
                .map(|key| Effect::Remove { key })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A membership by a name with the project's id or number in it.
///
/// # Errors
/// 400, as users quote it of Terraform (terraform-provider-google, issue 16795).
pub fn named(world: &World, project: &Project, name: &str) -> Result<String, ErrorResponse> {
    let mut parts = name.splitn(3, '/');
    let (_, owner, rest) = (
        parts.next(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let own = format!("projects/{}/{rest}", project.id);
    let ours = owner == project.id || owner == project.number.to_string();
    if ours && world.get(&key(&own)).is_some() {
        return Ok(own);
    }
    Err(ErrorResponse::bad_request(format!(
        "InvalidValueError for field membership_specs[\"{name}\"].feature_spec: does not match a current membership in this project. \
         Keys should be in the form: projects/<project_number>/locations/{{l}}/memberships/{{m}}"
    )))
}

struct Cluster {
    key: String,
    has_pool: bool,
}

impl Cluster {
    /// The cluster of a new membership, which must exist. The text is not recorded.
    fn of(world: &World, link: &str) -> Result<Cluster, ErrorResponse> {
        let key = names::key("container", names::path(link));
        // gcloud takes the host from where it sends its requests: `//127.0.0.1:4010/container.googleapis.com/projects/…`.
        let is_cluster = |link: &str| {
            let host = link.split("/projects/").next().unwrap_or_default();
            host.starts_with("//") && host.ends_with("/container.googleapis.com")
        };
        let found = world.get(&key).filter(|_| is_cluster(link));
        match found {
            Some(cluster)
                if cluster["status"] == "PROVISIONING" || cluster["status"] == "STOPPING" =>
            {
                Err(ErrorResponse::failed_precondition(format!(
                    "GKE cluster '{link}' is not running."
                )))
            }
            None => Err(ErrorResponse::bad_request(format!(
                "GKE cluster '{link}' was not found."
            ))),
            Some(cluster) => Ok(Cluster {
                key,
                has_pool: cluster
                    .pointer("/workloadIdentityConfig/workloadPool")
                    .is_some(),
            }),
        }
    }

    fn issuer(&self) -> String {
        format!(
            "https://container.googleapis.com/v1/{}",
            names::path(&self.key)
        )
    }

    /// An issuer can be set only for a cluster that issues identities, and only its own.
    fn check_issuer(&self, sent: &Value) -> Result<(), ErrorResponse> {
        match sent
            .pointer("/authority/issuer")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "" => Ok(()),
            // The host is again the one that gcloud sends its requests to.
            issuer
                if self.has_pool
                    && names::path(issuer) == names::path(&self.key)
                    && issuer.contains("/container.googleapis.com/v1/") =>
            {
                Ok(())
            }
            issuer => Err(ErrorResponse::bad_request(format!(
                "Invalid authority issuer '{issuer}' for the GKE cluster."
            ))),
        }
    }

    fn authority(&self) -> Value {
        let project = names::segment(&self.key, "projects").unwrap_or_default();
        json!({
            "issuer": self.issuer(),
            "workloadIdentityPool": members::pool_of(project),
            "identityProvider": self.issuer(),
        })
    }
}

fn object(world: &World, name: &str, cluster: &Cluster, identity: bool) -> Value {
    let now = clock::utc(world.now());
    let path = names::path(&cluster.key);
    let mut membership = json!({
        "name": name,
        "endpoint": {"gkeCluster": {"resourceLink": cluster.key}, "googleManaged": true},
        "state": {"code": "READY"},
        "createTime": now,
        "updateTime": now,
        "uniqueId": lro::uuid(&format!("membership {name} {now}")),
        "externalId": lro::uuid(&format!("cluster {path}")),
        "lastConnectionTime": now,
        "monitoringConfig": {
            "projectId": names::segment(path, "projects"),
            "location": names::segment(path, "locations"),
            "cluster": names::leaf(path),
            "kubernetesMetricsPrefix": "kubernetes.io",
            "clusterHash": names::hex(path, 16),
        },
    });
    if identity {
        membership["authority"] = cluster.authority();
    }
    membership
}

/// What a new membership changes: itself, the fleet if it is the first, the cluster's own field, and what the fleet's
/// features configure by default.
fn joined(
    world: &World,
    project: &Project,
    name: &str,
    membership: &Value,
    cluster: &str,
) -> Vec<Effect> {
    let mut effects = vec![Effect::Put {
        key: key(name),
        value: membership.clone(),
    }];
    effects.extend(fleets::founded(world, project));
    let fleet = [("fleet".to_owned(), fleet_of(project, name))];
    effects.push(Effect::Merge {
        key: cluster.to_owned(),
        fields: fleet.into_iter().collect(),
    });
    effects.extend(membership_specs::wanted_by_fleet(world, project, name));
    effects
}

fn fleet_of(project: &Project, membership: &str) -> Value {
    json!({"project": project.id, "membership": format!("//gkehub.googleapis.com/{}", numbered(membership, project))})
}

/// The text is not recorded.
fn check_id(id: &str) -> Result<(), ErrorResponse> {
    let fine = (1..=63).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && !id.ends_with('-')
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fine {
        return Ok(());
    }
    Err(ErrorResponse::bad_request(format!(
        "Invalid membership_id '{id}': must match the regex [a-z0-9]([-a-z0-9]*[a-z0-9])?."
    )))
}
