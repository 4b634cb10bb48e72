//! From the body of a create to the cluster that GKE makes of it. What GKE fills in is recorded, see the fixtures.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::config;
use super::defaults;
use super::endpoints;
use super::footprint::NetworkFootprint;
use super::location::Location;
use super::network;
use super::pool_rules;
use super::shared_vpc;
use super::versions;
use crate::answer::ErrorResponse;
use crate::clock;
use crate::labels;
use crate::lro;
use crate::members;
use crate::names;
use crate::world::World;

/// Messages that, unlike others, are not printed if they were sent empty (recorded).
const SILENT: &[(&str, &str)] = &[("", "networkPolicy"), ("maintenancePolicy", "window")];

/// A cluster that is being created.
#[derive(Debug)]
pub struct NewCluster {
    /// The cluster as it will be when it runs, without its node pools.
    pub cluster: Value,
    /// Its node pools as they were sent.
    pub pools: Vec<Value>,
    /// Where it lies in its network.
    pub footprint: NetworkFootprint,
    /// The range of its pods, if the request names one.
    pub pods: Option<Ipv4Net>,
}

/// Makes the cluster of a request, or refuses to.
///
/// # Errors
/// 400 for values that contradict each other. Texts that are not recorded are the emulator's; the reasons are Google's.
pub fn cluster(
    world: &mut World,
    place: &Location,
    sent: &Value,
) -> Result<NewCluster, ErrorResponse> {
    let name = sent["name"].as_str().unwrap_or_default();
    check_name("Cluster.name", name)?;
    let (network, subnetwork) = network::networks(world, place, sent)?;
    shared_vpc::check(world, place, &network, &subnetwork)?;
    let ranges = world
        .get(&names::key("compute", &subnetwork))
        .cloned()
        .unwrap_or_default();
    let alloc = &sent["ipAllocationPolicy"];
    check_ranges(alloc)?;
    labels::check_cluster("cluster.resource_labels", &sent["resourceLabels"])?;
    pool_rules::check_locations(place, "Cluster.locations", &sent["locations"])?;
    pool_rules::check_pods(sent.pointer("/defaultMaxPodsConstraint/maxPodsPerNode"))?;
    let pods = network::secondary(&ranges, alloc["clusterSecondaryRangeName"].as_str())?;
    let services = network::secondary(&ranges, alloc["servicesSecondaryRangeName"].as_str())?;
    let private = sent.pointer("/privateClusterConfig/enablePrivateNodes") == Some(&json!(true))
        || sent.pointer("/networkConfig/defaultEnablePrivateNodes") == Some(&json!(true));
    let master = network::master_range(sent, private)?;
    let serial = world.count("container.cluster");
    let id = names::long_hex(&format!("{} {name} {serial}", place.path()));
    let footprint = NetworkFootprint {
        network: network.clone(),
        subnetwork: subnetwork.clone(),
        cluster: name.to_owned(),
        hash: id.chars().take(8).collect(),
        master,
    };
    footprint.check(world)?;
    let pools = sent_pools(sent)?;
    for (at, pool) in pools.iter().enumerate() {
        if pools[..at]
            .iter()
            .any(|other| other["name"] == pool["name"])
        {
            // The words are ours.
            return Err(ErrorResponse::bad_request(format!(
                "Duplicate node pool name \"{}\".",
                pool["name"].as_str().unwrap_or_default()
            )));
        }
    }
    let networks = config::authorized_networks(&config::sent_networks(sent), private)?;
    let channel = sent
        .pointer("/releaseChannel/channel")
        .and_then(Value::as_str);
    let version = versions::of_channel(channel);
    let mut cluster = config::merged(defaults::cluster(&id), sent);
    if let Some(fields) = cluster.as_object_mut() {
        for input_only in ["nodePools", "nodeConfig", "initialNodeCount", "fleet"] {
            fields.remove(input_only);
        }
    }
    let below = format!("clusters/{name}");
    let services = services.map_or(network::SERVICES.to_owned(), |range| range.to_string());
    let known = json!({
        "id": id,
        "etag": lro::uuid(&id),
        "selfLink": place.link(&below),
        "zone": place.location,
        "location": place.location,
        "locations": sent["locations"].as_array().cloned().map_or(json!(place.zones()), Value::from),
        "network": names::leaf(&network),
        "subnetwork": names::leaf(&subnetwork),
        "createTime": clock::utc(world.now()),
        "status": "RUNNING",
        "initialClusterVersion": version,
        "currentMasterVersion": version,
        "currentNodeVersion": version,
        "servicesIpv4Cidr": services,
        "ipAllocationPolicy": {"useIpAliases": true, "servicesIpv4Cidr": services, "servicesIpv4CidrBlock": services},
        "networkConfig": {"network": network, "subnetwork": subnetwork, "defaultEnablePrivateNodes": private},
        "labelFingerprint": labels_fingerprint(&sent["resourceLabels"]),
    });
    cluster = config::merged(cluster, &known);
    for (parent, child) in SILENT {
        let at = match *parent {
            "" => Some(&mut cluster),
            parent => cluster.get_mut(parent),
        };
        if let Some(fields) = at.and_then(Value::as_object_mut)
            && fields.get(*child).is_some_and(|value| *value == json!({}))
        {
            fields.remove(*child);
        }
    }
    if let Some(fields) = cluster["ipAllocationPolicy"].as_object_mut() {
        // An option of the creation only.
        fields.remove("createSubnetwork");
    }
    if let Some(range) = pods {
        set_pods(&mut cluster, range);
    }
    check_identity(place, &cluster)?;
    endpoints::give(&mut cluster, place, &footprint);
    config::set_networks(&mut cluster, &networks);
    Ok(NewCluster {
        cluster: config::printed(cluster),
        pools,
        footprint,
        pods,
    })
}

