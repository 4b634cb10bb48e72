//! `down` of an environment whose mesh Traffic Director runs: the order, the wait for its withdrawal, what it leaves, and what of
//! others is not touched.

use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use emulator::{Leftovers, MeshCleanup, Withdrawal};
use provision::google::{Api, Call};

use crate::common::cloud::{Cloud, PROJECT, pointed_at};
use crate::common::middle::request::Asked;
use crate::common::middle::{Fate, Middle, Watch};
use crate::common::program::{Said, User};

const DOWN: &[&str] = &["down", "--yes"];
/// What `down` leaves on purpose.
const KEPT: usize = 3;

/// A cloud with a whole environment, whose mesh has its resources.
fn meshed(cleanup: MeshCleanup) -> Cloud {
    let cloud = Cloud::new();
    cloud.running.set_mesh_cleanup(cleanup);
    cloud.run(&["up", "--yes"]).ends(0);
    await_that("Traffic Director has made something", || {
        reserved(&cloud) > 0
    });
    cloud
}

/// Waits until something holds; the emulator has no event to wait for.
fn await_that(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(300);
    while !holds() {
        assert!(Instant::now() < until, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The networks of the endpoint groups that Traffic Director reserves, whoever holds them: what it holds is in no inventory.
fn networks(cloud: &Cloud) -> Vec<String> {
    let path = format!("projects/{PROJECT}/aggregated/networkEndpointGroups");
    let list = cloud.call(Call::get(Api::Compute, path));
    let scopes = list["items"].as_object().into_iter().flatten();
    let groups = scopes.filter_map(|(_, scope)| scope["networkEndpointGroups"].as_array());
    let reserved = groups.flatten().filter(|group| {
        let name = group["name"].as_str();
        name.is_some_and(|name| name.starts_with("gsmrsvd-"))
    });
    let links = reserved.map(|group| group["network"].as_str().unwrap());
    links.map(str::to_owned).collect()
}

/// How many of them there are.
fn reserved(cloud: &Cloud) -> usize {
    networks(cloud).len()
}

/// That nothing is left but what `down` keeps.
fn nothing_is_left(cloud: &Cloud) {
    assert_eq!(reserved(cloud), 0);
    let left: Vec<String> = cloud.inventory().into_keys().collect();
    assert_eq!(left.len(), KEPT, "{left:#?}");
}

/// The same after a second environment, whose membership used the fleet's feature when its own environment was deleted.
fn nothing_is_left_but_the_feature(cloud: &Cloud) {
    assert_eq!(reserved(cloud), 0);
    let mut left: Vec<String> = cloud.inventory().into_keys().collect();
    left.retain(|key| !key.ends_with("/features/servicemesh"));
    assert_eq!(left.len(), KEPT, "{left:#?}");
}

/// The requests of the last run that change something, as `METHOD path`.
fn changes(cloud: &Cloud, args: &[&str]) -> (Said, Vec<String>) {
    let (said, sent) = cloud.changes(args);
    let sent = sent.into_iter();
    (
        said,
        sent.map(|seen| format!("{} {}", seen.method, seen.path))
            .collect(),
    )
}

fn position(sent: &[String], words: &str) -> usize {
    let found = sent.iter().position(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("{words} in {sent:#?}"))
}

#[test]
fn what_traffic_director_holds_is_withdrawn_before_the_cluster_goes() {
    let cloud = meshed(MeshCleanup {
        withdrawal: Withdrawal::After(Duration::from_millis(1_500)),
        ..MeshCleanup::default()
    });
    let (said, sent) = changes(&cloud, &["down", "--yes", "--verbose"]);
    let said = said.ends(0);
    // Routes and gateways, the mesh, the cluster. The requests to the cluster are not among Google's.
    let begins = |step: &str, kind: &str| {
        let is_it = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            words.next() == Some(step)
                && words.next() == Some("delete")
                && words.next() == Some(kind)
        };
        let found = said.err.lines().position(is_it);
        found.unwrap_or_else(|| panic!("{step}: {}", said.err))
    };
    let mesh = begins("mesh-management", "gkehub.membershipFeature");
    for step in [
        "gateway-service",
        "egress-gateway-tls",
        "example-com-route-passthrough",
    ] {
        assert!(
            begins(step, "kubernetes.object") < mesh,
            "{step}: {}",
            said.err
        );
    }
    let mesh = position(&sent, "/features/servicemesh");
    assert!(mesh < position(&sent, "/clusters/cluster1"), "{sent:#?}");
    // Nobody deleted what Google withdraws, and the screen said what was waited for.
    assert!(
        !sent.iter().any(|line| line.contains("gsmrsvd")),
        "{sent:#?}"
    );
    assert!(
        said.err.contains(" endpoint groups of Traffic Director are left, which Google removes while the cluster exists"),
        "{}",
        said.err
    );
    nothing_is_left(&cloud);
}

#[test]
fn a_withdrawal_that_never_comes_ends_with_the_patience_and_what_is_left_is_deleted() {
    let cloud = meshed(MeshCleanup {
        withdrawal: Withdrawal::Never,
        ..MeshCleanup::default()
    });
    let (said, sent) = changes(&cloud, &["down", "--yes", "--patience", "1"]);
    let said = said.ends(0);
    assert!(
        said.err.contains("they are deleted after the cluster"),
        "{}",
        said.err
    );
    let cluster = position(&sent, "/clusters/cluster1");
    let order = [
        "/backendServices/gsmrsvd-",
        "/healthChecks/gsmrsvd-",
        "/networkEndpointGroups/gsmrsvd-",
        "/subnetworks/",
        "/firewalls/gke-csm-thc-",
        "/networks/",
    ];
    let order = order.map(|words| position(&sent, words));
    assert!(
        order.is_sorted() && cluster < order[0],
        "{order:?} {sent:#?}"
    );
    nothing_is_left(&cloud);
}

#[test]
fn what_google_refuses_to_everybody_is_waited_for_and_named() {
    let cloud = meshed(MeshCleanup {
        withdrawal: Withdrawal::Never,
        leftovers: Leftovers::Reserved,
    });
    let said = cloud.run(&["down", "--yes", "--patience", "1"]).ends(1);
    for words in [
        "/networkEndpointGroups/gsmrsvd-",
        "used by projects/egress-demo/global/backendServices/gsmrsvd-",
        "compute.backendServices.delete",
        "run `provision down` again later",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    // Everything that can go is gone, and nothing else was forced.
    assert_eq!(cloud.there("container", "/clusters/"), [""; 0]);
    assert!(reserved(&cloud) > 0);
    // The next `down` does the rest, when Google lets it.
    cloud.running.set_mesh_cleanup(MeshCleanup::default());
    cloud.run(DOWN).ends(0);
    nothing_is_left(&cloud);
}

#[test]
fn what_google_collects_after_the_cluster_is_waited_for_as_long_as_something_goes() {
    let cloud = meshed(MeshCleanup {
        withdrawal: Withdrawal::Never,
        leftovers: Leftovers::Collected(Duration::from_millis(400)),
    });
    // The patience alone would not be enough.
    cloud.run(&["down", "--yes", "--patience", "1"]).ends(0);
    nothing_is_left(&cloud);
}

#[test]
fn the_mesh_of_another_environment_is_not_touched() {
    let cloud = meshed(MeshCleanup {
        withdrawal: Withdrawal::Never,
        ..MeshCleanup::default()
    });
    cloud.run(&["up", "--yes", "--env", "other"]).ends(0);
    let of_other = || {
        let networks = networks(&cloud);
        let others = networks.iter().filter(|link| link.contains("/other-"));
        (others.count(), networks.len())
    };
    // Both have the same Services.
    await_that(
        "both meshes have their groups",
        || matches!(of_other(), (others, all) if others > 0 && all == others * 2),
    );
    let (before, _) = of_other();
    cloud.run(&["down", "--yes", "--patience", "1"]).ends(0);
    assert_eq!(of_other(), (before, before));
    assert_eq!(cloud.there("compute", "/networks/").len(), 1);
    cloud
        .run(&["down", "--yes", "--patience", "1", "--env", "other"])
        .ends(0);
    nothing_is_left_but_the_feature(&cloud);
}

#[test]
fn a_run_that_is_killed_in_the_wait_is_continued() {
    let cloud = meshed(MeshCleanup {
        withdrawal: Withdrawal::Never,
        ..MeshCleanup::default()
    });
    let before = cloud.seen().len();
    let mut child: Child = cloud.user.command(DOWN).spawn().unwrap();
    let is_waiting = |cloud: &Cloud| {
        let seen = cloud.seen();
        let since = seen.iter().skip(before);
        let looks = since.filter(|seen| seen.path.contains("/aggregated/networkEndpointGroups"));
        looks.count() > 2
    };
    await_that("it waits", || is_waiting(&cloud));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        cloud.there("container", "/clusters/").len(),
        3,
        "the cluster and its pools live"
    );
    // What it waited for it waits for again: the mesh is gone, and nothing was recorded as done.
    cloud.running.set_mesh_cleanup(MeshCleanup {
        withdrawal: Withdrawal::After(Duration::from_millis(500)),
        ..MeshCleanup::default()
    });
    let (said, sent) = changes(&cloud, DOWN);
    said.ends(0);
    assert!(
        !sent.iter().any(|line| line.contains("gsmrsvd")),
        "{sent:#?}"
    );
    nothing_is_left(&cloud);
}

/// Cuts the connections of a cluster, once it is told to.
#[derive(Default)]
struct Silenced(AtomicBool);

impl Watch for Silenced {
    fn comes(&self, asked: &Asked, _body: &[u8]) -> Fate {
        match asked.cluster && self.0.load(Ordering::Relaxed) {
            true => Fate::Broken,
            false => Fate::Passes,
        }
    }
}

#[test]
fn a_cluster_that_does_not_answer_does_not_keep_down() {
    let cloud = Cloud::new();
    let silenced = Arc::new(Silenced::default());
    let middle = Middle::new(cloud.address(), Arc::clone(&silenced) as Arc<dyn Watch>);
    let user = pointed_at(User::new(), middle.address());
    user.run(&["up", "--yes"]).ends(0);
    silenced.0.store(true, Ordering::Relaxed);
    let said = user.run(DOWN).ends(0);
    let words = "it goes with the cluster instead: ";
    assert!(said.err.contains(words), "{}", said.err);
    nothing_is_left(&cloud);
}
