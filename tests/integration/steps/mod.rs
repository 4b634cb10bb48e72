//! `steps/` itself: it loads, its references lead somewhere, and every body is one that Google's documents take.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use provision::steps::graph::Graph;
use provision::steps::{Source, Tutorial};
use serde_json::Value;

use crate::common::{discovery, wire};

mod gcloud;
mod node_roles;

/// Everything that is wrong with a folder of steps, its requests to Google included.
fn faults(source: &Source) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for control_plane in ["managed", "in-cluster"] {
        let steps = match wire::steps(source, control_plane) {
            Ok(steps) => steps,
            Err(diagnostics) => return diagnostics.lines().map(str::to_owned).collect(),
        };
        for step in &steps {
            let want = match wire::filled(step, &steps) {
                Ok(want) => want,
                Err(why) => {
                    faults.insert(format!("{}: {why}", step.id));
                    continue;
                }
            };
            let Some(request) = wire::request(step, &want) else {
                continue;
            };
            let document = discovery::Document::read(request.api);
            for fault in document.faults(request.verb, &request.path, &request.body) {
                faults.insert(format!("{}: {fault}", step.id));
            }
        }
    }
    faults.into_iter().collect()
}

/// The folder with one text in one file replaced; it must be there.
fn planted(file: &str, text: &str, instead: &str) -> Vec<String> {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("manifests")).unwrap();
    let mut found = false;
    for below in ["", "manifests"] {
        for entry in fs::read_dir(folder().join(below)).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() {
                continue;
            }
            let name = Path::new(below).join(path.file_name().unwrap());
            let mut content = fs::read_to_string(&path).unwrap();
            if name == Path::new(file) {
                found = content.contains(text);
                content = content.replacen(text, instead, 1);
            }
            fs::write(copy.path().join(name), content).unwrap();
        }
    }
    assert!(found, "{file} has no `{text}` to replace");
    faults(&Source::Dir(copy.path().to_owned()))
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("steps")
}

#[test]
fn every_request_is_one_that_google_takes() {
    assert_eq!(faults(&Source::Embedded), Vec::<String>::new());
}

#[test]
fn what_is_planted_is_caught() {
    for (file, text, instead, caught) in [
        (
            "20-network.yaml",
            "routingMode:",
            "routeMode:",
            "vpc-network: routingConfig.routeMode: no such field",
        ),
        (
            "26-firewall.yaml",
            "EGRESS",
            "OUT",
            "global-deny-egress-all: direction: OUT is none of the enum",
        ),
        (
            "20-network.yaml",
            "autoCreateSubnetworks: false",
            "id: \"7\"",
            "vpc-network: id: output only",
        ),
        (
            "30-cluster.yaml",
            "useIpAliases: true",
            "useIpAliases: \"on\"",
            "cluster: cluster.ipAllocationPolicy.useIpAliases: \"on\" is no boolean",
        ),
        (
            "26-firewall.yaml",
            "priority: 65535",
            "priority: low",
            "global-deny-egress-all: priority: \"low\" is no integer",
        ),
        (
            "22-nat.yaml",
            "${vpc-network.selfLink}",
            "${vpc-network.selfLnk}",
            "nat-router: ${vpc-network.selfLnk} cannot be filled",
        ),
        (
            "40-mesh.yaml",
            "MANAGEMENT_AUTOMATIC",
            "AUTOMATIC",
            "mesh-management: spec.servicemesh.management: AUTOMATIC is none of the enum",
        ),
        (
            "90-direct-access.yaml",
            "contentType:",
            "contentKind:",
            "test-object: contentKind: no such field",
        ),
        (
            "22-nat.yaml",
            "  network: ${vpc-network.selfLink}\n",
            "",
            "nat-router: network: required and missing",
        ),
        (
            "10-project.yaml",
            "    - dns.",
            "    - 7\n    - dns.",
            "services: serviceIds[1]: 7 is no string",
        ),
    ] {
        assert_eq!(planted(file, text, instead), [caught], "{file}: {instead}");
    }
    let missing = planted("22-nat.yaml", "${vpc-network.selfLink}", "${vpc.selfLink}");
    assert!(
        missing[0].ends_with("22-nat.yaml:17: unknown step `vpc`, did you mean `vpc-network` or `vpc-network-existing`?"),
        "{missing:?}"
    );
    let nameless = planted(
        "manifests/strict-mtls.yaml",
        "name: default",
        "nam: default",
    );
    assert!(
        nameless[0].ends_with("manifests/strict-mtls.yaml:1: missing field `metadata.name`"),
        "{nameless:?}"
    );
}