/// Writes the pods' range into its three fields.
pub fn set_pods(cluster: &mut Value, range: Ipv4Net) {
    let range = range.to_string();
    cluster["clusterIpv4Cidr"] = json!(range);
    cluster["ipAllocationPolicy"]["clusterIpv4Cidr"] = json!(range);
    cluster["ipAllocationPolicy"]["clusterIpv4CidrBlock"] = json!(range);
}

/// The fingerprint of a set of labels.
pub fn labels_fingerprint(labels: &Value) -> String {
    names::hex(&labels.to_string(), 8)
}

/// A name as GKE takes it: 40 characters of a DNS label.
///
/// # Errors
/// 400; the text is not recorded.
pub fn check_name(field: &str, name: &str) -> Result<(), ErrorResponse> {
    let fine = (1..=40).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fine {
        return Ok(());
    }
    Err(ErrorResponse::bad_request(format!(
        "Invalid value for field \"{field}\": \"{name}\". Must start with a lowercase letter followed by up to 39 lowercase \
         letters, numbers, or hyphens, and cannot end with a hyphen."
    )))
}

/// `nodePools`, or the older pair of `initialNodeCount` and `nodeConfig`, which makes one pool.
fn sent_pools(sent: &Value) -> Result<Vec<Value>, ErrorResponse> {
    let pools = sent["nodePools"].as_array().cloned().unwrap_or_default();
    let older = sent.get("nodeConfig").is_some() || sent.get("initialNodeCount").is_some();
    match (pools.is_empty(), older) {
        (false, true) => Err(ErrorResponse::bad_request(
            "Cannot specify both node_pools and node_config or initial_node_count.",
        )),
        (false, false) => Ok(pools),
        (true, _) => {
            let count = sent["initialNodeCount"].as_i64().unwrap_or_default();
            if count < 1 {
                return Err(ErrorResponse::bad_request(
                    "Cluster.initial_node_count must be greater than zero.",
                ));
            }
            let mut pool = json!({"name": "default-pool", "initialNodeCount": count});
            if let Some(config) = sent.get("nodeConfig") {
                pool["config"] = config.clone();
            }
            Ok(vec![pool])
        }
    }
}

/// Pods and services have ranges of their own. The text about their names is quoted by users (gruntwork-io/terraform-google-gke,
/// issue 118); that about the blocks is ours.
fn check_ranges(policy: &Value) -> Result<(), ErrorResponse> {
    let text = |field: &str| policy[field].as_str().filter(|text| !text.is_empty());
    if let (Some(pods), Some(services)) = (
        text("clusterSecondaryRangeName"),
        text("servicesSecondaryRangeName"),
    ) && pods == services
    {
        return Err(ErrorResponse::bad_request(format!(
            "Pod secondary range name ({pods}) should not be the same as service secondary range name."
        )));
    }
    let block = |field: &str| text(field)?.parse::<Ipv4Net>().ok();
    if let (Some(pods), Some(services)) = (
        block("clusterIpv4CidrBlock"),
        block("servicesIpv4CidrBlock"),
    ) && (pods.contains(&services) || services.contains(&pods))
    {
        return Err(ErrorResponse::bad_request(format!(
            "The range of pods {pods} overlaps with the range of services {services}."
        )));
    }
    // A range is named or given as a block.
    for (name, block) in [
        ("clusterSecondaryRangeName", "clusterIpv4CidrBlock"),
        ("servicesSecondaryRangeName", "servicesIpv4CidrBlock"),
    ] {
        if let (Some(_), Some(_)) = (text(name), text(block)) {
            return Err(ErrorResponse::bad_request(format!(
                "IPAllocationPolicy.{name} and IPAllocationPolicy.{block} cannot both be set."
            )));
        }
    }
    Ok(())
}

/// A workload pool is the project's own.
fn check_identity(place: &Location, cluster: &Value) -> Result<(), ErrorResponse> {
    let pool = cluster
        .pointer("/workloadIdentityConfig/workloadPool")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let own = members::pool_of(&place.project.id);
    if pool.is_empty() || pool == own {
        return Ok(());
    }
    Err(ErrorResponse::bad_request(format!(
        "Invalid value for workload_pool: \"{pool}\". Must be \"{own}\"."
    )))
}
