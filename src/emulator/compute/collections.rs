//! The collections of compute that behave as plain resources do: created, changed, deleted, read and listed at one path. A new
//! plain collection is a row here, and what is special about its values is in the functions that the row names.

use super::lists::{self, Scopes};
use super::resource::{self, Beside, BuildResource, PatchResource};
use super::scope::Scope;
use super::{addresses, firewalls, networks, routers, subnetworks};
use crate::answer::{ErrorResponse, Response};
use crate::request::Request;
use crate::world::World;

/// A plain collection.
pub struct Collection {
    /// Its name in the ids of methods: `networks`.
    pub name: &'static str,
    /// Where its members are, as an aggregated list names the places.
    pub scopes: Scopes,
    /// How a new value is built.
    pub insert: BuildResource,
    /// What comes with a new value.
    pub beside: Beside,
    /// What PATCH makes of a value.
    pub patch: PatchResource,
    /// What PUT makes of a value.
    pub update: PatchResource,
}

/// A collection whose values are what was sent. Which methods there are says the discovery document.
const PLAIN: Collection = Collection {
    name: "",
    scopes: Scopes::Regions,
    insert: resource::sent,
    beside: resource::nothing,
    patch: resource::patched,
    update: resource::replaced,
};

/// Every plain collection.
pub const COLLECTIONS: &[Collection] = &[
    Collection {
        name: "networks",
        insert: networks::draft,
        beside: networks::beside,
        patch: networks::patched,
        ..PLAIN
    },
    Collection {
        name: "subnetworks",
        insert: subnetworks::draft,
        patch: subnetworks::patched,
        ..PLAIN
    },
    Collection {
        name: "routers",
        insert: routers::draft,
        patch: routers::patched,
        update: routers::replaced,
        ..PLAIN
    },
    Collection {
        name: "firewalls",
        insert: firewalls::draft,
        patch: firewalls::patched,
        update: firewalls::replaced,
        ..PLAIN
    },
    Collection {
        name: "addresses",
        scopes: Scopes::GlobalAndRegions,
        insert: addresses::draft,
        ..PLAIN
    },
    // GKE and Traffic Director make these three; a client may only find and delete them.
    Collection {
        name: "networkEndpointGroups",
        scopes: Scopes::GlobalAndZones,
        ..PLAIN
    },
    Collection {
        name: "backendServices",
        scopes: Scopes::GlobalAndRegions,
        ..PLAIN
    },
    Collection {
        name: "healthChecks",
        scopes: Scopes::GlobalAndRegions,
        ..PLAIN
    },
];

impl Collection {
    /// The collection of this name.
    pub fn find(name: &str) -> Option<&'static Collection> {
        COLLECTIONS.iter().find(|row| row.name == name)
    }

    /// Serves one of the methods that every plain collection has.
    ///
    /// # Errors
    /// What Google would refuse; that a method is not served.
    pub fn serve(
        &self,
        world: &mut World,
        request: &Request,
        scope: &Scope,
        verb: &str,
    ) -> Result<Response, ErrorResponse> {
        match verb {
            "get" => resource::get(world, request, scope),
            "list" => lists::list(world, request, scope),
            "aggregatedList" => lists::aggregated(world, request, scope, self.scopes),
            "delete" => resource::delete(world, request, scope),
            "insert" => resource::insert(world, request, scope, self.insert, self.beside),
            "patch" => resource::change(world, request, scope, self.patch),
            "update" => resource::change(world, request, scope, self.update),
            _ => Err(ErrorResponse::not_served(&request.method_id)),
        }
    }
}
