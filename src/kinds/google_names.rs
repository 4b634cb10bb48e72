//! The names that GKE, its load balancing and Cloud Service Mesh give to what they create in a network. Pure.
//!
//! Only names that Google's systems give themselves count (public reports; there is no record of all of them). A name of a user's
//! own may look like one of the general beginnings (`gke-`, `k8s-`): where something is deleted because of its name, the name must
//! have the whole form.

/// The beginning of everything that Traffic Director reserves for Cloud Service Mesh. Backend services are named
/// `gsmrsvd-CLUSTER-GROUP` (source: GoogleCloudPlatform/khi, which reads them from audit logs); health checks and endpoint groups
/// begin in the same way (reported).
const RESERVED: &str = "gsmrsvd";

/// The beginning of the firewall rule that Cloud Service Mesh makes for its health checks, before 8 hexadecimal digits (reported).
const MESH_RULE: &str = "gke-csm-thc-";

/// The beginnings of other names that Google gives, by collection. They decide only how long somebody waits.
const BEGINNINGS: &[(&str, &[&str])] = &[
    ("instances", &["gke-", "gk3-"]),
    ("instanceGroups", &["gke-", "gk3-", "k8s-"]),
    ("instanceGroupManagers", &["gke-", "gk3-"]),
    ("instanceTemplates", &["gke-", "gk3-"]),
    ("routes", &["gke-"]),
    ("subnetworks", &["gke-"]),
    ("forwardingRules", &["gke-", "k8s-", "k8s2-"]),
    ("backendServices", &["k8s-", "k8s1-", "k8s2-"]),
    ("healthChecks", &["k8s-", "k8s1-", "k8s2-"]),
    ("addresses", &["gke-", "k8s-", "k8s2-", "serverless-ipv4-"]),
];

/// Whether the resource with this path or link has a name that Google's systems give.
pub fn is_of_google(path: &str) -> bool {
    let mut words = path.rsplit('/');
    let name = words.next().unwrap_or_default();
    let collection = words.next().unwrap_or_default();
    let begins = |beginnings: &[&str]| beginnings.iter().any(|start| name.starts_with(start));
    is_reserved(name)
        || match collection {
            "firewalls" => is_gke_rule(name) || is_mesh_rule(name),
            "networkEndpointGroups" => is_gke_group(name),
            _ => BEGINNINGS
                .iter()
                .any(|(of, beginnings)| *of == collection && begins(beginnings)),
        }
}

/// Whether Traffic Director reserves the name.
pub fn is_reserved(name: &str) -> bool {
    name.strip_prefix(RESERVED)
        .is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_ascii_alphanumeric()))
}

/// What the names of one cluster's reserved resources begin with: `gsmrsvd-CLUSTER-`. `None` for a name without that part.
pub fn reserved_for(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(RESERVED)?.strip_prefix('-')?;
    let (cluster, _) = rest.split_once('-')?;
    let end = RESERVED.len() + 1 + cluster.len() + 1;
    (!cluster.is_empty()).then_some(&name[..end])
}

/// `gke-csm-thc-<8 hex>`.
pub fn is_mesh_rule(name: &str) -> bool {
    name.strip_prefix(MESH_RULE)
        .is_some_and(|hash| is_hex(hash, 8))
}

/// `gke-CLUSTER-<8 hex>-WHAT` of a cluster, `k8s-fw-…` and `k8s-…-node-hc`, `k8s-…-node-http-hc` of load balancers.
pub fn is_gke_rule(name: &str) -> bool {
    let of_cluster = || {
        let mut words = name.strip_prefix("gke-")?.rsplit('-').skip(1);
        let hash = words.next()?;
        words.next()?;
        Some(is_hex(hash, 8))
    };
    of_cluster().unwrap_or(false)
        || name.starts_with("k8s-fw-")
        || name.starts_with("k8s2-fw-")
        || (name.starts_with("k8s-")
            && (name.ends_with("-node-hc") || name.ends_with("-node-http-hc")))
}