#[test]
fn the_program_holds_what_the_folder_holds() {
    let shape = |source: &Source| {
        let tutorial = Tutorial::load(source).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let chapters: Vec<String> = tutorial
            .chapters
            .iter()
            .map(|c| format!("{} {}", c.name, c.title))
            .collect();
        let steps: Vec<String> = tutorial
            .steps()
            .map(|s| format!("{} {} {}", s.id, s.says, s.want))
            .collect();
        (chapters, steps, tutorial.params.len())
    };
    // A file that is new in the folder is not seen until src/steps/source.rs is compiled again: touch it.
    assert_eq!(shape(&Source::Embedded), shape(&Source::Dir(folder())));
}

#[test]
fn every_name_is_known_before_anything_exists() {
    // Then plan, status and the rebuilding of a lost journal can look at each thing without knowing the others.
    for step in wire::steps(&Source::Embedded, "managed").unwrap() {
        let at = Value::Object(step.at.clone());
        assert!(!at.to_string().contains("${"), "{}: {at}", step.id);
    }
}

#[test]
fn nodes_find_everything_they_need_when_they_boot() {
    let steps = wire::steps(&Source::Embedded, "managed").unwrap();
    let graph = Graph::new(&steps).unwrap();
    let before = graph.transitive_needs("cluster");
    for id in [
        "services",
        "subnet-gke",
        "sa-application-nodes",
        "sa-gateway-nodes",
        "node-roles",
        "global-deny-egress-all",
        "allow-egress-to-api-server",
        "allow-egress-to-konnectivity",
        "allow-egress-nodes-and-pods",
        "allow-egress-gcp-apis",
        "private-google-apis-records",
        "private-gcr-io-records",
        "private-pkg-dev-records",
    ] {
        assert!(before.contains(id), "the cluster does not wait for {id}");
    }
    // What nodes do not need must not hold the cluster up.
    for id in [
        "nat-router",
        "gateway-allow-egress-web",
        "allow-ingress-gcp-health-checker",
        "mesh-feature",
    ] {
        assert!(!before.contains(id), "the cluster waits for {id}");
    }
    assert_eq!(
        graph.needs("mesh-feature").iter().collect::<Vec<_>>(),
        ["services"]
    );
}

#[test]
fn every_step_and_chapter_says_why() {
    let tutorial = Tutorial::load(&Source::Embedded).unwrap();
    for step in tutorial.steps() {
        let says = &step.says;
        assert!(
            (40..=420).contains(&says.len()) && says.ends_with('.'),
            "{}: {says}",
            step.id
        );
    }
    // What the tutorial does not have says so in its first words.
    let differs: Vec<&str> = tutorial
        .steps()
        .filter(|s| s.says.starts_with("Differs from the tutorial:"))
        .map(|s| s.id.as_str())
        .collect();
    let expected = [
        "node-roles",
        "allow-egress-to-konnectivity",
        "private-pkg-dev",
        "private-pkg-dev-records",
        "access-logs-in-cluster",
        "test-deployment-team-x",
        "test-deployment-team-y",
    ];
    assert_eq!(differs, expected);
}

