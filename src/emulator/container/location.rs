//! Where a cluster is: a zone or a region of a project, and how its name is written in the different places.

use serde_json::Value;

use crate::answer::ErrorResponse;
use crate::names;
use crate::project_lookup;
use crate::regions;
use crate::world::{Project, World};

/// A location in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The project.
    pub project: Project,
    /// `us-central1-a`, `us-central1`, or `-` for all.
    pub location: String,
}

impl Location {
    /// The location in a name (`projects/p/locations/l/…`).
    ///
    /// # Errors
    /// 403 for an invalid project or location.
    pub fn of(world: &mut World, name: &str) -> Result<Location, ErrorResponse> {
        let project = project_lookup::named(world, name)?;
        let location = names::segment(name, "locations")
            .unwrap_or_default()
            .to_owned();
        if location != "-" && !regions::is_region(&location) && !regions::is_zone(&location) {
            return Err(ErrorResponse::forbidden(format!(
                "Permission denied on 'locations/{location}' (or it may not exist)."
            )));
        }
        Ok(Location { project, location })
    }

    /// Whether it is a zone.
    pub fn is_zone(&self) -> bool {
        self.location.split('-').count() == 3
    }

    /// The region it is, or is in.
    pub fn region(&self) -> &str {
        if self.is_zone() {
            names::region_of(&self.location)
        } else {
            &self.location
        }
    }

    /// The zones of nodes: itself, or three of the region, in no particular order.
    pub fn zones(&self) -> Vec<String> {
        if self.is_zone() {
            return vec![self.location.clone()];
        }
        regions::standard_zones(&self.location)
    }

    /// `projects/p/locations/l`.
    pub fn path(&self) -> String {
        format!("projects/{}/locations/{}", self.project.id, self.location)
    }

    /// The key of `below` (`clusters/c`) here.
    pub fn key(&self, below: &str) -> String {
        names::key("container", &format!("{}/{below}", self.path()))
    }

    /// The path in messages and links: what is in a zone is under `zones`, whatever the request used.
    pub fn legacy_path(&self, below: &str) -> String {
        self.legacy(&self.project.id, below)
    }

    /// A link in an operation: with the project's number.
    pub fn numbered_link(&self, below: &str) -> String {
        link(&self.legacy(&self.project.number.to_string(), below))
    }

    /// A link in a resource: with the project's id.
    pub fn link(&self, below: &str) -> String {
        link(&self.legacy_path(below))
    }

    fn legacy(&self, project: &str, below: &str) -> String {
        let collection = if self.is_zone() { "zones" } else { "locations" };
        format!("projects/{project}/{collection}/{}/{below}", self.location)
    }

    /// The refusal for a cluster that is not here.
    pub fn no_cluster(&self, cluster: &str) -> ErrorResponse {
        ErrorResponse::not_found(format!(
            "Not found: {}.",
            self.legacy_path(&format!("clusters/{cluster}"))
        ))
    }

    /// A stored cluster and its key.
    ///
    /// # Errors
    /// 404.
    pub fn cluster(&self, world: &World, cluster: &str) -> Result<(String, Value), ErrorResponse> {
        let key = self.key(&format!("clusters/{cluster}"));
        match world.get(&key) {
            Some(stored) => Ok((key, stored.clone())),
            None => Err(self.no_cluster(cluster)),
        }
    }
}

fn link(path: &str) -> String {
    format!("https://container.googleapis.com/v1/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_written_zones_and_a_region_locations() {
        let project = Project {
            id: "demo-proj".to_owned(),
            number: 7,
            since: 0,
        };
        let zone = Location {
            project,
            location: "us-central1-a".to_owned(),
        };
        assert_eq!(
            zone.legacy_path("clusters/c"),
            "projects/demo-proj/zones/us-central1-a/clusters/c"
        );
        assert_eq!(zone.region(), "us-central1");
        let region = Location {
            location: "us-central1".to_owned(),
            ..zone
        };
        assert_eq!(
            region.numbered_link("operations/o"),
            "https://container.googleapis.com/v1/projects/7/locations/us-central1/operations/o"
        );
        assert_eq!(region.zones().len(), 3);
    }
}