/// `k8s1-<8 hex of the cluster>-…-<8 hex>`, the ingress controller's naming scheme.
pub fn is_gke_group(name: &str) -> bool {
    let of_controller = || {
        let rest = name
            .strip_prefix("k8s1-")
            .or_else(|| name.strip_prefix("k8s2-"))?;
        let (cluster, end) = (rest.split('-').next()?, rest.rsplit('-').next()?);
        Some(rest.len() > 16 && is_hex(cluster, 8) && is_hex(end, 8))
    };
    of_controller().unwrap_or(false)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gkes_own_names_count() {
        for (name, ours) in [
            ("gke-cluster1-0a1b2c3d-mcsd", true),
            ("gke-my-long-cluster-0a1b2c3d-all", true),
            ("k8s-fw-a1b2c3", true),
            ("k8s-0a1b2c3d4e5f6071-node-http-hc", true),
            ("gke-cluster1-mcsd", false),
            ("gke-allow-office", false),
            ("gke-csm-thc-0a1b2c3d", false),
            ("vpc-network-odm2l5xrgkhkgaqqdwsg4qbt", false),
            ("k8s-my-rule", false),
            ("allow-ssh", false),
        ] {
            assert_eq!(is_gke_rule(name), ours, "{name}");
        }
        for (name, ours) in [
            ("k8s1-0a1b2c3d-ns-svc-80-9f8e7d6c", true),
            ("k8s1-0a1b2c3d", false),
            ("k8s1-mine-ns-svc-80-9f8e7d6c", false),
            ("my-neg", false),
        ] {
            assert_eq!(is_gke_group(name), ours, "{name}");
        }
        for (name, ours) in [
            ("gke-csm-thc-0a1b2c3d", true),
            ("gke-csm-thc-mine", false),
            ("gke-csm-thc-", false),
            ("gke-csm-thc-0a1b2c3d-all", false),
        ] {
            assert_eq!(is_mesh_rule(name), ours, "{name}");
        }
    }

    #[test]
    fn reserved_names_are_grouped_by_cluster() {
        for (name, reserved, cluster) in [
            (
                "gsmrsvd-dpn6eu7b5ya45yfi4qr3r3-v6ycjxtj",
                true,
                Some("gsmrsvd-dpn6eu7b5ya45yfi4qr3r3-"),
            ),
            ("gsmrsvd-abc-80-team-x", true, Some("gsmrsvd-abc-")),
            ("gsmrsvd1a2b3c", true, None),
            ("gsmrsvd-abc", true, None),
            ("gsmrsvd--abc", true, None),
            ("gsmrsvd", false, None),
            ("gsmrsvd_x", false, None),
            ("my-gsmrsvd-abc-x", false, None),
        ] {
            assert_eq!(is_reserved(name), reserved, "{name}");
            assert_eq!(reserved_for(name), cluster, "{name}");
        }
    }

    #[test]
    fn the_collection_decides_what_a_beginning_means() {
        for (path, expected) in [
            ("projects/p/global/firewalls/gke-allow-office", false),
            ("projects/p/global/firewalls/gke-c-0a1b2c3d-all", true),
            ("projects/p/global/firewalls/gke-csm-thc-0a1b2c3d", true),
            (
                "projects/p/zones/z/instances/gke-c-pool-0a1b2c3d-ab12",
                true,
            ),
            ("projects/p/zones/z/instances/bastion", false),
            (
                "projects/p/regions/r/addresses/serverless-ipv4-1721014303789269923",
                true,
            ),
            ("projects/p/global/backendServices/gsmrsvd-abc-x", true),
            ("projects/p/global/backendServices/shop", false),
            ("projects/p/regions/r/routers/gke-router", false),
            ("gke-nowhere", false),
            ("", false),
        ] {
            assert_eq!(is_of_google(path), expected, "{path}");
        }
    }
}
