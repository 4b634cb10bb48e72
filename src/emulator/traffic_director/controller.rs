//! Traffic Director's work on one cluster: what its Services ask for is there, and what none asks for goes.

use std::collections::BTreeSet;

use super::resources::MeshCluster;
use super::services;
use super::state::{Delays, Step};
use crate::settings::Withdrawal;
use crate::world::World;

/// Brings the resources of a cluster's mesh up to the present time. `is_active` says whether the mesh is managed by Traffic
/// Director and active. Does nothing for a cluster that is coming or going, and costs little where nothing has changed.
pub fn reconcile(world: &mut World, key: &str, is_active: bool) {
    let now = world.now();
    let delays = delays(world);
    let Some(inside) = world.cluster(key) else {
        return;
    };
    let revision = inside.store.revision();
    let state = &inside.traffic_director;
    let is_idle = state.is_idle(revision, is_active, now, &delays);
    if is_idle && !state.needs_rule() {
        return;
    }
    let Some(cluster) = MeshCluster::living(world, key) else {
        return;
    };
    // Of what it holds, a client can delete the rule alone.
    if is_idle && (!is_active || world.get(&cluster.rule()).is_some()) {
        return;
    }
    let Some(inside) = world.cluster(key) else {
        return;
    };
    let wanted = match is_active {
        true => services::wanted(inside.store.list("services/")),
        false => BTreeSet::new(),
    };
    let mut state = inside.traffic_director.clone();
    let steps = state.advance(&wanted, (revision, is_active), now, &delays);
    if is_active && state.needs_rule() {
        cluster.make_rule(world);
    }
    for step in steps {
        carry_out(world, &cluster, &step);
    }
    world.set_traffic_director(key, state);
}

fn carry_out(world: &mut World, cluster: &MeshCluster, step: &Step) {
    match step {
        Step::MakeRule => cluster.make_rule(world),
        Step::Make(service) => cluster.make(world, service),
        Step::Withdraw(service) => {
            world.remove(&cluster.backend_service(service));
        }
        Step::Release(service) => {
            let groups = cluster.groups(service).into_iter();
            for key in groups.chain([cluster.health_check(service)]) {
                world.remove(&key);
            }
        }
        Step::RemoveRule => {
            world.remove(&cluster.rule());
        }
    }
}

fn delays(world: &World) -> Delays {
    Delays {
        appear: world.duration("traffic_director.appear"),
        withdraw: match world.mesh_cleanup().withdrawal {
            Withdrawal::Usual => Some(world.duration("traffic_director.withdraw")),
            Withdrawal::After(delay) => Some(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
            Withdrawal::Never => None,
        },
        release: world.duration("traffic_director.release"),
    }
}
