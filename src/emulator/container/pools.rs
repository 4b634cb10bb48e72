//! Node pools.

use serde_json::{Value, json};

use super::config;
use super::location::Location;
use super::network;
use super::new_cluster::check_name;
use super::operations;
use super::pool_rules;
use crate::answer::{ErrorResponse, Response};
use crate::lro;
use crate::members::{self, Standing};
use crate::names;
use crate::operation::Effect;
use crate::request::Request;
use crate::world::World;

/// The scopes of nodes that run as the default account and were given none.
const SCOPES: &[&str] = &[
    "https://www.googleapis.com/auth/devstorage.read_only",
    "https://www.googleapis.com/auth/logging.write",
    "https://www.googleapis.com/auth/monitoring",
    "https://www.googleapis.com/auth/service.management.readonly",
    "https://www.googleapis.com/auth/servicecontrol",
    "https://www.googleapis.com/auth/trace.append",
];

/// Where the state notes which pool came first; never printed.
const SERIAL: &str = "_serial";

/// The pool that GKE makes of what was sent, as it will be when it runs.
///
/// # Errors
/// 400 for a name or an account that cannot be.
pub fn draft(
    world: &mut World,
    place: &Location,
    cluster: &Value,
    sent: &Value,
) -> Result<Value, ErrorResponse> {
    let name = sent["name"].as_str().unwrap_or_default();
    check_name("NodePool.name", name)?;
    check_account(world, &place.project.id, sent)?;
    pool_rules::check(world, place, cluster, sent)?;
    let cluster_name = cluster["name"].as_str().unwrap_or_default();
    let serial = world.count("container.pool");
    let seed = format!("{cluster_name} {name} {serial}");
    let groups: Vec<String> = place
        .zones()
        .iter()
        .map(|zone| {
            let group = format!("gke-{cluster_name:.16}-{name:.16}-{}-grp", names::hex(&format!("{seed} {zone}"), 8));
            format!("https://www.googleapis.com/compute/v1/projects/{}/zones/{zone}/instanceGroupManagers/{group}", place.project.id)
        })
        .collect();
    let mut pool = json!({
        "config": {
            "bootDisk": {"diskType": "pd-balanced", "sizeGb": "100"},
            "diskSizeGb": 100,
            "diskType": "pd-balanced",
            "effectiveCgroupMode": "EFFECTIVE_CGROUP_MODE_V2",
            "imageType": "COS_CONTAINERD",
            "kubeletConfig": {"insecureKubeletReadonlyPortEnabled": false, "maxParallelImagePulls": 2},
            "machineType": "e2-medium",
            "metadata": {"disable-legacy-endpoints": "true"},
            "oauthScopes": SCOPES,
            "resourceLabels": {"goog-gke-node-pool-provisioning-model": "on-demand"},
            "serviceAccount": "default",
            "shieldedInstanceConfig": {"enableIntegrityMonitoring": true},
            "windowsNodeConfig": {},
        },
        "etag": lro::uuid(&seed),
        "instanceGroupUrls": groups,
        "locations": place.zones(),
        "management": {"autoRepair": true, "autoUpgrade": true},
        "maxPodsConstraint": cluster["defaultMaxPodsConstraint"],
        "networkConfig": {
            "subnetwork": cluster["networkConfig"]["subnetwork"],
            "networkTierConfig": {"networkTier": "NETWORK_TIER_DEFAULT"},
        },
        "podIpv4CidrSize": 24,
        "selfLink": place.link(&format!("clusters/{cluster_name}/nodePools/{name}")),
        "status": "RUNNING",
        "upgradeSettings": {"maxSurge": 1, "strategy": "SURGE"},
        "version": cluster["currentNodeVersion"],
    });
    if cluster["networkConfig"]["defaultEnablePrivateNodes"] == json!(true) {
        pool["networkConfig"]["enablePrivateNodes"] = json!(true);
    }
    // With workload identity on, nodes hide their own.
    if cluster
        .pointer("/workloadIdentityConfig/workloadPool")
        .is_some()
    {
        pool["config"]["workloadMetadataConfig"] = json!({"mode": "GKE_METADATA"});
    }
    let mut pool = config::merged(pool, sent);
    if pool["autoscaling"]["enabled"] == json!(true)
        && pool["autoscaling"].get("locationPolicy").is_none()
    {
        pool["autoscaling"]["locationPolicy"] = json!("BALANCED");
    }
    if let Some(range) = sent
        .pointer("/networkConfig/podRange")
        .and_then(Value::as_str)
    {
        pool["networkConfig"]["podRange"] = json!(range);
        pool["networkConfig"]["podIpv4CidrBlock"] = own_range(world, cluster, range);
    }
    set_pods(&mut pool, cluster);
    pool[SERIAL] = json!(serial);
    Ok(config::printed(pool))
}