#[test]
fn a_step_that_is_not_always_there_says_when() {
    let tutorial = Tutorial::load(&Source::Embedded).unwrap();
    let conditional: Vec<String> = tutorial
        .steps()
        .flat_map(|step| {
            tutorial
                .when(&step.id)
                .map(|(name, value)| format!("{}: {name}={value}", step.id))
        })
        .collect();
    let expected = [
        "nat-router-with-1-static: nat_addresses=\"1\"",
        "nat-router-with-2-static: nat_addresses=\"2\"",
        "nat-router-with-3-static: nat_addresses=\"3\"",
        "nat-router-own-subnet: nat_addresses=\"0\"",
        "nat-router-own-subnet-1-static: nat_addresses=\"1\"",
        "nat-router-own-subnet-2-static: nat_addresses=\"2\"",
        "nat-router-own-subnet-3-static: nat_addresses=\"3\"",
        "nat-address-1-of-1: nat_addresses=\"1\"",
        "nat-address-1-of-2: nat_addresses=\"2\"",
        "nat-address-2-of-2: nat_addresses=\"2\"",
        "nat-address-1-of-3: nat_addresses=\"3\"",
        "nat-address-2-of-3: nat_addresses=\"3\"",
        "nat-address-3-of-3: nat_addresses=\"3\"",
        "allow-ingress-api-server-to-webhook: control_plane=\"in-cluster\"",
        "host-project-roles: host_roles=\"grant\"",
        "host-subnet-roles: host_roles=\"grant\"",
        "cluster-host-project-granted: host_roles=\"grant\"",
        "mesh-feature: control_plane=\"managed\"",
        "mesh-management: control_plane=\"managed\"",
        "mesh-ready: control_plane=\"managed\"",
        "istio-managed: control_plane=\"managed\"",
        "istio-in-cluster: control_plane=\"in-cluster\"",
        "revision: injection=\"revision\"",
        "namespace-istio-egress-by-revision: injection=\"revision\"",
        "gateway-account-by-revision: injection=\"revision\"",
        "gateway-secrets-role-by-revision: injection=\"revision\"",
        "gateway-secrets-binding-by-revision: injection=\"revision\"",
        "gateway-deployment-by-revision: injection=\"revision\"",
        "gateway-service-by-revision: injection=\"revision\"",
        "gateway-autoscaler-by-revision: injection=\"revision\"",
        "gateway-disruption-budget-by-revision: injection=\"revision\"",
        "access-logs: control_plane=\"managed\"",
        "access-logs-in-cluster: control_plane=\"in-cluster\"",
        "namespace-team-x-by-revision: injection=\"revision\"",
        "namespace-team-y-by-revision: injection=\"revision\"",
    ];
    assert_eq!(conditional, expected);
    let exceptions = tutorial.steps().flat_map(|step| {
        let unless = tutorial.unless(&step.id);
        unless.map(|(name, value)| format!("{}: {name}={value}", step.id))
    });
    let exceptions: Vec<String> = exceptions.collect();
    let own = "network_project=\"${param.project}\"";
    let expected = [
        "vpc-network-existing: network=\"\"",
        "subnet-gke-existing: subnet=\"\"",
        "nat-router-own-subnet: network=\"\"",
        "nat-router-own-subnet-1-static: network=\"\"",
        "nat-router-own-subnet-2-static: network=\"\"",
        "nat-router-own-subnet-3-static: network=\"\"",
        "nat-router-existing: nat_router=\"\"",
        "global-deny-egress-all-own-nodes: network=\"\"",
        "private-google-apis-network-wide: network=\"\"",
        "private-google-apis-existing: googleapis_zone=\"\"",
        "private-gcr-io-network-wide: network=\"\"",
        "private-gcr-io-existing: gcr_io_zone=\"\"",
        "private-pkg-dev-network-wide: network=\"\"",
        "private-pkg-dev-existing: pkg_dev_zone=\"\"",
        &format!("project: {own}"),
        &format!("host-project-roles: {own}"),
        &format!("host-subnet-roles: {own}"),
        "cluster-existing-network: network=\"\"",
        &format!("cluster-host-project: {own}"),
        &format!("cluster-host-project-granted: {own}"),
        "test-deployment-team-x-own-image: test_image=\"\"",
        "test-deployment-team-y-own-image: test_image=\"\"",
    ];
    assert_eq!(exceptions, expected);
}

#[test]
fn the_chapters_stand_under_the_tutorials_headings() {
    let tutorial = Tutorial::load(&Source::Embedded).unwrap();
    let chapters: Vec<(&str, &str)> = tutorial
        .chapters
        .iter()
        .map(|chapter| (chapter.name.as_str(), chapter.title.as_str()))
        .collect();
    let expected = [
        ("project", "Before you begin"),
        ("network", "Create a VPC network and subnet"),
        ("nat", "Configure Cloud NAT"),
        (
            "service-accounts",
            "Create service accounts for each GKE node pool",
        ),
        ("firewall", "Creating the firewall rules"),
        (
            "google-apis",
            "Configuring private access to Google Cloud APIs",
        ),
        ("cluster", "Create a private GKE cluster"),
        ("mesh", "Installing and setting up Cloud Service Mesh"),
        ("egress-gateway", "Install an egress gateway"),
        ("access-logs", "Enable Envoy access logging"),
        (
            "test-application",
            "Preparing the mesh and a test application",
        ),
        (
            "sidecar-scope",
            "Using the Sidecar resource to restrict the scope of sidecar proxy configuration",
        ),
        (
            "routing",
            "Configuring Cloud Service Mesh to route traffic through the egress gateway",
        ),
        (
            "second-namespace",
            "Configure different routing for a second namespace",
        ),
        (
            "authorization",
            "Using Authorization Policy to provide additional control over traffic",
        ),
        ("tls-origination", "TLS origination at the egress gateway"),
        ("tls-passthrough", "Pass-through of HTTPS/TLS connections"),
        (
            "network-policy",
            "Using Kubernetes NetworkPolicy as an additional control",
        ),
        (
            "direct-access",
            "Directly accessing Google APIs using Private Google Access and IAM permissions",
        ),
    ];
    assert_eq!(chapters, expected);
}