/// The addresses of a secondary range of the cluster's subnetwork; null if it has none of this name.
fn own_range(world: &World, cluster: &Value, name: &str) -> Value {
    let subnetwork = cluster["networkConfig"]["subnetwork"].as_str();
    let stored = world.get(&names::key("compute", subnetwork.unwrap_or_default()));
    let range = stored.and_then(|stored| network::secondary(stored, Some(name)).ok().flatten());
    json!(range.map(|range| range.to_string()))
}

/// Puts a drafted pool there, PROVISIONING; the effect is that it runs.
pub fn coming(world: &mut World, place: &Location, cluster: &str, pool: Value) -> Effect {
    let name = pool["name"].as_str().unwrap_or_default();
    let key = place.key(&format!("clusters/{cluster}/nodePools/{name}"));
    let mut before = pool.clone();
    before["status"] = json!("PROVISIONING");
    world.put(key.clone(), before);
    Effect::Put { key, value: pool }
}

/// Writes where the pool's pods live, which the cluster knows.
pub fn set_pods(pool: &mut Value, cluster: &Value) {
    let policy = &cluster["ipAllocationPolicy"];
    for (field, from) in [
        ("podIpv4CidrBlock", "clusterIpv4Cidr"),
        ("podRange", "clusterSecondaryRangeName"),
    ] {
        // A pool may have a range of its own.
        if let Some(value) = policy
            .get(from)
            .filter(|_| pool["networkConfig"].get(field).is_none())
        {
            pool["networkConfig"][field] = value.clone();
        }
    }
}

/// The pools of a cluster as they are printed, in no order, and the place of the oldest among them: the cluster says of
/// it what it would say of itself.
pub fn shown(world: &World, cluster_key: &str) -> (Vec<Value>, usize) {
    let stored: Vec<&Value> = world
        .list(&format!("{cluster_key}/nodePools"))
        .into_iter()
        .map(|(_, pool)| pool)
        .collect();
    let age = |at: &usize| stored[*at][SERIAL].as_u64().unwrap_or_default();
    let oldest = (0..stored.len()).min_by_key(age).unwrap_or_default();
    (stored.into_iter().map(print).collect(), oldest)
}

fn print(pool: &Value) -> Value {
    let mut pool = pool.clone();
    if let Some(fields) = pool.as_object_mut() {
        fields.remove(SERIAL);
    }
    pool
}

/// Nodes run as an account that is there. The words are those that users of GKE quote, not a record.
fn check_account(world: &World, project: &str, pool: &Value) -> Result<(), ErrorResponse> {
    let account = pool
        .pointer("/config/serviceAccount")
        .and_then(Value::as_str)
        .unwrap_or("default");
    let member = format!("serviceAccount:{account}");
    if account == "default" || members::standing(world, project, &member) == Standing::Fine {
        return Ok(());
    }
    Err(ErrorResponse::bad_request(format!(
        "The user does not have access to service account \"{account}\". Ask a project owner to grant you the \
         iam.serviceAccountUser role on the service account."
    )))
}

/// GET.
pub fn get(world: &World, request: &Request, place: &Location) -> Result<Response, ErrorResponse> {
    let (_, _, key) = find(world, request, place)?;
    Ok(world.get(&key).map(print).unwrap_or_default().into())
}

/// LIST.
pub fn list(world: &World, request: &Request, place: &Location) -> Result<Response, ErrorResponse> {
    let (key, _) = place.cluster(world, names::leaf(request.param("parent")))?;
    let (pools, _) = shown(world, &key);
    Ok(if pools.is_empty() {
        json!({})
    } else {
        json!({"nodePools": pools})
    }
    .into())
}

/// POST.
pub fn create(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let cluster_name = names::leaf(request.param("parent")).to_owned();
    let (_, cluster) = place.cluster(world, &cluster_name)?;
    let sent = &request.body["nodePool"];
    let below = format!(
        "clusters/{cluster_name}/nodePools/{}",
        sent["name"].as_str().unwrap_or_default()
    );
    let key = place.key(&below);
    if world.get(&key).is_some() {
        return Err(ErrorResponse::already_exists(format!(
            "Already exists: {}.",
            place.legacy_path(&below)
        )));
    }
    operations::idle(world, place, &cluster_name)?;
    let pool = draft(world, place, &cluster, sent)?;
    let effects = vec![coming(world, place, &cluster_name, pool)];
    Ok(operations::begin(
        world,
        request,
        place,
        "CREATE_NODE_POOL",
        &below,
        effects,
    ))
}

/// Where a field of an update goes in the pool; the others go to `config` under their own name.
const OWN: &[&str] = &[
    "locations",
    "upgradeSettings",
    "maintenancePolicy",
    "nodeDrainConfig",
    "queuedProvisioning",
];

/// Begins an operation at whose end the pool is `changed`; until then it is the old one, and RECONCILING. `below` is the pool's
/// path, `key` its key.
fn reconcile(
    world: &mut World,
    request: &Request,
    place: &Location,
    operation: &str,
    (below, key): (&str, &str),
    changed: Value,
) -> Response {
    let effects = vec![Effect::Put {
        key: key.to_owned(),
        value: config::printed(changed),
    }];
    if let Some(stored) = world.edit(key) {
        stored["status"] = json!("RECONCILING");
    }
    operations::begin(world, request, place, operation, below, effects)
}

/// PUT: every field that it names is replaced.
pub fn update(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let (below, cluster, key) = find(world, request, place)?;
    operations::idle(world, place, &cluster)?;
    let mut pool = world.get(&key).cloned().unwrap_or_default();
    pool_rules::check_config(place, &request.body)?;
    pool_rules::check_upgrades(&request.body["upgradeSettings"])?;
    pool_rules::check_locations(place, "NodePool.locations", &request.body["locations"])?;
    let mut changed = false;
    for (field, value) in request.body.as_object().into_iter().flatten() {
        if [
            "name",
            "etag",
            "projectId",
            "zone",
            "clusterId",
            "nodePoolId",
        ]
        .contains(&field.as_str())
        {
            continue;
        }
        changed = true;
        match field.as_str() {
            // A list or a map inside a message of its own, so that an empty one can be told from none.
            "taints" | "labels" | "tags" => pool["config"][field] = value[field].clone(),
            "resourceLabels" => pool["config"][field] = value["labels"].clone(),
            "nodeVersion" => pool["version"] = value.clone(),
            own if OWN.contains(&own) => pool[field] = value.clone(),
            _ => pool["config"][field] = value.clone(),
        }
    }
    if !changed {
        return Err(ErrorResponse::bad_request(
            "Must specify a field to update.",
        ));
    }
    Ok(reconcile(
        world,
        request,
        place,
        "UPGRADE_NODES",
        (&below, &key),
        pool,
    ))
}

/// POST `:setSize`: the number of nodes in each of the pool's zones. A pool reports its new size as the initial one; source: the
/// documentation of Terraform's provider, not a record.
pub fn set_size(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let (below, cluster, key) = find(world, request, place)?;
    let count = request.body["nodeCount"].as_i64().unwrap_or_default();
    if count < 0 {
        // The words are not recorded.
        return Err(ErrorResponse::bad_request(
            "NodePool.node_count must not be negative.",
        ));
    }
    operations::idle(world, place, &cluster)?;
    let mut pool = world.get(&key).cloned().unwrap_or_default();
    pool["initialNodeCount"] = json!(count);
    Ok(reconcile(
        world,
        request,
        place,
        "SET_NODE_POOL_SIZE",
        (&below, &key),
        pool,
    ))
}

/// POST `:setManagement`: the pool's upgrades and repairs, replaced whole.
pub fn set_management(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let (below, cluster, key) = find(world, request, place)?;
    operations::idle(world, place, &cluster)?;
    let mut pool = world.get(&key).cloned().unwrap_or_default();
    pool["management"] = request.body["management"].clone();
    Ok(reconcile(
        world,
        request,
        place,
        "SET_NODE_POOL_MANAGEMENT",
        (&below, &key),
        pool,
    ))
}

/// DELETE.
pub fn delete(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let (below, cluster, key) = find(world, request, place)?;
    operations::idle(world, place, &cluster)?;
    if let Some(stored) = world.edit(&key) {
        stored["status"] = json!("STOPPING");
    }
    let effects = vec![Effect::Remove { key }];
    Ok(operations::begin(
        world,
        request,
        place,
        "DELETE_NODE_POOL",
        &below,
        effects,
    ))
}

/// The pool that a request names: `clusters/c/nodePools/n`, the cluster's name, and the pool's key.
fn find(
    world: &World,
    request: &Request,
    place: &Location,
) -> Result<(String, String, String), ErrorResponse> {
    let name = request.param("name");
    let cluster = names::segment(name, "clusters").unwrap_or_default();
    place.cluster(world, cluster)?;
    let pool = names::leaf(name);
    let below = format!("clusters/{cluster}/nodePools/{pool}");
    let key = place.key(&below);
    match world.get(&key) {
        Some(_) => Ok((below, cluster.to_owned(), key)),
        None => Err(missing(pool)),
    }
}

/// The refusal for a pool that is not there.
pub fn missing(pool: &str) -> ErrorResponse {
    ErrorResponse::not_found(format!("Not found: node pool \"{pool}\" not found."))
}
